"""Features of new items are those of the catalogue, but for popularity; users' vectors are those of the model."""

import numpy as np

from common.features.new_item import NewItem, as_new
from common.models.neural.two_tower.features import ItemFeatures
from common.splits.histories import Query
from tests.models.neural.two_tower.test_model import make


def test_new_items_have_the_features_of_the_catalogue(train):
    features = ItemFeatures(train, tags=4, names=4)
    assert [part.kind for part in features.parts] == ["popularity", "tags", "genres", "audio", "name"]
    codes = [0, 7, 30]
    made, expected = features.of_new(as_new(train, codes)), features.matrix[codes]
    known = -len(features.parts)  # the columns that say which parts are known; popularity is one of them
    np.testing.assert_allclose(made[:, 1:known], expected[:, 1:known], atol=1e-5)
    np.testing.assert_allclose(made[:, known + 1 :], expected[:, known + 1 :])
    assert (made[:, 0] < expected[:, 0]).all(), "nobody has heard it"
    assert np.isfinite(features.of_new([NewItem(name="\u2603")])).all()


def test_vectors_of_known_and_new_users(train):
    model = make(epochs=1).fit(train)
    query = Query(np.array([3, -1]), train.histories.take([3, 3]))
    found = model.query_vectors(query)
    np.testing.assert_allclose(found[0], model.user_vectors(np.array([3]))[0], rtol=1e-5)
    np.testing.assert_allclose(found[1], model.vectors(query.given)[1], rtol=1e-5)
    scores = model.scores_of_new(query, as_new(train, [5]))
    np.testing.assert_allclose(scores, found @ model.new_vectors(as_new(train, [5])).T, rtol=1e-5)
