"""Figures of Last.fm-2K that the generated data is held against, and how they are measured."""

import numpy as np
import pandas as pd

from common.data.synthetic.generator import generate
from common.data.synthetic.settings import SyntheticSettings
from common.data.tables import Tables


def small(**changes) -> Tables:
    return generate(SyntheticSettings(users=60, items=80, **changes))


def codes(interactions: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    return pd.factorize(interactions["user_id"], sort=True)[0], pd.factorize(interactions["item_id"], sort=True)[0]
