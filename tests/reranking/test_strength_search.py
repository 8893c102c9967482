import numpy as np
import pytest

from common.cli.rerank import Settings
from common.reranking.item_facts import Reranking
from common.reranking.strength_search import METHODS, PIPELINE, StrengthSearch
from common.utils.errors import UserError
from tests.reranking.cases import JAZZ, ROCK, facts_of


def test_shares_leave_room_for_those_of_other_settings():
    search = StrengthSearch(beside=Reranking(calibration=0.4))
    assert search.strengths_of("mmr") == (0.05, 0.1, 0.2, 0.3, 0.5)
    assert StrengthSearch().strengths_of("mmr") == METHODS["mmr"].strengths


def test_a_fixed_strength_or_the_classic_one_is_tried_alone():
    assert StrengthSearch(strength=0.7).strengths_of("mmr") == (0.7,)
    assert StrengthSearch("classic").strengths_of("mmr") == (0.3,)
    assert StrengthSearch().strengths_of(PIPELINE) == (0,)


def test_strengths_go_from_weak_to_strong():
    for name, method in METHODS.items():
        settings = [method.at(strength, Reranking()) for strength in method.strengths]
        assert len(set(settings)) == len(settings), name
        rising = np.diff([getattr(of, method.settings[0]) for of in settings])
        assert (rising < 0).all() if name == "per_genre" else (rising > 0).all()
    assert Settings().methods == tuple(METHODS)


class Lists:
    """Lists whose NDCG@10 falls with diversity, of a run of some preset."""

    def __init__(self, preset: str = "tuned") -> None:
        self.config = {"preset": preset}

    def metrics(self, settings: Reranking) -> dict[str, float]:
        return {"ndcg_10": 0.2 - 0.1 * settings.diversity}


@pytest.mark.parametrize(("loss", "expected"), [(0.05, 0.1), (0.1, 0.2), (0.5, 0.9), (0.0, 0.05)])
def test_the_largest_strength_within_the_loss_is_chosen(loss, expected):
    rows = StrengthSearch(loss=loss).run(Lists(), "mmr", 0.2)  # type: ignore[arg-type]
    assert [row["strength"] for row in rows] == list(METHODS["mmr"].strengths)
    assert [row["strength"] for row in rows if row["chosen"]] == [expected]


def test_a_preset_is_named_after_the_strengths_and_the_runs_own():
    chosen = METHODS["mmr"].at(0.3, Reranking())
    assert StrengthSearch().preset_of(Lists(), chosen) == "tuned"  # type: ignore[arg-type]
    assert StrengthSearch("classic").preset_of(Lists("diverse"), chosen) == "diverse-classic"  # type: ignore[arg-type]
    own = StrengthSearch(strength=0.3).preset_of(Lists(), chosen)  # type: ignore[arg-type]
    assert own.startswith("tuned-")
    assert own == StrengthSearch(loss=0.2).preset_of(Lists(), chosen)  # type: ignore[arg-type]


def test_strengths_are_checked_against_the_data():
    facts = facts_of([ROCK, JAZZ])
    StrengthSearch().check(["mmr", "per_genre"], facts)
    with pytest.raises(UserError, match=r"--pipeline\.per-artist: the data has no column artist"):
        StrengthSearch(beside=Reranking(per_artist=1)).check(["mmr"], facts)
