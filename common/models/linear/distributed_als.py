"""The item factors of ALS by several processes, of which each holds the pairs of its own users and of its own items.

Given the factors of the items, each user is solved alone, and each item given those of the users. So a process solves
its own users, then its own items, and after each half step all of them tell one another what they have found. The
solver, the random start and the order of a row's pairs are those of `als.py` in one process, and so are the factors.
"""

import numpy as np
from scipy import sparse

from common.models.linear.als import ALS, one_blas_thread
from common.splits.histories import cuts_of
from common.splits.shards import shard
from common.splits.train_view import TrainView
from common.utils import distributed as parallel
from common.utils.memory import require


def item_factors(model: ALS, train: TrainView) -> np.ndarray:
    """What `fit` would find for the items, float32 (n_items, factors), in every process; all call this together.

    Each of them holds the factors of all users and items, and of the pairs its part twice, 8 bytes each: by user and by
    item. Raises a UserError where the factors do not fit into its memory.
    """
    require(model.name, *model.needed_memory(train))
    histories, factors, rng = shard(train.histories), model.settings.factors, np.random.default_rng(model.seed)
    own_users = histories.own_users
    items = cuts_of(np.concatenate([[0], np.cumsum(train.counts)]), parallel.world())
    own_items = slice(*items[parallel.rank() : parallel.rank() + 2])
    by_user = model.confidences(histories.own)
    by_item = _exchanged(by_user, items)
    with one_blas_thread() as implicit:
        library = model.new_model(implicit)
        of_users, of_items = (0.01 * rng.random((n, factors), np.float32) for n in (train.n_users, train.n_items))
        halves = ((by_user, own_users, of_users, of_items), (by_item, own_items, of_items, of_users))
        for _ in range(model.settings.iterations):
            for pairs, own, solved, given in halves:
                mine = solved[own]
                library.solver(pairs, mine, given, library.regularization, num_threads=library.num_threads)
                solved[:] = parallel.gathered(mine.ravel()).reshape(solved.shape)
    return of_items


def _exchanged(by_user: sparse.csr_matrix, cuts: np.ndarray) -> sparse.csr_matrix:
    """From each process's pairs, (own users, n_items), those of this process's items, (own items, n_users).

    cuts: int64 (world + 1,), the first item of each process. A row's users rise. The pairs of one process's items after
    the other's are passed round, and kept by it alone.
    """
    columns = by_user.T.tocsr()
    found: list[sparse.csr_matrix] = []
    n_users = parallel.gathered(np.array([by_user.shape[0]]))
    for owner in range(parallel.world()):
        part = columns[cuts[owner] : cuts[owner + 1]]
        lengths, indices, data = map(parallel.gathered, (np.diff(part.indptr), part.indices, part.data))
        if owner == parallel.rank():
            of_each = np.split(lengths, parallel.world())
            places = np.cumsum([own.sum() for own in of_each])[:-1]
            for own, codes, values, n in zip(
                of_each, np.split(indices, places), np.split(data, places), n_users.tolist(), strict=True
            ):
                starts = np.concatenate([[0], np.cumsum(own)])
                found.append(sparse.csr_matrix((values, codes, starts), shape=(len(own), n)))
    return sparse.hstack(found, format="csr")
