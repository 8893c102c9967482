"""Self-attention over packed windows."""

from typing import Any

import numpy as np
import pytest
import torch

from common.models.neural.sasrec.batches import pack
from common.models.neural.sasrec.transformer import Encoder
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
    torch.testing.assert_close(block.join(mixed), block._attend(block.attention_norm(events), cells, 1, 5, None))


@pytest.mark.parametrize("norm", ["pre", "post"])
@pytest.mark.parametrize("layers", [1, 3])
def test_asked_for_the_last_events_it_gives_what_it_gives_them_among_all(norm, layers):
    torch.manual_seed(0)
    encoder = Encoder(width=8, layers=layers, heads=2, inner=8, length=6, dropout=0.0, norm=norm).eval()
    packed = pack(histories([1, 2, 3, 4, 5], [6, 7], [8]), np.array([0, 5, 7]), np.array([5, 7, 8]), 6)
    vectors, positions, cells = torch.randn(8, 8), *(torch.from_numpy(packed[key]) for key in ("positions", "cells"))
    last = torch.tensor([4, 6, 7])
    alone = encoder(vectors, positions, cells, 3, 5, last)
    torch.testing.assert_close(alone, encoder(vectors, positions, cells, 3, 5)[last])
