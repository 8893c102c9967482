"""Lists that were shown, interleaved or not, and what was done with their items."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import bindparam, delete, func, select

from common.serving.store.database import Database
from common.serving.store.tables import clicks, impression_items, impressions
from common.utils.errors import UserError, check_known, short

KINDS = ("impression", "click", "like", "dislike")
"""What can be done with an item of a list: it was seen, opened, liked or disliked."""
VOTES = {"click": True, "like": True, "dislike": False}
"""Whether the newest of these on an item speaks for the ranker that gave it."""


class Shown(NamedTuple):
    """One list of an experiment: who saw it, its (item id, team) by place, and the ids of items that won a vote."""

    request_id: str
    session: str
    picks: list[tuple[str, str]]
    clicked: set[str]


class Impressions:
    """The tables of lists that were shown and of clicks on them. What is added is on disk when the call returns."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._keep = database.insert(clicks).values(at=func.current_timestamp()).on_conflict_do_nothing()
        same = (clicks.c[name] == bindparam(name) for name in ("request_id", "session", "item_id", "kind"))
        self._forget = delete(clicks).where(*same)

    def add_impression(
        self,
        request_id: str,
        protocol: str,
        experiment: Sequence[str],
        picks: Iterable[tuple[str, str]],
        session: str = "",
        listener: str = "",
    ) -> None:
        """Keep a list under the id of its request, by which clicks name it.

        `experiment` names the rankers that were interleaved; `picks` are (item id, team) by place, the team "" where a
        click is no vote (`interleaving.team_draft`). A UserError for a request id that was used before.
        """
        values: dict[str, Any] = {"request_id": request_id, "protocol": protocol, "experiment": _name(experiment)}
        values |= {"listener": listener, "session": session, "at": func.current_timestamp()}
        with self.database.transaction() as connection:
            insert = self.database.insert(impressions).values(values).on_conflict_do_nothing()
            if not connection.execute(insert, execution_options={"preserve_rowcount": True}).rowcount:
                raise UserError(f"request {short(request_id)} was answered before; give every request an id of its own")
            known = select(impressions.c.id).where(impressions.c.request_id == request_id)
            of_list = connection.execute(known).scalar_one()
            rows = [(of_list, position, *pick) for position, pick in enumerate(picks)]
            self.database.load(connection, impression_items, rows)

    def add_click(self, item_id: str, kind: str = "click", request_id: str = "", session: str = "") -> bool:
        """Keep one of KINDS on an item, as `add_clicks` does on several."""
        return self.add_clicks([item_id], kind, request_id, session)

    def add_clicks(self, item_ids: Collection[str], kind: str, request_id: str = "", session: str = "") -> bool:
        """Keep one of KINDS on items of the list of a request; returns whether the list is known and has all of them.

        The same again takes the place of the first. What names no request, or an unknown one, is kept and decides
        nothing. All of it is kept or, where the store fails, nothing.
        """
        check_known("kind of feedback", KINDS, kind)
        of_request = {"request_id": request_id, "session": session, "kind": kind}
        rows = [of_request | {"item_id": item_id} for item_id in item_ids]
        lists = impressions.join(impression_items, impression_items.c.impression == impressions.c.id)
        shown = select(impression_items.c.item_id).select_from(lists).where(impressions.c.request_id == request_id)
        with self.database.transaction() as connection:
            for statement in (self._forget, self._keep) if rows else ():
                connection.execute(statement, rows)
            found = set(connection.scalars(shown))
        return found.issuperset(item_ids)

    def withdraw(self, item_id: str, session: str) -> int:
        """Delete what a session liked or disliked of an item, whichever list it was on; returns the number of rows."""
        given = clicks.c.kind.in_(["like", "dislike"])
        removal = delete(clicks).where(clicks.c.session == session, clicks.c.item_id == item_id, given)
        with self.database.transaction() as connection:
            return connection.execute(removal).rowcount

    def experiments(self, protocol: str) -> dict[tuple[str, ...], int]:
        """Experiments of a protocol (names of their rankers) and how many lists each has shown, most first."""
        counted = select(impressions.c.experiment, func.count().label("lists")).group_by(impressions.c.experiment)
        served = counted.where(impressions.c.protocol == protocol, impressions.c.experiment != "")
        rows = self.database.all(served.order_by(func.count().desc(), impressions.c.experiment))
        return {tuple(experiment.split(",")): lists for experiment, lists in rows}

    def shown(self, protocol: str, experiment: Sequence[str]) -> list[Shown]:
        """All lists of an experiment in the order they were shown, each with its items and those that were voted for.

        Of a list without a session the session is its request, of one with a listener it is the listener.
        """
        of_experiment = (impressions.c.protocol == protocol, impressions.c.experiment == _name(experiment))
        request, lists = impressions.c.request_id, {}
        query = select(request, impressions.c.listener, impressions.c.session).where(*of_experiment)
        for request_id, listener, session in self.database.all(query.order_by(impressions.c.id)):
            who = f"listener {listener}" if listener else f"session {session}" if session else f"request {request_id}"
            lists[request_id] = Shown(request_id, who, [], set())
        query = select(request, impression_items.c.item_id, impression_items.c.team).where(*of_experiment)
        query = query.join_from(impressions, impression_items, impression_items.c.impression == impressions.c.id)
        query = query.order_by(impressions.c.id, impression_items.c.position)
        for request_id, item_id, team in self.database.all(query):
            lists[request_id].picks.append((item_id, team))
        query = select(request, clicks.c.item_id, clicks.c.kind).where(*of_experiment)
        query = query.join_from(clicks, impressions, clicks.c.request_id == request)
        for request_id, item_id, kind in self.database.all(query.order_by(clicks.c.id)):
            if kind in VOTES:
                (lists[request_id].clicked.add if VOTES[kind] else lists[request_id].clicked.discard)(item_id)
        return list(lists.values())


def _name(experiment: Sequence[str]) -> str:
    """How an experiment is kept: its rankers in the order of the alphabet, since theirs means nothing."""
    return ",".join(sorted(experiment))
