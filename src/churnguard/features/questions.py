"""Everything a catalogue asks of one customer, found out once and then answered in one go.

For one row, calling a compiled loop costs more than the loop. So what a catalogue's signals ask,
and what they make of the answers, is kept as a program, and for a customer within a request a
single compiled call runs it, with the kernel's own loops. Signals that say no formula, and a shop's
own, are computed as they are written, from answers known beforehand; a question that was not
foreseen is answered as for many rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from churnguard.clock import DAY_US
from churnguard.events.timeline import MISSING, WORD_COLUMNS, Timeline
from churnguard.features import answering
from churnguard.features.drafts import formula_of, heard_of
from churnguard.features.formulas import OPERATIONS, Formula
from churnguard.features.rows import WIDTH, Answers, Path, Question, Step
from churnguard.features.signal import Signal
from churnguard.features.tracks import DERIVED, Tracks, scale

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
_Asked = tuple[Path, Question, int]

MOST_ROWS = 64
"""So few rows of one customer are answered in one go."""


@dataclass(frozen=True)
class Questions:
    """A program for :func:`churnguard.features.answering.answer`.

    Attributes
    ----------
    kinds : tuple of str
        Kinds of event that are looked at, derived ones last.
    columns : tuple of str
        Columns that are read.
    steps : ndarray of int64, shape (narrowed, 4)
        Narrowed kinds: parent, how, column, and to what.
    words : tuple of (int, str, str)
        Place in ``steps``, column and word, where "to what" is the code of a word.
    program : ndarray of int64, shape (questions, 8)
        Each question: which, of what, column, begin and end of the window in microseconds back
        from the cutoff (-1: at the first event), one more argument, the column's scale, and the
        answer's place.
    formulas : ndarray of int64, shape (k, 5)
        What is made of answers: see :func:`churnguard.features.formulas.compute`.
    blank : ndarray of float64, shape (places,)
        Constants of formulas at their places, NaN at those of answers and results.
    asked : tuple of (Path, Question, int)
        What signals without a formula ask, and the place of each answer, or of its first part.
    told : ndarray of int64, shape (m, 2)
        Signals with a formula: the signal's place, and that of its number.
    made : ndarray of int64, shape (signals - m,)
        Places of the other signals.
    """

    kinds: tuple[str, ...]
    columns: tuple[str, ...]
    steps: Ints
    words: tuple[tuple[int, str, str], ...]
    program: Ints
    formulas: Ints
    blank: Floats
    asked: tuple[_Asked, ...]
    told: Ints
    made: Ints

    @classmethod
    def of(cls, signals: Iterable[Signal]) -> Questions:
        """Find out what signals ask, and what they make of the answers."""
        signals = tuple(signals)
        formulas = {place: formula_of(signal) for place, signal in enumerate(signals)}
        made = [place for place, formula in formulas.items() if formula is None]
        table = _Table()
        asked = [
            (path, question, table.answer(path, question))
            for path, questions in heard_of(signals[place] for place in made).items()
            for question in questions
        ]
        told = [(place, table.result(one)) for place, one in formulas.items() if one is not None]
        return cls(
            **_program(table),
            formulas=_table_of(table.formulas, 5),
            blank=table.blank,
            asked=tuple(asked),
            told=_table_of(told, 2),
            made=np.array(made, dtype=np.int64),
        )

    def answers(self, tracks: Tracks, cutoffs: Ints) -> tuple[Floats, Answers]:
        """Answer everything for the one customer of some tracks.

        Parameters
        ----------
        tracks : Tracks
            Of a timeline with one customer.
        cutoffs : ndarray of int64, shape (n,)
            Microseconds UTC.

        Returns
        -------
        numbers : ndarray of float64, shape (places, n)
            Answers and results by place.
        answers : mapping of Path to mapping of Question
            What signals without a formula ask for: one number a cutoff, or a tuple of such.
        """
        events = tracks.once((self.kinds, self.columns), lambda: self._events(tracks))
        steps = tracks.once(self.words, lambda: self._coded(tracks.timeline))
        program = (self.program, self.formulas, self.blank)
        numbers, instants = answering.answer(*events, steps, program, cutoffs)
        return numbers, self._named(numbers, instants)

    @cached_property
    def places(self) -> dict[str, int]:
        """Return the place of each column that is read; that of the instants is 0."""
        return {name: place for place, name in enumerate(self.columns, 1)}

    def _named(self, numbers: Floats, instants: Ints) -> Answers:
        answers: dict[Path, dict[Question, Any]] = {}
        for path, question, place in self.asked:
            answer: Any = numbers[place]
            if question[0] in answering.INSTANTS:
                answer = instants[place]
            elif question[0] in WIDTH:
                answer = tuple(numbers[place : place + WIDTH[question[0]]])
            answers.setdefault(path, {})[question] = answer
        return answers

    def _coded(self, timeline: Timeline) -> Ints:
        """Return the steps with the codes that words have in a timeline."""
        steps = self.steps.copy()
        for place, column, word in self.words:
            steps[place, 3] = timeline.code(column, word)
        return steps

    def _events(self, tracks: Tracks) -> tuple[Ints, Ints]:
        """Return columns of all events, kind after kind (first the instants), and where kinds end.

        Shape (columns + 1, events), and (kinds + 1,).
        """
        timeline, there = tracks.timeline, set(tracks.timeline.events)
        plain = [kind for kind in self.kinds if kind in there and kind not in DERIVED]
        told = {kind: timeline.track(kind) for kind in plain}
        derived = {kind: tracks.derived(kind) for kind in self.kinds if kind in DERIVED}
        found = told | derived
        edges = [0, *accumulate(len(found[k].occurred) if k in found else 0 for k in self.kinds)]
        first = sum(map(len, told.values()))
        numbers = np.empty((len(self.columns) + 1, edges[-1]), dtype=np.int64)
        np.concatenate([_NO_ROWS, *(track.occurred for track in found.values())], out=numbers[0])
        rows = np.concatenate([_NO_ROWS, *(track.rows for track in told.values())])
        for place, name in enumerate(self.columns, 1):
            numbers[place, :first] = timeline.read(name, rows)
        numbers[1:, first:] = MISSING
        begin = first
        for track in derived.values():
            end = begin + len(track.occurred)
            for name in track.columns.keys() & self.places.keys():
                numbers[self.places[name], begin:end] = track.columns[name]
            begin = end
        return numbers, np.array(edges)


_NO_ROWS = np.zeros(0, dtype=np.int64)


class _Table:
    """Gives answers, constants and results their places; what comes twice has one place."""

    def __init__(self) -> None:
        self.asked: dict[tuple[Path, Question], int] = {}
        self.after: dict[tuple[Path, Question], int] = {}
        self.of_rows: dict[str, int] = {}
        self.formulas: list[tuple[int, ...]] = []
        self._results: dict[tuple[Any, ...], int] = {}
        self._blank: list[float] = []

    @property
    def blank(self) -> Floats:
        """Return the constants at their places, NaN elsewhere."""
        return np.array(self._blank, dtype=np.float64)

    def answer(self, path: Path, question: Question) -> int:
        """Return the place of an answer, or of its first part."""
        if (path, question) not in self.asked:
            self.asked[path, question] = self._room(WIDTH.get(question[0], 1))
        return self.asked[path, question]

    def result(self, formula: Formula | float) -> int:
        """Return the place of what a formula makes, each of its parts computed before it."""
        if not isinstance(formula, Formula):
            return self._constant(formula)
        parts = formula.parts
        if formula.what == "answer":
            return self.answer(parts[0], parts[1]) + int(parts[2])
        if formula.what == "after":
            question = (parts[1], parts[2], None, 0.0, self.result(parts[3]))
            return self._once(self.after, (parts[0], question))
        if formula.what in answering.OF_ROWS:
            width = answering.OF_ROWS[formula.what][1]
            return self._once(self.of_rows, formula.what, width) + int(parts[0] if parts else 0)
        places = (*map(self.result, parts), 0, 0)[:3]
        known = (formula.what, *places)
        if known not in self._results:
            self._once(self._results, known)
            self.formulas.append((OPERATIONS[formula.what], *places, self._results[known]))
        return self._results[known]

    def _constant(self, number: float) -> int:
        place = self._once(self._results, ("constant", repr(number)))
        self._blank[place] = number
        return place

    def _once(self, places: dict[Any, int], key: Any, width: int = 1) -> int:
        if key not in places:
            places[key] = self._room(width)
        return places[key]

    def _room(self, width: int) -> int:
        self._blank += [np.nan] * width
        return len(self._blank) - width


def _program(table: _Table) -> dict[str, Any]:
    """Give kinds, columns and paths numbers, and write the questions with these."""
    asked = [*table.asked.items(), *table.after.items()]
    paths = {path[: length + 1]: None for (path, _), _ in asked for length in range(len(path))}
    kinds = sorted({str(path[0]) for path in paths}, key=lambda kind: (kind in DERIVED, kind))
    narrowed = [path for path in paths if len(path) > 1]
    numbers: dict[Path, int] = {(kind,): place for place, kind in enumerate(kinds)}
    numbers |= {path: len(kinds) + place for place, path in enumerate(narrowed)}
    read = {str(step[1]) for path in narrowed for step in path[1:]}
    read |= {question[1] for (_, question), _ in asked}
    columns = tuple(sorted(read - {""}))
    places = {"": 0} | {name: place for place, name in enumerate(columns, 1)}
    steps, words = _steps(narrowed, numbers, places)
    program: list[tuple[int, ...]] = [
        (answering.OF_ROWS[name][0], 0, 0, 0, 0, 0, 1, place)
        for name, place in table.of_rows.items()
    ]
    program += [
        _instruction(question, numbers[path], places, place) for (path, question), place in asked
    ]
    return {
        "kinds": tuple(kinds),
        "columns": columns,
        "steps": _table_of(steps, 4),
        "words": words,
        "program": _table_of(program, answering.ARGUMENTS),
    }


def _table_of(rows: Iterable[tuple[int, ...]], width: int) -> Ints:
    return np.array([*rows], dtype=np.int64).reshape(-1, width)


def _steps(
    narrowed: Iterable[Path], numbers: Mapping[Path, int], places: Mapping[str, int]
) -> tuple[list[tuple[int, int, int, int]], tuple[tuple[int, str, str], ...]]:
    steps, words = [], []
    for row, path in enumerate(narrowed):
        step = path[-1]
        assert isinstance(step, tuple)
        name, column, value = step
        if isinstance(value, str):
            words.append((row, column, value))
        steps.append((numbers[path[:-1]], answering.STEPS[name], places[column], _to_what(step)))
    return steps, tuple(words)


def _to_what(step: Step) -> int:
    name, column, value = step
    if name == "known":
        return -1 if column in WORD_COLUMNS else int(MISSING)
    if name == "visits":
        return int(float(value) * DAY_US)
    return 0 if isinstance(value, str) else round(value * scale(column))


def _instruction(
    question: Question, path: int, places: Mapping[str, int], answer: int
) -> tuple[int, ...]:
    name, column, days, until, more = question
    low = -1 if days is None else round(days * DAY_US)
    unit = scale(column)
    window = low, round(until * DAY_US)
    return (answering.QUESTIONS[name], path, places[column], *window, more, unit, answer)
