"""Messages said once, and log files that end with their block."""

import errno
import io
import logging
import os
import sys

import pytest

from common.utils.errors import UserError
from common.utils.logs import _FileHandler, _StreamHandler, log_file, log_once, log_to


def test_a_message_is_said_once_while_a_block_runs(caplog):
    log = logging.getLogger("common.something")
    with caplog.at_level(logging.INFO), log_once(log.name):
        for place in (1, 1, 2, 1):
            log.info("number %d", place)
    with caplog.at_level(logging.INFO):
        log.info("number %d", 1)
    assert [record.getMessage() for record in caplog.records] == ["number 1", "number 2", "number 1"]


def test_a_log_file_is_let_go_after_an_error(tmp_path):
    handlers = list(logging.getLogger().handlers)
    with pytest.raises(ValueError, match="x"), log_file(tmp_path / "a" / "log.txt"):
        logging.getLogger("common").warning("one line")
        assert "one line" in (tmp_path / "a" / "log.txt").read_text()
        raise ValueError("x")
    assert logging.getLogger().handlers == handlers


def test_a_log_file_that_cannot_be_opened_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(UserError, match=r"cannot write .*log\.txt.*--output-dir"),
        log_file(tmp_path / "file" / "log.txt"),
    ):
        pass


def full(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_disk_that_fills_up_ends_in_a_sentence_where_it_happens(tmp_path, monkeypatch):
    path, handlers = tmp_path / "log.txt", list(logging.getLogger().handlers)
    sentence = r"cannot write .*log\.txt: No space left.*; free some space"
    with monkeypatch.context() as context, pytest.raises(UserError, match=sentence), log_file(path):
        context.setattr(logging.FileHandler, "flush", full)
        logging.getLogger("common").warning("does not fit")
    assert logging.getLogger().handlers == handlers


def test_so_does_one_that_fills_up_when_the_log_is_closed(tmp_path, monkeypatch):
    path = tmp_path / "log.txt"
    with monkeypatch.context() as context:
        with (
            pytest.raises(UserError, match=r"cannot write .*log\.txt: No space left.*; free some space"),
            log_file(path),
        ):
            logging.getLogger("common").warning("fits")
            context.setattr(logging.FileHandler, "flush", full)
        with pytest.raises(ValueError, match="what ended the block"), log_file(path):
            raise ValueError("what ended the block matters more")


def test_a_pipe_that_takes_no_more_is_told_to_who_logs(monkeypatch):
    class Closed(io.StringIO):
        def flush(self) -> None:
            raise BrokenPipeError

    log_to(Closed())
    with pytest.raises(BrokenPipeError):
        logging.getLogger("common").warning("nobody reads")


@pytest.mark.parametrize("handler", [_StreamHandler(io.StringIO()), _FileHandler(os.devnull, delay=True)])
def test_a_message_that_its_arguments_do_not_fit_is_told_as_ever(handler, monkeypatch):
    told = []
    monkeypatch.setattr(logging.Handler, "handleError", lambda self, record: told.append(record.msg))
    handler.emit(logging.LogRecord("x", logging.INFO, "", 1, "%d", ("word",), None))
    handler.close()
    assert told == ["%d"]


def test_messages_steer_no_terminal(capsys, tmp_path):
    log_to(sys.stdout)
    with log_file(tmp_path / "log.txt"):
        logging.getLogger("common").warning("a %s\nb", "\x1b[2J\u202e")
    assert capsys.readouterr().out == "a \\x1b[2J\\u202e\nb\n"
    assert "a \\x1b[2J\\u202e\nb\n" in (tmp_path / "log.txt").read_text()
