"""The core metrics of a run: what they are made of, what their file holds, and what is called odd."""

import pytest

from common.evaluation.core_metrics import core_metrics, oddities, summary
from common.evaluation.registry import CORE

SOUND = {
    "precision": 0.2,
    "recall": 0.2,
    "ndcg": 0.25,
    "hit_rate": 0.8,
    "map": 0.13,
    "coverage": 0.05,
    "diversity": 0.5,
    "novelty": 4.0,
    "serendipity": 0.15,
}
COUNTING = SOUND | {"ndcg": 0.08, "coverage": 0.002, "novelty": 2.4, "serendipity": 0.0, "precision": 0.07}
CHANCE = SOUND | {"ndcg": 0.0004, "coverage": 0.65, "novelty": 9.5, "diversity": 0.97, "precision": 0.0004}
OTHERS = {"popularity": COUNTING, "random": CHANCE, "ease": SOUND | {"ndcg": 0.24}}


def test_each_core_metric_is_its_own_figure_at_ten():
    keys = ("precision", "recall", "ndcg", "hr", "map", "coverage", "ils_tag", "novelty", "serendipity")
    record = {f"{key}_{k}": place / 10 + k / 1000 for place, key in enumerate(keys) for k in (5, 10, 20)}
    values = [place / 10 + 0.01 for place in range(9)]
    values[6] = 1 - values[6]
    assert list(core_metrics(record).values()) == pytest.approx(values)
    assert core_metrics(record, 5)["recall"] == pytest.approx(0.105)


def test_diversity_is_of_tags_else_genres_else_sound_else_unknown():
    similarity = {"ils_audio_10": 0.1, "ils_genre_10": 0.2, "ils_tag_10": 0.3}
    for key, value in sorted(similarity.items(), key=lambda item: -item[1]):
        assert core_metrics(similarity)["diversity"] == pytest.approx(1 - value)
        similarity = {k: v for k, v in similarity.items() if k != key}
    assert core_metrics(similarity) == dict.fromkeys(CORE)


def test_the_summary_of_a_run_holds_the_core_metrics_of_each_part():
    kept = ("model", "preset", "dataset", "protocol", "split_seed", "seed", "split_sha256", "config_sha256")
    about = dict.fromkeys(kept, "x") | {"ndcg_5": 9}
    content = summary({"valid": about | {"ndcg_10": 0.1}, "test": about | {"ndcg_10": 0.2, "seed": "newest"}})
    assert {key: content[key] for key in kept} == dict.fromkeys(kept, "x") | {"seed": "newest"}
    assert (content["valid"]["ndcg"], content["test"]["ndcg"], content["k"]) == (0.1, 0.2, 10)
    assert set(content["test"]) == set(CORE)


def test_nothing_is_odd_about_a_sound_model():
    assert oddities(SOUND, OTHERS) == []
    assert oddities(SOUND, {}) == [], "alone, with nothing to be read against"
    assert oddities(dict.fromkeys(CORE), OTHERS) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ndcg", 0.49),
        ("ndcg", 0.07),
        ("hit_rate", 1.0),
        ("coverage", 0.004),
        ("serendipity", 0.0),
        ("novelty", 9.5),
        ("diversity", 0.98),
    ],
)
def test_what_is_odd_is_said_of_the_metric_alone(name, value):
    [sentence] = oddities(SOUND | {name: value}, OTHERS)
    assert sentence.startswith(f"{name}: ")
