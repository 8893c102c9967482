"""Somebody new comes in: first we know nothing of them, then they name what they like.

python -m examples.newcomer [data set] [liked item ...]
"""

import sys
from collections.abc import Sequence

from common.api import Music, load


def main(music: Music, liked: Sequence[str] = ()) -> None:
    """Print five recommendations without a history, and after each of the liked items."""
    music.fit("ensemble")
    liked = liked or music.recommend_for([])["item_id"].iloc[[2, 4]].tolist()
    for known in range(len(liked) + 1):
        print(f"\nknown: {', '.join(music.names[music.code(item)] for item in liked[:known]) or 'nothing'}")
        for _, row in music.recommend_for(liked[:known], k=5).iterrows():
            print(f"  {row['name']}" + (f"  because of {row['because']}" if row["because"] else ""))


if __name__ == "__main__":
    main(load(*sys.argv[1:2]), sys.argv[2:])
