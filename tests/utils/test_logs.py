"""Messages said once, and log files that end with their block."""

import logging

import pytest

from common.utils.errors import UserError
from common.utils.logs import log_file, log_once


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
