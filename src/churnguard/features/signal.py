"""What a signal is, and the decorator that makes one out of a function over rows.

::

    @signal(unit=ORDERS, direction=-1, needs=("order_completed",),
            en="{orders_60d} in the last 60 days", he="{orders_60d} ב-60 הימים האחרונים")
    def orders_60d(rows):
        '''Orders in the last 60 days.'''
        return rows.events("order_completed").count(days=60)

The docstring is the formula. A function that takes ``days`` too is a signal per window.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from hashlib import sha256
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from churnguard.errors import CatalogueError
from churnguard.features import kernel
from churnguard.features.rows import Rows
from churnguard.features.sentences import Sentence
from churnguard.features.units import LANGUAGES, Language, Unit

Floats = NDArray[np.float64]
Direction = Literal[-1, 0, 1]

EVERY: tuple[int, ...] = ()
"""As ``windows``: every window of the catalogue."""

UNKNOWN: Mapping[str, str] = {"en": "Nothing is known yet", "he": "אין עדיין נתונים"}
"""What is said where a sentence's numbers are missing and the signal has no words for that."""

_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class Signal:
    """One behavioural measure: a column, what it means, and how it is told.

    Attributes
    ----------
    name : str
        The column.
    version : int
        Raised when the number changes its meaning.
    family : str
        Signals of a family move together and are told together.
    unit : Unit
        What the number is counted in.
    direction : {-1, 0, 1}
        1 if the risk rises as the number grows, -1 if it falls, 0 if either may be.
    formula : str
        What exactly is measured, in one or two sentences.
    needs : tuple of str
        Events without which the signal can say nothing.
    sentence : mapping of str to str
        By language; ``{other_signal}`` stands for that signal's number, said in its unit, and
        ``{other_signal:every}`` for a number of days told as a rhythm.
    zero : mapping of str to str
        The sentence where its own number is 0; empty where ``sentence`` says that well.
    missing : mapping of str to tuple of str
        Sentences where a number of ``sentence`` is missing, the fullest first; each is told if
        the numbers it holds are known.
    usual : str or None
        The signal that holds what is usual for this customer.
    told_as : str or None
        The signal by which its effect is told to people, where its own number would say little.
    days : int or None
        The window, for a signal per window.
    source : str
        The name of the definition it came from.
    compute : callable
        From ``Rows`` to float64, shape (n,), NaN where nothing is known.
    """

    name: str
    version: int
    family: str
    unit: Unit
    direction: Direction
    formula: str
    needs: tuple[str, ...]
    sentence: Mapping[str, str]
    zero: Mapping[str, str]
    missing: Mapping[str, tuple[str, ...]]
    usual: str | None
    told_as: str | None
    days: int | None
    source: str
    compute: Callable[[Rows], Floats] = field(repr=False, compare=False)

    @cached_property
    def digest(self) -> str:
        """Return a digest of what decides the number: name, version, formula, code, kernel."""
        parts = (self.name, str(self.version), self.formula, _code(self.compute))
        return sha256("\n".join((*parts, str(kernel.VERSION))).encode()).hexdigest()[:16]

    def column(self, rows: Rows) -> Floats:
        """Return the signal of rows, checked.

        Raises
        ------
        CatalogueError
            If the function does not return one float64 a row.
        """
        numbers = self.compute(rows)
        if not isinstance(numbers, np.ndarray) or numbers.shape != rows.shape:
            raise CatalogueError(
                f"The signal '{self.name}' did not return one number a row.",
                hint="Return a NumPy array as long as 'rows', NaN where nothing is known.",
            )
        return numbers

    def tell(
        self,
        values: Mapping[str, float],
        language: Language,
        *,
        currency: str = "USD",
        units: Mapping[str, Unit],
    ) -> str:
        """Return the sentence with a customer's numbers.

        Parameters
        ----------
        values : mapping of str to float
            The customer's signals by name; NaN is missing.
        language : {"en", "he"}
            The language to write.
        currency : str
            The shop's ISO 4217 code.
        units : mapping of str to Unit
            Unit of each signal; see :meth:`Catalogue.tell`, which knows them.
        """
        return self.teller(language, currency=currency, units=units)(values)

    def teller(
        self, language: Language, *, currency: str = "USD", units: Mapping[str, Unit]
    ) -> Callable[[Mapping[str, float]], str]:
        """Return what writes its sentences, as :meth:`tell` does, for many customers."""
        name, unknown = self.name, UNKNOWN[language]
        texts = (self.zero[language], self.sentence[language], *self.missing[language])
        zero, *others = (
            Sentence.of(text).teller(language, currency=currency, units=units) for text in texts
        )
        has_zero = bool(self.zero[language])

        def told(values: Mapping[str, float]) -> str:
            if has_zero and values.get(name) == 0 and (text := zero(values)) is not None:
                return text
            for sentence in others:  # the fullest first
                if (text := sentence(values)) is not None:
                    return text
            return unknown

        return told

    @property
    def mentions(self) -> tuple[str, ...]:
        """Return the signals whose numbers its sentences tell, itself included if it does."""
        texts = [*self.sentence.values(), *self.zero.values()]
        texts += [text for several in self.missing.values() for text in several]
        return tuple(dict.fromkeys(name for text in texts for name in Sentence.of(text).names))


