"""Seeds that depend on the training step."""

import numpy as np


def derive_seed(*parts: int) -> int:
    """A 32-bit seed that depends on all parts, such as seed, device and step."""
    return int(np.random.SeedSequence(parts).generate_state(1)[0])
