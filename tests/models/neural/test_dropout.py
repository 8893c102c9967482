"""Dropout: that of torch, and the one by bytes."""

import pytest
import torch
from torch.nn import functional

from common.models.neural.dropout import ByteDropout, Dropout


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3, 0.5, 0.95])
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", [(7,), (301, 13), (0, 4)])
def test_it_is_that_of_torch_value_for_value(share, kind, shape):
    values = torch.randn(shape).to(kind)
    found = []
    for dropout in (Dropout(share), lambda of: functional.dropout(of, share)):
        own = values.clone().requires_grad_()
        torch.manual_seed(3)
        dropped = dropout(own)
        dropped.sum().backward()
        found.append((dropped.detach(), own.grad, torch.rand(3)))
    for one, other in zip(*found, strict=True):
        assert torch.equal(one, other)
    assert torch.equal(Dropout(share).eval()(values), values)


def test_by_bytes_it_drops_its_share_evenly_and_keeps_the_mean():
    torch.manual_seed(0)
    dropout, values = ByteDropout(0.3), torch.ones(1000, 301, requires_grad=True)
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
