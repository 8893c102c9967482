"""Every stage runs on a folder of one's own, whatever it holds and whatever it lacks."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.data.worlds import rich_tables, sized
from tests.stages import stage


def two_columns(folder: Path) -> None:
    rows = sized({f"user {u}": 6 + u % 5 for u in range(30)}, 40)[["user_id", "item_id"]]
    rows.to_csv(folder / "interactions.tsv", sep="\t", index=False)


def everything(folder: Path) -> None:
    for name, frame in rich_tables().frames().items():
        frame.to_parquet(folder / f"{name}.parquet", index=False)


def ready_made(folder: Path) -> None:
    """Leave-one-out with negatives that need no `item_id`, and somebody who is in test alone."""
    rows = sized({f"u{u:02}": 6 + u % 5 for u in range(30)}, 40)[["user_id", "item_id"]]
    last = ~rows["user_id"].duplicated(keep="last")
    test = pd.concat([rows[last], pd.DataFrame({"user_id": ["stranger"], "item_id": ["i000"]})])
    rows[~last].to_csv(folder / "train.csv", index=False)
    test.to_csv(folder / "test.csv", index=False)
    catalogue = np.unique(rows["item_id"].to_numpy(object))
    owned = rows.groupby("user_id")["item_id"].agg(set)
    negatives = [(user, item) for user, items in owned.items() for item in catalogue if item not in items]
    pd.DataFrame(negatives, columns=["user_id", "negative_id"]).to_csv(folder / "negatives99.csv", index=False)


@pytest.mark.parametrize(
    ("write", "protocols"),
    [
        (two_columns, ["listen"]),
        (ready_made, ["listen", "next"]),
        pytest.param(everything, ["listen", "next"], marks=pytest.mark.thorough),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_the_first_stages_run(tmp_path, write, protocols):
    folder, out = tmp_path / "mine", tmp_path / "out"
    folder.mkdir()
    write(folder)
    flags = ["--dataset", str(folder), "--data-dir", str(tmp_path / "data"), "--output-dir", str(out)]
    stage("0_explore.py")(flags)
    (results,) = out.glob("mine-*")
    statistics = json.loads((results / "explore" / "statistics.json").read_text())
    assert statistics["interactions"] > 100
    assert list((results / "explore" / "figures").glob("*.png"))
    for protocol in protocols:
        stage("1_knn_baseline.py")([*flags, "--protocol", protocol])
        written = list((results / protocol).glob("*/*/seed0/test/metrics.json"))
        assert {json.loads(path.read_text())["dataset"] for path in written} == {results.name}
        assert {"popularity", "item_knn", "random"} <= {path.parents[3].name for path in written}
