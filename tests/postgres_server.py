"""A private PostgreSQL server on loopback, in a folder that is gone afterwards; it can be killed and started again."""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

BINARIES = max(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: path.parts, default=None)
PASSWORD = "loopback-secret"
WAIT = 60.0


def other_user() -> dict[str, object]:
    """How a child of root runs as somebody else, since PostgreSQL refuses root; nothing where we are not root."""
    if os.geteuid():
        return {}
    names = {entry.pw_name for entry in pwd.getpwall()}
    entry = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


class PostgresCluster:
    def __init__(self) -> None:
        assert BINARIES is not None
        self.programs, self.who = BINARIES.parent, other_user()
        self.folder = Path(tempfile.mkdtemp(prefix="encore-postgres-"))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        (self.folder / "password").write_text(PASSWORD)
        if self.who:
            for path in (self.folder, self.folder / "password"):
                os.chown(path, self.who["user"], self.who["group"])  # type: ignore[arg-type]
        words = ["--no-sync", "-A", "scram-sha-256", "-E", "UTF8", "--locale=C.UTF-8", "-U", "encore"]
        self.run("initdb", "-D", self.folder / "data", *words, f"--pwfile={self.folder / 'password'}")
        self.process: subprocess.Popen[bytes] | None = None

    def run(self, program: str, *words: str | Path) -> str:
        done = subprocess.run(
            [self.programs / program, *words],
            capture_output=True,
            text=True,
            cwd=self.folder,
            env=os.environ | {"PGPASSWORD": PASSWORD},
            check=False,
            **self.who,  # type: ignore[call-overload]
        )
        assert not done.returncode, done.stderr
        return done.stdout

    def url(self, password: str = PASSWORD, database: str = "postgres") -> str:
        return f"postgresql+psycopg://encore:{password}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        words = ["-D", "data", "-h", "127.0.0.1", "-p", self.port, "-k", "", "-c", "max_wal_senders=0"]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [self.programs / "postgres", *map(str, words)],
                stdout=log,
                stderr=log,
                cwd=self.folder,
                **self.who,  # type: ignore[call-overload]
            )
        end = time.monotonic() + WAIT
        ready: list[str | Path] = [self.programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        while subprocess.run(ready, check=False).returncode:
            assert self.process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < end, "the server did not start in time"
            time.sleep(0.05)

    def kill(self) -> None:
        """SIGKILL for the server and all its children at once; returns when all are gone."""
        assert self.process is not None
        own = self.process.pid
        children = list(map(int, Path(f"/proc/{own}/task/{own}/children").read_text().split()))
        for pid in (own, *children):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        assert self.process.wait() == -signal.SIGKILL
        end = time.monotonic() + WAIT
        while any(alive(pid) for pid in children):
            assert time.monotonic() < end, "children of the server outlive it"
            time.sleep(0.01)

    def __enter__(self) -> "PostgresCluster":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT)  # at once: nothing of it is needed any more
            self.process.wait(WAIT)
        shutil.rmtree(self.folder)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
