"""Small hand-made files in the formats of the large public logs, their odd rows among them."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

A, B, C = (f"{number:040x}" for number in (10, 3, 7))
"""Users of Last.fm-360K, out of order."""
U2, T1 = "a3cb23fc-acd3-4ce0-8f36-1e5aa6a18432", "e8f70201-8899-3f0c-9e07-5d6495bc8046"
PLAYS = (
    f"{A}\t{U2}\tu2\t31\n"
    f'{A}\t\t"weird al" yankovic\t9\n'
    f'{A}\t\t"Weird Al" Yankovic\t3\n'  # the same artist once more
    f"{B}\t{U2}\tU2!\t40\n"
    f"{B}\t\tbad\rname\t2\n"  # a bare CR within a name
    "sep 20, 2008\t7e54d133-2525-4bc0-ae94-65584145a386\tandrew bird\t1\n"
    f"{C}\t\t\t7\n"
    f"{C}\t{U2}\tu2\t0\n"
    f"{C}\t{U2}\tu2\tmany\n"
    f"{C}\tonly two fields\n"
    f"{C}\t\tNA\t5"  # a band of that name, and no LF at the end
)
PROFILES_360K = (
    f"{A}\tm\t19\tMexico\tFeb 1, 2007\n"
    f"{B}\t\t-1337\t\tApr 28, 2008\n"
    f"{B}\tf\t20\tJapan\tApr 29, 2008\n"
    f"{C}\tf\t91\tGermany\tthe day before\n"
    f"{'f' * 40}\tm\t22\tGermany\tJan 1, 2008\n"
    "a line of one field\n"
)
LOG_1K = (
    f'user_000001\t2009-05-04T23:08:57Z\t{U2}\tDeep Dish\t{T1}\tFamous "Pacha\n'
    f'user_000001\t2009-05-04T23:08:57Z\t{U2}\tDeep Dish\t{T1}\tFamous "Pacha\n'  # the same line twice
    f"user_000001\t2009-05-03T23:08:57Z\t{U2}\tDeep Dish\t{T1}\tFamous\n"
    f"user_000001\t2008-05-03T23:08:57Z\t{U2}\tDeep Dish\t{T1}\tFamous\n"
    "user_000002\t2008-05-03T23:08:57Z\t\tOld\rName\t\tThe Title\n"
    "user_000002\t2008-05-04T23:08:57Z\t\told\rname\t\tThe title\n"
    "user_000002\t2013-05-04T23:08:57Z\t\tOld\t\tx\n"
    "user_000002\t2001-12-31T23:59:59Z\t\tOld\t\tx\n"
    "user_000002\t2008-12-31 23:59:59\t\tOld\t\tx\n"
    "user_000002\t2008-12-31T23:59:59Z\t\tOld\t\t\n"
    f"user_000002\t2008-12-31T23:59:59Z\t\tOld\t{U2}\t\n"  # an id without a title
    "user_000002\t2008-12-31T23:59:59Z\t\tOld\n"
)
PROFILES_1K = (
    "#id\tgender\tage\tcountry\tregistered\nuser_000001\tm\t\tJapan\tAug 13, 2006\nuser_000002\tf\t103\t\tFeb 4, 2006\n"
)
LISTENS = (
    # uid, item_id, timestamp, is_organic, played_ratio_pct, track_length_seconds
    (100, 7, 0, 1, 100, 200),
    (100, 7, 0, 1, 100, 200),  # the same user, track and time: two listens
    (100, 22, 5, 0, 49, 200),  # not quite half of it
    (100, 22, 10, 0, 50, 200),
    (100, 8, 25_823_595, 1, 99, 10),  # the last of train
    (100, 9, 25_823_600, 1, 99, 10),  # a gap
    (100, 10, 25_825_395, 1, 99, 10),
    (100, 11, 25_825_400, 1, 99, 10),  # the first of validation, of a track that is new
    (100, 12, 25_911_795, 1, 159, 10),  # the last, played more than once
    (100, 13, 25_911_800, 1, 99, 10),  # a gap
    (100, 13, 25_913_595, 1, 99, 10),
    (100, 14, 25_913_600, 1, 99, 10),  # the first of test
    (100, 7, 26_000_000, 1, 99, 10),  # known from train
    (200, 7, 25_825_400, 1, 99, 10),  # somebody without train
    (200, 7, 26_000_000, 1, 99, 10),
    (300, 7, 4_000, 1, None, None),  # no listen
    (300, 7, 4_005, 1, 70, 10),
)


def write_text(path: Path, text: str) -> Path:
    """Write a file with the line ends as they stand."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    return path


def write_360k(raw: Path, plays: str = PLAYS, profiles: str = PROFILES_360K) -> Path:
    """Both files below raw/."""
    folder = raw / "lastfm-dataset-360K"
    write_text(folder / "usersha1-artmbid-artname-plays.tsv", plays)
    write_text(folder / "usersha1-profile.tsv", profiles)
    return folder


def write_1k(raw: Path, log: str = LOG_1K, profiles: str = PROFILES_1K) -> Path:
    """Both files below raw/."""
    folder = raw / "lastfm-dataset-1K"
    write_text(folder / "userid-timestamp-artid-artname-traid-traname.tsv", log)
    write_text(folder / "userid-profile.tsv", profiles)
    return folder


def listens(rows: Iterable[tuple[Any, ...]] = LISTENS) -> Any:
    """A frame in the flat layout, in the types of the published files."""
    import polars as pl

    types = (pl.UInt32, pl.UInt32, pl.UInt32, pl.UInt8, pl.UInt16, pl.UInt32)
    names = ("uid", "item_id", "timestamp", "is_organic", "played_ratio_pct", "track_length_seconds")
    return pl.DataFrame(list(rows), orient="row", schema=dict(zip(names, types, strict=True)))


def write_yambda(raw: Path, frame: Any = None, layout: str = "flat", size: str = "50m") -> Path:
    """listens.parquet below raw/."""
    path = raw / "yambda" / layout / size / "listens.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    (listens() if frame is None else frame).write_parquet(path)
    return path
