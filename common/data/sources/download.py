"""The real files from their public addresses: all of a file, proven by its content, or nothing.

A transfer may be slow but not silent: after `patience` seconds in which nothing arrives it is given up, whether the
host has no name, refuses, does not answer or falls silent half-way. What is fetched is unpacked and checked in a
temporary folder and only then renamed to its place.
"""

import logging
import shutil
import stat
import sys
import tempfile
import threading
import time
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

from tqdm import tqdm

from common.data.sources.lastfm_2k import FILES, read_lastfm
from common.data.sources.lastfm_2k_files import LASTFM_FOLDER, SPOTIFY_FILE
from common.data.sources.spotify_songs import read_songs
from common.utils.errors import UserError
from common.utils.io import display

PATIENCE = 6.0
"""Seconds without a byte after which a transfer is given up."""
MOST_BYTES = 200 * 2**20
"""More than any of the files, packed or unpacked; what is larger is not what was asked for."""
SILENT = "the server fell silent"
MOST_MEMBERS, MOST_RATIO = 100, 100
"""An archive of more files, or one that grows by a larger factor, is made to do harm."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Source:
    """A file to fetch: where from, where to (below raw/), and how to tell what is wrong with its content.

    `members` are the files to keep of a zip archive; without any, the file is kept as it comes.
    """

    url: str
    target: str
    problems: Callable[[Path], Sequence[str]]
    members: tuple[str, ...] = ()


SOURCES = (
    Source(
        "https://files.grouplens.org/datasets/hetrec2011/hetrec2011-lastfm-2k.zip",
        LASTFM_FOLDER,
        lambda folder: read_lastfm(folder).warnings,
        tuple(FILES),
    ),
    Source(
        "https://raw.githubusercontent.com/rfordatascience/tidytuesday/master/data/2020/2020-01-21/spotify_songs.csv",
        SPOTIFY_FILE,
        lambda path: read_songs(path).warnings,
    ),
)


def download(data_dir: Path, sources: Sequence[Source] = SOURCES, patience: float = PATIENCE) -> None:
    """Fetch the sources that `<data_dir>/raw` lacks. Raises UserError with the reason; then nothing has changed."""
    for source in sources:
        target = data_dir / "raw" / source.target
        if not target.exists():
            log.info("downloading %s", source.url)
            _install(source, target, data_dir, patience)
            log.info("  kept as %s", display(target))


def _install(source: Source, target: Path, data_dir: Path, patience: float) -> None:
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".download-", dir=data_dir, ignore_cleanup_errors=True) as name:
            fetched, fresh = Path(name) / "fetched", Path(name) / target.name
            fetch(source.url, fetched, patience)
            if source.members:
                unzip(fetched, fresh, source.members)
            else:
                fetched.rename(fresh)
            _check_content(source, fresh)
            target.parent.mkdir(parents=True, exist_ok=True)
            fresh.replace(target)
    except OSError as error:
        raise UserError(
            f"cannot write {target}: {error.strerror or error}; free some space or mend the folder"
        ) from error


def _check_content(source: Source, fresh: Path) -> None:
    """Refuse what is not, row by row, the published file; the readers know its hash."""
    try:
        problems = list(source.problems(fresh))
    except UserError as error:
        problems = [str(error)]
    if problems:
        what = problems[0].replace(str(fresh), fresh.name).split(";")[0]
        raise UserError(f"{source.url} sent other content than was published ({what}); nothing of it was kept")


class Progress:
    """Counts what arrives, for the progress bar and for whoever waits. pooch calls it as it would call tqdm.

    most: bytes that are too many for the file.
    """

    def __init__(self, name: str, most: int) -> None:
        self.total, self.received, self.given_up, self.most = 0, 0, False, most
        self.last_arrival = time.monotonic()
        self.bar = tqdm(desc=name, unit="B", unit_scale=True, leave=False, disable=not sys.stderr.isatty())

    def update(self, count: int) -> None:
        """Note that some bytes came."""
        if self.given_up:
            raise UserError("given up")
        self.received += count
        self.last_arrival = time.monotonic()
        if self.received > self.most:
            raise UserError(f"more than {self.most / 2**20:.0f} MiB came, which is not the file")
        self.bar.total = self.total or None
        self.bar.update(count)

    def reset(self) -> None:
        """Begin to count anew."""
        self.received = 0
        self.bar.reset()

    def close(self) -> None:
        """End the bar."""
        self.bar.close()


def fetch(url: str, path: Path, patience: float = PATIENCE) -> None:
    """Write what `url` sends to `path`. Raises UserError with the reason, at the latest `patience` s after a byte.

    A transfer that is given up writes into a file without a name.
    """
    progress = Progress(path.name, MOST_BYTES)

    def transfer() -> None:
        from pooch import HTTPDownloader

        HTTPDownloader(progressbar=progress, timeout=patience)(url, str(path), None)

    supervise(url, transfer, progress, patience)


def supervise(url: str, transfer: Callable[[], None], progress: Progress, patience: float) -> None:
    """Run a transfer that reports to `progress`; a UserError with the reason, at the latest `patience` s after a byte.

    It runs in a thread of its own, because looking up a name cannot be timed out; one that is given up ends with the
    process.
    """
    failures = []

    def run() -> None:
        try:
            transfer()
        except Exception as error:  # whatever it is, the waiting thread is to know
            failures.append(_reason(error))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(min(0.1, patience / 10))
        if time.monotonic() - progress.last_arrival > patience and thread.is_alive():
            progress.given_up = True
            failures.append(SILENT)
            break
    progress.close()
    if failures:
        raise UserError(f"the download of {url} failed: {failures[-1]}")


def _reason(error: Exception) -> str:
    from requests import exceptions

    if isinstance(error, exceptions.HTTPError) and error.response is not None:
        return f"the server answered {error.response.status_code}"
    if isinstance(error, exceptions.Timeout) or "timed out" in str(error):
        return SILENT
    if isinstance(error, exceptions.ChunkedEncodingError | exceptions.ContentDecodingError):
        return "the transfer broke off"
    if isinstance(error, exceptions.ConnectionError):
        return "the server cannot be reached"
    return (str(error) or type(error).__name__).splitlines()[0]


def unzip(archive: Path, folder: Path, members: Sequence[str]) -> None:
    """Unpack the named files of an archive, each found by its last name, flat into a new folder.

    Raises UserError for what is no archive, lacks a file, names a place outside the folder, or is far too large.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            infos = opened.infolist()
            _check_archive(infos, archive.stat().st_size)
            folder.mkdir()
            for member in members:
                found = [info for info in infos if PurePosixPath(info.filename).name == member and not info.is_dir()]
                if len(found) != 1:
                    raise UserError(f"the archive holds {member} {len(found)} times instead of once")
                with opened.open(found[0]) as packed, (folder / member).open("wb") as unpacked:
                    shutil.copyfileobj(packed, unpacked)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError) as error:
        raise UserError(f"what was sent is damaged, no readable zip archive ({error}); fetch it again") from error


def _check_archive(infos: Sequence[zipfile.ZipInfo], packed_size: int) -> None:
    """Sizes are those that the archive declares: zipfile reads no byte beyond them."""
    for info in infos:
        # zipfile cleans names on the way; the raw one tells what was meant.
        raw = getattr(info, "orig_filename", info.filename)
        outside = raw.startswith(("/", "\\")) or PureWindowsPath(raw).drive or ".." in PureWindowsPath(raw).parts
        if outside or stat.S_ISLNK(info.external_attr >> 16):
            raise UserError(f"the archive names {raw!r}, which could lead out of the folder; it was not unpacked")
    size = sum(info.file_size for info in infos)
    if len(infos) > MOST_MEMBERS or size > min(MOST_BYTES, MOST_RATIO * packed_size):
        raise UserError(f"the archive would unpack to {len(infos):,} files of {size:,} bytes; it was not unpacked")
