from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from common.plots.search import best_by_budget, ensemble_weights, search, selection_on_test
from tests.plots.pictures import texts


def test_settings_and_trials_of_a_search(monkeypatch, tmp_path):
    said = texts(monkeypatch, tmp_path, search, {"learning_rate": 0.8, "width": 0.2}, [0.1, 0.3, 0.2], 4, "toy")
    assert {"learning rate", "width", "Trial (4 more cut short)", "best so far"} <= set(said.splitlines())


def test_a_panel_for_each_number_of_known_items(monkeypatch, tmp_path):
    table = pd.DataFrame({"als": [0.0, 1.0], "content": [1.0, 0.0], "1": [0.1, 0.2], "5": [0.3, 0.2]})
    said = texts(monkeypatch, tmp_path, ensemble_weights, table, {"1": (1.0, 0.0), "5": (0.0, 1.0)}, "toy")
    assert {"1 known item", "5 known items"} <= set(said.splitlines())


def test_the_best_so_far_of_each_search_ends_where_it_did(monkeypatch, tmp_path):
    found = {"als": (np.array([4.0, 9.0, 12.0]), np.array([0.10, 0.10, 0.12])), "ials": (np.array([2.0]), np.ones(1))}
    lines: dict[str, list[list[float]]] = {}
    save = Figure.savefig

    def noted(self: Figure, *given: Any, **options: Any) -> None:
        save(self, *given, **options)
        lines.update(
            {str(line.get_label()): np.asarray(line.get_xydata()).tolist() for line in self.axes[0].get_lines()}
        )

    monkeypatch.setattr(Figure, "savefig", noted)
    said = texts(monkeypatch, tmp_path, best_by_budget, found, "toy")
    assert {"als", "ials", "CPU seconds of all trials so far"} <= set(said.splitlines())
    assert lines["als"][-1] == [12.0, 0.12]
    assert lines["ials"] == [[2.0, 1.0]]


def test_trials_on_both_parts_and_the_excess_by_their_number(monkeypatch, tmp_path):
    trials = {"als": (np.array([0.1, 0.2, 0.3]), np.array([0.2, 0.4, 0.3])), "ease": (np.ones(1), np.ones(1))}
    excess = {"als": [0.0, 0.05, 0.1], "ease": [0.0]}
    said = texts(monkeypatch, tmp_path, selection_on_test, trials, excess, "toy")
    assert {"als", "ease", "NDCG@10 on validation", "NDCG@10 on test", "Trials"} <= set(said.splitlines())
