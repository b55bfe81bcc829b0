"""Images of releases, by the hash of their content."""

from __future__ import annotations

from flask import Response, make_response, request

from newsletter.images.store import find_public_file
from newsletter.models import db
from newsletter.web.archive.blueprint import archive
from newsletter.web.http.extensions import runtime

# A URL always has the same content. But a release may be withdrawn, so nothing keeps it forever.
WEEK = "public, max-age=604800"


@archive.get("/images/<file_name>")
def image(file_name: str) -> Response:
    """Return a size of an image, if a release that is public now has it."""
    content, media_type = find_public_file(db.session(), file_name, runtime().now())
    answer = Response(content, mimetype=media_type)
    answer.headers["Cache-Control"] = WEEK
    # Email programs in the browser load it from another site.
    answer.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    answer.set_etag(file_name)
    return make_response(answer.make_conditional(request))
