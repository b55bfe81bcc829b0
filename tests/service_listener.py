"""The SMTP and LMTP server of an installation, in a thread of the test."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from newsletter.runtime import Runtime
from newsletter.service.incoming import server


@contextmanager
def listening(runtime: Runtime, patience_seconds: float = server.PATIENCE_SECONDS) -> Iterator[None]:
    """Serve in a thread until the block ends."""
    ready, told = threading.Event(), {}

    async def run():
        told["loop"], told["stop"] = asyncio.get_running_loop(), asyncio.Event()
        await server.serve(runtime, told["stop"], ready.set, patience_seconds)

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    assert ready.wait(20)
    yield
    told["loop"].call_soon_threadsafe(told["stop"].set)
    thread.join(20)
    assert not thread.is_alive()
