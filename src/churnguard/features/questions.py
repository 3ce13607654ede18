"""Everything a catalogue asks of one customer, found out once and then answered in one go.

For one row, calling a compiled loop costs more than the loop. So a catalogue's signals are listened
to once, on a customer without events, and what they ask is kept as a program; for a customer within
a request a single compiled call runs it, with the kernel's own loops, before the signals are
computed. A question that was not foreseen is answered as for many rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from churnguard.clock import DAY_US
from churnguard.events.columns import Columns
from churnguard.events.schema import empty_events
from churnguard.events.timeline import MISSING, WORD_COLUMNS, Timeline
from churnguard.features import answering
from churnguard.features.rows import Answers, Path, Question, Rows, Step
from churnguard.features.signal import Signal
from churnguard.features.tracks import DERIVED, Tracks, scale

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Codes = NDArray[np.int32]

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
    asked : tuple of (Path, tuple of Question, int, tuple of (Question, int))
        By path: questions with one number for an answer, and the place of the first answer; then
        the other questions, each with the place of its own.
    plain : ndarray of int64, shape (k, 2)
        Signals that are an answer and nothing else: the signal's place and the answer's.
    made : ndarray of int64, shape (signals - k,)
        Places of the signals that are computed from answers.
    """

    kinds: tuple[str, ...]
    columns: tuple[str, ...]
    steps: Ints
    words: tuple[tuple[int, str, str], ...]
    program: Ints
    asked: tuple[tuple[Path, tuple[Question, ...], int, tuple[tuple[Question, int], ...]], ...]
    plain: Ints = field(default_factory=lambda: np.empty((0, 2), dtype=np.int64))
    made: Ints = field(default_factory=lambda: np.empty(0, dtype=np.int64))

    @classmethod
    def of(cls, signals: Iterable[Signal]) -> Questions:
        """Listen to what signals ask.

        A signal that fails on a customer without events asks nothing; it will fail, with its own
        words, where it is computed.
        """
        heard: dict[Path, dict[Question, None]] = {}
        signals = tuple(signals)
        _computed(signals, _nobody(_Heard(heard)))
        questions = _program(heard)
        found = [_same(signals, questions, values) for values in _TRIALS]
        plain = np.array(found[0], dtype=np.int64)
        plain[(np.array(found) != plain).any(axis=0)] = -1
        plain[[not _is_ours(signal) for signal in signals]] = -1
        known = np.flatnonzero(plain >= 0)
        return replace(
            questions,
            plain=np.stack([known, plain[known]], axis=1),
            made=np.flatnonzero(plain < 0),
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
        numbers : ndarray of float64, shape (answers, n)
            The answers by place.
        answers : mapping of Path to mapping of Question
            The same by name: one number a cutoff for each; three of them for gaps.
        """
        events = tracks.once((self.kinds, self.columns), lambda: self._events(tracks))
        steps = tracks.once(self.words, lambda: self._coded(tracks.timeline))
        found, instants = answering.answer(*events, steps, self.program, cutoffs)
        return found, self._named(list(found), instants)

    def _named(self, numbers: Sequence[Floats], instants: Ints) -> Answers:
        answers: dict[Path, Mapping[Question, Any]] = {}
        for path, plain, first, others in self.asked:
            known: dict[Question, Any] = dict(zip(plain, numbers[first:], strict=False))
            for question, place in others:
                if question[0] in answering.INSTANTS:
                    known[question] = instants[place]
                else:
                    known[question] = tuple(numbers[place : place + answering.WIDTH[question[0]]])
            answers[path] = known
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
        timeline = tracks.timeline
        plain = [timeline.track(kind) for kind in self.kinds if kind not in DERIVED]
        derived = [tracks.derived(kind) for kind in self.kinds if kind in DERIVED]
        instants = [*(track.occurred for track in plain), *(found.occurred for found in derived)]
        edges = np.cumsum([0, *map(len, instants)])
        first = int(edges[len(plain)])
        numbers = np.empty((len(self.columns) + 1, int(edges[-1])), dtype=np.int64)
        rows = np.concatenate([_NO_ROWS, *(track.rows for track in plain)])
        numbers[0, :first] = np.concatenate([_NO_ROWS, *(track.occurred for track in plain)])
        for place, name in enumerate(self.columns, 1):
            numbers[place, :first] = timeline.read(name, rows)
        numbers[1:, first:] = MISSING
        ends = edges[len(plain) :].tolist()
        for found, (begin, end) in zip(derived, pairwise(ends), strict=True):
            numbers[0, begin:end] = found.occurred
            for place, name in enumerate(self.columns, 1):
                if name in found.columns:
                    numbers[place, begin:end] = found.columns[name]
        return numbers, edges


_NO_ROWS = np.zeros(0, dtype=np.int64)


class _Heard(dict[Path, Any]):
    """Answers that are never known, which keep what was asked."""

    def __init__(self, heard: dict[Path, dict[Question, None]]) -> None:
        super().__init__()
        self._heard = heard

    def get(self, path: Path, default: Any = None) -> Any:
        """Return what keeps the questions asked of a path."""
        del default
        return _Listener(self._heard.setdefault(path, {}))


class _Listener(dict[Question, Any]):
    def __init__(self, asked: dict[Question, None]) -> None:
        super().__init__()
        self._asked = asked

    def get(self, question: Question, default: Any = None) -> Any:
        self._asked[question] = None
        return default


def _nobody(answers: Answers) -> Rows:
    """Return the one row of a customer without events, of whom some answers are known."""
    nobody = Timeline(np.array(["nobody"], dtype=object), {}, Columns(empty_events()))
    customers, cutoffs = np.zeros(1, np.int32), np.zeros(1, np.int64)
    return Rows(Tracks(nobody), customers, cutoffs, answers=answers)


def _computed(signals: Iterable[Signal], rows: Rows) -> list[Any]:
    """Return what signals say of rows, None where they fail."""
    said: list[Any] = []
    for signal in signals:
        try:
            with np.errstate(all="ignore"):
                said.append(signal.compute(rows))
        except Exception:  # noqa: BLE001 - whatever a shop's own code raises
            said.append(None)
    return said


def _is_ours(signal: Signal) -> bool:
    """Tell whether a signal is of ChurnGuard's own families: of a shop's, trials tell too little.

    One that changes an answer in place, or looks at numbers beyond those tried, would pass for one
    that hands its answer on.
    """
    function = getattr(signal.compute, "func", signal.compute)
    return str(function.__module__).startswith("churnguard.features.families.")


_TRIALS = (np.nan, 0.0, 1.0, 40.0)


def _same(signals: Iterable[Signal], questions: Questions, value: float) -> list[int]:
    """Return, by signal, the place of the answer that it hands on as it is, -1 where it does not.

    All answers are the same number: one that a signal might look at, to do this or that.
    """
    answers = int(questions.program[:, 7].max(initial=-1)) + 3
    numbers = list(np.full((answers, 1), value))
    instants = np.full((answers, 1), MISSING)
    places = {id(number): place for place, number in enumerate(numbers)}
    rows = _nobody(questions._named(numbers, instants))  # noqa: SLF001
    return [places.get(id(said), -1) for said in _computed(signals, rows)]


def _program(heard: Mapping[Path, Mapping[Question, None]]) -> Questions:
    """Give kinds, columns and paths numbers, and write the questions with these."""
    paths = {path[: length + 1]: None for path in heard for length in range(len(path))}
    kinds = sorted({str(path[0]) for path in paths}, key=lambda kind: (kind in DERIVED, kind))
    narrowed = [path for path in paths if len(path) > 1]
    numbers: dict[Path, int] = {(kind,): place for place, kind in enumerate(kinds)}
    numbers |= {path: len(kinds) + place for place, path in enumerate(narrowed)}
    read = {str(step[1]) for path in narrowed for step in path[1:]}
    read |= {question[1] for questions in heard.values() for question in questions}
    columns = tuple(sorted(read - {""}))
    places = {"": 0} | {name: place for place, name in enumerate(columns, 1)}
    steps, words = _steps(narrowed, numbers, places)
    program, asked, place = [], [], 0
    for path, questions in heard.items():
        plain = [question for question in questions if question[0] not in answering.OTHERS]
        others = [question for question in questions if question[0] in answering.OTHERS]
        first, told = place, []
        for question in (*plain, *others):
            program.append(_instruction(question, numbers[path], places, place))
            told.append((question, place))
            place += answering.WIDTH.get(question[0], 1)
        asked.append((path, tuple(plain), first, tuple(told[len(plain) :])))
    return Questions(
        kinds=tuple(kinds),
        columns=columns,
        steps=np.array(steps, dtype=np.int64).reshape(-1, 4),
        words=words,
        program=np.array(program, dtype=np.int64).reshape(-1, answering.ARGUMENTS),
        asked=tuple(asked),
    )


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
