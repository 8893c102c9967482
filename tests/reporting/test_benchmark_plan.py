"""Which runs the published table consists of."""

import sys
from typing import Any

import pytest

from common.models.registry import MODELS
from common.reporting.benchmark_plan import PROTOCOLS, RERANK, SEEDED, STAGES, TEXTBOOK, Job, jobs, reranking, seeds_of
from common.splits.protocols import PROTOCOLS as ALL_PROTOCOLS
from common.utils.settings import NoSettings
from tests.conftest import ROOT
from tests.stages import stage


def test_the_plan_knows_every_model_and_stage():
    assert [name for names in STAGES.values() for name in names] == list(MODELS), "each once, in the stages' order"
    assert [path.stem for path in sorted(ROOT.glob("[1-9]_*.py"))] == list(STAGES)
    assert set(PROTOCOLS) == set(ALL_PROTOCOLS) - {"temporal", "random-8020", "random-811", "listen-stratified"}
    planned = list(jobs("listen", has_times=False))
    rows = [(model, job.preset, job.seed) for job in planned for model in job.models]
    assert len(rows) == len(set(rows))
    assert [seed for model, preset, seed in rows if (model, preset) == ("als", "tuned")] == [0, 1, 2, 3, 4]
    assert [seed for model, preset, seed in rows if (model, preset) == ("sasrec", "tuned")] == [0, 1, 2]
    assert [seed for model, preset, seed in rows if model == "hybrid_listnet" and preset == "classic"] == [0]
    assert "trending" not in {model for model, _, _ in rows}
    assert "trending" in {model for job in jobs("next", has_times=True) for model in job.models}
    assert all(MODELS[name].Settings is not NoSettings for name in TEXTBOOK)
    assert seeds_of("popularity", "tuned", "listen") == 1


class StoppedError(Exception):
    """Raised where a script would begin."""


@pytest.mark.parametrize("name", STAGES)
def test_a_script_trains_the_models_that_the_plan_says(name, small_flags, monkeypatch):
    main = stage(f"{name}.py")

    def stop(args: Any, of_stage: str, models: Any) -> None:
        raise StoppedError(of_stage, tuple(model.name for model in models))

    monkeypatch.setattr(sys.modules[main.__module__], "Experiment", stop)
    with pytest.raises(StoppedError) as stopped:
        main(small_flags)
    assert stopped.value.args == (name, STAGES[name])


def test_a_job_is_the_command_that_runs_it():
    job = Job("2_als", "next", "classic", 3, ("als", "ease"))
    assert job.words == [
        *["2_als.py", "--protocol", "next", "--preset", "classic", "--seed", "3", "--models", "als", "ease", "--resume"]
    ]
    assert "--models" not in Job("4_sasrec", "next", "tuned", 0, ("sasrec",)).words, "a script of one model"
    forests = [Job("3_random_forest_rank", "next", "tuned", seed, ("forest",)) for seed in (0, 1)]
    assert ["--no-importance" in job.words for job in forests] == [False, True]


def test_reranked_rows_are_made_of_one_models_lists_on_the_protocol_that_has_them():
    [job] = reranking("listen", ("mmr", "novelty"))
    model = job.models[0].split("+")[0]
    assert job.models == (f"{model}+mmr", f"{model}+novelty")
    assert job.words[2:5] == [RERANK, "--run", f"{model}/tuned/seed0"]
    assert not list(reranking("next", ("mmr",)))
    assert not list(reranking("listen", ("mmr",), only=("popularity",)))


def test_named_models_are_run_alone_and_what_is_looked_at_first_comes_first():
    planned = list(jobs("listen", has_times=True, only=("als",)))
    assert {model for job in planned for model in job.models} == {"als"}
    assert [job.turn for job in planned] == sorted(job.turn for job in planned)
    assert set(SEEDED) <= set(MODELS)
