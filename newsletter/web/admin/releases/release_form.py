"""The form of a release: what the pages to write and to edit one share."""

from __future__ import annotations

from flask import Response, make_response, redirect, render_template, request, url_for

from newsletter.errors import FieldsInvalid, InputError, NewsletterError, StateConflict
from newsletter.images.encoder import MOST_BYTES, EncodedImage, ImageEncoder
from newsletter.images.store import find_image, read_file, store_image
from newsletter.models import db
from newsletter.releases.editing.edit_fields import FIELDS, sentence_case
from newsletter.releases.topics.manage import list_topics
from newsletter.web.admin.blueprint import admin
from newsletter.web.admin.forms import ReleaseForm
from newsletter.web.http.extensions import runtime
from newsletter.web.public.responses import stop_writing


def release_page(
    form: ReleaseForm,
    chosen: set[str],
    *,
    public_id: str | None = None,
    guesses: set[str] = frozenset(),  # type: ignore[assignment]
    status: int = 200,
) -> Response:
    """Return the page with `form`, of a stored release or of a new one. `guesses` are read from a text."""
    session = db.session()
    page = render_template(
        "admin/edit_release.html",
        form=form,
        topics=[(each.slug, each.name) for each in list_topics(session)],
        chosen=chosen,
        public_id=public_id,
        guesses=guesses,
        in_sentence_case=sentence_case(form.title.data or ""),
        image=find_image(session, form.image.data),
    )
    return make_response(page, status)


def in_sentence_case(form: ReleaseForm, chosen: set[str], public_id: str | None = None) -> Response:
    """Show the form again with its title in sentence case. Stores nothing."""
    stop_writing()
    form.title.data = sentence_case(form.title.data or "") or form.title.data
    return release_page(form, chosen, public_id=public_id)


def chosen_topics() -> set[str]:
    """Return the slugs of the topics that are ticked."""
    return set(request.form.getlist("topics"))


def given_fields(form: ReleaseForm) -> dict[str, str]:
    """Return the fields that were sent, as text."""
    given = {name: form[name].data or "" for name in FIELDS if name in request.form}
    if form.image_file.data or form.no_image.data:
        given["image"] = form.image.data or ""
    return given


def take_image(form: ReleaseForm) -> None:
    """Store the image that was chosen, and name it in the form. Raises FieldsInvalid.

    It is stored at once, so that the form still has it when another field is wrong.
    """
    file = form.image_file.data
    if form.no_image.data:
        form.image.data = ""
    if not file or not file.filename:
        return
    content = file.read(MOST_BYTES + 1)
    # Encoding takes a moment. Meanwhile other processes may write.
    db.session.rollback()
    try:
        with ImageEncoder() as encoder:
            form.image.data = keep_encoded(encoder.encode(content))
    except InputError as fault:
        raise FieldsInvalid({"image_file": str(fault)}) from fault
    form.no_image.data = False


def keep_encoded(image: EncodedImage) -> str:
    """Store an image for a form that is not saved yet; return its hash. Commits."""
    session = db.session()
    image_hash = store_image(session, image, runtime().now())
    session.commit()
    return image_hash


@admin.get("/images/<file_name>")
def image(file_name: str) -> Response:
    """Return a size of any stored image, for the pages of editors."""
    content, media_type = read_file(db.session(), file_name)
    answer = Response(content, mimetype=media_type)
    answer.headers["Cache-Control"] = "private, max-age=3600"
    return answer


def tell_faults(form: ReleaseForm, fault: NewsletterError) -> int:
    """Put what is wrong beside its field, or at the top; return the status of the response."""
    if isinstance(fault, FieldsInvalid):
        for name, words in fault.faults.items():
            form[name].errors = [words]
        return 422
    form.form_errors.append(str(fault))
    return 409 if isinstance(fault, StateConflict) else 422


def go_to_release(public_id: str) -> Response:
    """Return a redirect to the page of a release."""
    return make_response(redirect(url_for("admin.release", public_id=public_id), code=303))
