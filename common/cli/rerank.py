"""Re-ranked lists of a finished run as runs of their own, without fitting its model again.

    python -m common rerank --run als
    python -m common rerank --run hybrid_listnet --methods mmr calibrated novelty
    python -m common rerank --run als --methods mmr --preset classic
    python -m common rerank --run als --methods pipeline --pipeline.diversity 0.2 --pipeline.per-genre 5

`<model>+<method>` becomes a run like any other: valid/ and test/ with metrics, lists and ranks, a row of the
leaderboard. The trade-off weight is chosen on validation: the largest that keeps NDCG@10 within --loss.
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from common import plots
from common.data.dataset import load_dataset
from common.evaluation.recommendations import Evaluation
from common.experiments.flags import command, parse
from common.experiments.live_run import PHASES, about, draw_accuracy, top_ten, tracked
from common.experiments.outputs import Outputs
from common.experiments.presets import preset_label
from common.experiments.run import Run, hash_config
from common.experiments.settings import DataSettings
from common.reporting.leaderboard import text, write_leaderboard
from common.reranking.rerank import Reranking
from common.reranking.strength_search import COSTS, METHODS, PIPELINE, PLACES, Source, choose_strength
from common.splits.protocols import PROTOCOLS
from common.splits.store import folder_name
from common.utils.environment import about_machine
from common.utils.errors import UserError, unknown_name
from common.utils.io import display, strict, write_json
from common.utils.settings import search_ranges
from common.utils.terminal import aligned

log = logging.getLogger(__name__)


SHOWN = ("ndcg_10", "ils_genre_10", "ils_tag_10", "coverage_10", "novelty_10", "calibration_genre_10")


@dataclass(frozen=True)
class Settings(DataSettings):
    """Re-rank a finished run's lists, score them, and put them into the leaderboard."""

    run: str = "als"
    """The run: a folder outputs/DATASET/PROTOCOL/MODEL/PRESET/seedK, or MODEL, MODEL/PRESET, MODEL/PRESET/seedK."""
    protocol: str = "listen"
    """Folder of the protocol where the run is named by its model, such as listen, next or listen-s2."""
    methods: tuple[str, ...] = tuple(METHODS)
    """mmr, calibrated, mmr_calibrated, novelty, less_popular, per_genre, balanced; pipeline: the --pipeline flags."""
    preset: str = "tuned"
    """tuned: strength chosen on validation; classic: the textbook's (mmr 0.3, calibrated 0.5)."""
    strength: float | None = None
    """A strength of your own for all methods, in place of the preset's."""
    loss: float = 0.05
    """Share of validation's NDCG@10 that a chosen strength may cost."""
    pipeline: Reranking = field(default_factory=Reranking)
    """What every method has besides its own setting."""

    def check(self) -> None:
        """Raise a UserError for the first flag that makes no sense."""
        super().check()
        if not self.methods:
            raise UserError("--methods names none; give one or more")
        for name in self.methods:
            if name not in METHODS and name != PIPELINE:
                raise unknown_name("method", name, [*METHODS, PIPELINE])
            if self.preset == "classic" and self.strength is None and name in METHODS and not METHODS[name].classic:
                raise UserError(f"--methods {name} has no classic strength; give --strength, or --preset tuned")
        if self.preset not in ("tuned", "classic"):
            raise unknown_name("preset", self.preset, ("tuned", "classic"))
        if PIPELINE in self.methods and self.pipeline == Reranking():
            raise UserError(
                "--methods pipeline: say with --pipeline flags what is to be done, such as --pipeline.balance"
            )
        if self.strength is not None:
            self._check_strength(self.strength)
        if not 0 <= self.loss <= 1:
            raise UserError(f"--loss {self.loss}: give a share from 0 to 1")

    def _check_strength(self, strength: float) -> None:
        for name in self.methods:
            if name not in METHODS or len(METHODS[name].strengths) < 2:
                raise UserError(f"--strength {strength:g}: {name} has no strength; leave one of the two out")
            setting = METHODS[name].settings[0]
            allowed, whole = search_ranges(Reranking)[setting], isinstance(getattr(Reranking(), setting), int)
            if not allowed.allows(strength) or (whole and strength != int(strength)):
                reach = f"from 0 to {allowed.most:g}" if allowed.most < np.inf else "of 0 or more"
                raise UserError(f"--strength {strength:g}: {name} takes a {'whole ' * whole}number {reach}")


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Choose on validation, write each method's run, print the leaderboard."""
    settings = parse(Settings, argv)
    data = load_dataset(settings.dataset, settings.data_dir, settings.synthetic)
    protocol = settings.protocol
    if protocol in PROTOCOLS:
        protocol = folder_name(protocol, settings.split_seed)
    source = Source(Outputs(settings.output_dir).find(settings.run, data.name, protocol), data)
    for name in settings.methods:
        for strength in strengths_of(settings, name):
            made(settings, name, strength).check(source.facts["valid"], PIPELINE)
    base = source.measured(Reranking())
    rows: list[dict[str, Any]] = []
    for name in settings.methods:
        tried = tries(source, settings, name)
        chosen = choose_strength(tried, base["ndcg_10"], settings.loss)
        if chosen["ndcg_10"] < (1 - settings.loss) * base["ndcg_10"]:
            log.info("%s costs more than %.0f%% of NDCG@10", name, 100 * settings.loss)
        rows += [row | {"chosen": row is chosen} for row in tried]
        write_run(source, settings, name, made(settings, name, chosen["strength"]))
    log.info("\n%s", table_text(source, base, rows))
    conclude(source, base, rows)


