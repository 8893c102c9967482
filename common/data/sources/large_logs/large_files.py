"""Large files from their public addresses: a transfer that breaks off goes on where it was, now or at the next start.

What has come lies beside its place as `<name>.part`. It takes its place only once its checksum is the published one.
"""

import hashlib
import logging
import sys
import tarfile
import tempfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Any

from tqdm import tqdm

from common.data.sources.download import PATIENCE, Progress, supervise
from common.utils.errors import UserError
from common.utils.io import display, free_bytes
from common.utils.temporary import prefix

BLOCK = 2**20
CHUNK = 2**16
"""Bytes after which progress is noted: few enough to come within `PATIENCE` on a slow line."""
BROKE_OFF = "the transfer broke off"
LINKED = "X-Linked-Etag"
"""Header in which Hugging Face gives the SHA-256 of a large file."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LargeFile:
    """A file to fetch: where from, where to (below raw/), and the checksum that proves it."""

    url: str
    target: str
    """The file; of an archive the folder that receives its members."""
    size: int
    """Bytes of the transfer, as published."""
    checksum: str = ""
    """`md5:...` or `sha256:...`; empty: the one that the server gives."""
    members: Mapping[str, str] = field(default_factory=dict)
    """Of a .tar.gz: the files to keep, by name, and the MD5 of each. Without any, the file is kept as it comes."""
    unpacked: int = 0
    """Bytes of the members together."""


def download_large(data_dir: Path, files: tuple[LargeFile, ...], patience: float = PATIENCE) -> None:
    """Fetch those of the files that `<data_dir>/raw` lacks.

    Raises UserError with the reason where the disk is too small (before anything is fetched), the transfer fails (what
    has come is kept for the next start) or the content is not the published one (nothing is kept).
    """
    lacking = [file for file in files if not (data_dir / "raw" / file.target).exists()]
    try:
        for file in lacking:
            target = data_dir / "raw" / file.target
            target.parent.mkdir(parents=True, exist_ok=True)
            _check_disk(file, target)
            log.info("downloading %s (%s)", file.url, _megabytes(file.size))
            _install(file, target, patience)
            log.info("  kept as %s", display(target))
    except OSError as error:
        where = data_dir / "raw"
        raise UserError(f"cannot write below {where}: {error.strerror or error}; free some space or mend it") from error


def _check_disk(file: LargeFile, target: Path) -> None:
    needed = file.size - _size(_part(target)) + file.unpacked
    free = free_bytes(target)
    if free < needed:
        raise UserError(
            f"{file.url} needs {_megabytes(needed)} below {target.parent}, where {_megabytes(free)} are free; free "
            "some space or choose another --data-dir"
        )


def _install(file: LargeFile, target: Path, patience: float) -> None:
    part = _part(target)
    if not (file.checksum and part.exists() and hash_file(part, file.checksum) == file.checksum):
        told = fetch_resumed(file.url, part, 2 * file.size + BLOCK, patience)
        _check_content(file.url, part, file.checksum or told)
    if file.members:
        _unpack_to(part, target, file.members)
        part.unlink()
    else:
        part.replace(target)


def _check_content(url: str, part: Path, checksum: str) -> None:
    """Delete what is not the published file and say so; say, too, where nothing tells whether it is."""
    if not checksum:
        log.warning("%s came without a checksum: only its length was checked", url)
        return
    found = hash_file(part, checksum)
    if found != checksum:
        part.unlink()
        raise UserError(
            f"{url} sent other content than was published ({found} instead of {checksum}); nothing of it was kept, "
            "start again"
        )


def _part(target: Path) -> Path:
    return target.with_name(f"{target.name}.part")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def fetch_resumed(url: str, part: Path, most: int, patience: float = PATIENCE) -> str:
    """Append to `part` what it still lacks of what `url` sends; returns `sha256:...` where the server gives it, or "".

    A connection that is cut is made again as long as each brings something. Raises UserError with the reason.
    """
    while True:
        before = _size(part)
        try:
            return _fetch_rest(url, part, most, patience)
        except UserError as failure:
            if str(failure).endswith(BROKE_OFF) and _size(part) > before:
                continue
            raise UserError(f"{failure}; {_size(part):,} bytes are kept, start again to go on from there") from failure


def _fetch_rest(url: str, part: Path, most: int, patience: float) -> str:
    progress, told = Progress(part.name.removesuffix(".part"), most), ""
    with part.open("ab") as file:
        begun = file.tell()

        def begin(response: Any, *_: Any, **__: Any) -> None:
            nonlocal told
            told = response.headers.get(LINKED, told).strip('"')
            if response.status_code == 200:  # the whole file, whatever was asked for
                file.truncate(0)

        def transfer() -> None:
            from pooch import HTTPDownloader

            asked = {"Range": f"bytes={begun}-", "Accept-Encoding": "identity"}
            hooks = {"response": begin}
            downloader = HTTPDownloader(progress, CHUNK, timeout=patience, headers=asked, hooks=hooks)
            downloader(url, _While(progress, file), None)

        try:
            supervise(url, transfer, progress, patience)
        except UserError as failure:
            # Nothing is left to send of a file that had come whole.
            if not (begun and str(failure).endswith("the server answered 416")):
                raise
    return f"sha256:{told}" if told else ""


class _While:
    """A file that takes bytes until the transfer is given up: what comes later must not mix with another's."""

    def __init__(self, progress: Progress, file: IO[bytes]) -> None:
        self.progress, self.file = progress, file

    def write(self, chunk: bytes) -> None:
        """Append the bytes."""
        if self.progress.given_up:
            raise UserError("given up")
        self.file.write(chunk)

    def flush(self) -> None:
        """pooch asks for it after each chunk; what is appended is flushed when the file is closed."""


