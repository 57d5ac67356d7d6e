"""ensemble.py: what it writes, what it refuses and how it says so."""

import csv
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from omegaconf import OmegaConf

import ensemble as script
from errors import RunError, SettingError
from tests.helpers.composed import settings_of
from tests.helpers.fake_members import (
    IDS,
    VAL_ANSWERS,
    VAL_IDS,
    WORDS,
    probabilities,
    write_csv,
    write_folds,
    write_member,
    write_unequal,
)

VALIDATION = {"ensemble_val_predictions.csv", "ensemble_val_answers.csv"}
MADE = {"submission.csv", *VALIDATION, "members.csv", "report.md", "model_card.md", "ensemble.json"}


def run(run_dir, expect=None, partial=False, html=False, combine="mean"):
    settings = {"run_dir": str(run_dir), "expect": expect, "partial": partial, "combine": combine}
    settings |= {"status": False, "html": html}
    return script.ensemble(OmegaConf.create(settings))


def files_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.is_file()}


@pytest.fixture
def sweep(tmp_path):
    for pool in ("avg", "max"):
        for seed in (0, 1):
            write_member(tmp_path / "demo", pool, seed)
    return tmp_path / "demo"


def test_the_submission_is_the_mean_in_the_members_own_order(sweep):
    table = run(sweep, expect=4)
    assert files_in(sweep) == MADE
    header, *rows = csv.reader((sweep / "submission.csv").open(encoding="utf-8", newline=""))
    assert header == ["file name", *WORDS]
    assert [row[0] for row in rows] == IDS
    values = np.array([row[1:] for row in rows], float)
    np.testing.assert_allclose(
        values, np.mean([probabilities(key, 3) for key in (0, 1, 1000, 1001)], axis=0), rtol=1e-8
    )
    assert np.abs(values.sum(axis=1) - 1).max() < 1e-6
    header, *rows = csv.reader((sweep / "ensemble_val_predictions.csv").open(encoding="utf-8", newline=""))
    assert header == ["file name", *WORDS] and [row[0] for row in rows] == VAL_IDS
    header, *rows = csv.reader((sweep / "ensemble_val_answers.csv").open(encoding="utf-8", newline=""))
    assert header == ["file name", *WORDS] and [row[0] for row in rows] == VAL_IDS
    assert [[float(value) for value in row[1:]] for row in rows] == VAL_ANSWERS
    saved = list(csv.DictReader((sweep / "members.csv").open(newline="")))
    assert [row["member"] for row in saved] == table["member"].tolist()
    assert float(saved[0]["val_kl"]) == pytest.approx(table["val_kl"][0])


def test_a_single_member_is_an_ensemble_of_one(sweep):
    run(sweep / "max_seed1")
    assert files_in(sweep / "max_seed1") > MADE and files_in(sweep) == set()
    _, *rows = csv.reader((sweep / "max_seed1" / "submission.csv").open(encoding="utf-8", newline=""))
    np.testing.assert_allclose(np.array([row[1:] for row in rows], float), probabilities(1001, 3), rtol=1e-8)


def test_without_validation_there_is_a_submission_alone(tmp_path):
    write_member(tmp_path, "avg", 0, val=False)
    run(tmp_path)
    assert files_in(tmp_path) == MADE - VALIDATION


def test_without_a_test_split_there_are_validation_figures_and_no_submission(tmp_path, capsys):
    write_member(tmp_path, "avg", 0, test=False)
    table = run(tmp_path)
    assert files_in(tmp_path) == MADE - {"submission.csv"}
    assert table["val_kl"].notna().all()
    assert "Submission: none written" in capsys.readouterr().out
    assert json.loads((tmp_path / "ensemble.json").read_text())["members"][0]["predictions_sha256"] is None


def test_every_member_at_fault_is_named_and_nothing_written(sweep):
    write_member(sweep, "max", 2, status="running")
    (sweep / "avg_seed1" / "predictions.csv").unlink()
    write_csv(sweep / "max_seed0" / "predictions.csv", IDS[:2], probabilities(0, 2))
    with pytest.raises(RunError) as error:
        run(sweep)
    first, *faults, remedy = str(error.value).splitlines()
    assert first == f"{sweep}: 2 of 5 members can be used"
    assert len(faults) == 3
    for name, reason in {
        "max_seed2": "not complete",
        "avg_seed1": "predictions.csv is missing, but other members have it",
        "max_seed0": "predictions.csv has other ids (missing 0002; unknown none) than avg_seed0",
    }.items():
        assert any(fault.startswith(f"  {sweep / name}: ") and reason in fault for fault in faults)
    assert "partial=true to average the 2" in remedy
    assert files_in(sweep) == set()


