"""Every metric once: what it is called, how it is written, and whether more of it is better.

Keys of `metrics.json` are `<name>_<k>` (`ndcg_10`), then `_sampled99`, then a segment: `_seen`, `_given5`, ...
To add a metric: a function in `metrics.py`, its line in `metric_suite.py`, and its line in METRICS.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple


class Metric(NamedTuple):
    """One metric, or one of its cut-offs and segments.

    name: key without cut-off and segment; label: short title, {k} the cut-off; group: one of those below; better: 1 if
    more of it is better, -1 if less, 0 if neither; format: of a figure, "" for as many digits as its size needs;
    cutoffs: the k it is measured at, none for a metric without; title, unit: for a page with room, "" as the label;
    deeper: further k that it is measured at on data sets whose authors report them.
    """

    name: str
    label: str
    group: str
    better: int
    format: str = ".4f"
    cutoffs: tuple[int, ...] = (5, 10, 20)
    title: str = ""
    unit: str = ""
    deeper: tuple[int, ...] = ()


ACCURACY, SAMPLED, BEYOND, PLAYS, COST, COUNT = "accuracy", "sampled", "beyond accuracy", "plays", "cost", "count"
"""The groups. In "accuracy" and "sampled" the best figure is set in bold: in the others chance may win."""
NO_CUTOFF: tuple[int, ...] = ()
METRICS = (
    Metric("hr", "HR@{k}", ACCURACY, 1),
    Metric("ndcg", "NDCG@{k}", ACCURACY, 1, deeper=(50, 100)),
    Metric("precision", "Prec@{k}", ACCURACY, 1, title="Precision@{k}"),
    Metric("recall", "Recall@{k}", ACCURACY, 1, cutoffs=(5, 10, 20, 100), deeper=(50,)),
    Metric("f1", "F1@{k}", ACCURACY, 1),
    Metric("mrr", "MRR@{k}", ACCURACY, 1),
    Metric("map", "MAP@{k}", ACCURACY, 1),
    Metric("coverage", "Cover@{k}", BEYOND, 1, title="Coverage@{k}", unit="share of the catalogue", deeper=(50, 100)),
    Metric("gini", "Gini@{k}", BEYOND, -1),
    Metric("ils_tag", "ILS tags@{k}", BEYOND, -1, unit="mean cosine"),
    Metric("ils_genre", "ILS genres@{k}", BEYOND, -1, unit="mean cosine"),
    Metric("ils_audio", "ILS audio@{k}", BEYOND, -1, unit="mean cosine"),
    Metric("ils_artist", "ILS artists@{k}", BEYOND, -1, unit="share of the pairs"),
    Metric("ils_tag_share", "with tags@{k}", BEYOND, 0, unit="share of the list"),
    Metric("ils_genre_share", "with genres@{k}", BEYOND, 0, unit="share of the list"),
    Metric("ils_audio_share", "with audio@{k}", BEYOND, 0, unit="share of the list"),
    Metric("genre_diversity", "Genres@{k}", BEYOND, 1, ""),
    Metric("artist_diversity", "Artists@{k}", BEYOND, 1, ""),
    Metric("calibration_genre", "Calib. genres@{k}", BEYOND, -1, "", unit="nats"),
    Metric("calibration_tag", "Calib. tags@{k}", BEYOND, -1, "", unit="nats"),
    Metric("novelty", "Novelty@{k}", BEYOND, 1, "", unit="bits"),
    Metric("popularity_lift", "Pop. lift@{k}", BEYOND, -1, "", title="Popularity lift@{k}"),
    Metric("serendipity", "Serend.@{k}", BEYOND, 1, title="Serendipity@{k}"),
    Metric("plays_rmse", "RMSE", PLAYS, -1, cutoffs=NO_CUTOFF),
    Metric("plays_mae", "MAE", PLAYS, -1, cutoffs=NO_CUTOFF),
    Metric("plays_r2", "R²", PLAYS, 1, cutoffs=NO_CUTOFF),
    Metric("plays_pearson", "Pearson", PLAYS, 1, cutoffs=NO_CUTOFF),
    Metric("plays_spearman", "Spearman", PLAYS, 1, cutoffs=NO_CUTOFF),
    Metric("fit_seconds", "fit, s", COST, -1, ".1f", NO_CUTOFF, title="Fit, s"),
    Metric("fit_cpu_seconds", "fit CPU s", COST, -1, ".1f", NO_CUTOFF),
    Metric("recommend_ms_per_user", "ms/user", COST, -1, ".1f", NO_CUTOFF, title="ms per user"),
    Metric("rerank_ms_per_user", "re-rank ms/user", COST, -1, ".1f", NO_CUTOFF),
    Metric("model_mb", "MB", COST, -1, ".1f", NO_CUTOFF, title="Size, MiB", unit="MiB"),
    Metric("peak_rss_mb", "peak MB", COST, -1, ".1f", NO_CUTOFF, title="Peak memory, MiB", unit="MiB"),
    Metric("seeds", "Seeds", COUNT, 0, ".0f", NO_CUTOFF),
    Metric("n_users", "users", COUNT, 0, ",.0f", NO_CUTOFF),
    Metric("n_targets", "held-out pairs", COUNT, 0, ",.0f", NO_CUTOFF),
    Metric("n_targets_unseen", "of unseen items", COUNT, 0, ",.0f", NO_CUTOFF),
    Metric("n_targets_unseen_content", "of unseen items with content", COUNT, 0, ",.0f", NO_CUTOFF),
    Metric("n_unseen_users", "unseen users", COUNT, 0, ",.0f", NO_CUTOFF),
    Metric("n_users_repeats", "users, with repeats", COUNT, 0, ",.0f", NO_CUTOFF),
    Metric("n_targets_repeats", "held-out pairs, with repeats", COUNT, 0, ",.0f", NO_CUTOFF),
    Metric("n_targets_known", "of known items", COUNT, 0, ",.0f", NO_CUTOFF),
)
"""In the order in which tables show them."""
SEGMENTS = {
    "_seen": "of seen items",
    "_unseen": "of unseen items",
    "_unseen_content": "of unseen items with content",
    "_unseen_bare": "of unseen items without content",
    "_unseen_users": "of unseen users",
    "_repeats": "with repeats",
}
"""Suffix -> the held-out items or users that a figure is of; `_given5` is of newcomers with 5 items given."""


class CoreMetric(NamedTuple):
    """One of the nine metrics to read first: its heading in a narrow terminal, and the names that it may stand for."""

    heading: str
    names: tuple[str, ...]


CORE = {
    "precision": CoreMetric("Prec", ("precision",)),
    "recall": CoreMetric("Rec", ("recall",)),
    "ndcg": CoreMetric("NDCG", ("ndcg",)),
    "hit_rate": CoreMetric("HR", ("hr",)),
    "map": CoreMetric("MAP", ("map",)),
    "coverage": CoreMetric("Cover", ("coverage",)),
    "diversity": CoreMetric("Div", ("ils_tag", "ils_genre", "ils_audio")),
    "novelty": CoreMetric("Nov", ("novelty",)),
    "serendipity": CoreMetric("Ser", ("serendipity",)),
}
"""Name in measures.json -> metric; the first name that a run has counts. Diversity is 1 - similarity inside a list."""


def describe(key: str) -> Metric:
    """The metric behind a key of metrics.json, cut-off and segment put into its label. Raises KeyError for another key.

    >>> metric = describe("ndcg_5_sampled99")
    >>> metric.label, metric.group, metric.better, metric.cutoffs
    ('NDCG@5 s99', 'sampled', 1, (5,))
    """
    named = {metric.name: metric for metric in METRICS}
    name = key.replace("plays_reference_", "plays_")
    if name in named and not named[name].cutoffs:
        return named[name]._replace(label=named[name].label + (" of means" if name != key else ""))
    found = re.fullmatch(rf"(valid_)?({'|'.join(named)})_(\d+)(_sampled99)?({'|'.join(SEGMENTS)}|_given\d+)?", key)
    if not found or int(found[3]) not in (*named[found[2]].cutoffs, *named[found[2]].deeper):
        raise KeyError(key)
    return _at(named[found[2]], bool(found[1]), int(found[3]), bool(found[4]), found[5] or "")


def _at(metric: Metric, valid: bool, k: int, sampled: bool, segment: str) -> Metric:
    """A metric on validation or test, at one cut-off, over the catalogue or among 99 negatives, of one segment."""
    if segment.startswith("_given"):
        return metric._replace(label=segment.replace("_given", "@"), title="", cutoffs=(k,))
    before, after = "val " * valid, f" {SEGMENTS[segment]}" if segment else ""
    short = before + metric.label.format(k=k) + " s99" * sampled + after
    long = before + (metric.title or metric.label).format(k=k) + " sampled" * sampled + after
    return metric._replace(label=short, title=long, group=SAMPLED if sampled else metric.group, cutoffs=(k,))


def label(key: str) -> str:
    """Short title of a key; the key itself where it is no metric of ours.

    >>> label("ndcg_10"), label("ndcg_10_given5"), label("coverage_10"), label("train_seconds")
    ('NDCG@10', '@5', 'Cover@10', 'train_seconds')
    """
    try:
        return describe(key).label
    except KeyError:
        return key


def labels(keys: Iterable[str]) -> dict[str, str]:
    """Keys with their labels."""
    return {key: label(key) for key in keys}


def title(key: str) -> str:
    """Long title of a key, for a page with room: `Precision@10`."""
    metric = describe(key)
    return metric.title or metric.label


def axis(key: str) -> str:
    """Title of an axis, with the unit.

    >>> axis("coverage_10"), axis("ndcg_10")
    ('Coverage@10, share of the catalogue', 'NDCG@10')
    """
    return ", ".join(filter(None, (title(key), describe(key).unit)))


def shown(key: str, value: Any) -> str:
    """A figure as tables show it, "-" where there is none.

    >>> shown("ndcg_10", 0.25), shown("novelty_10", 4.0841), shown("model_mb", 12.345), shown("ndcg_10", None)
    ('0.2500', '4.08', '12.3', '-')
    """
    if value is None or value != value:
        return "-"
    by_size = ".4f" if abs(value) < 2 else ".2f" if value < 100 else ",.0f"
    return format(value, describe(key).format or by_size)


def keys(group: str, k: int = 10) -> tuple[str, ...]:
    """All keys of a group at one cut-off; of "sampled", of the metrics that are measured among sampled negatives.

    >>> keys("accuracy", k=100), keys("plays")[:2]
    (('recall_100',), ('plays_rmse', 'plays_mae'))
    """
    if group == SAMPLED:
        return tuple(f"{name}_{k}_sampled99" for name in ("hr", "ndcg", "mrr"))
    of_group = [metric for metric in METRICS if metric.group == group]
    return tuple(f"{m.name}_{k}" if m.cutoffs else m.name for m in of_group if k in m.cutoffs or not m.cutoffs)


def is_bold(key: str) -> bool:
    """Whether the best figure of a key stands out in tables: not where chance wins."""
    return describe(key).group in (ACCURACY, SAMPLED)


def core_value(name: str, record: Mapping[str, Any], k: int) -> float | None:
    """One of the CORE metrics of a `metrics.json`; None where it has none."""
    found = (record.get(f"{of}_{k}") for of in CORE[name].names)
    return next((value for value in found if value is not None), None)


LISTS = "lists at 10, beside accuracy"
TABLE = (
    *("seeds", "hr_5", "ndcg_5", "hr_10", "ndcg_10", "interval", "against", "precision_10", "recall_20"),
    *("hr_5_sampled99", "ndcg_5_sampled99", "coverage_10", "ils_tag_10", "novelty_10"),
    *("fit_cpu_seconds", "recommend_ms_per_user", "model_mb"),
)
"""What the Markdown leaderboard shows; its `interval` and `against` (the reference) are made of several figures."""
TERMINAL = ("ndcg_10", "hr_10", "recall_20", "hr_5_sampled99", "coverage_10")
"""What fits into 80 columns of a terminal."""
PAGE = {
    "validation": ("valid_ndcg_10",),
    "whole catalogue ranked": ("hr_5", "ndcg_5", "hr_10", "ndcg_10", "precision_10", "recall_20"),
    f"{label('ndcg_10')}, items given": (),
    "sampled: among 99 negatives": ("hr_5_sampled99", "ndcg_5_sampled99"),
    LISTS: ("coverage_10", "ils_tag_10", "ils_genre_10", "ils_audio_10", "novelty_10"),
    "cost": ("fit_seconds", "recommend_ms_per_user", "model_mb", "seeds"),
}
"""What the HTML page shows, by heading; the one without keys is of newcomers, `ndcg_10_given5` and so on."""
