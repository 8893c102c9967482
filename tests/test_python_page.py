"""docs/python.md is executed: every block in order, and what it prints is what the page says."""

import re
from typing import Any

from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```(?:\n\n```text\n(.*?)```)?", PAGE, flags=re.DOTALL)


def test_every_block_of_the_page_prints_what_stands_below_it(monkeypatch, tmp_path, small_data, capsys):
    monkeypatch.setattr("common.data.dataset.load_dataset", lambda name: {"synthetic": small_data}[name])
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for code, expected in BLOCKS:
        exec(code, names)
        assert capsys.readouterr().out == expected, code


def test_the_page_has_blocks_and_no_output_stands_alone():
    assert len(BLOCKS) > 8
    assert sum(bool(text) for _, text in BLOCKS) == PAGE.count("```text")
    assert PAGE.count("```python") == len(BLOCKS)
    assert all(bool(text) == ("print(" in code) for code, text in BLOCKS)
