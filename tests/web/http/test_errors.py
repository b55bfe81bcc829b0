"""Error pages: the status, helpful words, and nothing of what went wrong inside."""

from __future__ import annotations

import pytest

from newsletter.errors import NotFound, StateConflict
from newsletter.web.http.errors import WORDS, error_page


class Broken(Exception):
    pass


def answer_to(visitor, fault):
    """Return the answer to a request during which `fault` is raised."""

    @visitor.app.get("/fault")
    def view():
        raise fault

    return visitor.get("/fault")


@pytest.mark.parametrize(
    ("fault", "status", "words"),
    [
        (NotFound("no release"), 404, "There is no page at this address."),
        (StateConflict("It was sent already."), 409, "It was sent already."),
        (Broken("secret words"), 500, "An error happened on our side."),
    ],
)
def test_an_error_of_a_stage_has_its_status(visitor, fault, status, words):
    answer = answer_to(visitor, fault)

    assert answer.status_code == status
    assert words in answer.text
    assert "secret words" not in answer.text


def test_a_method_that_a_page_does_not_accept_is_answered_with_those_that_it_does(visitor):
    answer = visitor.post("/privacy")

    assert answer.status_code == 405
    assert answer.headers["Allow"] == "GET, HEAD, OPTIONS"
    assert "does not accept this kind of request" in answer.text


def test_a_form_without_a_valid_token_has_expired(visitor):
    answer = visitor.post("/admin/sign-in", {"email": "ann@example.org"})

    assert answer.status_code == 400
    assert "The form has expired" in answer.text


@pytest.mark.parametrize(("status", "like"), [(418, 400), (502, 500)])
def test_a_status_without_words_of_its_own_has_those_of_its_class(visitor, status, like):
    with visitor.app.test_request_context("/"):
        answer = error_page(status)

    assert answer.status_code == status
    assert str(WORDS[like][1]) in answer.get_data(as_text=True)
