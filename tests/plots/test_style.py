import matplotlib.pyplot as plt
import pytest

from common.plots.style import PALETTE, figure, percent_axis, plain_log_axis, style, thousands_axis


def test_many_models_are_told_apart():
    looks = [(str(look["color"]), look["marker"], look["linestyle"]) for look in map(style, range(30))]
    assert len(set(looks)) == 30
    assert len({look[1] for look in looks[: len(PALETTE)]}) == len(PALETTE), "without colour, too"


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
