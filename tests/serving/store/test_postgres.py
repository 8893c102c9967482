import multiprocessing
import re
import sys
import time
import uuid
from pathlib import Path

import pytest
from sqlalchemy import text

from common.serving.http.experiment import keep_feedback
from common.serving.http.feedback_writer import FeedbackWriter
from common.serving.http.schemas import FeedbackRequest
from common.serving.store.postgres import PostgresServer
from common.serving.store.store import Store
from common.utils.errors import UserError
from tests.postgres_server import BINARIES, PASSWORD, PostgresCluster
from tests.serving.store.conftest import SOURCES

psycopg = pytest.importorskip("psycopg")

needs_server = pytest.mark.skipif(not BINARIES, reason="no PostgreSQL server: apt-get install postgresql")
SECRET = "s3cr%2Ft-word"


@pytest.fixture
def place(postgres_server):
    return PostgresServer.parse(postgres_server.url(), str(uuid.uuid4()))


def refused(url: str) -> str:
    """The sentence that an address ends in, which has no password."""
    with pytest.raises(UserError) as error:
        Store(PostgresServer.parse(url, "toy"), patience=0.5).close()
    assert SECRET not in str(error.value)
    assert PASSWORD not in str(error.value)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("likes", "is no address of a database; give postgresql"),
        (f"postgresql://me:{SECRET}@host:port/db", "is no address of a database"),
        (f"mysql://me:{SECRET}@host/db", "takes no other database than PostgreSQL"),
        (f"postgresql+psycopg2://me:{SECRET}@host/db", "takes no other database than PostgreSQL"),
        (f"postgresql://me:{SECRET}@host", "names no database"),
        (f"postgresql://me:x@{SECRET}@host/db", "written %40"),
        (f"postgresql://me:{SECRET}@127.0.0.1:1/db", r"^postgresql://me@127.0.0.1:1/db is away \(.*; start the server"),
        (f"postgresql://me@127.0.0.1:1/db?password={SECRET}", "is away"),
    ],
)
def test_an_address_that_leads_nowhere_ends_in_a_sentence(url, says):
    assert re.search(says, refused(url))


def test_a_server_that_refuses_says_what_to_do(postgres_server):
    assert "refuses this user" in refused(postgres_server.url(password=SECRET))
    assert "is not there; make the database with createdb" in refused(postgres_server.url(database="nothing"))
    with psycopg.connect(postgres_server.url().replace("+psycopg", ""), autocommit=True) as admin:
        admin.execute(f"CREATE ROLE guest LOGIN PASSWORD '{PASSWORD}'")
    guest = postgres_server.url().replace("encore", "guest")
    assert "does not allow this user to do that (permission denied for database postgres)" in refused(guest)


def test_without_the_driver_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    assert "pip install -r requirements-serve.txt" in refused("postgresql://me@127.0.0.1:1/db")


def test_rows_go_in_by_copy(place, monkeypatch):
    copied, copy = [], psycopg.Cursor.copy

    def noted(self, query: str):
        copied.append(query)
        return copy(self, query)

    monkeypatch.setattr(psycopg.Cursor, "copy", noted)
    users = [(n, f"u{n}\t\\N\n") for n in range(10_001)]
    with Store(place) as store:
        store.data.build("listen", SOURCES, {"users": users})
        assert copied == ['COPY users (protocol, "user", user_id) FROM STDIN'] * 2
        assert store.data.user_ids("listen") == [user_id for _, user_id in users]


def test_a_text_that_it_cannot_hold_is_refused_and_nothing_is_kept(place):
    with Store(place) as store:
        for item in ("a\0b", "y" * 10_000_000):
            with pytest.raises(UserError, match="does not take these values"):
                store.feedback.add("me", item, True)
        with pytest.raises(UserError, match="does not take these values"):
            store.data.build("listen", SOURCES, {"users": [(0, "a\0")]})
        assert store.feedback.of("me") == ([], [])


def test_a_locked_row_is_waited_for_then_named(place):
    with Store(place, patience=0.2) as store, Store(place) as other:
        store.feedback.add("me", "x", True)
        with other.database.transaction() as connection:
            connection.execute(text("UPDATE feedback SET liked = 0"))
            start = time.perf_counter()
            with pytest.raises(UserError, match="in use by another process"):
                store.feedback.add("me", "x", True)
            assert time.perf_counter() - start >= 0.15
        store.feedback.add("me", "x", True)
        assert store.feedback.of("me") == (["x"], [])


