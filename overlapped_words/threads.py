"""How many CPU threads PyTorch uses: as many as the process may, or one where that is faster.

Beside another program, the threads of a step wait for each other, and two threads may be thirty times slower than one.
"""

import time
from statistics import median

import torch

from overlapped_words.messages import count

TRIAL = 8  # steps to measure, after as many as WARM_UP
WARM_UP = 2
SLOW = 2.0  # times as long as expected: measure again
AGAIN = 500  # steps with one thread until both are tried again


def max_threads() -> int:
    """Cores that this process may use, by its affinity and the quota of its container, or fewer by OMP_NUM_THREADS."""
    from joblib import cpu_count  # here: a first answer does not need it

    return min(torch.get_num_threads(), cpu_count())


class ThreadTuner:
    """Choose between one thread and `most` by the time of steps of equal size, again when that changes.

    Args:
        most: number of threads to try.
        threads: an earlier choice, which is kept until its steps become slow; 0: none.
        trial: steps to measure.
    """

    def __init__(self, most: int, threads: int = 0, trial: int = TRIAL) -> None:
        self.most, self.trial = most, trial
        self.medians: dict[int, float] = {}  # seconds of a step by number of threads
        self.seconds: list[float] = []
        self.last: float | None = None
        self.measuring = not threads and most > 1
        torch.set_num_threads(1 if self.measuring else threads or most)

    def step(self) -> None:
        """Call after every step."""
        now, before = time.monotonic(), self.last
        self.last = now
        if before is None or self.most == 1:
            return
        self.seconds.append(now - before)
        threads, recent = torch.get_num_threads(), median(self.seconds[-self.trial :])
        if not self.measuring:
            if threads == 1:
                again = len(self.seconds) == AGAIN
            else:  # kept while they are not slow, so that a resumed run takes the same steps with them
                del self.seconds[: -self.trial - 1]
                again = len(self.seconds) > self.trial and recent > SLOW * self.medians.setdefault(threads, recent)
            if again:
                self._use(1, measuring=True)
            return
        # A trial of more threads takes no longer than the one of one thread: a step may take thirty times as long.
        late = threads > 1 and sum(self.seconds) > (WARM_UP + self.trial) * self.medians[1]
        if late or len(self.seconds) == WARM_UP + self.trial:
            self.medians[threads] = recent
            if threads == 1:
                self._use(self.most, measuring=True)
            else:
                self._use(min(self.medians, key=self.medians.__getitem__), measuring=False)

    def _use(self, threads: int, measuring: bool) -> None:
        self.measuring, self.seconds = measuring, []
        torch.set_num_threads(threads)

    def __str__(self) -> str:
        """The choice and what it rests on: "2 threads (1: 9.1 steps/s, 2: 14 steps/s)"."""
        rates = ", ".join(f"{threads}: {1 / seconds:.3g} steps/s" for threads, seconds in sorted(self.medians.items()))
        return f"{count(torch.get_num_threads(), 'thread')} ({rates})"
