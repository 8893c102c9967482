"""Every trial in a file, the best of each model in a table, and how they got there in a figure."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from common.experiments.analysis.trials import HEADER, TrialFiles, best_so_far, settings_of, summary
from common.models.linear.ease import EASESettings
from common.plots import search as plots
from common.utils.errors import UserError

ALS = pd.DataFrame(
    {"trial": [1, 2, 3], "ndcg_10": [0.1, np.nan, 0.1234567], "cpu_seconds": [2.0, 0.5, 3.0], "factors": [8, 16, 32]}
)
LOST = ALS.assign(ndcg_10=np.nan)


def test_every_trial_is_written_with_its_settings(tmp_path):
    written = TrialFiles(tmp_path, "toy", "listen").write({"als": ALS, "ease": LOST}, {"als": "a", "ease": "b"})
    assert [path.name for path in written] == ["toy-listen-als.tsv", "toy-listen-ease.tsv", "toy-listen.png"]
    assert written[0].read_text().splitlines()[0] == "trial\tndcg_10\tcpu_seconds\tfactors"
    again = pd.read_csv(written[0], sep="\t")
    pd.testing.assert_frame_equal(again, ALS.assign(ndcg_10=[0.1, np.nan, 0.12346]))


def test_the_names_of_the_studies_are_written_and_those_of_other_models_stay(tmp_path):
    files = TrialFiles(tmp_path, "toy", "listen")
    files.write({"als": ALS, "ease": LOST}, {"als": "a", "ease": "b"})
    files.write({"ease": LOST}, {"ease": "c"})
    assert json.loads((tmp_path / "toy-listen.json").read_text()) == {"als": "a", "ease": "c"}
    (tmp_path / "toy-listen.json").write_text("[]")
    with pytest.raises(UserError, match="does not name studies"):
        files.write({"ease": LOST}, {"ease": "c"})


def test_settings_of_trials_have_the_types_of_the_settings():
    tried = pd.DataFrame({"trial": [1, 2], "regularisation": [100, 5], "weighting": ["log", "binary"]})
    assert settings_of(tried, EASESettings(decay=0.1), "file") == [
        EASESettings(regularisation=100.0, weighting="log", decay=0.1),
        EASESettings(regularisation=5.0, weighting="binary", decay=0.1),
    ]
    for changed, said in (({"regularisation": "much"}, "regularisation"), ({"weighting": "raw"}, "weighting")):
        with pytest.raises(UserError, match=f"^file, trial 1: {said}"):
            settings_of(tried.assign(**changed), EASESettings(), "file")


def test_the_figure_shows_the_best_so_far_by_seconds(tmp_path, monkeypatch):
    shown: dict[str, Any] = {}
    monkeypatch.setattr(plots, "best_by_budget", lambda found, title, path: shown.update(found=found, title=title))
    TrialFiles(tmp_path, "toy", "listen").write({"als": ALS, "ease": LOST}, {})
    assert shown["title"] == "toy, listen, validation"
    assert set(shown["found"]) == {"als"}, "a model without any value has no line"
    seconds, best = shown["found"]["als"]
    assert seconds.tolist() == [2.0, 2.5, 5.5]
    assert best.tolist() == [0.1, 0.1, 0.1234567]
    assert best_so_far(LOST)[0].size == 0


def test_the_summary_says_where_a_search_began_and_when_it_found_its_best():
    rows = summary({"als": ALS, "ease": LOST})
    assert len(HEADER) == len(rows[0])
    assert rows == [["als", "3", "6", "1", "0.1000", "0.1235", "6"], ["ease", "3", "6", "3", "-", "-", "-"]]


@pytest.mark.parametrize("start", [np.nan])
def test_a_start_that_was_lost_is_no_figure(start):
    assert summary({"als": ALS.assign(ndcg_10=[start, 0.2, 0.1])})[0][4:] == ["-", "0.2000", "2"]
