"""The data sets by name: what `--dataset` may be, where their files lie, and which reader reads them."""

import hashlib
import logging
import os
from pathlib import Path

from common.data.manifest import read_manifest, settings_hash
from common.data.sources.custom.folder import fingerprint, own_name, read_own_folder
from common.data.sources.download import LASTFM_FOLDER, SPOTIFY_FILE, download
from common.data.sources.lastfm_2k_spotify import read_lastfm_spotify
from common.data.synthetic.generator import SyntheticSettings, generate
from common.data.tables import Tables
from common.utils.errors import UserError

log = logging.getLogger(__name__)


LASTFM, SYNTHETIC = "lastfm-2k", "synthetic"


def find_sources(data_dir: Path) -> tuple[Path, Path] | None:
    """Folder of the Last.fm files and the Spotify file, under `$MUSIC_DATA`, else `<data_dir>/raw`; None if absent."""
    named = os.environ.get("MUSIC_DATA")
    if named and not Path(named).is_dir():
        raise UserError(f"MUSIC_DATA names {named}, which is no folder; correct it or unset it")
    for root in [Path(named), data_dir / "raw"] if named else [data_dir / "raw"]:
        if (root / LASTFM_FOLDER).is_dir() and (root / SPOTIFY_FILE).is_file():
            return root / LASTFM_FOLDER, root / SPOTIFY_FILE
    return None


def is_at_hand(data_dir: Path) -> bool:
    """Whether `lastfm-2k` can be had without the network: from its files or from its prepared tables."""
    return find_sources(data_dir) is not None or read_manifest(data_dir / LASTFM) is not None


def choose_dataset(name: str, data_dir: Path, may_download: bool = False) -> str:
    """A `--dataset` value with `auto` decided, after an attempt to download `lastfm-2k` where that is wanted.

    `auto` is `lastfm-2k` if its files or its prepared tables are there or can be downloaded, else `synthetic`, with
    a notice. Raises UserError where `lastfm-2k` is asked for by name and cannot be had.
    """
    if name not in ("auto", LASTFM) or is_at_hand(data_dir):
        return LASTFM if name == "auto" else name
    reason = "nothing was to be downloaded"
    if may_download:
        try:
            download(data_dir)
            return LASTFM
        except UserError as failure:
            reason = str(failure)
    if name == LASTFM:
        raise missing_sources(data_dir, reason)
    log.warning(
        "\n%s\n  NO REAL DATA: neither $MUSIC_DATA nor %s holds %s and %s,\n  and %s.\n"
        "  Going on with the generated data set 'synthetic'. Its figures say nothing about real listeners.\n%s",
        *("!" * 100, data_dir / "raw", LASTFM_FOLDER, SPOTIFY_FILE, reason, "!" * 100),
    )
    return SYNTHETIC


def missing_sources(data_dir: Path, reason: str) -> UserError:
    """The error for real files that are not there, with the remedy."""
    return UserError(
        f"data set {LASTFM!r} needs {LASTFM_FOLDER}/ and {SPOTIFY_FILE} ({reason}): put them under "
        f"{data_dir / 'raw'} or point MUSIC_DATA at the folder that holds them, or choose --dataset synthetic"
    )


def resolve_name(name: str, data_dir: Path, synthetic: SyntheticSettings | None = None) -> str:
    """The name of the data set, and of its folders, that a `--dataset` value means.

    A generator of another size or seed, and every own folder, has a name of its own, so that two never mix.
    """
    name = choose_dataset(name, data_dir) if name == "auto" else name
    if name == SYNTHETIC and synthetic not in (None, SyntheticSettings()):
        return f"{SYNTHETIC}-{synthetic.users}x{synthetic.items}-{settings_hash(synthetic)}"
    return name if name in (LASTFM, SYNTHETIC) else own_name(Path(name), ["auto", LASTFM, SYNTHETIC])


def read_source(kind: str, data_dir: Path, synthetic: SyntheticSettings) -> Tables:
    """The tables of a data set, read from its raw files or generated."""
    if kind == SYNTHETIC:
        return generate(synthetic)
    if kind != LASTFM:
        return read_own_folder(Path(kind))
    sources = find_sources(data_dir)
    if sources is None:
        raise missing_sources(data_dir, "they are not there")
    return read_lastfm_spotify(*sources)


def source_hash(kind: str, data_dir: Path, synthetic: SyntheticSettings) -> str | None:
    """What the prepared tables were made from; None where only they are at hand."""
    if kind == SYNTHETIC:
        return settings_hash(synthetic)
    return _lastfm_source(data_dir) if kind == LASTFM else fingerprint(Path(kind))


def _lastfm_source(data_dir: Path) -> str | None:
    """Hash of the raw files, or None where only the prepared tables are at hand."""
    sources = find_sources(data_dir)
    if sources is None:
        return None
    digest = hashlib.sha256()
    for path in [*sorted(sources[0].glob("*.dat")), sources[1]]:
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()
