"""ListNet (Cao et al. 2007) with a price on intra-list similarity.

A list is one user's own candidates. Its scores s make a distribution, P(i) = exp(s_i / T) / sum over the same list
of exp(s_j / T): candidates of different users do not compete. Lists of a batch stand one after the other in flat
arrays; `lists` int64 (n,), rising, says which list each candidate belongs to.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

LEAST = 1e-6
"""Least chance of drawing two different items that have features, below which a list says nothing of similarity."""


def full(values: Tensor) -> Tensor:
    """Values in float32 at least, whatever precision the network runs in."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def log_softmax_of_lists(scores: Tensor, lists: Tensor, n_lists: int) -> Tensor:
    """log P of each candidate within its list, float32 (n,)."""
    scores = full(scores)
    top = scores.detach().new_full((n_lists,), -torch.inf).scatter_reduce(0, lists, scores.detach(), "amax")
    above = scores - top[lists]
    total = above.new_zeros(n_lists).index_add(0, lists, above.exp())
    return above - total.log()[lists]


def target_distribution(relevance: Tensor, lists: Tensor, n_lists: int, temperature: float) -> Tensor:
    """The target distribution of ListNet: exp(y_i / temperature) over the sum of the list's, float32 (n,).

    With labels 0 and 1 and a temperature of 0 (its limit) all positive candidates have the same share and the others
    nothing.
    """
    if temperature > 0:
        return log_softmax_of_lists(relevance / temperature, lists, n_lists).exp()
    best = relevance.new_full((n_lists,), -torch.inf).scatter_reduce(0, lists, relevance, "amax")
    target = (relevance == best[lists]).to(relevance.dtype)
    return target / target.new_zeros(n_lists).index_add(0, lists, target)[lists]


def expected_similarity(chances: Tensor, vectors: Tensor, lists: Tensor, n_lists: int) -> Tensor:
    """Expected cosine of two different items drawn from each list's distribution, float32 (n_lists,).

        sum over i != j of P_i P_j v_i . v_j / sum over i != j of P_i P_j, both over items that have a vector

    vectors: unit rows (n, width), zeros for an item without features. Both sums come from sums over i alone, since
    sum over i, j of P_i P_j v_i . v_j = |sum over i of P_i v_i|^2. 0 for a list without two such items. That is the
    `ils` of the scorer, in expectation: items without features are no way out.
    """
    vectors = vectors.to(chances.dtype)
    has = (vectors.abs().sum(1) > 0).to(chances.dtype)
    lengths = (vectors**2).sum(1)

    def of_lists(values: Tensor) -> Tensor:
        return values.new_zeros(n_lists, *values.shape[1:]).index_add(0, lists, values)

    together = (of_lists(chances[:, None] * vectors) ** 2).sum(1) - of_lists(chances**2 * lengths)
    pairs = of_lists(chances * has) ** 2 - of_lists(chances**2 * has)
    known = pairs > LEAST
    return torch.where(known, together / torch.where(known, pairs, 1.0), 0.0)


@dataclass(frozen=True)
class EnhancedListNetLoss:
    """Sum over lists of cross-entropy(target, P) + ils_weight * expected intra-list similarity of P.

    temperature: T of the predicted distribution; target_temperature: that of the target, see `target_distribution`.
    The similarity is the mean over `spaces` (genre, tag or artist, audio) of the expected cosine under a distribution
    of temperature `ils_temperature` * T: as sharp as P the price would fall on the first few items alone.
    """

    temperature: float = 1.0
    target_temperature: float = 0.0
    ils_weight: float = 0.0
    ils_temperature: float = 1.0

    def __call__(
        self, scores: Tensor, relevance: Tensor, lists: Tensor, n_lists: int, spaces: Sequence[Tensor] = ()
    ) -> Tensor:
        """The loss, a float32 scalar. scores, relevance: (n,); spaces: vectors (n, width) of the candidates."""
        predicted = log_softmax_of_lists(scores / self.temperature, lists, n_lists)
        target = target_distribution(full(relevance), lists, n_lists, self.target_temperature)
        loss = -(target * predicted).sum()
        if self.ils_weight and len(spaces):
            flatter = self.temperature * self.ils_temperature
            chances = log_softmax_of_lists(scores / flatter, lists, n_lists).exp()
            similarity = [expected_similarity(chances, vectors, lists, n_lists) for vectors in spaces]
            loss = loss + self.ils_weight * torch.stack(similarity).mean(0).sum()
        return loss


def squared_errors(predicted: Tensor, true: Tensor, lists: Tensor, n_lists: int) -> Tensor:
    """Sum over lists of the mean squared error of what is known (not NaN), float32 scalar; 0 for a list of unknowns."""
    known = ~torch.isnan(true)
    number = true.new_zeros(n_lists).index_add(0, lists, known.float())
    errors = functional.mse_loss(full(predicted), torch.where(known, true, full(predicted).detach()), reduction="none")
    return (errors / number.clamp(min=1)[lists]).sum()
