"""Where every random number of the street comes from: a seed, its purpose, and what it is for. Pure.

The purposes share no asset: the number of the purpose stands in the upper bits of every seed, so two purposes cannot meet
whatever the hash gives. What a model was trained on is therefore never what it is shown or judged on.
"""

import hashlib
from typing import Final, Literal, get_args

import numpy as np

Purpose = Literal["training", "demo", "tests", "bench"]
PURPOSES: Final[tuple[Purpose, ...]] = get_args(Purpose)

HASH_BITS = 48


def seed_of(purpose: Purpose, seed: int, *words: object) -> int:
    """The seed of one asset or one choice: `words` name it. Below 2**53, so that JSON keeps it in every program."""
    said = "/".join(str(word) for word in (purpose, seed, *words))
    hashed = int.from_bytes(hashlib.sha256(said.encode()).digest()[: HASH_BITS // 8], "big")
    return (PURPOSES.index(purpose) + 1) << HASH_BITS | hashed


def purpose_of(seed: int) -> Purpose | None:
    """Which purpose a seed of `seed_of` belongs to, None where it is none."""
    number = (seed >> HASH_BITS) - 1
    return PURPOSES[number] if 0 <= number < len(PURPOSES) else None


def rng_of(purpose: Purpose, seed: int, *words: object) -> np.random.Generator:
    """Random numbers of their own for what `words` name."""
    return np.random.default_rng(seed_of(purpose, seed, *words))
