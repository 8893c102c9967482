"""Downloads against a server on this machine that behaves, and misbehaves, in every way that matters."""

import io
import logging
import socket
import stat
import threading
import time
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from common.data.sources import download as module
from common.data.sources.download import SOURCES, Source, download, fetch, unzip
from common.data.sources.lastfm_2k_files import find_sources
from common.data.sources.registry import choose_dataset
from common.experiments.flags import parse
from common.experiments.settings import ModelSettings
from common.utils.errors import UserError
from tests.data.handwritten import LASTFM, write_lastfm, write_songs
from tests.data.sources.local_server import running

PATIENCE = 0.5
PAGE = b"<!doctype html><title>Moved</title><p>Not here."


class Server(ThreadingHTTPServer):
    """A server that remembers what it was asked, and lets silent answers go in the end."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.content: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.released = threading.Event()


class Handler(BaseHTTPRequestHandler):
    """Answers by the path; `server.content` holds what /name sends."""

    def do_GET(self):
        server = self.server
        assert isinstance(server, Server)
        server.asked.append(self.path)
        kind, _, name = self.path[1:].partition("/")
        if kind == "redirect":
            self.send_response(302)
            self.send_header("Location", f"/plain/{name}")
            self.end_headers()
            return
        if kind == "silent":
            server.released.wait(5)
            return
        content = server.content.get(name)
        self.send_response(200 if content is not None else 404)
        content = content or PAGE
        declared = {"cut": len(content) + 100, "stall": len(content) + 100}.get(kind, len(content))
        self.send_header("Content-Length", str(declared))
        self.end_headers()
        if kind == "slow":
            for start in range(0, len(content), 1024):
                self.wfile.write(content[start : start + 1024])
                self.wfile.flush()
                time.sleep(0.1)
            return
        self.wfile.write(content)
        self.wfile.flush()
        if kind == "stall":
            server.released.wait(5)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with running(Server()) as server:
        yield server
        server.released.set()


@pytest.fixture(autouse=True)
def no_music_data(monkeypatch):
    monkeypatch.delenv("MUSIC_DATA", raising=False)


def zipped(files: Mapping[str, str | bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


def songs_csv(tmp_path) -> bytes:
    path = tmp_path / "made" / "songs.csv"
    write_songs(path)
    return path.read_bytes()


def content_with(reader: Callable[[Path], object]) -> Callable[[Path], list[str]]:
    """A check that asks no more of a file than that the reader takes it."""

    def problems(path: Path) -> list[str]:
        reader(path)
        return []

    return problems


def sources_of(server, kind="plain") -> list[Source]:
    """The two sources at the local address; the handwritten content counts as what was published."""
    here = [f"{server.url}/{kind}/lastfm.zip", f"{server.url}/{kind}/songs.csv"]
    readers = [module.read_lastfm, module.read_songs]
    return [
        replace(source, url=url, problems=content_with(reader))
        for source, url, reader in zip(SOURCES, here, readers, strict=True)
    ]


def serve_both(server, tmp_path) -> None:
    server.content["lastfm.zip"] = zipped({f"hetrec/{name}": text for name, text in LASTFM.items()} | {"readme": "x"})
    server.content["songs.csv"] = songs_csv(tmp_path)


def everything_under(folder) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")} if folder.exists() else set()


@pytest.mark.parametrize("kind", ["plain", "redirect"])
def test_both_sources_arrive_where_they_are_looked_for(server, tmp_path, kind):
    serve_both(server, tmp_path)
    data_dir = tmp_path / "data"
    download(data_dir, sources_of(server, kind), PATIENCE)
    assert find_sources(data_dir) is not None
    folder = data_dir / "raw" / "hetrec2011-lastfm-2k"
    assert {path.name for path in folder.iterdir()} == set(LASTFM), "the readme is not kept"
    assert (folder / "tags.dat").read_bytes() == LASTFM["tags.dat"].encode("utf-8")
    assert (data_dir / "raw/spotify/spotify_songs.csv").read_bytes() == server.content["songs.csv"]
    assert {path.name for path in data_dir.iterdir()} == {"raw"}, "nothing temporary stays"


def test_what_is_there_is_not_fetched_again(server, tmp_path):
    serve_both(server, tmp_path)
    write_lastfm(tmp_path / "data/raw/hetrec2011-lastfm-2k")
    download(tmp_path / "data", sources_of(server), PATIENCE)
    assert server.asked == ["/plain/songs.csv"]


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("cut", "the transfer broke off"),
        ("silent", "the server fell silent"),
        ("stall", "the server fell silent"),
    ],
)
def test_a_transfer_that_breaks_off_or_falls_silent_leaves_nothing(server, tmp_path, kind, reason):
    serve_both(server, tmp_path)
    started = time.monotonic()
    with pytest.raises(UserError, match=rf"the download of .*lastfm\.zip failed: {reason}"):
        download(tmp_path / "data", sources_of(server, kind), PATIENCE)
    assert time.monotonic() - started < 3 * PATIENCE
    assert everything_under(tmp_path / "data") == set()


def test_a_slow_transfer_is_waited_for(server, tmp_path):
    server.content["slow"] = bytes(10 * 1024)
    started = time.monotonic()
    fetch(f"{server.url}/slow/slow", tmp_path / "file", PATIENCE)
    assert time.monotonic() - started > PATIENCE
    assert (tmp_path / "file").stat().st_size == 10 * 1024


def test_a_missing_file_and_a_refused_connection_are_told_apart(server, tmp_path):
    with pytest.raises(UserError, match="the server answered 404"):
        download(tmp_path / "data", sources_of(server), PATIENCE)
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))  # nobody listens there
        closed = f"http://127.0.0.1:{reserved.getsockname()[1]}/file"
        with pytest.raises(UserError, match="the server cannot be reached"):
            fetch(closed, tmp_path / "file", PATIENCE)
    assert everything_under(tmp_path / "data") == set()


def test_a_name_lookup_that_hangs_is_given_up(tmp_path, monkeypatch):
    def hang(*_, **__):
        time.sleep(4 * PATIENCE)
        raise OSError("no such name")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    started = time.monotonic()
    with pytest.raises(UserError, match="the server fell silent"):
        fetch("http://nowhere.invalid/file", tmp_path / "file", PATIENCE)
    assert time.monotonic() - started < 3 * PATIENCE
    time.sleep(3.5 * PATIENCE)  # the thread ends within this test


def test_rows_that_differ_from_the_published_ones_are_refused(server, tmp_path):
    serve_both(server, tmp_path)
    strict = [
        replace(real, url=local.url) for real, local in zip(SOURCES, sources_of(server), strict=True)
    ]  # with the reference hashes of the real files
    for source in strict:
        with pytest.raises(UserError, match=r"sent other content than was published \(.* rows instead of"):
            download(tmp_path / "data", [source], PATIENCE)
    assert everything_under(tmp_path / "data") == set()


def test_a_page_in_place_of_the_file_is_refused(server, tmp_path):
    server.content = {"lastfm.zip": PAGE, "songs.csv": PAGE}
    for source, reason in zip(sources_of(server), ("no readable zip archive", "sent other content"), strict=True):
        with pytest.raises(UserError, match=reason):
            download(tmp_path / "data", [source], PATIENCE)
    assert everything_under(tmp_path / "data") == set()


@pytest.mark.parametrize("name", ["../evil", "/evil", "a/../../evil", "C:\\evil", "..\\evil", "\\evil"])
def test_an_archive_that_names_places_outside_is_refused(tmp_path, name):
    archive = tmp_path / "x.zip"
    archive.write_bytes(zipped({name: "x"} | dict(LASTFM)))
    with pytest.raises(UserError, match="could lead out of the folder"):
        unzip(archive, tmp_path / "out", list(LASTFM))
    assert everything_under(tmp_path) == {"x.zip"}


def test_an_archive_with_a_link_is_refused(tmp_path):
    link = zipfile.ZipInfo("tags.dat")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(UserError, match="could lead out of the folder"):
        unzip(tmp_path / "x.zip", tmp_path / "out", ["tags.dat"])


def test_a_bomb_is_not_unpacked(tmp_path, monkeypatch):
    (tmp_path / "ratio.zip").write_bytes(zipped({"tags.dat": bytes(10**6)}))
    (tmp_path / "many.zip").write_bytes(zipped({f"f{n}": "" for n in range(101)}))
    monkeypatch.setattr(module, "MOST_RATIO", 10**9)
    with pytest.raises(UserError, match="101 files"):
        unzip(tmp_path / "many.zip", tmp_path / "out", ["f1"])
    monkeypatch.undo()
    with pytest.raises(UserError, match=r"would unpack to 1 files of 1,000,000 bytes"):
        unzip(tmp_path / "ratio.zip", tmp_path / "out", ["tags.dat"])
    monkeypatch.setattr(module, "MOST_BYTES", 10)
    (tmp_path / "large.zip").write_bytes(zipped({"tags.dat": "abcdefghijklmnop"}))
    with pytest.raises(UserError, match="was not unpacked"):
        unzip(tmp_path / "large.zip", tmp_path / "out", ["tags.dat"])


def test_a_transfer_without_end_is_given_up(server, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MOST_BYTES", 2048)
    server.content["endless"] = bytes(10_000)
    with pytest.raises(UserError, match="which is not the file"):
        fetch(f"{server.url}/plain/endless", tmp_path / "file", PATIENCE)


def test_an_archive_without_one_of_the_files_is_refused(tmp_path):
    (tmp_path / "x.zip").write_bytes(zipped({"a/tags.dat": "1", "b/tags.dat": "2"}))
    for member, times in (("tags.dat", 2), ("artists.dat", 0)):
        with pytest.raises(UserError, match=f"holds {member} {times} times"):
            unzip(tmp_path / "x.zip", tmp_path / f"out{times}", [member])


def test_a_folder_that_cannot_be_written_is_named(server, tmp_path):
    serve_both(server, tmp_path)
    (tmp_path / "data").write_text("a file")
    with pytest.raises(UserError, match="cannot write"):
        download(tmp_path / "data", sources_of(server), PATIENCE)


def failing(*_, **__):
    raise UserError("the download of it failed: the server cannot be reached")


def test_auto_takes_what_can_be_downloaded_and_else_generates(server, tmp_path, monkeypatch, caplog):
    serve_both(server, tmp_path)
    monkeypatch.setattr(module, "download", failing)
    with caplog.at_level(logging.WARNING):
        assert choose_dataset("auto", tmp_path / "data", may_download=True) == "synthetic"
    assert "NO REAL DATA" in caplog.text
    assert "the server cannot be reached" in caplog.text, "the reason stands in the notice"
    monkeypatch.setattr(module, "download", lambda data_dir: download(data_dir, sources_of(server), PATIENCE))
    assert choose_dataset("auto", tmp_path / "data", may_download=True) == "lastfm-2k"
    assert choose_dataset("auto", tmp_path / "data") == "lastfm-2k"
    assert len(server.asked) == 2, "what is there is not asked for again"


def test_who_asks_for_the_real_data_is_told_both_remedies(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "download", failing)
    with pytest.raises(UserError, match=r"cannot be reached\): put them under .*MUSIC_DATA.*--dataset synthetic"):
        choose_dataset("lastfm-2k", tmp_path, may_download=True)


def test_a_command_decides_once_and_only_after_its_flags_are_right(tmp_path, monkeypatch, caplog):
    calls: list[Path] = []

    def note(data_dir):
        calls.append(data_dir)
        failing()

    monkeypatch.setattr(module, "download", note)
    flags = ["--data-dir", str(tmp_path)]
    with pytest.raises(UserError):
        parse(ModelSettings, [*flags, "--protocol", "lisen"])
    assert parse(ModelSettings, [*flags, "--no-download"]).dataset == "synthetic"
    assert calls == []
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        assert parse(ModelSettings, flags).dataset == "synthetic"
    assert calls == [tmp_path]
    assert caplog.text.count("NO REAL DATA") == 1


def test_the_public_addresses_and_the_time_to_decide():
    assert [source.url.split("/")[2] for source in SOURCES] == ["files.grouplens.org", "raw.githubusercontent.com"]
    assert all(source.url.startswith("https://") for source in SOURCES)
    assert module.PATIENCE < 10


@pytest.mark.real_data
def test_the_real_content_is_taken(server, tmp_path, real_data):
    sources = find_sources(real_data.folder.parent)
    assert sources is not None
    server.content["lastfm.zip"] = zipped({path.name: path.read_bytes() for path in sources[0].glob("*.dat")})
    server.content["songs.csv"] = sources[1].read_bytes()
    local = [replace(real, url=local.url) for real, local in zip(SOURCES, sources_of(server), strict=True)]
    download(tmp_path / "data", local, PATIENCE * 10)
    assert find_sources(tmp_path / "data") is not None


def test_damage_within_an_archive_is_one_sentence(tmp_path):
    """Flipped bytes of the packed data make zlib fail, not zipfile."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.dat", "".join(f"{n} {n * 7919 % 1000}\n" for n in range(400)))
    whole = packed.getvalue()
    flipped = whole[:60] + bytes(byte ^ 0xFF for byte in whole[60:90]) + whole[90:]
    sum_at = whole.find(b"PK\x01\x02") + 16
    checksum = whole[:sum_at] + bytes([whole[sum_at] ^ 0xFF]) + whole[sum_at + 1 :]
    for name, content in {"flipped": flipped, "cut": whole[: len(whole) // 2], "checksum": checksum}.items():
        path = tmp_path / f"{name}.zip"
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"is damaged, no readable zip archive .*; fetch it again"):
            unzip(path, tmp_path / name, ["a.dat"])
