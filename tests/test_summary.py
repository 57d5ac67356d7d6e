"""Metrics of members and ensembles, and how they are shown."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from overlapped_words.ensembling.combined import combine_members
from overlapped_words.ensembling.ensemble_file import format_ensemble
from overlapped_words.report import summary
from tests.helpers import fake_members as fake


def metrics_of(sweep: Path) -> pd.DataFrame:
    return summary.metrics_table(combine_members(sweep))


def kl(targets, probs) -> float:
    targets = np.asarray(targets, float)
    terms = (t * np.log(t / p) for t, p in zip(targets.ravel(), probs.ravel(), strict=True) if t)
    return float(sum(terms)) / len(targets)


@pytest.fixture
def sweep(tmp_path):
    for pool, seed in (("avg", 0), ("avg", 1), ("max", 0)):
        fake.write_member(tmp_path, pool, seed)
    return tmp_path


def test_metrics_of_members_pools_ensemble_and_uniform_prediction(sweep):
    table = metrics_of(sweep).set_index("member")
    first, second, third = (fake.probabilities(key + 500, 2) for key in (0, 1, 1000))
    expected = {
        "avg_seed0": kl(fake.VAL_ANSWERS, first),
        "avg_seed1": kl(fake.VAL_ANSWERS, second),
        "max_seed0": kl(fake.VAL_ANSWERS, third),
        "avg ensemble (2)": kl(fake.VAL_ANSWERS, (first + second) / 2),
        "max ensemble (1)": kl(fake.VAL_ANSWERS, third),
        "ensemble (3)": kl(fake.VAL_ANSWERS, (first + second + third) / 3),
        "uniform prediction": kl(fake.VAL_ANSWERS, np.full((2, 4), 0.25)),
    }
    assert table["val_kl"].to_dict() == pytest.approx(expected) and list(table.index) == list(expected)
    assert table["kind"].tolist() == [*["member"] * 3, *["pool ensemble"] * 2, "ensemble", "uniform prediction"]
    assert table.loc["uniform prediction", "val_recall"] == 0.5  # two words of four in each clip
    assert table["minutes"].tolist()[:6] == pytest.approx([1.5, 91 / 60, 1.5, 181 / 60, 1.5, 271 / 60])
    assert table["test_kl"].isna().all()
    best = min(table.index[:3], key=expected.__getitem__)
    headline = f"Validation KL of the ensemble: {expected['ensemble (3)']:.4f} (best member {best} {expected[best]:.4f}"
    assert summary.headline(table.reset_index()).startswith(headline)
    for folder in sweep.iterdir():
        fake.write_csv(folder / "test_answers.csv", fake.IDS, fake.TEST_ANSWERS)
    table = metrics_of(sweep).set_index("member")
    assert table.loc["max_seed0", "test_kl"] == pytest.approx(kl(fake.TEST_ANSWERS, fake.probabilities(1000, 3)))
    uniform = table.loc["uniform prediction"]
    assert uniform["test_kl"] == pytest.approx((np.log(4) + np.log(2) + 0) / 3)
    assert uniform["test_recall"] == pytest.approx((1 / 4 + 2 / 4 + 1) / 3)


def test_text_is_aligned_without_empty_columns(sweep, tmp_path_factory):
    lines = summary.as_text(metrics_of(sweep)).splitlines()
    assert lines[0].split() == ["member", "pool", "seed", "val", "KL", "val", "recall", "minutes"]
    assert len({len(line) for line in lines}) == 1
    assert [i for i, line in enumerate(lines) if set(line) == {"-"}] == [1, 5]
    assert float(lines[2].split()[3]) == pytest.approx(kl(fake.VAL_ANSWERS, fake.probabilities(500, 2)), abs=5e-5)
    table = metrics_of(fake.write_member(tmp_path_factory.mktemp("alone"), "avg", 0, val=False).parent)
    assert table["member"].tolist() == ["avg_seed0", "ensemble (1)", "uniform prediction"]  # one pool has no row
    assert summary.headline(table) == ""
    assert summary.as_text(table).splitlines()[0].split() == ["member", "pool", "seed", "minutes"]


def test_markdown_shows_every_row_and_why_members_were_left_out_with_names_escaped(sweep):
    ensemble = combine_members(sweep)
    left_out = replace(ensemble, run_dir=Path("*demo*"), errors={"_d_": "not `complete`"})
    page = summary.as_markdown(left_out, summary.metrics_table(left_out).replace("avg_seed0", "a|b\n<c>"))
    rows = [line for line in page.splitlines() if line.startswith("|")]
    assert len(rows) == 2 + 7 and len({line.replace(r"\|", "").count("|") for line in rows}) == 1
    assert page.startswith("# \\*demo\\*: ensemble of 3 members\n") and r"- \_d\_: not \`complete\`" in page
    assert r"| a\|b\\n\<c\> | avg |" in page
    assert "Left out" not in summary.as_markdown(ensemble, summary.metrics_table(ensemble))


def test_stacking_has_a_row_and_weights_and_is_saved_in_the_json(tmp_path):
    fake.write_unequal(tmp_path)
    ensemble = combine_members(tmp_path, stacked=True)
    stacking, table = ensemble.stacking, summary.metrics_table(ensemble)
    assert table["member"].tolist()[-3:] == ["ensemble (2)", "stacked ensemble (2)", "uniform prediction"]
    assert table["val_kl"].tolist()[-3:-1] == pytest.approx([stacking.mean_kl, stacking.val_kl])
    assert table["weight"].tolist()[:2] == list(stacking.weights.values()) and table["weight"][2:].isna().all()
    assert summary.as_text(table).splitlines()[2].split()[-1] == f"{stacking.weights['avg_seed0']:.3f}"
    assert f"KL of the ensemble: {stacking.val_kl:.4f}" in summary.headline(table)
    verdict = f"KL {stacking.val_kl:.4f} on held-out validation clips (5 parts) vs. {stacking.mean_kl:.4f} of the mean"
    assert f"{verdict}; used" in summary.as_markdown(ensemble, table)
    numbers = json.loads(format_ensemble(ensemble.members, table, {}, stacking))["stacking"]
    assert numbers["weights"] == stacking.weights and numbers["offsets"] == stacking.offsets and numbers["used"] is True


def test_ensembles_of_folds_are_scored_on_all_clips(tmp_path):
    fake.write_folds(tmp_path)
    ensemble = combine_members(tmp_path)
    table = summary.metrics_table(ensemble)
    assert table["fold"].tolist()[:4] == [0, 1, 0, 1] and table["fold"][4:].isna().all()
    first = np.log(2) - np.log(3) / 2  # target 1/2, 1/2, prediction 1/4, 3/4
    second = 0.75 * np.log(1.5)  # target 1/4, 3/4, prediction 1/4, 1/2
    third, fourth = np.log(4 / 3), np.log(2)  # target 1, prediction 3/4; target 1/2, 1/2, prediction 1/8, 1/2
    expected = {"max_seed0_fold0": (first + second) / 2, "max_seed0_fold1": (third + fourth) / 2}
    expected["max ensemble (2)"] = (first + second + third + fourth) / 4
    expected["ensemble (4)"] = (0 + 0.75 + 1 + 0.5) * np.log(2) / 4
    expected["uniform prediction"] = kl(fake.FOLD_ANSWERS, np.full((4, 4), 0.25))
    assert table.set_index("member")["val_kl"][list(expected)].to_dict() == pytest.approx(expected)
    lines = summary.as_text(table).splitlines()
    assert lines[0].split()[:4] == ["member", "pool", "seed", "fold"]
    assert lines[3].split()[:4] == ["avg_seed0_fold1", "avg", "0", "1"]
    mean = table["val_kl"][:4].mean()  # members of different folds are scored on different clips
    assert f"(mean of its members {mean:.4f}, uniform prediction" in summary.headline(table)
    assert "out-of-fold" in summary.as_markdown(ensemble, table)
