"""Where the raw files of a public log lie, and what is said where they are missing."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from common.data.sources.large_logs.large_files import LargeFile, download_large
from common.utils.errors import UserError


@dataclass(frozen=True)
class RawFiles:
    """The raw files of one data set."""

    dataset: str
    needed: tuple[str, ...]
    """Files below `$MUSIC_DATA` or `<data_dir>/raw` without which it cannot be read."""
    downloads: tuple[LargeFile, ...]
    instead: tuple[str, ...] = ()
    """Files in another layout that do as well."""

    def find(self, data_dir: Path) -> Path | None:
        """The folder, `$MUSIC_DATA` or else `<data_dir>/raw`, that holds all files needed; None where neither does."""
        named = os.environ.get("MUSIC_DATA")
        if named and not Path(named).is_dir():
            raise UserError(f"MUSIC_DATA names {named}, which is no folder; correct it or unset it")
        roots = [Path(named)] if named else []
        return next((root for root in [*roots, data_dir / "raw"] if self.files(root)), None)

    def files(self, root: Path) -> list[Path]:
        """The files below a folder, in the layout that is there; none where one is missing."""
        layouts = [[root / name for name in names] for names in (self.needed, self.instead) if names]
        return next((paths for paths in layouts if all(path.is_file() for path in paths)), [])

    def root(self, data_dir: Path) -> Path:
        """The same; raises UserError where neither does."""
        root = self.find(data_dir)
        if root is None:
            raise self.missing(data_dir, "they are not there")
        return root

    def missing(self, data_dir: Path, reason: str) -> UserError:
        """The error for files that are not there, with the remedy."""
        lies = " and ".join(self.needed)
        size = sum(file.size for file in self.downloads) / 1e6
        return UserError(
            f"data set {self.dataset!r} needs {lies} ({reason}): let a stage download {size:,.0f} MB (without "
            f"--no-download), put them under {data_dir / 'raw'}, or point MUSIC_DATA at the folder that holds them"
        )

    def download(self, data_dir: Path) -> None:
        """Fetch what `<data_dir>/raw` lacks."""
        download_large(data_dir, self.downloads)

    def fingerprint(self, data_dir: Path) -> str | None:
        """What changes when a file does: names, sizes and times. None where the files are not there."""
        root = self.find(data_dir)
        return None if root is None else hash_states(self.files(root))


def hash_states(paths: Sequence[Path]) -> str:
    """SHA-256 of names, sizes and times of files: gigabytes are not read for it."""
    states = [f"{path.name} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in paths]
    return hashlib.sha256("\n".join(states).encode()).hexdigest()
