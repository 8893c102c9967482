import shutil

import pytest

from common.serving.http.served_models import files_of
from common.utils.errors import UserError
from tests.serving.http.conftest import Place
from tests.serving.saved_models import fit_tiny


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path, ("popularity", "als"))


def test_models_are_loaded_once(place):
    models = place.service().models
    with pytest.raises(UserError, match="als is not loaded yet"):
        models.get("als")
    assert models.refresh() == ["popularity", "als"]
    first = models.get("als")
    assert models.refresh() == []
    assert models.get("als") is first


def test_a_newer_run_takes_the_place_of_an_older_one(place):
    models = place.service().models
    models.refresh()
    before = models.get("als")
    fit_tiny("als", place.train).save(place.store.folder("als"))
    assert models.get("als") is before, "until it is looked for"
    assert models.refresh() == ["als"]
    assert models.get("als").model is not before.model
    assert models.generation == 3
    fit_tiny("ease", place.train).save(place.store.folder("ease"))
    assert models.refresh() == ["ease"]


def test_a_damaged_run_is_not_served_until_it_is_mended(place):
    models, path = place.service().models, place.store.folder("als") / "model.npz"
    whole = path.read_bytes()
    models.refresh()
    path.write_bytes(whole[:100])
    assert models.refresh() == ["als"]
    with pytest.raises(UserError, match=r"model\.npz .*train als again"):
        models.get("als")
    assert models.available() == ["popularity"]
    assert models.refresh() == [], "it is not read over and over"
    path.write_bytes(whole)
    models.refresh()
    assert models.available() == ["popularity", "als"]


def test_a_run_that_is_gone_and_models_that_are_not_served_say_so(place):
    models = place.service().models
    models.refresh()
    shutil.rmtree(place.store.folder("als"))
    models.refresh()
    with pytest.raises(UserError, match=r"no saved model of als .*train it with"):
        models.get("als")
    with pytest.raises(UserError, match="unknown model 'nope'"):
        models.get("nope")
    some = place.service(names=("popularity",)).models
    assert some.refresh() == ["popularity"]
    with pytest.raises(UserError, match="als is not served here; ask popularity"):
        some.get("als")


def test_files_of_nothing_are_none(tmp_path):
    assert files_of(tmp_path / "none") == ()
    (tmp_path / "model.npz").touch()
    assert files_of(tmp_path) == (), "model.json comes last"


def test_an_error_that_nobody_foresaw_keeps_the_others_served(place, monkeypatch, caplog):
    models = place.service().models
    opened = type(models.store).open

    def failing(self, name, *rest):
        if name == "als":
            raise KeyError("item_factors")
        return opened(self, name, *rest)

    monkeypatch.setattr(type(models.store), "open", failing)
    models.refresh()
    assert models.available() == ["popularity"]
    with pytest.raises(UserError, match=r"als cannot be loaded \(KeyError: 'item_factors'\); train it again"):
        models.get("als")
    assert "als is not served" in caplog.text
