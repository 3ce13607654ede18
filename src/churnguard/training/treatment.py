"""Customers whom a campaign kept must not teach the model that they had been safe.

The label of a customer who was contacted within the horizon tells what the contact did, not what
would have happened without. Such rows are left out, and rows of customers who might have been
contacted and were held out at random stand for them, by inverse probability (D. Horvitz,
D. Thompson, "A Generalization of Sampling Without Replacement From a Finite Universe", 1952). A
weight of 10 is a row that stands ten times: so every learner, calibration and metric sees the
untreated world alike.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from churnguard.training.dataset import Dataset
from churnguard.training.recipe import TreatmentRecipe

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

TREATMENT_SCHEMA = pa.schema(
    [
        ("customer_id", pa.string()),
        ("decided_at", pa.int64()),
        ("action", pa.string()),
        ("held_out", pa.bool_()),
        ("propensity", pa.float64()),
        ("treated_at", pa.int64()),
    ]
)
"""Decisions: when an action was suggested, whether the customer was held out, with which chance the
group was drawn, and when the customer was contacted (null: never). Instants in microseconds."""


@dataclass(frozen=True)
class TreatmentReport:
    """What treatment did to the rows.

    Attributes
    ----------
    mode : str
        ``weight`` or ``ignore``.
    rows, suggested, treated, held_out : int
        All rows; those for whose customer an action was suggested within the horizon; who was
        contacted within it; who was held out.
    dropped, clipped : int
        Rows that are not learned from, and rows whose weight was cut.
    effective : float
        Kish's effective number of rows, ``(sum w)^2 / sum w^2``.
    warning : str
        What a person must know; empty where all is well.
    """

    mode: str
    rows: int
    suggested: int
    treated: int
    held_out: int
    dropped: int = 0
    clipped: int = 0
    effective: float = 0.0
    warning: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return asdict(self)

    def to_text(self) -> str:
        """Return a line or two for a person."""
        told = (
            f"{self.treated} of {self.rows} rows are of customers who were contacted within the "
            f"horizon; {self.dropped} rows are not learned from, {self.held_out} held-out ones "
            f"stand for them; worth {self.effective:,.0f} rows"
        )
        if self.mode == "ignore":
            told = (
                f"{self.treated} of {self.rows} rows are of customers who were contacted within "
                "the horizon, and are learned from as they are"
            )
        return f"{told}\nWARNING: {self.warning}" if self.warning else told


def untreated(
    dataset: Dataset, decisions: pa.Table, recipe: TreatmentRecipe, *, seed: int = 1
) -> tuple[Dataset, TreatmentReport | None]:
    """Return the rows as they would be, had nobody been treated.

    Parameters
    ----------
    dataset : Dataset
        Rows with their labels.
    decisions : pyarrow.Table
        ``TREATMENT_SCHEMA``.
    recipe : TreatmentRecipe
        What to do about it.
    seed : int
        Settles, customer by customer, whether a weight of 1.1 is one row or two.

    Returns
    -------
    tuple of Dataset and TreatmentReport
        The very same dataset, and None, where nobody was contacted within any row's horizon.
    """
    found = _Exposure.of(dataset, decisions)
    if not found.treated.any():
        return dataset, None
    counts = {
        "rows": len(dataset),
        "suggested": int(found.suggested.sum()),
        "treated": int(found.treated.sum()),
        "held_out": int((found.suggested & found.held_out).sum()),
    }
    if recipe.mode == "ignore":
        words = "What the campaign achieved is learned as if these customers had been safe."
        return dataset, TreatmentReport("ignore", **counts, effective=len(dataset), warning=words)
    exact, unheld = _weights(found, recipe)
    weights = np.minimum(exact, recipe.largest_weight)
    kept = np.repeat(np.arange(len(dataset)), _times(dataset, weights, seed))
    report = TreatmentReport(
        mode="weight",
        **counts,
        dropped=int((weights == 0).sum()),
        clipped=int((exact > weights).sum()),
        effective=float(weights.sum() ** 2 / max(float((weights**2).sum()), 1e-9)),
        warning=_NO_HOLDOUT.format(", ".join(unheld)) if unheld else "",
    )
    return dataset.take(kept), report


_NO_HOLDOUT = (
    "Nobody was held out from: {}. Contacted customers are left out, but whoever was not contacted "
    "may differ from them, so the risk of customers like them is a guess. Set control_share, or a "
    "larger one where it is set and so few were asked that nobody was drawn."
)


@dataclass(frozen=True)
class _Exposure:
    """What befell each row within its horizon."""

    suggested: Mask
    treated: Mask
    held_out: Mask
    share: Floats
    action: NDArray[np.str_]

    @classmethod
    def of(cls, dataset: Dataset, decisions: pa.Table) -> _Exposure:
        people, rows = np.unique(dataset.customer_ids, return_inverse=True)
        ids = decisions["customer_id"].to_numpy(zero_copy_only=False).astype(str)
        place = np.minimum(np.searchsorted(people, ids), max(len(people) - 1, 0))
        known = people[place] == ids if len(people) else np.zeros(0, bool)
        table = decisions.filter(pa.array(known))
        who = place[known].astype(np.int64)
        at = table["decided_at"].to_numpy()
        order = np.lexsort((at, who))
        first, any_ = _within(who[order], at[order], rows, dataset)
        held = table["held_out"].to_numpy(zero_copy_only=False).astype(bool)[order]
        drawn = table["propensity"].to_numpy()[order]
        words = table["action"].to_numpy(zero_copy_only=False).astype(str)[order]
        contacted = pc.is_valid(table["treated_at"]).to_numpy(zero_copy_only=False)
        when = pc.fill_null(table["treated_at"], 0).to_numpy()[contacted]
        by = who[contacted]
        queue = np.lexsort((when, by))
        _, treated = _within(by[queue], when[queue], rows, dataset)
        share = np.full(len(dataset), np.nan)
        action = np.full(len(dataset), "", dtype=words.dtype if len(words) else "<U1")
        held_out = np.zeros(len(dataset), dtype=bool)
        at_first = first[any_]
        held_out[any_] = held[at_first]
        share[any_] = np.where(held[at_first], drawn[at_first], 1 - drawn[at_first])
        action[any_] = words[at_first]
        return cls(any_ | treated, treated, held_out, share, action)


def _within(who: Ints, at: Ints, rows: Ints, dataset: Dataset) -> tuple[Ints, Mask]:
    """Return where each row's first instant in ``[T, T + H)`` stands, and whether there is one."""
    times = np.unique(at)
    keys = who * (len(times) + 1) + np.searchsorted(times, at)

    def place(instants: Ints) -> Ints:
        wanted = rows * (len(times) + 1) + np.searchsorted(times, instants)
        return np.asarray(np.searchsorted(keys, wanted))

    begin = place(dataset.cutoffs)
    return begin, begin < place(dataset.cutoffs + dataset.horizon_us)


