"""The precision of training, by device."""

import pytest
import torch

from common.training.precision import precision_of
from common.utils.errors import UserError


def test_the_precision_follows_the_card(monkeypatch):
    assert precision_of("cpu") == "float32"
    with pytest.raises(UserError, match="bfloat16 is for CUDA"):
        precision_of("cpu", "bfloat16")
    for able, expected in ((True, "bfloat16"), (False, "float16")):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation, able=able: able)
        assert precision_of("cuda:0") == expected
    assert precision_of("cuda:0", "float32") == "float32"
