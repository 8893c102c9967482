"""Lists that were shown, interleaved or not, and what was done with their items."""

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from common.serving.store.schema import Database
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
        values = (request_id, protocol, _name(experiment), listener, session)
        with self.database.transaction() as connection:
            known = connection.execute("SELECT 1 FROM impressions WHERE request_id = ?", (request_id,)).fetchone()
            if known:
                raise UserError(f"request {short(request_id)} was answered before; give every request an id of its own")
            added = connection.execute(
                "INSERT INTO impressions (request_id, protocol, experiment, listener, session, at)"
                " VALUES (?, ?, ?, ?, ?, datetime('now'))",
                values,
            )
            rows = ((added.lastrowid, position, *pick) for position, pick in enumerate(picks))
            connection.executemany("INSERT INTO impression_items VALUES (?, ?, ?, ?)", rows)

    def add_click(self, item_id: str, kind: str = "click", request_id: str = "", session: str = "") -> bool:
        """Keep one of KINDS on an item, as `add_clicks` does on several."""
        return self.add_clicks([item_id], kind, request_id, session)

    def add_clicks(self, item_ids: Collection[str], kind: str, request_id: str = "", session: str = "") -> bool:
        """Keep one of KINDS on items of the list of a request; returns whether the list is known and has all of them.

        The same again takes the place of the first. What names no request, or an unknown one, is kept and decides
        nothing. All of it is kept or, where the store fails, nothing.
        """
        check_known("kind of feedback", KINDS, kind)
        insert = """
            INSERT OR REPLACE INTO clicks (request_id, session, item_id, kind, at)
            VALUES (?, ?, ?, ?, datetime('now'))"""
        shown = """
            SELECT item_id FROM impressions JOIN impression_items ON impression = id WHERE request_id = ?"""
        with self.database.transaction() as connection:
            connection.executemany(insert, [(request_id, session, item_id, kind) for item_id in item_ids])
            found = {item_id for (item_id,) in connection.execute(shown, (request_id,))}
        return found.issuperset(item_ids)

    def withdraw(self, item_id: str, session: str) -> int:
        """Delete what a session liked or disliked of an item, whichever list it was on; returns the number of rows."""
        delete = "DELETE FROM clicks WHERE session = ? AND item_id = ? AND kind IN ('like', 'dislike')"
        with self.database.transaction() as connection:
            return connection.execute(delete, (session, item_id)).rowcount

    def experiments(self, protocol: str) -> dict[tuple[str, ...], int]:
        """Experiments of a protocol (names of their rankers) and how many lists each has shown, most first."""
        query = """
            SELECT experiment, count(*) AS lists FROM impressions WHERE protocol = ? AND experiment != ''
            GROUP BY experiment ORDER BY lists DESC, experiment"""
        return {tuple(experiment.split(",")): lists for experiment, lists in self.database.all(query, protocol)}

    def shown(self, protocol: str, experiment: Sequence[str]) -> list[Shown]:
        """All lists of an experiment in the order they were shown, each with its items and those that were voted for.

        Of a list without a session the session is its request, of one with a listener it is the listener.
        """
        of_experiment = "WHERE protocol = ? AND experiment = ?"
        values = (protocol, _name(experiment))
        lists: dict[str, Shown] = {}
        query = f"SELECT request_id, listener, session FROM impressions {of_experiment} ORDER BY id"
        for request_id, listener, session in self.database.all(query, *values):
            who = f"listener {listener}" if listener else f"session {session}" if session else f"request {request_id}"
            lists[request_id] = Shown(request_id, who, [], set())
        query = f"""
            SELECT request_id, item_id, team FROM impressions JOIN impression_items ON impression = id
            {of_experiment} ORDER BY id, position"""
        for request_id, item_id, team in self.database.all(query, *values):
            lists[request_id].picks.append((item_id, team))
        query = f"""
            SELECT request_id, item_id, kind FROM clicks JOIN impressions USING (request_id)
            {of_experiment} ORDER BY clicks.id"""
        for request_id, item_id, kind in self.database.all(query, *values):
            if kind in VOTES:
                (lists[request_id].clicked.add if VOTES[kind] else lists[request_id].clicked.discard)(item_id)
        return list(lists.values())


def _name(experiment: Sequence[str]) -> str:
    """How an experiment is kept: its rankers in the order of the alphabet, since theirs means nothing."""
    return ",".join(sorted(experiment))
