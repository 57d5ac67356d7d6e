"""Combine the members of a sweep into a submission, and report metrics of members and ensembles.

python ensemble.py run_dir=outputs/demo    # --help has more examples and all settings
"""

from overlapped_words.cli import run
from overlapped_words.settings.ensemble import Ensemble


def main(settings: Ensemble) -> None:
    from overlapped_words.report import report  # pandas takes as long as the rest of --help

    report.run(settings)


if __name__ == "__main__":
    run(main, Ensemble)
