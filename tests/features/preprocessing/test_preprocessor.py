import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from common.features.preprocessing.preprocessor import FILE, MusicPreprocessor, joined
from common.splits.train_view import load_train_view
from common.utils.errors import UserError
from tests.conftest import SMALL

NUMERIC_OF_ITEMS = [
    "release_year", "music_age", "duration_log", "tempo_log", "danceability", "energy", "loudness", "speechiness",
    "acousticness", "instrumentalness", "liveness", "valence", "energy_loudness", "dance_valence",
]  # fmt: skip


def frame(**columns: Any) -> pd.DataFrame:
    """Five interactions of five users with five items, complete and without outliers; `columns` replace or add."""
    rows = {
        "user_id": list("uvwxy"),
        "item_id": list("abcde"),
        "weight": [0.0, 1.0, 3.0, 7.0, 15.0],
        "timestamp": [0, 21_600, 43_200, 64_800, -21_600],
        "name": ["One", "Two (feat. Ann Lee)", "Three", "Four", "Five"],
        "artist": ["X", "Y", "X", "Y", "Z"],
        "artist_names": ["X Club", "Y Club|Ann Lee", "X Club", "Y Club", "Zed|Ann Lee|Bo"],
        "genres": ["rock|hard rock", "rock", "pop", "pop|rock", "Rock"],
        "release_year": [1980, 1985, 1990, 1995, 2000],
        "release_date": ["1980", "1985-02", "1990-01-01", "1995", "2000"],
        "duration_ms": [np.expm1(v) for v in (10.0, 11.0, 12.0, 13.0, 14.0)],
        "explicit": [True, False, True, False, False],
        "time_signature": [3, 4, 4, 4, 3],
        "danceability": [0.0, 0.25, 0.5, 0.75, 1.0],
        "energy": [0.2, 0.4, 0.6, 0.8, 1.0],
        "loudness": [-20.0, -15.0, -10.0, -5.0, 0.0],
        **{name: [0.1, 0.2, 0.3, 0.4, 0.5] for name in ("speechiness", "acousticness", "instrumentalness", "liveness")},
        "valence": [1.0, 0.8, 0.6, 0.4, 0.2],
        "tempo": [np.expm1(v) for v in (4.0, 4.25, 4.5, 4.75, 5.0)],
        "age": [17.0, 18.0, 34.0, 64.0, 65.0],
        "gender": ["m", "f", "m", "f", "f"],
        "country": ["Chile", "Chile", "Peru", "Chile", "Peru"],
    }
    return pd.DataFrame(rows | columns)


def fitted(**columns: Any) -> tuple[MusicPreprocessor, pd.DataFrame]:
    preprocessor = MusicPreprocessor()
    return preprocessor, preprocessor.fit_transform(frame(**columns))


def noted(preprocessor: MusicPreprocessor, step: str) -> dict[str, int]:
    """Rows touched in a step, by column."""
    rows = preprocessor.report[preprocessor.report["step"] == step]
    return dict(zip(rows["column"], rows["rows"], strict=True))


LINE = [-1.0, -0.5, 0.0, 0.5, 1.0]
"""Five numbers of equal distance, less their median, in units of their interquartile range."""


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ("plays_log", np.log([1, 2, 4, 8, 16])),
        ("hour_sin", [0, 1, 0, -1, -1]),  # midnight, 6, 12, 18, and 18 of the day before 1970
        ("hour_cos", [1, 0, -1, 0, 0]),
        ("release_year", LINE),
        ("music_age", LINE[::-1]),
        ("duration_log", LINE),
        ("tempo_log", LINE),
        ("energy", LINE),
        ("loudness", LINE),
        ("energy_loudness", (np.array([0, 0.1, 0.3, 0.6, 1]) - 0.3) / 0.5),
        ("dance_valence", [-0.2 / 0.1, 0, 0.1 / 0.1, 0.1 / 0.1, 0]),  # 0, 0.2, 0.3, 0.3, 0.2
        ("age", (np.array([17, 18, 34, 64, 65]) - 34) / 46),
        ("explicit", [1, 0, 1, 0, 0]),
        ("time_signature_3", [1, 0, 0, 0, 1]),
        ("gender", [2, 1, 2, 1, 1]),
        ("country", [1, 1, 2, 1, 2]),
        ("artist", [1, 2, 1, 2, 3]),
        ("age_group", [1, 2, 3, 6, 7]),
        ("year", [1, 2, 3, 4, 5]),
    ],
)
def test_every_derived_column_by_hand(column, expected):
    assert fitted()[1][column].to_numpy() == pytest.approx(np.asarray(expected, float), abs=1e-6)


