"""How long a trained model takes to answer: from the start of the program, and from one list to the next.

    python -m benchmarks.ask_speed                  # --models als forest, --dataset, --protocol as for recommend.py
    python -m benchmarks.ask_speed --onnx           # first answers alone, by NumPy and by ONNX Runtime

For every trained model, `recommend.py` is started afresh and asked once for the list of somebody who likes the best
known item, as it is and re-ranked by MMR, for which it reads the data set as well. Then, in a process of its own,
a newcomer talks with the model: they like one item of each list, so that every list differs from the one before. A
list counts from the word to the printed table: the like is kept in a copy of the store, the model scores the
catalogue, and the best are re-ranked by MMR. CPU seconds stand beside those of the clock, since only
they mean something on a machine that is busy with other things.
"""

import argparse
import contextlib
import dataclasses
import io
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from common.models.inference.onnx_export import FORESTS, NETWORKS, graphs
from common.models.registry import MODELS
from common.serving.model_store import ModelStore
from common.serving.service import RecommendationService, reranker
from common.serving.store.store import Store, open_store
from common.serving.terminal.conversation import Conversation
from common.utils.environment import Seconds, use_one_thread
from common.utils.io import ROOT
from recommend import Settings

PEER = "als"
"""The model that the others are compared with."""
LISTENER = "ask_speed"
"""Whose likes count; nothing is ever kept for them."""
RERANK = ("--rerank.diversity", "0.3")
"""MMR, as the textbook has it."""
ROW = "{:16} {:8.2f} {:7.2f} {:6.2f} {:7.1f} {:6.1f} {:11.1f} {:6.1f} {:6.2f}"
WHERE = ("dataset", "protocol", "preset", "data_dir", "output_dir")


def flags_of(settings: Settings) -> list[str]:
    """The flags that say where data and models lie."""
    return [word for name in WHERE for word in (f"--{name.replace('_', '-')}", str(getattr(settings, name)))]


def first_answers(settings: Settings, model: str, item_id: str, starts: int, *more: str) -> list[Seconds]:
    """What fresh processes take to answer once; `more`: further flags."""
    flags = ["--model", model, "--like", f"id:{item_id}", "--as", LISTENER, *more]
    command = [sys.executable, str(ROOT / "recommend.py"), *flags_of(settings), *flags]
    spent = []
    for _ in range(starts):
        before = Seconds.of_children()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        spent.append(Seconds.of_children() - before)
    return spent


def by_turns(settings: Settings, model: str, item_id: str, starts: int, folder: Path) -> dict[str, list[Seconds]]:
    """First answers by the networks and trees in NumPy, and by those that were exported into a folder."""
    flags = [*flags_of(settings), "--model", model, "--like", f"id:{item_id}", "--as", LISTENER]
    start = [sys.executable, "-m", "benchmarks.first_answer"]
    ways = {"NumPy": [*start, "-", *flags], "ONNX": [*start, str(folder), *flags]}
    spent: dict[str, list[Seconds]] = {name: [] for name in ways}
    for _ in range(starts):
        for name, command in ways.items():
            before = Seconds.of_children()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=ROOT)
            spent[name].append(Seconds.of_children() - before)
    return spent


def compare_runtimes(settings: Settings, models: Sequence[str], item_id: str, starts: int) -> None:
    """Print a row for each model that can be exported: first answers by NumPy and by ONNX Runtime, by turns."""
    print(f"{'':16}  NumPy: clock     CPU   ONNX: clock     CPU   CPU, ONNX / NumPy")
    for name in models:
        if name not in (*NETWORKS, *FORESTS):
            continue
        model = MODELS[name].load(model_store(settings).folder(name), inference_only=True)
        with tempfile.TemporaryDirectory() as folder:
            for file, one in graphs(model).items():
                (Path(folder) / file).write_bytes(one.content)
            spent = by_turns(settings, name, item_id, starts, Path(folder))
        medians = [np.median([[one.wall, one.cpu] for one in own], axis=0) for own in spent.values()]
        figures = np.concatenate(medians)
        print(
            "{:16} {:13.2f} {:7.2f} {:13.2f} {:7.2f} {:19.2f}".format(name, *figures, figures[3] / figures[1]),
            flush=True,
        )


