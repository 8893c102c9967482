"""The structure of a run's files: all that is known of those which no manifest vouches for.

Runs of earlier versions have no manifest. Their files are read where they have the right structure; before a manifest
is written for them (`agree`), what each of them says must agree with the others.
"""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from common.splits.store import folder_name
from common.utils.errors import UserError
from common.utils.io import display, read_json, read_parquet

NAMES = ("model", "stage", "preset", "dataset", "protocol", "split_sha256", "config_sha256")
"""Text in every `metrics.json`."""
TABLES: dict[str, tuple[str, ...]] = {
    "per_user.parquet": ("user_id", "ndcg_10"),
    "recommendations.parquet": ("user_id", "rank", "score"),
    "targets.parquet": ("user_id", "score", "rank", "rank_sampled99"),
}
"""What stands in every row of a table: first what it is about, then numbers."""
PLAYS = ("rmse", "mae", "r2", "ndcg")
STUDIES: dict[str, tuple[str, ...]] = {
    "ablation.parquet": ("name", "ndcg_10", "loss", "low", "high"),
    "trade_off.parquet": ("ils_weight", "ndcg_10"),
    "plays.parquet": ("group", "pairs", *PLAYS, *(f"reference_{name}" for name in PLAYS)),
    "introduced.parquet": ("user_id", "given", "ndcg_10"),
}
"""The same of tables that are kept beside the results."""
AGAIN = "run its stage again, or delete it"
LISTED = 100
"""Places of a list."""


def check_record(path: Path) -> dict[str, Any]:
    """A `metrics.json`. Raises a UserError for a file of another structure."""
    record = read_json(path)
    if not isinstance(record, dict) or not all(isinstance(record.get(name), str) for name in NAMES):
        raise UserError(f"{display(path)} is not the record of a run; {AGAIN}")
    for name in ("seed", "split_seed", "ndcg_10"):
        if isinstance(record.get(name), bool) or not isinstance(record.get(name), int | float):
            raise UserError(f"{display(path)}: {name} is no number; {AGAIN}")
    return record


def check_config(path: Path) -> dict[str, Any]:
    """A `config.json`. Raises a UserError for a file of another structure."""
    config = read_json(path)
    if not isinstance(config, dict) or not isinstance(config.get("settings"), dict) or "seed" not in config:
        raise UserError(f"{display(path)} does not hold the settings of a run; {AGAIN}")
    return config


def check_curves(path: Path) -> dict[str, list[float]]:
    """A `curves.json`. Raises a UserError for a file of another structure."""
    curves = read_json(path)
    if not isinstance(curves, dict) or not all(_is_curve(values) for values in curves.values()):
        raise UserError(f"{display(path)} does not hold curves of a training; {AGAIN}")
    return curves


def _is_curve(values: Any) -> bool:
    return isinstance(values, list) and all(value is None or type(value) in (int, float) for value in values)


def check_table(path: Path) -> pd.DataFrame:
    """A table. Raises a UserError for one of `TABLES` or `STUDIES` that lacks a column, a row, or the right types."""
    frame = read_parquet(path)
    subject, *numbers = (TABLES | STUDIES).get(path.name, ("",))
    lacking = [name for name in (subject, *numbers) if name and name not in frame]
    if lacking or not len(frame):
        what = f"has no column {lacking[0]}" if lacking else "has no rows"
        raise UserError(f"{display(path)} {what}; {AGAIN}")
    for name in numbers:
        if not pd.api.types.is_numeric_dtype(frame[name]) or pd.api.types.is_bool_dtype(frame[name]):
            raise UserError(f"{display(path)}: column {name} holds no numbers; {AGAIN}")
    return frame


def check_part(folder: Path, run: str) -> None:
    """Raise a UserError for the first file of a part that lacks its structure or is that of another run.

    run: data set, split, model, preset and seed, as folders.
    """
    check_place(folder / "metrics.json", check_record(folder / "metrics.json"), run)
    for name in TABLES:
        _check_table_once(folder / name, _state(folder / name))


def check_place(path: Path, about: dict[str, Any], run: str) -> None:
    """Raise a UserError for what a file says of its run where that is not the run of its folder: it was renamed."""
    split = folder_name(str(about.get("protocol")), about.get("split_seed") or 0)
    found = f"{about.get('dataset')}/{split}/{about.get('model')}/{about.get('preset')}/seed{about.get('seed')}"
    if found != run:
        raise UserError(f"{display(path)} is that of another run, {found}; {AGAIN}")


@cache
def _check_table_once(path: Path, state: tuple[int, ...]) -> None:
    check_table(path)


def _state(path: Path) -> tuple[int, ...]:
    if not path.exists():
        raise UserError(f"{display(path)} is missing; {AGAIN}")
    return path.stat().st_ino, path.stat().st_size, path.stat().st_mtime_ns


def agree(folder: Path) -> None:
    """Raise a UserError unless the four files of a part are of one evaluation: the same users, hits and means."""
    record = check_record(folder / "metrics.json")
    per_user, lists, targets = (check_table(folder / name) for name in TABLES)
    keys = [name for name in ("user_id", "given", "item_id") if name in lists]
    for name in [name for name in per_user if name in record and name.startswith(("ndcg", "hr", "recall"))]:
        if not np.isclose(per_user[name].mean(), record[name], rtol=1e-6, atol=1e-9):
            raise UserError(f"{display(folder / 'per_user.parquet')}: {name} is not that of metrics.json; {AGAIN}")
    hits = targets[targets["rank"] <= LISTED]
    found = _plain(hits, keys).merge(_plain(lists, keys), on=[*keys, "rank"])
    if len(found) != len(hits) or not set(per_user["user_id"]) >= set(targets["user_id"]):
        raise UserError(f"{display(folder)}: the ranks in targets.parquet are not those of the lists; {AGAIN}")
    reached = (targets["rank"] <= 10).groupby([targets[k].astype(object) for k in keys if k != "item_id"]).any()
    if "hr_10" in record and not np.isclose(reached.mean(), record["hr_10"], rtol=1e-6, atol=1e-9):
        raise UserError(f"{display(folder / 'targets.parquet')}: its hits are not those of metrics.json; {AGAIN}")


def _plain(frame: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    ids = {key: frame[key].astype(object) for key in keys if key != "given"}
    return frame[[*keys, "rank"]].assign(**ids, rank=frame["rank"].astype(np.int64))
