"""One customer under the risk watch: what stood, what is said now, and whether that is a move.

A move that matters is large enough, or crosses a band, or brings another suggestion, or ends what
stood because its outcome is known. Only the caller stores anything.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

from churnguard.clock import iso
from churnguard.jobs.messages import action_suggested, risk_raised
from churnguard.jobs.ports import Message, Move, ScoreChange, Standing
from churnguard.policy.bands import BAND_NAMES
from churnguard.policy.playbook import LEAVE_ALONE
from churnguard.scoring.score import Score

SMALLEST_MOVE = 0.05
"""Log-odds: about a point of risk in the middle; what moves less is no move yet."""

HYSTERESIS = 0.05
"""So far below its band's edge a risk must fall before rising over it is told again."""

_NEVER_PROFILED = ("objected", "restricted", "unknown")
_EXCLUDED = "excluded"


@dataclass(frozen=True)
class Look:
    """One customer: what stood, the score now, and the outcome of what stood, if it is known."""

    before: Standing | None
    score: Score
    bands: tuple[float, float]
    outcome: str | None
    now: datetime

    @cached_property
    def after(self) -> Standing | None:
        """What stands now, if the score has a number."""
        score = self.score
        if score.margin is None or score.band is None or score.model is None:
            return None
        return Standing(
            customer_id=score.customer_id,
            as_of=score.as_of,
            band=score.band,
            margin=score.margin,
            bundle=score.model.bundle,
            document={
                "risk": score.churn_risk,
                "horizon_days": score.horizon_days,
                "model": score.model.version,
                "told": self.told,
                "action": score.action.code if score.action else None,
            },
        )

    @cached_property
    def told(self) -> str | None:
        """The band that has been told of, if this look is stored; see :func:`told_band`."""
        score = self.score
        if score.band is None or score.churn_risk is None:
            return None
        before = self.before.document.get("told") if self.before else None
        return told_band(before, score.churn_risk, score.band, starts=self.bands)

    @property
    def forbidden(self) -> bool:
        """Tell whether nobody may be profiled here: not even what stood is kept alive."""
        score = self.score
        return score.status in _NEVER_PROFILED or score.status_reason == _EXCLUDED

    @property
    def moves(self) -> bool:
        """Tell whether anything is to be stored."""
        before, after = self.before, self.after
        if before is None:
            return after is not None
        if before.as_of >= self.score.as_of:
            return False  # somebody looked later than this
        if self.outcome is not None or self.forbidden:
            return True
        if after is None:
            return False
        small = abs(after.margin - before.margin) < SMALLEST_MOVE
        same = (after.band, self.told) == (before.band, before.document.get("told"))
        return not (small and same and not self.suggests)

    @property
    def raised(self) -> bool:
        """Tell whether the risk rose into a band that was not told of."""
        if self.before is None or self.told is None:
            return False
        return _level(self.told) > _level(self.before.document.get("told"))

    @property
    def suggests(self) -> bool:
        """Tell whether another action than before is worth its cost."""
        action = self.score.action
        if self.before is None or action is None or action.code == LEAVE_ALONE:
            return False
        return action.code != self.before.document.get("action")

    def messages(self) -> tuple[Message, ...]:
        """Return what is to be told; never of actions for those who are held out of them."""
        found = []
        if self.raised:
            assert self.before is not None
            found.append(risk_raised(self.score, before=str(self.before.document.get("told"))))
        action = self.score.action
        if self.suggests and action is not None and action.group == "treat":
            found.append(action_suggested(self.score))
        return tuple(found)

    def move(self, change: ScoreChange | None) -> Move:
        """Return what is to be stored of a customer who moves.

        Parameters
        ----------
        change : ScoreChange or None
            The move, split into its parts.
        """
        before, after = self.before, None if self.forbidden else self.after
        frozen = None
        if before is not None and self.outcome is not None and not self.forbidden:
            ending = {"outcome": self.outcome, "known_at": iso(self.now)}
            frozen = replace(before, frozen=True, document={**before.document, **ending})
        return Move(
            customer_id=self.score.customer_id,
            before=before,
            after=after,
            frozen=frozen,
            change=change if after is not None else None,
            messages=self.messages() if after is not None else (),
        )


def told_band(before: str | None, risk: float, band: str, *, starts: tuple[float, float]) -> str:
    """Return the band that counts as told of, once a risk has been seen.

    It rises with the risk, and falls only when the risk is clearly below: noise at an edge is told
    of once.

    Parameters
    ----------
    before : str or None
        The band told of until now; None: the customer is new, and nothing is told.
    risk : float
        The risk now.
    band : str
        Its band.
    starts : tuple of two floats
        Risks at which ``medium`` and ``high`` begin.

    Examples
    --------
    >>> told_band("high", 0.64, "medium", starts=(0.33, 0.66))
    'high'
    >>> told_band("high", 0.60, "medium", starts=(0.33, 0.66))
    'medium'
    >>> told_band("high", 0.30, "low", starts=(0.33, 0.66))
    'medium'
    """
    told, level = _level(before), _level(band)
    while told > level and risk < starts[told - 1] - HYSTERESIS:
        told -= 1
    return BAND_NAMES[max(told, level)]


def _level(band: str | None) -> int:
    return BAND_NAMES.index(band) if band in BAND_NAMES else 0
