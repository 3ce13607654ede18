"""A project's settings: code defaults, then ``churnguard.toml``, then ``CHURNGUARD_*`` variables.

They are read once into one frozen object. Secrets are not settings: see :func:`read_secret`.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from churnguard.errors import InvalidRequest, ProjectError
from churnguard.labels import ORDER_GAP, label_named
from churnguard.project.layout import Layout

SETTINGS_FILE = "churnguard.toml"
SECRETS = (
    "CHURNGUARD_SIGNING_KEY",
    "CHURNGUARD_HOLDOUT_KEY",
    "CHURNGUARD_SERVICE_KEY",
    "CHURNGUARD_SESSION_KEY",
)
_PREFIX = "CHURNGUARD_"


KEPT_DAYS: Mapping[str, int | None] = {
    "customers": None,
    "scores": 35,
    "score_changes": 730,
    "messages": 30,
    "jobs": 90,
}
"""How many days are kept if the setting ``retention`` says nothing; None: for ever.

``customers``: after so long without an event everything of a person is forgotten. ``scores``: every
night's batch, of older ones one a month. ``score_changes``: moves, and what was said before an
outcome. ``messages``: what was sent to webhooks. ``jobs``: finished ones.
"""


class Settings(BaseModel):
    """One shop's settings.

    Attributes
    ----------
    name : str
        The shop's name, shown on pages.
    timezone : str
        IANA zone in which naive times are read and days begin.
    currency : str
        ISO 4217 code; events in another currency are quarantined.
    margin : float
        Contribution margin, the share of net spend that is earned; between 0 and 1.
    label : str
        What churn is; see :func:`churnguard.labels.label_named`.
    horizon_days, look_back_days : int
        By the label ``order_gap``, churn is "no order in the next ``horizon_days``", for customers
        with an order in the last ``look_back_days``.
    bands : tuple of two floats
        Risks at which ``medium`` and ``high`` begin.
    store : str
        SQLAlchemy address of the store; a relative SQLite path is resolved against the project.
        In PostgreSQL a shop is a schema: ``postgresql+psycopg://user@host/database?schema=shop``.
    store_connections : int
        Connections to PostgreSQL at most; a call that finds none free for a second is refused.
    store_timeout_seconds : float
        How long a statement may take in PostgreSQL, and how long a silent one is waited for.
    known_lag_seconds : int
        How long after it occurred an event from a file is assumed to have been known.
    stale_after_hours : int
        A score whose newest event is older than this says ``stale``.
    control_share : float
        Share of customers held out of every action, so that lift can be learned.
    reasons_top : int or None
        How many customers get reasons in a batch, first in expected gain and first in risk in
        turn; None is the smaller of 10 % and 100,000, and at least 500.
    requests_per_minute, events_per_minute : int
        What one API key may ask for: a request costs 1, a batch as many as it has items; events
        are counted apart. 0 is without limit.
    requests_at_once : int
        Requests that a serving process answers at a time; the rest are refused at once.
    timelines_mb : int
        Memory for the events of customers asked about lately, in each serving process; what is kept
        is never out of date. 0 keeps none.
    webhook_allow : tuple of str
        One's own networks that webhooks may be sent to, such as ``["10.0.0.0/8"]``; without them
        only public addresses are, by https.
    background_loops : bool
        Let ``churnguard serve`` send webhooks, watch the risk and export as well; false where
        ``churnguard worker`` does that beside it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = "shop"
    timezone: str = "UTC"
    currency: str = "USD"
    margin: float = Field(0.3, gt=0, le=1)
    week_start: Literal["monday", "saturday", "sunday"] = "monday"
    holidays: tuple[str, ...] = ()
    label: str = ORDER_GAP
    horizon_days: int = Field(90, ge=1, le=730)
    look_back_days: int = Field(365, ge=7, le=3650)
    bands: tuple[float, float] = (0.33, 0.66)
    store: str = "sqlite:///data/churnguard.db"
    store_connections: int = Field(8, ge=2, le=200)
    store_timeout_seconds: float = Field(5.0, ge=0.5, le=600)
    known_lag_seconds: int = Field(0, ge=0)
    stale_after_hours: int = Field(48, ge=1)
    control_share: float = Field(0.1, ge=0, lt=1)
    reasons_top: int | None = Field(None, ge=0)
    requests_per_minute: int = Field(120_000, ge=0)
    events_per_minute: int = Field(3_000_000, ge=0)
    requests_at_once: int = Field(64, ge=2)
    timelines_mb: int = Field(256, ge=0)
    webhook_allow: tuple[str, ...] = ()
    background_loops: bool = True
    retention: Mapping[str, int] = Field(default_factory=dict)

    @field_validator("retention")
    @classmethod
    def _known_terms(cls, retention: Mapping[str, int]) -> Mapping[str, int]:
        unknown = sorted(retention.keys() - KEPT_DAYS.keys())
        if unknown:
            raise ValueError(f"names '{unknown[0]}'; there is {', '.join(KEPT_DAYS)}")
        if any(days < 1 for days in retention.values()):
            raise ValueError("is a number of days, at least 1")
        return retention

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, zone: str) -> str:
        if zone not in available_timezones():
            raise ValueError("is not an IANA time zone such as Europe/London")
        ZoneInfo(zone)
        return zone

    @field_validator("label")
    @classmethod
    def _known_label(cls, label: str) -> str:
        try:
            return label_named(label).name
        except InvalidRequest as error:
            raise ValueError(f"is not a label. {error.hint.rstrip('.')}") from error

    @field_validator("currency")
    @classmethod
    def _code(cls, currency: str) -> str:
        if not re.fullmatch("[A-Z]{3}", currency):
            raise ValueError("is not an ISO 4217 code such as EUR")
        return currency

    @field_validator("webhook_allow")
    @classmethod
    def _networks(cls, networks: tuple[str, ...]) -> tuple[str, ...]:
        for network in networks:
            try:
                ip_network(network)
            except ValueError as error:
                raise ValueError(f"must be networks such as 10.0.0.0/8: {error}") from error
        return networks

    @field_validator("bands")
    @classmethod
    def _rising(cls, bands: tuple[float, float]) -> tuple[float, float]:
        if not 0 < bands[0] < bands[1] < 1:
            raise ValueError("must be two rising shares between 0 and 1, such as [0.33, 0.66]")
        return bands


