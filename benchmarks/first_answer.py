"""One answer of recommend.py, maybe through exported graphs: what `ask_speed --onnx` starts afresh.

    python -m benchmarks.first_answer FOLDER --model sasrec --like Radiohead    # -: without graphs

FOLDER holds the graphs of the model, as `python -m common export` writes them; all other flags are recommend.py's.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import recommend
from common.serving.model_store import ModelStore

NONE = "-"


def main(argv: Sequence[str] | None = None) -> None:
    """Answer."""
    folder, *flags = sys.argv[1:] if argv is None else argv
    if folder != NONE:
        answer_through(Path(folder))
    recommend.main(flags)


def answer_through(folder: Path) -> None:
    """Let every model that is opened compute its scores by the graphs of a folder; trees are not read besides."""
    from common.models.inference.onnx_runtime import through_onnx
    from common.models.two_stage.tree_ranker import TreeRecommender

    TreeRecommender._read_trees = staticmethod(lambda path: None)  # type: ignore[method-assign]

    opened = ModelStore.open

    def through(self: ModelStore, name: str, catalogue_sha256: str) -> Any:
        return through_onnx(opened(self, name, catalogue_sha256), folder)

    ModelStore.open = through  # type: ignore[method-assign]


if __name__ == "__main__":
    main()
