"""The ledger of a generated log equals what counting in its files finds, with pandas and without a draw."""

import numpy as np
import pandas as pd
import pytest

from common.data.artist_names import artist_key
from common.data.synthetic.raw.ledger import count, find_cut
from common.data.synthetic.raw.logs import generate_logs
from common.data.synthetic.raw.world import build_world
from tests.data.synthetic.raw.small_log import SETTINGS, read_log

PAIR = ["user_id", "track_id"]


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> tuple[dict, pd.DataFrame]:
    """The ledger, and the rows of all files in the order of time with the rule that each breaks."""
    folder = tmp_path_factory.mktemp("ledger") / "raw"
    ledger = generate_logs(SETTINGS, folder)
    rows = read_log(build_world(SETTINGS), folder)
    said = rows["played_at"]
    broken = {
        "user_missing": rows["user_id"].isna(),
        "track_missing": rows["track_id"].isna() & rows["track_name"].isna(),
        "time_missing": said.isna(),
        "time_unreadable": said.notna() & rows["time"].isna(),
        "time_out_of_range": (rows["time"] < 631_152_000) | (rows["time"] > 4_102_444_800),
        "plays_invalid": ~(rows["plays"] > 0),
    }
    found = np.select([mask.fillna(False).to_numpy(bool) for mask in broken.values()], list(broken), "")
    return ledger, rows.assign(broken=found)


@pytest.fixture(scope="module")
def valid(made) -> pd.DataFrame:
    """The rows that are whole, with their part and the key of the artist."""
    ledger, rows = made
    whole = rows[rows["broken"] == ""].sort_values("time", ignore_index=True)
    cut = ledger["cut"]
    part = (whole["time"] >= cut["valid_from"]).astype(int) + (whole["time"] >= cut["test_from"]).astype(int)
    return whole.assign(part=part, artist=whole["artist_name"].map(artist_key))


@pytest.fixture(scope="module")
def people(valid) -> pd.DataFrame:
    """Events of persons, each once."""
    once = valid.drop_duplicates(["user_id", "track_id", "time"])
    return once[~once["user_id"].isin(odd_users(once)["user_id"])]


