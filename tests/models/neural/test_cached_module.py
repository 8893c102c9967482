"""What was made with weights is forgotten when these change."""

from torch import nn

from common.models.neural.cached_module import CachedModule


class Toy(CachedModule):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(1, 1)


def test_training_and_other_weights_forget():
    toy = Toy().eval()
    toy.made["items"] = 1
    toy.eval()
    assert toy.made == {"items": 1}, "evaluation changes no weights"
    toy.train()
    assert toy.made == {}
    toy.eval().made["items"] = 1
    toy.load_state_dict(Toy().state_dict())
    assert toy.made == {}
