"""The forms in which the map answers: GeoJSON page by page, and plain JSON."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from sync.map.features import Json, collection
from sync.map.question import Question, question

GEOJSON: Final = "application/geo+json"


def asked_of(request: Request, allowed: Sequence[str]) -> Question:
    """What is asked for.

    Raises:
        BadQuestion: a parameter is none of `allowed`, or not of its form.
    """
    return question(request.query_params.multi_items(), allowed)


def asked_after(text: str) -> int:
    """The number of an event, as a parameter or header gives it."""
    return question([("after", text)], ("after",)).after


def page_of(features: Sequence[Json], request: Request, last: int | None, newest: int) -> Response:
    """A collection with the way to its next page, and the number of the newest event: where `/api/stream` goes on."""
    headers, following = {"cache-control": "no-store"}, None
    if last is not None:
        kept = [(name, value) for name, value in request.query_params.multi_items() if name not in ("after", "token")]
        following = f"?{urlencode([*kept, ('after', str(last))])}"
        headers["link"] = f'<{following}>; rel="next"; type="{GEOJSON}"'
    body = written({**collection(features, following), "newest": newest})
    return Response(body, media_type=GEOJSON, headers=headers)


def as_json(document: Mapping[str, Any]) -> Response:
    """Plain JSON."""
    return Response(written(document), media_type="application/json", headers={"cache-control": "no-store"})


def written(document: Mapping[str, Any]) -> bytes:
    """A document as bytes."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
