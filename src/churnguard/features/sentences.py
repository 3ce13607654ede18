"""A sentence with places for numbers, taken apart once and then filled in for many customers."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
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

    def teller(
        self, language: Language, *, currency: str, units: Mapping[str, Unit]
    ) -> Callable[[Mapping[str, float]], str | None]:
        """Return what fills in customers' numbers, the first letter a capital.

        Where one of the numbers is not known, or not among ``units``, there is no sentence: None.
        """
        if any(name not in units for name in self.names):
            return lambda _values: None
        first = self.words[0][:1].upper() + self.words[0][1:]
        places = [
            (
                name,
                units[name].rhythms(language)
                if rhythm
                else units[name].phrases(language, currency=currency),
                after,
            )
            for name, rhythm, after in zip(self.names, self.rhythms, self.words[1:], strict=True)
        ]

        def told(values: Mapping[str, float]) -> str | None:
            text = first
            for name, phrase, after in places:
                value = values.get(name)
                if value is None or value != value:  # noqa: PLR0124 - NaN
                    return None
                text += phrase(value) + after
            return text if first else text[:1].upper() + text[1:]

        return told


@lru_cache(maxsize=4096)
def _sentence(template: str) -> Sentence:
    pieces = _PLACE.split(template)  # words, name, rhythm, words, name, rhythm, ..., words
    rhythms = tuple(bool(mark) for mark in pieces[2::3])
    return Sentence(tuple(pieces[::3]), tuple(pieces[1::3]), rhythms)
