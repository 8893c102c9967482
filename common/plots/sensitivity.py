"""The picture of the X-ray: where each model stands before every judge, and how alike the judges order them."""

from pathlib import Path

import numpy as np

from common.evaluation.sensitivity.agreement import kendall_tau
from common.evaluation.sensitivity.tables import PanelResults, orders
from common.evaluation.sensitivity.variants import K
from common.plots.style import figure, style


def draw(sittings: list[PanelResults], dataset: str, path: Path) -> Path:
    """Left: a row per judge, a mark per model. Right: Kendall's tau between the orders of every two judges."""
    found = orders(sittings)
    names = [name for name, _ in found]
    models = list(dict.fromkeys(model for _, means in found for model in means))
    with figure(
        path, "The same models before other judges", dataset, panels=2, width=8, height=2 + 0.42 * len(names)
    ) as (
        values,
        similarity,
    ):
        for place, model in enumerate(models):
            rows = [row for row, (_, means) in enumerate(found) if model in means]
            look = style(place) | {"linestyle": ""}
            apart = 0.4 * (place / max(1, len(models) - 1) - 0.5)  # marks at the same value stay visible
            values.plot(
                [found[row][1][model] for row in rows],
                [row + apart for row in rows],
                label=model,
                markersize=8,
                alpha=0.9,
                **look,
            )
        for row in range(1, len(names)):
            if names[row].split(",")[0] != names[row - 1].split(",")[0]:
                values.axhline(row - 0.5, color="grey", linewidth=1)
        values.set(xlabel=f"NDCG@{K}", xlim=(0, None), title="Where each model stands")
        values.set_yticks(range(len(names)), names)
        values.invert_yaxis()
        values.legend(loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=4, frameon=False, fontsize=11)
        taus = np.array([[kendall_tau(one, other) for _, other in found] for _, one in found])
        picture = similarity.imshow(taus, vmin=-1, vmax=1, cmap="RdBu", aspect="auto")
        for (row, column), tau in np.ndenumerate(taus):
            text = "" if np.isnan(tau) else f"{tau:.2f}"
            similarity.text(
                column, row, text, ha="center", va="center", fontsize=9, color="w" if abs(tau) > 0.6 else "k"
            )
        similarity.set_xticks(range(len(names)), names, rotation=60, ha="right", rotation_mode="anchor", fontsize=9)
        similarity.set_yticks(range(len(names)), [])
        similarity.grid(visible=False)
        similarity.set_title("Kendall's tau: 1 the same order, 0 unlike, -1 reversed")
        similarity.figure.colorbar(picture, ax=similarity, shrink=0.8)
    return path
