"""Whether a file is the published one: by its rows, not its bytes, since copies differ in line ends and marks."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from common.data.reading.table import Table
from common.utils.errors import UserError

MEND = "correct that line or fetch the file again"


@dataclass(frozen=True)
class Reference:
    """What the published file holds: its number of rows and the SHA-256 of its normalised rows."""

    rows: int
    sha256: str


def hash_rows(file: Table) -> str:
    """SHA-256 of a text file's rows in UTF-8, joined by LF, without header, mark and trailing empty lines."""
    part, *others = file.parts
    if others:
        raise UserError(f"{file.path} is a folder where a file should be; replace it by the file")
    if part.text is None:
        raise ValueError(f"{file.path} is no text")
    with part.text.bytes() as stream:
        content = stream.read().replace(b"\r\n", b"\n").rstrip(b"\n")
    return hashlib.sha256(content.split(b"\n", part.text.line(2) - 1)[-1]).hexdigest()


def compare(file: Table, reference: Reference) -> dict[str, object]:
    """Rows, hash and whether both are those of the published file, for the manifest."""
    found = (len(file), hash_rows(file))
    return {"rows": found[0], "sha256": found[1], "matches_reference": found == (reference.rows, reference.sha256)}


def describe_mismatch(path: Path, found: dict[str, object], reference: Reference) -> str | None:
    """One readable sentence on how a file differs from the published one, as `compare` has found; None where not."""
    if found["matches_reference"]:
        return None
    if found["rows"] != reference.rows:
        said = f"it has {found['rows']:,} rows instead of {reference.rows:,}"
    else:
        said = f"it has the right number of rows, {reference.rows:,}, but not all are the same"
    return f"{path} is not the published file: {said}; published figures will not be reproduced from it"


def differences(path: Path, found: Mapping[str, int], published: Mapping[str, int]) -> list[str]:
    """A sentence where counts of a large file differ from the published ones, with both figures of each; else none.

    >>> differences(Path("a.tsv"), {"lines": 5, "users": 2}, {"lines": 1000, "users": 2})
    ['a.tsv is not the whole published file: lines 5 instead of 1,000; published figures cannot be reproduced from it']
    """
    said = [f"{name} {found[name]:,} instead of {count:,}" for name, count in published.items() if found[name] != count]
    if not said:
        return []
    what = ", ".join(said)
    return [f"{path} is not the whole published file: {what}; published figures cannot be reproduced from it"]
