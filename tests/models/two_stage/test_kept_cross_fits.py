"""Cross-fitted data that fits share: in memory, and on disk between commands."""

import dataclasses
import logging
import time
from typing import Any

import numpy as np
import pytest

from common.models.linear.als import ALSSettings
from common.models.linear.ials import IALSSettings
from common.models.two_stage import kept_cross_fits
from common.models.two_stage.candidates import CandidateSettings
from common.models.two_stage.kept_cross_fits import ARRAYS, KeptCrossFit, code_sha256, keep_only, shared_cross_fit
from common.models.two_stage.training_data import OF_PAIRS, Recipe, cross_fit
from common.splits.histories import Query
from common.training.context import FitContext
from tests.models.contract_tests import block_visible

SETTINGS = CandidateSettings(
    top=8,
    sources=("als", "ials", "item_knn", "tag_knn", "popularity"),
    als=ALSSettings(factors=4, iterations=2, regularisation=1.0),
    ials=IALSSettings(factors=4, rounds=2),
)
RECIPE = Recipe(SETTINGS, negatives=(1, 2), seed=0, device="cpu")


@pytest.fixture(scope="module")
def train(tmp_path_factory):
    view = block_visible(tmp_path_factory.mktemp("blocks"))
    return dataclasses.replace(view, split_sha256="of the split")


@pytest.fixture(scope="module")
def whole(train):
    """With the draws of both numbers of negatives."""
    return cross_fit(train, RECIPE)


@pytest.fixture(scope="module")
def kept(train, tmp_path_factory):
    """The folder, and what a first command has left there."""
    folder = tmp_path_factory.mktemp("cross_fits")
    fitted, known = shared_cross_fit(train, RECIPE, 2, FitContext(kept=folder))
    assert not known
    return folder, fitted


def test_in_memory_it_is_made_once_for_the_same_train_view_settings_and_seed(train):
    shared: dict[Any, Any] = {}
    context = FitContext(shared=shared)
    first, known = shared_cross_fit(train, RECIPE, 2, context)
    assert not known
    again, known = shared_cross_fit(
        train, dataclasses.replace(RECIPE, settings=dataclasses.replace(SETTINGS)), 2, context
    )
    assert known
    assert again is first
    for view, recipe in [(train, dataclasses.replace(RECIPE, seed=1)), (dataclasses.replace(train), RECIPE)]:
        other, known = shared_cross_fit(view, recipe, 2, context)
        assert not known
        assert other is not first
    other.candidates[b"asked"] = np.zeros(2)
    assert len(shared) == 3
    keep_only(shared, train)
    assert len(shared) == 2, "both recipes of this view"
    assert not other.candidates, "a model that still knows them would keep them in memory"
    assert shared_cross_fit(train, RECIPE, 2, context)[0] is first


