"""How good is a model? Fitted on what the select phase shows, measured on validation; test stays closed.

python -m examples.evaluate [data set] [model ...]
"""

import sys
from collections.abc import Sequence

from common.api import Music, load


def main(music: Music, models: Sequence[str] = ()) -> None:
    """Print NDCG@10, recall@20 and coverage@10 of some models."""
    for model in models or ("popularity", "item_knn", "als", "ensemble"):
        measured = music.fit(model).evaluate()
        shown = ("ndcg_10", "recall_20", "coverage_10")
        print(f"{model:<12}", "  ".join(f"{key} {measured[key]:.4f}" for key in shown))


if __name__ == "__main__":
    main(load(*sys.argv[1:2]), sys.argv[2:])