def lists(settings: Settings, model: str, talks: int, likes: int) -> list[Seconds]:
    """What each list of several conversations takes, but for the very first, which belongs to the first answer."""
    spent: list[Seconds] = []
    where = (settings.dataset, settings.protocol, settings.data_dir, settings.synthetic)
    with copied_store(settings) as store:
        service = RecommendationService(store, model_store(settings), reranker(*where, settings.rerank))
        best_known = np.argsort(-service.catalogue.listeners, kind="stable")
        for talk in range(talks):
            store.feedback.remove(LISTENER)
            conversation = Conversation(service, model, "", LISTENER, settings.k)
            spent.append(_timed(conversation, int(best_known[(10 * talk) % len(best_known)])))
            for turn in range(1, likes):
                of_list = conversation.answer.items if conversation.answer else []
                if of_list:
                    spent.append(_timed(conversation, of_list[turn % len(of_list)]))
    return spent[1:]


def model_store(settings: Settings) -> ModelStore:
    """The saved models that the settings name."""
    where = (settings.dataset, settings.protocol, settings.preset, settings.data_dir, settings.output_dir)
    return ModelStore.of(*where, settings.synthetic)


@contextlib.contextmanager
def copied_store(settings: Settings) -> Iterator[Store]:
    """A copy of the data set's store, in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        with open_store(settings.dataset, settings.protocol, settings.data_dir, settings.output_dir) as store:
            copied = shutil.copy(str(store.database.place), folder)
        with Store(Path(copied)) as copy:
            yield copy


def _timed(conversation: Conversation, liked: int) -> Seconds:
    """What the list that follows a like takes."""
    start = Seconds.now()
    with contextlib.redirect_stdout(io.StringIO()):
        conversation.keep(liked, liked=True)
    return Seconds.now() - start


def talk_apart(settings: Settings, model: str, talks: int, likes: int) -> list[Seconds]:
    """`lists` in a process of its own."""
    about = ["--models", model, "--talks", str(talks), "--likes", str(likes), "--here"]
    command = [sys.executable, "-m", "benchmarks.ask_speed", *flags_of(settings), *about]
    told = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout
    return [Seconds(*pair) for pair in json.loads(told)]


def row(first: Sequence[Seconds], reranked: Sequence[Seconds], each: Sequence[Seconds]) -> np.ndarray:
    """The figures of one model in the order of the columns, float64 (7,): medians of the first answer in seconds, and
    median and 90% of the lists in milliseconds, by the clock and by processors."""
    answers = [[one.wall for one in first], [one.cpu for one in first], [one.wall for one in reranked]]
    lists = 1000 * np.quantile([[one.wall, one.cpu] for one in each], (0.5, 0.9), axis=0)
    return np.concatenate([np.median(answers, axis=1), lists.T.ravel()])


def main(argv: Sequence[str] | None = None) -> None:
    """Print a row for each model."""
    default = Settings()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in WHERE:
        kind = type(getattr(default, name))
        parser.add_argument(f"--{name.replace('_', '-')}", type=kind, default=getattr(default, name))
    parser.add_argument("--models", nargs="+", help="by default all that are trained")
    parser.add_argument("--starts", type=int, default=3, help="fresh processes per model")
    parser.add_argument("--talks", type=int, default=3, help="conversations per model")
    parser.add_argument("--likes", type=int, default=12, help="lists of a conversation")
    parser.add_argument("--onnx", action="store_true", help="first answers alone, by NumPy and by ONNX Runtime")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    flags = parser.parse_args(argv)
    where = {name: getattr(flags, name) for name in WHERE}
    settings = dataclasses.replace(default, rerank=dataclasses.replace(default.rerank, diversity=0.3), **where)
    if flags.here:
        use_one_thread()  # as recommend.py does
        spent = lists(settings, flags.models[0], flags.talks, flags.likes)
        print(json.dumps([dataclasses.astuple(one) for one in spent]))
        return
    measure(settings, flags.models or model_store(settings).trained(), flags)


def measure(settings: Settings, models: Sequence[str], flags: argparse.Namespace) -> None:
    """Measure the models, the peer first, and print what was found."""
    with open_store(settings.dataset, settings.protocol, settings.data_dir, settings.output_dir) as store:
        catalogue = store.data.catalogue(settings.protocol)
    best_known = str(catalogue.item_ids[catalogue.listeners.argmax()])
    if flags.onnx:
        compare_runtimes(settings, models, best_known, flags.starts)
        return
    peer = None
    print(f"{'':16}  first answer, s            milliseconds a list            list /")
    print(f"{'':16}    clock     CPU    MMR  median    90%  CPU median    90%   {PEER}")
    for model in sorted(models, key=lambda name: name != PEER):
        first = first_answers(settings, model, best_known, flags.starts)
        reranked = first_answers(settings, model, best_known, flags.starts, *RERANK)
        figures = row(first, reranked, talk_apart(settings, model, flags.talks, flags.likes))
        if model == PEER:
            peer = figures[5]
        print(ROW.format(model, *figures, figures[5] / (peer or figures[5])), flush=True)


if __name__ == "__main__":
    main()
