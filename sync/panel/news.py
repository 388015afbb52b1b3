"""What the panel tells its open pages, as server-sent events: the texts of the page, as soon as they change."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Final

BEAT_S: Final = 2.0
"""So often it says something in any case: a page that hears nothing for three of these knows that the line is dead."""

MOST: Final = 20
"""Pages that listen at the same time. Others are served, and ask again by themselves."""


class News:
    """Belongs to one event loop; `tell` may be called from any thread."""

    def __init__(self) -> None:
        self._turn = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False
        self.listeners = 0

    def tell(self) -> None:
        """There may be something new."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._tick)

    def close(self) -> None:
        """Lets all pages go."""
        self._closed = True
        self._tick()

    async def listen(self, texts: Callable[[], Mapping[str, str]]) -> AsyncIterator[bytes]:
        """The texts without end, each time that they differ from the last ones, and at each beat."""
        self._loop = asyncio.get_running_loop()
        self.listeners += 1
        told: Mapping[str, str] = {}
        beat_s = 0.0
        try:
            yield b"retry: 1000\n\n"
            while not self._closed:
                now_s, texts_now = self._loop.time(), texts()
                if _without_time(texts_now) != _without_time(told) or now_s - beat_s >= BEAT_S:
                    told, beat_s = texts_now, now_s
                    yield f"event: texts\ndata: {json.dumps(texts_now, ensure_ascii=False)}\n\n".encode()
                turn = self._turn
                try:
                    await asyncio.wait_for(turn.wait(), BEAT_S)
                except asyncio.TimeoutError:
                    continue
        finally:
            self.listeners -= 1

    def _tick(self) -> None:
        turn, self._turn = self._turn, asyncio.Event()
        turn.set()


def _without_time(texts: Mapping[str, str]) -> dict[str, str]:
    return {name: text for name, text in texts.items() if name != "at"}