def test_columns_are_listed_by_part_and_typed():
    preprocessor, ready = fitted()
    assert preprocessor.target == {"interactions": ["plays_log"], "items": [], "users": []}
    assert preprocessor.numeric == {
        "interactions": ["hour_sin", "hour_cos"], "items": NUMERIC_OF_ITEMS, "users": ["age"],
    }  # fmt: skip
    assert preprocessor.binary == {"interactions": [], "items": ["explicit", "time_signature_3"], "users": []}
    assert preprocessor.categories == {
        "interactions": {},
        "items": {"artist": 4, "year": 6},
        "users": {"gender": 3, "country": 3, "age_group": 8},
    }
    kinds: list[Any] = [preprocessor.target, preprocessor.numeric, preprocessor.binary, preprocessor.categories]
    assert set(ready) == {name for kind in kinds for part in kind.values() for name in part}
    assert set(map(str, ready.dtypes)) == {"float32", "int8", "int32"}
    assert preprocessor.columns_left_out == {}


def test_the_frame_is_not_changed_and_order_and_index_are_kept():
    given = frame().set_axis([7, 7, 3, 1, 0])
    before = given.copy(deep=True)
    preprocessor = MusicPreprocessor()
    ready = preprocessor.fit_transform(given)
    pd.testing.assert_frame_equal(given, before)
    assert ready.index.tolist() == [7, 7, 3, 1, 0]
    turned = preprocessor.transform(given.iloc[::-1])
    pd.testing.assert_frame_equal(turned, ready.iloc[::-1])


def test_items_and_users_are_scaled_over_distinct_ones_not_over_interactions():
    often = pd.concat([frame(), *[frame(weight=1.0).iloc[[4]]] * 20], ignore_index=True)
    ready = MusicPreprocessor().fit_transform(often)
    assert ready["energy"].head(5).to_numpy() == pytest.approx(LINE)
    assert ready["age"].iloc[2] == 0


@pytest.mark.parametrize(
    ("strategy", "energy", "plays"),
    [
        ("robust", [-1, -0.5, 0, 0.5, (50 - 0.6) / 0.4], np.log(1e6)),
        ("cap", (np.array([0.2, 0.4, 0.6, 0.8, 1.4]) - 0.68) / np.sqrt(0.1696), np.log(8) + 1.5 * np.log(4)),
        ("none", None, np.log(1e6)),
    ],
)
def test_outliers_are_scaled_capped_or_left(strategy, energy, plays):
    given = frame(energy=[0.2, 0.4, 0.6, 0.8, 50.0], weight=[0.0, 1.0, 3.0, 7.0, 1e6 - 1])
    preprocessor = MusicPreprocessor(strategy)
    ready = preprocessor.fit_transform(given)
    if energy is None:
        energy = (given["energy"] - given["energy"].mean()) / given["energy"].std(ddof=0)
    assert ready["energy"].to_numpy() == pytest.approx(np.asarray(energy), abs=1e-5)
    assert ready["plays_log"].iloc[4] == pytest.approx(plays)
    touched = noted(preprocessor, "outliers")
    assert touched["energy"] == 1
    assert touched["plays_log"] == 1


def test_a_column_without_an_interquartile_range_is_not_capped_flat():
    ready = MusicPreprocessor("cap").fit_transform(frame(speechiness=[0.1, 0.1, 0.1, 0.1, 0.9]))
    assert ready["speechiness"].nunique() == 2


