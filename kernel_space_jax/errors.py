"""The one exception that reaches a person: a sentence, shown without a traceback."""

from collections.abc import Iterable
from difflib import get_close_matches


class UserError(Exception):
    """Something the user gave is wrong; the message says what, and what to do."""


def unknown(what: str, name: str, known: Iterable[str]) -> UserError:
    """The error about a name that is not among those `known`, with the nearest one."""
    known = [*known]
    return UserError(
        f"there is no {what} '{name}'{nearest(str(name), known)}; "
        f"choose one of {', '.join(known)}"
    )


def nearest(name: str, known: Iterable[str]) -> str:
    """ " (did you mean 'X'?)" for the name that is most like it, or nothing."""
    by_lower = {one.lower(): one for one in known}
    near = get_close_matches(name.lower(), by_lower, 1)
    return f" (did you mean '{by_lower[near[0]]}'?)" if near else ""
