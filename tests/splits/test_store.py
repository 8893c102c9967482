"""Splits on disk: what is noted, what is drawn again and what is refused."""

import dataclasses
import json

import pandas as pd
import pytest

from common.splits.protocols import draw_split
from common.splits.store import load_split
from common.utils.errors import UserError
from common.utils.io import sha256_file
from tests.data.worlds import rich
from tests.splits.drawn import as_pairs, hash_of


def test_an_unknown_protocol_is_refused_with_a_suggestion(world):
    with pytest.raises(UserError, match="did you mean 'listen'"):
        load_split(world, "lisen")


def test_split_json_says_what_was_drawn(world):
    split = load_split(world, "listen-s2")
    folder = world.folder / "splits" / "listen-s2"
    info = json.loads((folder / "split.json").read_text())
    assert info == split.info
    assert (info["protocol"], info["split_seed"], info["dataset"]) == ("listen", 2, "small")
    assert info["data_sha256"] == world.sha256
    assert info["split_sha256"] == hash_of(split) == hash_of(draw_split(world, "listen", 2))
    assert info["users"] == 40
    assert info["items"] == len(split.catalogue())
    assert info["rows"] == {name: len(getattr(split, name)) for name in ("train", "valid", "test", "negatives99")}
    assert info["files"] == {f"{name}.parquet": sha256_file(folder / f"{name}.parquet") for name in info["rows"]}


@pytest.mark.parametrize("file", ["test.parquet", "negatives99.parquet", "given.parquet"])
def test_a_changed_file_is_refused_and_a_missing_one_drawn_again(tmp_path, file):
    data = rich(tmp_path)
    drawn = load_split(data, "newcomer")
    path = tmp_path / "splits" / "newcomer" / file
    path.unlink()
    assert load_split(data, "newcomer").info == drawn.info
    pd.read_parquet(path).iloc[:-1].to_parquet(path, index=False)
    with pytest.raises(UserError, match=rf"{file} was changed.*; delete "):
        load_split(data, "newcomer")


def test_other_data_gets_a_split_of_its_own(tmp_path):
    first = load_split(rich(tmp_path, seed=0), "listen")
    data = rich(tmp_path, seed=1)
    second = load_split(data, "listen")
    assert second.info["data_sha256"] == data.sha256 != first.info["data_sha256"]
    assert as_pairs(pd.concat([second.train, second.valid, second.test])) == as_pairs(data.tables.interactions)


def test_a_loaded_split_is_the_drawn_one(world):
    drawn, loaded = draw_split(world, "newcomer"), load_split(world, "newcomer")
    for field in dataclasses.fields(drawn):
        if field.name == "fits_valid":
            assert drawn.fits_valid == loaded.fits_valid
        elif field.name != "info":
            left, right = (getattr(split, field.name).astype(object) for split in (drawn, loaded))
            pd.testing.assert_frame_equal(left, right, check_dtype=False)


SHAPES = ["[]", "{}", '{"split_sha256": 3}', '{"files": []}', "{", '{"files": {"train.parquet": 1}}']


@pytest.mark.parametrize("text", SHAPES)
def test_a_split_json_of_another_shape_means_that_nothing_is_drawn(tmp_path, text):
    data = rich(tmp_path)
    drawn = hash_of(load_split(data, "listen"))
    (data.folder / "splits" / "listen" / "split.json").write_text(text)
    assert hash_of(load_split(data, "listen")) == drawn
