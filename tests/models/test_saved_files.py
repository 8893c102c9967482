"""Saved models: files of one training, or a sentence."""

import threading

import numpy as np
import pytest

from common.models import ALS, ItemKNN
from common.models import saved_files as module
from common.models.saved_files import probe, read_about
from common.utils.errors import UserError
from common.utils.io import read_json, write_json
from tests.models.contract_tests import block_visible
from tests.runs import unsealed


@pytest.fixture
def train(tmp_path):
    return block_visible(tmp_path / "data")


def test_arrays_of_another_training_are_refused(train, tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    ALS(factors=4, iterations=1).fit(train).save(one)
    ALS(factors=4, iterations=1, alpha=3.0).fit(train).save(other)
    (other / "model.json").replace(one / "model.json")
    with pytest.raises(UserError, match=r"model\.npz is not the file that was written there.*; train als again"):
        ALS.load(one)


@pytest.mark.parametrize("change", [{"seed": 1}, {"catalogue_sha256": 3}, {"settings": 3}, {"files": []}])
def test_a_changed_description_is_refused(train, tmp_path, change):
    ItemKNN().fit(train).save(tmp_path / "model")
    path = tmp_path / "model" / "model.json"
    write_json(path, read_json(path) | change)
    with pytest.raises(UserError, match=r"model\.json is damaged.*; train item_knn again"):
        ItemKNN.load(tmp_path / "model")


@pytest.mark.parametrize("change", [{"settings": 3}, {"settings": []}, {"seed": "x"}, {"seed": -1}, {"model": []}])
def test_a_description_of_an_earlier_version_is_read_if_it_makes_sense(train, tmp_path, change):
    fitted = ItemKNN().fit(train)
    fitted.save(tmp_path / "model")
    path = tmp_path / "model" / "model.json"
    unsealed(path)
    np.testing.assert_array_equal(ItemKNN.load(tmp_path / "model").score(np.arange(3)), fitted.score(np.arange(3)))
    write_json(path, read_json(path) | change)
    with pytest.raises(UserError, match=r"model\.json is damaged or of another version; train item_knn again"):
        ItemKNN.load(tmp_path / "model")


@pytest.mark.parametrize("name", ["user_factors", "item_factors", "popularity"])
@pytest.mark.parametrize("kind", ["cut", "one row", "text", "flat"])
def test_arrays_of_an_earlier_version_that_do_not_fit_are_refused(train, tmp_path, name, kind):
    folder = tmp_path / "model"
    ALS(factors=4, iterations=1).fit(train).save(folder)
    unsealed(folder / "model.json")
    with np.load(folder / "model.npz") as saved:
        arrays = dict(saved)
    array = arrays[name]
    spoiled = {"cut": array[:-1], "one row": array[:0], "text": array.astype(str), "flat": array.ravel()[:, None]}
    np.savez(folder / "model.npz", **(arrays | {name: spoiled[kind]}))
    if (name, kind) == ("user_factors", "cut"):  # nobody says how many users there are
        ALS.load(folder, train).score(np.array([0]))
        return
    with pytest.raises(UserError, match=r"model\.npz is missing or damaged; train als again"):
        ALS.load(folder, train)


def test_a_model_that_scores_a_smaller_catalogue_is_no_model_of_this_one(train):
    model = ItemKNN().fit(train)
    probe(model)
    model.fold_in = lambda histories: np.zeros((2, 3), np.float32)
    with pytest.raises(ValueError, match="scores of 3 items"):
        probe(model)


def test_a_model_is_read_whole_while_others_save(train, tmp_path):
    """Two models by turns in one folder: what is loaded is always one of them."""
    models = [ALS(factors=factors, iterations=1, seed=factors).fit(train) for factors in (2, 3)]
    expected = {model.seed: model.score(np.arange(3)) for model in models}
    folder, over = tmp_path / "model", threading.Event()
    models[0].save(folder)

    def save() -> None:
        while not over.is_set():
            for model in models:
                model.save(folder)

    saver = threading.Thread(target=save)
    saver.start()
    try:
        loaded = [ALS.load(folder) for _ in range(60)]
    finally:
        over.set()
        saver.join()
    for model in loaded:
        np.testing.assert_array_equal(model.score(np.arange(3)), expected[model.seed])
    assert {path.name for path in folder.iterdir()} == set(ALS.files)


def test_other_files_of_a_folder_are_left_alone(train, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    ItemKNN().fit(train).save(tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert set(read_about(tmp_path, "item_knn")["files"]) == {"model.npz"}
    assert module.is_sealed(read_about(tmp_path, "item_knn"))


def test_large_arrays_are_mapped_where_they_lie_and_writing_to_them_changes_no_file(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "LEAST_MAPPED", 200)
    arrays = {
        "a/long_name": np.arange(60.0).reshape(20, 3),
        "b": np.arange(3),
        "none": np.zeros((0, 4), np.float32),
        "texts": np.array(["ü", "words"] * 9),
        "columns": np.asfortranarray(np.arange(600, dtype=np.int32).reshape(30, 20)),
    }
    path = tmp_path / "model.npz"
    module.write_npz(path, arrays)
    before = path.read_bytes()
    for mapped in (False, True):
        found = module.read_npz(path, mapped)
        assert list(found) == list(arrays)
        for name, array in arrays.items():
            np.testing.assert_array_equal(found[name], array)
            assert found[name].dtype == array.dtype
            assert isinstance(found[name].base, np.memmap) == (mapped and array.nbytes > 99)
            assert found[name].flags.aligned
            found[name][:1] = found[name][-1:]
    assert path.read_bytes() == before
    with np.load(path, allow_pickle=False) as as_numpy:
        assert {name: as_numpy[name].tolist() for name in arrays} == {n: a.tolist() for n, a in arrays.items()}


def test_arrays_that_lie_at_no_place_for_mapping_are_read_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "LEAST_MAPPED", 100)
    np.savez(tmp_path / "old.npz", odd_name=np.arange(1000.0))
    found = module.read_npz(tmp_path / "old.npz", mapped=True)["odd_name"]
    assert not isinstance(found.base, np.memmap)
    assert found.tolist() == list(range(1000))
