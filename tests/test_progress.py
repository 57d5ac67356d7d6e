"""Long work shows its progress, also without a terminal."""

import logging

from datamodules import progress
from datamodules.progress import Progress


def test_without_a_terminal_a_line_per_minute_states_progress_and_time_left(monkeypatch, caplog):
    now = [1000.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    caplog.set_level(logging.INFO)
    with Progress(100_000, "features", done=6_000) as bar:  # 6,000 by an earlier process do not count for the speed
        for _ in range(300):
            now[0] += 1.0
            bar.update(100)
    assert len(caplog.messages) == 5
    assert caplog.messages[0] == "features: 12% (12,000 of 100,000 clips), 14 min 40 s left"
    assert caplog.messages[-1] == "features: 36% (36,000 of 100,000 clips), 10 min 40 s left"
