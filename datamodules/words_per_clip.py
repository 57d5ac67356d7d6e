"""How many words a clip has where `data.k` does not say."""


def default_k(num_words: int) -> tuple[int, int]:
    """The minimum and maximum: four, as in the competition.

    If there are at most four words, one to all of them; clips that always have all words would teach nothing.
    """
    return (4, 4) if num_words > 4 else (1, num_words)
