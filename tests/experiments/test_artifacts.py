"""What a run hands to W&B: the model and its lists, each only if small enough."""

from pathlib import Path
from typing import Any

import pytest

from common.experiments import tracking
from common.experiments.artifacts import LISTS, METADATA, fits, keep

RECORD = dict.fromkeys(METADATA, "x") | {"dataset": "toy", "protocol": "next", "split_seed": 2, "model": "als"}


class Recorder(tracking.NullTracker):
    """Keeps what it is handed."""

    def __init__(self) -> None:
        self.kept: dict[str, tuple[str, list[str], dict[str, Any]]] = {}

    def artifact(self, name: str, kind: str, files: Any, metadata: dict[str, Any]) -> None:
        self.kept[kind] = (name, [file.name for file in files], metadata)


@pytest.fixture
def folders(tmp_path) -> tuple[Path, Path]:
    """Folders of results of one MiB each, and of a model of three."""
    for folder, names, size in (("test", LISTS, 1), ("model", ("model.npz", "settings.json"), 2)):
        (tmp_path / folder).mkdir()
        for name in names:
            (tmp_path / folder / name).write_bytes(b"x" * (size * 2**20))
    return tmp_path / "test", tmp_path / "model"


def test_model_and_lists_have_one_name_and_say_what_they_are_of(folders: tuple[Path, Path]):
    recorder = Recorder()
    keep(recorder, RECORD | {"ndcg_10": 0.5, "hr_10": 0.7}, *folders, 100)
    name, files, metadata = recorder.kept["model"]
    assert (name, files) == ("toy-next-s2-als-x", ["model.npz", "settings.json"])
    assert recorder.kept["recommendations"][:2] == (f"{name}-recommendations", list(LISTS))
    assert metadata["ndcg_10"] == 0.5
    assert set(metadata) == set(METADATA)


def test_without_a_model_of_its_own_a_run_keeps_its_lists(folders: tuple[Path, Path]):
    recorder = Recorder()
    keep(recorder, RECORD, folders[0], None, 100)
    assert set(recorder.kept) == {"recommendations"}


def test_what_is_too_large_is_left_out_and_named(folders: tuple[Path, Path], caplog):
    caplog.set_level("INFO")
    recorder = Recorder()
    keep(recorder, RECORD, *folders, 3)
    assert set(recorder.kept) == {"recommendations"}
    assert "larger than --artifact-mb 3: not kept in W&B as model" in caplog.text
    caplog.clear()
    recorder = Recorder()
    keep(recorder, RECORD, *folders, 0)
    assert not recorder.kept
    assert not caplog.text, "nobody asked for any"


def test_files_fit_together(folders: tuple[Path, Path]):
    files = [folders[1] / "model.npz", folders[1] / "settings.json"]
    assert fits(files, 4)
    assert not fits(files, 3)
    assert not fits([], 0)
