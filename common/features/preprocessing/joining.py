"""Tables of listening side by side in one frame, and who is featured on whose items."""

import pandas as pd

from common.data.ids import codes_of
from common.features.preprocessing.cells import split_guests
from common.features.preprocessing.column_names import standard_frame
from common.features.preprocessing.columns import require
from common.features.preprocessing.formulas import COLUMNS, STAND_INS, TEXTS
from common.features.preprocessing.report import Notes
from common.features.preprocessing.text_encoder import read
from common.utils.errors import UserError


def joined(interactions: pd.DataFrame, items: pd.DataFrame, users: pd.DataFrame) -> pd.DataFrame:
    """Interactions beside what is known of their item and user, as `fit_transform` takes them; rows and index kept.

    Interactions have either `user` and `item`, codes that are rows of the other tables (`TrainView`), or `user_id` and
    `item_id`, under any of their usual names; an id that a table lacks has missing values. Columns that no feature is
    made of are left away.
    """
    coded = {"user", "item"} <= set(interactions)
    if not coded:
        interactions, items, users = (
            standard_frame(table, {}, None, Notes())[0] for table in (interactions, items, users)
        )
    found = [interactions[[column for column in COLUMNS["interactions"] if column in interactions]]]
    for key, table in (("item", items), ("user", users)):
        part, id_column = f"{key}s", f"{key}_id"
        require(table, (id_column,), f"which names a row of {part}")
        if table[id_column].duplicated().any():
            twice = table[id_column][table[id_column].duplicated()].iloc[0]
            raise UserError(f"column {id_column!r} of {part} holds {twice!r} twice; keep one row of each")
        names = [
            id_column,
            *COLUMNS[part],
            *((*TEXTS, *STAND_INS["release_year"], *STAND_INS["artist"]) if key == "item" else ()),
        ]
        about = table[[name for name in dict.fromkeys(names) if name in table]].reset_index(drop=True)
        if coded:
            rows = about.reindex(interactions[key].to_numpy())
        else:
            require(interactions, (id_column,), "which names the rows")
            rows = about.reindex(codes_of(interactions[id_column], pd.Index(about[id_column])))
            rows[id_column] = interactions[id_column].to_numpy()
        found.append(rows.set_axis(interactions.index))
    return pd.concat(found, axis=1)


def featured_links(frame: pd.DataFrame, column: str | None) -> pd.DataFrame:
    """item_id, artist (None where unknown) and featured_artist, as read from a column; each of these once.

    >>> featured_links(pd.DataFrame({"item_id": [1, 2], "artist": "A", "name": ["X (feat. B & C)", "Y"]}), "name")
       item_id artist featured_artist
    0        1      A               B
    1        1      A               C
    """
    nobody = pd.Series(None, frame.index, dtype=object)
    credits = read("featured_artists", column, frame) if column else nobody
    names = {
        credit: split_guests(credit) if column == "name" else credit.split("|") for credit in set(credits.dropna())
    }
    made_by = next((name for name in ("artist", *STAND_INS["artist"]) if name in frame), None)
    artists = read("artist", made_by, frame) if made_by else nobody
    links = pd.DataFrame({"item_id": frame["item_id"], "artist": artists, "featured_artist": credits.map(names)})
    return links.dropna(subset="featured_artist").explode("featured_artist").drop_duplicates(ignore_index=True)
