"""Train one member of the ensemble, or a sweep of them.

python train.py                                             # a member of the default recipe, on synthetic words
python train.py experiment=demo                             # minutes on two CPU cores
python train.py experiment=winner data.root=DIR             # the winning recipe on competition data
python train.py data=words data.root=DIR data.k=3           # a folder of your own words
python train.py -m model.pool=avg,max 'seed=range(8)'       # the sixteen members; then python ensemble.py run_dir=...
"""

from overlapped_words.cli import run
from overlapped_words.settings.train import Train


def main(settings: Train) -> float:
    from overlapped_words.training.run import train  # torch and Lightning take seconds to import

    return train(settings)


if __name__ == "__main__":
    run(main, Train)
