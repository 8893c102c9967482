"""Tables beside the leaderboards, made of what runs keep."""

import numpy as np
import pandas as pd

from common.experiments.outputs import Outputs
from common.reporting.extra_tables import (
    OF_MODELS,
    TABLES,
    cold_start_table,
    coldness_cells,
    hybrid_ablation_table,
    play_groups_table,
    seeds_table,
    splits_table,
    trade_off_table,
)
from common.splits.train_view import load_train_view
from common.utils.io import read_json, write_parquet


def test_the_hybrids_tables_show_what_the_stage_has_kept(small_data, tmp_path):
    def of(table):
        return table(tmp_path, small_data, "listen").markdown()

    run = tmp_path / "listen" / "hybrid_listnet" / "tuned" / "seed0"
    for table in (hybrid_ablation_table, trade_off_table, play_groups_table):
        assert table(tmp_path, small_data, "listen").cells == []
    row = {"ndcg_10": 0.5, "loss": 0.25, "low": 0.125, "high": 0.375, "group": ""}
    parts = [{"name": "all", **row, "plays_r2": 0.75}, {"name": "order alone", **row, "plays_r2": np.nan}]
    write_parquet(run / "ablation.parquet", pd.DataFrame(parts))
    assert of(hybrid_ablation_table).splitlines()[2:] == [
        "| all | 0.5000 | +0.2500 | +0.1250 to +0.3750 | 0.7500 |",
        "| order alone | 0.5000 | +0.2500 | +0.1250 to +0.3750 |  |",
    ]
    price = {"ils_weight": 0.5, "ndcg_10": 0.25, "low": 0.2, "high": 0.3, "ils_tag_10": 0.5, "coverage_10": 0.125}
    write_parquet(run / "trade_off.parquet", pd.DataFrame([price]))
    assert of(trade_off_table).splitlines()[::2] == [
        "| ils_weight | val NDCG@10 | ILS tags@10 | Cover@10 |",
        "| 0.5 | 0.2500 | 0.5000 | 0.1250 |",
    ]
    measured = {
        f"{of}{key}": value for of, value in (("", 0.5), ("reference_", 0.25)) for key in ("rmse", "mae", "r2", "ndcg")
    }
    write_parquet(run / "plays.parquet", pd.DataFrame([{"group": "new users", "pairs": 1234, "users": 5, **measured}]))
    cell = "0.5000 (0.2500)"
    said = of(play_groups_table).splitlines()[-1]
    assert said == f"| new users | 1,234 | {cell} | {cell} | {cell} | {cell} |"


def test_rows_of_several_seeds_have_a_mean_and_a_spread(ran, small_data):
    results = ran / small_data.name
    table = seeds_table(results, small_data, "listen")
    assert [row[:3] for row in table.cells] == [["random", "tuned", "2"]], "one seed has no spread"
    found = [read_json(path)["ndcg_10"] for path in sorted(results.glob("listen/random/*/*/test/metrics.json"))]
    assert table.cells[0][3] == f"{np.mean(found):.4f} ± {np.std(found, ddof=1):.4f}"
    assert splits_table(results, small_data, "listen") is None, "there is no second split"


def test_newcomers_have_a_row_per_model_by_the_number_of_given_items(ran, small_data):
    table = cold_start_table(ran / small_data.name, small_data, "newcomer")
    assert table.header == ["Model", "@0", "@1", "@2", "@5", "@10", "@20"]
    record = read_json(ran / small_data.name / "newcomer/popularity/tuned/seed0/test/metrics.json")
    assert table.cells == [["popularity", *(f"{record[f'ndcg_10_given{n}']:.4f}" for n in (0, 1, 2, 5, 10, 20))]]
    assert cold_start_table(ran / small_data.name, small_data, "listen").cells == []


def test_tables_of_models_are_tables():
    assert set(OF_MODELS) < set(TABLES)


def test_coldness_repeats_the_figures_of_the_run(ran, small_data):
    run = Outputs(ran).find("item_knn")
    rows = {"item_knn": run.results("test")}
    train = load_train_view(small_data, "listen", "final")
    [[name, recall, sampled, *_]] = coldness_cells(rows, train)
    record = read_json(run.folder / "test" / "metrics.json")
    assert (name, recall) == ("item_knn", f"{record['recall_100']:.4f}")
    targets = rows["item_knn"].targets
    assert sampled == f"{(targets['rank_sampled99'] <= 5).mean():.4f}"
