"""Names for generated artists and tracks: plain words put together, each name once."""

import numpy as np


def _listed(text: str, separator: str | None = None) -> list[str]:
    return text.replace("\n", separator or " ").split(separator)


ADJECTIVES = _listed("""
Amber Bashful Brass Copper Crooked Curious Dapper Distant Dizzy Drowsy Electric Emerald Faded Feral Fluffy Forgotten
Frozen Gentle Giddy Gilded Grumpy Hollow Honest Humble Hungry Idle Indigo Jolly Lazy Lonesome Lucky Lunar Marble Mellow
Midnight Minor Misty Modest Nervous Noble Nocturnal Paper Patient Pickled Plastic Polite Proud Quiet Restless Rusty
Salty Scarlet Secret Shy Silver Sleepless Solar Spare Sunday Tiny Turbo Velvet Wandering Wobbly
""")
NOUNS = _listed("""
Accordion Anchor Badger Balcony Bicycle Biscuit Cactus Candle Cloud Comet Compass Dumpling Falcon Fountain Garden
Giraffe Hammock Harbour Hedgehog Kettle Kite Ladder Lantern Lemon Lighthouse Lobster Mango Marmot Meadow Mirror Mitten
Moth Noodle Ocean Octopus Orchard Otter Pancake Parade Pelican Penguin Pigeon Planet Puddle Raccoon Radish River Rocket
Sofa Sparrow Staircase Sundial Teapot Thunder Tractor Turnip Umbrella Walrus Window Zeppelin
""")
ARTISTS = _listed(
    """{a} {n}|The {a} {n} Five|{a} {n} Club|{a} {n} Orchestra|DJ {a} {n}|{a} {n} Trio|{a} {n} & Sons
MC {a} {n}|{a} {n} Society|{a} {n} Machine|Saint {n} the {a}""",
    "|",
)
TITLES = _listed(
    """{a} {n}|My {a} {n}|{a} {n} Blues|Waiting for the {a} {n}|{n} and the {a} Day|Dance of the {a} {n}
{a} {n}, Come Home|No More {a} {n}|Song for the {a} {n}|{a} as the {n}|Ode to the {a} {n}|Who Left the {a} {n} Out?
The {n} Was {a}|Under the {a} {n}|Every {a} {n}|Letters from the {a} {n}|Stay {a}, Little {n}|{a} {n} Lullaby
Never Trust the {a} {n}|Goodbye, {a} {n}|If I Were Your {a} {n}|Slow {n}, {a} Heart|One {a} {n} Too Many""",
    "|",
)


def unique_names(patterns: list[str], count: int, rng: np.random.Generator) -> np.ndarray:
    """`count` different names, shape (count,); a number is appended once the words are used up."""
    size = len(ADJECTIVES) * len(NOUNS) * len(patterns)
    names = []
    for code in rng.permutation(max(size, count))[:count].tolist():
        cycle, rest = divmod(code, size)
        pattern, word = divmod(rest, len(ADJECTIVES) * len(NOUNS))
        adjective, noun = divmod(word, len(NOUNS))
        name = patterns[pattern].format(a=ADJECTIVES[adjective], n=NOUNS[noun])
        names.append(f"{name}, No. {cycle + 1}" if cycle else name)
    return np.array(names, dtype=object)
