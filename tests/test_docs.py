"""Pages tell the truth: links, files, commands and flags exist, nothing private is in the repository."""

import dataclasses
import importlib
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import pytest

import common.__main__
from common.experiments.flags import parse_flags, with_models
from common.models.registry import MODELS, STAGES
from tests.stages import stage

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
PAGES = [README, *sorted(ROOT.glob("*/README.md")), *sorted((ROOT / "docs").rglob("*.md"))]
FOLDERS = "common|docs|tests|examples|benchmarks|presets"
ELSEWHERE = ("pip", "venv", "pytest")
"""Modules behind `python -m` that are not the project's."""
LOOP_VARIABLES = {"$s": "0", "$precision": "float32"}
PRIVATE_WORDS = (
    r"judg(?:e|es|ed|ing)|lessons?|rungs?|ladders?|likeness(?:es)?|showcase|wanted|taught|foretells?|foretold|certainty|"
    r"x-ray|audit(?:s|ed)?|shelf|tastes?|bench|benches|unheard|people|stock|apart|nine measures"
)
"""Words that only this project would use, or would use in a meaning of its own."""


def page_id(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def tracked() -> list[str]:
    """`git ls-files -s`: mode, hash, stage and path of every tracked file."""
    try:
        listed = subprocess.run(["git", "ls-files", "-s"], cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no git checkout")
    return listed.stdout.splitlines()


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def prose(text: str) -> str:
    """A page without generated blocks, code, and the targets of links."""
    for pattern in (r"<!-- (?!end).*?<!-- end -->", r"```.*?```", r"^ {4}.*$", r"`[^`]*`", r"\]\([^)]*\)"):
        text = re.sub(pattern, " ", text, flags=re.DOTALL if "`" in pattern or "<" in pattern else re.MULTILINE)
    return text


def commands(page: Path) -> Iterator[list[str]]:
    """The words of every `python`, `torchrun` and `make` command of a page."""
    text = page.read_text(encoding="utf-8")
    screens = re.findall(r"```text\n(\$ .*?)\n", text)
    text = re.sub(r"```python.*?```|```text.*?```", "", text, flags=re.DOTALL)
    blocks = re.findall(r"^ {4}(.*)$", text, flags=re.MULTILINE)
    inline = [" ".join(code.split()) for code in re.findall(r"(?<!`)`([^`]+)`(?!`)", text)]
    for line in "\n".join([*blocks, *inline, *screens]).replace("\\\n", " ").splitlines():
        for command in re.findall(r"(?:^|\bdo |\$ )((?:\S*/)?(?:python|torchrun|make) [^;#]*)", line):
            for variable, value in LOOP_VARIABLES.items():
                command = command.replace(variable, value)
            yield shlex.split(command)


def program(words: list[str]) -> tuple[str, list[str]]:
    """The script or module that a command starts, and its flags."""
    if words[0] == "torchrun":
        place = next(n for n, word in enumerate(words) if word.endswith(".py"))
        return words[place], words[place + 1 :]
    return (words[2], words[3:]) if words[1] == "-m" else (words[1], words[2:])


def complaint_about(words: list[str]) -> str | None:
    """What is wrong with a command of a page, None if nothing."""
    if words[0].endswith("make"):
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)
        asked = [word for word in words[1:] if "=" not in word]
        return None if asked and set(asked) <= set(targets) else f"the Makefile has no {asked}"
    name, flags = program(words)
    if name in ELSEWHERE:
        return None
    if name == "common":
        if not flags or flags[0].isupper():
            return None
        known = common.__main__.commands()
        if flags[0] not in known:
            return f"there is no command {flags[0]}"
        name, flags = common.__main__.module_of(known[flags[0]]), flags[1:]
    if name.endswith(".py"):
        if not (ROOT / name).exists():
            return f"there is no {name}"
        module = sys.modules[stage(name).__module__]
    else:
        is_package = (ROOT / name.replace(".", "/") / "__main__.py").exists()
        try:
            module = importlib.import_module(f"{name}.__main__" if is_package else name)
        except ModuleNotFoundError as missing:
            return str(missing)
    if "--" in flags:  # what stands behind it is for the stages
        place = flags.index("--")
        return flags_complaint(module, flags[:place]) or complaint_about(["python", "2_als.py", *flags[place + 1 :]])
    return flags_complaint(module, flags)


def flags_complaint(module: ModuleType, flags: list[str]) -> str | None:
    """Whether a module takes these flags: by its Settings, else by the flags that its source names."""
    settings: Any = getattr(module, "Settings", None)
    if settings is not None and settings.__module__ == module.__name__ and dataclasses.is_dataclass(settings):
        if "bigram" in flags or any(flag == "--help" for flag in flags):
            return None
        stage_models = STAGES.get(Path(str(module.__file__)).stem, ())
        settings = with_models(cast(Any, settings), {name: MODELS[name].Settings for name in stage_models})
        try:
            parse_flags(settings, flags, settings())
        except Exception as error:
            return str(error)
        return None
    source = Path(str(module.__file__)).read_text(encoding="utf-8")
    unknown = [flag for flag in flags if flag.startswith("--") and f'"{flag}"' not in source]
    return f"{module.__name__} has no {unknown}" if unknown else None


def test_the_pages_are_there():
    names = {page_id(page) for page in PAGES}
    assert {"README.md", "data/README.md", "outputs/README.md", "docs/log.md", "docs/your-own-data.md"} <= names


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_link_of_a_page_resolves(page):
    missing = []
    for link in re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
        path, _, anchor = re.sub(r"\s+", "", link).partition("#")
        target = (page.parent / path).resolve() if path else page
        if "://" not in link and (not target.exists() or (anchor and anchor not in anchors(target))):
            missing.append(link)
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_file_that_a_page_names_is_there(page):
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    named = re.findall(rf"(?<![\w/.-])((?:{FOLDERS})/[\w./-]*|\d_\w+\.py)", text)
    new = {"common/models/bigram.py", "tests/models/test_bigram.py", "presets/folder-3f9a1c.toml"}
    missing = [name for name in named if name not in new and not (ROOT / name.rstrip(".")).exists()]
    assert [name for name in missing if not name.endswith("/")] == []


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_command_of_a_page_exists_with_its_flags(page):
    wrong = {" ".join(words): said for words in commands(page) if (said := complaint_about(words))}
    assert wrong == {}


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("make runn", "has no"),
        ("python 7_next.py", "there is no"),
        ("python 2_als.py --als.factor 3", "--als.factor"),
        ("python -m common audits", "audits"),
        ("python -m common compare --part", "--part"),
        ("python -m benchmarks.als_speed --size 3", "--size"),
        ("python -m benchmarks.scale --event 3", "--event"),
    ],
)
def test_a_wrong_command_would_be_found(command, said):
    assert said in str(complaint_about(command.split()))


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_pages_use_the_words_of_the_field(page):
    text = prose(page.read_text(encoding="utf-8"))
    if page.name == "features.md":  # its table repeats what the code says of each feature
        text = text.split("| group |")[0]
    assert re.findall(rf"\b(?:{PRIVATE_WORDS})\b", text, flags=re.IGNORECASE) == []


