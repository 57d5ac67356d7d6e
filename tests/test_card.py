"""The model card: metrics and facts of the run, and no others."""

import json

import pytest
import yaml

from overlapped_words.ensembling.combined import combine_members
from overlapped_words.report import card, summary
from tests.helpers.fake_members import write_member

SYNTHETIC = {"num_voices": 48, "train_size": 3500, "batch_size": 32}
FACTS = {"git_commit": "0123456789abcdef", "git_dirty": True, "device": "cpu"}
FACTS["versions"] = {"python": "3.11.7", "torch": "2.14.1"}


def build(sweep) -> str:
    ensemble = combine_members(sweep)
    return card.build(ensemble, summary.metrics_table(ensemble))


def configure(member, source, k=2, **model) -> None:
    data = {**SYNTHETIC, "k": k} if source == "Synthetic" else {"root": "/my/data"}
    data |= {"source": {"_target_": f"datamodules.sources.{source}"}, "cache_dir": "~"}
    config = {"data": data, "model": {"pool": "avg", **model}, "trainer": {"max_epochs": 4, "devices": 1}}
    (member / ".hydra" / "config.yaml").write_text(yaml.safe_dump(config))


def test_every_number_is_that_of_the_run(tmp_path):
    splits = {"train": {"recordings": 2100}, "val": {"recordings": 5, "speakers": 1}, "test": {"recordings": 60}}
    epochs = "epoch,step,train/loss,train/clips,seconds\n0,9,2.5,3488,9\n1,18,2.1,3488,9\n"
    for pool in ("avg", "max"):
        member = write_member(tmp_path, pool, 3, splits=splits, **FACTS)
        configure(member, "Synthetic", width=16)
        (member / "metrics.csv").write_text(epochs)
    text = build(tmp_path)
    ensemble, uniform = summary.metrics_table(combine_members(tmp_path))["val_kl"].tail(2)
    assert f"| ensemble (2) | {ensemble:.4f} |" in text and f"| uniform prediction | {uniform:.4f} |" in text
    assert "| avg_seed3 | 3 | 2 | 6,976 | 0123456789 with changes | python 3.11.7, torch 2.14.1 | cpu |" in text
    assert "in 48 voices" in text
    assert text.split("- words per clip: ")[1].splitlines()[:5] == [
        "2",
        "- training split: 2,100 recordings; 3,500 new clips per epoch",
        "- validation split: 5 recordings by 1 speaker; 2 clips",
        "- test split: 60 recordings; 3 clips",
        "- words: yes, 하나, no, thanks, up",
    ]
    recipe = yaml.safe_load(text.split("```yaml\n")[1].split("```")[0])
    assert recipe["model"] == {"width": 16} and recipe["trainer"] == {"max_epochs": 4}
    assert recipe["data"] == {**SYNTHETIC, "k": 2}
    assert "members differ" not in text
    configure(member, "Synthetic", width=8)
    assert "The settings of avg_seed3; the members differ in model.width:" in build(tmp_path)


@pytest.mark.parametrize("source", ["Synthetic", "WordFolder", "SpeechCommands", "CompetitionFolder"])
def test_licenses_and_speakers_are_those_of_the_source(tmp_path, source):
    configure(write_member(tmp_path, "avg", 0), source)
    text = build(tmp_path)
    assert ("GPL-3.0-or-later" in text) == ("not trained on human speech" in text) == (source == "Synthetic")
    assert "taught the model" not in text
    file = tmp_path / "avg_seed0" / ".hydra" / "config.yaml"
    file.write_text(file.read_text() + "initial_checkpoint: pretrained\n")
    text = build(tmp_path)
    assert (
        "human speech" not in text and "taught the model" in text and "origin: {initial_checkpoint: pretrained}" in text
    )
    assert ("CC BY 4.0" in text) == (source == "SpeechCommands")
    assert ("user's own" in text) == (source in ("WordFolder", "CompetitionFolder"))
    assert ("It does not state the speakers" in text) == (source == "CompetitionFolder")


def test_a_split_that_is_clips_is_counted_once_and_folds_have_no_common_one(tmp_path):
    for fold in (0, 1):
        splits = {"train": {"recordings": 20 + fold}, "test": {"recordings": 3}}
        configure(write_member(tmp_path, "avg", 0, fold=fold, splits=splits), "CompetitionFolder")
    text = build(tmp_path)
    assert "- validation split: 4 clips\n- test split: 3 recordings\n- words" in text and "training split" not in text


def test_unknown_facts_are_omitted(tmp_path):
    member = write_member(tmp_path, "avg", 0, val=False)
    (member / ".hydra" / "config.yaml").unlink()
    metrics = json.loads((member / "metrics.json").read_text())
    (member / "metrics.json").write_text(json.dumps({name: metrics[name] for name in ("status", "pool", "seed")}))
    text = build(tmp_path)
    assert "Unknown: the run folders do not state them" in text and "Recipe" not in text and "None" not in text
    assert "| avg_seed0 | 0 |  |  |  |  |  |" in text and "Not measured" in text
