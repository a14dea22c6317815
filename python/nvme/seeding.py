# One seed for every random choice: Python's, and that of buffers and IOWorkers on the C++ side.
"""srand."""

import random

from nvme import _core
from nvme.arguments import integer


def srand(seed: int) -> None:
    """Seed every random choice, Python's `random` included.

    Args:
        seed: 0 to 2**64 - 1

    >>> import nvme as d
    >>> d.srand(0x58e7f337)
    """
    seed = integer("seed", seed, 0, 2**64 - 1)
    random.seed(seed)
    _core.seed(seed)