def test_another_programs_schema_is_refused_and_left_alone(place):
    with psycopg.connect(place.url.render_as_string(hide_password=False).replace("+psycopg", "")) as other:
        other.execute(f'CREATE SCHEMA "{place.schema}"')
        other.execute(f'CREATE TABLE "{place.schema}".items (x integer)')
    with pytest.raises(UserError, match="is another program's; name another database"):
        Store(place)


def test_a_long_name_of_a_data_set_is_not_cut_to_anothers(postgres_server):
    places = [PostgresServer.parse(postgres_server.url(), "y" * 100 + end) for end in "ab"]
    with Store(places[0]) as first, Store(places[1]) as second:
        first.feedback.add("me", "x", True)
        assert second.feedback.of("me") == ([], [])


def test_a_like_is_on_disk_whatever_the_server_is_set_to(place):
    with Store(place) as store:
        assert store.database.one(text("SHOW synchronous_commit")) == "on"


@pytest.mark.thorough
@needs_server
def test_the_writer_of_the_service_takes_up_a_server_that_was_away():
    with PostgresCluster() as server:
        writer = FeedbackWriter(PostgresServer.parse(server.url(), "toy"))

        def like(item: str) -> None:
            writer.submit(keep_feedback, FeedbackRequest(session="s", user="ann", item=item, kind="like")).result()

        with pytest.raises(UserError, match=r"is away \(.*start the server"):
            like("a")
        server.start()
        like("b")
        server.kill()
        with pytest.raises(UserError, match="is away"):
            like("c")
        server.start()
        like("d")
        with Store(writer.place) as store:
            assert store.feedback.of("ann") == (["b", "d"], [])
        writer.close()


def write(place: PostgresServer, name: str, folder: Path, stop) -> None:
    """What one of several processes does: like after like with one store, and a note once each is acknowledged."""
    with Store(place, patience=2) as store, (folder / name).open("w") as notes:
        number = 0
        while not stop.is_set():
            try:
                store.feedback.add(name, str(number), True)
                print(number, file=notes, flush=True)
                number += 1
            except UserError as error:
                print(error, file=notes, flush=True)
                time.sleep(0.05)


@pytest.mark.thorough
@needs_server
def test_a_server_killed_in_mid_write_loses_no_acknowledged_like(tmp_path):
    names, context = [f"writer {n}" for n in range(8)], multiprocessing.get_context("fork")

    def notes() -> dict[str, list[str]]:
        return {name: (tmp_path / name).read_text().splitlines() for name in names if (tmp_path / name).exists()}

    def wait_for(more: int, fits, before: dict[str, list[str]]) -> None:
        """Until every writer has noted more lines of a kind since before."""
        end = time.monotonic() + 60
        while any(sum(map(fits, notes().get(name, [])[len(before.get(name, [])) :])) < more for name in names):
            assert time.monotonic() < end, notes()
            time.sleep(0.02)

    with PostgresCluster() as server:
        server.start()
        place = PostgresServer.parse(server.url(), "toy")
        Store(place).close()
        stop = context.Event()
        writers = [context.Process(target=write, args=(place, name, tmp_path, stop)) for name in names]
        for writer in writers:
            writer.start()
        for _ in range(2):
            before = notes()
            wait_for(20, str.isdigit, before)
            server.kill()
            before = notes()
            wait_for(1, lambda line: not line.isdigit(), before)
            server.start()
        wait_for(20, str.isdigit, notes())
        stop.set()
        for writer in writers:
            writer.join(60)
            assert writer.exitcode == 0
        with Store(place) as store:
            kept = {name: set(store.feedback.of(name)[0]) for name in names}
    for name, lines in notes().items():
        said = [line for line in lines if not line.isdigit()]
        assert {line for line in lines if line.isdigit()} <= kept[name], "an acknowledged like is lost"
        assert len(said) >= 2
        assert all(" is away (" in line and PASSWORD not in line for line in said), said
