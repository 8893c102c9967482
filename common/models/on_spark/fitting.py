"""Popularity, and implicit ALS by MLlib (Hu, Koren & Volinsky 2008) with the settings of the local model.

    min over X, Y of  sum over u, i of  c_ui (p_ui - x_u . y_i)^2  +  l (sum of n_u |x_u|^2 + sum of n_i |y_i|^2)

n_u and n_i count the pairs of a user and an item: MLlib weighs the regularisation by them (ALS-WR, Zhou et al. 2008),
`implicit` does not, so that l means something else here, and is chosen anew: preset `tuned-spark`. The confidence
c_ui = 1 + alpha f(plays) is the same.
"""

from typing import TYPE_CHECKING

from common.models.linear.als import ALSSettings

if TYPE_CHECKING:
    from pyspark.ml.recommendation import ALSModel
    from pyspark.sql import DataFrame

CHECKPOINTS = 2
"""Iterations between two checkpoints of the factors: what is lost with an executor is made again from there."""
WEIGHTS = {"binary": "1.0F", "log": "CAST(ln(1 + weight) AS FLOAT)", "raw": "CAST(weight AS FLOAT)"}
"""f of the formula, as an SQL expression."""


def fit_als(pairs: "DataFrame", settings: ALSSettings, seed: int, blocks: int) -> "ALSModel":
    """Fit on pairs (user, item, weight). The context needs a checkpoint folder.

    blocks: parts that users, and items, are cut into; a task holds the factors of one.
    """
    from pyspark.ml.recommendation import ALS

    als = ALS(
        rank=settings.factors,
        maxIter=settings.iterations,
        regParam=settings.regularisation,
        alpha=settings.alpha,
        implicitPrefs=True,
        coldStartStrategy="drop",
        checkpointInterval=CHECKPOINTS,
        numUserBlocks=blocks,
        numItemBlocks=blocks,
        seed=seed,
        userCol="user",
        itemCol="item",
        ratingCol="rating",
    )
    return als.fit(pairs.selectExpr("user", "item", f"{WEIGHTS[settings.weighting]} AS rating"))


def listeners(pairs: "DataFrame") -> "DataFrame":
    """Columns item and listeners, bigint, of the items that pairs (user, item, ...) name: popularity."""
    return pairs.groupBy("item").count().withColumnRenamed("count", "listeners")
