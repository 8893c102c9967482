"""Ids in one spelling, whatever program has written them: `7`, `7.0` and a decimal 7.0 are one id, `007` is another.

A column of decimals that are whole throughout, and a text column whose every cell reads `digits.0`, are the whole
numbers that they came from. Text is Unicode NFC without blanks at the edges.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from common.data.reading.schema import MISSING

TEXT = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
Refuse = Callable[[np.ndarray, str], None]
WHOLE_UP_TO = {16: 2**11, 32: 2**24, 64: 2**53}
"""The largest number up to which a decimal type of so many bits tells all whole numbers apart."""
TRIMMED, COMPOSED, UNPOINTED = "blanks around it taken away", "brought to Unicode NFC", "7.0 read as 7"


@dataclass(frozen=True)
class IdColumn:
    """Codes int32 (rows,), -1 where an id is missing, into the sorted distinct ids that rows hold.

    `repaired`: rows that each repair has touched.
    """

    codes: np.ndarray
    names: pa.Array
    repaired: dict[str, int]


def read_ids(cells: pa.ChunkedArray, keep: bool, refuse: Refuse, where: Callable[[int], str]) -> IdColumn:
    """The ids of a column. keep: markers such as NA are names. `refuse(bad, reason)` raises for the first bad row."""
    codes, written = _encode(cells)
    written, repaired = _checked(written), {}
    if pa.types.is_floating(written.type):
        written = _whole(codes, written, refuse)
        repaired[UNPOINTED] = int(np.count_nonzero(codes >= 0))
    written = written.cast(pa.string()).fill_null("")
    trimmed = pc.utf8_trim_whitespace(written)
    names = pc.utf8_normalize(trimmed, form="NFC")
    missing = missing_texts(names, keep)
    for what, old, new in ((TRIMMED, written, trimmed), (COMPOSED, trimmed, names)):
        changed = pc.and_(pc.not_equal(old, new), pc.invert(missing))
        repaired[what] = _rows(codes, changed)
    names = _without_points(codes, names, missing, refuse, where, repaired)
    return IdColumn(*_sorted(codes, names, missing), {what: rows for what, rows in repaired.items() if rows})


def _checked(written: pa.Array) -> pa.Array:
    """The values themselves; ValueError where such values are no ids."""
    kind = written.type
    exact = pa.types.is_decimal(kind) and kind.scale == 0
    if exact or any(check(kind) for check in (*TEXT, pa.types.is_integer, pa.types.is_floating, pa.types.is_null)):
        return written
    try:
        if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
            return written.cast(pa.string())
    except pa.ArrowInvalid:
        pass
    raise ValueError(f"ids are of type {kind}; save them as text or as whole numbers")


def missing_texts(texts: pa.Array, keep: bool = False) -> pa.Array:
    """Which texts stand for a missing value; with `keep` the empty one alone."""
    return pc.is_in(texts, value_set=pa.array([""] if keep else ["", *MISSING]))


def encode_text(cells: pa.ChunkedArray) -> tuple[np.ndarray, pa.Array]:
    """Codes int32 (rows,), -1 for a null, and the distinct texts that rows hold. Raises a ValueError for no text."""
    codes, texts = _encode(cells)
    try:
        return codes, texts.cast(pa.string()).fill_null("")
    except pa.ArrowException as error:
        raise ValueError(f"cells are of type {cells.type}; save text or numbers") from error


def _encode(cells: pa.ChunkedArray) -> tuple[np.ndarray, pa.Array]:
    """Codes and the distinct values that rows hold; entries of a dictionary that no row uses do not exist."""
    encoded = cells if pa.types.is_dictionary(cells.type) else cells.dictionary_encode()
    whole = pa.chunked_array(encoded.chunks, type=encoded.type).combine_chunks()
    indices = whole.indices.cast(pa.int32())
    codes = (indices.fill_null(-1) if indices.null_count else indices).to_numpy()
    used = pc.unique(indices).drop_null()
    if len(used) == len(whole.dictionary):
        return codes, whole.dictionary
    places = np.full(len(whole.dictionary) + 1, -1, np.int32)
    places[used] = np.arange(len(used), dtype=np.int32)
    return places[codes], whole.dictionary.take(used)


def _rows(codes: np.ndarray, chosen: pa.Array) -> int:
    """Number of rows that hold one of the chosen values."""
    return int(np.count_nonzero(_among(codes, chosen))) if pc.any(chosen).as_py() else 0


def _among(codes: np.ndarray, chosen: pa.Array) -> np.ndarray:
    return np.append(chosen.to_numpy(zero_copy_only=False), False)[codes]


def _whole(codes: np.ndarray, written: pa.Array, refuse: Refuse) -> pa.Array:
    """Decimals as the whole numbers that they are."""
    values = written.cast(pa.float64()).to_numpy(zero_copy_only=False)
    known = np.append(~np.isnan(values), False)
    refuse((np.append(values != np.floor(values), False) & known)[codes], "is no whole number; save ids as text")
    large = np.append(np.abs(values) > WHOLE_UP_TO[written.type.bit_width], False) & known
    refuse(large[codes], "is more than a decimal number can hold to the last digit; save ids as text")
    return pa.array(values.astype(object), pa.float64(), from_pandas=True).cast(pa.int64())


def _without_points(
    codes: np.ndarray,
    names: pa.Array,
    missing: pa.Array,
    refuse: Refuse,
    where: Callable[[int], str],
    repaired: dict[str, int],
) -> pa.Array:
    """`7.0` as 7 where every cell reads so; a column that holds both is refused with a line of each."""
    pointed = pc.match_substring_regex(names, r"^-?[0-9]+\.0$")
    if not pc.any(pointed).as_py():
        return names
    if pc.all(pc.or_(pointed, missing)).as_py():
        repaired[UNPOINTED] = _rows(codes, pointed)
        return pc.if_else(pointed, pc.replace_substring_regex(names, r"\.0$", ""), names)
    plain = pc.match_substring_regex(names, "^-?[0-9]+$")
    if pc.any(plain).as_py():
        other = int(np.flatnonzero(_among(codes, plain))[0])
        refuse(
            _among(codes, pointed), f"stands beside {names[codes[other]].as_py()!r} ({where(other)}); spell all alike"
        )
    return names


def _sorted(codes: np.ndarray, names: pa.Array, missing: pa.Array) -> tuple[np.ndarray, pa.Array]:
    """Codes into the sorted names, those of missing ids -1."""
    distinct = pc.unique(names.filter(pc.invert(missing)))
    distinct = distinct.take(pc.sort_indices(distinct))
    places = pc.fill_null(pc.index_in(names, value_set=distinct), -1).to_numpy(zero_copy_only=False)
    return np.append(places, np.int32(-1)).astype(np.int32, copy=False)[codes], distinct
