"""User errors, which scripts print as one line; any other exception is a bug and prints a traceback."""


class UserError(ValueError):
    """An error in the user's input. The message says what is wrong, where (file, row or setting) and what to do."""


class SettingError(UserError):
    """A setting or a combination of settings is wrong."""


class DataError(UserError):
    """Recordings, targets, or their split into speakers and folds cannot be used."""


class CacheError(UserError):
    """The cache cannot be written."""


class RunError(UserError):
    """A run folder, a checkpoint or a table in it cannot be used."""


def user_message(error: BaseException) -> str | None:
    """The message of a user error or of an error of the operating system; None for a bug."""
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror}"
    return str(error) if isinstance(error, UserError | OSError) else None
