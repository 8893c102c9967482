"""The same trained models under other evaluation protocols: does their ranking hold?"""

import dataclasses
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from common.data.dataset import Dataset, load_dataset
from common.data.synthetic.generator import SyntheticSettings
from common.evaluation.sensitivity.tables import PanelResults
from common.evaluation.sensitivity.variants import Panel, VariantRanks
from common.experiments.flags import command, parse
from common.experiments.settings import DataSettings
from common.models.registry import MODELS, STAGES
from common.plots.sensitivity import draw
from common.reporting.markdown_blocks import fill
from common.reporting.sensitivity_page import BLOCKS, as_json, terminal
from common.splits.protocols import PROTOCOLS
from common.splits.store import folder_name
from common.utils.errors import UserError, unknown_name
from common.utils.io import ROOT, display, read_json, read_parquet, write_json, write_text

JUDGED = ("popularity", "item_knn", "als", "ease", "forest", "sasrec", "two_tower", "hybrid_listnet")
HEARD = ("listen", "next", "next-shuffled")
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings(DataSettings):
    """Let other judges look at the models that the stages have trained; nothing is trained anew."""

    protocols: tuple[str, ...] = HEARD
    """Which protocols' models to judge: any but newcomer."""
    models: tuple[str, ...] = JUDGED
    """Which models to judge, those with a finished run of seed 0."""
    preset: str = "tuned"
    """Whose runs: tuned, classic, or a name from presets/."""
    page: Path | None = None
    """Markdown page whose blocks between <!-- xray-... DATASET --> and <!-- end --> are written anew; its figure is
    drawn into figures/xray.png beside it."""

    def check(self) -> None:
        """Raise a UserError for the first flag that makes no sense."""
        super().check()
        known = [protocol for protocol in PROTOCOLS if protocol != "newcomer"]
        for protocol in self.protocols:
            if protocol not in known:
                raise unknown_name("protocol of the X-ray", protocol, known)
        for model in self.models:
            if model not in MODELS:
                raise unknown_name("model", model, MODELS)
        if not self.protocols or not self.models:
            raise UserError("name at least one of --protocols and one of --models, or leave the flag out")


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Judge, print, draw, and fill a page if one is named."""
    settings = parse(Settings, argv)
    data = load_dataset(settings.dataset, settings.data_dir, settings.synthetic)
    page = _read_page(settings.page, data.name) if settings.page else ""
    sittings, absent = [], list[str]()
    for protocol in dict.fromkeys(settings.protocols):
        sitting, reasons = sit(data, settings, protocol)
        absent += reasons
        if sitting:
            sittings.append(sitting)
    if not sittings:
        raise UserError(f"there is no trained model of {data.name} to judge: {absent[0]}")
    log.info("%s", terminal(sittings, data.name, absent))
    folder = settings.output_dir / data.name
    write_json(folder / "xray.json", as_json(sittings, data.name, absent))
    drawn = draw(sittings, data.name, folder / "figures" / "xray.png")
    log.info("\nfigures: %s, %s", display(folder / "xray.json"), display(drawn))
    if settings.page:
        for kind, block in BLOCKS.items():
            made = block(sittings, [_plain(sentence, settings) for sentence in absent])
            page = fill(page, f"xray-{kind} {data.name}", made)
        draw(sittings, data.name, settings.page.parent / "figures" / "xray.png")
        write_text(settings.page, page)
        log.info("%s written anew", settings.page)


def _read_page(path: Path, dataset: str) -> str:
    try:
        page = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise UserError(f"--page {path} cannot be read ({error}); name a Markdown page that exists") from error
    if not any(f"<!-- xray-{kind} {dataset} -->" in page for kind in BLOCKS):
        raise UserError(f"--page {path} has no line <!-- xray-judges {dataset} -->; add one to fill")
    return page


def sit(data: Dataset, settings: Settings, protocol: str) -> tuple[PanelResults | None, list[str]]:
    """Verdicts on every model of a protocol that has a finished run, and a sentence for each thing that has none."""
    split = folder_name(protocol, settings.split_seed)
    runs = {
        name: settings.output_dir / data.name / split / name / settings.preset / "seed0" for name in settings.models
    }
    there = {name: run for name, run in runs.items() if (run / "test" / "targets.parquet").exists()}
    reasons = _not_run((name for name in runs if name not in there), settings, protocol)
    if not there:
        return None, reasons
    try:
        court = Panel(data, split)
    except UserError as error:
        return None, [f"{protocol}: {error}"]
    verdicts: dict[str, VariantRanks] = {}
    for name, run in there.items():
        try:
            verdicts[name] = _verdicts(court, name, run)
        except UserError as error:
            reasons.append(f"{name} on {protocol} is left out: {error}")
    if not verdicts:
        return None, reasons
    return PanelResults(protocol, verdicts, court.constant()), reasons


def _verdicts(court: Panel, name: str, run: Path) -> VariantRanks:
    """Verdicts on a saved model, which has to rank the hidden items as its run wrote."""
    train = court.evaluator.train
    if read_json(run / "test" / "metrics.json")["split_sha256"] != train.split_sha256:
        raise UserError("its results are of another drawing of the split; run its stage again")
    model = MODELS[name].load(run / "model", train)
    log.info("%s: %s", train.protocol, name)
    verdicts = court.judge(lambda rows: court.evaluator.scores_of(model, rows))
    written = read_parquet(run / "test" / "targets.parquet")
    pairs = zip(verdicts.ranks, (written["rank"], written["rank_sampled99"]), strict=True)
    if any(len(ranks) != len(other) or np.mean(ranks != other) > MOST_UNLIKE for ranks, other in pairs):
        raise UserError("the saved model does not give the ranks that its run wrote; run its stage again")
    return verdicts


MOST_UNLIKE = 0.02
"""Share of hidden items that may rank otherwise than in the run: another machine rounds otherwise."""


def _not_run(names: Iterable[str], settings: Settings, protocol: str) -> list[str]:
    """One sentence per script that would train the missing models."""
    missing, sentences = list(names), []
    for stage, trained in STAGES.items():
        if mine := [name for name in trained if name in missing]:
            verb = "was" if len(mine) == 1 else "were"
            sentences.append(
                f"{', '.join(mine)} {verb} not run on {protocol}; this runs it: {_line(stage, settings)} "
                f"--protocol {protocol}"
            )
    return sentences


def _line(stage: str, settings: Settings) -> str:
    """The command that runs a stage on the same data into the same folders."""
    flags = [f"--dataset {settings.dataset}"]
    plain = SyntheticSettings()
    flags += [
        f"--synthetic.{field.name.replace('_', '-')} {value}"
        for field in dataclasses.fields(plain)
        if (value := getattr(settings.synthetic, field.name)) != getattr(plain, field.name)
    ]
    for name, usual in (
        ("split_seed", 0),
        ("data_dir", ROOT / "data"),
        ("output_dir", ROOT / "outputs"),
        ("preset", "tuned"),
    ):
        if getattr(settings, name) != usual:
            flags.append(f"--{name.replace('_', '-')} {getattr(settings, name)}")
    return f"python {stage}.py {' '.join(flags)}"


def _plain(sentence: str, settings: Settings) -> str:
    """A sentence without the folders of this machine, for a page."""
    for flag in ("data_dir", "output_dir"):
        folder = str(getattr(settings, flag))
        sentence = sentence.replace(f" --{flag.replace('_', '-')} {folder}", "").replace(folder, flag.split("_")[0])
    return sentence