def test_missing_values_are_imputed_flagged_and_counted():
    gaps = {
        "energy": [0.2, np.nan, 0.6, 1.0, 0.6], "gender": ["m", None, " ", "f", "f"],
        "timestamp": [21_600, None, 0, 0, 0], "explicit": [None, False, 0, "no", 1], "age": [20, 40, 30, None, None],
    }  # fmt: skip
    preprocessor, ready = fitted(**gaps)
    assert ready["energy"].iloc[1] == 0  # the median of 0.2, 0.6, 0.6, 1
    assert ready["energy_missing"].tolist() == [0, 1, 0, 0, 0]
    assert ready["energy_loudness"].iloc[1] == 0
    assert ready["gender"].tolist() == [2, 0, 0, 1, 1]
    assert ready["gender_missing"].tolist() == [0, 1, 1, 0, 0]
    assert ready["explicit"].tolist() == [0, 0, 0, 0, 1]
    assert ready[["hour_sin", "hour_cos", "timestamp_missing"]].to_numpy()[1].tolist() == [0, 0, 1]
    assert ready["age"].iloc[3] == 0
    assert ready["age_group"].iloc[3] == 0
    assert preprocessor.binary["users"] == ["age_missing", "gender_missing"]
    expected = {"timestamp": 1, "explicit": 1, "energy": 1, "age": 2, "gender": 2}
    assert noted(preprocessor, "missing values") == expected


def test_rows_are_dropped_by_column_and_counted():
    preprocessor = MusicPreprocessor(missing={"energy": "drop", "genres": "drop", "age": "impute"})
    given = frame(energy=[0.2, None, 0.4, 0.6, 0.8], genres=["a", None, "", "b", "b"], age=[20, 30, 40, None, 50])
    ready = preprocessor.fit_transform(given)
    assert ready.index.tolist() == [0, 3, 4]
    assert noted(preprocessor, "rows dropped") == {"energy": 1, "genres": 1}
    assert "energy_missing" not in ready
    assert preprocessor.transform(given, ("items",)).index.tolist() == [0, 3, 4]
    assert len(preprocessor.transform(given, ("users",))) == 5


def test_time_signatures_other_than_3_and_4_become_missing():
    preprocessor, ready = fitted(time_signature=[3, 4, 5, 4, 3.5])
    assert ready["time_signature_3"].tolist() == [1, 0, 0, 0, 0]
    assert ready["time_signature_missing"].tolist() == [0, 0, 1, 0, 1]
    assert noted(preprocessor, "time signatures") == {"time_signature": 2}


def test_infinite_and_impossible_values_become_missing():
    preprocessor, ready = fitted(
        loudness=[-20, np.inf, -10, -np.inf, 0], tempo=[100, 0, 100, 120, 1e300], age=[20, 30, 40, 999, -1],
        weight=[1, 2, np.inf, 4, 5],
    )  # fmt: skip
    assert np.isfinite(ready.to_numpy()).all()
    assert noted(preprocessor, "infinite values") == {"weight": 1, "loudness": 2, "tempo": 1}
    assert noted(preprocessor, "impossible values") == {"tempo": 1, "age": 2}
    assert ready["plays_log"].iloc[2] == pytest.approx((np.log(3) + np.log(5)) / 2)


def test_a_column_that_dropped_rows_leave_empty_is_left_out():
    preprocessor = MusicPreprocessor(missing={"energy": "drop"})
    ready = preprocessor.fit_transform(frame(energy=[None, None, 0.1, 0.2, 0.3], age=[20, 30, None, None, None]))
    assert preprocessor.columns_left_out == {"age": "no value in any row"}
    assert "age_group" not in ready


def test_a_tiny_spread_stays_finite():
    preprocessor = MusicPreprocessor()
    preprocessor.fit_transform(frame(liveness=[0, 1e-14, 2e-14, 3e-14, 4e-14]))
    later = preprocessor.transform(frame(liveness=1e29))
    assert np.isfinite(later.to_numpy()).all()


def test_steps_that_touched_nothing_are_in_the_report():
    preprocessor, _ = fitted()
    assert noted(preprocessor, "infinite values") == {"": 0}
    assert noted(preprocessor, "types")["weight"] == 5
    assert list(preprocessor.report) == ["step", "column", "rows", "what"]


def test_the_fit_is_told_once_in_one_message(caplog):
    with caplog.at_level(logging.INFO, "common"):
        fitted(country=None)
    (message,) = [record.getMessage() for record in caplog.records]
    assert "Preprocessed 5 rows" in message
    assert "left out           country: no value in any row" in message


def test_columns_that_the_data_lack_are_left_out():
    bare = frame()[["user_id", "item_id", "weight"]]
    preprocessor = MusicPreprocessor()
    assert list(preprocessor.fit_transform(bare)) == ["plays_log"]
    assert preprocessor.columns_left_out["age"] == "not in the data"
    assert preprocessor.columns_left_out["text of genres"] == "no item has any"
    assert preprocessor.text(bare) == {}


