"""One drawing of a split as a task: what to fit on, and what scores the fitted model."""

from functools import cached_property

from common.data.dataset import Dataset
from common.evaluation.evaluator import Evaluator
from common.splits.holdout import make_holdout
from common.splits.store import load_split
from common.splits.train_view import TrainView, make_train_view


class Task:
    """Fit on `train` and choose on `valid`; then fit again on `train_valid` and report on `test`.

    Each of the four is made when it is first used, so that a run that only chooses never opens the test part.
    `split_folder` names protocol and drawing, such as `listen-s3`; see `splits.store.folder_name`.
    """

    def __init__(self, data: Dataset, split_folder: str) -> None:
        self.data, self.split_folder = data, split_folder

    @cached_property
    def train(self) -> TrainView:
        """Every table without the valid and the test part."""
        return self._view("select")

    @cached_property
    def train_valid(self) -> TrainView:
        """Every table without the test part."""
        return self._view("final")

    @cached_property
    def valid(self) -> Evaluator:
        """Scores models fitted on `train`."""
        return self._evaluator(self.train)

    @cached_property
    def test(self) -> Evaluator:
        """Scores models fitted on `train_valid`."""
        return self._evaluator(self.train_valid)

    def _view(self, phase: str) -> TrainView:
        return make_train_view(self.data, load_split(self.data, self.split_folder), self.split_folder, phase)

    def _evaluator(self, train: TrainView) -> Evaluator:
        return Evaluator(train, make_holdout(load_split(self.data, self.split_folder), train))
