"""Small invented files in the real formats, for tests that read raw data.

`write_lastfm(folder)` and `write_songs(path)` write a world of four users and six artists; each takes replacements for
the files or rows that a test is about.
"""

import csv
import io
from pathlib import Path

LASTFM = {
    "artists.dat": "id\tname\turl\tpictureURL\n"
    "1\tVelvet Otters\thttp://example.org/1\thttp://example.org/1.jpg\n"
    '2\tThe "Quoted Band\thttp://example.org/2\thttp://example.org/2.jpg\n'
    "4\tÉlan Vitále\thttp://example.org/4\thttp://example.org/4.jpg\n"
    "7\t夜の海\thttp://example.org/7\thttp://example.org/7.jpg\n"
    "10\t!!!\thttp://example.org/10\thttp://example.org/10.jpg\n"
    "11\tNA\thttp://example.org/11\thttp://example.org/11.jpg\n",
    "user_artists.dat": "userID\tartistID\tweight\r\n"
    "2\t1\t300\r\n2\t2\t20\r\n2\t4\t1\r\n"
    "3\t1\t50\r\n3\t7\t40\r\n"
    "5\t10\t9\r\n5\t11\t8\r\n5\t1\t7\r\n"
    "8\t1\t100\r\n",
    "tags.dat": "tagID\ttagValue\r\n1\tmetal\r\n2\tcanção\r\n9\tshoegaze\r\n",
    "user_taggedartists.dat": "userID\tartistID\ttagID\tday\tmonth\tyear\n"
    "5\t1\t2\t1\t4\t2009\n2\t1\t1\t1\t1\t1956\n2\t999\t9\t29\t2\t2008\n2\t1\t9\t1\t1\t1970\n",
    "user_friends.dat": "userID\tfriendID\r\n2\t3\r\n3\t2\r\n5\t2\r\n2\t5\r\n",
}

_SONG = {
    "track_id": "t1",
    "track_name": "Riverbank",
    "track_artist": "Velvet Otters",
    "track_popularity": "40",
    "track_album_id": "a1",
    "track_album_name": "Streams",
    "track_album_release_date": "2001-02-03",
    "playlist_name": "Wet Fur",
    "playlist_id": "p1",
    "playlist_genre": "rock",
    "playlist_subgenre": "river rock",
    "danceability": "0.5",
    "energy": "0.6",
    "key": "3",
    "loudness": "-7.5",
    "mode": "1",
    "speechiness": "0.05",
    "acousticness": "0.1",
    "instrumentalness": "2.33e-5",
    "liveness": "0.2",
    "valence": "0.4",
    "tempo": "120",
    "duration_ms": "200000",
}

SONG_COLUMNS = list(_SONG)

SONGS: tuple[dict[str, str], ...] = (
    {},
    {"playlist_id": "p2", "playlist_genre": "pop"},
    {
        "track_id": "t2",
        "track_name": "Rapids (feat. Élan Vitále)",
        "track_album_release_date": "2004",
        "tempo": "100",
        "playlist_genre": "r&b",
    },
    {"track_id": "t3", "track_artist": 'The "Quoted" Band', "track_name": 'Salt, "Pepper"\nand Rain'},
    {"track_id": "t4", "track_artist": "Nobody We Know", "track_album_release_date": "1999-11"},
)


def write_lastfm(folder: Path, **replaced: str | bytes) -> Path:
    """The five files; `user_friends="..."` replaces the text of user_friends.dat (bytes are written as they are)."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in LASTFM.items():
        content = replaced.get(name.removesuffix(".dat"), text)
        if isinstance(content, str):
            content = content.encode("iso-8859-1" if name == "tags.dat" else "utf-8")
        (folder / name).write_bytes(content)
    return folder


def song(**values: str) -> dict[str, str]:
    """One row of the songs file, by column; what is not given is that of the first song."""
    return {**_SONG, **values}


def songs_text(*rows: dict[str, str], columns: list[str] | None = None) -> str:
    """The text of a songs file; without rows, the five of `SONGS`."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns or SONG_COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(song(**row) for row in (rows or SONGS))
    return text.getvalue()


def write_songs(path: Path, *rows: dict[str, str]) -> Path:
    """A songs file of the given rows, each completed by `song`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(songs_text(*rows).encode())
    return path
