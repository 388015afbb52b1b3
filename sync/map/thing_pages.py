"""What the map answers about things: which there are, what each round made of one, and what a person says of it."""

import json
from dataclasses import dataclass
from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from sync.map.answers import GEOJSON, as_json, asked_of, page_of, written
from sync.map.features import judged_json, thing_feature, visit_json
from sync.map.question import BadQuestion
from sync.receiver.atlas import Atlas
from sync.receiver.judging import LONGEST_NAME, LONGEST_NOTE, Judge, NoSuchThing
from sync.receiver.kinds import is_printed
from sync.receiver.seen import JUDGEMENTS, ThingKnown

THINGS: Final = ("bbox", "label", "state", "judgement", "round", "since", "limit", "after")
LONGEST_SAYING: Final = 4_096
"""Bytes of what somebody says."""
UNKNOWN: Final = "There is no such thing.\n"
SAYING: Final = (
    'the body is JSON: {"judgement": "confirmed", "rejected" or null, "by": who says it'
    f' (1 to {LONGEST_NAME} characters), "note": why (at most {LONGEST_NOTE}; may be missing)}}'
)


@dataclass(frozen=True, slots=True)
class ThingPages:
    """The routes. Without a judge nothing can be said."""

    atlas: Atlas
    judge: Judge | None

    def routes(self) -> list[Route]:
        """All of them."""
        return [
            Route("/api/things", self._things),
            Route("/api/things/{thing}", self._thing),
            Route("/api/things/{thing}/judgement", self._judgement, methods=["POST"]),
        ]

    async def _things(self, request: Request) -> Response:
        asked = asked_of(request, THINGS)
        if len(asked.rounds) > 1:
            raise BadQuestion("round is one name here: what one round made of things")

        def answer() -> Response:
            newest = self.atlas.newest()
            found = self.atlas.things(
                box=asked.box,
                labels=asked.labels,
                states=asked.states,
                judgements=asked.judgements,
                round_id=asked.rounds[0] if asked.rounds else None,
                since=asked.since,
                limit=asked.limit,
                after=asked.after,
            )
            last = found[-1].number if len(found) == asked.limit else None
            return page_of([thing_feature(each) for each in found], request, last, newest)

        return await run_in_threadpool(answer)

    async def _thing(self, request: Request) -> Response:
        asked_of(request, ())

        def answer() -> Response:
            thing = self.atlas.thing(request.path_params["thing"])
            return PlainTextResponse(UNKNOWN, status_code=404) if thing is None else self._whole(thing)

        return await run_in_threadpool(answer)

    def _whole(self, thing: ThingKnown) -> Response:
        """One thing, with what each round made of it, and what was said."""
        document = thing_feature(thing)
        document["properties"] |= {
            "history": [visit_json(each) for each in self.atlas.history(thing)],
            "judgements": [judged_json(each) for each in self.atlas.judgements(thing)],
        }
        return Response(written(document), media_type=GEOJSON, headers={"cache-control": "no-store"})

    async def _judgement(self, request: Request) -> Response:
        asked_of(request, ())
        judge = self.judge
        if judge is None:
            return PlainTextResponse("This map only shows.\n", status_code=405)
        judgement, by, note = _said(await _body(request))
        try:
            judged = await run_in_threadpool(judge.say, request.path_params["thing"], judgement, by=by, note=note)
        except NoSuchThing:
            return PlainTextResponse(UNKNOWN, status_code=404)
        return as_json(judged_json(judged))


async def _body(request: Request) -> bytes:
    """What was sent. Only JSON by its name: a foreign page cannot send that without being asked whether it may."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise BadQuestion(f"the content type is application/json, and {SAYING}")
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LONGEST_SAYING:
            raise BadQuestion(f"that is longer than {LONGEST_SAYING} bytes")
    return body


def _said(body: bytes) -> tuple[Any, str, str | None]:
    """Judgement, who, and why."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise BadQuestion(SAYING) from None
    if not isinstance(document, dict) or not {"judgement", "by"} <= set(document) <= {"judgement", "by", "note"}:
        raise BadQuestion(SAYING)
    judgement, by, note = document["judgement"], document["by"], document.get("note")
    if judgement is not None and judgement not in JUDGEMENTS:
        raise BadQuestion(SAYING)
    if not is_printed(by, LONGEST_NAME) or not (note is None or is_printed(note, LONGEST_NOTE)):
        raise BadQuestion(SAYING)
    return judgement, by.strip(), note.strip() if note else None
