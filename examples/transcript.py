"""docs/recommend.md: what recommend.py shows in a terminal of 80 columns, as it is now.

python -m examples.transcript [--dataset lastfm-2k] [--data-dir data] [--output-dir outputs]   (needs pexpect)

The questions name artists and no user of the data, so that the answers say nothing of anybody.
"""

import os
import re
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from common.command_line import command, parse_flags
from common.data.prepare import ROOT, resolve_name
from common.files import display, write_text
from common.library import Library

LISTENER = "reader"
PAGE = ROOT / "docs" / "recommend.md"
SCENES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    (
        "Type what you like. `+2` likes the second of the list, `-1` dislikes the first, and the list changes at once.",
        "--model als -k 5",
        ("radiohead", "bjork", "-1", "why 2", "help", "q"),
    ),
    ("One question for somebody new, with reasons.", '--like Radiohead --like "Daft Punk" --why -k 4', ()),
    ("Several models, and what their lists have in common.", "--like Radiohead --model als,ease,item_knn -k 6", ()),
    ("What is like an artist.", '--similar "Daft Punk" --model als -k 5', ()),
    ("What sounds like a song.", '--song "Creep - Radiohead" -k 5', ()),
    ("Fewer of a kind: re-ranked for diversity.", "--like Radiohead --model als -k 6 --rerank.diversity 0.5", ()),
    ("A name that nobody bears.", '--like "Radiohat"', ()),
)
INTRODUCTION = """\
# Asking the trained models

`recommend.py` opens the models that the stages have saved and answers in names. What follows was printed by it, on
{dataset}, and written here by `python -m examples.transcript`.
"""
REST = """
Every flag is told by `python recommend.py --help`. Names are found without case and accents, with a slip of the
keyboard, or by `id:ID` where several items bear one name. Likes and dislikes are kept in
`outputs/<dataset>/library.sqlite`, which holds rows of the data set and is not to be published; `--as NAME` says whose
count, and `forget` in a conversation deletes them. A disliked item is left out, and what the model finds like it moves
down. The bar says where a score lies between the best candidate's and the 200th's.
"""


@dataclass(frozen=True)
class Settings:
    """Write docs/recommend.md anew from what recommend.py prints."""

    dataset: str = "auto"
    """lastfm-2k, synthetic, the path of a folder of your own, or auto."""
    data_dir: Path = ROOT / "data"
    """Folder of prepared data."""
    output_dir: Path = ROOT / "outputs"
    """Folder of trained models."""
    page: Annotated[Path, tyro.conf.arg(name="out")] = PAGE
    """The page that is written."""


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Play all scenes and write the page."""
    settings = parse_flags(Settings, list(sys.argv[1:] if argv is None else argv), Settings())
    name = resolve_name(settings.dataset, settings.data_dir)
    parts = [INTRODUCTION.format(dataset=name)]
    for about, flags, typed in SCENES:
        with Library(settings.output_dir / name / "library.sqlite") as library:
            library.unsay(LISTENER)
        parts.append(f"\n{about}\n\n```text\n$ python recommend.py {flags}\n{played(settings, flags, typed)}\n```\n")
    with Library(settings.output_dir / name / "library.sqlite") as library:
        library.unsay(LISTENER)
    write_text(settings.page, "".join(parts) + REST)
    print(f"{display(settings.page)} written")


def played(settings: Settings, flags: str, typed: Sequence[str]) -> str:
    """What a terminal of 80 columns shows when recommend.py runs and somebody types these lines."""
    import pexpect

    where = ["--dataset", settings.dataset, "--data-dir", settings.data_dir, "--output-dir", settings.output_dir]
    arguments = [ROOT / "recommend.py", *map(str, where), "--as", LISTENER, *shlex.split(flags)]
    environment = {**os.environ, "COLUMNS": "80", "TERM": "dumb"}
    terminal = pexpect.spawn(
        sys.executable,
        [str(argument) for argument in arguments],
        env=environment,
        encoding="utf-8",
        timeout=300,
        dimensions=(100, 80),
    )
    screen = ""
    for line in typed:
        terminal.expect("\r\n> |^> ")
        screen += terminal.before + terminal.after
        terminal.sendline(line)
    terminal.expect(pexpect.EOF)
    screen += terminal.before
    terminal.close()
    lines = [line.rstrip() for line in re.sub("\r", "", screen).splitlines()]
    return "\n".join(lines).strip("\n")


if __name__ == "__main__":
    main()