def hash_file(path: Path, kind: str) -> str:
    """The checksum of a file, of the kind that `md5:...` or `sha256:...` names, written in the same way."""
    name = kind.partition(":")[0]
    with path.open("rb") as file:
        return f"{name}:{hashlib.file_digest(file, name).hexdigest()}"


def _unpack_to(archive: Path, folder: Path, members: Mapping[str, str]) -> None:
    """Unpack the members into a new folder, checked by MD5, which then takes its place."""
    with tempfile.TemporaryDirectory(prefix=prefix("unpacked"), dir=folder.parent, ignore_cleanup_errors=True) as name:
        fresh = Path(name) / folder.name
        fresh.mkdir()
        unpack(archive, fresh, members)
        fresh.replace(folder)


def unpack(archive: Path, folder: Path, members: Mapping[str, str]) -> None:
    """Write the named files of a .tar.gz, wherever they lie in it, into a folder.

    Raises UserError for what is no such archive, lacks a file, or holds one of another MD5.
    """
    lacking = dict(members)
    try:
        with tarfile.open(archive, "r:gz") as opened:
            for info in opened:
                name = PurePosixPath(info.name).name
                content = opened.extractfile(info) if info.isfile() and name in lacking else None
                if content is not None:
                    found, published = _copy(content, folder / name, info.size), lacking.pop(name)
                    if found != published:
                        raise UserError(f"{name} is not the published file (MD5 {found} instead of {published})")
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        if isinstance(error, OSError) and error.errno:
            raise
        raise UserError(f"{archive} is damaged, no readable .tar.gz ({error}); delete it and start again") from error
    if lacking:
        raise UserError(f"{archive} lacks {', '.join(lacking)}; delete it and start again")


def _copy(content: IO[bytes], path: Path, size: int) -> str:
    """Write a stream to a file; returns its MD5."""
    digest = hashlib.md5(usedforsecurity=False)
    bar = tqdm(desc=path.name, total=size, unit="B", unit_scale=True, leave=False, disable=not sys.stderr.isatty())
    with bar, path.open("wb") as file:
        for block in iter(partial(content.read, BLOCK), b""):
            digest.update(block)
            file.write(block)
            bar.update(len(block))
    return digest.hexdigest()


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"
