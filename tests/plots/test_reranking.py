from common.plots.reranking import trade_offs
from tests.plots.pictures import texts

BASE = {"ndcg_10": 0.3, "coverage_10": 0.1, "novelty_10": 4.0}
ROWS = [
    {"method": "mmr", "strength": 0.1, "chosen": False, "ndcg_10": 0.29, "coverage_10": 0.12, "novelty_10": 4.1},
    {"method": "mmr", "strength": 0.5, "chosen": True, "ndcg_10": 0.25, "coverage_10": 0.2, "novelty_10": 4.5},
    {"method": "novelty", "strength": 1.0, "chosen": False, "ndcg_10": 0.2, "coverage_10": 0.3, "novelty_10": 6.0},
]


def test_a_panel_for_each_aim_and_a_curve_for_each_method(monkeypatch, tmp_path):
    said = texts(monkeypatch, tmp_path, trade_offs, "als", BASE, ROWS, "toy").splitlines()
    assert {"mmr", "novelty", "als itself", "chosen strength", "Novelty, bits  (better →)"} <= set(said)
    assert not any("cosine" in line for line in said), "the run has no similarity inside a list"
