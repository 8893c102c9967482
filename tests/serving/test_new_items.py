"""A service places new items by its saved models."""

import json

import pytest

from common.data.dataset import load_dataset
from common.data.synthetic.settings import SyntheticSettings
from common.reranking.rerank import Reranking
from common.serving.new_items import NewItemService
from common.serving.service import open_service
from common.splits.train_view import load_train_view
from common.utils.errors import UserError
from tests.serving.saved_models import fit_tiny, write_own_folder


@pytest.fixture(scope="module")
def new_items(tmp_path_factory):
    folder = tmp_path_factory.mktemp("new_items")
    own = write_own_folder(folder / "own")
    data = load_dataset(str(own), folder / "data")
    train = load_train_view(data, "listen", "select")  # as of runs that have not opened test
    for model in ("als", "tag_knn", "two_tower", "content_knn"):
        fit_tiny(model, train).save(folder / "out" / data.name / "listen" / model / "tuned" / "seed0" / "model")
    where = {"dataset": str(own), "data_dir": folder / "data", "synthetic": SyntheticSettings()}
    how = {"output_dir": folder / "out", "protocol": "listen", "preset": "tuned", "reranking": Reranking()}
    with open_service(**where, **how) as service:
        yield NewItemService(service, **where)


@pytest.mark.parametrize("model", ["tag_knn", "two_tower"])
def test_an_answer_is_json(new_items, model):
    found = new_items.place(model, {"tags": ["pop", "night"]}, k=3, likes=["Coldplay", "Moby"])
    assert json.loads(json.dumps(found)) == found
    assert [row["rank"] for row in found["similar"]] == [1, 2, 3]
    assert set(found["similar"][0]) == {"rank", "item_id", "name", "score"}
    assert 1 <= found["listener"]["rank"] <= found["listener"]["of"] == 19
    assert new_items.place(model, {"tags": {"pop": 3}})["listener"] is None


def test_likes_decide_the_rank(new_items):
    alike, other = (
        new_items.place("tag_knn", {"tags": ["pop", "night"]}, likes=likes)["listener"]["rank"]
        for likes in (["Moby", "Placebo"], ["Björk", "Muse"])
    )
    assert alike < other


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("als", {"tags": ["pop"]}), "als cannot place an item that nobody has heard"),
        (("sasrec", {"tags": ["pop"]}), "no saved model of sasrec"),
        (("tag_knn", {"tag": ["pop"]}), "unknown feature of a new item 'tag': did you mean 'tags'"),
        (("tag_knn", {"tags": ["popp"]}), "tag 'popp': no item .*did you mean 'pop'"),
        (("tag_knn", {}), "nothing is known of the new item that tag_knn goes by; give tags"),
        (("content_knn", {"tags": ["pop"]}), "content_knn was fitted without item features"),
        (("tag_knn", {"tags": ["pop"]}, 0), "k = 0"),
        (("tag_knn", {"tags": ["pop"]}, 10, ["Cold play!"]), "unknown item 'Cold play!'"),
    ],
)
def test_a_mistake_ends_in_a_sentence(new_items, arguments, sentence):
    with pytest.raises(UserError, match=sentence):
        new_items.place(*arguments)
