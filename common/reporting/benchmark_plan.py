"""Which runs the published table is made of: stages, protocols, presets and model seeds."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from common.models.registry import STAGES

PROTOCOLS = ("listen", "next", "next-shuffled", "newcomer")
FORESTS = "3_random_forest_rank"
"""The stage that measures its features, which is done for the first seed only."""
TIMED = ("trending",)
"""Models that need times."""
HEADLINE = {"listen": ("als", "hybrid_listnet"), "next": ("als", "hybrid_listnet")}
"""Rows that claims rest on: the reference and the best model, on the protocols that README opens with."""
SEEDED = (
    "random",
    "als",
    "ials",
    "ensemble",
    "forest",
    "hist_gradient",
    "sasrec",
    "two_tower",
    "lightgcn",
    "rank_fusion",
    "hybrid_listnet",
)
"""Models that depend on their seed."""
SEEDS = {"headline": 5, "seeded": 3, "fixed": 1}
TEXTBOOK = ("als", "ease", "ensemble", "sasrec", "two_tower", "hybrid_listnet")
"""Models whose textbook settings (preset `classic`) have a row of their own, one seed."""
NAMED = {("hybrid_listnet", "listen"): ("diverse",)}
"""Further presets of a model on a protocol, one seed."""
RERANKED = {"listen": "hybrid_listnet"}
"""The model, tuned, first seed, whose lists `python -m common rerank` puts into rows of their own, by every method."""
RERANK = "rerank"

ORDER = (("tuned", 0), ("classic", 0), ("diverse", 0), *(("tuned", seed) for seed in range(1, 5)))
"""Presets and seeds in the order in which they are run: what a reader looks at first comes first."""


@dataclass(frozen=True)
class Job:
    """One command: some models of one stage with one preset and seed on one protocol."""

    stage: str
    protocol: str
    preset: str
    seed: int
    models: tuple[str, ...]

    @property
    def words(self) -> list[str]:
        """The command line behind the interpreter, without the flags of the data."""
        if self.stage == RERANK:
            run = self.models[0].split("+")[0]
            run = f"{run}/{self.preset}/seed{self.seed}"
            return ["-m", "common", RERANK, "--run", run, "--protocol", self.protocol]
        flags = ["--protocol", self.protocol, "--preset", self.preset, "--seed", str(self.seed)]
        flags += ["--models", *self.models] if len(STAGES[self.stage]) > 1 else []
        flags += ["--no-importance"] if self.stage == FORESTS and self.seed else []
        return [f"{self.stage}.py", *flags, "--resume"]

    @property
    def turn(self) -> int:
        """Its place in ORDER: of all protocols' runs, those with the lower one come first."""
        return ORDER.index((self.preset, self.seed))

    def __str__(self) -> str:
        """How the log names it."""
        if self.stage == RERANK:
            return f"{self.protocol} {self.models[0].split('+')[0]} re-ranked {self.preset} seed {self.seed}"
        return f"{self.protocol} {'+'.join(self.models)} {self.preset} seed {self.seed}"


def seeds_of(model: str, preset: str, protocol: str) -> int:
    """Number of model seeds of a row.

    >>> seeds_of("als", "tuned", "listen"), seeds_of("als", "tuned", "newcomer"), seeds_of("als", "classic", "listen")
    (5, 3, 1)
    >>> seeds_of("forest", "tuned", "listen"), seeds_of("ease", "tuned", "listen")
    (3, 1)
    """
    if preset != "tuned" or model not in SEEDED:
        return SEEDS["fixed"]
    return SEEDS["headline" if model in HEADLINE.get(protocol, ()) else "seeded"]


def presets_of(model: str, protocol: str) -> tuple[str, ...]:
    """Presets of a model's rows on a protocol."""
    return ("tuned", *(("classic",) if model in TEXTBOOK else ()), *NAMED.get((model, protocol), ()))


def jobs(protocol: str, has_times: bool, only: Collection[str] = ()) -> Iterator[Job]:
    """The commands of a protocol, the first seed of every tuned row first. `only` names models; all without it."""
    for preset, seed in ORDER:
        for stage, names in STAGES.items():
            models = tuple(
                name
                for name in names
                if (has_times or name not in TIMED)
                and (not only or name in only)
                and preset in presets_of(name, protocol)
                and seed < seeds_of(name, preset, protocol)
            )
            if models:
                yield Job(stage, protocol, preset, seed, models)


def reranking(protocol: str, methods: Collection[str], only: Collection[str] = ()) -> Iterator[Job]:
    """The command that makes the re-ranked rows of a protocol, if it has any: `<model>+<method>`."""
    model = RERANKED.get(protocol)
    if model and (not only or model in only):
        yield Job(RERANK, protocol, "tuned", 0, tuple(f"{model}+{method}" for method in methods))
