"""Every stage and command on every shape of data: what each ends with stands in one table."""

import importlib
from pathlib import Path

import pandas as pd
import pytest

from common.models.registry import BY_DEFAULT, STAGES
from tests.stages import stage
from tests.stages.shapes import SHAPES

OUTCOMES = """
shape           0   1   2   3   4   5   6   next rerank compare page recommend
two_columns     ok  ok  ok  ok  ok  ok  ok  no   ok     ok      ok   ok
with_times      ok  ok  ok  ok  ok  ok  ok  ok   ok     ok      ok   ok
tags_alone      ok  ok  ok  ok  ok  ok  ok  no   ok     ok      ok   ok
audio_alone     ok  ok  ok  ok  ok  ok  ok  no   ok     ok      ok   ok
with_friends    ok  ok  ok  ok  ok  ok  ok  no   ok     ok      ok   ok
everything      ok  ok  ok  ok  ok  ok  ok  ok   ok     ok      ok   ok
split_alone     ok  ok  ok  ok  ok  ok  ok  ok   ok     ok      ok   ok
split_with_all  ok  ok  ok  ok  ok  ok  ok  ok   ok     ok      ok   ok
one_user        ok  ok  ok  ok  ok  ok  ok  no   ok     ok      ok   ok
one_item        ok  no  no  no  no  no  no  no   no     no      -    no
one_item_each   ok  no  no  no  no  no  no  no   no     no      -    no
all_the_same    ok  ok  ok  ok  ok  ok  ok  no   ok     ok      ok   ok
large_weights   ok  ok  ok  ok  ok  ok  ok  no   ok     ok      ok   ok
small_weights   ok  ok  ok  ok  ok  ok  ok  no   ok     ok      ok   ok
other_scripts   ok  ok  ok  ok  ok  ok  ok  no   ok     ok      ok   ok
large_ids       ok  ok  ok  ok  ok  ok  ok  no   ok     ok      ok   ok
"""
"""Stages 1 to 6 on `listen`, stage 1 on `next`, then the commands.

ok: exit code 0 and what was asked for, of a stage a row for every model but those that need what the shape lacks;
no: exit code 2 and one sentence; -: exit code 0 and one sentence that there is nothing to show.
"""
HEADER, *ROWS = [line.split() for line in OUTCOMES.split("\n") if line]
RENDERED = ("other_scripts",)
"""Shapes whose figures are made to the last pixel."""
ALWAYS = ("two_columns", "one_item")
"""Shapes that `make test` tries, too; `make test-all` tries all."""
SCRIPTS = dict(zip("123456", STAGES, strict=True)) | {"0": "0_explore", "next": "1_knn_baseline"}


def test_the_table_has_every_shape_once():
    assert [row[0] for row in ROWS] == list(SHAPES)
    assert {len(row) for row in ROWS} == {len(HEADER)}


class Ask:
    """Commands on one folder."""

    def __init__(self, shape: str, root: Path) -> None:
        (root / shape).mkdir()
        SHAPES[shape](root / shape)
        self.out = root / "out"
        self.places = ["--data-dir", str(root / "data"), "--output-dir", str(self.out)]
        self.flags = ["--dataset", str(root / shape), *self.places]
        self.root = root

    def run(self, name: str) -> None:
        """Run what a column of the table stands for."""
        if name in SCRIPTS:
            more = [] if name == "0" else ["--preset", "smoke", "--protocol", "next" if name == "next" else "listen"]
            stage(f"{SCRIPTS[name]}.py")([*self.flags, "--wandb", "disabled", *more])
        elif name == "recommend":
            users = pd.read_parquet(next(self.root.glob("data/*-*/users.parquet")))
            stage("recommend.py")([*self.flags, "--preset", "smoke", "--user", str(users["user_id"][0])])
        else:
            flags = {
                "rerank": [*self.flags, "--wandb", "disabled", "--run", "item_knn/smoke"],
                "compare": ["popularity/smoke", "item_knn/smoke", "--output-dir", str(self.out)],
                "page": self.places,
            }
            importlib.import_module(f"common.cli.{name}").main(flags[name])

    def check(self, name: str, printed: str) -> None:
        """What a command that ends well leaves behind."""
        results = next(self.out.iterdir())
        if name == "0":
            assert (results / "explore" / "statistics.json").is_file()
        elif name in SCRIPTS:
            protocol = "next" if name == "next" else "listen"
            board = pd.read_csv(results / protocol / "leaderboard.csv").set_index("model")
            has_times = bool(list(self.root.glob("data/*-*/splits/temporal")))
            models = [model for model in BY_DEFAULT[SCRIPTS[name]] if has_times or model != "trending"]
            assert set(models) <= set(board.index)
            assert board.loc[models, "ndcg_10"].between(0, 1).all()
        elif name == "rerank":
            assert (results / "listen" / "item_knn+novelty").is_dir()
        elif name == "page":
            assert "hybrid_listnet" in (self.out / "index.html").read_text(encoding="utf-8")
        else:
            assert "popularity" in printed or "1  " in printed


def marks(shape: str) -> list[pytest.MarkDecorator]:
    return [pytest.mark.rendered] * (shape in RENDERED) + [pytest.mark.thorough] * (shape not in ALWAYS)


@pytest.mark.parametrize("row", [pytest.param(row, marks=marks(row[0]), id=row[0]) for row in ROWS])
def test_every_stage_and_command_ends_as_it_should(row, tmp_path, capsys):
    ask = Ask(row[0], tmp_path)
    for name, outcome in zip(HEADER[1:], row[1:], strict=True):
        code: str | int | None = 0
        try:
            ask.run(name)
        except SystemExit as stopped:
            code = stopped.code
        said = capsys.readouterr()
        assert code == (2 if outcome == "no" else 0), f"{name}: {said.err}"
        if outcome == "no":
            assert said.err.startswith("error: ") and said.err.count("\n") == 1, name
            assert list(ask.out.glob("*/*/*/smoke")) == [] or name == "next", name
        elif outcome == "-":
            assert "no model is trained yet" in said.out and not (ask.out / "index.html").exists()
        else:
            ask.check(name, said.out)
