"""Train one member of the ensemble, or a sweep of them.

python train.py experiment=demo    # --help has more examples and all settings
"""

from overlapped_words.cli import run
from overlapped_words.settings.train import Train


def main(settings: Train) -> float:
    from overlapped_words.training.run import train  # torch and Lightning take seconds to import

    return train(settings)


if __name__ == "__main__":
    run(main, Train)
