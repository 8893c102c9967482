"""A workspace in your own W&B project that compares the runs of one split.

It shows the runs of one data set and split whose test part was scored: leaderboard, accuracy against diversity, curves,
cost, cold start, lists, and a comparison of runs. Every key it names is one that runs write.
"""

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from common.evaluation.registry import axis, label, labels, title
from common.experiments import tracking
from common.experiments.flags import command, parse
from common.experiments.settings import DataSettings
from common.splits.protocols import N_GIVEN, PROTOCOLS
from common.splits.store import folder_name
from common.utils.errors import UserError, check_known

NDCG = label("ndcg_10")
ACCURACY = labels(("ndcg_10", "hr_10", "recall_20")) | {
    "ndcg_10_sampled99": f"{title('ndcg_10_sampled99')}: among 99 negatives (compares with nothing above)"
}
BEYOND = {key: axis(key) for key in ("ils_tag_10", "coverage_10", "novelty_10", "popularity_lift_10")}
"""Drawn against NDCG@10."""
CURVES = {
    "train/loss": "Training loss, select",
    "val/ndcg_10": f"{NDCG} on validation",
    "refit/loss": "Training loss, final",
    "train/learning_rate": "Learning rate",
}
COST = {key: title(key) for key in ("fit_seconds", "recommend_ms_per_user", "peak_rss_mb", "model_mb")}
UNSEEN = {key: f"{title(key)}, per held-out item" for key in ("hr_10_seen", "hr_10_unseen", "hr_10_unseen_content")}
COLUMNS = ("model", "preset", "seed", *ACCURACY, *BEYOND, *COST)
"""Of the table of runs."""
MOST = 40
"""Runs that a panel shows."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings(DataSettings):
    """Build a workspace that compares the runs of one data set and protocol in your own W&B project."""

    protocol: str = "listen"
    """Whose runs are compared: listen, listen-stratified, next, next-shuffled, newcomer, temporal, random-8020 or
    random-811."""
    entity: str = ""
    """Your W&B user or a team of yours; your default one if none is named."""

    def check(self) -> None:
        """Raise a UserError for the first flag that makes no sense."""
        super().check()
        check_known("protocol", PROTOCOLS, self.protocol)
        if not tracking.has_key():
            raise UserError("no W&B key is configured: run `wandb login`, or set WANDB_API_KEY, and start this again")


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Build the workspace and save it as a new view."""
    settings = parse(Settings, argv)
    data = settings.load_data()
    try:
        entity = settings.entity or os.environ.get("WANDB_ENTITY") or default_entity()
        saved = workspace(entity, data.name, settings.protocol, settings.split_seed).save_as_new_view()
        log.info("workspace: %s", saved.url)
    except Exception as error:  # whatever the libraries and the server make of it
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(
            f"W&B did not take the workspace ({reason}); check the network, the key (`wandb login --relogin`), and "
            f"that project {tracking.project()!r} has runs: it is made by the first run with --wandb online"
        ) from error


def default_entity() -> str:
    """The W&B user that the key belongs to."""
    import wandb

    if entity := wandb.Api(timeout=20).default_entity:
        return entity
    raise ValueError("the key belongs to no user; name one with --entity")


def workspace(entity: str, dataset: str, protocol: str, split_seed: int = 0) -> Any:
    """The workspace of one data set and split, not saved yet."""
    import wandb_workspaces.workspaces as ws

    return ws.Workspace(
        entity=entity,
        project=tracking.project(),
        name=f"Encore: {dataset}, {folder_name(protocol, split_seed)}",
        sections=[ws.Section(name=name, panels=panels, is_open=True) for name, panels in sections(protocol).items()],
        settings=ws.WorkspaceSettings(max_runs=MOST),
        runset_settings=runs(dataset, protocol, split_seed),
    )


def runs(dataset: str, protocol: str, split_seed: int) -> Any:
    """The table of runs, best NDCG@10 first: those of one split that have scored test, so that no two parts mix."""
    import wandb_workspaces.expr as ex
    import wandb_workspaces.workspaces as ws

    filters = {"dataset": dataset, "protocol": protocol, "split_seed": split_seed}
    return ws.RunsetSettings(
        filters=ex.And(*(ex.Config(key) == value for key, value in filters.items()), ex.Summary("phase") == "final"),
        order=[ex.Ordering(ex.Summary("ndcg_10"), ascending=False)],
        pinned_columns=[f"summary:{key}" for key in COLUMNS],
    )


def sections(protocol: str) -> dict[str, list[Any]]:
    """The panels of each section."""
    import wandb_workspaces.reports.v2 as wr

    return {
        "Leaderboard": bars(ACCURACY),
        "Accuracy against diversity": [
            wr.ScatterPlot(x=wr.SummaryMetric("ndcg_10"), y=wr.SummaryMetric(key), title=f"{name} against {NDCG}")
            for key, name in BEYOND.items()
        ],
        "Curves": [wr.LinePlot(x="epoch", y=[key], title=title, title_x="epoch") for key, title in CURVES.items()],
        "Cost": [
            *bars(COST),
            wr.ScatterPlot(
                x=wr.SummaryMetric("fit_seconds"),
                y=wr.SummaryMetric("ndcg_10"),
                log_x=True,
                title=f"{NDCG} against seconds to fit",
            ),
        ],
        "Cold start": cold_start(protocol),
        "Lists and figures": [
            wr.WeavePanelSummaryTable(table_name="tables/top10"),
            wr.MediaBrowser(title="Accuracy by length of the list", media_keys=["figures/accuracy_by_k"]),
        ],
        "Runs compared": [wr.RunComparer(diff_only="split")],
    }


def bars(titles: dict[str, str]) -> list[Any]:
    """A bar for each run, a panel for each key."""
    import wandb_workspaces.reports.v2 as wr

    return [
        wr.BarPlot(metrics=[key], title=title, max_runs_to_show=MOST, max_bars_to_show=MOST)
        for key, title in titles.items()
    ]


def cold_start(protocol: str) -> list[Any]:
    """Items that training never saw; on `newcomer` users, by how many of their items were given."""
    if protocol == "newcomer":
        return bars({f"ndcg_10_given{number}": f"{NDCG} of newcomers, {number} items given" for number in N_GIVEN})
    return bars(UNSEEN)
