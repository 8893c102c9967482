"""Training speed of the towers on generated histories of any size: examples (histories) per second.

    python -m benchmarks.two_tower_speed --users 1000000 --items 1000000 --device cuda
    python -m benchmarks.two_tower_speed --users 20000 --items 20000 --device cpu

Histories of 20 items, drawn by a Zipf law; 64 features per item; width 64, hidden 256, batches of 4,096 histories,
8,192 uniform negatives. One epoch through the shared training loop, in bfloat16 on a card and in float32 on a CPU.
Features, histories and weights are on the device or in memory before the clock starts; the making of batches counts.
"""

import argparse

import numpy as np

from common.models.neural.base import seeded
from common.models.neural.two_tower.batches import PooledBatches
from common.models.neural.two_tower.model import TwoTowerSettings
from common.models.neural.two_tower.network import Towers
from common.splits.histories import Histories
from common.training.precision import precision_of
from common.training.trainer import Trainer
from common.utils.device import choose_torch_device

LENGTH, FEATURES = 20, 64


def make_histories(users: int, items: int, rng: np.random.Generator) -> Histories:
    """Histories of LENGTH items by a Zipf law over shuffled codes; an item may come twice."""
    chances = 1 / (np.arange(items) + 10.0)
    drawn = np.searchsorted(np.cumsum(chances / chances.sum()), rng.random(users * LENGTH)).clip(max=items - 1)
    codes = rng.permutation(items)[drawn].astype(np.int32)
    indptr = np.arange(users + 1, dtype=np.int64) * LENGTH
    return Histories(indptr, codes, np.ones(len(codes), np.float32), items)


def main() -> None:
    """Make the data, train an epoch, print."""
    reader = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    reader.add_argument("--users", type=int, default=1_000_000)
    reader.add_argument("--items", type=int, default=1_000_000)
    reader.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    reader.add_argument("--batch", type=int, default=4096)
    flags = reader.parse_args()
    rng, device = np.random.default_rng(0), choose_torch_device(flags.device)
    settings = TwoTowerSettings(
        epochs=1, batch=flags.batch, width=64, hidden=256, negatives=8192, normalise=False, temperature=1.0, warmup=0.0
    )
    histories = make_histories(flags.users, flags.items, rng)
    features = rng.standard_normal((flags.items, FEATURES), np.float32)
    heard = np.bincount(histories.items, minlength=flags.items) > 0
    with seeded(0, device.name):
        towers = Towers(features, heard, np.zeros((flags.users, 0), np.float32), settings).to(device.name)
        batches = PooledBatches(histories, "complete", 0.5, 1, settings.batch, settings.negatives, 0)
        chosen = Trainer(towers, batches, settings, device=device.name).run()
    costs = {name: round(value, 1) for name, value in chosen.costs.items()}
    print(f"{flags.users:,} users x {flags.items:,} items, {device.name} ({device.reason})")
    print(f"{precision_of(device.name, settings.precision)}, loss {chosen.curves['train/loss'][0]:.3f}, {costs}")


if __name__ == "__main__":
    main()
