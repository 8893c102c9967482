"""The core metrics that a model is read by, out of the hundred in its `metrics.json`, and what about them is odd.

docs/core-metrics.md says how to read each: what is good, what is suspicious, what trades against what.
"""

from collections.abc import Mapping
from typing import Any

from common.evaluation.registry import CORE, core_value

K = 10
FILE = "measures.json"


def core_metrics(record: Mapping[str, Any], k: int = K) -> dict[str, float | None]:
    """The core metrics of a `metrics.json` at one cut-off; None for what the data do not allow.

    >>> found = core_metrics({"hr_10": 0.5, "ils_genre_10": 0.25})
    >>> found["hit_rate"], found["diversity"], found["novelty"]
    (0.5, 0.75, None)
    """
    found = {name: core_value(name, record, k) for name in CORE}
    similarity = found["diversity"]
    return found | {"diversity": None if similarity is None else 1 - similarity}


def summary(records: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """What `measures.json` holds of a run, from the `metrics.json` of each part: what the run is, k, and the core
    metrics under `valid` and `test`."""
    newest = list(records.values())[-1]
    kept = ("model", "preset", "dataset", "protocol", "split_seed", "seed", "split_sha256", "config_sha256")
    return {key: newest[key] for key in kept} | {"k": K, **{part: core_metrics(of) for part, of in records.items()}}


def oddities(values: Mapping[str, float | None], others: Mapping[str, Mapping[str, float | None]]) -> list[str]:
    """What a reader should look into before believing a model's core metrics: sentences, none for a sound one.

    `others` are those of the other models on the same part of the same split, by model; `random` and `popularity`
    among them are what chance and mere counting reach.
    """
    got = {name: value for name, value in values.items() if value is not None}
    counting, chance = (
        {name: value for name, value in others.get(model, {}).items() if value is not None}
        for model in ("popularity", "random")
    )
    best = max((of.get("ndcg") or 0.0 for of in others.values()), default=0.0)
    precision = got.get("precision", 0.0)
    checks = {
        "ndcg: more than twice the best other model's; look for a leak": 0 < 2 * best < got.get("ndcg", 0.0),
        "hit_rate: every list has a hit; look for a leak": got.get("hit_rate", 0.0) >= 1,
        "ndcg: below popularity's; the model has learned less than counting": got.get("ndcg", 1.0)
        < counting.get("ndcg", 0.0),
        "coverage: no more than twice popularity's; nearly one list for everybody": got.get("coverage", 1.0)
        <= 2 * counting.get("coverage", 0.0),
        "serendipity: no hit is outside popularity's own list": precision > 0 and got.get("serendipity") == 0,
        "novelty: as high as chance's; it recommends what hardly anybody has": bool(chance)
        and got.get("novelty", 0.0) >= chance.get("novelty", 0.0),
        "diversity: as high as chance's; the lists may follow nobody": bool(chance)
        and got.get("diversity", 0.0) >= chance.get("diversity", 2.0),
    }
    return [sentence for sentence, is_odd in checks.items() if is_odd]
