"""The states of a run."""

from enum import Enum


class Status(str, Enum):  # a StrEnum, which Python 3.10 does not have
    WAITING = "waiting"  # its sweep has not started it
    RUNNING = "running"
    INTERRUPTED = "interrupted"  # by Ctrl-C or SIGTERM, or it runs without a heartbeat
    STOPPED = "stopped"  # by trainer.max_time; its tables are those of its last epoch
    COMPLETE = "complete"
    FAILED = "failed"  # by an error
    # Never in metrics.json:
    NOT_STARTED = "not started"  # its sweep ended before it started
    UNREADABLE = "unreadable"  # metrics.json is damaged or missing

    __str__ = str.__str__
