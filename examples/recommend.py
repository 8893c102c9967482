"""What should a user of the data listen to next, and why?

python -m examples.recommend [data set] [user id]
"""

import sys

import numpy as np

from common import load_dataset, rerank, split
from common.data.dataset import Dataset
from common.models import Ensemble


def main(data: Dataset, user_id: str = "") -> None:
    """Print ten recommendations, one version of each track, with the items of the history that speak for them."""
    train = split(data, data.protocol).train
    model = Ensemble(seed=0).fit(train)
    user = train.user_code(user_id or train.users["user_id"].iloc[0])
    table = rerank(model.recommend([train.users["user_id"].iloc[user]], k=100), train, 10, one_version=True)
    items = [train.item_code(item) for item in table["item_id"]]
    explained = model.explain_list(train.histories.take(np.array([user])), items, user)
    for item, why in zip(items, explained, strict=True):
        parts = ", ".join(f"{part} {value:.2f}" for part, value in why.parts.items())
        reasons = ", ".join(f"{train.labels[near]} {value:+.3f}" for near, value in why.strongest(3))
        print(f"{why.score:.2f}  {train.labels[item]}  [{parts}]  because of {reasons}")


if __name__ == "__main__":
    main(load_dataset((sys.argv[1:] or ["auto"])[0]), *sys.argv[2:3])
