"""Which two kinds of failure does the house know, and what must each of them carry?"""

from __future__ import annotations


class BitNerveError(Exception):
    """The root of every error that this code base raises on purpose."""


class Refusal(BitNerveError):
    """An expected "no", told to whoever asked: a stable code and the facts behind it.

    Subclasses set `code` (UPPER_SNAKE, never renamed) and are raised with keyword facts; the text names
    the field, the rule and the numbers.
    """

    code = "REFUSED"

    def __init__(self, message: str, /, **facts: object) -> None:
        super().__init__(message)
        self.facts = facts


class BrokenInvariant(BitNerveError):
    """A bug: something that the rules make impossible has happened. Nothing catches it but the edge."""
