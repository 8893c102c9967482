"""Music recommendation: data, splits, models and evaluation, for scripts and notebooks; see docs/python.md.

from common import compare, evaluate, load_dataset, rerank, split
from common.models import ALS

task = split(load_dataset("synthetic"), "listen")
als = ALS(factors=64).fit(task.train)
evaluate(als, task.valid).metrics["ndcg_10"]
als.recommend(histories=[["Radiohead"]], k=10)

Each name is imported when it is first used, so that `import common` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from common.data.dataset import load_dataset
    from common.evaluation.task import compare, evaluate, split
    from common.models.new_items import new_item
    from common.reranking.rerank import rerank

__all__ = ["compare", "evaluate", "load_dataset", "new_item", "rerank", "split"]
_MODULES = {
    "load_dataset": "data.dataset",
    "split": "evaluation.task",
    "evaluate": "evaluation.task",
    "compare": "evaluation.task",
    "rerank": "reranking.rerank",
    "new_item": "models.new_items",
}


def __getattr__(name: str) -> Any:
    """A function of the public API, from the module that defines it."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    """The names of the public API beside the module's own."""
    return sorted({*globals(), *__all__})
