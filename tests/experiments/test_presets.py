"""Settings of a model by the name of a preset, from TOML files."""

import dataclasses
from functools import cache
from itertools import product

import pytest

from common.experiments.presets import PRESETS, known_presets, preset_label, preset_values, read_toml
from common.experiments.tuning import Found, write_preset
from common.models import HybridKNN, SASRec
from common.models.ensemble import EnsembleSettings
from common.models.knn.item_knn import ItemKNNSettings
from common.models.registry import MODELS
from common.splits.protocols import PROTOCOLS
from common.training.context import FitContext
from common.utils.errors import UserError
from common.utils.io import write_text
from tests.models.contract_tests import block_visible


def presets(folder, **files: str):
    for name, text in files.items():
        write_text(folder / f"{name}.toml", text)
    return folder


def values(folder, preset="tuned", dataset="music", protocol="listen") -> ItemKNNSettings:
    return preset_values(preset, dataset, protocol, "item_knn", ItemKNNSettings, folder)


def test_later_presets_win(tmp_path):
    folder = presets(
        tmp_path,
        default="[tuned.item_knn]\nneighbours = 1\nshrinkage = 1.0\nasymmetry = 0.1\nweighting = 'log'",
        music="[tuned.item_knn]\nshrinkage = 2.0\nasymmetry = 0.2\n"
        "[tuned.item_knn.listen]\nasymmetry = 0.3\nvalidation = {ndcg_10 = 0.1}",
    )
    assert values(folder) == ItemKNNSettings(1, 2.0, 0.3, "log", "binary")
    assert values(folder, protocol="temporal") == ItemKNNSettings(1, 2.0, 0.2, "log", "binary")
    assert values(folder, dataset="music-deduplicated") == values(folder)
    presets(tmp_path, **{"music-deduplicated": "[tuned.item_knn]\nneighbours = 7"})
    assert values(folder, dataset="music-deduplicated") == ItemKNNSettings(7, 2.0, 0.3, "log", "binary")
    assert values(folder, dataset="other") == ItemKNNSettings(1, 1.0, 0.1, "log", "binary")
    assert values(folder, "classic") == ItemKNNSettings(), "the class itself is the textbook"
    assert values(tmp_path / "nothing here") == ItemKNNSettings()


def test_the_random_protocols_take_what_listen_has_unless_they_have_their_own(tmp_path):
    text = "[tuned.item_knn.listen]\nneighbours = 7\n[tuned.item_knn.random-811]\nneighbours = 9"
    folder = presets(tmp_path, music=text)
    assert values(folder, protocol="random-8020").neighbours == 7
    assert values(folder, protocol="random-811").neighbours == 9


def test_next_shuffled_takes_what_next_has_unless_it_has_its_own(tmp_path):
    folder = presets(tmp_path, music="[tuned.item_knn.next]\nneighbours = 7")
    assert values(folder, protocol="next-shuffled").neighbours == 7
    presets(tmp_path, music="[tuned.item_knn.next]\nneighbours = 7\n[tuned.item_knn.next-shuffled]\nneighbours = 8")
    assert values(folder, protocol="next-shuffled").neighbours == 8
    assert values(folder, protocol="newcomer").neighbours == 100


def test_a_preset_of_ones_own_has_a_name(tmp_path):
    folder = presets(tmp_path, music="[mine.item_knn]\nneighbours = 3")
    assert values(folder, "mine").neighbours == 3
    with pytest.raises(UserError, match=r"unknown preset 'mien': did you mean 'mine'"):
        values(folder, "mien")


