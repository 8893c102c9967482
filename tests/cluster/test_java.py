"""What a wrong or missing Java ends in."""

import pytest

from common.cluster.java import check_java
from common.utils.errors import UserError


def fake_java(folder, says: str):
    program = folder / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho '{says}' >&2\n")
    program.chmod(0o755)
    return folder


@pytest.mark.parametrize("says", ['openjdk version "17.0.15" 2025-04-15', 'java version "21"'])
def test_a_java_that_does(says, tmp_path, monkeypatch):
    monkeypatch.setenv("JAVA_HOME", str(fake_java(tmp_path, says)))
    check_java()


@pytest.mark.parametrize(("says", "shown"), [
    ('java version "1.8.0_392"', "is Java 8, and Spark needs 17 to 25"),
    ('openjdk version "11.0.2"', "is Java 11"),
    ("command not configured", "names no version"),
])  # fmt: skip
def test_a_wrong_java_is_named_with_the_remedy(says, shown, tmp_path, monkeypatch):
    monkeypatch.setenv("JAVA_HOME", str(fake_java(tmp_path, says)))
    with pytest.raises(UserError, match=f"(?s){shown}.*openjdk-17-jre-headless"):
        check_java()


def test_no_java_at_all(tmp_path, monkeypatch):
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(UserError, match=r"JAVA_HOME=.* holds no bin/java; install"):
        check_java()
    monkeypatch.delenv("JAVA_HOME")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="no java on PATH; install"):
        check_java()
