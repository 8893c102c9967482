"""docs/guide.md and docs/data-format.md say what the ten steps do and write: both are compared with a run."""

import re
from pathlib import Path

import polars as pl
import pytest

from common.data.dataset import load_dataset
from common.data.matrix_files import KINDS
from common.data.preparation.pipeline import TEN_STEPS, prepare
from examples import evaluate, load_matrix, recommend, ten_steps

DOCS = Path(__file__).resolve().parents[1] / "docs"
KINDS_IN_WORDS = {pl.Int8: "int8", pl.Int32: "int32", pl.Int64: "int64", pl.String: "string"}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("log")
    log = ten_steps.LOG.replace("timestamp\n", "timestamp,genre\n").replace("Z\n", "Z,Folk\n")
    (folder / "log.csv").write_text(log, encoding="utf-8")
    prepare([folder / "log.csv"], folder / "out")
    return folder / "out"


def test_the_guide_shows_what_the_example_prints(capsys: pytest.CaptureFixture[str]) -> None:
    ten_steps.main()
    printed = re.split(r"\n\n(?=\d+ )", capsys.readouterr().out.strip())
    shown = re.findall(r"```text\n(.*?)\n```", (DOCS / "guide.md").read_text(encoding="utf-8"), re.DOTALL)
    assert len(printed) == len(TEN_STEPS)
    assert shown == printed


def test_the_guide_names_every_step_in_order() -> None:
    headings = re.findall(r"^### \d+\. `(\w+)`$", (DOCS / "guide.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert headings == [step.name for step in TEN_STEPS]


def documented() -> dict[str, dict[str, str]]:
    """File -> column -> type, as the page's table says."""
    page = (DOCS / "data-format.md").read_text(encoding="utf-8")
    block = page.split("<!-- columns -->")[1].split("<!-- end -->")[0]
    columns: dict[str, dict[str, str]] = {}
    file = ""
    for row in block.strip().splitlines()[2:]:
        cells = [cell.strip().replace("`", "") for cell in row.strip("|").split("|")]
        file = cells[0] or file
        columns.setdefault(file, {}).update(dict.fromkeys(cells[1].split(", "), cells[2]))
    return columns


@pytest.mark.parametrize("file", ["interactions_*.parquet", "users.parquet", "items.parquet"])
def test_every_column_of_a_table_is_documented_with_its_type(file: str, prepared: Path) -> None:
    for path in prepared.glob(file):
        written = {name: KINDS_IN_WORDS[type(kind)] for name, kind in pl.read_parquet_schema(path).items()}
        assert written == documented()[file], path.name


def test_every_file_is_documented(prepared: Path) -> None:
    page = (DOCS / "data-format.md").read_text(encoding="utf-8")
    for path in prepared.rglob("*"):
        if path.is_file():
            assert path.name in page, path


def test_every_array_is_documented() -> None:
    page = (DOCS / "data-format.md").read_text(encoding="utf-8")
    for name, kind in KINDS.items():
        assert re.search(rf"`{name}\.npy` \| [^|]+ \| {kind.__name__} \|", page), name


def test_the_example_of_arrays_prints_names(prepared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    load_matrix.main(prepared, "anna")
    printed = capsys.readouterr().out
    assert "train: 2 users x 4 items, 5 pairs, 7 plays" in printed
    assert "     2  Lanterns - The Night Owl Club" in printed
    load_matrix.main(prepared)
    assert "most played by ben" in capsys.readouterr().out


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared log of a few hundred events."""
    folder = tmp_path_factory.mktemp("played")
    tracks = [(n * n // 40 + n % 9) % 97 for n in range(600)]
    rows = [f"u{n % 7},t{track},Song {track},Band {track % 4},{9_000 * n}" for n, track in enumerate(tracks, 190_000)]
    (folder / "log.csv").write_text("\n".join(["user,track_id,title,artist,time", *rows]), encoding="utf-8")
    prepare([folder / "log.csv"], folder / "out")
    return folder / "out"


def test_the_examples_recommend_and_evaluate_on_a_prepared_log(
    played: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = load_dataset(str(played), tmp_path)
    recommend.main(data, "u3")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 10
    assert all("Song" in line for line in lines)
    evaluate.main(data, ["popularity", "item_knn"])
    assert [line.split()[:2] for line in capsys.readouterr().out.splitlines()] == [
        ["popularity", "ndcg_10"],
        ["item_knn", "ndcg_10"],
    ]
