"""docs/recommend.md: what recommend.py shows in a terminal of 80 columns.

python -m examples.transcript [--dataset lastfm-2k] [--data-dir data] [--output-dir outputs]   (needs pexpect)

The queries name artists and no user of the data, so that the answers reveal nothing about anybody.
"""

import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from common.data.sources.registry import resolve_name
from common.experiments.flags import command, parse_flags
from common.serving.store.store import Store
from common.utils.io import ROOT, display, write_text

LISTENER = "reader"
PAGE = ROOT / "docs" / "recommend.md"
SCENES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    (
        "Type what you like. `+2` likes the second item, `-1` dislikes the first, and the list changes at once.",
        "--model als -k 5",
        ("radiohead", "bjrok", "-1", "why 2", "britney", "1", "undo", "help", "q"),
    ),
    ("For a new user, with explanations.", '--like Radiohead --like "Daft Punk" --why -k 4', ()),
    ("How other kinds of models explain.", "--like Radiohead --like Björk --model forest,sasrec --why -k 2", ()),
    ("All models, and how many items their lists share.", "--like Radiohead --model all -k 6", ()),
    ("Similar artists.", '--similar "Daft Punk" --model als -k 5 --why', ()),
    ("Songs with a similar sound.", '--song "Creep - Radiohead" -k 5', ()),
    ("Re-ranked for diversity.", "--like Radiohead --model als -k 6 --rerank.diversity 0.5", ()),
    ("As JSON.", "--like Radiohead --model als -k 1 --json", ()),
    ("An unknown name.", '--like "Radiohat"', ()),
)
INTRODUCTION = """\
# Recommendations in a terminal

`recommend.py` loads the models that the stages have saved and answers with names. What follows was printed by it, on
{dataset}, and written here by `python -m examples.transcript`.
"""
REST = """
`python recommend.py --help` lists every flag. Names are matched without regard to case and accents, with a typo
corrected, or given as `id:ID` where several items share one name. Likes and dislikes are kept in
`outputs/<dataset>/library.sqlite`, which contains rows of the data set and must not be published; `--as NAME` says
whose likes count, and `forget` in a conversation deletes them. A disliked item is left out, and items that the model
finds similar to it move down, by a rule of thumb, since the data have no dislikes ([what it
costs](log.md#what-a-dislike-weighs)). The bar shows where a score lies between that of the best candidate and that of
the 200th.

Neither torch nor scikit-learn is loaded for an answer: trained networks and trees are evaluated in NumPy. How fast that
is: [benchmarks](../benchmarks/README.md#response-time-of-recommendpy).
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
    settings = parse_flags(Settings, argv)
    name = resolve_name(settings.dataset, settings.data_dir)
    parts = [INTRODUCTION.format(dataset=name)]
    for about, flags, typed in SCENES:
        parts.append(f"\n{about}\n\n{scene(settings, name, flags, typed)}")
    write_text(settings.page, "".join(parts) + REST)
    print(f"{display(settings.page)} written")


def scene(settings: Settings, name: str, flags: str, typed: Sequence[str]) -> str:
    """A scene in Markdown, played by a listener without feedback."""
    with Store(settings.output_dir / name / "library.sqlite") as store:
        store.feedback.remove(LISTENER)
        screen = played(settings, flags, typed)
        store.feedback.remove(LISTENER)
    return f"```text\n$ python recommend.py {flags}\n{screen}\n```\n"


def played(settings: Settings, flags: str, typed: Sequence[str]) -> str:
    """What a terminal of 80 columns shows when recommend.py runs and somebody types these lines."""
    import pexpect

    where = ["--dataset", settings.dataset, "--data-dir", settings.data_dir, "--output-dir", settings.output_dir]
    words = list(map(str, [ROOT / "recommend.py", *where, "--as", LISTENER, *shlex.split(flags)]))
    environ: Any = {**os.environ, "COLUMNS": "80", "TERM": "dumb"}
    terminal = pexpect.spawn(sys.executable, words, 300, env=environ, encoding="utf-8", dimensions=(100, 80))
    screen = ""
    for line in typed:
        terminal.expect("\r\n> |^> ")
        screen += terminal.before + terminal.after
        terminal.sendline(line)
    terminal.expect(pexpect.EOF)
    screen += terminal.before
    terminal.close()
    lines = [line.rstrip() for line in screen.replace("\r", "").splitlines()]
    return "\n".join(lines).strip("\n")


if __name__ == "__main__":
    main()
