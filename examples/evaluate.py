"""How good is a model? Fitted on train, evaluated on validation; test stays closed.

python -m examples.evaluate [data set] [model ...]
"""

import sys
from collections.abc import Sequence

from common import evaluate, load_dataset, split
from common.data.dataset import Dataset
from common.experiments.presets import preset_values
from common.models.registry import MODELS


def main(data: Dataset, models: Sequence[str] = ()) -> None:
    """Print NDCG@10, recall@20 and coverage@10 of some models with tuned settings."""
    task = split(data, data.protocol)
    for name in models or ("popularity", "item_knn", "als", "ensemble"):
        kind = MODELS[name]
        tuned = preset_values("tuned", data.presets, data.protocol, name, kind.Settings)
        metrics = evaluate(kind(tuned).fit(task.train, validation=task.valid), task.valid).metrics
        print(f"{name:<12}", "  ".join(f"{key} {metrics[key]:.4f}" for key in ("ndcg_10", "recall_20", "coverage_10")))


if __name__ == "__main__":
    main(load_dataset((sys.argv[1:] or ["auto"])[0]), sys.argv[2:])
