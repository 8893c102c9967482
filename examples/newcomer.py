"""A new user: first nothing is known, then one liked item after another.

python -m examples.newcomer [data set] [liked item ...]
"""

import sys
from collections.abc import Sequence

from common import load_dataset, split
from common.data.dataset import Dataset
from common.models import Ensemble


def main(data: Dataset, liked: Sequence[str] = ()) -> None:
    """Print five recommendations without a history, and after each of the liked items."""
    model = Ensemble(seed=0).fit(split(data, data.protocol).train)
    liked = liked or model.recommend(histories=[[]])["item_id"].iloc[[2, 4]].tolist()
    for n in range(len(liked) + 1):
        print(f"\nknown: {', '.join(liked[:n]) or 'nothing'}")
        print(model.recommend(histories=[liked[:n]], k=5)[["rank", "name", "score"]].to_string(index=False))


if __name__ == "__main__":
    main(load_dataset((sys.argv[1:] or ["auto"])[0]), sys.argv[2:])
