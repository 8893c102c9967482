"""The rows of one process: of several that train together, each reads the histories of its own users alone.

Users are cut into consecutive parts of nearly as many events. What every process holds is small: where each history
begins (8 bytes a user), the counts of items, and the tables of users and items. `Shard` looks like the histories of
all users, but raises where rows of another process are read.
"""

import io
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, cast

import numpy as np
import pandas as pd

from common.splits.histories import Histories
from common.splits.mapped.visible import StoredInteractions
from common.splits.train_view import TrainView
from common.utils import distributed as parallel
from common.utils.arrays import counts_of


class OthersRowsError(RuntimeError):
    """A process has asked for rows of another one."""


class OwnValues:
    """A flat array over all events, of which some consecutive ones are there; the others raise `OthersRowsError`."""

    def __init__(self, own: np.ndarray, start: int, n: int) -> None:
        self._own, self._start, self._n = own, start, n
        self.dtype = own.dtype

    def __len__(self) -> int:
        """Number of all events."""
        return self._n

    def __getitem__(self, places: Any) -> Any:
        """Values at a slice or at places, int (n,), among all events."""
        if isinstance(places, slice):
            first, end, step = places.indices(self._n)
            self._check(np.arange(first, end, step)[[0, -1]] if first < end else np.zeros(0, np.int64))
            return self._own[max(0, first - self._start) : max(0, end - self._start) : step]
        places = np.asarray(places)
        self._check(places)
        return self._own[places - self._start]

    def _check(self, places: np.ndarray) -> None:
        end = self._start + len(self._own)
        if places.size and not (self._start <= places.min() and places.max() < end):
            raise OthersRowsError(
                f"process {parallel.rank()} holds events {self._start} to {end} and was asked for "
                f"{int(places.min())} to {int(places.max()) + 1}"
            )

    def __array__(self, *_: Any, **__: Any) -> np.ndarray:
        """Refuse what would read all of it."""
        raise OthersRowsError(f"process {parallel.rank()} holds {len(self._own)} of {self._n} events, not all of them")


@dataclass(frozen=True)
class Shard(Histories):
    """Histories of all users of which only those from `first_user` to before `end_user` can be read."""

    first_user: int = 0
    end_user: int = 0

    @cached_property
    def own(self) -> Histories:
        """The histories of the own users, from row 0; arrays that are mapped stay so."""
        events = slice(int(self.indptr[self.first_user]), int(self.indptr[self.end_user]))
        times = None if self.timestamps is None else self.timestamps[events]
        indptr = self.indptr[self.first_user : self.end_user + 1] - self.indptr[self.first_user]
        return Histories(indptr, self.items[events], self.weights[events], self.n_items, times)

    @property
    def own_users(self) -> slice:
        """The users of `own`."""
        return slice(self.first_user, self.end_user)


def shard(histories: Histories) -> Histories:
    """The histories as this process may read them: all of them where it is alone."""
    if parallel.world() == 1 or isinstance(histories, Shard):
        return histories
    return shard_of(histories, parallel.rank(), parallel.world())


def shard_of(histories: Histories, rank: int, world: int) -> Shard:
    """The part of one of `world` processes."""
    first, end = (int(user) for user in histories.cuts(world)[rank : rank + 2])
    events = slice(int(histories.indptr[first]), int(histories.indptr[end]))
    times = None if histories.timestamps is None else histories.timestamps[events]
    own = Histories(histories.indptr, histories.items[events], histories.weights[events], histories.n_items, times)
    return _guarded(own, first, end)


def _guarded(own: Histories, first: int, end: int) -> Shard:
    """A shard from the values of its own events and where the histories of all users begin."""
    start, n = int(own.indptr[first]), int(own.indptr[-1])

    def guard(values: np.ndarray) -> np.ndarray:
        return cast(np.ndarray, OwnValues(values, start, n))

    times = None if own.timestamps is None else guard(own.timestamps)
    return Shard(own.indptr, guard(own.items), guard(own.weights), own.n_items, times, first, end)


def skip(rng: np.random.Generator, n: int) -> None:
    """Go on as if n numbers of [0, 1) had been drawn one by one."""
    if n:
        cast(Any, rng.bit_generator).advance(n)


def draw_of_own(histories: Histories, rng: np.random.Generator) -> np.ndarray:
    """A number of [0, 1) for each own event, float64 (events,): those that one process would draw for them."""
    first, end = (int(histories.indptr[user]) for user in (histories.own_users.start, histories.own_users.stop))
    skip(rng, first)
    drawn = rng.random(end - first)
    skip(rng, len(histories.items) - end)
    return drawn


def shared_view(load: Callable[[], TrainView], is_mapped: bool) -> TrainView:
    """The train view of which each process reads its own rows; all of them call this together.

    The first process scores models, too: its view reads anybody's rows. Where the data are mapped, each process maps
    them and counts its own rows; tables are read by the first process alone, which sends the others theirs.
    """
    return _mapped(load) if is_mapped else _sent(load)


def _mapped(load: Callable[[], TrainView]) -> TrainView:
    with parallel.main_first():
        view = load()
    assert view.stored is not None
    own = shard(view.stored)
    listeners = parallel.summed(counts_of(own.own.items, view.n_items))
    if parallel.is_main():
        return replace(view, listeners=listeners)
    return replace(view, interactions=_as_table(own), stored=own, listeners=listeners)


def _sent(load: Callable[[], TrainView]) -> TrainView:
    view = load() if parallel.is_main() else None
    about = parallel.of_main(lambda: _packed(cast(TrainView, view)))
    events = {} if view is None else _events_of(view.histories)
    starts = about["indptr"]
    cuts = Histories(starts, starts, starts, 0).cuts(parallel.world())
    events = parallel.part_of_main(events, starts[cuts])
    if view is not None:
        return view
    first, end = (int(user) for user in cuts[parallel.rank() : parallel.rank() + 2])
    items = _table(about["items"])
    own = Histories(starts, events["items"], events["weights"], len(items), events.get("timestamps"))
    histories = _guarded(own, first, end)
    return TrainView(
        **json.loads(about["about"].tobytes()),
        items=items,
        users=_table(about["users"]),
        interactions=_as_table(histories),
        stored=histories,
        listeners=about["listeners"],
    )


def _packed(view: TrainView) -> dict[str, np.ndarray]:
    """What all processes hold of a view, as arrays: no interactions, and the tables of users and items."""
    about = {name: getattr(view, name) for name in ("dataset", "protocol", "phase", "split_sha256", "count_floor")}
    return {
        "about": np.frombuffer(json.dumps(about).encode(), np.uint8),
        "indptr": view.histories.indptr,
        "listeners": view.counts,
        "items": _bytes_of(view.items),
        "users": _bytes_of(view.users),
    }


def _events_of(histories: Histories) -> dict[str, np.ndarray]:
    times = {} if histories.timestamps is None else {"timestamps": histories.timestamps}
    return {"items": histories.items, "weights": histories.weights} | times


def _bytes_of(table: pd.DataFrame) -> np.ndarray:
    """A table as the bytes of a Parquet file, uint8 (n,)."""
    return np.frombuffer(table.to_parquet(index=False), np.uint8)


def _table(content: np.ndarray) -> pd.DataFrame:
    return pd.read_parquet(io.BytesIO(content.tobytes()))


def _as_table(histories: Histories) -> pd.DataFrame:
    return cast(pd.DataFrame, StoredInteractions(histories))
