"""What the panel answers: its page, live news, presses, and the day's rounds."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Final
from urllib.parse import parse_qs, urlencode

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from sync.panel.desk import Desk, Taken
from sync.panel.glance import Glance
from sync.panel.guard import COOKIE, Guard, cookie_of, new_token
from sync.panel.news import MOST, News
from sync.panel.page import Answer, View, page
from sync.panel.shown import shown
from sync.panel.words import STATIC, all_words, language, reason_words
from sync.request import Kind

LARGEST_FORM: Final = 8_192
MOST_PRESSES: Final = 8
"""Hazards with a note that are being written at the same time; a finger has one."""

KINDS: Final[tuple[Kind, ...]] = ("pause", "resume", "hazard")
SAID: Final = {"pause": "done_pause", "resume": "done_resume", "hazard": "hazard_done", "paused": "hazard_paused"} | {
    each: each for each in ("note_done", "note_late", "press_again", "refused_origin")
}
"""What a page may be asked to say of the last press: its key among the words."""

Form = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Pages:
    """The routes. `latest` gives the last look and never waits, `look` takes a new one; `more` are routes of the day's rounds."""

    unit: str
    guard: Guard
    desk: Desk
    latest: Callable[[], Glance]
    look: Callable[[], object]
    more: Sequence[Route] = ()
    news: News = field(default_factory=News)
    _presses: dict[tuple[Kind, str | None], "asyncio.Task[Taken]"] = field(default_factory=dict)

    def app(self) -> Starlette:
        """The application, without the guard of its names."""
        routes = [
            Route("/", self._page),
            Route("/news", self._news),
            *(Route(f"/{kind}", self._press, methods=["POST"], name=kind) for kind in KINDS),
            Route("/note", self._note, methods=["POST"]),
            *self.more,
            Mount("/static", StaticFiles(directory=STATIC)),
        ]
        return Starlette(routes=routes, exception_handlers={HTTPException: _plain})

    async def _page(self, request: Request) -> Response:
        asked = request.query_params
        spoken = language(request.headers.get("accept-language", ""), asked.get("lang"))
        words = all_words()[spoken]
        token = cookie_of(request.headers) or new_token()
        answer = Answer(_said(asked.get("said", ""), asked.get("reason", ""), words), _number(asked.get("hazard")))
        html = page(View(self.unit, spoken, words, self._texts(spoken), token, answer))
        response = HTMLResponse(html, headers={"content-language": spoken, "vary": "accept-language"})
        response.set_cookie(COOKIE, token, path="/", httponly=True, samesite="strict")
        return response

    def _texts(self, spoken: str) -> dict[str, str]:
        return shown(self.latest(), all_words()[spoken], datetime.now(timezone.utc))

    async def _news(self, request: Request) -> Response:
        if self.news.listeners >= MOST:
            return PlainTextResponse("Too many pages listen.\n", status_code=503, headers={"retry-after": "5"})
        spoken = language(request.headers.get("accept-language", ""), request.query_params.get("lang"))
        return StreamingResponse(self.news.listen(lambda: self._texts(spoken)), media_type="text/event-stream")

    async def _press(self, request: Request) -> Response:
        """A press: answered when the request is durable, or with the reason why it is not."""
        kind = _kind(request.url.path)
        form = await _form(request)
        if not self.guard.is_ours(request.headers, form.get("token", "")):
            return _answer(request, form, "refused_origin", status=403)
        if kind == "hazard" and self.latest().paused_at is not None:
            return _answer(request, form, "paused", status=409)
        taken = await self._taken(kind, form.get("note") or None)
        if taken is None:
            return _answer(request, form, "press_again", status=503)
        if taken.request is None:
            return _answer(request, form, "not_done", reason=taken.reason or "", status=503)
        await run_in_threadpool(self.look)
        told = kind == "hazard" and taken.request.note is None
        return _answer(request, form, kind, hazard=taken.request.id if told else None)

    async def _taken(self, kind: Kind, note: str | None) -> Taken | None:
        """The same press, while it is being written, is one; None where too much is being written."""
        task = self._presses.get((kind, note))
        if task is None:
            if len(self._presses) >= MOST_PRESSES:
                return None
            task = asyncio.create_task(run_in_threadpool(self.desk.press, kind, note))
            self._presses[kind, note] = task
            task.add_done_callback(lambda _: self._presses.pop((kind, note), None))
        return await asyncio.shield(task)

    async def _note(self, request: Request) -> Response:
        form = await _form(request)
        if not self.guard.is_ours(request.headers, form.get("token", "")):
            return _answer(request, form, "refused_origin", status=403)
        hazard = _number(form.get("hazard"))
        if hazard is None:
            return _answer(request, form, "note_late", status=400)
        kept = await run_in_threadpool(self.desk.note, hazard, form.get("note", ""))
        if kept is None:
            return _answer(request, form, "press_again", hazard=hazard, status=503)
        return _answer(request, form, "note_done" if kept else "note_late", status=200 if kept else 409)


def _kind(path: str) -> Kind:
    return next(kind for kind in KINDS if path == f"/{kind}")


async def _form(request: Request) -> Form:
    """The fields of a form, each once; what is too large or no form has none."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > LARGEST_FORM:
            raise HTTPException(413, "That is too much for a note.")
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return {}
    try:
        fields = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=10)
    except ValueError:
        return {}
    return {name: values[0] for name, values in fields.items()}


def _answer(
    request: Request, form: Form, said: str, *, hazard: int | None = None, reason: str = "", status: int = 200
) -> Response:
    """For a script the sentence; for a browser without one the way back to the page, which says it."""
    spoken = language(request.headers.get("accept-language", ""), form.get("lang"))
    if "application/json" in request.headers.get("accept", ""):
        words = all_words()[spoken]
        document = {"said": _said(said, reason, words), "hazard": hazard}
        return Response(json.dumps(document, ensure_ascii=False), status_code=status, media_type="application/json")
    told = {"lang": spoken, "said": said, "reason": reason, "hazard": "" if hazard is None else str(hazard)}
    if said == "refused_origin":
        return PlainTextResponse(f"{_said(said, '', all_words()[spoken])}\n", status_code=status)
    return RedirectResponse(f"/?{urlencode({name: value for name, value in told.items() if value})}", status_code=303)


def _said(said: str, reason: str, words: Mapping[str, str]) -> str:
    """A sentence by its key; one that nobody has written is none."""
    if said == "not_done":
        known = f"reason_{reason}" in words
        return f"{words['not_done'].format(reason=reason_words(reason, words) if known else '?')}. {words['press_again']}"
    return words[SAID[said]] if said in SAID else ""


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 16 else None


async def _plain(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return PlainTextResponse(f"{error.detail}\n", status_code=error.status_code)
