"""The playbook: the retention actions a shop is willing to take, as data that a manager can edit.

One TOML file holds one table an action. Reading it is the edge: everything is checked here, and an
error names the file, the action and the key at fault.
"""

from __future__ import annotations

import hashlib
import json
import string
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    InstanceOf,
    ValidationError,
    model_validator,
)

from churnguard.errors import PlaybookError
from churnguard.policy.rules import Rule, parse_rule

Channel = Literal["email", "sms", "phone", "push", "onsite", "none"]
Consent = Literal["email", "sms", "phone", "push", "none"]

LEAVE_ALONE = "leave_alone"
"""The action that every playbook has: do nothing, at no cost, for anybody."""

LANGUAGES = ("en", "he")
"""Languages of every text in a playbook."""


@dataclass(frozen=True)
class Action:
    """One retention action.

    Attributes
    ----------
    code : str
        Its name in scores and filters.
    name, description, message : mapping of str to str
        For people, by language; ``message`` is a hint for the writer, whose ``{placeholders}`` the
        sending system fills in.
    channel : str
        How it reaches the customer: email, sms, phone, push, onsite or none.
    consent : str
        The channel for which the customer's consent must be on record; ``none`` needs none.
    when : Rule
        Who is eligible, by signals.
    cost : float
        Money spent on each customer contacted.
    gives_away : float
        Share of the expected value that is given away to a customer who would have stayed anyway,
        as a discount is.
    cooldown_days : float
        For how long it is not repeated.
    prevents : float
        Share of the churn that it prevents among those contacted at even odds, from 0 to below
        1; see :func:`churnguard.policy.choice.prevented_churn` for other risks.
    basis : {"prior", "learned"}
        Where ``prevents`` comes from.
    priority : int
        Between actions of equal gain the higher one wins.
    """

    code: str
    name: Mapping[str, str]
    description: Mapping[str, str]
    message: Mapping[str, str]
    channel: Channel
    consent: Consent
    when: Rule
    cost: float
    gives_away: float
    cooldown_days: float
    prevents: float
    basis: Literal["prior", "learned"]
    priority: int


@dataclass(frozen=True)
class Playbook:
    """The actions a shop may take, ``leave_alone`` among them.

    Attributes
    ----------
    actions : tuple of Action
        In the order of the file.
    digest : str
        SHA-256 of the content as it was read, in hexadecimal; comments do not count.
    """

    actions: tuple[Action, ...]
    digest: str

    @cached_property
    def by_code(self) -> Mapping[str, Action]:
        """Return the actions by code."""
        return {action.code: action for action in self.actions}

    @cached_property
    def ranked(self) -> tuple[Action, ...]:
        """Return the actions as ties are decided: leave alone, priority, code."""
        return tuple(
            sorted(self.actions, key=lambda a: (a.code != LEAVE_ALONE, -a.priority, a.code))
        )

    @property
    def signals(self) -> frozenset[str]:
        """Return the names of all signals that the rules look at."""
        return frozenset().union(*(action.when.signals for action in self.actions))