def test_columns_without_any_value_are_left_out():
    preprocessor, ready = fitted(energy=np.nan, gender=None, tempo=0)
    for column in ("energy", "gender", "tempo"):
        assert preprocessor.columns_left_out[column] == "no value in any row"
    assert not {"energy", "energy_loudness", "gender", "tempo_log", "energy_missing"} & set(ready)
    assert "loudness" in ready


def test_a_product_of_which_no_row_has_both_is_left_out():
    preprocessor, ready = fitted(energy=[0.5, 0.4, None, None, None], loudness=[None, None, -3, -4, -5])
    assert preprocessor.columns_left_out == {"energy_loudness": "no row has both energy and loudness"}
    assert "energy_loudness" not in ready


def test_days_without_a_time_have_no_hour():
    preprocessor, ready = fitted(timestamp=[0, 86_400, 0, 172_800, 86_400])
    assert preprocessor.columns_left_out == {"timestamp": "days without a time"}
    assert "hour_sin" not in ready


def test_items_that_are_artists_give_no_category_but_their_names_are_read():
    artists = frame(artist=list("abcde"), name=["The Cure", "Cure feat. Who", "The Who", "Abba", None])
    preprocessor = MusicPreprocessor()
    preprocessor.fit_transform(artists.drop(columns="artist_names"))
    assert preprocessor.columns_left_out == {"artist": "the items are artists"}
    assert "artist" not in preprocessor.categories["items"]
    text = preprocessor.text(artists)
    assert (text["artist"] != 0).any(axis=1).tolist() == [True, True, True, False, False]  # "cure" and "the" are shared
    assert (text["featured_artists"] != 0).any(axis=1).tolist() == [False, True, False, False, False]


def test_the_reference_year_is_the_latest_release_or_the_given_one_never_the_clock():
    given = frame(release_year=[1980, 1985, 1990, 1995, 2000])
    default, other = MusicPreprocessor(), MusicPreprocessor(reference_year=1995)
    default.fit_transform(given)
    ready = other.fit_transform(given)
    ages = other.transform(frame(release_year=[1995, 1996, 2001, 1990, 1985]))["music_age"].to_numpy()
    assert ages == pytest.approx((np.array([0, 0, 0, 5, 10]) - 5) / 10)  # ages at fit: 15, 10, 5, 0, 0
    assert ready["music_age"].iloc[4] == ready["music_age"].iloc[3]
    assert noted(other, "music age") == {"music_age": 1}
    assert default.transform(given)["music_age"].to_numpy() == pytest.approx(LINE[::-1])


def test_release_years_are_taken_from_dates_where_they_are_missing():
    preprocessor, ready = fitted(release_year=[1980, None, 1990, None, 2000])
    assert ready["release_year"].to_numpy() == pytest.approx(LINE)
    assert noted(preprocessor, "release dates") == {"release_year": 2}
    only_dates = MusicPreprocessor().fit_transform(frame().drop(columns="release_year"))
    assert only_dates["release_year"].to_numpy() == pytest.approx(LINE)


def test_numbers_may_be_spelled_and_words_may_be_numbers():
    preprocessor, ready = fitted(energy=["0.2", "0.4", " 0.6", "", "1"], country=[1, 2, 1, 2, 2])
    assert ready["energy_missing"].tolist() == [0, 0, 0, 1, 0]
    again = preprocessor.transform(frame(country=[1.0, 2.0, np.nan, 7.0, 1.0]), ("users",))
    assert again["country"].tolist() == [1, 2, 0, 0, 1]


def test_categories_never_seen_get_code_0_and_are_told(caplog):
    preprocessor, _ = fitted()
    with caplog.at_level(logging.INFO, "common"):
        ready = preprocessor.transform(frame(gender=["x", "m", "f", "y", None], artist="new"))
    assert ready["gender"].tolist() == [0, 2, 1, 0, 0]
    assert ready["artist"].tolist() == [0] * 5
    assert "unseen categories: artist 5 (code 0); unseen categories: gender 2 (code 0)" in caplog.text


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


