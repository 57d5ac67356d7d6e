"""The GPU benchmark: reading traces, time limits, and a smoke test on a CPU."""

import json
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch
from torch.profiler import profile, record_function

from benchmarks.gpu import PROJECT, finish, main, read_rows
from benchmarks.trace import read_steps


def event(cat: str, name: str, start: float, end: float, thread: int = 1, **arguments: int) -> dict:
    return {"ph": "X", "cat": cat, "name": name, "ts": start, "dur": end - start, "tid": thread, "args": arguments}


def test_kernels_belong_to_the_range_that_launched_them(tmp_path: Path) -> None:
    events = [
        event("user_annotation", "optimizer", 0, 100),
        event("user_annotation", "forward", 10, 20),
        event("user_annotation", "not a phase", 11, 19),
        event("cuda_runtime", "cudaLaunchKernel", 12, 13, correlation=1),
        event("cuda_driver", "cuLaunchKernel", 30, 31, thread=2, correlation=2),  # autograd's thread
        event("cuda_runtime", "cudaGraphLaunch", 50, 51, correlation=3),
        event("cuda_runtime", "cudaMemcpyAsync", 150, 151, correlation=4),
        event("kernel", "conv", 40, 60, thread=7, correlation=1),
        event("kernel", "conv_backward", 50, 90, thread=7, correlation=2),  # at the same time as the one before
        event("kernel", "sgd", 100, 110, thread=7, correlation=3),
        event("kernel", "sgd", 110, 120, thread=7, correlation=3),
        event("gpu_memcpy", "copy", 200, 220, thread=7, correlation=4),
        {"ph": "M", "name": "process_name"},
    ]
    (tmp_path / "trace.json").write_text(json.dumps({"traceEvents": events}))
    steps = read_steps(tmp_path / "trace.json", ["forward", "optimizer"], on_gpu=True)
    assert steps.busy == 50 + 20 + 20
    assert steps.shares == pytest.approx({"forward": 0.2, "backward": 0.4, "optimizer": 0.2, "other": 0.2})


def test_cpu_trace(tmp_path: Path) -> None:
    with profile() as profiler:
        with record_function("large"):
            torch.randn(400, 400) @ torch.randn(400, 400)
        with record_function("small"):
            torch.randn(10) + 1
    profiler.export_chrome_trace(str(tmp_path / "trace.json"))
    shares = read_steps(tmp_path / "trace.json", ["large", "small"], on_gpu=False).shares
    assert shares["large"] > shares["small"] > 0
    with pytest.raises(ValueError, match="contains no operations"):
        read_steps(tmp_path / "trace.json", ["large", "small"], on_gpu=True)


def test_a_section_that_hangs_keeps_its_rows(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.helpers.hanging_section"]
    rows = list(read_rows(command, 5.0, tmp_path / "log"))
    assert rows[0] == {"row": "a"} and "exit status -9, time limit 5 s" in rows[1]["error"] and len(rows) == 2
    assert (tmp_path / "log").read_text() == "a warning\n"


def test_derived_values() -> None:
    row = finish(
        {"row": "16-mixed", "clips_per_s": 31_988.0, "gpu_busy": 0.9, "forward": 0.3, "backward": 0.5}, 8_000.0
    )
    assert row["hours_of_sixteen"] == pytest.approx(16 * 200 * 781 * 128 / 31_988 / 3600)
    assert row["of_notebook"] == pytest.approx(3.9985) and row["network_busy"] == pytest.approx(0.72)
    assert "hours_of_sixteen" not in finish({"row": "best_words", "clips_per_s": 1.0}, 1.0)


def test_smoke_test(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--tiny", "--out", str(tmp_path)])
    table = pd.read_csv(tmp_path / "gpu.csv").set_index("row")
    assert table["error"].isna().all()
    assert {"notebook, its own loading", *(row.name for row in PROJECT), "best_words, trained"} <= set(table.index)
    assert (table["clips_per_s"] > 0).all() and table.loc["best_words, trained", "val_kl"] > 0
    every_step = table.loc["16-mixed, features at every step"]
    assert every_step[["forward", "backward", "optimizer", "features", "augmentation", "loading"]].gt(0).all()
    assert "val KL" in capsys.readouterr().out


def test_without_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit, match="no GPU"):
        main([])
