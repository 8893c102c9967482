"""What benchmarks of several parts share: a limit of time for one start, and tables that are printed and kept."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.scale import tables
from benchmarks.scale.child import OverTimeError
from common.reporting.markdown_blocks import block, fill
from common.utils.errors import UserError
from common.utils.io import write_text


def run_parts(todo: Mapping[str, Callable[[], None]], of: str, deadline: float, minutes: int) -> None:
    """Run parts, by name, in order; after the deadline none is begun, and one that raises OverTimeError is the last."""
    for part, run in todo.items():
        started = time.monotonic()
        try:
            if started > deadline:
                raise OverTimeError
            run()
        except OverTimeError:
            print(f"{minutes} minutes are over during {part}; the same command goes on there", flush=True)
            return
        print(f"{part} of {of}: done in {time.monotonic() - started:,.0f} s", flush=True)


def print_tables(made: Mapping[str, str]) -> None:
    """Print the blocks of a page."""
    for marker, table in made.items():
        print(f"\n{marker}\n\n{table}", flush=True)


def write_page(
    path: Path, page: str, made: Mapping[str, str], merged: Callable[[str, str], str] = tables.merged
) -> str:
    """Fill the blocks of a page; raise a UserError where it has none of them.

    merged: what becomes of the table that was there and the one that is made; as it is, rows of other sizes stay.
    """
    known = [marker for marker in made if f"<!-- {marker} -->" in page]
    if made and not known:
        raise UserError(f"{path} has no line <!-- {next(iter(made))} --> or another of these blocks; add one to fill")
    for marker in known:
        page = fill(page, marker, merged(block(page, marker), made[marker]))
    write_text(path, page)
    return page
