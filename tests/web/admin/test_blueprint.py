from __future__ import annotations

import pytest

ARGUMENTS = {
    "public_id": "abcdefghijkl",
    "other_id": "abcdefghijkm",
    "notice_id": 1,
    "what": "page",
    "slug": "news",
    "slot": "2026-03-10",
    "target": "by-hand",
    "file_name": "0" * 64 + ".jpg",
    "number": 1,
    "import_id": 1,
}


def _routes(app):
    return sorted(
        (rule.endpoint, method)
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith("admin.")
        for method in rule.methods - {"HEAD", "OPTIONS"}
    )


def _path(app, endpoint):
    with app.test_request_context():
        rule = next(app.url_map.iter_rules(endpoint))
        from flask import url_for

        return url_for(endpoint, **{name: ARGUMENTS[name] for name in rule.arguments})


def test_every_page_but_the_sign_in_needs_an_account(house):
    for endpoint, method in _routes(house.app):
        if endpoint == "admin.sign_in":
            continue
        browser = house.browser()
        token = browser.hidden("/admin/sign-in", "csrf_token")
        data = {"csrf_token": token} if method == "POST" else None

        answer = browser.client.open(_path(house.app, endpoint), method=method, data=data)

        assert answer.status_code == 303, endpoint
        assert answer.location.startswith("/admin/sign-in"), endpoint


def test_every_post_needs_a_token(house, editor):
    posts = [endpoint for endpoint, method in _routes(house.app) if method == "POST"]
    assert len(posts) >= 7

    for endpoint in posts:
        path = _path(house.app, endpoint)
        assert editor.client.post(path, data={}).status_code == 400, endpoint
        forged = editor.client.post(path, data={"csrf_token": "forged"})
        assert forged.status_code == 400, endpoint
    assert editor.get("/admin/").status_code == 200


def test_no_page_is_kept_by_caches_or_indexes(house, editor):
    for endpoint, method in _routes(house.app):
        for browser in (house.browser(), editor):
            answer = browser.client.open(_path(house.app, endpoint), method=method)

            assert answer.headers["Cache-Control"] == "no-store", endpoint
            assert answer.headers["X-Robots-Tag"] == "noindex", endpoint


def test_unknown_things_are_not_there(editor):
    for path in (
        "/admin/releases/nothing",
        "/admin/readers/nothing",
        "/admin/issues/nothing",
        "/admin/nothing",
        "/admin/releases/%00",
    ):
        assert editor.get(path).status_code == 404, path
    assert editor.get("/admin/issues/nothing/progress").status_code == 404


def test_a_part_of_a_page_sends_the_browser_to_the_sign_in_page(house):
    answer = house.browser().get("/admin/issues/abc/progress", headers={"HX-Request": "true"})

    assert answer.status_code == 401
    assert answer.headers["HX-Redirect"] == "/admin/sign-in"


def test_a_page_number_that_is_none_shows_a_page(editor):
    for path in ("/admin/releases", "/admin/readers", "/admin/issues"):
        for page in ("0", "-1", "x", "9999999", "99999999999999999999", "1e9", "", "²"):
            assert editor.get(path, query_string={"page": page}).status_code == 200, (path, page)


@pytest.mark.parametrize("path", ["/admin/releases", "/admin/readers", "/admin/issues", "/admin/preview"])
def test_nonsense_in_an_address_is_no_fault_of_ours(house, editor, path):
    house.topic()
    house.release()
    for name in ("q", "state", "topic", "since", "reader", "frequency", "send", "view"):
        for value in ("\x00", "%", "'; --", "x" * 5000, "😀", "2025-13-99", "9999-12-31", "0001-01-01"):
            answer = editor.get(path, query_string={name: value})
            assert answer.status_code == 200, (name, value)
