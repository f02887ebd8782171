"""The one error that a user can cause: shown as a single sentence, without a traceback."""


class DuendeError(Exception):
    """What a user can mend: the message names the file or value, what was expected and what to do."""
