"""Pages tell the truth about files: every relative link resolves, and nothing private is in the repository."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("*/README.md")), *sorted((ROOT / "docs").glob("*.md"))]


def tracked() -> list[str]:
    """`git ls-files -s`: mode, hash, stage and path of every tracked file."""
    try:
        listed = subprocess.run(["git", "ls-files", "-s"], cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no git checkout")
    return listed.stdout.splitlines()


def test_the_pages_are_there():
    names = {str(page.relative_to(ROOT)) for page in PAGES}
    assert {"README.md", "data/README.md", "outputs/README.md", "docs/log.md", "docs/your-own-data.md"} <= names


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_resolves(page):
    links = re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8"))
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert missing == []


def test_the_tree_of_readme_names_files_that_are_there():
    tree = (ROOT / "README.md").read_text(encoding="utf-8").split("## Where everything is")[1]
    folder: dict[int, Path] = {}
    missing = []
    for line in re.findall(r"^ {4}( *)(\S.*)$", tree, flags=re.MULTILINE):
        depth, names = len(line[0]) // 4, re.split(r" {2,}", line[1])[0].split()
        parent = folder.get(depth - 1, ROOT)
        for name in names:
            if name.endswith("/"):
                folder[depth] = parent / name
            if not list(parent.glob(name.rstrip("/"))):
                missing.append(name)
    assert missing == []


def test_no_links_and_no_data_are_tracked():
    for line in tracked():
        mode, path = line.split()[0], line.split("\t")[1]
        assert mode != "120000", f"{path} is a symbolic link"
        assert not path.endswith((".parquet", ".npz", ".dat", ".csv")), path
        assert not path.startswith((".venv", "data/raw")), path