def test_a_preset_may_start_from_another_parts_included(tmp_path):
    based = "[mine.hybrid_knn]\nbase = 'tuned'\ntags = 0.9"
    music = f"[tuned.item_knn]\nneighbours = 3\n[tuned.hybrid_knn]\npopularity = 0.2\n{based}"
    folder = presets(tmp_path, default="[tuned.hybrid_knn]\ntags = 0.1\naudio = 0.3", music=music)
    found = preset_values("mine", "music", "listen", "hybrid_knn", HybridKNN.Settings, folder)
    assert (found.tags, found.audio, found.popularity, found.item_knn.neighbours) == (0.9, 0.3, 0.2, 3)
    presets(tmp_path, music="[mine.item_knn]\nbase = 'mine'")
    with pytest.raises(UserError, match=r"music\.toml: \[mine\.item_knn\] base = 'mine': name another preset"):
        values(folder, "mine")
    presets(tmp_path, music="[mine.item_knn]\nbase = 'yours'")
    with pytest.raises(UserError, match="unknown preset 'yours'"):
        values(folder, "mine")


def test_an_unknown_key_is_refused(tmp_path):
    folder = presets(tmp_path, music="[tuned.item_knn.listen]\nneigbours = 3")
    with pytest.raises(UserError, match=r"music\.toml: \[tuned\.item_knn\] has no setting 'neigbours'.*neighbours"):
        values(folder)


def test_broken_toml_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"music\.toml is not readable TOML.*mend or delete"):
        values(presets(tmp_path, music="[tuned"))
    (tmp_path / "music.toml").write_bytes(b"\xff")
    with pytest.raises(UserError, match="not readable TOML"):
        read_toml(tmp_path / "music.toml")


def test_changed_flags_change_the_label_and_the_same_ones_do_not():
    preset, other = ItemKNNSettings(neighbours=5), ItemKNNSettings(neighbours=6)
    assert preset_label("tuned", ItemKNNSettings(neighbours=5), preset) == "tuned"
    labels = {preset_label("tuned", settings, preset) for settings in (other, ItemKNNSettings(shrinkage=1.0), preset)}
    assert len(labels) == 3
    assert preset_label("tuned", other, preset) == preset_label("tuned", ItemKNNSettings(neighbours=6), preset)
    assert all(label == "tuned" or label.startswith("tuned-") for label in labels)


def test_values_of_a_preset_have_the_type_of_their_setting(tmp_path):
    presets(tmp_path, music="[tuned.item_knn]\nshrinkage = 3\n")
    assert type(values(tmp_path).shrinkage) is float
    presets(tmp_path, music='[tuned.item_knn]\nneighbours = "many"\n')
    with pytest.raises(UserError, match=r"music.toml: \[tuned.item_knn\] neighbours = 'many'"):
        values(tmp_path)


def test_a_data_set_has_the_presets_of_its_own_file_and_of_the_default_one(tmp_path):
    presets(tmp_path, default="[quick.item_knn]\nneighbours = 2", music="[mine.item_knn]\nneighbours = 3")
    assert known_presets("music", tmp_path) == ["classic", "mine", "quick", "tuned"]
    assert known_presets("other", tmp_path) == ["classic", "quick", "tuned"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("tuned = 3", r"music\.toml: tuned = 3 is no table; write \[tuned\.item_knn\] and the settings below it"),
        ("[[tuned]]\nname = 1", r"music\.toml: tuned = .* is no table; write \[tuned\.item_knn\]"),
        ("[tuned]\nitem_knn = 3", r"music\.toml: tuned\.item_knn = 3 is no table; write \[tuned\.item_knn\]"),
        ("[tuned.item_knn]\nlisten = 3", r"tuned\.item_knn\.listen = 3 is no table; write \[tuned\.item_knn\.listen\]"),
        ("[tuned.item_knn.lisen]\nneighbours = 3", r"\[tuned\.item_knn\.lisen\]: unknown protocol .* mean 'listen'"),
        ("[tuned.item_knn]\nbase = 3", r"music\.toml: \[tuned\.item_knn\] base = 3: give the name of another preset"),
        ("[tuned.item_knn]\nbase = ['classic']", r"music\.toml: \[tuned\.item_knn\] base = .*: give the name"),
        (
            "[tuned.item_knn]\nbase = 'none'",
            r"music\.toml: \[tuned\.item_knn\] base: unknown preset 'none'",
        ),
        (
            "[tuned.item_knn]\nneighbours = '16'",
            r"music\.toml: \[tuned\.item_knn\] neighbours = '16': give a value",
        ),
        (
            "[tuned.item_knn]\nneighbours = true",
            r"music\.toml: \[tuned\.item_knn\] neighbours = True: give a value",
        ),
        ("[tuned.item_knn]\nneighbours = 0", r"music\.toml: \[tuned\.item_knn\] neighbours = 0: give 1 or more"),
        ("[tuned.item_knn]\nshrinkage = nan", r"music\.toml: \[tuned\.item_knn\] shrinkage = nan: give 0 to"),
        ("[tuned.item_knn]\nweighting = 'raw'", r"music\.toml: \[tuned\.item_knn\] weighting = 'raw': give binary or"),
        ("x = " + "[" * 5000, r"music\.toml is not readable TOML \(nested too deeply\); mend or delete it"),
    ],
)
def test_a_file_of_another_shape_ends_in_a_sentence_that_names_it(tmp_path, text, sentence):
    with pytest.raises(UserError, match=sentence) as error:
        values(presets(tmp_path, music=text))
    assert "\n" not in str(error.value)