@dataclass(frozen=True)
class Definition:
    """A signal as it is written, before its windows are chosen; made by :func:`signal`.

    Attributes
    ----------
    pattern : Signal
        Its name, formula and sentences may hold ``{days}``; ``compute`` may take ``days``.
    windows : tuple of int or None
        None for a signal without windows of its choice; ``EVERY`` for those of the catalogue.
    """

    pattern: Signal
    windows: tuple[int, ...] | None

    def signals(self, windows: tuple[int, ...]) -> tuple[Signal, ...]:
        """Return the signals for a catalogue's windows."""
        if self.windows is None:
            return (self.pattern,)
        return tuple(self.at(days) for days in self.windows or windows)

    def at(self, days: int | None) -> Signal:
        """Return the signal for one window; None for a signal without windows."""
        if days is None:
            return self.pattern
        pattern = self.pattern

        def put(text: str) -> str:
            return text.replace("{days}", str(days))

        return replace(
            pattern,
            name=put(pattern.name),
            formula=put(pattern.formula),
            sentence={language: put(text) for language, text in pattern.sentence.items()},
            zero={language: put(text) for language, text in pattern.zero.items()},
            missing={
                language: tuple(put(text) for text in texts)
                for language, texts in pattern.missing.items()
            },
            usual=put(pattern.usual) if pattern.usual else None,
            days=days,
            compute=partial(cast("Callable[..., Floats]", pattern.compute), days=days),
        )

    def __call__(self, rows: Rows, *windows: int) -> Floats:
        """Compute the signal, so that one signal may be built on another."""
        return cast("Callable[..., Floats]", self.pattern.compute)(rows, *windows)


def signal(
    *,
    unit: Unit,
    needs: tuple[str, ...],
    en: str,
    he: str,
    direction: Direction = 0,
    zero_en: str = "",
    zero_he: str = "",
    missing_en: str | tuple[str, ...] = (),
    missing_he: str | tuple[str, ...] = (),
    usual: str | None = None,
    told_as: str | None = None,
    windows: tuple[int, ...] = EVERY,
    version: int = 1,
    family: str | None = None,
) -> Callable[[Callable[..., Floats]], Definition]:
    """Make a signal out of a function over rows; see the module, and ``Signal`` for the parts.

    Parameters
    ----------
    en, he, zero_en, zero_he : str
        Sentences in English and Hebrew.
    missing_en, missing_he : str or tuple of str
        One sentence or several, the fullest first.
    windows : tuple of int
        For a function that takes ``days``: its windows, or every window of the catalogue.
    family : str, optional
        By default the name of the file.

    Examples
    --------
    >>> from churnguard.features.units import ORDERS
    >>> words = "{orders_{days}d}"
    >>> @signal(unit=ORDERS, needs=("order_completed",), en=words, he=words)
    ... def orders(rows, days):
    ...     '''Orders in the last {days} days.'''
    ...     return rows.events("order_completed").count(days)
    >>> [found.name for found in orders.signals((30, 90))]
    ['orders_30d', 'orders_90d']
    """

    def made(function: Callable[..., Floats]) -> Definition:
        windowed = "days" in inspect.signature(function).parameters
        pattern = Signal(
            name=function.__name__ + "_{days}d" * windowed,
            version=version,
            family=family or function.__module__.rpartition(".")[2],
            unit=unit,
            direction=direction,
            formula=" ".join((inspect.getdoc(function) or function.__name__).split()),
            needs=needs,
            sentence={"en": en, "he": he},
            zero={"en": zero_en, "he": zero_he},
            missing={"en": _several(missing_en), "he": _several(missing_he)},
            usual=usual,
            told_as=told_as,
            days=None,
            source=function.__name__,
            compute=function,
        )
        definition = Definition(pattern, windows if windowed else None)
        _register(definition)
        return definition

    return made


_REGISTRY: dict[str, list[Definition]] = {}


def definitions_of(source: str) -> tuple[Definition, ...]:
    """Return every definition of a name that has been imported, the newest last."""
    return tuple(_REGISTRY.get(source, ()))


def _register(definition: Definition) -> None:
    """Keep a definition findable by name; the same one again takes its own place."""
    source, digest = definition.pattern.source, definition.pattern.digest
    others = [d for d in _REGISTRY.get(source, ()) if d.pattern.digest != digest]
    _REGISTRY[source] = [*others, definition]


def _several(texts: str | tuple[str, ...]) -> tuple[str, ...]:
    return (texts,) if isinstance(texts, str) else texts


def _code(compute: Callable[..., Any]) -> str:
    """Return a function's text from ``def`` on, without regard to layout."""
    function = compute.func if isinstance(compute, partial) else compute
    try:
        text = inspect.getsource(function)
    except (OSError, TypeError):
        return ""
    return " ".join(text[max(text.find("def "), 0) :].split())


def refuse_bad_name(name: str) -> None:
    """Stop on a name that cannot be a column.

    Raises
    ------
    CatalogueError
        If the name is not lower-case letters, digits and underscores.
    """
    if not _NAME.fullmatch(name):
        raise CatalogueError(
            f"'{name}' cannot be a signal's name.",
            hint="Use lower-case letters, digits and underscores, a letter first.",
        )


assert set(UNKNOWN) == set(LANGUAGES)
