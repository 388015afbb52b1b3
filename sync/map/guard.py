"""Who may see the map. It shows where cars were, so it trusts neither a name nor a network.

Of every request these are asked, in this order: to which host name it was made (a foreign page may have its own name lead here),
its token where one is asked for, whether it only reads or is a person's judgement, and then whether a page of another place sends
it. Every answer says that no other host has a part in the page.
"""

import hashlib
import hmac
import ipaddress
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE: Final = "ronde_map"
COOKIE_S: Final = 30 * 24 * 3600
LEAST_TOKEN: Final = 16
"""Characters. `openssl rand -hex 24` gives 48."""

ALWAYS: Final = frozenset({"localhost"})
READS: Final = ("GET", "HEAD")
WRITES: Final = re.compile(r"/api/things/[^/]+/judgement")
"""Where a POST is let through."""


@dataclass(frozen=True, slots=True)
class Guard:
    """`token` None asks for none; `names` are host names that lead here, beside addresses and localhost."""

    token: str | None
    names: Collection[str]

    def knows(self, host: str) -> bool:
        """A `Host` header names us. An address always does: no foreign page can take one for its own."""
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return name in ALWAYS or name in {each.lower() for each in self.names}
        return True

    def opens(self, token: str) -> bool:
        """The token is the right one; how long this takes tells nothing."""
        return self.token is not None and hmac.compare_digest(token.encode(), self.token.encode())

    def cookie(self) -> str:
        """What a browser keeps instead of the token. Another token makes it worthless."""
        return hmac.new((self.token or "").encode(), b"ronde map", hashlib.sha256).hexdigest()

    def admits(self, headers: Headers, query: Iterable[tuple[str, str]]) -> bool:
        """The request carries the token (`?token=`, `Authorization: Bearer`) or the cookie, or none is asked for."""
        if self.token is None:
            return True
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        shown = [value for name, value in query if name == "token"] + ([bearer.strip()] if scheme.lower() == "bearer" else [])
        return any(map(self.opens, shown)) or hmac.compare_digest(_kept(headers).encode(), self.cookie().encode())


def _is_own(headers: Headers) -> bool:
    """No page of another origin sends this. A browser says who sends; a program says nothing, and has no cookie to be misused."""
    origin, site = headers.get("origin"), headers.get("sec-fetch-site")
    if site is not None and site not in ("same-origin", "none"):
        return False
    try:
        return origin is None or urlsplit(origin).netloc == headers.get("host", "")
    except ValueError:
        return False


def _kept(headers: Headers) -> str:
    try:
        morsel = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return morsel.value if morsel else ""


class Guarded:
    """An ASGI application behind a guard; `pictures_from` is a host that may send map tiles."""

    def __init__(self, app: ASGIApp, guard: Guard, pictures_from: str | None = None) -> None:
        self._app = app
        self._guard = guard
        images = " ".join(["'self'", "data:", *([] if pictures_from is None else [pictures_from])])
        self._headers = {
            "content-security-policy": f"default-src 'none'; script-src 'self'; style-src 'self'; img-src {images}; "
            "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
            "x-content-type-options": "nosniff",
            "referrer-policy": "no-referrer",
            "cross-origin-resource-policy": "same-origin",
            "cross-origin-opener-policy": "same-origin",
            "permissions-policy": "camera=(), microphone=(), geolocation=(self)",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request, or has it answered."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        answer = self._refusal(Request(scope))
        await (answer or self._app)(scope, receive, send_guarded)

    def _refusal(self, request: Request) -> Response | None:
        """The answer that is given instead of what was asked for, None where that is allowed."""
        if not self._guard.knows(request.headers.get("host", "")):
            return _told(421, "The map is not reached by this name: use its address, or start it with --map-name NAME.")
        query = parse_qsl(request.url.query, keep_blank_values=True)
        if not self._guard.admits(request.headers, query):
            # Elsewhere the browser would ask for a user and a password, which there are none of.
            return _told(401, "The map asks for its token: open it once with ?token=TOKEN behind its address.")
        if request.method not in READS and not (request.method == "POST" and WRITES.fullmatch(request.url.path)):
            return _told(405, "The map only shows, but for what people judge.")
        if request.method not in READS and not _is_own(request.headers):
            return _told(403, "A page of another place may not judge here.")
        if self._guard.token is not None and request.url.path == "/" and any(name == "token" for name, _ in query):
            return self._remember(query)
        return None

    def _remember(self, query: Iterable[tuple[str, str]]) -> Response:
        """Keeps a cookie in the browser and takes the token out of its address."""
        rest = urlencode([(name, value) for name, value in query if name != "token"])
        answer = RedirectResponse(f"./{'?' if rest else ''}{rest}", status_code=303)
        answer.headers["cache-control"] = "no-store"
        # "lax": a link in a letter has to work. It comes with no POST of another site, and those are refused besides (`_is_own`).
        answer.set_cookie(COOKIE, self._guard.cookie(), max_age=COOKIE_S, path="/", httponly=True, samesite="lax")
        return answer


def _told(status: int, sentence: str) -> Response:
    return PlainTextResponse(f"{sentence}\n", status_code=status, headers={"cache-control": "no-store"})
