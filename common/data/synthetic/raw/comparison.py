"""What the steps of a preparation say that they found, against what was planted."""

from collections.abc import Mapping, Sequence
from typing import Any


def expected(ledger: Mapping[str, Any]) -> dict[str, Any]:
    """What every step must say, by step and kind of figure: rows_in, rows_out, dropped, and some of its notes."""
    parts = ledger["aggregate_interactions"]
    pairs, new = (sum(part[name] for part in parts.values()) for name in ("pairs", "new_pairs"))
    bots = {rule: found["events"] for rule, found in ledger["filter_bots"].items()}
    rows, valid, events = ledger["scan"]["rows"], ledger["validate"]["rows"], ledger["deduplicate_events"]["rows"]
    names, groups, tables = ledger["canonical_ids"], ledger["group_work_versions"], ledger["write_tables"]
    artists, merged = names["artists"]["ids"], ledger["deduplicate_artists"]["merged"]
    times = {"events": ledger["normalise_timestamps"], "cut": ledger["cut"]}
    return {
        "scan": _rows(rows, rows),
        "validate": _rows(rows, valid, ledger["validate"]["dropped"]),
        "normalise_timestamps": _rows(valid, valid) | {"notes": times},
        "canonical_ids": _rows(valid, valid)
        | {
            "notes": {name: names[name] for name in ("artists", "albums", "genres")}
            | {"tracks": {"ids": names["tracks"]}, "users": {"ids": ledger["users"]}}
        },
        "deduplicate_events": _rows(valid, events, {"repeated": ledger["deduplicate_events"]["dropped"]}),
        "deduplicate_artists": _rows(artists, artists - merged, {"near_spelling": merged}),
        "group_work_versions": _rows(names["tracks"], groups["groups"])
        | {"notes": {"groups_of_several": sum(n for size, n in groups["sizes"].items() if size != "1")}},
        "filter_bots": _rows(events, events - sum(bots.values()), bots)
        | {"notes": {"users": {"bots": sum(found["users"] for found in ledger["filter_bots"].values())}}},
        "aggregate_interactions": _rows(events, new, {"known_to_the_user": pairs - new}),
        "write_tables": {
            "notes": {
                "rows": {f"interactions_{part}": found["new_pairs"] for part, found in parts.items()}
                | {"users": tables["users"], "items": tables["items"]}
            }
        },
    }


def _rows(before: int, after: int, dropped: Mapping[str, int] | None = None) -> dict[str, Any]:
    return {"rows_in": before, "rows_out": after, "dropped": {name: n for name, n in (dropped or {}).items() if n}}


def compare_steps(ledger: Mapping[str, Any], steps: Sequence[Mapping[str, Any]]) -> tuple[int, list[str]]:
    """How many figures were compared, and a sentence for each that differs or that a step does not give."""
    found = {step["step"]: step for step in steps}
    compared = [pair for name, figures in expected(ledger).items() for pair in _pairs(name, figures, found.get(name))]
    return len(compared), [f"{what}: {said} instead of {right}" for what, right, said in compared if right != said]


def _pairs(what: str, right: Any, said: Any) -> list[tuple[str, Any, Any]]:
    """Every figure with its name, as it must be and as it is; of what is dropped, rules that nobody planted, too."""
    if not isinstance(right, Mapping):
        return [(what, right, said)]
    said = said if isinstance(said, Mapping) else {}
    names = {**right, **(said if what.endswith("dropped") else {})}
    return [pair for name in names for pair in _pairs(f"{what} {name}", right.get(name), said.get(name))]
