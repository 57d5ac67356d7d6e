"""The number of threads: measured at the start of a run, and again when it becomes slow."""

from types import SimpleNamespace

import pytest

from overlapped_words import threads
from overlapped_words.threads import AGAIN, SLOW, TRIAL, WARM_UP, ThreadTuner
from overlapped_words.training.threads import TuneThreads, fixed_threads

MEASURED = 2 * (WARM_UP + TRIAL) + 1  # steps


@pytest.fixture
def steps(monkeypatch):
    """Run steps whose times depend on the number of threads -> the number of threads after them."""
    monkeypatch.setattr(threads.torch, "set_num_threads", lambda number: state.update(threads=number))
    monkeypatch.setattr(threads.torch, "get_num_threads", lambda: state["threads"])
    monkeypatch.setattr(threads.time, "monotonic", lambda: state["now"])
    state = {"threads": 4, "now": 0.0, "spent": 0.0}

    def run(tuner, number, seconds):
        start = state["now"]
        for _ in range(number):
            state["now"] += seconds[state["threads"]]
            tuner.step()
        return state["threads"], state["now"] - start

    return run


@pytest.mark.parametrize(("seconds", "best"), [({1: 1, 4: 0.5}, 4), ({1: 1, 4: 1.5}, 1)])
def test_the_faster_number_is_chosen(steps, seconds, best):
    tuner = ThreadTuner(4)
    assert steps(tuner, MEASURED, seconds)[0] == best
    assert steps(tuner, 100, seconds) == (best, 100 * seconds[best])


def test_a_slow_trial_ends_early(steps):
    number, seconds = steps(ThreadTuner(4), MEASURED, {1: 1, 4: 30})
    assert number == 1 and seconds < MEASURED + 2 * 30 + 30


def test_a_busy_machine_is_noticed_and_an_idle_one_later(steps):
    tuner, idle, busy = ThreadTuner(4), {1: 1, 4: 0.5}, {1: 1, 4: 10}
    steps(tuner, MEASURED + TRIAL + 1, idle)
    number, seconds = steps(tuner, 50, busy)
    assert number == 1 and seconds < 50 + 10 * (TRIAL + WARM_UP)
    assert steps(tuner, AGAIN + MEASURED, idle)[0] == 4


def test_an_earlier_choice_is_kept_until_it_is_slow(steps):
    tuner = ThreadTuner(4, threads=4)
    assert steps(tuner, 50, {1: 1, 4: 1.5}) == (4, 75)
    assert steps(tuner, 50, {1: 1, 4: SLOW * 2})[0] == 1


@pytest.mark.parametrize(
    ("threads", "accelerator", "sweep", "expected"),
    [("auto", "cpu", True, 1), ("auto", "cpu", False, None), ("auto", "cuda", True, None), (3, "cpu", True, 3)],
)
def test_one_thread_in_a_sweep_on_a_cpu(monkeypatch, threads, accelerator, sweep, expected):
    monkeypatch.setattr("overlapped_words.training.threads.in_sweep", lambda: sweep)
    cfg = SimpleNamespace(threads=threads, trainer={"accelerator": accelerator})
    assert fixed_threads(cfg) == expected


def test_a_resumed_run_keeps_its_number(steps, monkeypatch):
    monkeypatch.setattr("overlapped_words.training.threads.max_threads", lambda: 4)
    callback = TuneThreads()
    callback.load_state_dict({"threads": 4})
    callback.on_train_start()
    assert not callback.tuner.measuring and steps(callback.tuner, 20, {1: 1, 4: 2}) == (4, 40)
    assert callback.state_dict() == {"threads": 4}
