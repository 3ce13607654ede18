"""Turn a page into HTML in the reader's language, or into JSON for a program."""

from __future__ import annotations

import hashlib
import re
from dataclasses import asdict, dataclass
from functools import cached_property
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from churnguard.jobs.ports import Shop
from churnguard.serving.answers import Json
from churnguard.serving.desk.languages import Language, negotiate, read_languages
from churnguard.serving.desk.sessions import LANGUAGE_COOKIE

HERE = Path(__file__).parent
_SLOT = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Flash:
    """What has just been done, told once; ``decision_id`` allows to take it back."""

    outcome: str
    customer_id: str
    decision_id: str


@dataclass(frozen=True)
class RefusedView:
    """A new model that was not put to use: which, why in words, and which one answers instead."""

    version: str
    why: str
    serving: str


@dataclass(frozen=True)
class Frame:
    """What every page shows round its content.

    Attributes
    ----------
    shop : str
        The shop's name.
    language : Language
        The reader's.
    languages : tuple of Language
        The others, to switch to.
    here : str
        Path and query of this page, to come back to.
    signed_in : str
        Who sits here; empty for nobody.
    open_desk : bool
        Whether anybody may.
    token : str
        What forms must send along; empty for nobody.
    flash : Flash or None
        What has just been done.
    refused : RefusedView or None
        The new model that was refused.
    """

    shop: str
    language: Language
    languages: tuple[Language, ...]
    here: str
    signed_in: str
    open_desk: bool
    token: str
    flash: Flash | None
    refused: RefusedView | None


class Renderer:
    """Hold the languages and one template environment for each.

    Parameters
    ----------
    shop : Shop
        Whose name, currency and time zone the pages show.
    """

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.languages = read_languages(
            currency=shop.settings.currency, timezone=shop.settings.timezone
        )
        self._environments = {
            code: self._environment(language) for code, language in self.languages.items()
        }

    @cached_property
    def style_version(self) -> str:
        """A digest of the style sheet, so that browsers may keep it for ever."""
        return hashlib.blake2b((HERE / "static" / "desk.css").read_bytes()).hexdigest()[:12]

    def language_of(self, request: Request) -> Language:
        """Return the language of a reader: chosen before, else the browser's."""
        chosen = request.cookies.get(LANGUAGE_COOKIE, "")
        accepted = request.headers.get("accept-language", "")
        return self.languages.get(chosen) or negotiate(accepted, self.languages)

    def respond(self, request: Request, page: Any, *, frame: Frame, status: int = 200) -> Response:
        """Return a page as HTML, or as JSON to whoever asks for that."""
        if wants_json(request):
            return Json(asdict(page), status)
        template = self._environments[frame.language.code].get_template(page.template)
        phrase = HTTPStatus(status).phrase
        html = template.render(page=page, frame=frame, phrase=phrase)
        headers = {"Content-Language": frame.language.code, "Vary": "Accept, Accept-Language"}
        return HTMLResponse(html, status, headers=headers)

    def _environment(self, language: Language) -> Environment:
        environment = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=["jinja2.ext.i18n"],
        )
        environment.install_gettext_translations(language.words, newstyle=True)  # type: ignore[attr-defined]
        for name in ("number", "percent", "points", "money", "day", "moment", "month"):
            environment.filters[name] = getattr(language, name)
        environment.filters["bdi"] = isolate
        environment.filters["ltr"] = Markup('<bdi dir="ltr">{}</bdi>').format
        environment.filters["slots"] = mark_slots
        environment.filters["segment"] = lambda text: quote(text, safe="")
        environment.globals["style_version"] = self.style_version
        return environment


def isolate(text: Any) -> Markup:
    """Return a text from elsewhere, escaped, in ``<bdi>``: its direction harms nothing round it.

    Examples
    --------
    >>> isolate("<b>7")
    Markup('<bdi>&lt;b&gt;7</bdi>')
    """
    return Markup("<bdi>{}</bdi>").format(text)


def mark_slots(text: str) -> Markup:
    """Return a message with its ``{placeholders}`` marked as what the sender fills in.

    Examples
    --------
    >>> mark_slots("Here is {discount} off, <you>")
    Markup('Here is <b class="slot">discount</b> off, &lt;you&gt;')
    """
    marked = _SLOT.sub(r'<b class="slot">\1</b>', str(escape(text)))
    return Markup(marked)  # noqa: S704 - the text was escaped before the marks were put in


def wants_json(request: Request) -> bool:
    """Tell whether a program asks: ``?format=json``, or an Accept that prefers it to HTML."""
    if "format" in request.query_params:
        return request.query_params["format"] == "json"
    accepted = request.headers.get("accept", "")
    return "application/json" in accepted and "text/html" not in accepted
