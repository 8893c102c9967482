"""What should a user of the data listen to next, and why?

python -m examples.recommend [data set] [user id]
"""

import sys

from common.api import Music, load


def main(music: Music, user_id: str = "") -> None:
    """Print the history and ten recommendations with their reasons."""
    music.fit("ensemble")
    user_id = user_id or music.users[0]
    history = music.train.histories[music.users.index(user_id)]
    print(f"user {user_id} listens to", ", ".join(music.names[history[:10]]), "...")
    for _, row in music.recommend(user_id).iterrows():
        parts = ", ".join(f"{part} {row[part]:.2f}" for part in ("als", "tag_knn", "content_knn", "popularity"))
        print(f"{row['score']:.2f}  {row['name']}  [{parts}]  because of {row['because']}")


if __name__ == "__main__":
    main(load(*sys.argv[1:2]), *sys.argv[2:3])