def test_genres_are_whole_and_without_case_and_few_tokens_stay_tf_idf():
    preprocessor, _ = fitted()
    genres = preprocessor.text(frame())["genres"]
    # Only "rock" (four items) and "pop" (two) are shared: idf = 1 + log(6 / (1 + items)).
    pop, rock = 1 + np.log(6 / 3), 1 + np.log(6 / 5)
    expected = [[0, 1], [0, 1], [1, 0], np.array([pop, rock]) / np.hypot(pop, rock), [0, 1]]
    assert genres == pytest.approx(np.array(expected), abs=1e-6)
    assert genres.dtype == np.float32


def test_texts_are_fitted_on_distinct_items_and_unknown_ones_are_zero():
    often = pd.concat([frame(), *[frame().iloc[[2]]] * 30], ignore_index=True)
    preprocessor = MusicPreprocessor()
    preprocessor.fit_transform(often)
    text = preprocessor.text(frame())
    assert np.array_equal(text["genres"], fitted()[0].text(frame())["genres"])
    assert text["featured_artists"].any(axis=1).tolist() == [False, True, False, False, True]
    new = preprocessor.text(frame(genres="polka", artist_names=None))
    assert not any(vectors.any() for vectors in new.values())


def test_many_tokens_are_reduced():
    words = [f"w{i} w{i + 1} w{i + 2}" for i in range(40)]
    given = pd.DataFrame({"user_id": "u", "item_id": range(40), "weight": 1.0, "artist": words})
    preprocessor = MusicPreprocessor(text_dimensions=5)
    preprocessor.fit_transform(given)
    artist = preprocessor.text(given)["artist"]
    assert artist.shape == (40, 5)
    near, far = artist[10] @ artist[11], artist[10] @ artist[30]
    assert near > far


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
        (lambda: MusicPreprocessor("robst"), "unknown outlier strategy 'robst': did you mean 'robust'"),
        (lambda: MusicPreprocessor(missing={"aeg": "drop"}), "unknown column in missing 'aeg': did you mean 'age'"),
        (lambda: MusicPreprocessor(missing={"age": "dorp"}), "unknown choice .* 'dorp': did you mean 'drop'"),  # type: ignore[dict-item]
        (lambda: MusicPreprocessor(reference_year=99), "reference_year must be .* from 1860 to 2100: 99"),
        (lambda: MusicPreprocessor(text_dimensions=0), "text_dimensions must be .* at least 1, not 0"),
        (lambda: MusicPreprocessor().transform(frame()), "call fit_transform first"),
        (lambda: MusicPreprocessor().text(frame()), "call fit_transform first"),
        (lambda: MusicPreprocessor().save_preprocessors(Path()), "call fit_transform first"),
        (lambda: fitted()[0].transform(frame(), ("item",)), "unknown part 'item': did you mean 'items'"),
    ],
)
def test_mistakes_in_the_settings(make, message):
    with pytest.raises(UserError, match=message):
        make()


@pytest.mark.parametrize("column", ["user_id", "item_id", "weight"])
def test_a_fit_needs_its_columns(column):
    with pytest.raises(UserError, match=f"no column '{column}'.*add it"):
        MusicPreprocessor().fit_transform(frame().drop(columns=column))


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"weight": [1, 2, -3, 4, 5]}, "column 'weight', row 2: -3 plays"),
        ({"weight": [1, 2, -np.inf, 4, -5]}, "column 'weight', row 4: -5 plays"),
        ({"weight": np.nan}, "'weight' holds no plays in any row"),
        ({"energy": [1, 2, 3, "loud", 5]}, "column 'energy', row 3: 'loud' is not a number"),
        ({"explicit": [True, "maybe", None, False, False]}, "column 'explicit', row 1: 'maybe' is not true or false"),
        ({"timestamp": pd.to_datetime(["2020-01-01"] * 5)}, "column 'timestamp', row 0: .* is not a number"),
        ({"item_id": ["a", None, "c", "d", "e"]}, "column 'item_id', row 1: the id is missing"),
        ({"release_year": [80, 85, 90, 95, 99], "release_date": None}, "reference_year cannot be derived.*'80'"),
        (
            {"release_year": None, "release_date": "spring"},
            "reference_year cannot be derived.*'release_date'.*'spring'",
        ),
    ],
)
def test_mistakes_in_the_rows(columns, message):
    with pytest.raises(UserError, match=message):
        MusicPreprocessor().fit_transform(frame(**columns))


