"""Columns of a Parquet file, whatever program has written it."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet

from common.utils.errors import UserError


def column_names(path: Path) -> list[str]:
    """The columns of the file."""
    try:
        return list(pyarrow.parquet.read_schema(path).names)
    except pa.ArrowException as error:
        raise _unreadable(path) from error


def read_parquet_columns(path: Path, names: Sequence[str], encoded: Sequence[str]) -> pa.Table:
    """Some columns in their own types; text of `encoded` dictionary-encoded, any other dictionary decoded."""
    try:
        table = pyarrow.parquet.read_table(
            path, columns=list(names), read_dictionary=list(encoded), coerce_int96_timestamp_unit="us"
        )
    except pa.ArrowException as error:
        raise _unreadable(path) from error
    for place, name in enumerate(table.column_names):
        kind = table[name].type
        if pa.types.is_nested(kind):
            raise UserError(f"{path}, column {name}: cells are of type {kind}; save text or numbers")
        if pa.types.is_dictionary(kind) and name not in encoded:
            table = table.set_column(place, name, table[name].cast(kind.value_type))
    return table


def _unreadable(path: Path) -> UserError:
    return UserError(f"{path} is not a readable parquet file; write it anew")