def test_partial_goes_on_with_the_rest_and_says_so_in_a_line(sweep, capsys):
    write_member(sweep, "max", 2, status="failed")
    (sweep / "avg_seed1" / "predictions.csv").unlink()
    run(sweep, expect=5, partial=True)
    out = capsys.readouterr().out
    assert "Left out 2 of 5: max_seed2, avg_seed1" in out and "Expected 5 members, averaged 3" in out
    content = json.loads((sweep / "ensemble.json").read_text())
    assert [member["name"] for member in content["members"]] == ["avg_seed0", "max_seed0", "max_seed1"]
    assert list(content["left_out"]) == ["max_seed2", "avg_seed1"]
    submission = np.genfromtxt(sweep / "submission.csv", delimiter=",", skip_header=1, encoding="utf-8")[:, 1:]
    np.testing.assert_allclose(
        submission, np.mean([probabilities(key, 3) for key in (0, 1000, 1001)], axis=0), rtol=1e-8
    )


def test_members_that_a_sweep_never_started_are_left_out(sweep, capsys):
    write_member(sweep, "max", 8, status="waiting", val=False, test=False)
    (sweep / "max_seed9").mkdir()
    (sweep / "max_seed9" / "train.log").write_text("rejected\n")
    run(sweep, expect=4)
    assert "Left out max_seed8: its sweep ended before it started; repeat" in capsys.readouterr().out
    assert "max_seed8" not in (sweep / "report.md").read_text(encoding="utf-8")


def test_where_no_member_ever_started_the_reason_is_told(tmp_path):
    write_member(tmp_path, "avg", 0, status="waiting", val=False, test=False)
    with pytest.raises(RunError, match=r"0 of 1 member can be used\n.*avg_seed0: its sweep ended before it started"):
        run(tmp_path)


def test_partial_cannot_make_an_ensemble_of_nothing(tmp_path):
    write_member(tmp_path, "avg", 0, status="running")
    with pytest.raises(RunError, match=r"0 of 1 member can be used\n.*avg_seed0: not complete"):
        run(tmp_path, partial=True)


def test_another_number_than_expected_names_who_is_missing_or_there(sweep):
    write_member(sweep, "avg", 2)
    with pytest.raises(RunError, match="expect=6, but there are 5; missing: max_seed2\n"):
        run(sweep, expect=6)
    with pytest.raises(RunError, match=r"expect=2, but there are 5; there: avg_seed0, .*, max_seed1\n"):
        run(sweep, expect=2)
    assert files_in(sweep) == set()


def test_folds_count_among_the_expected(tmp_path):
    write_folds(tmp_path)
    assert run(tmp_path, expect=4)["fold"].tolist()[:4] == [0, 1, 0, 1]
    (tmp_path / "max_seed0_fold1" / "metrics.json").unlink()
    with pytest.raises(RunError, match="max_seed0_fold1: not complete"):
        run(tmp_path)
    shutil.rmtree(tmp_path / "max_seed0_fold1")
    with pytest.raises(RunError, match="expect=4, but there are 3; missing: max_seed0_fold1\n"):
        run(tmp_path, expect=4)


def test_a_member_without_a_fold_among_folds_is_refused_and_nothing_written(tmp_path):
    write_folds(tmp_path)
    write_member(tmp_path, "avg", 3)
    for partial in (False, True):
        with pytest.raises(RunError, match="avg_seed3 trained without "):
            run(tmp_path, partial=partial)
    assert files_in(tmp_path) == set()
    write_member(tmp_path, "avg", 4, status="failed")
    with pytest.raises(RunError, match="expect=9, but there are 6; missing: avg_seed3_fold0"):
        run(tmp_path, expect=9)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (
            "run_dir=???",
            "run_dir is not set; give run_dir=..., a sweep's folder, outputs/<name>, or that of one member",
        ),
        ("partial=no", "partial is 'no'; give true or false"),
        ("expect=all", "expect is 'all'; give a whole number from 1 on"),
        ("html=1", "html is 1; give true or false"),
        ("combine=best", "combine is 'best'; choose mean or stacked"),
    ],
)
def test_settings_that_make_no_sense(setting, message):
    with pytest.raises(SettingError, match=f"^{re.escape(message)}$"):
        settings_of("ensemble", "run_dir=sweep", setting)