def test_unreadable_years_are_left_out_where_a_reference_year_is_given():
    preprocessor = MusicPreprocessor(reference_year=2020)
    preprocessor.fit_transform(frame(release_year=[80, 85, 90, 95, 99], release_date=None))
    assert preprocessor.columns_left_out == {"release_year": "no value in any row"}


def test_a_frame_without_rows_or_with_none_left_is_refused():
    with pytest.raises(UserError, match="no rows"):
        MusicPreprocessor().fit_transform(frame().iloc[:0])
    gaps = frame(age=[1, 2, None, None, None], energy=[None, None, 1, 1, 1])
    with pytest.raises(UserError, match="no row is left"):
        MusicPreprocessor(missing={"age": "drop", "energy": "drop"}).fit_transform(gaps)


def test_two_columns_of_one_name_are_refused():
    with pytest.raises(UserError, match="two columns 'weight'"):
        MusicPreprocessor().fit_transform(pd.concat([frame(), frame()[["weight"]]], axis=1))


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


def test_nothing_stands_in_for_the_column_of_a_text():
    preprocessor = MusicPreprocessor()
    preprocessor.fit_transform(frame().drop(columns="artist_names"))
    with pytest.raises(UserError, match="no column 'artist'"):
        preprocessor.text(frame().drop(columns="artist"))


def test_visible_tables_are_joined_by_code_and_others_by_id(small_data):
    train: Any = load_train_view(small_data, "listen", "select")
    by_code = joined(train.interactions, train.items, train.users)
    ids = by_code[["user_id", "item_id"]]
    assert ids["user_id"].tolist() == train.users["user_id"].take(train.interactions["user"]).tolist()
    with_ids = train.interactions.drop(columns=["user", "item"]).assign(**ids)
    by_id = joined(with_ids, train.items.iloc[::-1], train.users)
    pd.testing.assert_frame_equal(by_id, by_code, check_dtype=False)
    ready = MusicPreprocessor().fit_transform(by_code)
    assert np.isfinite(ready.to_numpy()).all()
    assert len(ready) == len(train.interactions)
    assert train.n_users <= SMALL.users


def test_an_id_without_a_row_has_missing_values_and_a_double_one_is_refused():
    parts = [pd.DataFrame({"item_id": ["a"], "energy": [0.5]}), pd.DataFrame({"user_id": ["u"], "age": [20]})]
    rows = pd.DataFrame({"user_id": ["u", "v"], "item_id": ["b", "a"], "weight": [1, 2]}, index=[5, 6])
    found = joined(rows, *parts)
    assert found.index.tolist() == [5, 6]
    assert found["energy"].isna().tolist() == [True, False]
    assert found["age"].isna().tolist() == [False, True]
    assert found["item_id"].tolist() == ["b", "a"]
    with pytest.raises(UserError, match="'item_id' of items holds 'a' twice"):
        joined(rows, pd.concat([parts[0]] * 2), parts[1])


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
        ({"text_dimensions": True}, "whole number of at least 1"),
    ],
)
def test_settings_of_the_wrong_kind_are_refused(made, said):
    with pytest.raises(UserError, match=said):
        MusicPreprocessor(**made)


def test_what_is_no_frame_and_cells_that_are_lists_are_refused():
    nothing: Any = None
    with pytest.raises(UserError, match="give a pandas data frame, not NoneType"):
        MusicPreprocessor().fit_transform(nothing)
    for column in ("genres", "artist"):
        with pytest.raises(UserError, match=f"column '{column}' holds lists; give words"):
            MusicPreprocessor().fit_transform(frame(**{column: [["a", "b"]] * 5}))


def test_gender_is_the_same_in_any_case_and_a_folder_may_be_a_string(tmp_path):
    preprocessor = MusicPreprocessor()
    ready = preprocessor.fit_transform(frame(gender=["f", "F", "m", "M", "f"]))
    assert ready["gender"].tolist() == [1, 1, 2, 2, 1]
    preprocessor.save_preprocessors(str(tmp_path))
    again = MusicPreprocessor.load_preprocessors(str(tmp_path))
    pd.testing.assert_frame_equal(
        again.transform(frame(gender=["M"] * 5)), preprocessor.transform(frame(gender=["m"] * 5))
    )
