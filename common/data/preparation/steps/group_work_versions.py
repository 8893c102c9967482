"""Step 7: versions of one work - remasters, live recordings, edits - share a group: no list is to hold two of them."""

from typing import TYPE_CHECKING

from common.data.preparation.steps.canonical_ids import BETWEEN
from common.data.preparation.workspace import Outcome, Workspace
from common.data.track_titles import title_key, work_title

if TYPE_CHECKING:
    pass


def group_work_versions(work: Workspace) -> Outcome:
    """Write `tracks` with `track_group_id`: the keys of the artist and of the title without its version.

    A track without a name or an artist is a group of its own, named after its id. Tracks that are another one
    (`same_as`) are in that one's group. Rows out: the groups.
    """
    import numpy as np
    import polars as pl

    tracks, artists = work.read("tracks"), work.read("artists")
    key_of = np.array([*artists["key"].gather(artists["same_as"].cast(pl.UInt32)), ""], object)
    keys = key_of[tracks["artist"].to_numpy()]
    names = {name: title_key(work_title(name)) for name in tracks["name"].unique().sort()}
    known = (tracks["artist"] >= 0) & (tracks["name"] != tracks["item_id"])
    groups = pl.Series(
        [
            f"{key}{BETWEEN}{names[name]}" if has_name else item
            for key, name, item, has_name in zip(keys, tracks["name"], tracks["item_id"], known, strict=True)
        ],
        dtype=pl.String,
    )
    groups = groups.gather(tracks["same_as"].cast(pl.UInt32))
    work.write("tracks", tracks.with_columns(track_group_id=groups))
    left = tracks.with_columns(group=groups).filter(pl.col("same_as") == pl.int_range(pl.len()))
    sizes = left.group_by("group").len()
    return Outcome(len(left), len(sizes), notes={"groups_of_several": int((sizes["len"] > 1).sum())})
