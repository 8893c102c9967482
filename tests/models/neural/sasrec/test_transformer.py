"""Self-attention over packed windows."""

from typing import Any

import numpy as np
import pytest
import torch

from common.models.neural.sasrec.batches import pack
from common.models.neural.sasrec.transformer import Dropout, Encoder
from tests.models.neural.sasrec.test_model import histories


def test_no_event_sees_a_later_one_and_padding_changes_nothing():
    torch.manual_seed(0)
    encoder = Encoder(width=8, layers=2, heads=2, inner=8, length=6, dropout=0.0, norm="pre").eval()
    vectors = torch.randn(7, 8)
    given = histories([1, 2, 3, 4, 5], [6, 7])
    packed = pack(given, np.array([0, 5]), np.array([5, 7]), 6)
    positions, cells = torch.from_numpy(packed["positions"]), torch.from_numpy(packed["cells"])
    together = encoder(vectors, positions, cells, 2, 5)
    changed = vectors.clone()
    changed[3, 0] += 1
    moved = encoder(changed, positions, cells, 2, 5)
    torch.testing.assert_close(moved[:3], together[:3])
    torch.testing.assert_close(moved[5:], together[5:])
    assert (moved[3:5] - together[3:5]).abs().amax(1).min() > 1e-3
    alone = encoder(vectors[5:], positions[5:], torch.arange(2), 1, 2)
    torch.testing.assert_close(alone, together[5:])


def test_attention_weights_are_those_of_the_forward_pass():
    torch.manual_seed(0)
    encoder = Encoder(width=8, layers=1, heads=2, inner=8, length=6, dropout=0.0, norm="pre").eval()
    block: Any = encoder.blocks[0]
    vectors, positions, cells = torch.randn(5, 8), torch.arange(1, 6), torch.arange(5)
    events = encoder.start(vectors, positions)
    [weights] = encoder.attention(vectors, positions)
    _, _, values = block._heads(block.attention_norm(events), cells, 1, 5)
    mixed = (weights @ values[0]).transpose(0, 1).reshape(5, 8)
    torch.testing.assert_close(block.join(mixed), block._attend(block.attention_norm(events), cells, 1, 5))


def test_dropout_drops_its_share_evenly_and_keeps_the_mean():
    torch.manual_seed(0)
    dropout, values = Dropout(0.3), torch.ones(1000, 301, requires_grad=True)
    dropped = dropout(values)
    share = (dropped == 0).float()
    assert share.mean().item() == pytest.approx(77 / 256, abs=0.002)
    assert dropped.mean().item() == pytest.approx(1, abs=0.004)
    for axis in (0, 1):  # no row, column or place in a word is favoured
        assert share.mean(axis).std().item() == pytest.approx((0.3 * 0.7 / share.shape[axis]) ** 0.5, rel=0.2)
    places = share.flatten()[:300_000].view(-1, 8).mean(0)
    assert (places - 77 / 256).abs().max() < 0.01
    assert not torch.equal(dropped, dropout(values))
    dropped.sum().backward()
    torch.testing.assert_close(values.grad, dropped.detach())
    assert dropout.eval()(values) is values
