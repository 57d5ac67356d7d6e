"""Averages a sweep's members into its submission, and reports what each of them is worth.

python ensemble.py run_dir=outputs/winner
python ensemble.py run_dir=outputs/winner expect=16         # refuses unless there are sixteen
python ensemble.py run_dir=outputs/winner partial=true      # goes on with the members that are there
python ensemble.py run_dir=outputs/winner combine=stacked   # with weights fitted on the validation clips
python ensemble.py run_dir=outputs/winner status=true       # only looks how far each member is
python ensemble.py run_dir=outputs/winner html=false        # without report.html, which takes plotly and the data
"""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import hydra
from hydra.utils import get_class
from omegaconf import DictConfig

import cli
from errors import RunError
from messages import count, first_names

# `ensembling` is imported where it is used: pandas takes as long as all the rest of --help or of a mistyped override.
if TYPE_CHECKING:
    import pandas as pd

    from datamodules.clips import Splits
    from runs.members import Member
    from settings.ensemble import Ensemble

FILES = {
    "predictions": "submission.csv",
    "val_predictions": "ensemble_val_predictions.csv",
    "val_answers": "ensemble_val_answers.csv",
}


def ensemble(cfg: Ensemble) -> pd.DataFrame:
    """Writes combined tables and a report into `cfg.run_dir`; returns the figures, see `reporting.summary.figures`.

    With `cfg.status` it writes nothing, and returns `reporting.status.overview`.

    Raises:
        RunError: naming each member that cannot be used, and why, or folds that do not belong together, or what
            stacking lacks; nothing is written then.
    """
    from ensembling.combine import combine, gather
    from ensembling.ensemble_file import format_ensemble
    from ensembling.stacking import fit_stacking
    from reporting import card, status, summary
    from runs.files import write_files
    from runs.members import REMEDIES, find_members, folder_name
    from runs.status import Status
    from runs.tables import format_table

    run_dir = Path(cfg.run_dir)
    everyone = find_members(run_dir)
    if cfg.status:
        table = status.overview(everyone)
        print(status.as_text(table))
        return table
    found = [member for member in everyone if member.status != Status.NOT_STARTED] or everyone
    tables, faults = gather(found)
    members = [member for member in found if member.name in tables]
    if not members or (not cfg.partial and (faults or cfg.expect not in (None, len(members)))):
        raise RunError(_refusal(run_dir, cfg.expect, found, faults))

    combined = combine(members, tables)
    stacking = fit_stacking(members, tables, combined) if cfg.combine == "stacked" else None
    used = stacking if stacking and stacking.better_than_mean else None
    combined = used.tables if used else combined
    table = summary.figures(members, tables, used)
    title = f"{folder_name(run_dir)}: ensemble of {count(len(members), 'member')}"
    texts = {file: format_table(combined[kind]) for kind, file in FILES.items() if kind in combined}
    texts["members.csv"] = table.to_csv(index=False, lineterminator="\n")
    texts["report.md"] = summary.as_markdown(title, table, faults, stacking)
    texts["ensemble.json"] = format_ensemble(members, table, faults, stacking)
    texts["model_card.md"] = card.build(title, members, combined, table)
    if cfg.html:
        from reporting import page  # plotly takes as long as everything else here

        texts["report.html"] = page.build(title, members, tables, combined, table, faults, load_splits)
    write_files({run_dir / file: text.encode() for file, text in texts.items()})

    print(f"{title}\n\n{summary.as_text(table)}\n\n{summary.headline(table)}".rstrip())
    if stacking:
        print(summary.verdict(stacking))
    if faults:
        print(f"Left out {len(faults)} of {len(found)}: {', '.join(faults)} (the report says why)")
    if len(everyone) > len(found):
        names = first_names(member.name for member in everyone if member not in found)
        print(f"Left out {names}: {REMEDIES[Status.NOT_STARTED]}")
    if cfg.expect not in (None, len(members)):
        print(f"Expected {count(cfg.expect, 'member')}, averaged {len(members)}")
    nothing = "none written, the members have no predictions.csv: their source has no test split"
    print(f"Submission: {run_dir / 'submission.csv' if 'predictions' in combined else nothing}")
    print(f"Report:     {run_dir / ('report.html' if cfg.html else 'report.md')}")
    return table


def load_splits(member: Member) -> Splits:
    """The data that a member was trained with, from the source in its configuration.

    Raises:
        UserError, OSError: they are not there any more, or the configuration does not tell.
    """
    from runs.reading import read_config
    from settings import blame
    from settings.source import trusted_source

    config, path = read_config(member.path), member.path / ".hydra" / "config.yaml"
    arguments = trusted_source(config, str(path))
    target = arguments.pop("_target_")
    with blame(f"{path}: data"):
        source = get_class(target)(**arguments)
    return source.load(Path(config["data"]["cache_dir"]).expanduser(), config.get("seed", 0))


def _refusal(run_dir: Path, expect: int | None, found: list[Member], faults: dict[str, str]) -> str:
    usable = len(found) - len(faults)
    reasons = list(faults.values())
    if expect not in (None, len(found)):
        names = [member.name for member in found]
        pools, seeds = sorted({member.pool for member in found}), sorted({member.seed for member in found})
        folds = sorted({member.fold for member in found if member.fold is not None})
        suffixes = [f"_fold{fold}" for fold in folds] or [""]
        wanted = (f"{pool}_seed{seed}{suffix}" for pool, seed, suffix in product(pools, seeds, suffixes))
        absent = [name for name in wanted if name not in names]
        who = f"missing: {', '.join(absent)}" if absent and len(found) < expect else f"there: {', '.join(names)}"
        reasons.append(f"expect={expect}, but there are {len(found)}; {who}")
    remedy = f"\nCorrect this, or add partial=true to average the {count(usable, 'usable member')}." if usable else ""
    return "\n  ".join([f"{run_dir}: {usable} of {count(len(found), 'member')} can be used", *reasons]) + remedy


@hydra.main(version_base="1.3", config_path="conf", config_name="ensemble")
def main(cfg: DictConfig) -> None:
    from settings import check
    from settings.ensemble import Ensemble

    ensemble(check(Ensemble, cfg))


if __name__ == "__main__":
    cli.run(main)
