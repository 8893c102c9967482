import numpy as np
import pytest
from wcwidth import wcswidth

from common.serving.service import Answer
from common.serving.store.catalogue import Catalogue
from common.serving.terminal.answers import heading, overlaps
from common.serving.user_profile import UserProfile
from common.splits.histories import Histories


@pytest.mark.parametrize("columns", [24, 40, 50, 80, 300])
def test_no_line_is_wider_than_the_terminal(ask, talk, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    questions = [["--like", "فيروز"], ["--like", "muse", "--why"], ["--similar", "muse"]]
    texts = [ask(*question, "-k", "15", "--as", "x") for question in questions]
    texts += [ask("--like", "muse", "--model", "all", "-k", "12"), talk("muse", "-🔥 fire 🔥", "help", "why", "sigur")]
    for line in "\n".join(texts).splitlines():
        assert wcswidth(line) <= min(columns, 100), line
    assert all(" 1  " in text for text in texts[:3])


def test_overlaps_of_all_models_keep_to_the_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    for k in (10, 1000):
        table = overlaps([Answer(f"hybrid_model_{n}", list(range(k)), [], []) for n in range(16)])
        assert max(map(len, table.splitlines())) <= 80
        rows = [line.split()[2:] for line in table.splitlines() if "hybrid" in line]
        assert sum(row.count(str(k)) for row in rows) == 256


def test_a_heading_names_the_newest():
    words = np.array([f"n{n}" for n in range(9)], object)
    catalogue = Catalogue(words, words, words, words, words, words, np.zeros(9, int))
    profile = UserProfile(-1, Histories.from_lists([[]], 9), liked=list(range(7)))
    assert heading(profile, catalogue, "") == "likes n2, n3, n4, n5, n6 and 2 earlier"
    assert heading(profile, catalogue, "12").startswith("user 12, who has no artist; likes ")