def test_presets_that_start_from_one_another_are_refused(tmp_path):
    folder = presets(tmp_path, music="[tuned.item_knn]\nbase = 'other'\n[other.item_knn]\nbase = 'tuned'")
    with pytest.raises(UserError, match=r"\[other\.item_knn\] base = 'tuned': .*, tuned -> other -> tuned leads back"):
        values(folder)


def test_a_preset_is_not_written_into_a_file_of_another_shape(tmp_path):
    path = presets(tmp_path, music="tuned = 3") / "music.toml"
    with pytest.raises(UserError, match=r"music\.toml: tuned = 3 is no table"):
        write_preset(path, "item_knn", "listen", Found(ItemKNNSettings(), 0.1, 5))
    assert path.read_text() == "tuned = 3"


@pytest.mark.parametrize("path", sorted(PRESETS.glob("*.toml")), ids=lambda path: path.stem)
def test_every_published_preset_is_within_its_ranges(path, monkeypatch):
    monkeypatch.setattr("common.experiments.presets.read_toml", cache(read_toml))
    for preset in known_presets(path.stem):
        for model, protocol in product(MODELS.values(), PROTOCOLS):
            preset_values(preset, path.stem, protocol, model.name, model.Settings)


def test_the_ensemble_has_its_three_classic_ranges():
    weights = preset_values("classic256", "lastfm-2k", "listen", "ensemble", EnsembleSettings).part_weights()
    assert weights.round(4).tolist() == [[0, 0.7, 0.3], [0, 0.5, 0.5], *[[0.6, 0.3, 0.1]] * 3]


@pytest.mark.parametrize("name", ["sasrec", "two_tower", "hybrid_listnet", "lightgcn"])
def test_textbook_networks_learn_from_large_batches_and_slow_down_on_a_plateau(name):
    settings = preset_values("classic256", "synthetic", "listen", name, MODELS[name].Settings)
    assert (settings.batch, settings.schedule) == (256, "plateau")
    classic = preset_values("classic", "synthetic", "listen", name, MODELS[name].Settings)
    assert dataclasses.replace(classic, batch=256, schedule="plateau") == settings


def test_training_reads_the_plateau_of_the_preset(tmp_path):
    settings = preset_values("classic256", "synthetic", "listen", "sasrec", SASRec.Settings)
    small = dataclasses.replace(settings, width=8, length=8, epochs=4, patience=2, warmup=0.0)
    rates: list[float] = []

    def report(values: dict[str, float], epoch: int) -> None:
        rates.append(values["train/learning_rate"])

    values = iter([0.3, 0.2, 0.4, 0.1])
    SASRec(small).fit(block_visible(tmp_path), lambda _: next(values), FitContext(report=report))
    assert rates == pytest.approx([1e-3, 1e-3, 5e-4, 5e-4])
