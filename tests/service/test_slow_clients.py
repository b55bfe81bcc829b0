"""Slow clients do not delay the responses to other clients."""

from __future__ import annotations

import urllib.request

import pytest
from servers.processes import free_port

HOST = "127.0.0.1"


@pytest.fixture
def port(start, tmp_path, eventually, monkeypatch_free_environ):
    """The port of `newsletter web` with one process, on a new database."""
    port = free_port()
    env = {
        **monkeypatch_free_environ,
        "NEWSLETTER_BIND": f"{HOST}:{port}",
        "NEWSLETTER_PUBLIC_URL": f"http://{HOST}:{port}",
        "NEWSLETTER_WEB_WORKERS": "1",
    }
    start.last = start(*("-m", "newsletter", "web"), env=env)
    eventually(lambda: _is_listening(port), seconds=60)
    return port


def _is_listening(port: int) -> bool:
    try:
        return page(port, "/livez") == 200
    except OSError:
        return False


def page(port: int, path: str) -> int:
    with urllib.request.urlopen(f"http://{HOST}:{port}{path}", timeout=10) as answer:
        answer.read()
        return int(answer.status)