def test_a_second_command_reads_what_the_first_has_made(train, kept, caplog):
    folder, first = kept
    with caplog.at_level(logging.INFO):
        again, known = shared_cross_fit(train, RECIPE, 2, FitContext(kept=folder))
    assert known
    assert "those of an earlier command" in caplog.text
    assert (again.source_seconds, again.feature_seconds) == (first.source_seconds, first.feature_seconds)
    for name in OF_PAIRS:
        np.testing.assert_array_equal(getattr(again.data, name), getattr(first.data, name))
    assert again.data.columns == first.data.columns
    fewer, known = shared_cross_fit(train, dataclasses.replace(RECIPE, negatives=(1,)), 1, FitContext(kept=folder))
    assert known, "what is needed is there"
    assert fewer.data.target.sum() == first.data.target.sum()
    assert len(fewer.data.lists) < len(first.data.lists)
    generators = [fitted.feature_builder.generator for fitted in (first, again)]
    assert [list(generator.sources) for generator in generators] == [list(SETTINGS.sources)] * 2
    query = Query(np.arange(train.n_users), train.histories)
    one, other = (generator.propose(query) for generator in generators)
    np.testing.assert_array_equal(one.scores, other.scores)
    before, after = (fitted.feature_builder.build(one, one.rows, one.items) for fitted in (first, again))
    np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize(
    "other",
    [
        lambda train: (dataclasses.replace(train, split_sha256="of another"), RECIPE, "", ""),
        lambda train: (dataclasses.replace(train, phase="final"), RECIPE, "", ""),
        lambda train: (dataclasses.replace(train, count_floor=5), RECIPE, "", ""),
        lambda train: (train, dataclasses.replace(RECIPE, seed=1), "", ""),
        lambda train: (train, dataclasses.replace(RECIPE, negatives=(1, 3)), "", ""),
        lambda train: (train, dataclasses.replace(RECIPE, settings=dataclasses.replace(SETTINGS, top=9)), "", ""),
        lambda train: (train, RECIPE, "other data", ""),
        lambda train: (train, RECIPE, "", "other code"),
    ],
)
def test_everything_it_depends_on_has_a_place_of_its_own(train, kept, monkeypatch, other):
    folder, _ = kept
    view, recipe, data, code = other(train)
    if code:
        monkeypatch.setattr(kept_cross_fits, "code_sha256", lambda: code)
    assert KeptCrossFit(folder, view, recipe, data).read() is None


def test_the_code_counts(tmp_path, monkeypatch):
    monkeypatch.setattr(kept_cross_fits, "ROOT", tmp_path)
    module = tmp_path / "common" / "models" / "als.py"
    module.parent.mkdir(parents=True)
    module.write_text("a = 1")
    before = code_sha256()
    module.write_text("a = 2")
    assert code_sha256() != before


def test_a_damaged_file_is_told_and_made_anew(train, tmp_path, caplog):
    context = FitContext(kept=tmp_path)
    first, _ = shared_cross_fit(train, RECIPE, 2, context)
    place = KeptCrossFit(tmp_path, train, RECIPE, "").place
    content = (place / ARRAYS).read_bytes()
    (place / ARRAYS).write_bytes(content[:-1] + b"x")
    again, known = shared_cross_fit(train, RECIPE, 2, context)
    assert not known
    assert f"{ARRAYS} is not the file that was written there" in caplog.text
    np.testing.assert_array_equal(again.data.features, first.data.features)
    assert shared_cross_fit(train, RECIPE, 2, context)[1], "and written again"


def test_the_last_used_ones_stay_and_large_ones_are_not_written(train, whole, tmp_path, monkeypatch):
    places = []
    for seed in range(kept_cross_fits.MOST_KEPT + 2):
        places.append(KeptCrossFit(tmp_path, train, dataclasses.replace(RECIPE, seed=seed), ""))
        places[-1].write(whole)
        time.sleep(0.02)
        places[0].read()  # used again and again
        time.sleep(0.02)
    there = [place.place.exists() for place in places]
    assert there[0]
    assert there[-1]
    assert sum(there) == kept_cross_fits.MOST_KEPT
    monkeypatch.setattr(kept_cross_fits, "MOST_BYTES", 1000)
    KeptCrossFit(tmp_path / "large", train, RECIPE, "").write(whole)
    assert not (tmp_path / "large").exists()


def test_a_disk_without_room_costs_nothing_but_the_file(train, whole, tmp_path, caplog):
    (tmp_path / "file").write_text("no folder")
    KeptCrossFit(tmp_path / "file", train, RECIPE, "").write(whole)
    assert "are not kept for other commands" in caplog.text


def test_draws_of_one_number_are_the_same_beside_others_and_alone(train, whole):
    alone, beside = cross_fit(train, dataclasses.replace(RECIPE, negatives=(2,))), whole.only(2)
    assert len(beside.data.lists) < len(whole.data.lists)
    for name in OF_PAIRS:
        np.testing.assert_array_equal(getattr(beside.data, name), getattr(alone.data, name))
    negatives = [(of.candidate & ~of.target).sum() for of in (whole.only(1).data, beside.data)]
    assert 0.3 < negatives[0] / negatives[1] < 0.7
