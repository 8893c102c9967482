"""The data sets by name: what `--dataset` may be, and which reader reads it.

Another data set is a file beside this one that reads its raw files into `Tables`, and a line of `SOURCES`.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from common.data.manifest import read_manifest, settings_hash
from common.data.sources import lastfm_1k, lastfm_360k, yambda
from common.data.sources.custom.folder import custom_name, hash_folder, read_folder
from common.data.sources.download import LASTFM_FOLDER, SPOTIFY_FILE, download
from common.data.sources.large_logs.raw_files import RawFiles
from common.data.sources.lastfm_2k_spotify import find_sources, hash_sources, missing_sources, read_lastfm_2k
from common.data.synthetic.generator import SyntheticSettings, generate
from common.data.tables import Tables
from common.utils.errors import UserError

log = logging.getLogger(__name__)

LASTFM, SYNTHETIC = "lastfm-2k", "synthetic"


@dataclass(frozen=True)
class Source:
    """How a data set is read; both functions take the folder `--data-dir`, below whose raw/ the files lie."""

    read: Callable[[Path], Tables]
    fingerprint: Callable[[Path], str | None]
    """Hash of what is read, so that a change is noticed; None where only the prepared tables are at hand."""
    next_core: int = 1
    """Least events per user and per item in protocol `next`."""
    files: RawFiles | None = None
    """Where the files of a large log lie and come from."""
    prepare: Callable[[Path, Path], None] | None = None
    """Of a log too large for tables: prepares it, from below `--data-dir`, into a folder of matrix form."""
    cutoffs: tuple[int, ...] = ()
    """Cut-offs at which its authors report NDCG, Recall and Coverage, beside those of all data sets."""


SOURCES = {
    LASTFM: Source(read_lastfm_2k, hash_sources, next_core=5),
    "lastfm-360k": Source(lastfm_360k.read_lastfm_360k, lastfm_360k.FILES.fingerprint, files=lastfm_360k.FILES),
    "lastfm-1k": Source(lastfm_1k.read_lastfm_1k, lastfm_1k.FILES.fingerprint, files=lastfm_1k.FILES),
    "yambda-50m": Source(
        yambda.read_yambda_50m, yambda.FILES_50M.fingerprint, files=yambda.FILES_50M, cutoffs=yambda.CUTOFFS
    ),
    "yambda-500m": Source(
        yambda.no_tables,
        yambda.FILES_500M.fingerprint,
        files=yambda.FILES_500M,
        prepare=yambda.prepare_yambda_500m,
        cutoffs=yambda.CUTOFFS,
    ),
}
"""The real data sets by name."""


def source_of(kind: str, synthetic: SyntheticSettings, missing: str) -> Source:
    """The source that a `--dataset` value means: a name, the generator, or a folder of the user's own, of which
    `missing` says what becomes of rows without an id."""
    if kind == SYNTHETIC:
        return Source(lambda _: generate(synthetic), lambda _: settings_hash(synthetic))
    return SOURCES.get(kind) or Source(lambda _: read_folder(Path(kind), missing), lambda _: hash_folder(Path(kind)))


def is_at_hand(data_dir: Path, name: str = LASTFM) -> bool:
    """Whether a real data set can be had without the network: from its files or from its prepared tables."""
    files = SOURCES[name].files
    found = find_sources(data_dir) if files is None else files.find(data_dir)
    return found is not None or read_manifest(data_dir / name) is not None


def choose_dataset(name: str, data_dir: Path, may_download: bool = False) -> str:
    """A `--dataset` value with `auto` decided, after an attempt to download a real data set if allowed.

    `auto` is `lastfm-2k` if its files or its prepared tables are there or can be downloaded, else `synthetic`, with
    a notice. Raises UserError where a real data set is given by name and cannot be had.
    """
    real = LASTFM if name == "auto" else name
    if real not in SOURCES or is_at_hand(data_dir, real):
        return real
    files, reason = SOURCES[real].files, "nothing was to be downloaded"
    if may_download:
        try:
            (files.download if files else download)(data_dir)
            return real
        except UserError as failure:
            reason = str(failure)
    if name != "auto":
        raise files.missing(data_dir, reason) if files else missing_sources(data_dir, reason)
    log.warning(
        "\n%s\n  NO REAL DATA: neither $MUSIC_DATA nor %s holds %s and %s,\n  and %s.\n"
        "  Going on with the generated data set 'synthetic'. Its figures say nothing about real listeners.\n%s",
        *("!" * 100, data_dir / "raw", LASTFM_FOLDER, SPOTIFY_FILE, reason, "!" * 100),
    )
    return SYNTHETIC


def resolve_name(name: str, data_dir: Path, synthetic: SyntheticSettings | None = None) -> str:
    """The name of the data set, and of its folders, that a `--dataset` value means.

    A generator of another size or seed, and every folder of one's own, has a name of its own: two never mix.
    """
    name = choose_dataset(name, data_dir) if name == "auto" else name
    if name == SYNTHETIC and synthetic not in (None, SyntheticSettings()):
        return f"{SYNTHETIC}-{synthetic.users}x{synthetic.items}-{settings_hash(synthetic)}"
    known = [*SOURCES, SYNTHETIC]
    return name if name in known else custom_name(Path(name), ["auto", *known])
