import numpy as np
import pytest

from common.evaluation.sensitivity.tables import (
    PanelResults,
    agreement,
    answers,
    means_table,
    short,
    ties_cells,
    turns,
    variants_cells,
    words,
)
from common.evaluation.sensitivity.variants import OWN_RULE, TIES, VARIANTS, Variant, VariantRanks

LIBRARIES = ["RB", "RT"]


def ranks(value: float, **others: float) -> VariantRanks:
    """The same NDCG for every user and variant, but for candidates that are named."""
    ndcg = {
        variant: np.full(20, others.get(variant.candidates, value)) for variant in dict.fromkeys((*VARIANTS, *TIES))
    }
    return VariantRanks(ndcg, ndcg, (np.ones(20, np.int64), np.ones(20, np.int64)), 0.25)


@pytest.fixture
def panel():
    return PanelResults("listen", {"als": ranks(0.3), "ease": ranks(0.2, uniform=0.6)}, ranks(0.01))


def test_a_variant_is_named_short_and_in_words():
    assert [short(variant) for variant in VARIANTS] == ["all", "99u", "99p", "one", "one 99u", "one 99p", *LIBRARIES]
    assert words(Variant("one", "rectools")) == "one left out, as RecTools"
    assert words(Variant("one", "popular")) == "one left out, 99 popular"
    assert words(Variant(ties="against")) == "all items, ties target last"


def test_cells_hold_the_mean_under_every_variant_and_order(panel):
    header, als, ease = variants_cells(panel, "ndcg", short)
    assert header == ["Model", "all", "99u", "99p", "one", "one 99u", "one 99p", *LIBRARIES]
    assert (als[1:3], ease[1:3]) == (["0.3000", "0.3000"], ["0.2000", "0.6000"])
    assert [row[:2] for row in ties_cells(panel, "all")[1:]] == [
        ["als", "25.0%"],
        ["ease", "25.0%"],
        ["(constant)", "25.0%"],
    ]


def test_models_that_change_places_and_the_agreement_of_orders(panel):
    changed = [turn for turn in turns([panel]) if turn.flips]
    assert [turn.second for turn in changed] == ["listen, 99 uniform", "listen, one left out, 99 uniform"]
    assert (changed[0].flips[0].better, changed[0].flips[0].sure) == ("als", True)
    means, taus = means_table([panel]), agreement([panel])
    assert means.loc["listen, 99 uniform"].to_dict() == pytest.approx({"als": 0.3, "ease": 0.6})
    assert taus.shape == (8, 8)
    assert (taus[0, 0], taus[0, 1]) == (1, -1)


def test_a_model_of_one_protocol_has_a_gap_in_the_other(panel):
    other = PanelResults("next", {"als": ranks(0.1)}, ranks(0.01))
    assert means_table([panel, other])["ease"].isna()["next, all items"]
    said = answers([panel, other])
    assert said[0] == "listen: one and the same trained ease has NDCG@10 0.2000 (all items) and 0.6000 (99 uniform)."
    assert said[2].startswith("Over all protocols: als goes from 0.1000")
    assert panel.means(OWN_RULE) == {"als": pytest.approx(0.3), "ease": pytest.approx(0.2)}
