"""Errors that the user can correct. Scripts print them as one line; every other exception is a bug and a traceback."""

import errno

DISK_FULL = (errno.ENOSPC, errno.EDQUOT)  # errno of an OSError: the device, or the user's share of it


class UserError(ValueError):
    """Something the program was given cannot be used.

    The message says what is wrong, where (file, row or setting) and what to do.
    """


class SettingError(UserError):
    """A setting, or a combination of settings."""


class DataError(UserError):
    """Recordings, a table of targets, or their split into speakers and folds."""


class CacheError(UserError):
    """The cache cannot be written."""


class RunError(UserError):
    """A run folder, a checkpoint, or a table in it."""


def user_message(error: BaseException) -> str | None:
    """What to tell the user about an error of theirs or of the operating system; None for a bug."""
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror}"
    return str(error) if isinstance(error, UserError | OSError) else None
