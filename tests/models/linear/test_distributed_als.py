"""ALS of several processes, each with the pairs of its own users: the factors are those of one, bit for bit."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from common.models.linear.als import ALS, ALSSettings
from common.models.linear.distributed_als import item_factors
from common.splits.shards import shard
from common.utils import distributed as parallel
from common.utils import memory
from common.utils.errors import UserError
from tests.conftest import ROOT
from tests.models.contract_tests import block_visible

SETTINGS = ALSSettings(factors=8, iterations=4, weighting="log")


def main(folder: Path) -> None:
    """What each process runs: the first one has a view of all rows, the others one of their own."""
    view = block_visible(folder / f"blocks{os.environ['RANK']}")
    with parallel.group("cpu"):
        if not parallel.is_main():
            view = replace(view, listeners=view.counts, stored=shard(view.histories))
        np.save(folder / f"rank{parallel.rank()}.npy", item_factors(ALS(SETTINGS, seed=3), view))


@pytest.mark.thorough
def test_three_processes_find_what_one_finds(tmp_path):
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "3"]
    command += ["--rdzv-backend", "c10d", "--rdzv-endpoint", "localhost:0", "--local-addr", "localhost"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    words = [*command, "-m", "tests.models.linear.test_distributed_als", str(tmp_path)]
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    alone = ALS(SETTINGS, seed=3).fit(block_visible(tmp_path / "blocks")).item_factors
    for rank in range(3):
        np.testing.assert_array_equal(np.load(tmp_path / f"rank{rank}.npy"), alone)


def test_factors_too_large_for_a_process_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "_given", 1000)
    with pytest.raises(UserError, match=r"als .* lower --als.factors"):
        item_factors(ALS(SETTINGS), block_visible(tmp_path))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
