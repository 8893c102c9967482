"""The data sets by name: what `--dataset` may be, and which reader reads it.

Another data set is a file beside this one that reads its raw files into `Tables`, and a line of `SOURCES`.
"""

import logging
from collections import UserDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.data.manifest import read_manifest, settings_hash
from common.data.sources.lastfm_2k_files import LASTFM_FOLDER, SPOTIFY_FILE, find_sources, missing_sources
from common.data.synthetic.settings import SyntheticSettings
from common.data.tables import Tables
from common.utils.errors import UserError

if TYPE_CHECKING:
    from common.data.sources.large_logs.raw_files import RawFiles

log = logging.getLogger(__name__)

LASTFM, SYNTHETIC = "lastfm-2k", "synthetic"
DEDUPLICATED = "-deduplicated"
"""Ends the name of a data set whose artists have one spelling each: it has folders, splits and runs of its own."""


@dataclass(frozen=True)
class Source:
    """How a data set is read; both functions take the folder `--data-dir`, below whose raw/ the files lie."""

    read: Callable[[Path], Tables]
    fingerprint: Callable[[Path], str | None]
    """Hash of what is read, so that a change is noticed; None where only the prepared tables are at hand."""
    next_core: int = 1
    """Least events per user and per item in protocol `next`."""
    files: "RawFiles | None" = None
    """Where the files of a large log lie and come from."""
    prepare: Callable[[Path, Path], None] | None = None
    """Of a log too large for tables: prepares it, from below `--data-dir`, into a folder of matrix form."""
    read_deduplicated: Callable[[Path], Tables] | None = None
    """Reads with one spelling for each artist; None: `deduplicate` does it, once all is read."""
    cutoffs: tuple[int, ...] = ()
    """Cut-offs at which its authors report NDCG, Recall and Coverage, beside those of all data sets."""


def _lastfm_2k() -> Source:
    from common.data.sources.lastfm_2k_spotify import hash_sources, read_lastfm_2k

    return Source(
        read_lastfm_2k, hash_sources, next_core=5, read_deduplicated=partial(read_lastfm_2k, one_spelling=True)
    )


def _lastfm_360k() -> Source:
    from common.data.sources import lastfm_360k

    return Source(lastfm_360k.read_lastfm_360k, lastfm_360k.FILES.fingerprint, files=lastfm_360k.FILES)


def _lastfm_1k() -> Source:
    from common.data.sources import lastfm_1k

    return Source(lastfm_1k.read_lastfm_1k, lastfm_1k.FILES.fingerprint, files=lastfm_1k.FILES)


def _yambda_50m() -> Source:
    from common.data.sources import yambda

    files = yambda.FILES_50M
    return Source(yambda.read_yambda_50m, files.fingerprint, files=files, cutoffs=yambda.CUTOFFS)


def _yambda_500m() -> Source:
    from common.data.sources import yambda

    files, prepare = yambda.FILES_500M, yambda.prepare_yambda_500m
    return Source(yambda.no_tables, files.fingerprint, files=files, prepare=prepare, cutoffs=yambda.CUTOFFS)


class Sources(UserDict[str, Any]):
    """Sources by name; a reader is imported when it is looked up."""

    def __getitem__(self, name: str) -> Source:
        """The source of a name."""
        return self.data[name]()


SOURCES: Mapping[str, Source] = Sources(
    {
        LASTFM: _lastfm_2k,
        "lastfm-360k": _lastfm_360k,
        "lastfm-1k": _lastfm_1k,
        "yambda-50m": _yambda_50m,
        "yambda-500m": _yambda_500m,
    }
)
"""The real data sets by name."""


def without_mark(kind: str) -> tuple[str, bool]:
    """A `--dataset` value without the ending that asks for one spelling of each artist, and whether it had it.

    >>> without_mark("lastfm-2k-deduplicated"), without_mark("lastfm-2k")
    (('lastfm-2k', True), ('lastfm-2k', False))
    """
    plain = kind.removesuffix(DEDUPLICATED)
    known = plain in ("auto", *SOURCES, SYNTHETIC) or (not Path(kind).exists() and Path(plain).is_dir())
    return (plain, True) if known and plain != kind else (kind, False)


def source_of(kind: str, synthetic: SyntheticSettings, missing: str) -> Source:
    """The source that a `--dataset` value means: a name, the generator, or a folder of the user's own, of which
    `missing` says what becomes of rows without an id."""
    plain, marked = without_mark(kind)
    if plain == SYNTHETIC:
        from common.data.synthetic.generator import generate

        source = Source(lambda _: generate(synthetic), lambda _: settings_hash(synthetic))
    else:
        from common.data.sources.custom.folder import hash_folder, read_folder

        folder = Path(plain)
        source = SOURCES.get(plain) or Source(lambda _: read_folder(folder, missing), lambda _: hash_folder(folder))
    if not marked:
        return source
    from common.data.deduplication import deduplicate

    return replace(source, read=source.read_deduplicated or (lambda data_dir: deduplicate(source.read(data_dir))))


def is_at_hand(data_dir: Path, name: str = LASTFM) -> bool:
    """Whether a real data set can be had without the network: from its files or from its prepared tables."""
    plain, _ = without_mark(name)
    files = None if plain == LASTFM else SOURCES[plain].files  # of `lastfm-2k` no reader is imported for that
    found = find_sources(data_dir) if files is None else files.find(data_dir)
    return found is not None or read_manifest(data_dir / name) is not None


def choose_dataset(name: str, data_dir: Path, may_download: bool = False) -> str:
    """A `--dataset` value with `auto` decided, after an attempt to download a real data set if allowed.

    `auto` is `lastfm-2k` if its files or its prepared tables are there or can be downloaded, else `synthetic`, with
    a notice. Raises UserError where a real data set is given by name and cannot be had.
    """
    plain, marked = without_mark(name)
    real, mark = LASTFM if plain == "auto" else plain, DEDUPLICATED * marked
    if real not in SOURCES or is_at_hand(data_dir, real + mark):
        return real + mark
    from common.data.sources.download import download

    files, reason = SOURCES[real].files, "nothing was to be downloaded"
    if may_download:
        try:
            (files.download if files else download)(data_dir)
            return real + mark
        except UserError as failure:
            reason = str(failure)
    if plain != "auto":
        raise files.missing(data_dir, reason) if files else missing_sources(data_dir, reason)
    log.warning(
        "\n%s\n  NO REAL DATA: neither $MUSIC_DATA nor %s holds %s and %s,\n  and %s.\n"
        "  Going on with the generated data set 'synthetic'. Its figures say nothing about real listeners.\n%s",
        *("!" * 100, data_dir / "raw", LASTFM_FOLDER, SPOTIFY_FILE, reason, "!" * 100),
    )
    return SYNTHETIC + mark


def resolve_name(name: str, data_dir: Path, synthetic: SyntheticSettings | None = None) -> str:
    """The name of the data set, and of its folders, that a `--dataset` value means.

    A generator of another size or seed, every folder of one's own, and each of them with one spelling for every artist,
    has a name of its own: two never mix.
    """
    plain, marked = without_mark(choose_dataset(name, data_dir) if without_mark(name)[0] == "auto" else name)
    known, mark = [*SOURCES, SYNTHETIC], DEDUPLICATED * marked
    if plain == SYNTHETIC and synthetic not in (None, SyntheticSettings()):
        return f"{SYNTHETIC}-{synthetic.users}x{synthetic.items}-{settings_hash(synthetic)}{mark}"
    if plain in known:
        return plain + mark
    from common.data.sources.custom.folder import custom_name

    return custom_name(Path(plain), ["auto", *known]) + mark
