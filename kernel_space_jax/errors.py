"""The one exception that reaches a person: a sentence, shown without a traceback."""


class UserError(Exception):
    """Something the user gave is wrong; the message says what, and what to do."""
