"""Large files: resumed where a connection was cut, proven by checksum, and nothing half-written in their place."""

import gzip
import hashlib
import io
import re
import sys
import tarfile
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest

from common.data.sources.large_logs.large_files import LargeFile, download_large, fetch_resumed, hash_file, unpack
from common.utils.errors import UserError
from tests.data.sources.local_server import running

PATIENCE, PAGE = 0.5, b"<!doctype html><title>Moved</title>"
CONTENT = bytes(range(256)) * 1024
"""256 KiB: several chunks of a transfer."""


class Server(ThreadingHTTPServer):
    """Sends `content` from the byte that is asked for; an answer is cut after `bytes_per_answer`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}/file"
        self.content = CONTENT
        self.asked: list[str | None] = []
        self.bytes_per_answer, self.ranges, self.linked = len(CONTENT), True, ""


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        assert isinstance(server, Server)
        server.asked.append(self.headers.get("Range"))
        if self.path == "/file" and server.linked:  # as Hugging Face does: the checksum comes with the redirect
            self.send_response(302)
            self.send_header("X-Linked-Etag", f'"{server.linked}"')
            self.send_header("Location", "/stored")
            self.end_headers()
            return
        begin = int(re.findall(r"\d+", self.headers.get("Range", "0"))[0]) if server.ranges else 0
        if begin and begin >= len(server.content):
            self.send_error(416)
            return
        rest = server.content[begin:]
        self.send_response(206 if begin else 200)
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        self.wfile.write(rest[: server.bytes_per_answer])

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with running(Server()) as server:
        yield server


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def file_of(server: Server, **changes) -> LargeFile:
    about = {"size": len(server.content), "checksum": f"md5:{md5(server.content)}"} | changes
    return LargeFile(server.url, "log/file.bin", **about)  # type: ignore[arg-type]


def archive(files: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as opened:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            opened.addfile(info, io.BytesIO(content))
    return packed.getvalue()


def test_a_cut_connection_is_made_again_and_the_rest_asked_for(server, tmp_path):
    server.bytes_per_answer = 100_000
    download_large(tmp_path, (file_of(server),), PATIENCE)
    assert (tmp_path / "raw/log/file.bin").read_bytes() == CONTENT
    begins = [int(str(asked).removeprefix("bytes=").removesuffix("-")) for asked in server.asked]
    assert begins == [0, 65_536, 131_072, 196_608], "from the last chunk that came whole"
    assert [path.name for path in (tmp_path / "raw/log").iterdir()] == ["file.bin"]
    download_large(tmp_path, (file_of(server),), PATIENCE)
    assert len(server.asked) == 4, "what is there is not fetched again"


def test_a_transfer_that_stays_cut_is_kept_for_the_next_start(server, tmp_path):
    part = tmp_path / "raw/log/file.bin.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(CONTENT[:1000])
    server.bytes_per_answer = 0
    with pytest.raises(UserError, match=r"broke off; 1,000 bytes are kept, start again to go on from there"):
        download_large(tmp_path, (file_of(server),), PATIENCE)
    server.bytes_per_answer = len(CONTENT)
    download_large(tmp_path, (file_of(server),), PATIENCE)
    assert server.asked[-1] == "bytes=1000-"
    assert (tmp_path / "raw/log/file.bin").read_bytes() == CONTENT
    assert not part.exists()


def test_a_server_that_knows_no_ranges_sends_the_whole_file(server, tmp_path):
    part = tmp_path / "file.part"
    part.write_bytes(b"some of it")
    server.ranges = False
    fetch_resumed(server.url, part, 2**20, PATIENCE)
    assert part.read_bytes() == CONTENT


def test_what_had_come_whole_is_not_fetched_again(server, tmp_path):
    part = tmp_path / "raw/log/file.bin.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(CONTENT)
    fetch_resumed(server.url, part, 2**20, PATIENCE)  # the server answers that nothing is left
    assert part.read_bytes() == CONTENT
    server.asked.clear()
    download_large(tmp_path, (file_of(server),), PATIENCE)
    assert server.asked == [], "its checksum says so"
    assert (tmp_path / "raw/log/file.bin").read_bytes() == CONTENT


@pytest.mark.parametrize("kind", ["md5", "sha256"])
def test_another_checksum_keeps_nothing(server, tmp_path, kind):
    wrong = f"{kind}:{'0' * 32}"
    with pytest.raises(UserError, match=rf"sent other content than was published \({kind}:\w+ instead of {wrong}\)"):
        download_large(tmp_path, (file_of(server, checksum=wrong),), PATIENCE)
    assert list((tmp_path / "raw/log").iterdir()) == []


def test_the_checksum_may_come_from_the_server(server, tmp_path, caplog):
    server.linked = hashlib.sha256(CONTENT).hexdigest()
    download_large(tmp_path, (file_of(server, checksum=""),), PATIENCE)
    assert (tmp_path / "raw/log/file.bin").read_bytes() == CONTENT
    server.linked = "0" * 64
    with pytest.raises(UserError, match=f"instead of sha256:{server.linked}"):
        download_large(tmp_path / "other", (file_of(server, checksum=""),), PATIENCE)
    server.linked = ""
    download_large(tmp_path / "third", (file_of(server, checksum=""),), PATIENCE)
    assert "came without a checksum" in caplog.text


def test_a_disk_that_is_too_small_is_told_before_anything_is_fetched(server, tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=3_000_000))
    with pytest.raises(UserError, match=r"needs 5 MB below .*, where 3 MB are free; free some space or choose"):
        download_large(tmp_path, (file_of(server, unpacked=5_000_000),), PATIENCE)
    assert server.asked == []


def test_members_of_an_archive_are_checked_and_take_their_place_together(server, tmp_path):
    files = {"set/plays.tsv": b"a\tb\n" * 1000, "set/profile.tsv": b"a\n", "set/README.txt": b"x"}
    server.content = archive(files)
    members = {"plays.tsv": md5(files["set/plays.tsv"]), "profile.tsv": md5(b"a\n")}
    whole = LargeFile(server.url, "set", len(server.content), f"md5:{md5(server.content)}", members)
    download_large(tmp_path, (whole,), PATIENCE)
    assert {path.name for path in (tmp_path / "raw/set").iterdir()} == set(members)
    assert (tmp_path / "raw/set/plays.tsv").read_bytes() == files["set/plays.tsv"]
    assert [path.name for path in (tmp_path / "raw").iterdir()] == ["set"], "the archive is gone"
    other = LargeFile(server.url, "other", len(server.content), "", members | {"profile.tsv": "0" * 32})
    with pytest.raises(UserError, match=r"profile.tsv is not the published file \(MD5 \w+ instead of 0+\)"):
        download_large(tmp_path, (other,), PATIENCE)
    assert not (tmp_path / "raw/other").exists()


def test_a_damaged_archive_is_one_sentence(tmp_path):
    whole = archive({"a/plays.tsv": bytes(range(256)) * 50})
    members = {"plays.tsv": md5(bytes(range(256)) * 50)}
    packed = bytearray(whole)
    packed[40:60] = bytes(20)
    damages = {"cut": whole[: len(whole) // 2], "page": PAGE, "flipped": bytes(packed), "tar": gzip.compress(PAGE)}
    for name, content in damages.items():
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"(is damaged, no readable .tar.gz .*|lacks plays.tsv); delete it and"):
            unpack(path, tmp_path, members)
    path.write_bytes(archive({"a/other.tsv": b"x", "../plays.tsv": bytes(range(256)) * 50}))
    unpack(path, tmp_path, members)
    assert (tmp_path / "plays.tsv").exists(), "whatever folder it names, it lands in the one that is meant"


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_is_silent_where_nobody_watches(server, tmp_path, monkeypatch, terminal):
    screen = io.StringIO()
    screen.isatty = lambda: terminal  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stderr", screen)
    fetch_resumed(server.url, tmp_path / "file.part", 2**20, PATIENCE)
    assert ("file:" in screen.getvalue()) is terminal


def test_a_folder_that_cannot_be_written_is_named(server, tmp_path):
    (tmp_path / "raw").write_text("a file")
    with pytest.raises(UserError, match="cannot write below"):
        download_large(tmp_path, (file_of(server),), PATIENCE)


def test_checksums_name_their_kind(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert hash_file(tmp_path / "a", "md5:") == "md5:900150983cd24fb0d6963f7d28e17f72"
