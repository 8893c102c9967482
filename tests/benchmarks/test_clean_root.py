"""The container file: its steps are read as written, and it installs the versions that were tested."""

import json
import re
from pathlib import Path

from benchmarks.clean_root import CleanRoot, instructions
from tests.conftest import ROOT

STEPS = list(instructions((ROOT / "Dockerfile").read_text(encoding="utf-8")))


def pins(name: str) -> dict[str, str]:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    return dict(line.split()[0].split("==") for line in lines if re.match(r"[\w.-]+==", line))


def test_instructions_are_joined_and_comments_are_none():
    text = "# RUN no\nRUN a \\\n    && b\n\nUSER 5\n"
    assert list(instructions(text)) == [("RUN", "a      && b"), ("USER", "5")]


def test_the_image_serves_as_nobody_special_with_a_health_check():
    said = dict(STEPS)
    assert said["USER"] not in ("0", "root")
    assert "/healthz" in said["HEALTHCHECK"]
    assert json.loads(said["ENTRYPOINT"])[1:4] == ["-m", "common", "serve"]
    assert [rest.split()[0] for word, rest in STEPS if word == "COPY"] == [
        "requirements-image.txt",
        "common",
        "presets",
    ]


def test_the_image_has_the_tested_versions_and_nothing_that_trains():
    tested, image = pins("requirements.txt") | pins("requirements-serve.txt"), pins("requirements-image.txt")
    assert {name: version for name, version in image.items() if tested.get(name) != version} == {}
    assert set(pins("requirements-serve.txt")) <= set(image)
    assert not {"torch", "implicit", "faiss-cpu", "polars", "matplotlib", "wandb"} & set(image)


def test_steps_are_done_in_the_root_as_the_user_of_the_file(tmp_path, monkeypatch):
    root, done = CleanRoot(tmp_path), []
    monkeypatch.setattr("benchmarks.clean_root.subprocess.run", lambda words, **_: done.append(words))
    for word, rest in STEPS:
        root.do(word, rest)
    assert (tmp_path / "srv/encore/common/__main__.py").is_file()
    assert (tmp_path / "srv/encore/requirements-image.txt").is_file()
    assert not list(Path(tmp_path).rglob("__pycache__"))
    assert all(words[:2] == ["chroot", str(tmp_path)] for words in done)
    assert root.command(["true"]) == [
        "chroot",
        "--userspec=10001:10001",
        str(tmp_path),
        "sh",
        "-c",
        "cd /srv/encore && exec true",
    ]
    assert root.environment["PYTHONUNBUFFERED"] == "1"
