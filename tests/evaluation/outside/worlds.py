"""A split small enough to compute every metric of a list by hand."""

from pathlib import Path

import pandas as pd

from common.data.dataset import Dataset, load_dataset
from common.evaluation.evaluator import Evaluator
from common.evaluation.task import Task
from tests.data.worlds import pairs

TRAIN = pairs(anna="a b", ben="a c", cleo="b c d")
VALID = pairs(anna="c", ben="b")
TEST = pairs(anna="d e", ben="f")


def small_split(folder: Path) -> Path:
    """A folder with a ready-made split: test holds d and e of anna, and f of ben; cleo is not evaluated."""
    folder.mkdir()
    for name, frame in (("train", TRAIN), ("valid", VALID), ("test", TEST)):
        frame.to_csv(folder / f"{name}.csv", index=False)
    return folder


def small_task(folder: Path) -> tuple[Dataset, Evaluator]:
    """The data set, and what evaluates its test part."""
    data = load_dataset(str(small_split(folder / "mine")), folder / "data")
    return data, Task(data, "listen").test


def written(path: Path, text: str) -> Path:
    """A file of lists; rows are separated by blanks."""
    path.write_text("\n".join(text.split()) + "\n")
    return path


def frame(text: str) -> pd.DataFrame:
    """The same as a table."""
    header, *rows = (line.split(",") for line in text.split())
    return pd.DataFrame(rows, columns=header)
