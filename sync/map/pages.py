"""What the map answers: its page, GeoJSON of what the receiver has stored, pictures, and what is new."""

from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Final

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from inference.labels import LABELS
from provisioning.log import events
from sync.event import now
from sync.failure import DatabaseFailed, DatabaseRefused
from sync.map.answers import as_json, asked_after, asked_of, page_of
from sync.map.features import finding_feature, grade_feature, round_json, track_feature, unit_json
from sync.map.news import News
from sync.map.question import BadQuestion
from sync.map.thing_pages import ThingPages
from sync.receiver.atlas import Atlas
from sync.receiver.judging import Judge

STATIC: Final = Path(__file__).parent / "static"
ROUNDS: Final = 200
"""The latest ones, as a page lets choose from."""

FINDINGS: Final = ("bbox", "label", "round", "since", "limit", "after")
LINES: Final = ("bbox", "round", "since", "limit", "after")
STRETCHES: Final = ("bbox", "round", "since", "after")

log = events("map")


@dataclass(frozen=True, slots=True)
class Pages:
    """The routes over one database. `tiles` is the template of a town's own tile server, `credit` whose tiles these are.

    `judge` writes what people say of things; without one the map only shows.
    """

    atlas: Atlas
    tiles: str | None = None
    credit: str = ""
    judge: Judge | None = None
    news: News = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "news", News(self.atlas))

    def app(self) -> Starlette:
        """The application, without a guard."""
        routes = [
            Route("/", self._page),
            Route("/api/about", self._about),
            Route("/api/findings", self._findings),
            Route("/api/tracks", self._tracks),
            Route("/api/grades", self._grades),
            Route("/api/rounds", self._rounds),
            Route("/api/units", self._units),
            *ThingPages(self.atlas, self.judge).routes(),
            Route("/api/stream", self._stream),
            Route("/photos/{finding}.jpg", self._photo),
            Mount("/", StaticFiles(directory=STATIC)),
        ]
        app = Starlette(
            routes=routes,
            exception_handlers={
                BadQuestion: _bad,
                DatabaseFailed: _unavailable,
                DatabaseRefused: _unavailable,
                HTTPException: _plain,
            },
        )
        # A pass that costs little: ten thousand findings are a tenth of their size.
        app.add_middleware(GZipMiddleware, minimum_size=2000, compresslevel=2)
        return app

    async def _page(self, _request: Request) -> Response:
        return FileResponse(STATIC / "index.html", headers={"cache-control": "no-cache"})

    async def _about(self, request: Request) -> Response:
        asked_of(request, ())
        labels = {
            each.name: {"en": each.english, "fr": each.french, "kind": each.kind} for each in LABELS if each.kind != "hiding"
        }
        tiles = None if self.tiles is None else {"url": self.tiles, "credit": self.credit}
        return as_json({"version": version("ronde"), "labels": labels, "tiles": tiles, "judges": self.judge is not None})

    async def _findings(self, request: Request) -> Response:
        asked = asked_of(request, FINDINGS)

        def answer() -> Response:
            newest = self.atlas.newest()  # before the findings: what comes between is told twice rather than never
            found = self.atlas.findings(
                box=asked.box,
                labels=asked.labels,
                rounds=asked.rounds,
                since=asked.since,
                limit=asked.limit,
                after=asked.after,
            )
            last = found[-1].seq if len(found) == asked.limit else None
            return page_of([finding_feature(each) for each in found], request, last, newest)

        return await run_in_threadpool(answer)

    async def _tracks(self, request: Request) -> Response:
        asked = asked_of(request, LINES)

        def answer() -> Response:
            newest = self.atlas.newest()
            driven = self.atlas.tracks(
                box=asked.box, rounds=asked.rounds, since=asked.since, limit=asked.limit, after=asked.after
            )
            last = driven[-1].seq if len(driven) == asked.limit else None
            return page_of([track_feature(each) for each in driven], request, last, newest)

        return await run_in_threadpool(answer)

    async def _grades(self, request: Request) -> Response:
        asked = asked_of(request, STRETCHES)

        def answer() -> Response:
            newest = self.atlas.newest()
            graded = self.atlas.grades(box=asked.box, rounds=asked.rounds, since=asked.since, after=asked.after)
            last = graded[-1].seq if graded else None
            return page_of([grade_feature(each) for each in graded], request, last, newest)

        return await run_in_threadpool(answer)

    async def _rounds(self, request: Request) -> Response:
        asked_of(request, ())

        def answer() -> Response:
            return as_json({"rounds": [round_json(each) for each in self.atlas.rounds(ROUNDS)]})

        return await run_in_threadpool(answer)

    async def _units(self, request: Request) -> Response:
        asked_of(request, ())
        units = await run_in_threadpool(self.atlas.units)
        return as_json({"at": now(), "units": [unit_json(each) for each in units]})

    async def _stream(self, request: Request) -> Response:
        asked = asked_of(request, ("after",))
        last = request.headers.get("last-event-id", "")
        after = asked_after(last) if last else asked.after if "after" in request.query_params else None
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}  # a proxy must pass on each event at once
        return StreamingResponse(self.news.listen(after), media_type="text/event-stream", headers=headers)

    async def _photo(self, request: Request) -> Response:
        unknown = sorted({*request.query_params} - {"unit", "token"})
        if unknown:
            raise BadQuestion(f"there is no parameter {unknown[0][:40]!r} here: there is unit")
        unit = request.query_params.get("unit")
        source = None if unit is None else f"/ronde/{unit}"
        picture = await run_in_threadpool(self.atlas.photo, request.path_params["finding"], source)
        if picture is None:
            return PlainTextResponse("There is no picture of this finding.\n", status_code=404)
        return Response(picture, media_type="image/jpeg", headers={"cache-control": "private, max-age=3600"})


async def _bad(_request: Request, error: Exception) -> Response:
    return PlainTextResponse(f"{error}\n", status_code=400)


async def _unavailable(_request: Request, error: Exception) -> Response:
    log.error("map_unanswered", reason=str(error))
    sentence = "The receiver's database cannot be read now; its log says why.\n"
    return PlainTextResponse(sentence, status_code=503, headers={"retry-after": "5"})


async def _plain(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return PlainTextResponse(f"{error.detail}\n", status_code=error.status_code)
