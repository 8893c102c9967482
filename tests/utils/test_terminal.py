"""Columns of a terminal, whatever script a name is in and whatever the encoding has."""

import io
import json
import re
import sys

import pytest
from wcwidth import wcswidth

from common.utils import terminal
from common.utils.terminal import (
    END,
    ISOLATE,
    bar,
    cell,
    columns,
    fitting,
    forgive_encodings,
    json_text,
    lines,
    paragraph,
    plain,
    show,
    titled,
    visible,
)
from tests.conftest import ROOT


@pytest.mark.parametrize("text", ["Björk", "椎名林檎", "e\u0301e\u0301", "a\x1b[31mb\n", "فيروز", ""])
@pytest.mark.parametrize("size", [3, 6, 20])
def test_a_cell_is_as_wide_as_it_should_be(text, size):
    shown = cell(text, size)
    assert wcswidth(shown.replace(terminal.ISOLATE, "").replace(terminal.END, "")) == size
    assert "\x1b" not in shown
    assert "\n" not in shown


def test_a_terminal_of_ascii_gets_ascii(monkeypatch):
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii"))
    assert cell("Guns N Roses", 6) == "Guns~ "
    assert bar(0.5, 4) == "##  "
    forgive_encodings()
    print("Björk")
    sys.stdout.flush()
    assert written.getvalue() == b"Bj?rk\n"


@pytest.mark.parametrize(("wide", "expected"), [("10", 24), ("70", 70), ("500", 100)])
def test_lines_are_made_within_reason(monkeypatch, wide, expected):
    monkeypatch.setenv("COLUMNS", wide)
    assert columns() == expected


def test_lines_break_between_words_and_keep_all_of_them():
    text = "one two three four five"
    broken = lines(text, 10, " ")
    assert max(map(len, broken)) <= 10
    assert " ".join(line.strip() for line in broken) == text


def test_names_fit_whole_and_the_first_in_any_case():
    assert fitting(["Three Days Grace", "Lostprophets"], 24) == "Three Days Grace"
    assert fitting(["Three Days Grace"], 3) == "Three Days Grace"
    assert plain("a\u202eb\tc") == "ab c"


def test_right_to_left_names_are_kept_apart_wherever_they_stand():
    assert lines("likes عمر دياب, Muse", 40) == [f"likes {ISOLATE}عمر دياب{END}, Muse"]
    assert cell("عمر", 5) == f"{ISOLATE}عمر{END}  "


def test_words_longer_than_a_line_are_broken():
    assert lines("ab " + "x" * 25 + " 椎名林檎椎名林檎", 10, " ") == [
        " ab",
        " " + "x" * 9,
        " " + "x" * 9,
        " " + "x" * 7,
        " 椎名林檎",
        " 椎名林檎",
    ]


def test_short_reasons_are_not_cut_inside_a_name():
    assert fitting(["Three Days Grace", "Lostprophets"], 24) == "Three Days Grace"


def test_a_bar_stays_in_its_cells():
    assert [wcswidth(bar(share)) for share in (-1, 0, 0.01, 0.5, 1, 2)] == [6] * 6


def test_a_table_has_rules_around_its_header_and_below_its_rows():
    header, *row = ["a", "value"], ["long", "1"]
    assert titled("toy", [header, *row]) == ["toy", "-" * 11, "a     value", "-" * 11, "long      1", "-" * 11]


def test_a_paragraph_has_80_columns_and_breaks_no_path():
    path = "/a-folder/" + "x" * 90
    assert paragraph(f"{'word ' * 17}{path}") == ["word " * 15 + "word", "word", path]


def test_what_steers_a_terminal_is_shown_as_escapes_and_all_scripts_stay():
    for character in map(chr, (*range(0x20), *range(0x7F, 0xA0), *range(0x2028, 0x202F), 0x200B, 0xFEFF, 0xE0041)):
        if character != "\n":
            shown = visible(f"a{character}b")
            assert shown.isprintable(), hex(ord(character))
            assert shown != "ab"
    kept = "Björk 椎名林檎 فيروز می‌خواهم 👩‍🎤 é\n|*<&"
    assert visible(kept) == kept
    assert visible(f"{ISOLATE}a{END}") == r"\u2068a\u2069"
    assert visible("\ud800") == r"\ud800", "half a character, which no stream can write"


def test_what_is_printed_keeps_its_own_isolates(capsys):
    show(cell("عمر\x1b", 5))
    show("a\x9b\u202eb")
    assert capsys.readouterr().out == f"{ISOLATE}عمر{END}  \na\\x9b\\u202eb\n"


def test_json_keeps_its_content_and_steers_nothing():
    content = {"name": "é\x1b\x9b\u202e\u2028\U000e0041\u2068", "score": float("nan")}
    text = json_text(content)
    assert json.loads(text) == {"name": content["name"], "score": None}
    assert "é" in text
    assert text.replace("\n", "").isprintable()


WRITERS = [*sorted((ROOT / "common").rglob("*.py")), *sorted(ROOT.glob("[0-9]_*.py")), ROOT / "recommend.py"]


@pytest.mark.parametrize("path", WRITERS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_nothing_is_printed_or_logged_past_the_one_function(path):
    """Text is shown by `show`, `json_text` and the log, whose handlers `utils/logs.py` makes."""
    own = {"utils/terminal.py": {"print", "json.dumps"}, "utils/logs.py": {"logging.basicConfig"}}
    allowed = own.get(path.relative_to(ROOT / "common").as_posix() if "common" in path.parts else "", set())
    shown = re.compile(
        r"(?<![\w.\"])print\(|sys\.std(?:out|err)\.(?:buffer\.)?write\(|logging\.basicConfig\(|tqdm\.write\(|warnings\.warn\("
    )
    code = "\n".join(line for line in path.read_text(encoding="utf-8").splitlines() if ">>>" not in line)
    found = {match.strip("(") for match in shown.findall(code)}
    assert found <= allowed
