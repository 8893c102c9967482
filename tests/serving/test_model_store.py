import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest

from common.data.synthetic.settings import SyntheticSettings
from common.serving.model_store import ModelStore
from common.utils.errors import UserError
from common.utils.io import ROOT, read_json, write_json
from common.utils.manifests import sealed
from tests.runs import unsealed
from tests.serving.saved_models import save_models, write_own_folder


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """The folder of a data set with two trained models, and the view that they were fitted on."""
    folder = tmp_path_factory.mktemp("models")
    own = write_own_folder(folder / "own")
    _, train = save_models(own, folder / "data", folder / "out", ("als", "popularity"))
    return folder, train


def store_of(folder: Path, preset: str = "tuned") -> ModelStore:
    return ModelStore.of(str(folder / "own"), "listen", preset, folder / "data", folder / "out", SyntheticSettings())


def test_saved_models_are_listed_in_the_order_of_the_scripts_and_opened(saved):
    folder, train = saved
    store = store_of(folder)
    assert store.trained() == ["popularity", "als"]
    assert store.open("als", train.catalogue_sha256).name == "als"
    assert store_of(folder, "classic").trained() == []


def test_the_error_for_an_untrained_model_names_the_command_that_trains_it(saved):
    folder, train = saved
    with pytest.raises(
        UserError, match=r"train it with `python 2_als.py --models ease --dataset \S+/own --protocol listen"
    ) as no:
        store_of(folder).open("ease", train.catalogue_sha256)
    assert f"--data-dir {folder / 'data'} --output-dir {folder / 'out'} --preset tuned`" in str(no.value)
    assert str(no.value).endswith("trained here: popularity, als")
    with pytest.raises(UserError, match="unknown model 'alls': did you mean 'als' or 'all'"):
        store_of(folder).open("alls", train.catalogue_sha256)
    with pytest.raises(UserError, match="unknown preset 'nope'"):
        store_of(folder, "nope").open("ease", train.catalogue_sha256)


def test_only_flags_that_are_not_the_default_are_named():
    made = SyntheticSettings(users=60)
    store = ModelStore.of("synthetic", "next-s2", "tuned", ROOT / "data", ROOT / "outputs", made)
    assert store.flags == "--dataset synthetic --protocol next --split-seed 2 --synthetic.users 60"


def test_a_model_whose_files_are_not_of_one_training_is_refused(saved, tmp_path):
    folder, train = saved
    out = shutil.copytree(folder / "out", tmp_path / "out")
    store = dataclasses.replace(store_of(folder), output_dir=out)
    about = store.folder("als") / "model.json"
    write_json(about, sealed(read_json(about) | {"seed": 1}))
    store.open("als", train.catalogue_sha256)
    with np.load(store.folder("als") / "model.npz") as kept:
        arrays = dict(kept)
    np.savez(store.folder("als") / "model.npz", **(arrays | {"item_factors": arrays["item_factors"][:3]}))
    with pytest.raises(UserError, match=r"model\.npz .*; train als again"):
        store.open("als", train.catalogue_sha256)
    unsealed(about)
    with pytest.raises(UserError, match=r"model\.npz is missing or damaged; train als again"):
        store.open("als", train.catalogue_sha256)
