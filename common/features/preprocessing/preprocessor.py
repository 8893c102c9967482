"""Tables of listening made ready for a network: typed, complete, bounded, scaled, coded, and every step counted.

    frame = joined(interactions, items, users)
    preprocessor = MusicPreprocessor(handle_outliers="robust")
    ready = preprocessor.fit_transform(frame)
    of_items = preprocessor.transform(items, about=("items",))
    preprocessor.quality                       # means, deviations, skew, missing values, outliers: before and after
    preprocessor.save_preprocessors(folder)

The derived columns and their formulas stand in `formulas`, the names that columns may have in `column_names`. Fit on
the interactions of train alone.
"""

import hashlib
import io
import logging
from collections.abc import Mapping
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Literal
from zipfile import BadZipFile

import numpy as np
import pandas as pd

from common.features.preprocessing.column_names import Readings, check_named, standard_frame
from common.features.preprocessing.columns import (
    YEARS,
    choose,
    leave_out_empty,
    require,
    require_sound,
    rows_to_keep,
    typed,
)
from common.features.preprocessing.estimator import Estimator, not_fitted
from common.features.preprocessing.fitted import STRATEGIES, Fitted, learn
from common.features.preprocessing.formulas import BINARY, COLUMNS, KEYS, NUMERIC, PARTS, STAND_INS, TEXTS
from common.features.preprocessing.joining import featured_links
from common.features.preprocessing.quality import as_table, measure
from common.features.preprocessing.report import Notes, summary
from common.features.preprocessing.text_encoder import TOKENS, TextEncoder, read, sources_of_texts
from common.utils.errors import InputError, UserError, check_known, unknown_name, whole_number
from common.utils.io import read_checked, read_json, write_checked, write_json

FILE = "preprocessor.json"
FORMAT = 2
KINDS = ("target", "numeric", "binary", "categories")
"""Kinds of output columns, in their order."""

log = logging.getLogger(__name__)


