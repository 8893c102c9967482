import narwhals as nw
import polars as pl

from common.data.preparation import figures
from common.data.preparation.figures import described, size_of, total

EVENTS = pl.LazyFrame({"user": ["a", "b", "a"], "day": [3, 3, 4]})


def test_figures_of_a_table_in_this_process():
    counted = figures.figures(described(EVENTS).group_by("day").agg(nw.len().alias("n"))).sort("day")
    assert counted.rows() == [(3, 2), (4, 1)]
    assert (size_of(EVENTS), total(EVENTS, "day"), total(EVENTS.filter(day=9), "day")) == (3, 10, 0)
