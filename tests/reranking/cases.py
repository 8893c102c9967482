"""Item facts and candidates made up for the tests of re-ranking, and MMR and calibration in plain loops."""

import dataclasses

import numpy as np
from scipy import sparse

from common.features.content_vectors import mix_of, shares
from common.reranking.item_facts import ItemFacts
from common.reranking.objectives import ALPHA
from common.reranking.rerank import rerank_candidates
from common.splits.histories import Histories

ROCK, JAZZ, BOTH, NONE = [1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.0, 0.0]


def facts_of(rows, **changed) -> ItemFacts:
    """Facts of items whose genres, and vectors, are given as rows."""
    values = sparse.csr_array(np.array(rows, float))
    values.eliminate_zeros()
    unit = sparse.csr_array(values / np.maximum(sparse.linalg.norm(values, axis=1), 1)[:, None])
    n = len(rows)
    plain = ItemFacts(np.ones(n), n_users=7, places=np.arange(n), groups=np.arange(n), vectors={"genre": unit})
    return dataclasses.replace(plain, genres=values, **changed)


def one(facts, scores, settings, history=(), k=20, items=None):
    items = np.arange(len(scores)) if items is None else np.array(items)
    found, _ = rerank_candidates(items, np.array(scores), [list(history)], facts, settings, k)
    return found[found >= 0].tolist()


def random_case(users=8, candidates=15, n_items=60, genres=5, seed=0):
    """Facts, candidates, scores and histories; some items have no genre, one user no history, one few candidates."""
    rng = np.random.default_rng(seed)
    rows = (rng.random((n_items, genres)) < 0.35) * (rng.random(n_items) < 0.8)[:, None]
    facts = facts_of(
        rows,
        popularity=rng.integers(1, 50, n_items).astype(float),
        n_users=50,
        places=rng.permutation(n_items),
        artists=sparse.csr_array(np.eye(12)[rng.integers(0, 12, n_items)]),
    )
    items = np.array([rng.permutation(n_items)[:candidates] for _ in range(users)])
    histories = [list(rng.permutation(n_items)[: 3 + user]) for user in range(users)]
    items[0, 4:], histories[1] = -1, []
    scores = np.where(items >= 0, rng.random(items.shape), np.nan).astype(np.float32)
    return facts, items, scores, Histories.from_lists(histories, n_items)


def naive(items, scores, history, facts, settings, k):
    """MMR and calibration as the papers write them, one candidate after the other."""
    vectors, mixes = facts.vectors["genre"].toarray(), shares(facts.vectors["genre"]).toarray()
    p = mix_of(Histories.from_lists([list(history)], len(vectors)), shares(facts.vectors["genre"])).toarray()[0]
    order = sorted((place for place in range(len(items)) if items[place] >= 0), key=lambda j: -scores[j])
    candidates, above = [int(items[j]) for j in order], list[int]()
    values = np.array([float(scores[j]) for j in order])
    relevance = dict(zip(candidates, (values - values.min()) / max(np.ptp(values), 1e-12), strict=True))
    d, c = settings.diversity, settings.calibration

    def dissimilarity_of(item):
        near = [vectors[item] @ vectors[other] for other in above if vectors[other].any()]
        return -max(near) if near else 0.0

    def calibration_of(item):
        list_mix = np.mean([mixes[i] for i in [*above, item] if mixes[i].any()], axis=0)
        smooth = (1 - ALPHA) * list_mix + ALPHA * p
        in_history = p > 0
        return -float((p[in_history] * np.log(p[in_history] / smooth[in_history])).sum())

    while candidates and len(above) < k:
        parts = {}
        for item in candidates:
            parts[item] = (dissimilarity_of(item), calibration_of(item)) if vectors[item].any() else None
        known = [part for part in parts.values() if part is not None]
        average = tuple(np.mean(known, axis=0)) if known else (0.0, 0.0)
        value_of = {}
        for item in candidates:
            dissimilarity, calibration = parts[item] or average
            value_of[item] = (1 - d - c) * relevance[item] + d * dissimilarity + c * calibration
        best = max(candidates, key=lambda item: round(value_of[item], 10))
        above.append(best)
        candidates.remove(best)
    return above
