"""The patrol log on the panel: a page, and the same as CSV and PDF. Who is in the car's own Wi-Fi may see it."""

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from html import escape

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from inference.streets import StreetsRefused
from sync.panel.words import all_words, language
from sync.patrol import Day
from sync.patrol_chain import chain_of, csv_of
from sync.patrol_pdf import pdf_of
from sync.patrol_read import PatrolRefused
from sync.patrol_words import Part, Words, parts_of, summary, zone

Read = Callable[[date], Day]


def routes_of(read: Read) -> Sequence[Route]:
    """The routes; `read` gives the log of a day."""
    rounds = Rounds(read)
    return (Route("/patrol", rounds.page), Route("/patrol.csv", rounds.csv), Route("/patrol.pdf", rounds.pdf))


class Rounds:
    """Answers for one unit."""

    def __init__(self, read: Read) -> None:
        self._read = read

    async def page(self, request: Request) -> Response:
        """The log as a page."""
        spoken, words = _words(request)
        answer = await run_in_threadpool(self._log, request)
        if isinstance(answer, Response):
            return answer
        return HTMLResponse(_html(answer, spoken, words), headers={"content-language": spoken})

    async def csv(self, request: Request) -> Response:
        """The log as CSV."""
        answer = await run_in_threadpool(self._log, request)
        if isinstance(answer, Response):
            return answer
        return Response(csv_of(answer).encode("utf-8-sig"), media_type="text/csv", headers=_as_file(answer, "csv"))

    async def pdf(self, request: Request) -> Response:
        """The log as PDF."""
        _, words = _words(request)

        def made() -> Response:
            answer = self._log(request)
            if isinstance(answer, Response):
                return answer
            try:
                return Response(pdf_of(answer, words), media_type="application/pdf", headers=_as_file(answer, "pdf"))
            except PatrolRefused as error:
                return PlainTextResponse(f"{error}\n", status_code=501)

        return await run_in_threadpool(made)

    def _log(self, request: Request) -> Day | Response:
        try:
            asked = request.query_params.get("day")
            day = datetime.now().astimezone().date() if asked is None else date.fromisoformat(asked[:10])
        except ValueError:
            return PlainTextResponse("There is no such day.\n", status_code=400)
        try:
            return self._read(day)
        except (PatrolRefused, StreetsRefused) as error:
            return PlainTextResponse(f"{error}\n", status_code=503, headers={"retry-after": "5"})


def _words(request: Request) -> tuple[str, Words]:
    spoken = language(request.headers.get("accept-language", ""), request.query_params.get("lang"))
    return spoken, all_words()[spoken]


def _as_file(day: Day, kind: str) -> dict[str, str]:
    return {"content-disposition": f'attachment; filename="ronde-{day.unit}-{day.day}.{kind}"'}


def _html(day: Day, spoken: str, words: Words) -> str:
    said = {key: escape(text) for key, text in words.items()}
    links = [
        (f"/?lang={spoken}", said["back"]),
        (f"/patrol?lang={spoken}&amp;day={day.day - timedelta(days=1)}", said["log_before"]),
        (f"/patrol?lang={spoken}&amp;day={day.day + timedelta(days=1)}", said["log_after"]),
        (f"/patrol.csv?day={day.day}", "CSV"),
        (f"/patrol.pdf?lang={spoken}&amp;day={day.day}", "PDF"),
    ]
    anchors = "\n".join(f'<a class="button" href="{where}">{text}</a>' for where, text in links)
    told = escape(summary(day, words)) if day.drives else said["log_none"]
    return f"""<!doctype html>
<html lang="{spoken}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{said["log_title"]} {day.day} · ronde</title>
<link rel="icon" href="/static/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/static/panel.css">
</head>
<body class="log">
<header><h1>{said["log_title"]}</h1><p>{escape(day.fleet)}/{escape(day.unit)}</p></header>
<main>
<nav aria-label="{said["log_title"]}">{anchors}</nav>
<p><b>{day.day:%d/%m/%Y}</b> · {escape(zone(day, words))}</p>
<p>{told}</p>
{"".join(_table(part) for part in parts_of(day, words))}
<p>{said["log_chain"]}<br><code>{chain_of(day)}</code></p>
</main>
</body>
</html>
"""


def _table(part: Part) -> str:
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in part.head)
    rows = "\n".join(f"<tr>{''.join(f'<td>{escape(text)}</td>' for text in row)}</tr>" for row in part.rows)
    title = escape(part.title)
    return (
        f'<div class="scroll" role="region" aria-label="{title}" tabindex="0"><table><caption>{title}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>\n"
    )
