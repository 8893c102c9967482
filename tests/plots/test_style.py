from typing import Any

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import seaborn
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text

from common.plots import model_comparison, two_stage
from common.plots import style as look
from common.plots.style import (
    PALETTE,
    THEME,
    correlation_map,
    figure,
    legend,
    percent_axis,
    plain_log_axis,
    style,
    thousands_axis,
)
from tests.conftest import ROOT
from tests.stages.test_control_characters import STEERING, raw


def test_many_models_are_told_apart():
    looks = [(str(look["color"]), look["marker"], look["linestyle"]) for look in map(style, range(30))]
    assert len(set(looks)) == 30
    assert len({look[1] for look in looks[: len(PALETTE)]}) == len(PALETTE), "without colour, too"


def test_the_theme_is_that_of_seaborn():
    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # other tests may have left fonts of theirs
        seaborn.set_theme(context="notebook", style="whitegrid", palette="colorblind")
        theirs = dict(matplotlib.rcParams)
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(THEME)
        ours = dict(matplotlib.rcParams)
    assert [to_rgb(color) for color in theirs.pop("axes.prop_cycle").by_key()["color"]] == PALETTE
    ours.pop("axes.prop_cycle")
    assert {name for name, value in theirs.items() if ours[name] != value} == {"image.cmap"}


@pytest.mark.parametrize(
    ("write", "value", "text"),
    [
        (percent_axis, 0.25, "25%"),
        (plain_log_axis, 0.1, "0.1"),
        (plain_log_axis, 2000.0, "2k"),
        (thousands_axis, 12345.0, "12,345"),
    ],
)
def test_labels_of_axes(write, value, text):
    drawing, axes = plt.subplots()
    write(axes.xaxis)
    assert axes.xaxis.get_major_formatter()(value, 0) == text
    plt.close(drawing)


def test_a_figure_that_fails_leaves_no_file(tmp_path):
    with pytest.raises(RuntimeError), figure(tmp_path / "one.png", "title", "toy") as (axes,):
        axes.plot([1, 2])
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    assert plt.get_fignums() == []


NAMES = [*(f"na{steering}me" for steering in STEERING), r"A$AP and $\nothing$"]


@pytest.fixture
def saved(monkeypatch) -> list[Figure]:
    """The figures that are written, with their labels as they were drawn."""
    drawn: list[Figure] = []
    save = Figure.savefig

    def noted(self: Figure, *given: Any, **options: Any) -> None:
        save(self, *given, **options)
        drawn.append(self)

    monkeypatch.setattr(Figure, "savefig", noted)
    return drawn


def test_names_are_shown_and_steer_nothing(tmp_path, saved):
    """Wherever a name can stand: ticks by place, by category and of a heat map, legends, titles, notes, bars."""
    places = np.arange(len(NAMES))
    with figure(tmp_path / "one.png", NAMES[0], NAMES[-1], panels=2, rows=2) as axes:
        axes[0].set_yticks(places, NAMES)
        axes[0].plot(places)
        axes[1].barh(NAMES, places)
        correlation_map(axes[2], pd.DataFrame(np.eye(len(NAMES)), NAMES, NAMES))
        for place, name in enumerate(NAMES):
            axes[3].plot(1 + places, label=name, **style(place))
            axes[3].annotate(name, (place, place))
        axes[3].set(title=NAMES[1], xlabel=NAMES[2], ylabel=NAMES[-1], yscale="log")
        legend(axes[3])
    said = [text.get_text() for text in saved[0].findobj(Text)]
    assert raw("".join(said)) == set()
    expected = [r"na\x1b[2Jme", r"na\u202eme", r"na\u2028me", r"na\x07me"]
    assert all(sum(name in text for text in said) >= 6 for name in expected)
    assert said.count(NAMES[-1]) == 3, "a note, a legend and a label of an axis"
    assert said.count(NAMES[-1].replace("$", r"\$")) >= 4, "ticks of four axes, where a dollar is written so"
    assert "$\\mathdefault{10^{0}}$" in said, "numbers stay as they are"


def draw_all(folder):
    """Axes over one, two and more powers of ten, a colour bar, a heat map, a legend outside."""
    draws, curve = np.random.default_rng(0), np.linspace(0.1, 0.3, 100)
    model_comparison.metrics_by_cutoff({"als": {"NDCG@k": curve, "Recall@k": curve**2}}, "toy", folder / "curves.png")
    for place, reach in enumerate((5.0, 30.0, 3000.0)):
        lifts = {"als": pd.Series(np.geomspace(0.12, 0.12 * reach, 50))}
        model_comparison.popularity_lift(lifts, "toy", folder / f"lift{place}.png")
    pairs = pd.DataFrame({"log_plays": draws.normal(4, 1, 300), "predicted": draws.normal(4, 1, 300)})
    two_stage.play_residuals(pairs, 0.5, "toy", folder / "plays.png")
    model_comparison.metric_agreement(pd.DataFrame(np.eye(2), list("ab"), list("ab")), 3, "toy", folder / "map.png")
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.png"))}


def test_no_pixel_is_lost_to_what_is_not_drawn_twice(tmp_path, monkeypatch):
    for name in ("quick", "plain"):
        (tmp_path / name).mkdir()
    quick = draw_all(tmp_path / "quick")
    monkeypatch.setattr(look, "Drawing", Figure)
    monkeypatch.setattr(look, "leave_out_unseen_ticks", lambda drawing: None)
    plain = draw_all(tmp_path / "plain")
    assert {name for name in plain if plain[name] != quick[name]} == set()
    assert len(plain) == 6


def test_every_figure_is_written_in_one_place():
    writers = [path for path in (ROOT / "common").rglob("*.py") if "savefig" in path.read_text(encoding="utf-8")]
    assert [path.name for path in writers] == ["style.py"]
