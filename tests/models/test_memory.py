"""What models need of memory is reckoned before they begin: refused with the figure and a flag that lowers it."""

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest

from common.models.registry import MODELS
from common.splits.train_view import TrainView
from common.utils import memory
from common.utils.errors import UserError

GB = 10**9
FLAG = re.compile(r"--([a-z-]+)\.([a-z0-9-]+)")
LARGER: dict[str, list[tuple[dict[str, Any], str]]] = {
    "sasrec": [({}, "width"), ({"batch": 65_536, "length": 10_000}, "batch or --sasrec.length")],
    "two_tower": [
        ({}, "width"),
        ({"batch": 8192, "hidden": 16_384, "negatives": 10**6}, "batch, --two-tower.hidden or --two-tower.negatives"),
        ({"tags": 4096, "width": 2}, "tags and --two-tower.names"),
    ],
    "lightgcn": [({}, "width"), ({"width": 2048, "layers": 16}, "layers or --lightgcn.width")],
    "hybrid_listnet": [
        ({"negatives": 10_000}, "negatives or --hybrid-listnet.top"),
        ({"width": 4096}, "width"),
        ({"batch": 65_536, "hidden": (16_384,) * 3}, "batch or --hybrid-listnet.hidden"),
    ],
    "forest": [
        ({"trees": 10_000, "leaf": 1}, "trees or raise --forest.leaf"),
        ({"negatives": 10_000, "trees": 1, "leaf": 1000}, "negatives or --forest.top"),
    ],
    "hist_gradient": [({"negatives": 10_000}, "negatives or --hist-gradient.top")],
}
"""Settings that are too large by far, and the flag that lowers what they need most of."""


def view(n_users: int, n_items: int, length: int) -> TrainView:
    """A view of such a size, of which nothing is known but who has what."""
    rng = np.random.default_rng(0)
    rows = {"user": np.repeat(np.arange(n_users), length), "item": rng.integers(0, n_items, n_users * length)}
    interactions = pd.DataFrame(rows).astype(np.int32).assign(weight=1.0)
    tags = pd.DataFrame({"item": [0, 1], "tag": ["a", "b"], "weight": 1.0})
    return TrainView(
        *("large", "listen", "final", ""),
        count_floor=1,
        items=pd.DataFrame({"item_id": np.zeros(n_items, np.int8)}),
        users=pd.DataFrame({"user_id": np.zeros(n_users, np.int8)}),
        interactions=interactions,
        item_tags=tags,
    )


@pytest.fixture(scope="module")
def large() -> TrainView:
    return view(20_000, 2_000_000, 5)


@pytest.mark.parametrize(
    ("name", "changes", "flag"),
    [pytest.param(name, *case, id=f"{name}-{case[1].split()[0]}") for name, cases in LARGER.items() for case in cases],
)
def test_what_does_not_fit_is_refused_with_the_flag_that_lowers_it(name, changes: dict[str, Any], flag, large):
    memory.use("1GB")
    prefix = f"--{name.replace('_', '-')}"
    expected = rf"{name} needs about [\d.,]+ [GT]B of memory and may take 1 GB; lower {re.escape(f'{prefix}.{flag}')},"
    train = (
        large if flag in ("width", "tags and --two-tower.names") and name != "hybrid_listnet" else view(2000, 3000, 50)
    )
    with pytest.raises(UserError, match=expected) as refused:
        MODELS[name](**changes).fit(train)
    for of_model, setting in FLAG.findall(str(refused.value)):
        assert hasattr(MODELS[of_model.replace("-", "_")].Settings(), setting.replace("-", "_"))


@pytest.mark.parametrize("name", ["forest", "hist_gradient", "hybrid_listnet", "ensemble"])
def test_what_is_made_of_models_that_do_not_fit_does_not_fit_either(name):
    memory.use("1GB")
    with pytest.raises(UserError, match=rf"{name} needs about [\d.]+ GB of memory and may take 1 GB; leave "):
        MODELS[name]().fit(view(60_000, 250_000, 2))


@pytest.mark.parametrize("name", sorted(MODELS))
def test_data_of_the_size_of_lastfm_fit_into_a_small_machine(name):
    memory.use("6GB")
    needed, _ = MODELS[name]().needed_memory(view(1892, 17_632, 40))
    assert needed < 5 * GB


@pytest.mark.parametrize("name", ["sasrec", "two_tower", "hybrid_listnet"])
def test_what_a_card_holds_is_not_asked_of_the_machine(name, large):
    train, kind = view(2000, 3000, 50), MODELS[name]
    on_card = kind(batch=4096, device="cuda").needed_memory(train)[0]
    assert on_card < kind(batch=4096).needed_memory(train)[0] / 1.2


def test_more_of_anything_needs_more():
    small, wide = (MODELS["sasrec"](width=width).needed_memory(view(50, 10**6, 5))[0] for width in (64, 256))
    assert wide > 2 * small
    memory.use("100MB")
    assert MODELS["sasrec"]().needed_memory(view(50, 10**5, 5))[0] < 3 * GB, "scores follow the memory there is"
