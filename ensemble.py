"""Combine the members of a sweep into a submission, and report metrics of members and ensembles.

python ensemble.py run_dir=outputs/winner
python ensemble.py run_dir=outputs/winner expect=16         # an error unless there are 16 members
python ensemble.py run_dir=outputs/winner partial=true      # use only usable members
python ensemble.py run_dir=outputs/winner combine=stacked   # weight the members, fitted on the validation clips
python ensemble.py run_dir=outputs/winner status=true       # only show the status of each member
python ensemble.py run_dir=outputs/winner html=false        # skip report.html, which needs plotly and the data
"""

from overlapped_words.cli import run
from overlapped_words.settings.scripts import Ensemble


def main(settings: Ensemble) -> None:
    from overlapped_words.report import report  # pandas takes as long as the rest of --help

    report.run(settings)


if __name__ == "__main__":
    run(main, Ensemble)
