"""``/docs``: one self-made page rendered from the OpenAPI description, without scripts or CDN."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from fastapi import APIRouter, FastAPI, Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse

from churnguard.jobs.keys import SCOPES
from churnguard.serving.problems import kinds
from churnguard.serving.reference.describe import describe

router = APIRouter(include_in_schema=False)


def marked(text: str) -> Markup:
    """Return a text, escaped, what stands in `backticks` set as code.

    Examples
    --------
    >>> marked("`a` < b")
    Markup('<code>a</code> &lt; b')
    """
    code = re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text)))
    return Markup(code)  # noqa: S704 - the text was escaped before the marks were put in


@router.get("/docs")
def get_reference(request: Request) -> HTMLResponse:
    """Show the reference."""
    return HTMLResponse(_page(request.app))


@cache
def _page(app: FastAPI) -> str:
    """Render the page once; nothing on it changes while the app lives."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["marked"] = marked
    template = environment.get_template("reference.html")
    return template.render(reference=describe(app.openapi()), scopes=SCOPES, problems=kinds())
