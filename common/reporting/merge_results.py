"""New results beside published ones: which rows stay, and how their differences and p-values are corrected.

A whole table takes hours, so it may be measured in parts, and on several machines.
"""

import logging
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from common.evaluation.statistics import REFERENCE, holm
from common.reporting.extra_tables import OF_MODELS
from common.reporting.leaderboard import RowKeys
from common.reporting.markdown_blocks import Table
from common.utils.errors import UserError
from common.utils.io import display, read_json

DIFFERENCE = ("difference", "difference_low", "difference_high")
NUMBER = (int, float)
ROW: dict[str, Any] = {"model": str, "preset": str, "stage": str, "seeds": NUMBER, "settings": dict, "ndcg_10": NUMBER}
"""What every row of published results has."""
ROUNDING = 1e-9
"""Differences within this are equal but for rounding."""
log = logging.getLogger(__name__)


def read_published(path: Path) -> dict[str, Any]:
    """Results as they were published; empty where there are none. UserError for a file of another structure."""
    found = read_json(path) if path.exists() else {}
    if found != {} and not _is_published(found):
        raise UserError(f"{display(path)} does not hold published results; take it back from git, or delete it")
    return found


def _is_published(found: Any) -> bool:
    try:
        parts = list(found["protocols"].values())
        texts = [found["data_sha256"], *(part["split_sha256"] for part in parts)]
        values = [(row[name], kind) for part in parts for row in part["rows"] for name, kind in ROW.items()]
        values += [(found["tables"], dict), *((text, str) for text in texts)]
    except (KeyError, TypeError, AttributeError):
        return False
    return all(isinstance(value, kind) for value, kind in values)


def merged(old: dict[str, Any], new: dict[str, Any], only: Mapping[str, RowKeys] | None = None) -> dict[str, Any]:
    """New results, with the rows of leaderboards and of the tables beside them that were measured before and not again.

    A row stays, too, that has more seeds than its new one, with the same settings. Results of other data or of another
    drawing of a split are not kept, nor are rows that `only` lacks.
    """
    if old.get("data_sha256") != new["data_sha256"]:
        return new
    protocols = dict(new["protocols"])
    for protocol, found in old["protocols"].items():
        allowed = None if only is None else only.get(protocol, set())
        rows = [row for row in found["rows"] if allowed is None or _key(row) in allowed]
        kept = found | {"rows": rows}
        if protocol not in protocols and rows:
            protocols[protocol] = kept
        elif protocol in protocols and found["split_sha256"] == protocols[protocol]["split_sha256"]:
            protocols[protocol] = _one_protocol(protocol, kept, protocols[protocol])
    tables = {**old["tables"], **new["tables"]}
    for key in old["tables"].keys() & new["tables"].keys():
        if key.split(" ")[0] in OF_MODELS:
            tables[key] = asdict(Table(**new["tables"][key]).with_rows_of(Table(**old["tables"][key])))
    return new | {"protocols": protocols, "tables": dict(sorted(tables.items()))}


def _key(row: Mapping[str, Any]) -> tuple[str, str]:
    return row["model"], row["preset"]


def _one_protocol(name: str, old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    rows = {_key(row): row for row in new["rows"]}
    for row in old["rows"]:
        newer = rows.get(_key(row))
        if newer is None or (row["seeds"] > newer["seeds"] and row["settings"] == newer["settings"]):
            rows[_key(row)] = row
    ordered = sorted(rows.values(), key=lambda row: (row["stage"], row["valid_ndcg_10"]))
    return new | {"rows": compared_anew(name, corrected(ordered))} | _segments(old, new, ordered)


def compared_anew(protocol: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows with their differences, and the intervals around them, to the reference row that is here.

    A row that stayed was compared with the reference as it was then. The mean difference is that of the means, so it is
    known; p-values would need the values of each user: they stay, and a warning names such rows.
    """
    reference = next((row["ndcg_10"] for row in rows if _key(row) == REFERENCE), None)
    moved = {}
    for row in rows if reference is not None else []:
        by = row["ndcg_10"] - reference - row.get("difference", row["ndcg_10"] - reference)
        if abs(by) > ROUNDING:
            moved[_key(row)] = row | {key: row[key] + by for key in DIFFERENCE}
    if moved:
        named = ", ".join("/".join(key) for key in moved)
        log.warning("%s: measure again what was tested against %s as it was before: %s", protocol, REFERENCE[0], named)
    return [moved.get(_key(row), row) for row in rows]


def corrected(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows with p-values corrected for the number of those that are here; one without `p_alone` keeps what it has."""
    compared = [row for row in rows if "p_alone" in row]
    if not compared:
        return rows
    others = sum("p" in row for row in rows) - len(compared)
    alone = np.array([row["p_alone"] for row in compared] + [1.0] * others)
    found = {_key(row): float(p) for row, p in zip(compared, holm(alone), strict=False)}
    return [row | {"p": found[_key(row)]} if _key(row) in found else row for row in rows]


def _segments(old: dict[str, Any], new: dict[str, Any], rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The segments of both, if their groups are the same: models in the order of the leaderboard.

    Popularity fifths, which older results lack, are kept where both have them.
    """
    if "segments" not in old or "segments" not in new:
        return {}
    shared = [
        name for name in ("history", "target", "popularity") if name in old["segments"] and name in new["segments"]
    ]
    groups = [{name: of["segments"][name] for name in shared} for of in (old, new)]
    if groups[0] != groups[1]:
        return {}
    found = old["segments"]["rows"] | new["segments"]["rows"]
    order = [row["model"] for row in rows if row["preset"] == "tuned" and row["model"] in found]
    return {"segments": groups[1] | {"rows": {model: found[model] for model in order}}}
