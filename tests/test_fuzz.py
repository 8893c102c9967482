"""Whatever a stored file has become, what reads it ends with its content or with one sentence, never a traceback."""

import json
import re
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from common.data.dataset import Dataset
from common.data.manifest import read_manifest
from common.experiments.outputs import Outputs, collect
from common.experiments.presets import preset_values, read_toml
from common.experiments.run import Run
from common.experiments.settings import ModelSettings
from common.models import ALS, ItemKNN, Popularity
from common.serving.store.store import Store
from common.splits.store import load_split
from common.splits.train_view import load_train_view
from common.utils.errors import UserError
from tests.conftest import SMALL
from tests.fuzzing import fuzzed
from tests.runs import finish, forget

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
REMEDY = re.compile("; |give |known are |did you mean |it has ")
SHARES = st.floats(0, 1, exclude_max=True)
NAMES = [
    *(f"test/{name}" for name in ("manifest.json", "metrics.json")),
    *(f"valid/{name}.parquet" for name in ("recommendations", "targets", "per_user")),
    *("config.json", "curves.json", "model/model.json", "model/model.npz"),
]


def cut(content: bytes, share: float, value: Any) -> bytes:
    return content[: int(share * len(content))]


def flipped(content: bytes, share: float, value: Any) -> bytes:
    place = int(share * len(content))
    return content[:place] + bytes([content[place] ^ 1 << int(share * 1e6) % 8]) + content[place + 1 :]


def inserted(content: bytes, share: float, value: Any) -> bytes:
    place = int(share * len(content))
    return content[:place] + json.dumps(value).encode() + content[place:]


def other_value(content: bytes, share: float, value: Any) -> bytes:
    """Another value at one of a JSON object's keys, or in place of the whole file."""
    try:
        whole = json.loads(content)
        names = sorted(whole) if isinstance(whole, dict) else []
    except ValueError:
        names = []
    if not names or share > 0.9:
        return json.dumps(value).encode()
    return json.dumps(whole | {names[int(share / 0.9 * len(names)) % len(names)]: value}).encode()


EDITS = st.sampled_from([cut, flipped, inserted, other_value])


@pytest.fixture(scope="module")
def outputs(tmp_path_factory, small_data_dir, small_data) -> Path:
    """A finished run of ALS beside one of popularity."""
    out = tmp_path_factory.mktemp("fuzz") / "out"
    settings = ModelSettings(
        dataset="synthetic", synthetic=SMALL, data_dir=small_data_dir, output_dir=out, wandb="disabled"
    )
    finish(settings, [Popularity])
    finish(settings, [ALS], "2_als")
    return out


def either(read: Callable[[], Any]) -> Any:
    """What is read; None for a refusal, which names its remedy."""
    try:
        return read()
    except UserError as refusal:
        assert REMEDY.search(str(refusal)), f"the remedy is missing: {refusal}"
        return None


@fuzzed(25)
@given(name=st.sampled_from(NAMES), edit=EDITS, share=SHARES, value=JSON, vouched=st.booleans())
@example(name="valid/per_user.parquet", edit=flipped, share=0.875835163762989, value=None, vouched=False)
def test_a_run_of_which_a_file_was_changed(tmp_path_factory, outputs, small_data, name, edit, share, value, vouched):
    out = tmp_path_factory.mktemp("changed") / "out"
    shutil.copytree(outputs, out)
    (run,) = Outputs(out).runs(model="als")
    path = run.folder / name
    if not vouched:
        forget(run.folder)
    if not path.exists():
        return
    before = path.read_bytes()
    path.write_bytes(edit(before, share, value))
    changed = path.read_bytes() != before
    view = load_train_view(small_data, "listen", "final")
    for found in (Run(run.folder), *Outputs(out).runs(model="als")):
        for part in ("valid", "test"):
            results = either(partial(found.results, part))
            if results is not None:
                either(partial(getattr, results, "metrics"))
                either(partial(getattr, results, "per_user"))
        either(found.config)
        either(found.curves)
    loaded = either(lambda: ALS.load(run.folder / "model", view))
    if loaded is not None:
        either(lambda: loaded.recommend([view.users["user_id"][0]]))
    if changed and vouched and name.startswith("model/"):
        assert loaded is None, "a changed model is never loaded"
    if changed and vouched and name.split("/")[0] in ("valid", "test"):
        assert not Run(run.folder).has(name.split("/")[0]), "changed results are never shown"
    rows = either(lambda: collect(out / small_data.name / "listen", "valid", view.split_sha256))
    assert rows is not None and "popularity" in set(rows["model"]), "other runs are there"


@fuzzed(25)
@given(name=st.sampled_from(["manifest.json", "splits/listen/split.json"]), edit=EDITS, share=SHARES, value=JSON)
@example(name="splits/listen/split.json", edit=flipped, share=0.3125, value=None)
def test_prepared_tables_of_which_a_record_was_changed(tmp_path_factory, small_data, name, edit, share, value):
    sound = load_split(small_data, "listen").info["split_sha256"]
    folder = tmp_path_factory.mktemp("prepared") / small_data.name
    shutil.copytree(small_data.folder, folder)
    path = folder / name
    path.write_bytes(edit(path.read_bytes(), share, value))
    manifest = read_manifest(folder)
    if manifest is not None and name != "manifest.json":
        drawn = either(lambda: load_split(Dataset(small_data.name, folder, manifest), "listen"))
        assert drawn is None or drawn.info["split_sha256"] == sound


@fuzzed(50)
@given(edit=EDITS, share=SHARES, value=JSON)
def test_presets_that_were_changed(tmp_path_factory, edit, share, value):
    folder = tmp_path_factory.mktemp("presets")
    text = b'[tuned.item_knn]\nneighbours = 800\nweighting = "idf"\n[tuned.item_knn.next]\nbase = "smoke"\n'
    (folder / "toy.toml").write_bytes(edit(text, share, value))
    either(lambda: read_toml(folder / "toy.toml"))
    either(lambda: preset_values("tuned", "toy", "next", "item_knn", ItemKNN.Settings, folder))


@fuzzed(40)
@given(edit=EDITS, share=SHARES, value=JSON)
def test_a_store_of_which_bytes_were_changed(tmp_path_factory, edit, share, value):
    path = tmp_path_factory.mktemp("store") / "library.db"
    with Store(path) as store:
        for number in range(20):
            store.feedback.add("anna", f"i{number}", liked=True)
    path.write_bytes(edit(path.read_bytes(), share, value))

    def use() -> None:
        with Store(path) as store:
            store.feedback.of("anna")
            store.feedback.add("ben", "i1", liked=False)

    either(use)
