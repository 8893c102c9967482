"""The models, one file per family; `MODELS` names them all."""

from common.models.contract import Recommender
from common.models.item_knn import ItemKNN
from common.models.popularity import Popularity, Random

MODELS: dict[str, type[Recommender]] = {model.name: model for model in (Random, Popularity, ItemKNN)}
STAGES = {"random": 1, "popularity": 1, "item_knn": 1}
