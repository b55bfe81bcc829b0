"""The proof-of-work challenge for a browser that signs up."""

from __future__ import annotations

from flask import Response, abort, jsonify

from newsletter.subscribers.signup.proof_of_work import new_challenge
from newsletter.web.http.extensions import runtime
from newsletter.web.public.blueprint import public


@public.get("/challenge")
def challenge() -> Response:
    """Return a challenge for the ALTCHA widget; 404 if the settings ask for none."""
    parts = runtime()
    if not parts.settings.altcha:
        abort(404)
    answer = jsonify(new_challenge(parts.tokens, parts.now()))
    answer.headers["Cache-Control"] = "no-store"
    return answer