def read_playbook(path: Path) -> Playbook:
    """Read a playbook.

    Parameters
    ----------
    path : Path
        The project's ``serving/playbook.toml``.

    Returns
    -------
    Playbook

    Raises
    ------
    PlaybookError
        If the file is missing, is not TOML, or an action cannot be used: then file, action and
        key are named.
    """
    try:
        written = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise PlaybookError(
            f"The playbook {path} cannot be read: {error.strerror}.",
            hint="A project keeps it in serving/playbook.toml; 'churnguard init' makes one.",
            file=path,
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PlaybookError(f"{path} is not valid TOML: {error}.", file=path) from error
    return parse_playbook(written, file=path)


def parse_playbook(written: Mapping[str, Any], *, file: Path | None = None) -> Playbook:
    """Read a playbook from the tables of its TOML.

    Parameters
    ----------
    written : mapping
        As ``tomllib`` gives it: ``{"actions": {code: {...}, ...}}``.
    file : Path, optional
        The file to name in errors.

    Returns
    -------
    Playbook

    Raises
    ------
    PlaybookError
        If an action cannot be used.

    Examples
    --------
    >>> words = dict.fromkeys(("name", "description", "message"), {"en": "Rest", "he": "מנוחה"})
    >>> leave_alone = words | {"channel": "none", "prevents": 0}
    >>> parse_playbook({"actions": {"leave_alone": leave_alone}}).actions[0].code
    'leave_alone'
    """
    where = str(file) if file else "The playbook"
    tables = written.get("actions")
    if set(written) != {"actions"} or not isinstance(tables, dict):
        odd = sorted(set(written) - {"actions"})
        raise PlaybookError(
            f"{where} must hold tables [actions.<code>] and nothing else{_listed(odd)}.",
            hint="Write [actions.cart_reminder] above the keys of an action.",
            file=file,
        )
    if LEAVE_ALONE not in tables:
        raise PlaybookError(
            f"{where} has no action '{LEAVE_ALONE}'.",
            hint="Leaving a customer alone must always be possible; add the table back.",
            file=file,
        )
    actions = tuple(_read_action(code, table, file=file) for code, table in tables.items())
    canonical = json.dumps(tables, sort_keys=True, ensure_ascii=False)
    return Playbook(actions, hashlib.sha256(canonical.encode("utf-8")).hexdigest())


def refuse_unknown_signals(
    playbook: Playbook, known: Collection[str], *, file: Path | None = None
) -> None:
    """Stop on a rule over a signal that nobody computes: it would never make anybody eligible.

    Parameters
    ----------
    playbook : Playbook
        From :func:`read_playbook`.
    known : collection of str
        Names of the signals of the project's whole catalogue, also of those left out for want of
        events.
    file : Path, optional
        The file to name in the error.

    Raises
    ------
    PlaybookError
        Names the action and the signal, and the nearest name there is.
    """
    for action in playbook.actions:
        for name in sorted(action.when.signals.difference(known)):
            near = get_close_matches(name, known, n=1)
            raise PlaybookError(
                f"The key 'when' of the action '{action.code}' {_where(file)} names the signal "
                f"'{name}', which the catalogue does not have.",
                hint=f"Did you mean '{near[0]}'?" if near else "docs/signals.md lists them all.",
                file=file,
            )


def placeholders(text: str) -> frozenset[str]:
    """Return the names in curly braces of a text.

    Raises
    ------
    ValueError
        If the braces do not fit together or hold more than a plain name.

    Examples
    --------
    >>> sorted(placeholders("Your {product} waits, {name}"))
    ['name', 'product']
    """
    found = set()
    for _, name, form, conversion in string.Formatter().parse(text):
        if name is None:
            continue
        if not name.isidentifier() or form or conversion:
            raise ValueError(f"'{{{name}}}' is not a plain placeholder such as {{product}}")
        found.add(name)
    return frozenset(found)


def _both_languages(texts: dict[str, str]) -> dict[str, str]:
    if set(texts) != set(LANGUAGES) or not all(text.strip() for text in texts.values()):
        raise ValueError("must have a text in en and in he, and no other language")
    if len({placeholders(text) for text in texts.values()}) > 1:
        raise ValueError("must have the same {placeholders} in every language")
    return texts


Texts = Annotated[dict[str, str], AfterValidator(_both_languages)]


def _rule(written: Any) -> Rule:
    try:
        return parse_rule(written)
    except PlaybookError as error:
        raise ValueError(f"{error.message} {error.hint}") from error


class _ActionTable(BaseModel):
    """One action as it stands in the file."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    name: Texts
    description: Texts
    message: Texts
    channel: Channel
    consent: Consent = "none"
    when: Annotated[InstanceOf[object], BeforeValidator(_rule)] = Field(
        default_factory=lambda: parse_rule([])
    )
    cost: float = Field(0.0, ge=0, allow_inf_nan=False, strict=True)
    gives_away: float = Field(0.0, ge=0, le=1, strict=True)
    cooldown_days: float = Field(0.0, ge=0, allow_inf_nan=False, strict=True)
    prevents: float = Field(ge=0, lt=1, strict=True)
    basis: Literal["prior", "learned"] = "prior"
    priority: int = Field(0, strict=True)

    @model_validator(mode="after")
    def _consent_fits_channel(self) -> _ActionTable:
        if self.channel in {"email", "sms", "push"} and self.consent != self.channel:
            raise ValueError(f'the channel {self.channel} needs consent = "{self.channel}"')
        return self


def _read_action(code: str, table: Any, *, file: Path | None) -> Action:
    where = _where(file)
    if not (code.isidentifier() and code.isascii() and code == code.lower()):
        raise PlaybookError(
            f"'{code}' {where} is not a code for an action.",
            hint="Use small letters, digits and underscores: cart_reminder.",
            file=file,
        )
    try:
        read = _ActionTable.model_validate(table)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        said = first["msg"].removeprefix("Value error, ").rstrip(".")
        at = f"The key '{key}' of" if key else "As a whole"
        raise PlaybookError(
            f"{at} the action '{code}' {where} cannot be used: {said}.",
            hint="docs/actions.md tells what each key means.",
            file=file,
        ) from error
    action = Action(code=code, **{name: getattr(read, name) for name in _ActionTable.model_fields})
    if code == LEAVE_ALONE and not _does_nothing(action):
        raise PlaybookError(
            f"The action '{LEAVE_ALONE}' {where} must cost and prevent nothing, for all.",
            hint='Give it channel = "none" and prevents = 0, and no cost and no "when".',
            file=file,
        )
    return action


def _does_nothing(action: Action) -> bool:
    spends = action.cost or action.gives_away or action.prevents or action.cooldown_days
    return action.channel == "none" and not spends and not action.when.signals


def _where(file: Path | None) -> str:
    return f"in {file}" if file else "in the playbook"


def _listed(odd: list[str]) -> str:
    return f", but it also has {', '.join(odd)}" if odd else ""
