"""The device that `--device` means, with and without a GPU."""

import subprocess
import sys

import pytest
import torch

from common.utils.device import Device, choose_device, choose_torch_device
from common.utils.errors import UserError
from tests.conftest import ROOT


def test_models_without_torch_run_on_what_they_support():
    assert choose_device("auto").name == "cpu"
    assert choose_device("auto", ("cuda", "cpu")).name == "cuda"
    assert choose_device("cpu", ("cuda", "cpu")) == Device("cpu", "by --device")
    with pytest.raises(UserError, match="--device cuda: the models of this stage run on cpu; use --device auto"):
        choose_device("cuda")


def test_without_a_gpu_networks_train_on_the_cpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_torch_device("cpu") == Device("cpu", "by --device")
    assert choose_torch_device("auto").name == "cpu"
    assert torch.__version__ in choose_torch_device("auto").reason
    with pytest.raises(UserError, match=r"--device cuda: torch .*; use --device cpu or auto"):
        choose_torch_device("cuda")


def test_each_process_has_a_gpu_of_its_own(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda gpu: f"card {gpu}")
    assert choose_torch_device("auto") == Device("cuda:0", "card 0")
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert choose_torch_device("cuda").name == "cuda:1"
    assert choose_torch_device("cuda").name.startswith("cuda:")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "3")
    with pytest.raises(UserError, match="3 processes for 2 CUDA devices"):
        choose_torch_device("cuda")


def test_the_cpu_is_chosen_without_torch():
    code = "import sys; from common.utils.device import *; choose_device('auto'); choose_torch_device('cpu'); "
    subprocess.run([sys.executable, "-c", code + "assert 'torch' not in sys.modules"], cwd=ROOT, check=True)