def odd_users(once: pd.DataFrame) -> pd.DataFrame:
    """user_id, rule, events of those who are no persons, by what their events in train look like."""
    train = once[once["part"] == 0]
    day = train.groupby(["user_id", train["time"] // 86_400])["plays"].sum()
    busy = day[day > 2_000].index.get_level_values(0)
    gaps = train.sort_values(["user_id", "time"]).groupby("user_id")["time"].diff().dropna()
    per_user = gaps.groupby(train["user_id"]).agg(lambda gap: gap.value_counts().iloc[0] / len(gap))
    steady = per_user[(per_user >= 0.95) & (train.groupby("user_id").size() >= 500)].index
    of_track = train.groupby(PAIR)["plays"].sum()
    often = of_track[of_track > 20_000].index.get_level_values(0)
    events = once.groupby("user_id").size()
    rules = {"events_per_day": busy, "steady": steady, "one_track": often}
    found = [(user, rule, events[user]) for rule, users in rules.items() for user in set(users)]
    return pd.DataFrame(found, columns=["user_id", "rule", "events"])


def test_rows_and_broken_rows(made):
    ledger, rows = made
    assert ledger["scan"]["rows"] == len(rows) == pytest.approx(SETTINGS.events, rel=0.01)
    found = rows.loc[rows["broken"] != "", "broken"].value_counts().to_dict()
    assert ledger["validate"] == {"dropped": found, "rows": int((rows["broken"] == "").sum())}
    assert set(found) == {"user_missing", "track_missing", "time_missing", "time_unreadable", "time_out_of_range"} | {
        "plays_invalid"
    }


def test_the_cut_and_its_parts(made, valid):
    ledger, times = made[0], valid["time"].to_numpy()
    assert ledger["cut"] == {"valid_from": times[int(0.8 * len(times))], "test_from": times[int(0.9 * len(times))]}
    assert list(ledger["normalise_timestamps"].values()) == valid["part"].value_counts().sort_index().tolist()


def test_names(made, valid):
    ledger = made[0]["canonical_ids"]
    assert ledger["artists"] == {"spellings": valid["artist_name"].nunique(), "ids": valid["artist"].nunique()}
    assert ledger["artists"]["spellings"] > 1.5 * ledger["artists"]["ids"]
    assert ledger["genres"] == {"spellings": valid["genre"].nunique(), "ids": valid["genre"].str.lower().nunique()}
    albums = valid.groupby(["artist", "album_name"]).ngroups
    assert ledger["albums"] == {"spellings": valid["album_name"].nunique(), "ids": albums}
    assert ledger["tracks"] == valid["track_id"].nunique()


def test_repeated_events(made, valid):
    once = valid.drop_duplicates(["user_id", "track_id", "time"])
    assert made[0]["deduplicate_events"] == {"dropped": len(valid) - len(once), "rows": len(once)}
    twice = valid[valid.duplicated(["user_id", "track_id", "time"], keep=False)]
    files = twice.groupby(["user_id", "track_id", "time"])["file"].nunique()
    assert {1, 2} == set(files)


def test_misspelt_artists(made, valid):
    plays = valid[valid["part"] == 0].groupby("artist")["plays"].sum()
    merged = 0
    for artist, often in plays.items():
        typo = f"{artist[:-2]}{artist[-2]}{artist[-2:]}"
        if typo in plays:
            low, high = sorted([plays[typo], often])
            merged += low <= 0.2 * high
    assert made[0]["deduplicate_artists"]["merged"] == merged > 0


def test_versions_of_works(made, valid):
    tracks = valid[valid["artist_name"].map(len) > 0].drop_duplicates("track_id")
    title = tracks["track_name"].str.replace(r" (?:\((?!Part)[^)]*\)|\[[^]]*\]|- .*)$", "", regex=True)
    sizes = tracks.groupby([tracks["artist"], title]).size().value_counts()
    assert made[0]["group_work_versions"] == {
        "groups": int(sizes.sum()),
        "sizes": {str(size): int(n) for size, n in sizes.sort_index().items()},
    }
    assert len(sizes) == 3
    assert title.str.contains(r"\(Part II\)").any()


def test_users_who_are_no_persons(made, valid):
    odd = odd_users(valid.drop_duplicates(["user_id", "track_id", "time"]))
    by_rule = odd.groupby("rule")["events"].agg(users="size", events="sum")
    assert made[0]["filter_bots"] == pd.DataFrame(by_rule).to_dict("index")
    assert len(by_rule) == 3


def test_pairs_of_every_part(made, people):
    pairs = people.groupby([*PAIR, "part"]).size().rename("plays").reset_index()
    new = pairs.sort_values("part").drop_duplicates(PAIR)
    for number, part in enumerate(("train", "valid", "test")):
        of_part = pairs[pairs["part"] == number]
        assert made[0]["aggregate_interactions"][part] == {
            "pairs": len(of_part),
            "new_pairs": int((new["part"] == number).sum()),
            "plays": int(of_part["plays"].sum()),
        }


def test_users_and_items_that_are_left(made, people):
    train = people[people["part"] == 0]
    assert made[0]["write_tables"] == {
        "users": people["user_id"].nunique(),
        "users_in_train": train["user_id"].nunique(),
        "items": people["track_id"].nunique(),
        "items_in_train": train["track_id"].nunique(),
    }
    assert train["track_id"].nunique() < people["track_id"].nunique()
    assert train["user_id"].nunique() < people["user_id"].nunique()


def test_another_cut_moves_events_and_no_names(made):
    world = build_world(SETTINGS)
    valid_from, test_from = find_cut(world, (0.5, 0.6))
    ledger = count(world, (valid_from, test_from))
    assert ledger["canonical_ids"] == made[0]["canonical_ids"]
    assert ledger["normalise_timestamps"]["train"] == int(0.5 * made[0]["validate"]["rows"])
    assert ledger["aggregate_interactions"]["train"]["plays"] < made[0]["aggregate_interactions"]["train"]["plays"]
