"""The one error tree of ChurnGuard.

Every error is a sentence for a person and a hint what to do next. Errors know nothing of exit
codes or HTTP statuses: the doors (``cli`` and ``serving``) hold one table each for that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal


class ChurnGuardError(Exception):
    """Anything that went wrong and that a person can understand and act on.

    Parameters
    ----------
    message : str
        What happened, as one sentence.
    hint : str, optional
        What to do next.

    Examples
    --------
    >>> error = ChurnGuardError("The store is locked.", hint="Stop the other process.")
    >>> str(error), error.hint
    ('The store is locked.', 'Stop the other process.')
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class ProjectError(ChurnGuardError):
    """Something in a project's own files cannot be used.

    Parameters
    ----------
    message : str
        What happened, as one sentence.
    hint : str, optional
        What to do next.
    file : Path, optional
        The file at fault.

    Examples
    --------
    >>> ProjectError("No such setting: horizn_days.", file=Path("churnguard.toml")).file.name
    'churnguard.toml'
    """

    def __init__(self, message: str, *, hint: str = "", file: Path | None = None) -> None:
        super().__init__(message, hint=hint)
        self.file = file


class CatalogueError(ProjectError):
    """The project's ``features/`` cannot be used."""


class RecipeError(ProjectError):
    """A recipe in the project's ``training/`` cannot be used."""


class PlaybookError(ProjectError):
    """The project's ``serving/playbook.toml`` cannot be used."""


class DataError(ChurnGuardError):
    """The data given cannot be used as it is."""


class SchemaError(DataError, ValueError):
    """A table or file does not have the columns or types that it needs."""


class NotWhole(DataError):
    """Events that were to be stored as a whole cannot be; nothing was stored.

    Parameters
    ----------
    errors : sequence of mapping
        What speaks against which of them: ``detail`` and ``pointer``.
    """

    def __init__(self, errors: Sequence[Mapping[str, str]]) -> None:
        super().__init__(
            f"{len(errors)} of the events cannot be accepted; nothing was stored.",
            hint="Mend or leave out those in errors, or send without atomic=true.",
        )
        self.errors = errors[:100]


class LeakageError(DataError):
    """A row knew something from after its cutoff."""


class NotEnoughHistory(DataError):
    """The history is too short, too thin or one-sided for what was asked."""


class TrainingError(ChurnGuardError):
    """Training could not produce a model that may be used."""


class PromotionRefused(TrainingError):
    """A model may not become champion.

    Parameters
    ----------
    gate : str
        Which gate refused.
    wanted : str
        What the gate asks for.
    got : str
        What the model has.
    hint : str, optional
        What to do next.

    Examples
    --------
    >>> print(PromotionRefused("calibration slope", wanted="0.85 to 1.15", got="0.61"))
    The gate 'calibration slope' refused: wanted 0.85 to 1.15, got 0.61.
    """

    def __init__(self, gate: str, *, wanted: str, got: str, hint: str = "") -> None:
        super().__init__(f"The gate '{gate}' refused: wanted {wanted}, got {got}.", hint=hint)
        self.gate = gate
        self.wanted = wanted
        self.got = got


class StoreError(ChurnGuardError):
    """The store, the registry or a bundle cannot give what was asked."""


class StoreUnavailable(StoreError):
    """The store is out of reach, busy or full just now; nothing of the call was stored.

    It is safe to try again.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint or "Nothing of this call was stored: try again soon.")
        self.headers = {"Retry-After": "2"}


class StoreFull(StoreUnavailable):
    """The store's disk has no space left; nothing of the call was stored."""


class ModelNotFound(StoreError):
    """There is no such model, or no champion yet."""


class CustomerNotFound(StoreError):
    """The shop has no such customer."""


class DecisionNotFound(StoreError):
    """The shop has no such decision, so no outcome can be reported to it."""


class RowNotFound(StoreError):
    """The quarantine has no such row."""


class EndpointNotFound(StoreError):
    """The shop has no such webhook endpoint."""


class LeaseHeld(ChurnGuardError):
    """Another process is doing this work at the moment."""


class LeaseLost(StoreError):
    """Another process has taken the work over, since this one did not say that it lives."""


class JobInterrupted(ChurnGuardError):
    """A job was asked to stop, and did so between two steps; the same command goes on with it."""


class KeyNotFound(StoreError):
    """The shop has no such live API key."""


BundleFault = Literal[
    "damaged",
    "untrusted",
    "other_signals",
    "other_numbers",
    "says_nothing",
    "other_label",
    "crashes",
]
"""What can be wrong with a bundle, as a code that a page can put into words."""


class BundleMismatch(StoreError):
    """A bundle is damaged, unsigned, or does not fit the code that would serve it.

    Parameters
    ----------
    message : str
        What is wrong, as one sentence.
    hint : str, optional
        What to do next.
    fault : BundleFault
        The kind of it.

    Examples
    --------
    >>> BundleMismatch("It is not signed.", fault="untrusted").fault
    'untrusted'
    """

    def __init__(self, message: str, *, hint: str = "", fault: BundleFault = "damaged") -> None:
        super().__init__(message, hint=hint)
        self.fault = fault


class AccessDenied(ChurnGuardError):
    """The credential is missing, wrong, revoked, or lacks the scope."""


class InvalidRequest(ChurnGuardError, ValueError):
    """What was asked cannot be answered as it was put: a bad option, id, date or token."""
