"""What stage 0 prints and draws of a data set."""

import pandas as pd
import pytest

from common.data.quality import quality_report
from common.reporting.stages.explore import (
    draw_dataset,
    print_duplicates,
    print_quality,
    print_splits,
    print_statistics,
)
from common.splits.statistics import describe, describe_splits
from tests.data.worlds import dataset, pairs, rich


def test_statistics_splits_and_quality_are_printed(tmp_path, caplog):
    data = dataset(tmp_path, pairs(a="p q r s t", b="p q r s u"))
    with caplog.at_level("INFO"):
        print_statistics(describe(data))
        print_splits(describe_splits(data, 0))
        print_quality(quality_report(data.tables))
    lines = {words[0]: words for record in caplog.records if (words := record.getMessage().split())}
    assert lines["density"] == ["density", "0.8333"]
    assert lines["interactions"][1:4] == ["10", "3", "0"], "the last of that name is the table of the quality report"
    assert lines["listen"][1:6] == ["2", "6", "6", "2", "2"]
    assert lines["temporal"][1:3] == ["not", "possible:"]


def test_a_column_with_gaps_is_named_worst_first(tmp_path, caplog):
    with caplog.at_level("INFO"):
        print_quality(quality_report(rich(tmp_path).tables))
    [items] = [record.getMessage() for record in caplog.records if record.getMessage().split()[:1] == ["items"]]
    assert "danceability 4.2%" in items
    assert items.endswith(", ...")


def test_spellings_of_artists_are_counted_and_listed(tmp_path, caplog):
    counts = {"spellings": 1_234, "same_key": 3, "near_spelling": 2, "only_listed": 5, "artists": 1_229}
    with caplog.at_level("INFO"):
        print_duplicates(counts, pd.DataFrame({"artist": ["a"]}), tmp_path / "pairs.parquet")
    assert "names of artists                                    1,234" in caplog.text
    assert "artists that --deduplicate leaves                   1,229" in caplog.text
    assert pd.read_parquet(tmp_path / "pairs.parquet")["artist"].tolist() == ["a"]


@pytest.mark.rendered
def test_every_figure_that_the_data_has_something_for_is_drawn(tmp_path):
    data = rich(tmp_path / "data")
    statistics = describe(data) | {"splits": describe_splits(data, 0), "quality": quality_report(data.tables)}
    figures = draw_dataset(data, statistics, tmp_path / "figures")
    assert all(path.stat().st_size > 1000 for path in figures)
    assert {"activity", "popularity", "content", "timeline", "quality"} <= {path.stem for path in figures}
    bare = dataset(tmp_path / "bare", pairs(a="p q r s t", b="p q r s u"))
    statistics = describe(bare) | {"splits": describe_splits(bare, 0), "quality": quality_report(bare.tables)}
    drawn = draw_dataset(bare, statistics, tmp_path / "of_bare")
    assert {path.stem for path in drawn} == {"activity", "popularity", "cold_start"}
    assert sorted((tmp_path / "of_bare").iterdir()) == sorted(drawn)
    statistics |= {"splits": {"next": {"impossible": "no dates"}}}
    assert "cold_start" not in {path.stem for path in draw_dataset(bare, statistics, tmp_path / "of_none")}
