"""The preprocessor as a whole: fit, transform, save, load, join."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from common.features.preprocessing.joining import joined
from common.features.preprocessing.preprocessor import FILE, MusicPreprocessor
from common.utils.errors import UserError
from tests.features.preprocessing.frames import fitted, frame


def test_the_frame_is_not_changed_and_order_and_index_are_kept():
    given = frame().set_axis([7, 7, 3, 1, 0])
    before = given.copy(deep=True)
    preprocessor = MusicPreprocessor()
    ready = preprocessor.fit_transform(given)
    pd.testing.assert_frame_equal(given, before)
    assert ready.index.tolist() == [7, 7, 3, 1, 0]
    turned = preprocessor.transform(given.iloc[::-1])
    pd.testing.assert_frame_equal(turned, ready.iloc[::-1])


def test_items_and_users_are_transformed_alone():
    preprocessor, ready = fitted(energy=[0.2, None, 0.6, 0.8, 1])
    whole = frame(energy=[0.2, None, 0.6, 0.8, 1])
    user_columns = ["user_id", "age", "gender", "country"]
    items = preprocessor.transform(whole.drop(columns=[*user_columns, "weight", "timestamp"]), about=("items",))
    users = preprocessor.transform(whole[user_columns], about=("users",))
    pd.testing.assert_frame_equal(items, ready[items.columns])
    pd.testing.assert_frame_equal(users, ready[users.columns])
    assert set(users) == {"age", "gender", "country", "age_group"}
    both = preprocessor.transform(whole.drop(columns=["weight", "timestamp"]), about=("users", "items"))
    assert list(both) == [*items, *users]
    assert preprocessor.transform(whole.iloc[:0]).columns.tolist() == ready.columns.tolist()


@pytest.mark.parametrize("strategy", ["robust", "cap", "none"])
def test_a_saved_preprocessor_comes_back_the_same(tmp_path, small_data, strategy):
    tables = small_data.tables
    given = joined(tables.interactions, tables.items, tables.users)
    first = MusicPreprocessor(strategy, {"age": "drop"}, 2030, 6)
    ready = first.fit_transform(given)
    first.save_preprocessors(tmp_path)
    second = MusicPreprocessor.load_preprocessors(tmp_path)
    pd.testing.assert_frame_equal(second.transform(given), ready, check_exact=True)
    for text, vectors in first.text(tables.items).items():
        assert np.array_equal(second.text(tables.items)[text], vectors)
    for name in ("numeric", "binary", "target", "categories", "columns_left_out", "missing", "handle_outliers"):
        assert getattr(second, name) == getattr(first, name)
    pd.testing.assert_frame_equal(second.report, first.report)
    assert (second.reference_year, second.text_dimensions) == (2030, 6)


def test_a_save_replaces_the_former_one_and_leaves_no_other_file(tmp_path):
    fitted()[0].save_preprocessors(tmp_path)
    fitted(genres="one")[0].save_preprocessors(tmp_path)
    assert len(list(tmp_path.iterdir())) == 2
    assert MusicPreprocessor.load_preprocessors(tmp_path).text(frame())["genres"].shape == (5, 1)


def damage(content: dict[str, Any], **changes: Any) -> str:
    return json.dumps(content | changes)


@pytest.mark.parametrize(
    ("spoil", "names"),
    [
        (lambda path: path.unlink(), FILE),
        (lambda path: path.write_text("{"), FILE),
        (lambda path: path.write_text("[1]"), FILE),
        (lambda path: path.write_text('{"model": "als"}'), FILE),
        (lambda path: path.write_text(damage(json.loads(path.read_text()), preprocessor=99)), FILE),
        (lambda path: path.write_text(damage(json.loads(path.read_text()), settings={"handle_outliers": "x"})), FILE),
        (lambda path: path.write_text(damage(json.loads(path.read_text()), fitted={})), FILE),
        (lambda path: next(path.parent.glob("*.npz")).unlink(), ".npz"),
        (lambda path: next(path.parent.glob("*.npz")).write_bytes(b"PK"), ".npz"),
    ],
)
def test_damaged_missing_and_other_files_are_refused_by_name(tmp_path, spoil, names):
    fitted()[0].save_preprocessors(tmp_path)
    spoil(tmp_path / FILE)
    with pytest.raises(UserError) as error:
        MusicPreprocessor.load_preprocessors(tmp_path)
    assert names in str(error.value)


def test_arrays_of_another_fit_are_refused(tmp_path):
    fitted()[0].save_preprocessors(tmp_path / "one")
    fitted(genres="other")[0].save_preprocessors(tmp_path / "two")
    (one,), (two,) = ((tmp_path / folder).glob("*.npz") for folder in ("one", "two"))
    one.write_bytes(two.read_bytes())
    with pytest.raises(UserError, match=f"{one.name} is missing, damaged or of another fit"):
        MusicPreprocessor.load_preprocessors(tmp_path / "one")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MusicPreprocessor("robst").fit(frame()), "unknown outlier strategy 'robst': did you mean 'robust'"),
        (
            lambda: MusicPreprocessor(missing={"aeg": "drop"}).fit(frame()),
            "unknown column in missing 'aeg': did you mean 'age'",
        ),
        (
            lambda: MusicPreprocessor(missing={"age": "dorp"}).fit(frame()),  # type: ignore[dict-item]
            "unknown choice .* 'dorp': did you mean 'drop'",
        ),
        (lambda: MusicPreprocessor(reference_year=99).fit(frame()), "reference_year must be .* from 1860 to 2100: 99"),
        (lambda: MusicPreprocessor(text_dimensions=0).fit(frame()), "text_dimensions = 0: give a whole number from 1"),
        (lambda: MusicPreprocessor().transform(frame()), "call fit_transform first"),
        (lambda: MusicPreprocessor().text(frame()), "call fit_transform first"),
        (lambda: MusicPreprocessor().save_preprocessors(Path()), "call fit_transform first"),
        (lambda: fitted()[0].transform(frame(), ("item",)), "unknown part 'item': did you mean 'items'"),
    ],
)
def test_mistakes_in_the_settings(make, message):
    with pytest.raises(UserError, match=message):
        make()


def test_a_frame_without_rows_or_with_none_left_is_refused():
    with pytest.raises(UserError, match="no rows"):
        MusicPreprocessor().fit_transform(frame().iloc[:0])
    gaps = frame(age=[1, 2, None, None, None], energy=[None, None, 1, 1, 1])
    with pytest.raises(UserError, match="no row is left"):
        MusicPreprocessor(missing={"age": "drop", "energy": "drop"}).fit_transform(gaps)


@pytest.mark.parametrize(
    ("column", "about"),
    [("weight", ("interactions",)), ("energy", ("items",)), ("item_id", ("items",)), ("age", ("users",))],
)
def test_a_column_that_was_fitted_on_must_be_there_again(column, about):
    preprocessor, _ = fitted()
    with pytest.raises(UserError, match=f"no column '{column}'"):
        preprocessor.transform(frame().drop(columns=column), about)
    with pytest.raises(UserError, match="no column 'genres'"):
        preprocessor.text(frame().drop(columns="genres"))


@pytest.mark.real_data
def test_the_real_data_lack_demographics_and_half_the_audio(real_data):
    tables = real_data.tables
    preprocessor = MusicPreprocessor()
    ready = preprocessor.fit_transform(joined(tables.interactions, tables.items, tables.users))
    assert {"age", "gender", "country", "explicit", "time_signature", "timestamp"} <= set(preprocessor.columns_left_out)
    assert ready["energy_missing"].mean() == pytest.approx(0.4785, abs=0.001)
    assert np.isfinite(ready.to_numpy()).all()
    assert preprocessor.text(tables.items)["artist"].shape == (len(tables.items), 32)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ({"handle_outliers": ["robust"]}, "unknown outlier strategy"),
        ({"missing": "drop"}, "missing must say impute or drop by column"),
        ({"missing": ["age"]}, "missing must say impute or drop by column"),
        ({"text_dimensions": True}, "whole number from 1 to"),
    ],
)
def test_settings_of_the_wrong_kind_are_refused(made, said):
    with pytest.raises(UserError, match=said):
        MusicPreprocessor(**made).fit(frame())


def test_gender_is_the_same_in_any_case_and_a_folder_may_be_a_string(tmp_path):
    preprocessor = MusicPreprocessor()
    ready = preprocessor.fit_transform(frame(gender=["f", "F", "m", "M", "f"]))
    assert ready["gender"].tolist() == [1, 1, 2, 2, 1]
    preprocessor.save_preprocessors(str(tmp_path))
    again = MusicPreprocessor.load_preprocessors(str(tmp_path))
    pd.testing.assert_frame_equal(
        again.transform(frame(gender=["M"] * 5)), preprocessor.transform(frame(gender=["m"] * 5))
    )
