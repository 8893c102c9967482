import pytest

from tests.serving.postgres_server import BINARIES, PostgresCluster


@pytest.fixture(scope="session")
def postgres_server():
    """A PostgreSQL server of the tests' own, on loopback."""
    if not BINARIES:
        pytest.skip("no PostgreSQL server: apt-get install postgresql")
    pytest.importorskip("psycopg", reason="no psycopg: pip install -r requirements-serve.txt")
    with PostgresCluster() as server:
        server.start()
        yield server
