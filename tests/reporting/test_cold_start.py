"""Newcomers by the number of known items, held-out items by what is known of them, in a terminal."""

import pandas as pd

from common.experiments.outputs import Outputs
from common.reporting.cold_start import cold_start_text, coldness_cells, coldness_text
from common.splits.protocols import N_GIVEN
from common.splits.train_view import load_train_view
from common.utils.io import read_json


def test_a_curve_has_a_cell_for_every_number_of_items_and_a_dash_where_nobody_has_so_many():
    curve = pd.DataFrame({"mean": [0.25, 0.5]}, index=[N_GIVEN[0], N_GIVEN[-1]])
    header, rule, row = cold_start_text({"als": curve}).splitlines()
    assert header.split() == ["known", "items", *map(str, N_GIVEN)]
    assert row.split() == ["als", "0.2500", *["-"] * (len(N_GIVEN) - 2), "0.5000"]
    assert len(rule) == len(header)


def test_coldness_repeats_the_figures_of_the_run(ran, small_data):
    run = Outputs(ran).find("item_knn")
    rows = {"item_knn": run.results("test")}
    train = load_train_view(small_data, "listen", "final")
    [[name, recall, sampled, *_]] = coldness_cells(rows, train)
    record = read_json(run.folder / "test" / "metrics.json")
    assert (name, recall) == ("item_knn", f"{record['recall_100']:.4f}")
    targets = rows["item_knn"].targets
    assert sampled == f"{(targets['rank_sampled99'] <= 5).mean():.4f}"
    assert coldness_text(rows, train).splitlines()[0].startswith("held-out pairs")
