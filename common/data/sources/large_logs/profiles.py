"""The profiles that come with the logs of Last.fm: gender, age, country and day of registration of each user."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from common.data.sources.large_logs import delimited
from common.data.tables import Repair

if TYPE_CHECKING:
    import polars as pl

FIELDS = ("user_id", "gender", "age", "country", "registered")
YOUNGEST, OLDEST = 10, 90
"""Ages outside are made up (there are ages of -1337 and of 1,000) and count as missing."""


@dataclass
class Profile:
    """The users in the order asked for, with what is known of them; what was repaired; counts of the file."""

    path: Path
    users: pd.DataFrame
    """user_id, age (NaN where unknown), gender, country, registered (`2007-02-01`)."""
    repairs: list[Repair] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)


def read_profile(path: Path, user_ids: pd.Series) -> Profile:
    """What a profile file says of these users; a first line that begins with # is a header.

    Lines of another width are dropped; ages and days that cannot be are missing. All of it is counted.
    """
    import polars as pl

    rows = _stage(path)
    repairs = delimited.dropped(rows.lazy(), "users", path)
    known = delimited.sound(rows.lazy()).collect()
    once = known.unique("user_id", keep="first", maintain_order=True)
    wanted = once.filter(pl.col("user_id").is_in(pl.Series(user_ids.to_list(), dtype=pl.String)))
    counted = {
        "lines of a user repeated, the first kept": len(known) - len(once),
        "profiles of users without interactions left out": len(once) - len(wanted),
        "users without a profile added without features": len(user_ids) - len(wanted),
        f"ages outside {YOUNGEST} to {OLDEST}, or no number, made missing": int(wanted["age_lost"].sum()),
        "days of registration that are no date made missing": int(wanted["day_lost"].sum()),
    }
    repairs += [Repair("users", what, count) for what, count in counted.items() if count]
    users = pd.DataFrame({"user_id": user_ids}).merge(_frame(wanted), on="user_id", how="left")
    return Profile(path, users, repairs, {"lines": len(rows)})


def _stage(path: Path) -> "pl.DataFrame":
    """line, reason, FIELDS, and whether an age or a day was there and is not to be believed."""
    import polars as pl

    delimited.begin_reading(path)
    number = pl.col("age").str.strip_chars().cast(pl.Int64, strict=False)
    age = pl.when(number.is_between(YOUNGEST, OLDEST)).then(number)
    day = pl.col("registered").str.strip_chars().str.to_date("%b %e, %Y", strict=False)
    wrong = pl.col(FIELDS[-1]).is_null() | pl.col("extra").is_not_null() | (pl.col("user_id") == "")
    with delimited.readable(path):
        return (
            delimited.scan_fields(path, FIELDS)
            .filter((pl.col("line") > 1) | ~pl.col("user_id").str.starts_with("#"))
            .select(
                "line",
                pl.when(wrong).then(pl.lit(delimited.WIDTH)).alias("reason"),
                *("user_id", delimited.text("gender"), age.alias("known_age"), delimited.text("country")),
                day.dt.to_string("%Y-%m-%d").alias("known_day"),
                (age.is_null() & (pl.col("age") != "")).alias("age_lost"),
                (day.is_null() & (pl.col("registered") != "")).alias("day_lost"),
            )
            .collect(engine="streaming")
        )


def _frame(rows: "pl.DataFrame") -> pd.DataFrame:
    import polars as pl

    texts = {"user_id": "user_id", "gender": "gender", "country": "country", "registered": "known_day"}
    frame = pd.DataFrame({name: pd.Series(rows[column].to_list(), dtype="str") for name, column in texts.items()})
    frame.insert(1, "age", rows["known_age"].cast(pl.Float64).to_numpy())
    return frame
