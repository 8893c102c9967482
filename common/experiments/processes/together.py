"""What a stage does differently under torchrun: each process reads its own rows, and a restart goes on by itself."""

import logging
from collections.abc import Iterable, Sequence
from functools import cached_property

from common.data.dataset import Dataset
from common.evaluation.task import Task
from common.experiments.run import PARTS, Run
from common.models.base import Recommender
from common.splits.shards import shared_view
from common.splits.train_view import TrainView, load_train_view
from common.utils import distributed
from common.utils.errors import UserError

log = logging.getLogger(__name__)


class SharedTask(Task):
    """A task of several processes, which ask for its views together.

    models: those of the command. Where all of them can, each process reads the rows of its own users, and the first
    one, which scores the models, may read all rows; else all of them read everything, the first one first. A prepared
    log is too large for that: a UserError names the models that need all of it.
    """

    def __init__(self, data: Dataset, split_folder: str, models: Sequence[type[Recommender]]) -> None:
        super().__init__(data, split_folder)
        greedy = [model.name for model in models if not model.reads_shards]
        self.by_shards = bool(models) and not greedy
        if greedy and data.matrix is not None:
            raise UserError(
                f"each process would read the whole log {data.name} for {', '.join(greedy)}: leave what is named out "
                "of --models, or start without torchrun"
            )

    @cached_property
    def train(self) -> TrainView:
        """Every table without the valid and the test part."""
        return self._shared("select")

    @cached_property
    def train_valid(self) -> TrainView:
        """Every table without the test part."""
        return self._shared("final")

    def _shared(self, phase: str) -> TrainView:
        def load() -> TrainView:
            return load_train_view(self.data, self.split_folder, phase)

        if self.by_shards:
            return shared_view(load, self.data.matrix is not None)
        with distributed.main_first():
            return load()


def task_of(data: Dataset, split_folder: str, models: Sequence[type[Recommender]]) -> Task:
    """The task of a command with these models."""
    return Task(data, split_folder) if distributed.world() == 1 else SharedTask(data, split_folder, models)


def named_models(args: object, models: Sequence[type[Recommender]]) -> list[type[Recommender]]:
    """The models that `--models` names, all of a stage that does not have it."""
    by_name = {model.name: model for model in models}
    return [by_name[name] for name in getattr(args, "models", by_name) if name in by_name]


def goes_on(resume: bool) -> bool:
    """Whether trainings go on from their checkpoints: as asked, and where torchrun has started the processes again."""
    if distributed.restarts() and distributed.is_main():
        log.info("torchrun has started the processes again (%d): what was trained goes on", distributed.restarts())
    return resume or distributed.restarts() > 0


def forget_checkpoints(runs: Iterable[Run], resume: bool) -> None:
    """Where torchrun may start the processes again, set aside what an earlier command has left.

    So it is this command's own checkpoints that a restart goes on from, unless `--resume` wants the earlier ones.
    """
    if resume or not (distributed.is_main() and distributed.may_restart()):
        return
    from common.training.checkpoint import ASIDE, set_aside

    for folder in (run.checkpoints(part) for run in runs for part in PARTS.values()):
        found = [path.parent for path in folder.rglob("last.json")]  # a model of several networks: a folder for each
        for place in (place for place in found if place.name != ASIDE):
            set_aside(place)