def made(settings: Settings, name: str, strength: float) -> Reranking:
    """The settings of a method at one strength."""
    return settings.pipeline if name == PIPELINE else METHODS[name].at(strength, settings.pipeline)


def strengths_of(settings: Settings, name: str) -> tuple[float, ...]:
    """The strengths that a method may be given, weak to strong: one alone where the flags say which."""
    if name == PIPELINE:
        return (0,)
    method = METHODS[name]
    if settings.strength is not None:
        return (settings.strength,)
    if settings.preset == "classic":
        return (method.classic or 0,)
    shares = [made(settings, name, strength) for strength in method.strengths]
    fits = [of.diversity + of.calibration <= 1 for of in shares]  # beside the shares that --pipeline flags take
    return tuple(strength for strength, fit in zip(method.strengths, fits, strict=True) if fit) or method.strengths


def tries(source: Source, settings: Settings, name: str) -> list[dict[str, Any]]:
    """Metrics on validation of one method at each strength that it may be given: method, strength and all metrics."""
    return [
        {"method": name, "strength": strength, **source.measured(made(settings, name, strength))}
        for strength in strengths_of(settings, name)
    ]


def write_run(source: Source, settings: Settings, name: str, chosen: Reranking) -> None:
    """Write the folder of one method's run: the results of every part that the run has, its settings and its figure."""
    preset = preset_of(source, settings, chosen)
    config = source.config | {"model": f"{source.model}+{name}", "preset": preset}
    wishes = {key: value for key, value in asdict(chosen).items() if value != getattr(Reranking(), key)}
    config["settings"] = source.config["settings"] | {"reranking": {"places": PLACES, **wishes}}
    config["lists_of"] = hash_config(source.config)
    run = Run(source.run.split_folder / config["model"] / preset / source.run.folder.resolve().name)
    phase = PHASES[list(source.results)[-1]]
    with tracked(run, config, settings.wandb, settings.output_dir, phase) as tracker:
        for part in source.results:
            evaluation, record = scored(source, part, chosen, config)
            run.write_results(part, evaluation, record)
            values = "  ".join(f"{key} {value}" for key, value in short(record).items())
            log.info("%-26s %-6s %s", config["model"], PHASES[part], values)
        run.write_config(config)
        tracker.figure("accuracy_by_k", draw_accuracy(run, source.results))
        tracker.summary(strict(record))
        tracker.table("top10", top_ten(evaluation.recommendations, source.evaluators[part].train))


def preset_of(source: Source, settings: Settings, chosen: Reranking) -> str:
    """Name of the preset folder: the strength's preset, after that of the run's model where it is not the tuned one,
    and with a hash of the settings where flags changed them."""
    own = source.config["preset"]
    preset = settings.preset if own == "tuned" else f"{own}-{settings.preset}"
    plain = (settings.strength, settings.loss, settings.pipeline) == (None, Settings.loss, Reranking())
    return preset if plain else preset_label(preset, chosen, None)


def scored(source: Source, part: str, chosen: Reranking, config: dict[str, Any]) -> tuple[Evaluation, dict[str, Any]]:
    """The evaluation on one part and its record: the costs of the model, with those of re-ranking on top."""
    start = time.perf_counter()
    ranking = source.ranked(part, chosen)
    spent = 1000 * (time.perf_counter() - start) / max(1, len(ranking.items))
    evaluation, before = source.evaluators[part].evaluate_ranking(ranking), source.results[part].metrics
    costs = {key: before[key] for key in COSTS if key in before} | {"rerank_ms_per_user": spent}
    costs["recommend_ms_per_user"] = costs.get("recommend_ms_per_user", 0) + spent
    return evaluation, evaluation.metrics | costs | about(config, part) | about_machine("cpu")


def short(values: dict[str, Any]) -> dict[str, str]:
    """The metrics that a terminal has room for."""
    return {key: f"{values[key]:.4f}" for key in SHOWN if key in values}


def table_text(source: Source, base: dict[str, float], rows: Sequence[dict[str, Any]]) -> str:
    """What every strength gave on validation, the chosen ones marked."""
    shown = [key for key in SHOWN if key in base]
    header = ["", "method", "strength", *(key.removesuffix("_10") for key in shown)]
    cells = [["", source.model, "", *(f"{base[key]:.4f}" for key in shown)]]
    for row in rows:
        mark, strength = "*" if row["chosen"] else "", "" if row["method"] == PIPELINE else f"{row['strength']:g}"
        cells.append([mark, row["method"], strength, *(f"{row.get(key, float('nan')):.4f}" for key in shown)])
    lines = aligned([header, *cells], texts=2)
    return "\n".join(["validation, first 10 places; * is the strength that the run has", *lines])


def conclude(source: Source, base: dict[str, float], rows: Sequence[dict[str, Any]]) -> None:
    """Write what was tried and its figure, write and print the leaderboard."""
    results = source.run.split_folder
    name = f"reranking_{source.model}" + ("" if source.config["preset"] == "tuned" else f"_{source.config['preset']}")
    kept = [key for key, value in base.items() if isinstance(value, float) and key.endswith("_10")]
    content = [{key: row[key] for key in ("method", "strength", "chosen", *kept) if key in row} for row in rows]
    write_json(results / f"{name}.json", {"run": {key: base[key] for key in kept}, "validation": content})
    title = f"{source.data.name}, {source.split}, validation"
    drawn = plots.trade_offs(source.model, base, rows, title, results / "figures" / f"{name}.png")
    table = write_leaderboard(results, source.data.name, source.split, source.config["split_sha256"])
    log.info("\n%s", text(table, source.data.name, source.split))
    log.info("results: %s\nfigure: %s", display(results), display(drawn))
