"""Long work shows its progress, also without a terminal."""

import logging

import numpy as np
import pytest

from datamodules import progress
from datamodules.cache import cached_array
from datamodules.progress import Progress


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time in seconds, which a test advances."""
    now = [1000.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_without_a_terminal_a_line_per_minute_states_progress_and_time_left(clock, caplog):
    caplog.set_level(logging.INFO)
    with Progress(100_000, "features") as bar:
        for _ in range(300):
            clock[0] += 1.0
            bar.update(100)
    assert len(caplog.messages) == 5
    assert caplog.messages[0] == "features: 6% (6,000 of 100,000 clips), 15 min 40 s left"
    assert caplog.messages[-1] == "features: 30% (30,000 of 100,000 clips), 11 min 40 s left"


def test_work_of_an_earlier_process_does_not_count_for_the_speed(clock):
    bar = Progress(100, "training", "step", done=50)
    clock[0] += 10
    bar.update(10)
    assert str(bar) == "60% (60 of 100 steps), 40 s left"


def test_no_line_for_short_work_or_after_a_line_of_the_caller(clock, caplog):
    caplog.set_level(logging.INFO)
    bar = Progress(1, "predicting", "batch")
    clock[0] += 59
    bar.line_printed()
    clock[0] += 59
    bar.update()
    assert caplog.messages == []
    assert str(bar) == "100% (1 of 1 batch), 0 s left"


def test_building_an_array_in_the_cache_logs_its_progress(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(progress, "INTERVAL", 0.0)
    caplog.set_level(logging.INFO)
    cached_array(tmp_path / "a.npy", (4, 2), np.int16, lambda: np.ones((2, 2, 2)), "features")
    assert [message.split("%")[0] for message in caplog.messages[1:]] == ["features: 50", "features: 100"]
