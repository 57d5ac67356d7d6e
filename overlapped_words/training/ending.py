"""How a training run ends: complete, at its time limit, by a signal or by an error."""

import errno
import logging
import multiprocessing
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from lightning import Callback, Trainer
from lightning.pytorch.callbacks import Timer
from lightning.pytorch.utilities.exceptions import MisconfigurationException

from overlapped_words.errors import RunError, SettingError
from overlapped_words.messages import count
from overlapped_words.runs.folder import Status

log = logging.getLogger(__name__)

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class RaiseAgain(Callback):
    """Raise the exit of a signal at the end of a batch if it was lost.

    Python ignores exceptions that a signal handler raises within a weakref callback or a finalizer.
    """

    received: SystemExit | None = None

    def on_train_batch_end(self, *_: Any) -> None:
        if RaiseAgain.received:
            raise RaiseAgain.received


@contextmanager
def clear_end(run_dir: str | None) -> Iterator[None]:
    """Exit with 130 after Ctrl-C and with 143 after SIGTERM, and log that the run in `run_dir` can resume.

    Lightning exits with 1 after Ctrl-C and with 0 after SIGTERM, and only within `fit`; this also covers loading the
    data and predicting. Without a `run_dir` there is nothing to resume.

    Raises:
        SettingError: Lightning rejects a setting.
        RunError: the disk is full.
    """
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    # A launcher may have set its own handler.
    ours = threading.current_thread() is threading.main_thread() and handlers[signal.SIGTERM] == signal.SIG_DFL
    RaiseAgain.received = None
    hook = threading.excepthook
    # The thread that writes for TensorBoard: the next write raises its error in this one.
    threading.excepthook = lambda args: None if isinstance(args.exc_value, OSError) else hook(args)
    if ours:
        for number in SIGNALS:
            signal.signal(number, _exit)
    try:
        yield
    except SystemExit as error:
        names = {128 + number: number.name for number in SIGNALS}
        if run_dir and error.code in names:
            name = names[error.code]
            log.warning("ended by %s; repeat the command to resume from the last completed epoch", name)
        raise
    except OSError as error:
        if run_dir and error.errno in (errno.ENOSPC, errno.EDQUOT) and not error.filename:
            raise RunError(f"{run_dir}: {error.strerror}; free some, and repeat the command to resume") from error
        raise
    except MisconfigurationException as error:
        raise SettingError(" ".join(str(error).split())) from error
    finally:
        threading.excepthook = hook
        for worker in multiprocessing.active_children():
            worker.kill()  # workers of a data loader ignore SIGTERM, by which Python would end them
        if ours:
            for number, handler in handlers.items():
                signal.signal(number, handler)


def final_status(trainer: Trainer, epochs: int, max_epochs: int) -> Status:
    """The status of a run after `epochs`: stopped if a timer ended it before `max_epochs`, else complete."""
    timers = [callback for callback in trainer.callbacks if isinstance(callback, Timer)]  # type: ignore[attr-defined]
    left = [time for timer in timers if (time := timer.time_remaining()) is not None]
    if epochs == max_epochs or min(left, default=1) > 0:
        return Status.COMPLETE
    done = f"{epochs} of {count(max_epochs, 'epoch')}"
    log.warning("stopped by trainer.max_time after %s; repeat the command with a longer one to resume", done)
    return Status.STOPPED


def _exit(number: int, frame: FrameType | None) -> None:
    if number == signal.SIGTERM:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second signal must not interrupt the shutdown
    RaiseAgain.received = SystemExit(128 + number)
    raise RaiseAgain.received
