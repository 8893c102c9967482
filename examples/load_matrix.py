"""The arrays and names that `python -m common prepare` has written, with NumPy, pandas and SciPy alone.

python -m examples.load_matrix FOLDER [user id]
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse

ARRAYS = ("indptr", "indices", "data")


def main(folder: Path, user_id: str = "") -> None:
    """Print the size of the train matrix and what one user has played most, by name."""
    arrays = {name: np.load(folder / "matrices" / "train" / f"{name}.npy", mmap_mode="r") for name in ARRAYS}
    users = pd.read_parquet(folder / "users.parquet", columns=["code", "user_id"]).set_index("user_id")["code"]
    items = pd.read_parquet(folder / "items.parquet", columns=["code", "name", "artist"]).set_index("code")
    shape = (len(arrays["indptr"]) - 1, len(items))
    train = sparse.csr_array((arrays["data"], arrays["indices"], arrays["indptr"]), shape=shape)
    print(f"train: {shape[0]:,} users x {shape[1]:,} items, {train.nnz:,} pairs, {train.data.sum():,.0f} plays")
    user = users[user_id] if user_id else int(np.argmax(np.diff(train.indptr)))
    row = slice(train.indptr[user], train.indptr[user + 1])
    most = np.argsort(-train.data[row], kind="stable")[:5]
    print(f"\nmost played by {users.index[user]}:")
    for item, plays in zip(train.indices[row][most], train.data[row][most], strict=True):
        print(f"{plays:6,.0f}  {items.loc[item, 'name']} - {items.loc[item, 'artist']}")
    print("\nthe same matrix as a file of SciPy's:", sparse.load_npz(folder / "train_matrix.npz").shape)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), *sys.argv[2:3])
