"""docs/results.md shows what the published results hold."""

import json
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[1] / "docs"
PUBLISHED = json.loads((DOCS / "results" / "lastfm-2k.json").read_text(encoding="utf-8"))["protocols"]
ROWS = [line for line in (DOCS / "results.md").read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
AT_5, S99 = ("hr_5", "ndcg_5"), ("hr_5_sampled99", "ndcg_5_sampled99")
FIGURES = [
    *(("kNN", "item_knn", "next", keys) for keys in (AT_5, S99)),
    ("kNN", "item_knn", "listen", AT_5),
    *(("random forest", "forest", "next", keys) for keys in (AT_5, S99)),
    ("random forest", "forest", "listen", AT_5),
    *(("SASRec", "sasrec", "listen", keys) for keys in (AT_5, S99)),
    *(("the same, leave-one-out", "sasrec", "next", keys) for keys in (AT_5, S99)),
    *(("two-tower", "two_tower", "listen", keys) for keys in (AT_5, S99)),
    *(("the same, leave-one-out", "two_tower", "next", keys) for keys in (AT_5, S99)),
    *(("hybrid, NDCG@10", "hybrid_listnet", "listen", (key,)) for key in ("ndcg_10_sampled99", "ndcg_10")),
    ("hybrid, NDCG@10", "hybrid_listnet", "next", ("ndcg_10",)),
    ("hybrid, Precision", "hybrid_listnet", "listen", ("precision_10", "recall_10", "f1_10")),
    *(("hybrid, ILS", "hybrid_listnet", "listen", (f"ils_{space}_10",)) for space in ("audio", "tag", "genre")),
    ("hybrid, ILS", "hybrid_listnet+mmr", "listen", ("ils_tag_10",)),
    ("ensemble, Precision", "ensemble", "listen", ("precision_5", "precision_10")),
    ("ensemble, NDCG@10", "ensemble", "listen", ("ndcg_10",)),
]


@pytest.mark.parametrize(("start", "model", "protocol", "keys"), FIGURES)
def test_a_figure_is_the_published_one(start, model, protocol, keys):
    [published] = [r for r in PUBLISHED[protocol]["rows"] if (r["model"], r["preset"]) == (model, "tuned")]
    shown = " / ".join(f"{published[key]:.4f}" for key in keys)
    assert any(row.startswith(f"| {start}") and shown in row for row in ROWS), f"{shown} is not in a row of {start}"


LEAVE_ONE_OUT = (DOCS / "results" / "published.md").read_text(encoding="utf-8").split("## Leave-one-out")[1]


def test_rows_beside_those_of_others_are_the_published_ones():
    of = {row["model"]: row for row in PUBLISHED["next"]["rows"] if row["preset"] == "tuned"}
    rows = [line.strip("| ").split(" | ") for line in LEAVE_ONE_OUT.splitlines() if " | ours | " in line]
    assert {len(cells) for cells in rows} == {5}
    whole, sampled = rows[: len(rows) // 2], rows[len(rows) // 2 :]
    assert {cells[0] for cells in whole} == {cells[0] for cells in sampled} != set()
    for model, _, _, *shown in whole:
        row = of[model]
        interval = f"{row['ndcg_10']:.4f} ({row['ndcg_10_low']:.4f}–{row['ndcg_10_high']:.4f})"
        assert shown == [f"{row['hr_10']:.4f}", interval]
    for model, _, _, *shown in sampled:
        assert shown == [f"{of[model][key]:.4f}" for key in ("hr_5_sampled99", "hr_10_sampled99")]


def test_shares_and_counts_are_the_published_ones():
    tuned = {(p, r["model"]): r for p in ("listen", "next") for r in PUBLISHED[p]["rows"] if r["preset"] == "tuned"}
    [coverage] = [row for row in ROWS if row.startswith("| ensemble, coverage")]
    for protocol in ("listen", "next"):
        assert f"{tuned[protocol, 'ensemble']['coverage_10']:.1%}" in coverage
    [diversity] = [row for row in ROWS if row.startswith("| hybrid, diversity")]
    assert f" {tuned['listen', 'hybrid_listnet']['genre_diversity_10']:.2f} " in diversity


def test_predicted_plays_are_those_of_their_page():
    page = (DOCS / "results" / "plays.md").read_text(encoding="utf-8")
    [r2] = [row for row in ROWS if row.startswith("| plays, R²")]
    [rmse] = [row for row in ROWS if row.startswith("| plays, RMSE")]
    of = {
        line.split(" | ")[0].strip("| "): line.strip("| ").split(" | ") for line in page.splitlines() if "tuned" in line
    }
    assert of["hybrid_listnet"][4] in r2
    assert of["forest"][4] in r2
    assert " / ".join(of["hybrid_listnet"][2:4]) in rmse
    for start, group in (("newcomers' plays", "new users"), ("new items' plays", "new items")):
        [row] = [row for row in ROWS if row.startswith(f"| {start}")]
        [cells] = [line.split(" | ") for line in page.splitlines() if line.startswith(f"| {group} |")]
        assert cells[2].split()[0] in row
        assert cells[4].split()[0] in row
