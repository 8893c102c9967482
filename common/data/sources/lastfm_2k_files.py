"""Where the files of `lastfm-2k` lie: found without an import of what reads them."""

import os
from pathlib import Path

from common.utils.errors import UserError

LASTFM_FOLDER, SPOTIFY_FILE = "hetrec2011-lastfm-2k", "spotify/spotify_songs.csv"
"""Below `$MUSIC_DATA` or raw/."""


def find_sources(data_dir: Path) -> tuple[Path, Path] | None:
    """Folder of the Last.fm files and the Spotify file, under `$MUSIC_DATA`, else `<data_dir>/raw`; None if absent."""
    named = os.environ.get("MUSIC_DATA")
    if named and not Path(named).is_dir():
        raise UserError(f"MUSIC_DATA names {named}, which is no folder; correct it or unset it")
    for root in [Path(named), data_dir / "raw"] if named else [data_dir / "raw"]:
        if (root / LASTFM_FOLDER).is_dir() and (root / SPOTIFY_FILE).is_file():
            return root / LASTFM_FOLDER, root / SPOTIFY_FILE
    return None


def missing_sources(data_dir: Path, reason: str) -> UserError:
    """The error for raw files that are not there, with the remedy."""
    roots = [Path(os.environ.get("MUSIC_DATA") or data_dir / "raw"), data_dir / "raw"]
    for archive in (path for root in roots for path in sorted(root.glob("*.zip"))):
        reason = f"{archive} is there, but packed: unpack it to {archive.parent / LASTFM_FOLDER}/"
        break
    return UserError(
        f"data set 'lastfm-2k' needs {LASTFM_FOLDER}/ and {SPOTIFY_FILE} ({reason}): put them under "
        f"{data_dir / 'raw'} or point MUSIC_DATA at the folder that holds them, or choose --dataset synthetic"
    )
