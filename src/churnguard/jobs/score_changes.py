"""What moved a score: every move split into behaviour, time, late data and the model, exactly.

Between two standings the kernel scores the states in between, swapping one thing at a time: the
same events under the new instant (time passing), with what was done since (behaviour), with what
was done before and became known since (late data), by the new model (model change). Margins in the
ledger are rounded to a grid of 2**-40 log-odds, so that differences and sums of them are exact in
float64, in whatever order they are added.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from churnguard.clock import to_us
from churnguard.events.timeline import Timeline
from churnguard.features.build import build_features
from churnguard.jobs.champion import LoadedChampion
from churnguard.jobs.ports import ScoreChange, Standing

GRID = 2.0**40
"""Steps of the ledger's grid in one log-odd: a millionth of a millionth."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
ModelOf = Callable[[str], LoadedChampion | None]
"""From a bundle's digest to the model; None where it is gone."""


def on_grid(margins: Floats) -> Floats:
    """Return margins rounded to the ledger's grid.

    Parameters
    ----------
    margins : ndarray of float64
        Log-odds, at most 4,000 in size.

    Examples
    --------
    >>> steps = on_grid(np.array([0.1, 0.2, 0.3]))
    >>> bool(steps[0] + steps[1] - steps[1] == steps[0])
    True
    """
    rounded: Floats = np.rint(margins * GRID) / GRID
    return rounded


def split_moves(
    pairs: Sequence[tuple[Standing, Standing]],
    events: pa.Table,
    *,
    model: LoadedChampion,
    model_of: ModelOf,
) -> list[ScoreChange]:
    """Split moves from one standing to the next.

    Parameters
    ----------
    pairs : sequence of (Standing, Standing)
        Before and after, of different customers; all those after by ``model``.
    events : pyarrow.Table
        All events of these customers; of others too, if it so happens.
    model : LoadedChampion
        Who speaks now.
    model_of : callable
        Finds the model that spoke before.

    Returns
    -------
    list of ScoreChange
        In the order of the pairs. Where the earlier model is gone, the states in between are
        scored by the new one, and ``document["by"]`` says ``new``.
    """
    changes: dict[int, ScoreChange] = {}
    for bundle in sorted({before.bundle for before, _ in pairs}):
        places = [place for place, pair in enumerate(pairs) if pair[0].bundle == bundle]
        earlier = model if bundle == model.bundle.digest else model_of(bundle)
        some = [pairs[place] for place in places]
        found = _split(some, events, judge=earlier or model, known=earlier is not None)
        changes |= dict(zip(places, found, strict=True))
    return [changes[place] for place in range(len(pairs))]


def _split(
    pairs: Sequence[tuple[Standing, Standing]],
    events: pa.Table,
    *,
    judge: LoadedChampion,
    known: bool,
) -> list[ScoreChange]:
    """Split moves between which one model scores the states."""
    before = on_grid(np.array([pair[0].margin for pair in pairs]))
    after = on_grid(np.array([pair[1].margin for pair in pairs]))
    states = _states(pairs, events, judge)
    time_passing = states.later - states.then
    behaviour = states.since - states.later
    late = states.whole - states.since
    if known:
        # What was told at the time and is not found again became known since, with an old date.
        late, changed = late + (states.then - before), after - states.whole
    else:
        changed = (states.then - before) + (after - states.whole)
    return [
        ScoreChange(
            customer_id=earlier.customer_id,
            from_at=earlier.as_of,
            to_at=later.as_of,
            from_margin=float(before[row]),
            to_margin=float(after[row]),
            behaviour=float(behaviour[row]),
            time_passing=float(time_passing[row]),
            late_data=float(late[row]),
            model_change=float(changed[row]),
            document=_document(earlier, later, by="old" if known else "new"),
        )
        for row, (earlier, later) in enumerate(pairs)
    ]


@dataclass(frozen=True)
class _States:
    """Margins on the grid, of the states between two standings, shape (n,) each."""

    then: Floats  # the instant before, with the events known then
    later: Floats  # the instant after, with the same events
    since: Floats  # and with those that occurred since
    whole: Floats  # and with those that were late


def _states(
    pairs: Sequence[tuple[Standing, Standing]], events: pa.Table, judge: LoadedChampion
) -> _States:
    customers = [before.customer_id for before, _ in pairs]
    starts = np.array([to_us(before.as_of) for before, _ in pairs], np.int64)
    ends = np.array([to_us(after.as_of) for _, after in pairs], np.int64)
    mine = events.filter(pc.is_in(events["customer_id"], pa.array(customers, pa.string())))
    since = _own(mine, customers, starts)
    occurred, received = _instants(mine, "occurred_at"), _instants(mine, "received_at")
    old, late = (occurred < since) & (received < since), (occurred < since) & (received >= since)
    state = _Scored(judge, customers)
    return _States(
        then=state(mine.filter(pa.array(old)), starts),
        later=state(mine.filter(pa.array(old)), ends),
        since=state(mine.filter(pa.array(~late)), ends),
        whole=state(mine, ends),
    )


@dataclass(frozen=True)
class _Scored:
    """Scores customers from some of their events."""

    judge: LoadedChampion
    customers: Sequence[str]

    def __call__(self, events: pa.Table, cutoffs: Ints) -> Floats:
        """Return the margins at cutoffs; of a customer without any event, those of no signal."""
        timeline = Timeline.from_arrow(events)
        places = {str(name): code for code, name in enumerate(timeline.customer_ids)}
        codes = np.array([places.get(name, -1) for name in self.customers], np.int32)
        there = codes >= 0
        bundle = self.judge.bundle
        X = np.full((len(codes), len(bundle.catalogue.names)), np.nan)
        rows = build_features(
            timeline,
            bundle.catalogue,
            codes[there],
            cutoffs[there],
            population=bundle.population,
        )
        X[there] = rows.values
        return on_grid(bundle.model.margins(np.asfortranarray(X)))


def _own(events: pa.Table, customers: Sequence[str], instants: Ints) -> Ints:
    """Return, for each event, the instant of its customer."""
    places = pc.index_in(events["customer_id"], pa.array(customers, pa.string()))
    found: Ints = instants[np.asarray(places.combine_chunks(), np.int64)]
    return found


def _instants(events: pa.Table, name: str) -> Ints:
    return np.asarray(events[name].cast(pa.int64()).combine_chunks(), np.int64)


def _document(before: Standing, after: Standing, *, by: str) -> Mapping[str, object]:
    """Return what else is worth knowing of a move: risks, bands and models, and who judged."""
    return {
        "from": _told(before),
        "to": _told(after),
        "by": by,
    }


def _told(one: Standing) -> Mapping[str, object]:
    return {
        "risk": one.document.get("risk"),
        "band": one.band,
        "model": one.document.get("model"),
        "horizon_days": one.document.get("horizon_days"),
    }


def adds_up(change: ScoreChange) -> bool:
    """Tell whether the four parts of a move add up to it, to the last bit.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from churnguard.testing import NOON
    >>> move = ScoreChange("C1", NOON, NOON, 0.0, 1.5, 1.0, 0.25, 0.25, 0.0)
    >>> adds_up(move), adds_up(replace(move, behaviour=1.0000001))
    (True, False)
    """
    parts = change.behaviour + change.time_passing + change.late_data + change.model_change
    return parts == change.to_margin - change.from_margin
