"""The rows of a folder of one's own as its files hold them: nothing merged, nothing refused that a check is to find."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from common.data.ids import PAIR
from common.data.reading.schema import INTERACTIONS as COLUMNS
from common.data.reading.schema import REFUSE, TABLES
from common.data.reading.table import Table, read_table
from common.data.sources.custom.folder import INTERACTIONS, NEGATIVES, PARTS, check_what_is_there, find_tables


@dataclass(frozen=True)
class RawTable:
    """Rows in file order: user_id, item_id and timestamp, or of negatives user_id, negative_id and item_id where the
    file has them. `where(row)` says in words where a row stands in its file."""

    rows: pd.DataFrame
    where: Callable[[int], str]


def read_raw(folder: Path, missing: str = REFUSE) -> dict[str, RawTable]:
    """The tables of interactions and of negatives that a folder holds, by name; missing: as in `read_folder`.

    Raises UserError for a broken file.
    """
    paths = find_tables(folder)
    check_what_is_there(folder, paths)
    found = {}
    for name in (INTERACTIONS, *PARTS):
        if name in paths:
            table = read_table(paths[name], [column for column in COLUMNS if column.name != "weight"], missing)
            rows = pd.DataFrame({column: table.ids(column) for column in PAIR})
            if "timestamp" in table:
                rows["timestamp"] = table.seconds()
            found[name] = RawTable(rows, _place(table))
    if NEGATIVES in paths:
        table = read_table(paths[NEGATIVES], TABLES[NEGATIVES], missing)
        found[NEGATIVES] = RawTable(
            pd.DataFrame({column: table.ids(column) for column in table.columns}), _place(table)
        )
    return found


def _place(table: Table) -> Callable[[int], str]:
    return lambda row: table.where(row).replace(str(table.path), table.path.name)
