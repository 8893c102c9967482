"""What a search on validation found: which settings matter, how it went, and what the ensemble's weights do."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from common.plots.style import PALETTE, figure, percent_axis, style


def search(importance: Mapping[str, float], values: Sequence[float], n_pruned: int, title: str, path: Path) -> None:
    """Left what each setting explains, right the value of each trial with one and the best so far."""
    with figure(path, "What tuning found", title, panels=2, height=5.2, width=6.6) as (bars, progress):
        names, shares = list(importance)[::-1], list(importance.values())[::-1]
        bars.barh([name.replace("_", " ") for name in names], shares, color=PALETTE[0])
        bars.set(xlabel="Share of the variance of NDCG@10 (fANOVA)", xlim=(0, 1))
        percent_axis(bars.xaxis)
        numbers = np.arange(1, len(values) + 1)
        progress.scatter(numbers, values, color=PALETTE[7], s=28, label="trial")
        progress.plot(
            numbers,
            np.maximum.accumulate(values),
            color=PALETTE[3],
            linewidth=2,
            drawstyle="steps-post",
            label="best so far",
        )
        shorter = f" ({n_pruned} more cut short)" if n_pruned else ""
        progress.set(xlabel=f"Trial{shorter}", ylabel="NDCG@10 on validation")
        progress.xaxis.get_major_locator().set_params(integer=True)
        progress.legend(loc="lower right")


def best_by_budget(found: Mapping[str, tuple[np.ndarray, np.ndarray]], title: str, path: Path) -> None:
    """The best NDCG@10 on validation so far of each model's search, by the CPU seconds that its trials had taken.

    A line ends where its search did.

    found: seconds and best values after each trial, float (trials,) each, by model.
    """
    with figure(path, "Best so far", title, width=8.4, height=5) as (panel,):
        for place, (model, (seconds, best)) in enumerate(found.items()):
            look = style(place) | {"linewidth": 2, "markersize": 5}
            panel.plot(seconds, best, drawstyle="steps-post", label=model, **look)
        panel.set(xlabel="CPU seconds of all trials so far", ylabel="Best NDCG@10 on validation", xlim=(0, None))
        panel.legend(loc="lower right")


def selection_on_test(
    trials: Mapping[str, tuple[np.ndarray, np.ndarray]],
    excess: Mapping[str, Sequence[float]],
    title: str,
    path: Path,
) -> None:
    """Left the trials of each model by what they reach on both parts, right what choosing on test claims in excess.

    trials: NDCG@10 on validation and on test, float (trials,) each, by model. excess: expected excess of the best test
    figure among 1, 2, ... trials over the test figure of the one that validation chooses, by model.
    """
    with figure(path, "Choosing on test", title, panels=2, width=6.4, height=5) as (both, growth):
        for place, (model, (valid, test)) in enumerate(trials.items()):
            look = style(place)
            both.scatter(valid, test, color=look["color"], marker=look["marker"], s=26, alpha=0.6, label=model)
            for choice in {int(np.argmax(valid)), int(np.argmax(test))}:
                both.scatter(valid[choice], test[choice], s=150, facecolors="none", edgecolors=look["color"])
            numbers = np.arange(1, len(excess[model]) + 1)
            growth.plot(numbers, excess[model], label=model, **look | {"markersize": 4, "linewidth": 2})
        both.set(xlabel="NDCG@10 on validation", ylabel="NDCG@10 on test")
        both.legend(loc="upper left", title="circled: best on either part")
        growth.set(xlabel="Trials", ylabel="Expected excess in NDCG@10", xlim=(1, None), ylim=(0, None))
        growth.xaxis.get_major_locator().set_params(integer=True)


def ensemble_weights(table: pd.DataFrame, chosen: Mapping[str, tuple[float, float]], title: str, path: Path) -> None:
    """NDCG@10 of every mixture of ALS and content, popularity being the rest, and the chosen one, for each length.

    `table` has the columns als, content and one per length of history; `chosen` the weights of ALS and content.
    """
    with figure(path, "What the ensemble's weights do", title, panels=3, rows=2, width=5) as axes:
        for panel, (n_given, (als, content)) in zip(axes, chosen.items(), strict=False):
            dots = panel.scatter(table["als"], table["content"], c=table[n_given], cmap="viridis", s=90)
            panel.plot(als, content, marker="*", color=PALETTE[3], markersize=18, markeredgecolor="white")
            panel.set(
                title=f"{n_given} known item{'' if n_given == '1' else 's'}",
                xlabel="Weight of ALS",
                ylabel="Weight of content",
            )
            panel.set(xlim=(-0.08, 1.08), ylim=(-0.08, 1.08))
            panel.figure.colorbar(dots, ax=panel, label="NDCG@10")
