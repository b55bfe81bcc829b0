"""The look of a newsletter: its logo, and a style sheet with its colours. Their URLs name their content."""

from __future__ import annotations

import re

from flask import Response, abort, make_response, request

from newsletter.mail.palette import Palette, mix
from newsletter.models import db
from newsletter.newsletters.queries import find_logo
from newsletter.web.public.blueprint import public

FOREVER = "public, max-age=31536000, immutable"
# The URL has the colours themselves, so it never needs to be read again, and nothing else gets into the CSS.
_COLOURS = re.compile(r"[0-9a-f]{6}(?:-[0-9a-f]{6}){3}")


@public.get("/colours/<colours>.css")
def colours(colours: str) -> Response:
    """Return a style sheet with these colours: accent, text on it, and both in dark mode."""
    if not _COLOURS.fullmatch(colours):
        abort(404)
    palette = Palette(*(f"#{each}" for each in colours.split("-")))
    hover, dark_hover = mix(palette.accent, "#000000", 0.8), mix(palette.dark_accent, "#ffffff", 0.7)
    light = _root(palette.accent, hover, palette.soft, palette.on_accent)
    dark = _root(palette.dark_accent, dark_hover, palette.dark_soft, palette.on_dark_accent)
    sheet = f"{light}\n@media (prefers-color-scheme: dark) {{ {dark} }}\n"
    return _kept(Response(sheet, mimetype="text/css"), colours)


@public.get("/logo/<file_name>")
def logo(file_name: str) -> Response:
    """Return a logo by its hash."""
    if "\0" in file_name:  # PostgreSQL refuses such a query
        abort(404)
    found = find_logo(db.session(), file_name)
    answer = Response(found.content, mimetype=found.media_type)
    # Email programs in the browser load it from another site.
    answer.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return _kept(answer, found.hash)


def _root(*values: str) -> str:
    """Return the rule that sets the colours of static/css/site.css."""
    names = ("--accent", "--accent-hover", "--accent-soft", "--on-accent")
    return (
        ":root { " + " ".join(f"{name}: {value};" for name, value in zip(names, values, strict=True)) + " }"
    )


def _kept(answer: Response, tag: str) -> Response:
    answer.headers["Cache-Control"] = FOREVER
    answer.set_etag(tag)
    return make_response(answer.make_conditional(request))
