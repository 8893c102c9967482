import polars as pl

from common.data.preparation.steps.group_work_versions import group_work_versions
from tests.data.preparation.raw_logs import columns, workspace, written

TRACKS = [
    # item_id, name, artist, same_as, group
    ("radiohead | creep", "Creep", 0, 0, "radiohead | creep"),
    ("radiohead | creep live", "Creep (Live)", 0, 1, "radiohead | creep"),
    ("7", "Creep - 2008 Remaster", 0, 2, "radiohead | creep"),  # with an id: the same work
    ("radiohed | creep", "Creep", 1, 0, "radiohead | creep"),  # of a near spelling
    ("radiohed | lotus", "Lotus [Mono]", 1, 4, "radiohead | lotus"),
    ("muse | creep", "Creep", 2, 5, "muse | creep"),  # a cover
    ("8", "8", 2, 6, "8"),  # without a name
    ("9", "Creep", -1, 7, "9"),  # without an artist
]


def test_versions_share_a_group(tmp_path):
    table = pl.DataFrame([row[:4] for row in TRACKS], ["item_id", "name", "artist", "same_as"], orient="row")
    artists = {"key": ["radiohead", "radiohed", "muse"], "same_as": [0, 0, 2]}
    work = workspace(tmp_path, tracks=table, artists=artists)
    outcome = group_work_versions(work)
    assert columns(written(work, "tracks"), "track_group_id") == [row[4] for row in TRACKS]
    assert (outcome.rows_in, outcome.rows_out) == (7, 5)
    assert outcome.notes == {"groups_of_several": 1}
