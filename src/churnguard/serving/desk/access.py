"""Who may sit at the desk, and whether a form really came from one of its pages."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from churnguard.errors import AccessDenied
from churnguard.jobs.ports import ApiKey, Shop
from churnguard.serving.auth import KeyRing, NotAuthenticated, ScopeMissing
from churnguard.serving.desk.sessions import SESSION_COOKIE, Sealer, Session

OPEN_KEY = "open"
"""The key id of sessions at an open desk."""


@dataclass(frozen=True)
class Visitor:
    """Who asks, and whether the cookie has yet to be handed out."""

    session: Session
    fresh: bool = False

    @property
    def actor(self) -> str:
        """How outcomes name this person."""
        return f"desk:{self.session.key_id}"


class Gate:
    """Let people in by API key, cookie, or, at an open desk, as they are.

    Parameters
    ----------
    shop : Shop
        Whose keys open.
    ring : KeyRing
        Checks them, and makes whoever sends wrong ones wait.
    sealer : Sealer
        Seals the cookies.
    open_desk : bool
        Whether everybody may come in.
    """

    def __init__(self, shop: Shop, ring: KeyRing, sealer: Sealer, *, open_desk: bool) -> None:
        self.shop = shop
        self.ring = ring
        self.sealer = sealer
        self.open_desk = open_desk

    def visitor(self, request: Request) -> Visitor:
        """Return who asks.

        Raises
        ------
        NotAuthenticated
            If nobody is signed in, or the key is no longer good.
        ScopeMissing
            If the key may not use the desk.
        """
        session = self._session(request)
        if self.open_desk:
            return Visitor(session, fresh=False) if session else self._anybody()
        if session is None:
            session = self._bearer(request)
        elif self._live(session.key_id) is None:
            session = None
        if session is None:
            raise NotAuthenticated("Nobody is signed in.", hint="Sign in at /desk/sign-in.")
        return Visitor(session)

    def sign_in(self, text: str, *, address: str) -> Session:
        """Begin a session with an API key that came from an address.

        Raises
        ------
        AccessDenied
            If the key is not good or lacks the scope ``desk``.
        TooManyTries
            If too many wrong ones came from there.
        """
        key = self.ring.check(text.strip(), address=address)
        if "desk" not in key.scopes:
            raise ScopeMissing("desk")
        return self.sealer.new_session(key.key_id, key.name, now=self.shop.clock())

    def check_form(self, request: Request, session: Session | None, token: str) -> None:
        """Refuse a form that did not come from one of our own pages.

        Raises
        ------
        AccessDenied
            If the origin is another, or the token is not this session's.
        """
        origin = urlsplit(request.headers.get("origin", ""))
        if not origin.netloc or origin.netloc != request.headers.get("host"):
            raise AccessDenied(
                "The form was sent from another site.", hint="Open the desk and send it there."
            )
        expected = self.sealer.form_token(session) if session else ""
        if not hmac.compare_digest(expected.encode(), token.encode()):
            raise AccessDenied("The form is out of date.", hint="Open the page again and resend.")

    def remember(self, request: Request, response: Response, session: Session) -> None:
        """Hand out the session's cookie."""
        set_cookie(request, response, SESSION_COOKIE, self.sealer.seal_session(session))

    def _session(self, request: Request) -> Session | None:
        cookie = request.cookies.get(SESSION_COOKIE, "")
        return self.sealer.open_session(cookie, now=self.shop.clock()) if cookie else None

    def _anybody(self) -> Visitor:
        session = self.sealer.new_session(OPEN_KEY, "", now=self.shop.clock())
        return Visitor(session, fresh=True)

    def _live(self, key_id: str) -> ApiKey | None:
        now = self.shop.clock()
        for key in self.shop.keys.keys():  # noqa: SIM118 - a store of keys, no dictionary
            expired = key.expires_at is not None and key.expires_at <= now
            if key.key_id == key_id and not key.revoked_at and not expired:
                return key
        return None

    def _bearer(self, request: Request) -> Session | None:
        """Let a program read the pages' JSON with its key."""
        scheme, _, text = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        return self.sign_in(text, address=address_of(request))


def address_of(request: Request) -> str:
    """Return where a request came from."""
    return request.client.host if request.client else ""


def set_cookie(
    request: Request, response: Response, name: str, value: str, *, seconds: int | None = None
) -> None:
    """Set a cookie that scripts cannot read and other sites cannot send."""
    response.set_cookie(
        name,
        value,
        max_age=seconds,
        path="/",
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
