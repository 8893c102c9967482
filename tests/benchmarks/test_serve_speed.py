"""The load benchmark from end to end, on tiny models and few requests."""

import re

import pytest

from benchmarks.serve_speed import __main__ as serve_speed
from benchmarks.serve_speed.client import Connection
from tests.serving.saved_models import save_models, write_own_folder
from tests.stages import complaint


@pytest.mark.thorough
def test_it_measures_and_loses_nothing(tmp_path, capsys):
    own = write_own_folder(tmp_path / "own")
    save_models(own, tmp_path / "data", tmp_path / "out", ("popularity", "als"))
    flags = [f"--dataset={own}", f"--data-dir={tmp_path / 'data'}", f"--output-dir={tmp_path / 'out'}"]
    few = ["--turns=3", "--requests=60", "--writes=60", "--rate-requests=8"]
    try:
        serve_speed.main([*flags, *few])
    except SystemExit as stop:
        assert stop.code == 1, "bounds are for a machine that does nothing else, and for more requests"
    shown = capsys.readouterr().out
    assert "60 mixed requests over 8 connections: 0 failures" in shown
    assert "0 acknowledged ones lost\n" in shown
    assert " of the bare route" in shown
    assert not (tmp_path / "out" / own.name / "library.sqlite").exists()


def test_what_is_not_trained_is_said(tmp_path, capsys):
    own = write_own_folder(tmp_path / "own")
    flags = [f"--dataset={own}", f"--data-dir={tmp_path / 'd'}", f"--output-dir={tmp_path / 'o'}"]
    assert re.search("no saved model of als .*train it with", complaint(capsys, serve_speed.main, *flags))


def test_the_client_reads_replies_in_pieces():
    connection = Connection()
    replies = []

    class Future:
        def done(self):
            return False

        def set_result(self, reply):
            replies.append(reply)

    connection.waiting = Future()  # type: ignore[assignment]
    for piece in (b"HTTP/1.1 201 Created\r\ncontent-le", b"ngth: 5\r\n\r\nab", b"cde"):
        assert not replies
        connection.data_received(piece)
    assert (replies[0].status, replies[0].body) == (201, b"abcde")
