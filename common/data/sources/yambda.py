"""Yambda (Ploshkin et al. 2025, arXiv:2505.22238): listens on Yandex Music, with the cut in time of its authors.

| layout of listens.parquet | columns |
|---|---|
| flat | uid, item_id, timestamp, is_organic, played_ratio_pct, track_length_seconds; sorted by uid and timestamp |
| sequential | uid, and a list of each user for every other column (`item_id` or `item_ids`, ...) |

Times are seconds from an undisclosed start in steps of 5, as uint32, of which differences wrap: they become int64
before anything is subtracted. Many events share a user and a time, so none counts as repeated. A track counts as heard
(Listen+) from half of it on. The cut: test is the last day, validation the day before, 30 minutes before each belong to
nothing; both keep the users of train alone, and items new in them stay.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from common.data.preparation.settings import PreparationSettings
from common.data.sources.large_logs import delimited
from common.data.sources.large_logs.large_files import LargeFile
from common.data.sources.large_logs.out_of_core import prepare_log
from common.data.sources.large_logs.pairs import add_up_pairs, sorted_users, spelled_items
from common.data.sources.large_logs.raw_files import RawFiles
from common.data.sources.large_logs.raw_log import RawLog
from common.data.sources.published import differences
from common.data.tables import Repair, Tables
from common.utils.errors import UserError

if TYPE_CHECKING:
    import polars as pl

ADDRESS = "https://huggingface.co/datasets/yandex/yambda/resolve/main"
ARTISTS = "artist_item_mapping.parquet"
COLUMNS = ("uid", "item_id", "timestamp", "is_organic", "played_ratio_pct", "track_length_seconds")
HEARD = 50
"""Percent of a track from which a listen counts."""
DAY, GAP, LAST = 86_400, 1_800, 26_000_000
TEST_FROM = LAST - DAY
VALID_UNTIL = TEST_FROM - GAP
VALID_FROM = VALID_UNTIL - DAY
TRAIN_UNTIL = VALID_FROM - GAP
CUT = {
    **{"train_until": TRAIN_UNTIL, "valid_from": VALID_FROM, "valid_until": VALID_UNTIL, "test_from": TEST_FROM},
    "gap_seconds": GAP,
}
CUTOFFS = (50, 100)
"""The authors report NDCG, Recall and Coverage at 10, 50 and 100; 10 is measured everywhere."""
PUBLISHED = {
    "50m": {
        **{"listens": 46_467_212, "users": 9_238, "listens of at least 50%": 29_439_278},
        **{"train": 29_135_186, "validation": 143_557, "test": 157_695},
    },
    "500m": {"listens": 466_512_103},
}
COUNTS = tuple(PUBLISHED["50m"])
EVERYBODY = 2**31 - 1
PREPARATION = PreparationSettings(
    earliest="none",
    test_from=TEST_FROM,
    valid_days=1.0,
    gap_minutes=30.0,
    deduplicate_events=False,
    bot_events_per_day=EVERYBODY,
    bot_steady=EVERYBODY,
    bot_repeats=EVERYBODY,
)
"""What makes the ten steps draw the same cut, and drop nothing as repeated or by a bot: the authors drop neither."""


def files_of(size: str) -> RawFiles:
    """The raw files of a size, 50m or 500m."""
    log = f"yambda/flat/{size}/listens.parquet"
    checksum = {"50m": "sha256:eed9cbd094af1e189507d2f8132a0dc9653b90e65480125c7cdccd601e0592d1"}
    bytes_of = {"50m": 369_110_332, "500m": 3_700_000_000}
    downloads = (
        LargeFile(f"{ADDRESS}/flat/{size}/listens.parquet", log, bytes_of[size], checksum.get(size, "")),
        LargeFile(f"{ADDRESS}/{ARTISTS}", f"yambda/{ARTISTS}", 100_000_000),
    )
    return RawFiles(f"yambda-{size}", (log,), downloads, (f"yambda/sequential/{size}/listens.parquet",))


FILES_50M, FILES_500M = files_of("50m"), files_of("500m")


def read_yambda_50m(data_dir: Path) -> Tables:
    """Read the listens, wherever they lie, as pairs of users and tracks with the time of the first listen.

    The cut stands in the notes, so that protocol `temporal` draws it. Staged files take about 0.5 GB below `data_dir`
    meanwhile. Raises UserError for a file that is missing, unreadable or of other columns.
    """
    import polars as pl

    with delimited.scratch(data_dir) as staged:
        log = stage_events(_listens(FILES_50M, data_dir), staged, PUBLISHED["50m"])
        names = ["artist_id"] if "artist_id" in log.events.collect_schema() else []
        rows = log.events.select("user_id", "timestamp", *names, item_id="track_id", weight=pl.lit(1, pl.Int32))
        users, items = sorted_users(rows), spelled_items(rows, names).rename(columns={"artist_id": "artist"})
        interactions = add_up_pairs(rows.drop(names), users, items["item_id"])
    return Tables(interactions, items, users.to_frame(), repairs=log.repairs, notes=log.notes())


def prepare_yambda_500m(data_dir: Path, folder: Path) -> None:
    """Prepare the listens, wherever they lie, by the ten steps: their pairs are too many for tables in memory."""

    def stage(out: Path) -> RawLog:
        return stage_events(_listens(FILES_500M, data_dir), out, PUBLISHED["500m"])

    prepare_log(stage, FILES_500M.fingerprint(data_dir) or "", folder, PREPARATION)


def no_tables(data_dir: Path) -> Tables:
    """Raises a UserError: a folder of matrix form stands for what does not fit."""
    raise UserError("the pairs of yambda-500m are too many for tables; delete what lies in its folder to prepare it")


def _listens(files: RawFiles, data_dir: Path) -> Path:
    """listens.parquet in the layout that is there."""
    return files.files(files.root(data_dir))[0]


def stage_events(path: Path, out: Path, published: dict[str, int]) -> RawLog:
    """Write the listens of train, valid and test to `events.parquet` in the folder `out`, in standard columns.

    published: the counts that the whole file has. What is left out - no listens, shorter ones, those in a gap or of
    users without train - is counted.
    """
    import polars as pl

    target = out / "events.parquet"
    with delimited.readable(path):
        listens = _flat(path)
        heard = listens.filter(pl.col("played_ratio_pct") >= HEARD).with_columns(part=_part())
        known = heard.filter(pl.col("part") == "train").select("uid").unique().collect(engine="streaming")
        rows = heard.filter(pl.col("part").is_not_null()).join(known.lazy(), on="uid", how="semi")
        _with_artists(rows.select(**_standard()), path).sink_parquet(target)
        counted = _count(listens, heard, known)
    events = pl.scan_parquet(target)
    kept = dict(events.group_by("part").len().collect(engine="streaming").iter_rows())
    parts = [kept.get(part, 0) for part in ("train", "valid", "test")]
    counts = dict(zip(COUNTS, (*counted[:3], *parts), strict=True))
    if not parts[0]:
        raise UserError(f"{path} holds no listen before second {TRAIN_UNTIL:,}, so nothing to train on; fetch it again")
    dropped = {
        "events that are no listens left out": counted[4],
        f"listens of less than {HEARD}% of a track left out": counts["listens"] - counts[COUNTS[2]],
        "listens in the gaps before validation and test left out": counted[3],
        "listens in validation and test of users without train left out": counts[COUNTS[2]] - counted[3] - sum(parts),
    }
    repairs = [Repair("interactions", what, rows) for what, rows in dropped.items() if rows]
    warnings = differences(path, counts, published)
    return RawLog(target, events, repairs, {path.name: counts}, warnings, cut=CUT)


def _flat(path: Path) -> "pl.LazyFrame":
    """The rows of either layout in `COLUMNS`, int64."""
    import polars as pl

    delimited.begin_reading(path)
    rows = pl.scan_parquet(path)
    schema = rows.collect_schema()
    plural = {f"{name.removesuffix('s')}s": name for name in COLUMNS if name not in schema}
    rows = rows.rename({theirs: ours for theirs, ours in plural.items() if theirs in schema})
    schema = rows.collect_schema()
    lacking = [name for name in COLUMNS if name not in schema]
    if lacking:
        raise UserError(f"{path}: column {lacking[0]} is missing among {', '.join(schema)}; fetch the file again")
    lists = [name for name in COLUMNS if isinstance(schema[name], pl.List)]
    rows = rows.select(COLUMNS)
    return (rows.explode(lists) if lists else rows).with_columns(pl.all().cast(pl.Int64))


def _part() -> "pl.Expr":
    """The part of each time; null within a gap."""
    import polars as pl

    time = pl.col("timestamp")
    return (
        pl.when(time < TRAIN_UNTIL)
        .then(pl.lit("train"))
        .when(time.is_between(VALID_FROM, VALID_UNTIL, closed="left"))
        .then(pl.lit("valid"))
        .when(time >= TEST_FROM)
        .then(pl.lit("test"))
    )


def _standard() -> "dict[str, pl.Expr]":
    """The columns under their standard names, ids as text."""
    import polars as pl

    return {
        "user_id": pl.col("uid").cast(pl.String),
        "track_id": pl.col("item_id").cast(pl.String),
        "timestamp": pl.col("timestamp"),
        "part": pl.col("part"),
        "duration_seconds": pl.col("track_length_seconds"),
        "played_ratio_pct": pl.col("played_ratio_pct"),
        "is_organic": pl.col("is_organic"),
    }


def _count(listens: "pl.LazyFrame", heard: "pl.LazyFrame", known: "pl.DataFrame") -> tuple[int, ...]:
    """Listens, their users, those heard, those heard in a gap, and events that are no listens."""
    import polars as pl

    ratio = pl.col("played_ratio_pct")
    all_rows = listens.select(
        ratio.is_not_null().sum().alias("listens"),
        pl.col("uid").filter(ratio.is_not_null()).n_unique().alias("users"),
        (ratio >= HEARD).sum().alias("heard"),
        ratio.is_null().sum().alias("others"),
    )
    n, users, n_heard, others = all_rows.collect(engine="streaming").row(0)
    gaps = heard.select(pl.col("part").is_null().sum()).collect(engine="streaming").item()
    return n, users, n_heard, gaps, others


def _with_artists(events: "pl.LazyFrame", path: Path) -> "pl.LazyFrame":
    """The events with `artist_id` where the file that says so lies beside; of several the one of the lowest number."""
    import polars as pl

    beside = next((folder / ARTISTS for folder in path.parents[:3] if (folder / ARTISTS).is_file()), None)
    if beside is None:
        return events
    artists = pl.scan_parquet(beside).select(pl.col("item_id", "artist_id").cast(pl.Int64))
    of_tracks = artists.group_by("item_id").agg(pl.col("artist_id").min()).select(pl.all().cast(pl.String))
    return events.join(of_tracks.rename({"item_id": "track_id"}), on="track_id", how="left", maintain_order="left")
