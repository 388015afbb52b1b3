"""Who may see the panel and press its buttons: whoever is in the car, on the page that the unit itself has served.

A foreign page in the driver's browser can send a request here, but it cannot name itself as ours (`Origin`), and where an old
browser names nobody, it does not know the word that our page carries and our cookie holds.
"""

import hmac
import ipaddress
import secrets
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE: Final = "ronde_panel"
ALWAYS: Final = frozenset({"localhost", "127.0.0.1"})
HEADERS: Final = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    # Not "no-referrer": a form of our own page would then name its origin as "null".
    "referrer-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "cache-control": "no-store",
}


@dataclass(frozen=True, slots=True)
class Guard:
    """`hosts` are the names and addresses under which this unit is reached, beside loopback's."""

    hosts: Collection[str]

    def knows(self, host: str) -> bool:
        """A `Host` header names this unit."""
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        with suppress(ValueError):
            name = str(ipaddress.ip_address(name))
        return name in ALWAYS or name in {each.lower() for each in self.hosts}

    def is_ours(self, headers: Headers, token: str) -> bool:
        """A press comes from a page that this unit has served; `token` is the word that it carries."""
        origin = headers.get("origin")
        if origin is not None:
            return origin == f"http://{headers.get('host', '')}"
        site = headers.get("sec-fetch-site")
        if site is not None:
            return site == "same-origin"
        held = cookie_of(headers)
        return bool(held) and hmac.compare_digest(held.encode(), token.encode())


def cookie_of(headers: Headers) -> str:
    """The word in the browser's cookie, empty where there is none."""
    try:
        morsel = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return morsel.value if morsel is not None else ""


def new_token() -> str:
    """A word that nobody guesses."""
    return secrets.token_urlsafe(24)


class Guarded:
    """An ASGI application behind a guard."""

    def __init__(self, app: ASGIApp, guard: Guard) -> None:
        self._app = app
        self._guard = guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request, or has it answered."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        if self._guard.knows(Request(scope).headers.get("host", "")):
            await self._app(scope, receive, send_guarded)
            return
        refusal = PlainTextResponse("The panel is not reached by this name: use the unit's own address.\n", status_code=421)
        await refusal(scope, receive, send_guarded)
