import numpy as np
import pandas as pd

from common.plots.sensitivity import sensitivity


def test_variants_and_their_agreement_are_drawn_with_gaps_for_absent_models(tmp_path):
    rows = ["listen, all items", "listen, 99 uniform", "next, all items"]
    means = pd.DataFrame({"als": [0.2, 0.6, 0.1], "ease": [0.3, 0.5, np.nan]}, index=rows)
    taus = np.array([[1.0, -1.0, np.nan], [-1.0, 1.0, np.nan], [np.nan, np.nan, 1.0]])
    path = sensitivity(means, taus, "NDCG@10", "toy", tmp_path / "one.png")
    whole = sensitivity(means.fillna(0.4), taus, "NDCG@10", "toy", tmp_path / "two.png")
    assert path.read_bytes() != whole.read_bytes()
    assert path.read_bytes() == sensitivity(means, taus, "NDCG@10", "toy", tmp_path / "three.png").read_bytes()