def command(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, script.__file__, *arguments], cwd=folder, capture_output=True, text=True)


def test_the_command_says_where_everything_is_and_leaves_nothing_else(sweep):
    done = command(sweep.parent, "run_dir=demo", "expect=4")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-2:] == ["Submission: demo/submission.csv", "Report:     demo/report.html"]
    assert [path.name for path in sweep.parent.iterdir()] == ["demo"]
    assert files_in(sweep) == {*MADE, "report.html"}


def test_the_command_refuses_in_a_message_without_a_traceback(sweep):
    write_member(sweep, "max", 2, status="running")
    done = command(sweep.parent, "run_dir=demo")
    assert done.returncode == 1
    assert "demo/max_seed2: not complete" in done.stderr and "Traceback" not in done.stderr
    assert files_in(sweep) == set()


def test_stacked_members_make_the_submission(tmp_path, capsys):
    probs = write_unequal(tmp_path)
    run(tmp_path, combine="stacked")
    assert files_in(tmp_path) == MADE
    numbers = json.loads((tmp_path / "ensemble.json").read_text(encoding="utf-8"))["stack"]
    assert "of the mean; taken\n" in capsys.readouterr().out
    submission = np.genfromtxt(tmp_path / "submission.csv", delimiter=",", skip_header=1, encoding="utf-8")[:, 1:]
    scores = sum(numbers["weights"][name] * np.log(values) for name, values in probs.items())
    odds = np.exp(scores + list(numbers["offsets"].values()))
    np.testing.assert_allclose(submission, odds / odds.sum(axis=1, keepdims=True), rtol=1e-6)


def test_a_stack_that_is_no_better_leaves_the_mean_and_says_so(tmp_path, capsys):
    probs = write_unequal(tmp_path)
    for name, rows in zip(probs, (probabilities(1, 60), probabilities(2, 60)), strict=True):
        write_csv(tmp_path / name / "val_predictions.csv", [f"v{i}" for i in range(60)], rows)
        mean = (probabilities(1, 60) + probabilities(2, 60)) / 2
        write_csv(tmp_path / name / "val_answers.csv", [f"v{i}" for i in range(60)], mean)
    run(tmp_path, combine="stacked")
    assert "no better, so the plain mean is taken" in capsys.readouterr().out
    assert "no better, so the plain mean is taken" in (tmp_path / "report.md").read_text(encoding="utf-8")
    assert json.loads((tmp_path / "ensemble.json").read_text(encoding="utf-8"))["stack"]["taken"] is False
    submission = np.genfromtxt(tmp_path / "submission.csv", delimiter=",", skip_header=1, encoding="utf-8")[:, 1:]
    np.testing.assert_allclose(submission, np.mean(list(probs.values()), axis=0), rtol=1e-8)


def test_stacking_refuses_where_there_are_too_few_clips_and_writes_nothing(sweep):
    with pytest.raises(RunError, match=f"^{sweep}: combine=stacked is fitted on validation clips, .* fewer than 5"):
        run(sweep, combine="stacked")
    assert files_in(sweep) == set()


def test_averaging_imports_neither_torch_nor_what_it_brings(tmp_path):
    write_unequal(tmp_path)
    code = (
        "import sys, ensemble; from omegaconf import OmegaConf\n"
        "assert 'pandas' not in sys.modules\n"
        "settings = {'run_dir': sys.argv[1], 'expect': None, 'partial': False, 'combine': 'stacked', 'status': False}\n"
        "settings['html'] = True\n"
        "ensemble.ensemble(OmegaConf.create(settings))\n"
        "assert not {'torch', 'lightning', 'datamodules'} & sys.modules.keys()"
    )
    root = Path(script.__file__).parent
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_help_shows_commands_worth_copying(tmp_path):
    done = command(tmp_path, "--help")
    assert done.returncode == 0
    assert "python ensemble.py run_dir=outputs/winner expect=16" in done.stdout and "partial: false" in done.stdout
    assert list(tmp_path.iterdir()) == []
