"""The benchmarks of speed: both sides process the same clips; a row of train.py has its speed, or its error."""

from pathlib import Path

import pytest
import torch

from benchmarks import gpu, notebook, speed, workload


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """130 clips, two of them distinct."""
    root = tmp_path_factory.mktemp("speed") / "clips"
    workload.make_clips(root, 130, num_distinct=2)
    return root


def test_both_sides_load_the_same_batches(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for side in (speed, notebook):
        monkeypatch.setattr(side, "rate", lambda work: work())
        assert side.loading(root, 0) == 128
    data = speed.data_module(root, root / "cache")
    data.setup()
    features, targets = data.train.__getitems__([0, 1])
    expected = [torch.load(root / "files" / f"{i:06d}.pt") for i in range(2)]
    assert torch.allclose(features.float(), torch.stack(expected), atol=0.01)
    assert set(targets.unique().tolist()) == {0.0, 0.25} and (targets.sum(dim=1) == 1).all()


def test_a_training_run_has_its_speed_or_its_error(root: Path) -> None:
    options = ["experiment=winner", f"data.root={root}", *gpu.LONG, *gpu.SMALL]
    clips_per_second, gigabytes = workload.train(root, "run", *options, "trainer.limit_train_batches=2")
    assert clips_per_second > 0 and gigabytes > 0
    with pytest.raises(RuntimeError, match="model"):
        workload.train(root, "other", *options, "model.width=no")


def test_rows(capsys: pytest.CaptureFixture[str]) -> None:
    gpu.print_row("16-mixed", 32_000, reference=8_000, memory=21.5)
    gpu.print_row("best_words, batch 128", 3_294, reference=8_000, memory=0.5)
    assert (
        capsys.readouterr().out
        == "| 16-mixed | 32,000 | 4.0 | 21.5 | 2.8 |\n| best_words, batch 128 | 3,294 |  | 0.5 |  |\n"
    )


def test_without_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit, match="no GPU"):
        gpu.main([])