def read_settings(
    project: Path, environ: Mapping[str, str] = os.environ, **options: Any
) -> Settings:
    """Read a project's settings.

    Parameters
    ----------
    project : Path
        The project's folder, which holds ``churnguard.toml``.
    environ : mapping
        Where ``CHURNGUARD_*`` variables are looked up.
    **options
        Command options, which win over everything; None means not given.

    Raises
    ------
    ProjectError
        If the file is missing or a setting is unknown or cannot be used.
    """
    file = project / SETTINGS_FILE
    if not file.is_file():
        raise ProjectError(
            f"{project} is not a ChurnGuard project: it has no {SETTINGS_FILE}.",
            hint="Make one with 'churnguard init DIR', or name one with --project DIR.",
            file=file,
        )
    try:
        values: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ProjectError(f"{file} is not valid TOML: {error}.", file=file) from error
    values |= _from_environ(environ)
    values |= {name: value for name, value in options.items() if value is not None}
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        name, why = _first_wrong(error)
        raise ProjectError(
            f"The setting '{name}' cannot be used: {why}.",
            hint=f"Mend it in {file} or in {_PREFIX}{name.upper()}.",
            file=file,
        ) from error


def check_settings(**values: Any) -> Settings:
    """Check settings that are not in a file yet.

    Raises
    ------
    InvalidRequest
        If one of them cannot be used.

    Examples
    --------
    >>> check_settings(timezone="Asia/Jerusalem", currency="ILS").margin
    0.3
    """
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        name, why = _first_wrong(error)
        raise InvalidRequest(
            f"The {name} '{values.get(name)}' cannot be used: it {why}."
        ) from error


def _first_wrong(error: ValidationError) -> tuple[str, str]:
    """Return the first setting that is wrong, and why."""
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"])
    return name, first["msg"].removeprefix("Value error, ")


def explain_settings(
    project: Path, environ: Mapping[str, str] = os.environ
) -> list[tuple[str, Any, str]]:
    """Return each setting with its value and where it comes from.

    Secrets are listed as ``set`` or ``not set``; their values are never returned, and neither is a
    password in the store's address.
    """
    settings = read_settings(project, environ).model_dump(mode="json")
    settings["store"] = re.sub(r"(//[^:/@]*):[^@]*@", r"\1:***@", settings["store"])
    in_file = tomllib.loads((project / SETTINGS_FILE).read_text(encoding="utf-8"))
    in_environ = _from_environ(environ)
    rows: list[tuple[str, Any, str]] = []
    for name, value in settings.items():
        origin = SETTINGS_FILE if name in in_file else "default"
        rows.append((name, value, _PREFIX + name.upper() if name in in_environ else origin))
    return rows + [(secret, *_where(secret, project, environ)) for secret in SECRETS]


def _where(secret: str, project: Path, environ: Mapping[str, str]) -> tuple[str, str]:
    """Return whether a secret is there, and from where; never the secret."""
    if secret in environ or f"{secret}_FILE" in environ:
        return "set", secret if secret in environ else f"{secret}_FILE"
    layout = Layout(project)
    files = {
        "CHURNGUARD_SIGNING_KEY": layout.signing_key,
        "CHURNGUARD_HOLDOUT_KEY": layout.holdout_key,
        "CHURNGUARD_SERVICE_KEY": layout.service_key,
    }
    if secret in files and files[secret].is_file():
        return "set", files[secret].relative_to(project).as_posix()
    return "not set", "default"


def _from_environ(environ: Mapping[str, str]) -> dict[str, Any]:
    """Collect the settings given as variables; TOML syntax for lists, plain text otherwise."""
    found: dict[str, Any] = {}
    for name in Settings.model_fields:
        text = environ.get(_PREFIX + name.upper())
        if text is not None:
            found[name] = _toml_value(text)
    return found


def _toml_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def read_secret(name: str, environ: Mapping[str, str] = os.environ) -> str | None:
    """Return a secret from a variable or from the file that its ``_FILE`` form names.

    Raises
    ------
    ProjectError
        If the file is named but cannot be read.

    Examples
    --------
    >>> read_secret("CHURNGUARD_SIGNING_KEY", {"CHURNGUARD_SIGNING_KEY": "abc"})
    'abc'
    """
    if name in environ:
        return environ[name]
    file = environ.get(f"{name}_FILE")
    if file is None:
        return None
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ProjectError(
            f"The file named by {name}_FILE cannot be read: {error.strerror}.", file=Path(file)
        ) from error
