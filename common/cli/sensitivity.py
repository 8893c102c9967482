"""The same trained models under other evaluation protocols: does their ranking hold?"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from common.data.dataset import Dataset
from common.evaluation.registry import label
from common.evaluation.sensitivity.tables import PanelResults, agreement, means_table
from common.evaluation.sensitivity.variants import K, Panel, VariantRanks
from common.experiments.flags import command, flags_of, parse
from common.experiments.run import Run, RunKey
from common.experiments.settings import DataSettings
from common.models.registry import BY_DEFAULT, MODELS, STAGES
from common.plots.sensitivity import sensitivity
from common.reporting.markdown_blocks import fill_page, read_page
from common.reporting.sensitivity_page import BLOCKS, as_json, terminal
from common.splits.protocols import PROTOCOLS
from common.splits.store import folder_name
from common.utils.errors import UserError, check_known
from common.utils.io import display, write_json

MODELS_SHOWN = ("popularity", "item_knn", "als", "ease", "forest", "sasrec", "two_tower", "hybrid_listnet")
SHOWN_PROTOCOLS = ("listen", "next", "next-shuffled")
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings(DataSettings):
    """Evaluate the models that the stages have trained under other protocols; nothing is trained anew."""

    protocols: tuple[str, ...] = SHOWN_PROTOCOLS
    """Which protocols' models to evaluate: any but newcomer."""
    models: tuple[str, ...] = MODELS_SHOWN
    """Which models to evaluate, those with a finished run of seed 0."""
    preset: str = "tuned"
    """Whose runs: tuned, classic, or a name from presets/."""
    page: Path | None = None
    """Markdown page whose blocks between <!-- xray-... DATASET --> and <!-- end --> are written anew; its figure is
    drawn into figures/xray.png beside it."""

    def check(self) -> None:
        """Raise a UserError for the first flag that makes no sense."""
        super().check()
        known = [protocol for protocol in PROTOCOLS if protocol != "newcomer"]
        check_known("protocol of the sensitivity analysis", known, *self.protocols)
        check_known("model", MODELS, *self.models)
        if not self.protocols or not self.models:
            raise UserError("name at least one of --protocols and one of --models, or leave the flag out")


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Evaluate, print, draw, and fill a page if one is named."""
    settings = parse(Settings, argv)
    data = settings.load_data()
    page = read_page(settings.page) if settings.page else ""
    if settings.page and not any(f"<!-- xray-{kind} {data.name} -->" in page for kind in BLOCKS):
        raise UserError(f"--page {settings.page} has no line <!-- xray-judges {data.name} -->; add one to fill")
    found = [evaluate_protocol(data, settings, protocol) for protocol in dict.fromkeys(settings.protocols)]
    panels, absent = [panel for panel, _ in found if panel], [reason for _, reasons in found for reason in reasons]
    if not panels:
        raise UserError(f"there is no trained model of {data.name} to evaluate: {absent[0]}")
    log.info("%s", terminal(panels, data.name, absent))
    folder = settings.output_dir / data.name
    write_json(folder / "xray.json", as_json(panels, data.name, absent))
    drawn = draw(panels, data.name, folder / "figures" / "xray.png")
    log.info("\nfigures: %s, %s", display(folder / "xray.json"), display(drawn))
    if settings.page:
        sentences = [_plain(sentence, settings) for sentence in absent]
        made = {f"xray-{kind} {data.name}": block(panels, sentences) for kind, block in BLOCKS.items()}
        draw(panels, data.name, settings.page.parent / "figures" / "xray.png")
        fill_page(settings.page, page, made, data.name)


def draw(panels: list[PanelResults], dataset: str, path: Path) -> Path:
    """The figure of all variants; returns its path."""
    return sensitivity(means_table(panels), agreement(panels), label(f"ndcg_{K}"), dataset, path)


def evaluate_protocol(data: Dataset, settings: Settings, protocol: str) -> tuple[PanelResults | None, list[str]]:
    """Results of every model of a protocol that has a finished run, and a sentence for each thing that has none."""
    split = folder_name(protocol, settings.split_seed)
    keys = [RunKey(data.name, split, name, settings.preset, 0) for name in dict.fromkeys(settings.models)]
    runs = [Run.at(settings.output_dir, key) for key in keys]
    reasons = _not_run([run.key.model for run in runs if not run.has("test")], settings, protocol)
    if not any(run.has("test") for run in runs):
        return None, reasons
    try:
        panel = Panel(data, split)
    except UserError as error:
        return None, [f"{protocol}: {error}"]
    found: dict[str, VariantRanks] = {}
    for run in (run for run in runs if run.has("test")):
        try:
            found[run.key.model] = _ranks_of_model(panel, run)
        except UserError as error:
            reasons.append(f"{run.key.model} on {protocol} is left out: {error}")
    return PanelResults(protocol, found, panel.constant()) if found else None, reasons


def _ranks_of_model(panel: Panel, run: Run) -> VariantRanks:
    """Results of a saved model, which has to rank the held-out items as its run wrote."""
    train, results = panel.evaluator.train, run.results("test")
    if results.metrics["split_sha256"] != train.split_sha256:
        raise UserError("its results are of another drawing of the split; run its stage again")
    model = run.load(MODELS[run.key.model], train)
    log.info("%s: %s", train.protocol, run.key.model)
    found = panel.evaluate(lambda rows: panel.evaluator.scores_of(model, rows))
    written = results.targets
    pairs = zip(found.ranks, (written["rank"], written["rank_sampled99"]), strict=True)
    if any(len(ranks) != len(other) or np.mean(ranks != other) > MOST_UNLIKE for ranks, other in pairs):
        raise UserError("the saved model does not give the ranks that its run wrote; run its stage again")
    return found


MOST_UNLIKE = 0.02
"""Share of held-out items that may rank otherwise than in the run: another machine rounds otherwise."""


def _not_run(missing: Sequence[str], settings: Settings, protocol: str) -> list[str]:
    """One sentence per script that would train the missing models."""
    sentences = []
    flags = flags_of(settings, ("dataset", "synthetic", "split_seed", "data_dir", "output_dir", "preset"))
    for stage, trained in STAGES.items():
        if mine := [name for name in trained if name in missing]:
            named = ["--models", *mine] if set(mine) - set(BY_DEFAULT[stage]) else []
            verb, command_line = "was" if len(mine) == 1 else "were", " ".join([f"python {stage}.py", *named, *flags])
            sentences.append(
                f"{', '.join(mine)} {verb} not run on {protocol}; this runs it: {command_line} --protocol {protocol}"
            )
    return sentences


def _plain(sentence: str, settings: Settings) -> str:
    """A sentence without the folders of this machine, for a page."""
    for flag in ("data_dir", "output_dir"):
        folder = str(getattr(settings, flag))
        sentence = sentence.replace(f" --{flag.replace('_', '-')} {folder}", "").replace(folder, flag.split("_")[0])
    return sentence
