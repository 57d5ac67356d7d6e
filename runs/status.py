"""How far a run is, as metrics.json names it."""

from enum import Enum


class Status(str, Enum):  # a StrEnum, which Python 3.10 does not have
    WAITING = "waiting"  # its sweep has not started it
    RUNNING = "running"
    INTERRUPTED = "interrupted"  # by Ctrl-C or SIGTERM, or without a sign of life
    STOPPED = "stopped"  # trainer.max_time was over before trainer.max_epochs; its tables are those of its last epoch
    COMPLETE = "complete"
    FAILED = "failed"  # by an error

    __str__ = str.__str__
