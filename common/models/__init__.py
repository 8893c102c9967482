"""The models, one file per family; `MODELS` names them all."""

from common.models.als import ALS
from common.models.content_knn import ContentKNN, TagKNN
from common.models.contract import Recommender
from common.models.ease import EASE
from common.models.ensemble import Ensemble
from common.models.forest import Forest, HistGradient
from common.models.hybrid_knn import HybridKNN
from common.models.item_knn import ItemKNN
from common.models.popularity import Popularity, Random, Trending
from common.models.user_knn import UserKNN

MODELS: dict[str, type[Recommender]] = {
    model.name: model
    for model in (
        *(Random, Popularity, Trending, ContentKNN, TagKNN, UserKNN, ItemKNN, HybridKNN),
        *(ALS, EASE, Ensemble, Forest, HistGradient),
    )
}
