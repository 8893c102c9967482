"""Names that would steer a terminal or a page: every writer shows them as marks or escapes."""

import json
import re
import unicodedata
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from common.cli import compare, leakage, page, report, sensitivity
from tests.stages import complaint, stage

STEERING = ("\x1b[2J", "\x9b31m", "\u202e", "\u2028", "\u200b", "\u2066", "\ufeff", "\x07")


def raw(text: str) -> set[str]:
    """The characters of a text that steer what shows it."""
    found = {character for character in text if unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp")}
    return {f"U+{ord(character):04X}" for character in found - {"\n"}}


@pytest.fixture
def flags(tmp_path) -> list[str]:
    """A folder in which items, artists and tags have such names, as flags."""
    rng, folder = np.random.default_rng(0), tmp_path / "own"
    folder.mkdir()
    rows = [(f"u{user:02}", f"i{item:02}") for user in range(12) for item in rng.permutation(16)[:9]]
    pd.DataFrame(rows, columns=["user_id", "item_id"]).to_csv(folder / "interactions.csv", index=False)
    names = [f"na{STEERING[item % len(STEERING)]}me {item}" for item in range(16)]
    items = pd.DataFrame({"item_id": [f"i{item:02}" for item in range(16)], "name": names, "artist": names})
    items.assign(genres=[f"{name}|rock" for name in names]).to_csv(folder / "items.csv", index=False)
    tags = pd.DataFrame({"item_id": items["item_id"], "tag": names, "weight": 3})
    tags.to_csv(folder / "item_tags.csv", index=False)
    return ["--dataset", str(folder), "--data-dir", str(tmp_path / "data"), "--output-dir", str(tmp_path / "out")]


@pytest.fixture
def trained(flags, capsys) -> str:
    """What stage 1 says of two models, similar items and lists of users included."""
    stage("1_knn_baseline.py")(
        [*flags, "--models", "popularity", "item_knn", "--preset", "smoke", "--wandb", "disabled"]
    )
    return capsys.readouterr().out


def test_no_writer_lets_them_through(flags, trained, capsys, tmp_path):
    assert raw(trained) == set()
    assert all(shown in trained for shown in (r"\x1b[2J", r"\x9b31m", r"\u202e", r"\u2028")), "shown as escapes"
    logs = list((tmp_path / "out").rglob("log.txt"))
    assert len(logs) == 2
    assert [path for path in logs if raw(path.read_text(encoding="utf-8"))] == []

    ask = [*flags, "--preset", "smoke", "--model", "item_knn", "-k", "8"]
    for question in (["--user", "u01"], ["--similar", "id:i00"], ["--user", "u01", "--why"]):
        stage("recommend.py")([*ask, *question])
        assert raw(capsys.readouterr().out) == set(), question
    for question in (["--user", "u01"], ["--similar", "id:i01"]):
        stage("recommend.py")([*ask, *question, "--json"])
        said = capsys.readouterr().out
        assert raw(said) == set()
        names = {item["name"] for item in json.loads(said)["answers"][0]["items"]}
        assert any(steering in name for name in names for steering in STEERING), "the names themselves"
    assert raw(complaint(capsys, stage("recommend.py"), *ask, "--like", "zz\x1b[2J\u202e")) == set()
    assert raw(complaint(capsys, stage("recommend.py"), *ask, "--like", "name")) == set()


def test_nor_do_the_commands_on_what_stands_under_outputs(flags, trained, capsys, tmp_path):
    data, folders = flags[:2], flags[2:]
    compare.main(["item_knn/smoke", "popularity/smoke", "--dataset", _name(tmp_path), *folders[2:]])
    leakage.main([*flags, "--wandb", "disabled"])
    report.main([*flags, "--wandb", "disabled"])
    sensitivity.main([*data, *folders, "--models", "item_knn", "--protocols", "listen", "--preset", "smoke"])
    page.main(folders)
    assert raw(capsys.readouterr().out) == set()
    html = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    body = re.sub(r"<(script|style)\b.*?</\1>", "", html, flags=re.DOTALL)
    assert raw(body) == set()
    assert r"na\x1b[2Jme" in body


def _name(tmp_path: Path) -> str:
    [folder] = [path for path in (tmp_path / "out").iterdir() if path.is_dir()]
    return folder.name
