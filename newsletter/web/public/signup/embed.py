"""The sign-up form on other sites. It works without cookie, token or script; a small script is optional.

The Origin header says whose page sent a form, and no page can change it. A form from a site in the settings
is accepted at once. Any other form is answered with our own page, filled in with the same values. It counts
once its button is pressed there.
"""

from __future__ import annotations

from typing import Any

from flask import Response, current_app, jsonify, redirect, request, send_from_directory
from flask_babel import gettext
from werkzeug.wrappers import Response as AnyResponse

from newsletter.subscribers.signup.admit import Outcome, Taken
from newsletter.tokens import Purpose
from newsletter.web.http.extensions import runtime
from newsletter.web.http.this_newsletter import make_it_about_the_first, this_newsletter
from newsletter.web.public.blueprint import public
from newsletter.web.public.forms import EmbeddedSignupForm, SignupForm
from newsletter.web.public.responses import in_a_while, stop_writing, too_many
from newsletter.web.public.signup.own_request import is_from_here
from newsletter.web.public.signup.page import signup_page
from newsletter.web.public.signup.receive import take_signup, topics_to_offer
from newsletter.web.public.thanks_pages import after_asking, allowed_page

# Sites keep the script's URL for years. Its content may change; its number changes only with its behaviour.
SCRIPT_SECONDS = 3600
_STATUS = {Outcome.ASKED: 200, Outcome.FAULTY: 422, Outcome.WAIT: 429, Outcome.PRESS: 403}


@public.route("/subscribe/embed", methods=["GET", "POST"])
@public.route("/n/<newsletter>/embed", methods=["GET", "POST"])
def subscribe_embedded() -> AnyResponse:
    """Accept a form from another site; return a page, or JSON for the script.

    A form without a newsletter in its URL is older than the other newsletters, and for the first.
    """
    make_it_about_the_first()
    newsletter = this_newsletter()
    offered = topics_to_offer(newsletter.newsletter_id)
    if request.method != "POST":
        # The response page was loaded again.
        return signup_page(SignupForm(newsletter, offered), offered)
    form = EmbeddedSignupForm(newsletter, offered)
    by_script = request.accept_mimetypes.best == "application/json"
    if _is_ours() or form.pressed_here():
        taken = take_signup(form, "embed script" if by_script else "embed")
    else:
        stop_writing()
        taken = Taken(Outcome.PRESS)
    if by_script:
        return _to_script(form, taken)
    if taken.outcome is Outcome.ASKED:
        return redirect(after_asking(form.next.data, elsewhere=True), code=303)
    if taken.outcome is Outcome.WAIT:
        return too_many(taken.wait_seconds)
    return signup_page(form, offered, press=taken.outcome is Outcome.PRESS)


@public.get("/subscribe/embed/opened")
def embed_opened() -> Response:
    """Return the signed time at which a form was opened, for the script."""
    parts = runtime()
    answer = jsonify(opened=parts.tokens.make(Purpose.FORM, [], parts.now()))
    answer.headers["Cache-Control"] = "no-store"
    return _let_read(answer)


@public.get("/embed/1.js")
def embed_script() -> Response:
    """Return the script that shows the result inside the form."""
    answer = send_from_directory(
        current_app.static_folder or "", "js/embed-1.js", max_age=SCRIPT_SECONDS, mimetype="text/javascript"
    )
    answer.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return answer


def _origin() -> str:
    return request.headers.get("Origin", "")


def _is_ours() -> bool:
    """Return whether a page sent the form that may have it: on a site in the settings, or on this one."""
    return _origin() in runtime().settings.embed_origins or is_from_here()


def _let_read(answer: Response) -> Response:
    """Allow scripts on the sites in the settings to read this response (no cookie is sent)."""
    answer.vary.add("Origin")
    if _origin() in runtime().settings.embed_origins:
        answer.headers["Access-Control-Allow-Origin"] = _origin()
    return answer


def _to_script(form: EmbeddedSignupForm, taken: Taken) -> Response:
    """Return the result of a form as JSON. `next` is the page to open, if it is allowed."""
    words: dict[str, Any] = {"outcome": taken.outcome.value}
    match taken.outcome:
        case Outcome.ASKED:
            words["title"] = gettext("Check your inbox")
            # The sentences of our own page, so that they are translated once.
            words["message"] = " ".join(
                (
                    gettext(
                        "We have sent an email to the address you entered. "
                        "Open its link and confirm your subscription."
                    ),
                    gettext(
                        "We send few emails to one address in a short time. "
                        "If nothing comes within 20 minutes, ask again then."
                    ),
                )
            )
            words["next"] = allowed_page(form.next.data)
        case Outcome.FAULTY:
            words["title"] = gettext("Please check your entries")
            words["faults"] = [
                {"field": name, "message": str(message)}
                for name, messages in form.errors.items()
                for message in messages
            ]
            words["hinted"] = form.hinted.data or ""
            if form.suggestion:
                words["use"] = form.suggestion
                words["use_words"] = gettext("Use %(address)s", address=form.suggestion)
        case Outcome.WAIT:
            words["message"] = in_a_while(taken.wait_seconds)
        case Outcome.PRESS:
            words["message"] = gettext("One more step")
    answer = jsonify(words)
    answer.status_code = _STATUS[taken.outcome]
    answer.headers["Cache-Control"] = "no-store"
    return _let_read(answer)
