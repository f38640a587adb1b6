"""Seeds as a function of their purpose, so that a restart repeats the same random numbers."""

import hashlib


def derive_seed(*parts: int | str) -> int:
    """Hash the parts into a seed in [0, 2**32).

    ``derive_seed(7, "sampler", 12)`` is the same on every machine and in every Python, and unrelated
    to ``derive_seed(7, "sampler", 13)``.
    """
    text = "/".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
