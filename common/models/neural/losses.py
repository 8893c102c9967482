"""Losses over a catalogue, none of which keeps logits of all tokens x all items in memory.

Shapes: hidden (tokens, width), vectors of items (n_items, width), targets int64 (tokens,). Each loss is a sum over the
tokens, float32; the score of item i for a token h is h . v_i.
"""

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

CHUNK_BYTES = {"cpu": 2**24, "cuda": 2**29}
"""Memory that the logits of one chunk of tokens may take: what the cache of a CPU holds, more on a card."""


def full_softmax(hidden: Tensor, vectors: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy over the whole catalogue: the sum of log(sum over i of exp(h . v_i)) - h . v_target.

    Equal to `cross_entropy(hidden @ vectors.T, targets, reduction="sum")`, in chunks of tokens whose logits stay in
    the cache and are gone before the next chunk.
    """
    return _FullSoftmax.apply(hidden, vectors, targets)


class _FullSoftmax(torch.autograd.Function):
    """Works out the gradients beside the loss, so that no logits are kept for them."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, vectors: Tensor, targets: Tensor) -> Tensor:
        """The loss; the gradient of the logits is softmax - one-hot."""
        kind = hidden.device.type
        halved = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else torch.float32
        with torch.autocast(kind, enabled=False):
            tokens, items = hidden.detach().to(halved), vectors.detach().to(halved)
            # Slopes are as small as 1 / items: too small for float16, which the loss scaler cannot help in here.
            sloped = torch.float32 if halved == torch.float16 else halved
            rows = max(16, CHUNK_BYTES[kind] // (4 * len(items)))
            loss = torch.zeros((), device=hidden.device)
            of_tokens, of_items = torch.empty_like(tokens, dtype=sloped), torch.zeros_like(vectors)
            space = tokens.new_empty((min(rows, len(tokens)), len(items)))
            for start in range(0, len(tokens), rows):
                chunk, target = tokens[start : start + rows], targets[start : start + rows, None]
                logits = torch.mm(chunk, items.T, out=space[: len(chunk)]).float()
                own = logits.gather(1, target)
                largest = logits.amax(1, keepdim=True)
                total = logits.sub_(largest).exp_().sum(1, keepdim=True)
                loss += (total.log() + largest - own).sum()
                logits.div_(total).scatter_add_(1, target, -torch.ones_like(own))
                slopes = logits.to(sloped)
                torch.mm(slopes, items.to(sloped), out=of_tokens[start : start + rows])
                if sloped == of_items.dtype:
                    of_items.addmm_(slopes.T, chunk.to(sloped))
                else:
                    of_items += slopes.T @ chunk
        ctx.save_for_backward(of_tokens.to(hidden.dtype), of_items)
        return loss

    @staticmethod
    def backward(ctx: Any, *above: Tensor) -> tuple[Tensor | None, ...]:
        """What `forward` has worked out, times what comes from above."""
        of_tokens, of_items = ctx.saved_tensors
        return of_tokens * above[0].to(of_tokens.dtype), of_items * above[0], None


def sampled_softmax(
    hidden: Tensor, own: Tensor, others: Tensor, targets: Tensor, negatives: Tensor, log_expected: Tensor
) -> Tensor:
    """Cross-entropy against sampled items, corrected for how likely each was to be drawn (Bengio & Senecal 2008).

    own: vectors of the targets (tokens, width); others: vectors of `negatives`, int64 (k,), drawn with replacement and
    shared by all tokens; log_expected: log(k q_i) of each, its expected number of draws. The score of a negative is
    lowered by it, which makes the sum over negatives an unbiased estimate of that over the catalogue; the target, which
    is always there, keeps its score. A negative that is the token's own target is left out.
    """
    if hidden.dtype == own.dtype == others.dtype == torch.float32 and not torch.is_autocast_enabled(hidden.device.type):
        return _SampledSoftmax.apply(hidden, own, others, targets, negatives, log_expected)
    positive = (hidden * own).sum(1, keepdim=True).float()
    scores = (hidden @ others.T).float() - log_expected
    scores = scores.masked_fill(negatives[None] == targets[:, None], -torch.inf)
    logits = torch.cat([positive, scores], 1)
    return functional.cross_entropy(logits, torch.zeros_like(targets), reduction="sum")


class _SampledSoftmax(torch.autograd.Function):
    """The same in float32, in a third of the passes over the logits (tokens, 1 + k), one copy of which is kept."""

    @staticmethod
    def forward(ctx: Any, *given: Tensor) -> Tensor:
        """The loss; the first column of the logits is that of the targets."""
        hidden, own, others, targets, negatives, log_expected = given
        logits = hidden.new_empty((len(hidden), 1 + len(others)))
        torch.sum(hidden * own, 1, out=logits[:, 0])
        torch.mm(hidden, others.T, out=logits[:, 1:]).sub_(log_expected)
        rows, columns = accidental_hits(targets, negatives)
        logits[rows, 1 + columns] = -torch.inf
        shares = functional.log_softmax(logits, 1)
        ctx.save_for_backward(hidden, own, others, shares)
        return functional.nll_loss(shares, torch.zeros_like(targets), reduction="sum")

    @staticmethod
    def backward(ctx: Any, *above: Tensor) -> tuple[Tensor | None, ...]:
        """Slopes of the logits are softmax - one-hot; -inf has none."""
        hidden, own, others, shares = ctx.saved_tensors
        slopes = torch.zeros_like(shares)
        slopes[:, 0] = -above[0]
        torch._log_softmax_backward_data(slopes, shares, 1, shares.dtype, out=slopes)
        positive, negative = slopes[:, :1], slopes[:, 1:]
        return positive * own + negative @ others, positive * hidden, (hidden.T @ negative).T, None, None, None


def accidental_hits(targets: Tensor, negatives: Tensor) -> tuple[Tensor, Tensor]:
    """Where `negatives[None] == targets[:, None]`, as rows and columns, without comparing each with each."""
    ordered, places = negatives.sort()
    first = torch.searchsorted(ordered, targets)
    counts = torch.searchsorted(ordered, targets, right=True) - first
    rows = torch.arange(len(targets), device=targets.device).repeat_interleave(counts)
    within = torch.arange(len(rows), device=targets.device) - (counts.cumsum(0) - counts)[rows]
    return rows, places[first[rows] + within]


def generalised_bce(
    hidden: Tensor, own: Tensor, others: Tensor, targets: Tensor, negatives: Tensor, n_items: int, calibration: float
) -> Tensor:
    """gBCE (Petrov & Macdonald 2023): -b log s(positive) - sum over negatives of log(1 - s(negative)), s the sigmoid.

    b = a (t (1 - 1/a) + 1/a) with a = k / (n_items - 1), the sampling rate, and t the calibration, 0 (plain BCE) to 1.
    The paper draws k uniform negatives per token; here one draw of k is shared by a batch. Shapes as above.
    """
    rate = len(negatives) / (n_items - 1)
    power = rate * (calibration * (1 - 1 / rate) + 1 / rate)
    positive = functional.logsigmoid((hidden * own).sum(1).float()) * power
    scores = (hidden @ others.T).float().masked_fill(negatives[None] == targets[:, None], -torch.inf)
    return -(positive.sum() + functional.logsigmoid(-scores).sum())


def log_draws(negatives: Tensor, chances: Tensor) -> Tensor:
    """log(k q_i) of drawn items, float32 (k,); `chances` are the q of all items."""
    return chances[negatives].log() + math.log(len(negatives))


def mixed_softmax(
    users: Tensor,
    pool: Tensor,
    rows: Tensor,
    places: Tensor,
    known_rows: Tensor,
    known_places: Tensor,
    log_share: Tensor,
) -> Tensor:
    """Cross-entropy of each target against a pool of a batch's own targets and uniform draws.

    In-batch negatives with log-q correction (Yi et al. 2019), mixed with uniform ones (Yang et al. 2020). users
    (b, width), divided by the temperature; pool: vectors (p, width) of the distinct items of the pool; rows, places:
    int64 (targets,), whose target it is and where it stands in the pool; known_rows, known_places: everything in the
    pool that a user is known to have, targets included, which is no negative of theirs (accidental hits); log_share:
    float32 (p,), log of how often an item stands in the pool over how often it was to be expected there. Its negative
    counts by that, which makes their sum an unbiased estimate of that over the catalogue; a target counts as it is.
    """
    scores = (users @ pool.T).float()
    positive = scores[rows, places]
    others = (scores + log_share).index_put((known_rows, known_places), scores.new_tensor(-torch.inf))
    total = torch.logaddexp(positive, others.logsumexp(1)[rows])
    return (total - positive).sum()
