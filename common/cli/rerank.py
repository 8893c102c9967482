"""Re-ranked lists of a finished run as runs of their own, without fitting its model again.

    python -m common rerank --run als
    python -m common rerank --run hybrid_listnet --methods mmr calibrated novelty
    python -m common rerank --run als --methods mmr --preset classic
    python -m common rerank --run als --methods mmr --by-history
    python -m common rerank --run als --methods pipeline --pipeline.diversity 0.2 --pipeline.per-genre 5

`<model>+<method>` becomes a run like any other: valid/ and test/ with metrics, lists and ranks, a row of the
leaderboard. The trade-off weight is chosen on validation: the largest that keeps NDCG@10 within --loss.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from common.experiments.flags import command, parse
from common.experiments.outputs import Outputs
from common.experiments.settings import DataSettings
from common.plots import model_comparison as plots
from common.reporting.leaderboard import text, write_leaderboard
from common.reranking.by_history import ByHistory
from common.reranking.rerank import Reranking
from common.reranking.stored_lists import SHOWN, StoredLists, write_run
from common.reranking.strength_search import LOSS, METHODS, PIPELINE, StrengthSearch
from common.splits.protocols import PROTOCOLS
from common.splits.store import folder_name
from common.utils.errors import UserError, check_known
from common.utils.io import display, write_json
from common.utils.settings import Range, search_ranges
from common.utils.terminal import aligned

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings(DataSettings):
    """Re-rank a finished run's lists, score them, and put them into the leaderboard."""

    run: str = "als"
    """The run: a folder outputs/DATASET/PROTOCOL/MODEL/PRESET/seedK, or MODEL, MODEL/PRESET, MODEL/PRESET/seedK."""
    protocol: str = "listen"
    """Folder of the protocol where the run is named by its model, such as listen, next or listen-s2."""
    methods: tuple[str, ...] = tuple(METHODS)
    """mmr, calibrated, mmr_calibrated, novelty, less_popular, per_genre, balanced; pipeline: the --pipeline flags.
    Without the flag, all but pipeline that the data's features allow."""
    preset: str = "tuned"
    """tuned: strength chosen on validation; classic: the usual ones (mmr 0.3, calibrated 0.5)."""
    strength: Annotated[float | None, Range(0.0, 1e6)] = None
    """A strength of your own for all methods, in place of the preset's."""
    loss: Annotated[float, Range(0.0, 1.0)] = LOSS
    """Share of validation's NDCG@10 that a chosen strength may cost."""
    by_history: bool = False
    """Choose a strength for each third of the users by the length of their history, as a run of its own."""
    pipeline: Reranking = field(default_factory=Reranking)
    """What every method has besides its own setting."""

    def check(self) -> None:
        """Raise a UserError for the first flag that makes no sense."""
        super().check()
        if not self.methods:
            raise UserError("--methods names none; give one or more")
        check_known("method", [*METHODS, PIPELINE], *self.methods)
        for name in self.methods:
            if self.preset == "classic" and self.strength is None and name in METHODS and not METHODS[name].classic:
                raise UserError(f"--methods {name} has no classic strength; give --strength, or --preset tuned")
        check_known("preset", ("tuned", "classic"), self.preset)
        if PIPELINE in self.methods and self.pipeline == Reranking():
            raise UserError(
                "--methods pipeline: say with --pipeline flags what is to be done, such as --pipeline.balance"
            )
        if self.by_history and (self.strength is not None or self.preset != "tuned"):
            raise UserError("--by-history chooses strengths on validation; leave out --strength and --preset classic")
        if self.strength is not None:
            self._check_strength(self.strength)

    def _check_strength(self, strength: float) -> None:
        for name in self.methods:
            if name not in METHODS or len(METHODS[name].strengths) < 2:
                raise UserError(f"--strength {strength:g}: {name} has no strength; leave one of the two out")
            setting = METHODS[name].settings[0]
            allowed, whole = search_ranges(Reranking)[setting], isinstance(getattr(Reranking(), setting), int)
            if not allowed.allows(strength) or (whole and strength != int(strength)):
                raise UserError(f"--strength {strength:g}: {name} takes a {'whole ' * whole}number, {allowed}")


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Choose on validation, write each method's run, print the leaderboard."""
    settings = parse(Settings, argv)
    data = settings.load_data()
    protocol = settings.protocol
    if protocol in PROTOCOLS:
        protocol = folder_name(protocol, settings.split_seed)
    source = StoredLists(Outputs(settings.output_dir).find(settings.run, data.name, protocol), data)
    search = StrengthSearch(settings.preset, settings.strength, settings.loss, settings.pipeline, settings.by_history)
    methods = search.possible(source.facts["valid"]) if settings.methods == tuple(METHODS) else settings.methods
    search.check(methods, source.facts["valid"])
    base = source.metrics(Reranking())
    rows: list[dict[str, Any]] = []
    for name in methods:
        tried, reranking = choose(search, source, name, base["ndcg_10"])
        rows += tried
        write_run(source, name, search.preset_of(source, reranking), reranking, settings.wandb, settings.output_dir)
    log.info("\n%s", table_text(source, base, rows))
    conclude(source, base, rows)


def choose(
    search: StrengthSearch, source: StoredLists, name: str, ndcg: float
) -> tuple[list[dict[str, Any]], Reranking | ByHistory]:
    """What every strength of a method gave on validation, and the settings that were chosen.

    ndcg: NDCG@10 of the lists as they are.
    """
    if search.by_history:
        return search.run_by_history(source, name)
    tried = search.run(source, name, ndcg)
    chosen = next(row for row in tried if row["chosen"])
    if chosen["ndcg_10"] < (1 - search.loss) * ndcg:
        log.info("%s costs more than %.0f%% of NDCG@10", name, 100 * search.loss)
    return tried, search.settings_of(name, chosen["strength"])


def table_text(source: StoredLists, base: dict[str, float], rows: Sequence[dict[str, Any]]) -> str:
    """What every strength gave on validation, the chosen ones marked."""
    shown = [key for key in SHOWN if key in base]
    header = ["", "method", "strength", *(key.removesuffix("_10") for key in shown)]
    cells = [["", source.model, "", *(f"{base[key]:.4f}" for key in shown)]]
    for row in rows:
        mark, strength = "*" if row["chosen"] else "", "" if row["method"] == PIPELINE else f"{row['strength']:g}"
        cells.append([mark, row["method"], strength, *(f"{row.get(key, float('nan')):.4f}" for key in shown)])
    lines = aligned([header, *cells], texts=2)
    return "\n".join(["validation, first 10 places; * is the strength that the run has", *lines])


def conclude(source: StoredLists, base: dict[str, float], rows: Sequence[dict[str, Any]]) -> None:
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
