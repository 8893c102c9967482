"""The cold-start ladder: how good each model's lists are when 0, 1, 2, 5, 10 or 20 items are known of somebody new."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from common.comparison import legend, style
from common.data.acquaintance import acquaintance
from common.data.splits import RUNGS
from common.evaluation.evaluate import Scorer
from common.evaluation.leaderboard import aligned
from common.evaluation.statistics import bootstrap_interval
from common.experiment import Experiment
from common.figures import figure
from common.files import read_parquet, write_parquet
from common.models.two_tower import TwoTower

LADDER = ("popularity", "content_knn", "tag_knn", "als", "ease", "ensemble", "sasrec", "two_tower", "hybrid_listnet")
"""The models that the ladder compares."""
TOWERS = "black"
"""Colour of the towers on the ladder."""
WITH_FRIENDS = "two_tower, friends known"
"""The row of the towers that are also told who somebody's friends are, and their demographics."""


def per_rung(per_user: pd.DataFrame, metric: str = "ndcg_10") -> pd.DataFrame:
    """Mean of a metric on each rung with a 95% interval over people: index given; columns mean, low, high."""
    found: dict[Any, dict[str, float]] = {}
    for rung, values in per_user.groupby("given")[metric]:
        low, high = bootstrap_interval(values.to_numpy(float))
        found[rung] = {"mean": float(values.mean()), "low": low, "high": high}
    return pd.DataFrame.from_dict(found, orient="index").rename_axis("given")


def ladder(results: Mapping[str, Path]) -> dict[str, pd.DataFrame]:
    """`per_rung` of each model from its results folder."""
    return {name: per_rung(read_parquet(folder / "per_user.parquet")) for name, folder in results.items()}


def introduce(experiment: Experiment, model: Any, folder: Path) -> pd.DataFrame:
    """Score the newcomers once more with what is known of them beside a history; kept as `introduced.parquet`.

    The same people, lists and measure as those of the model's own row: user_id, given, ndcg_10.
    """
    phase = experiment.settings.phases[-1]
    scorer: Scorer = experiment.scorers[phase]
    users = scorer.people
    known = acquaintance(experiment.data, experiment.seen[phase], users)
    ranking = scorer.rank_scores(lambda rows: model.fold_in(scorer.given.take(rows), known.take(rows)))
    table = pd.DataFrame({"user_id": users.astype(str), "given": scorer.rungs, "ndcg_10": scorer.ndcg_per_row(ranking)})
    write_parquet(folder / "introduced.parquet", table)
    return table


def draw_ladder(rows: Mapping[str, pd.DataFrame], title: str, path: Path) -> None:
    """NDCG@10 against the number of known items, one line per model, the towers' with its 95% interval; and where
    the towers stand when they know nothing but friends."""
    places = np.arange(len(RUNGS))
    with figure(path, "The cold-start ladder", title, width=9.5, height=5.6) as (axes,):
        for place, (name, values) in enumerate(rows.items()):
            values, look = values.reindex(RUNGS), style(place)
            if name == WITH_FRIENDS:
                bars = [[values["mean"][0] - values["low"][0]], [values["high"][0] - values["mean"][0]]]
                star = {"marker": "*", "markersize": 16, "linestyle": "", "capsize": 4, "color": TOWERS}
                axes.errorbar([0], [values["mean"][0]], yerr=bars, label=f"{name} (0 items)", **star)
            elif name == TwoTower.name:
                axes.plot(places, values["mean"], label=name, **look | {"linewidth": 3.5, "color": TOWERS})
                axes.fill_between(places, values["low"], values["high"], color=TOWERS, alpha=0.12, linewidth=0)
            else:
                axes.plot(places, values["mean"], label=name, **look)
        axes.set_xticks(places, [str(rung) for rung in RUNGS])
        axes.set(xlabel="Items known of a person whom no model has seen", ylim=(0, None))
        axes.set(ylabel="NDCG@10 (95% intervals of the towers')")
        legend(axes)


def ladder_text(rows: Mapping[str, pd.DataFrame]) -> str:
    """The ladder as a table for a terminal."""
    header = ["known items", *(str(rung) for rung in RUNGS)]
    cells = [[name, *(_cell(values, rung) for rung in RUNGS)] for name, values in rows.items()]
    lines = aligned([header, *cells], texts=1)
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def _cell(values: pd.DataFrame, rung: int) -> str:
    return f"{float(values['mean'][rung]):.4f}" if rung in values.index else "-"
