import numpy as np
import pytest

from common.data.synthetic.settings import SyntheticSettings
from common.reranking.item_facts import Reranking
from common.serving.service import RecommendationService, open_service
from common.utils.errors import UserError
from tests.serving.saved_models import NAMES, save_models, write_own_folder


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Where a data set and its models are, as `open_service` takes it."""
    folder = tmp_path_factory.mktemp("service")
    own = write_own_folder(folder / "own")
    save_models(own, folder / "data", folder / "out", ("popularity", "als"))
    where = {"dataset": str(own), "data_dir": folder / "data", "output_dir": folder / "out"}
    return {**where, "protocol": "listen", "preset": "tuned", "synthetic": SyntheticSettings()}


@pytest.fixture
def service(place):
    with open_service(**place, reranking=Reranking()) as opened:
        yield opened
        opened.store.feedback.remove("me")


def names(service: RecommendationService, items: list[int]) -> list[str]:
    return [service.catalogue.names[item] for item in items]


def test_recommendations_are_new_and_best_first(service):
    profile = service.profile("u03", "me", [])
    answer = service.recommend("als", profile, 5)
    assert len(answer.items) == 5
    assert not set(answer.items) & set(profile.history.items.tolist())
    assert answer.scores == sorted(answer.scores, reverse=True)
    assert all(0 <= share <= 1 for share in answer.shares)
    expected = service.model("als").score(np.array([profile.user]))[0]
    assert answer.scores == pytest.approx(expected[answer.items].tolist())


def test_a_like_that_is_kept_counts_and_a_dislike_is_left_out(service):
    service.store.feedback.add("me", "a02", True)
    service.store.feedback.add("me", "a05", False)
    profile = service.profile("", "me", [service.names.find("radiohead")])
    assert names(service, profile.liked) == ["Muse", "Radiohead"]
    found = names(service, service.recommend("als", profile, 20).items)
    assert not {"Muse", "Radiohead", "Daft Punk"} & set(found)
    assert len(found) == len(NAMES) - 3


def test_similar_items_and_explanations_go_by_the_model(service):
    item = service.names.find("muse")
    codes, scores = service.model("als").similar(item, 3)
    answer = service.similar("als", item, 3)
    assert (answer.items, answer.scores) == (codes.tolist(), pytest.approx(scores.tolist()))
    profile = service.profile("", "me", [item])
    explained = service.explain("als", profile, answer.items)
    assert {code for one in explained.each for code, _ in one.items} <= {item}


def test_a_model_is_opened_once_until_it_is_forgotten(service):
    first = service.model("als")
    assert service.model("als") is first
    service.forget("als")
    assert service.model("als") is not first


def test_an_unknown_user_is_named_with_the_nearest(service):
    with pytest.raises(UserError, match=r"--user 'u033': no user of .* has that id; did you mean 'u03'"):
        service.profile("u033", "me", [])


def test_reranking_changes_the_order_and_is_checked_first(place):
    with (
        open_service(**place, reranking=Reranking(unpopularity=4.0)) as other,
        open_service(**place, reranking=Reranking()) as plain,
    ):
        answers = [one.recommend("als", one.profile("", "x", [0, 12]), 8).items for one in (other, plain)]
    assert answers[0] != answers[1]
    with pytest.raises(UserError, match=r"--rerank\.no-explicit: the data has no column explicit"):
        open_service(**place, reranking=Reranking(no_explicit=True)).__enter__()
