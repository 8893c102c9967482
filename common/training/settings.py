"""Settings of the training loop: what every neural model's settings start with."""

from dataclasses import dataclass
from typing import Annotated, Literal

from common.utils.settings import ADDED, NOT_SEARCHED, SearchRange


@dataclass(frozen=True)
class TrainingSettings:
    """How a network is trained. An epoch is one pass over the training examples."""

    epochs: Annotated[int, SearchRange(10, 200, least=1, most=10_000, search=False)] = 100
    """Epochs at most; where validation is at hand, it stops earlier."""
    patience: Annotated[int, SearchRange(3, 30, least=1, most=10_000, search=False)] = 10
    """Validations in a row without a better one after which training stops."""
    validate_every: Annotated[int, SearchRange(1, 10, least=1, most=10_000, search=False)] = 1
    """Epochs between two validations."""
    batch: Annotated[int, SearchRange(32, 512, log=True, least=1, most=65_536, search=False)] = 128
    """Examples of a step, over all processes together."""
    optimiser: Annotated[Literal["adam", "adamw"], NOT_SEARCHED] = "adam"
    """adam: weight decay is added to the gradient (Kingma & Ba 2015); adamw: it is not (Loshchilov & Hutter 2019)."""
    learning_rate: Annotated[float, SearchRange(3e-4, 1e-2, log=True, least=1e-7, most=10.0)] = 1e-3
    """Step size after the warm-up."""
    weight_decay: Annotated[float, SearchRange(0.0, 0.1, least=0.0, most=10.0)] = 0.0
    """Decay of matrices; biases and norms have none."""
    clip: Annotated[float, SearchRange(0.5, 5.0, least=0.0, most=1e6, search=False)] = 1.0
    """Largest norm of the gradient; 0 leaves it as it is."""
    schedule: Annotated[Literal["constant", "plateau", "cosine"], NOT_SEARCHED] = "constant"
    """constant; plateau: halved after half of the patience without a better validation; cosine: to 0 at `epochs`."""
    warmup: Annotated[float, SearchRange(0.0, 5.0, least=0.0, most=1e4, search=False)] = 1.0
    """Epochs in which the step size grows from 0."""
    precision: Annotated[Literal["auto", "float32", "bfloat16", "float16"], NOT_SEARCHED] = "auto"
    """auto: float32 on the CPU, bfloat16 on CUDA, float16 with a loss scaler on cards that lack bfloat16."""
    average: Annotated[float, SearchRange(0.0, 0.999, least=0.0, most=0.99999, search=False), ADDED] = 0.0
    """Decay, per step, of a moving average of the weights, which is what is validated and kept; 0: the weights
    themselves are."""
