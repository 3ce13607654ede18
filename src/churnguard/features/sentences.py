"""A sentence with places for numbers, taken apart once and then filled in for many customers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from churnguard.features.units import Language, Unit

_PLACE = re.compile(r"\{([a-z][a-z0-9_]*)(:every)?\}")


@dataclass(frozen=True)
class Sentence:
    """A template such as ``{days_since_login:every} for {orders_90d}``; see :meth:`of`.

    Attributes
    ----------
    words : tuple of str
        What stands before, between and after the numbers.
    names : tuple of str
        The signals whose numbers it tells.
    rhythms : tuple of bool
        Which of them are told as a rhythm.
    """

    words: tuple[str, ...]
    names: tuple[str, ...]
    rhythms: tuple[bool, ...]

    @classmethod
    def of(cls, template: str) -> Sentence:
        """Return a template taken apart.

        Examples
        --------
        >>> Sentence.of("{orders_90d} in 90 days").names
        ('orders_90d',)
        """
        return _sentence(template)

    def fits(self, values: Mapping[str, float]) -> bool:
        """Tell whether all numbers that it tells are known."""
        for name in self.names:
            value = values.get(name)
            if value is None or value != value:  # noqa: PLR0124 - NaN
                return False
        return True

    def fill(
        self,
        values: Mapping[str, float],
        language: Language,
        *,
        currency: str,
        units: Mapping[str, Unit],
    ) -> str:
        """Return the sentence with a customer's numbers, its first letter a capital."""
        text = self.words[0]
        for name, rhythm, after in zip(self.names, self.rhythms, self.words[1:], strict=True):
            unit, value = units[name], values[name]
            if rhythm:
                text += unit.every(value, language) + after
            else:
                text += unit.phrase(value, language, currency=currency) + after
        return text[:1].upper() + text[1:]


@lru_cache(maxsize=4096)
def _sentence(template: str) -> Sentence:
    pieces = _PLACE.split(template)  # words, name, rhythm, words, name, rhythm, ..., words
    rhythms = tuple(bool(mark) for mark in pieces[2::3])
    return Sentence(tuple(pieces[::3]), tuple(pieces[1::3]), rhythms)
