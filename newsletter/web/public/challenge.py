"""What a browser is to work on before it signs somebody up, when the settings ask for that."""

from __future__ import annotations

from flask import Response, abort, jsonify

from newsletter.subscriptions.proof import new_challenge
from newsletter.web.extensions import runtime
from newsletter.web.public.blueprint import public


@public.get("/challenge")
def challenge() -> Response:
    """Return a challenge for the ALTCHA widget; 404 when none is asked for."""
    parts = runtime()
    if not parts.settings.altcha:
        abort(404)
    answer = jsonify(new_challenge(parts.tokens, parts.now()))
    answer.headers["Cache-Control"] = "no-store"
    return answer