def _weights(found: _Exposure, recipe: TreatmentRecipe) -> tuple[Floats, list[str]]:
    """Return each row's weight, and the actions from which nobody was held out.

    Where few of those who might have been are contacted, the others stay, weighted by how probable
    it was to stay untreated. Where many are, not being contacted tells by itself (who has come back
    already is not contacted any more), so only those held out at random speak.
    """
    weights = np.ones(len(found.suggested))
    unheld = []
    for action in np.unique(found.action[found.action != ""]):
        mine = found.suggested & (found.action == action)
        drawn = mine & ~found.held_out
        held = mine & found.held_out
        rate = float(found.treated[drawn].mean()) if drawn.any() else 0.0
        share = found.share[mine & ~np.isnan(found.share)]
        held_share = float(share.mean()) if len(share) else 0.0
        if not held.any() or held_share <= 0:
            if rate > 0:
                unheld.append(str(action))
        elif rate <= recipe.few_treated:
            weights[mine] = 1 / (held_share + (1 - held_share) * (1 - rate))
        else:
            weights[held] = 1 / found.share[held]
            weights[drawn] = 0.0
    weights[found.treated] = 0.0
    return weights, unheld


def _times(dataset: Dataset, weights: Floats, seed: int) -> Ints:
    """Return how often each row stands: a broken weight is rounded by lot, once a customer."""
    people, rows = np.unique(dataset.customer_ids, return_inverse=True)
    drawn = [
        int.from_bytes(hashlib.blake2b(f"{seed}:{who}".encode(), digest_size=6).digest()) / 2**48
        for who in people
    ]
    return np.asarray(np.floor(weights + np.array(drawn)[rows]), dtype=np.int64)