class MusicPreprocessor(Estimator):
    """Interactions joined to their items and users, as numbers that a network takes; an estimator of scikit-learn.

    handle_outliers: `robust` scales by median and interquartile range and leaves outliers in; `cap` bounds numbers,
    the target among them, at 1.5 interquartile ranges from the quartiles (logarithms are taken first), then
    standardises; `none` only standardises. A column without an interquartile range is not capped.
    missing: per column of the frame, what becomes of rows without a value: `impute` (the default; numbers by their
    median, yes or no by the more frequent, words by code 0; `<column>_missing` says where, if any was missing at the
    fit) or `drop`.
    reference_year: the year that `music_age` counts back from; None: the latest release year of the fit.
    text_dimensions: at most so many columns per text.
    columns: standard name of a column to its name in the frames, for those that go by none of their usual names.

    Settings are checked by the fit. After it, by part (interactions, items, users): `target`, `numeric`, `binary`:
    lists of output columns; `categories`: output column to number of codes, 0 included. `columns_left_out`: column to
    reason. `report`: a row per step and column: step, column, rows, what. `quality`: a row per output column of
    numbers (`quality.measure`).
    """

    def __init__(
        self,
        handle_outliers: str = "robust",
        missing: Mapping[str, Literal["impute", "drop"]] | None = None,
        reference_year: int | None = None,
        text_dimensions: int = 32,
        columns: Mapping[str, str] | None = None,
    ) -> None:
        self.handle_outliers, self.missing, self.reference_year = handle_outliers, missing, reference_year
        self.text_dimensions, self.columns = text_dimensions, columns

    def _check_settings(self) -> None:
        """Raise UserError for the first setting that makes no sense."""
        handle_outliers, missing, reference_year = self.handle_outliers, self.missing, self.reference_year
        if not isinstance(handle_outliers, str) or handle_outliers not in STRATEGIES:
            raise unknown_name("outlier strategy", str(handle_outliers), STRATEGIES)
        whole = isinstance(reference_year, int | np.integer) and not isinstance(reference_year, bool)
        if reference_year is not None and not (whole and YEARS[0] <= reference_year <= YEARS[1]):
            raise UserError(f"reference_year must be a whole number from {YEARS[0]} to {YEARS[1]}: {reference_year!r}")
        if not isinstance(missing, Mapping | None):
            raise UserError(f"missing must say impute or drop by column, as in {{'age': 'drop'}}, not {missing!r}")
        known = [*chain.from_iterable(COLUMNS.values()), *TEXTS]
        for column, choice in (missing or {}).items():
            check_known("column in missing", known, column)
            check_known(f"choice for missing values of {column!r}", ("impute", "drop"), choice)
        whole_number("text_dimensions", self.text_dimensions)
        check_named(self.columns)

    @property
    def _dropped_on(self) -> list[str]:
        return [column for column, choice in (self.missing or {}).items() if choice == "drop"]

    def fit(self, frame: pd.DataFrame, y: object = None) -> "MusicPreprocessor":
        """Learn from a frame of interactions, as `fit_transform` does."""
        self.fit_transform(frame, y)
        return self

    def fit_transform(self, frame: pd.DataFrame, y: object = None) -> pd.DataFrame:
        """Learn from a frame of interactions (see `joined`) and give its output columns, rows and index kept.

        Its columns may have the names that people give them (`column_names`); y is not looked at.
        The frame is not changed; ids are not among the outputs, the index tells the rows. UserError for no rows, no
        user_id, item_id or weight, a missing id, negative plays, or a word where a number belongs.
        """
        self._check_settings()
        require(frame, (), "")
        notes, given = Notes(), list(frame)
        frame, readings = standard_frame(frame, self.columns or {}, None, notes)
        require(frame, ("user_id", "item_id", "weight"), "which every fit needs")
        if not len(frame):
            raise InputError("the frame to fit on has no rows; give the interactions of train")
        require_sound(frame, ("user_id", "item_id"))
        rows, columns, left_out = choose(frame, self._dropped_on, self.reference_year, notes)
        kept = rows_to_keep(rows, columns, self._dropped_on, notes)
        if not kept.any():
            raise UserError("no row is left to fit on, each lacks a value; say 'impute' for more columns in `missing`")
        rows, frame = rows[kept], frame[kept]
        leave_out_empty(rows, columns, left_out)
        rows = rows[[*chain.from_iterable(columns.values())]]
        keys = frame[["user_id", "item_id"]]
        fitted = learn(rows, keys, columns, self.handle_outliers, self.reference_year, notes)
        for name, feature in (NUMERIC | BINARY).items():
            if name not in fitted.scales | fitted.usual and not set(feature.sources) & set(left_out):
                left_out[name] = f"no row has both {' and '.join(feature.sources)}"
        ready = fitted.apply(rows, PARTS, notes)
        fitted.quality.extend(measure(rows, ready, keys, fitted))
        fitted.readings.update(readings)
        texts = self._fit_texts(frame, left_out, notes)
        self._take(fitted, texts, left_out, notes.report())
        self._take_names(given)
        outliers = STRATEGIES[self.handle_outliers]
        log.info("Preprocessed %s rows, outliers %s:\n%s", f"{len(rows):,}", outliers, summary(self.report, left_out))
        return ready

    def transform(self, frame: pd.DataFrame, about: tuple[str, ...] = PARTS) -> pd.DataFrame:
        """The output columns of the parts in `about` for any frame, with what the fit has learned.

        `("items",)` takes a table of items with `item_id`, `("users",)` one of users with `user_id`. Rows, their order
        and the index are kept, but for rows that `missing` says to drop. A category that the fit has not seen gets
        code 0. UserError for a missing column that was fitted on, and for what `fit_transform` refuses.
        """
        fitted = self._learned()
        check_known("part", PARTS, *([about] if isinstance(about, str) else about))
        parts = [part for part in PARTS if part in about]
        keys = list(dict.fromkeys(key for part in parts for key in KEYS[part]))
        columns = {part: fitted.columns[part] for part in parts}
        require(frame, (), "")
        notes = Notes()
        frame, _ = self._standard(frame, [*keys, *chain.from_iterable(columns.values())], notes)
        require(frame, keys, f"which names a row of {' and '.join(parts)}")
        require(frame, chain.from_iterable(columns.values()), "which the preprocessor was fitted on")
        require_sound(frame, keys)
        rows = typed(frame, columns, notes)
        rows = rows[rows_to_keep(rows, columns, self._dropped_on, notes)]
        ready = fitted.apply(rows, parts, notes)
        if oddities := notes.oddities():
            log.info("Preprocessed %s rows; %s", f"{len(frame):,}", oddities)
        return ready

    def text(self, frame: pd.DataFrame) -> dict[str, np.ndarray]:
        """Vectors of the texts that the fit had (artist, genres, featured_artists), each float32 (rows, dimensions).

        TF-IDF over the distinct items of the fit, one dimension per token where there are few, else reduced by a
        truncated SVD. Rows without a known token are zeros.
        """
        self._learned()
        require(frame, (), "")
        frame, _ = self._standard(frame, [column for column, _ in self._texts.values()], Notes())
        require(frame, (column for column, _ in self._texts.values()), "which a text was fitted on", itself=True)
        return {text: encode(read(text, column, frame)) for text, (column, encode) in self._texts.items()}

    def links(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Who is featured where: item_id, artist (None where unknown) and featured_artist, each pair of these once.

        From the column that featured artists were read from at the fit; no rows where it had none.
        """
        self._learned()
        require(frame, (), "")
        column = self._texts["featured_artists"][0] if "featured_artists" in self._texts else None
        wanted = ["item_id", "artist", *([column] if column else [])]
        frame, _ = self._standard(frame, wanted, Notes())
        require(frame, ("item_id",), "which names a row of items")
        return featured_links(frame, column)

    def _standard(self, frame: pd.DataFrame, wanted: list[str], notes: Notes) -> tuple[pd.DataFrame, Readings]:
        """The frame with wanted columns, and those that may stand in for them, under their standard names."""
        wanted = [*wanted, *(name for column in wanted for name in STAND_INS.get(column, ()))]
        if "item_id" in wanted and "item_id" not in frame:
            wanted += ["name", "artist", "artist_names"]
        return standard_frame(frame, self.columns or {}, self._learned().readings, notes, wanted)

    def get_feature_names_out(self, input_features: object = None) -> np.ndarray:
        """Names of the output columns of `transform`, in order, object (columns,)."""
        fitted = self._learned()
        kinds = (fitted.outputs(part) for part in PARTS)
        return np.array([name for of in kinds for kind in KINDS for name in of[kind]], dtype=object)

    def save_preprocessors(self, folder: Path | str) -> None:
        """Write `preprocessor.json` and, before it, the arrays that it names, as npz: whole or not at all."""
        fitted, buffer, folder = self._learned(), io.BytesIO(), Path(folder)
        arrays = {f"{text}/idf": encoder.idf for text, (_, encoder) in self._texts.items()}
        arrays |= {f"{text}/components": encoder.components for text, (_, encoder) in self._texts.items()}
        np.savez(buffer, allow_pickle=False, **arrays)
        content = buffer.getvalue()
        file = f"preprocessor-{hashlib.sha256(content).hexdigest()[:12]}.npz"
        about = {
            "preprocessor": FORMAT,
            "settings": {n: int(v) if isinstance(v, np.integer) else v for n, v in self.get_params().items()},
            "fitted": asdict(fitted),
            "texts": {text: {"column": c, "tokens": encoder.tokens} for text, (c, encoder) in self._texts.items()},
            "columns_left_out": self.columns_left_out,
            "report": self.report.to_dict("list"),
            "arrays": file,
            "sha256": write_checked(folder / file, content),
        }
        write_json(folder / FILE, about)
        for old in folder.glob("preprocessor-*.npz"):
            if old.name != file:
                old.unlink(missing_ok=True)

    @classmethod
    def load_preprocessors(cls, folder: Path | str) -> "MusicPreprocessor":
        """What `save_preprocessors` wrote; the same output to the last bit. UserError names a file that is not its."""
        folder = Path(folder)
        path, mend = folder / FILE, "fit the preprocessor and save it again"
        about = read_json(path)
        try:
            if about["preprocessor"] != FORMAT:
                raise ValueError("another version")
            loaded = cls(**about["settings"])
            loaded._check_settings()
            fitted, report = Fitted.from_json(about["fitted"]), pd.DataFrame(about["report"])
            tokens = {text: (str(of["column"]), list(of["tokens"])) for text, of in about["texts"].items()}
            left_out, arrays, sha256 = dict(about["columns_left_out"]), folder / str(about["arrays"]), about["sha256"]
        except (KeyError, TypeError, ValueError, AttributeError, UserError) as error:
            raise UserError(f"{path} is no preprocessor of this version, or damaged; {mend}") from error
        texts = {}
        try:
            with np.load(io.BytesIO(read_checked(arrays, sha256)), allow_pickle=False) as saved:
                for text, (column, words) in tokens.items():
                    encoder = TextEncoder(TOKENS[text], words, saved[f"{text}/idf"], saved[f"{text}/components"])
                    texts[text] = column, encoder
        except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
            raise UserError(f"{arrays} is missing, damaged or of another fit; {mend}") from error
        loaded._take(fitted, texts, left_out, report)
        return loaded

    def _fit_texts(
        self, frame: pd.DataFrame, left_out: dict[str, str], notes: Notes
    ) -> dict[str, tuple[str, TextEncoder]]:
        """Column and encoder of each text."""
        items, texts = frame.drop_duplicates("item_id"), {}
        sources = sources_of_texts(items)
        for text, pattern in TOKENS.items():
            values = read(text, sources[text], items) if text in sources else None
            encoder = None if values is None else TextEncoder.fit(values, pattern, int(self.text_dimensions))
            if values is None or encoder is None:
                left_out[f"text of {text}"] = "no item has any"
                continue
            texts[text] = sources[text], encoder
            shape = f"{len(encoder.tokens)} tokens"
            shape += f" in {len(encoder.components)} dimensions" if len(encoder.components) else ""
            notes.add("texts", text, frame["item_id"].isin(items["item_id"][values.notna()]).sum(), shape)
        return texts

    def _take(
        self, fitted: Fitted, texts: dict[str, tuple[str, TextEncoder]], left_out: dict[str, str], report: pd.DataFrame
    ) -> None:
        self._fitted, self._texts = fitted, texts
        names = {kind: {part: fitted.outputs(part)[kind] for part in PARTS} for kind in KINDS}
        self._of_fit = {
            **names,
            "categories": {p: {n: len(fitted.vocabularies[n]) + 1 for n in names["categories"][p]} for p in PARTS},
            "columns_left_out": left_out,
            "report": report,
            "quality": as_table(fitted.quality),
        }

    def _learned(self) -> Fitted:
        if not self.__sklearn_is_fitted__():
            raise not_fitted("the preprocessor has learned nothing yet; call fit_transform first, or load a saved one")
        return self._fitted
