"""`python -m common COMMAND [flags]`: lists and starts the commands, one per file below common/cli/."""

import ast
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

from common.utils.errors import unknown_name
from common.utils.terminal import show

FOLDER = Path(__file__).parent / "cli"


def commands() -> dict[str, Path]:
    """Name of each command -> its file."""
    files = sorted(FOLDER.rglob("[!_]*.py"), key=lambda path: path.stem)
    return {path.stem.replace("_", "-"): path for path in files}


def module_of(path: Path) -> str:
    """The module that a file of a command is."""
    return ".".join(("common", *path.relative_to(FOLDER.parent).with_suffix("").parts))


def help_text() -> str:
    """Every command with the first line of its docstring, read without importing any of them."""
    rows = [f"  {name:<18}{_first_line(path)}" for name, path in commands().items()]
    return "\n".join(["usage: python -m common COMMAND [flags]", "", *rows, "", "COMMAND --help lists its flags"])


def _first_line(path: Path) -> str:
    return (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").split("\n")[0]


def main(argv: Sequence[str] | None = None) -> None:
    """Start the command that the first word names; exit code 2 for a name that is none."""
    name, *flags = (sys.argv[1:] if argv is None else argv) or ["--help"]
    if name in ("-h", "--help"):
        show(help_text())
        return
    if name not in commands():
        show(f"error: {unknown_name('command', name, commands())}", sys.stderr)
        raise SystemExit(2)
    sys.argv = [f"python -m common {name}", *flags]  # what --help of the command calls itself
    importlib.import_module(module_of(commands()[name])).main(flags)


if __name__ == "__main__":
    main()