def test_readme_is_short_and_begins_with_the_commands():
    lines = README.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 200
    assert {"make run", "make ask"} <= {line.split("#")[0].strip() for line in lines[:40]}
    assert any(line.startswith("![") for line in lines[:40]), "a picture on the first screen"


def test_the_tree_of_readme_names_files_that_are_there():
    tree = README.read_text(encoding="utf-8").split("## Where everything is")[1].split("\n## ")[0]
    folder: dict[int, Path] = {}
    missing, shown = [], set()
    for indent, line in re.findall(r"^ {4}( *)(\S.*)$", tree, flags=re.MULTILINE):
        depth, name = len(indent) // 4, line.split()[0]
        path = folder.get(depth - 1, ROOT) / name
        if name.endswith("/"):
            folder[depth] = path
        shown.add(path)
        if not path.exists():
            missing.append(name)
    assert missing == []
    packages = [path.parent for path in (ROOT / "common").glob("*/__init__.py")]
    assert [path.name for path in packages if path not in shown] == []


def test_no_links_and_no_data_are_tracked():
    for line in tracked():
        mode, path = line.split()[0], line.split("\t")[1]
        assert mode != "120000", f"{path} is a symbolic link"
        assert not path.endswith((".parquet", ".npz", ".dat", ".csv")), path
        assert not path.startswith((".venv", "data/raw")), path
