"""Figures that compare the models of a leaderboard, drawn from what their runs wrote."""

import logging
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from common.evaluation import metrics
from common.evaluation.measures import hits_from_ranks
from common.evaluation.ranking import DEPTH
from common.figures import PALETTE, figure, plain_log_axis, times_axis
from common.files import read_parquet

log = logging.getLogger(__name__)
NEEDED = ("metrics.json", "per_user.parquet", "targets.parquet")
MARKERS = "osD^vPX*<>hd"


def run_folders(folder: Path, rows: pd.DataFrame) -> dict[str, Path]:
    """Folder of the first seed's results of each leaderboard row, all on one part of the split.

    Test, if every row has opened it, else validation for all: a figure never mixes the two.
    """
    found: dict[str, Path] = {}
    for part in ("test", "valid"):
        found = {label(row): path for _, row in rows.iterrows() if (path := _first(folder, row, part))}
        if len(found) == len(rows):
            break
    return found


def _first(folder: Path, row: pd.Series, part: str) -> Path | None:
    results = sorted((folder / row["model"] / row["preset"]).glob(f"seed*/{part}"))
    return next((result for result in results if all((result / name).exists() for name in NEEDED)), None)


def on_part(title: str, results: dict[str, Path]) -> str:
    """A title that says which part of the split its figures come from."""
    return f"{title}, {'test' if next(iter(results.values())).name == 'test' else 'validation'}"


def label(row: pd.Series) -> str:
    """How a row is called in a legend."""
    return row["model"] if row["preset"] == "tuned" else f"{row['model']} ({row['preset']})"


def draw_comparison(folder: Path, rows: pd.DataFrame, title: str) -> list[Path]:
    """Metrics against the cut-off, accuracy against diversity, and popularity, for all rows of a leaderboard."""
    rows = rows[rows["model"] != "random"] if (rows["model"] != "random").any() else rows
    results = run_folders(folder, rows)
    if not results:
        return []
    title = on_part(title, results)
    paths = [folder / "figures" / name for name in ("metrics_by_k.png", "accuracy_diversity.png", "popularity.png")]
    draw_curves(results, title, paths[0])
    draw_accuracy_against_diversity(folder, rows, title, paths[1])
    draw_popularity(results, title, paths[2])
    return paths


def draw_accuracy(folder: Path, parts: Iterable[str], title: str) -> Path:
    """One run's NDCG and recall against k, on each part of the split that it was scored on."""
    draw_curves({part: folder / part for part in parts}, title, folder / "figures" / "accuracy_by_k.png")
    return folder / "figures" / "accuracy_by_k.png"


def curves(targets: pd.DataFrame) -> dict[str, np.ndarray]:
    """NDCG@k and recall@k for k = 1..DEPTH from a run's targets, float (DEPTH,) each."""
    keys = ["user_id", "given"] if "given" in targets else ["user_id"]
    rows = targets.groupby(keys, sort=False, observed=True).ngroup().to_numpy()
    hits, n_hidden = hits_from_ranks(rows, targets["rank"].to_numpy(), rows.max() + 1, DEPTH)
    cutoffs = range(1, DEPTH + 1)
    return {
        "NDCG@k": np.array([metrics.ndcg(hits, n_hidden, k).mean() for k in cutoffs]),
        "Recall@k": np.array([metrics.recall(hits, n_hidden, k).mean() for k in cutoffs]),
    }


def draw_curves(results: dict[str, Path], title: str, path: Path) -> None:
    """NDCG and recall against k, one line per model."""
    with figure(path, "Accuracy by length of the list", title, panels=2) as axes:
        for place, (name, run) in enumerate(results.items()):
            for panel, (metric, values) in zip(
                axes, curves(read_parquet(run / "targets.parquet")).items(), strict=True
            ):
                panel.plot(np.arange(1, DEPTH + 1), values, label=name, **style(place), markevery=[0, 4, 9, 19, 49, 99])
                panel.set(xlabel="k, length of the list", ylabel=metric, xscale="log")
        for panel in axes:
            plain_log_axis(panel.xaxis)
        legend(axes[0])


def draw_accuracy_against_diversity(folder: Path, rows: pd.DataFrame, title: str, path: Path) -> None:
    """NDCG@10 against coverage and against the likeness inside a list."""
    measured = {
        name: pd.Series(pd.read_json(run / "metrics.json", typ="series"))
        for name, run in run_folders(folder, rows).items()
    }
    similarity = next((key for key in ("ils_tag_10", "ils_genre_10") if key in next(iter(measured.values()))), None)
    panels = {"coverage_10": "Coverage@10 (share of the catalogue shown to anybody)"}
    if similarity:
        panels[similarity] = f"Likeness inside the top 10 (mean cosine of {similarity.split('_')[1]}s)"
    with figure(path, "Accuracy against diversity", title, panels=len(panels)) as axes:
        for panel, (key, text) in zip(axes, panels.items(), strict=True):
            for place, (name, values) in enumerate(measured.items()):
                panel.plot(
                    values[key], values["ndcg_10"], label=name, markersize=11, **(style(place) | {"linestyle": ""})
                )
            panel.set(xlabel=text, ylabel="NDCG@10")
        legend(axes[0])


def draw_popularity(results: dict[str, Path], title: str, path: Path) -> None:
    """How much more popular the recommended items are than those of the history, per model."""
    lifts = {
        name: read_parquet(run / "per_user.parquet")["popularity_lift_10"].dropna() + 1 for name, run in results.items()
    }
    with figure(path, "How popular the recommended is, beside the consumed", title, width=10) as (axes,):
        axes.boxplot(
            [np.maximum(v, 1e-3) for v in lifts.values()],
            orientation="horizontal",
            showfliers=False,
            tick_labels=list(lifts),
            medianprops={"color": "black"},
            patch_artist=True,
            boxprops={"facecolor": PALETTE[0]},
        )
        axes.axvline(1, color="grey", linestyle="--")
        axes.set(
            xlabel="Mean listeners of the top 10 / of the history (box: half of the users)",
            xscale="log",
        )
        axes.invert_yaxis()
        times_axis(axes.xaxis)


def style(place: int) -> dict:
    """Colour and marker of the n-th model: told apart without colour, too."""
    line = ("-", "--", ":")[place // len(PALETTE) % 3]
    return {"color": PALETTE[place % len(PALETTE)], "marker": MARKERS[place % len(MARKERS)], "linestyle": line}


def legend(axes: Axes) -> None:
    """A legend beside the last panel, where it covers nothing."""
    handles, labels = axes.get_legend_handles_labels()
    axes.figure.legend(handles, labels, loc="outside right center", frameon=False)
