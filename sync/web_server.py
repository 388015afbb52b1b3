"""The server of the map and of the panel: on sockets that are open already, with pages that are let go at the end."""

import asyncio
import socket
import threading
from typing import Any, Final, Protocol

import uvicorn

PATIENCE_S: Final = 10.0
"""A server that is not up by then is a bug."""


class Listeners(Protocol):
    """Pages that hear what is new, as long as they are open."""

    def close(self) -> None:
        """Lets all of them go."""
        ...


class WebServer(uvicorn.Server):
    """Serves one application; says when it is up, and lets open pages go before it ends."""

    def __init__(self, app: Any, listeners: Listeners, most_connections: int) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,  # an address may carry the token
                lifespan="off",
                ws="none",
                http="h11",
                loop="asyncio",
                server_header=False,
                proxy_headers=False,
                limit_concurrency=most_connections,
                timeout_graceful_shutdown=2,
            )
        )
        self._listeners = listeners
        self.up = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's own; `up` is set when connections are taken."""
        await super().startup(sockets)
        self.up.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's own, which waits for pages that listen: so they are let go first."""
        self._listeners.close()
        await asyncio.sleep(0)
        await super().shutdown(sockets)
