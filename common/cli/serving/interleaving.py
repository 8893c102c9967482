"""Which model is preferred by who uses the service: wins in interleaved lists, with an exact test.

python -m common interleaving --dataset lastfm-2k
"""

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from common.data.sources.registry import resolve_name
from common.data.synthetic.settings import SyntheticSettings
from common.experiments.flags import command, parse_flags
from common.serving.interleaving.comparison import SESSION, UNITS, Comparison, compare
from common.serving.store.database import Place
from common.serving.store.impressions import Shown
from common.serving.store.store import Store, place_of
from common.splits.store import parse_folder_name
from common.utils.errors import UserError, check_known
from common.utils.io import ROOT, display, write_json
from common.utils.terminal import paragraph, titled

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings:
    """Report wins, losses and ties of interleaved models, with a two-sided sign test (Holm-corrected where several)."""

    dataset: str = "auto"
    """lastfm-2k, synthetic, the path of a folder of your own, or auto."""
    protocol: str = "listen"
    """Folder of the protocol that the models were trained on, such as listen, next or listen-s2."""
    experiment: str = ""
    """Models that were interleaved, joined by commas; without it every experiment that was served."""
    unit: str = SESSION
    """What is won or lost: session, all lists of one session or listener together, or list, each for itself."""
    json: Path | None = None
    """File that receives all of it, unrounded."""
    data_dir: Path = ROOT / "data"
    """Folder of prepared data."""
    output_dir: Path = ROOT / "outputs"
    """Folder of trained models and of the store that the service writes."""
    store: str = ""
    """postgresql+psycopg://user@host/database instead of a file in --output-dir, as the service was given it."""
    synthetic: SyntheticSettings = field(default_factory=SyntheticSettings)
    """Size and seed of the generated data set."""

    def check(self) -> None:
        """Raise a UserError for the first flag that makes no sense."""
        check_known("value of --unit", UNITS, self.unit)
        parse_folder_name(self.protocol)
        place_of(self.store, self.output_dir, "")


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Read the store, compare, print, and write --json."""
    settings = parse_flags(Settings, argv)
    settings.check()
    name = resolve_name(settings.dataset, settings.data_dir, settings.synthetic)
    experiments = read(place_of(settings.store, settings.output_dir, name), settings.protocol, settings.experiment)
    found = {models: compare(models, lists, settings.unit) for models, lists in experiments.items()}
    for models, lists in experiments.items():
        log.info("%s", text(f"{name} / {settings.protocol}", lists, found[models], settings.unit))
    if not experiments:
        hint = f"python -m common serve --dataset {settings.dataset} --experiment als,popularity"
        log.info("%s / %s: no interleaved list was served; `%s` does", name, settings.protocol, hint)
    if settings.json:
        write_json(settings.json, [asdict(pair) | {"share": pair.share} for pairs in found.values() for pair in pairs])
        log.info("%s written", display(settings.json))


def read(place: Place, protocol: str, experiment: str = "") -> dict[tuple[str, ...], list[Shown]]:
    """The lists of each experiment in a store, or of the one that is named; a UserError where that was not served."""
    if not place.identity():
        return {}
    with Store(place) as store:
        served = store.impressions.experiments(protocol)
        if experiment:
            named = tuple(sorted({name.strip() for name in experiment.split(",")}))
            if named not in served:
                others = "; ".join(",".join(models) for models in served) or "none"
                raise UserError(f"--experiment {experiment}: no list of it was served; served were: {others}")
            served = {named: served[named]}
        return {models: store.impressions.shown(protocol, models) for models in served}


def text(where: str, lists: Sequence[Shown], pairs: Sequence[Comparison], unit: str) -> str:
    """One experiment: how much was shown, a row for every pair, and what follows."""
    voted, sessions = sum(bool(shown.clicked) for shown in lists), len({shown.session for shown in lists})
    models = sorted({name for pair in pairs for name in (pair.ranker, pair.other)})
    title = f"{where}: {', '.join(models)} interleaved by team draft"
    counts = f"{len(lists):,} lists, {voted:,} with a click or like, in {sessions:,} sessions; won or lost: each {unit}"
    cells = [["model", "against", "wins", "losses", "ties", "no vote", "win share (95%)", "p"]]
    cells += [_cells(pair) for pair in pairs]
    note = "p: exact sign test, two-sided" + (", Holm-corrected for the pairs" if len(pairs) > 1 else "")
    return "\n".join([title, *titled(counts, cells, texts=2), note, *paragraph(verdict(pairs)), ""])


def _cells(pair: Comparison) -> list[str]:
    share = "-" if pair.share is None else f"{pair.share:.2f} ({pair.low:.2f}-{pair.high:.2f})"
    counts = [f"{count:,}" for count in (pair.wins, pair.losses, pair.ties, pair.silent)]
    return [pair.ranker, pair.other, *counts, share, "-" if pair.share is None else f"{pair.p_holm:.4f}"]


def verdict(pairs: Sequence[Comparison]) -> str:
    """What the test allows to say, in a sentence."""
    found = [
        f"{p.preferred} is preferred to {p.ranker if p.preferred == p.other else p.other}" for p in pairs if p.preferred
    ]
    if found:
        return "; ".join(found) + "."
    if all(pair.share is None for pair in pairs):
        return "Nothing was won or lost, so nothing can be said: lists need clicks or likes that differ between models."
    return "No pair differs beyond chance (p < 0.05); that does not mean that they are alike."
