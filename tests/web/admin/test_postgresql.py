from __future__ import annotations

import threading

from sqlalchemy import select

from newsletter.models import Issue, ReleaseTopic


def test_the_desk_works_on_postgresql_too(house_on_postgresql):
    house = house_on_postgresql
    house.topic()
    release = house.release()
    subscriber = house.add_subscriber()
    editor = house.signed_in()

    paths = ["/admin/", "/admin/releases?q=QUAY&topic=harbours&since=2025-10-01&state=ready", "/admin/issues"]
    paths += [
        "/admin/readers?q=READER&state=active",
        f"/admin/readers/{subscriber}",
        f"/admin/releases/{release}",
    ]
    paths += ["/admin/preview?view=text&reader=reader@example.org", "/admin/preview?send=daily"]
    for path in paths:
        assert editor.get(path).status_code == 200, path
    assert f"/admin/releases/{release}" in editor.get(paths[1]).text
    assert "reader@example.org" in editor.get(paths[3]).text
    assert editor.get("/admin/releases/%00").status_code == 404
    for action in ("hold", "ready"):
        editor.post(f"/admin/releases/{release}", {"action": action}, page="/admin/")
    assert house.all(select(ReleaseTopic.sequence)) == [2]


def test_the_same_form_at_the_same_moment_opens_one_issue_on_postgresql_too(house_on_postgresql):
    house = house_on_postgresql
    house.topic()
    house.release()
    house.add_subscriber()
    editor = house.signed_in()
    page = "/admin/preview?send=daily"
    form = {name: editor.hidden(page, name) for name in ("csrf_token", "key")} | {"number": "1"}
    cookie = editor.client.get_cookie("session").value
    answers = []

    def post():
        browser = house.browser()
        browser.client.set_cookie("session", cookie)
        answers.append(browser.client.post("/admin/preview/send", data=form))

    threads = [threading.Thread(target=post) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [answer.status_code for answer in answers] == [303] * 6
    (issue,) = house.all(select(Issue.public_id))
    assert {answer.location for answer in answers} == {f"/admin/issues/{issue}"}


def test_tries_are_limited_on_postgresql_too(house_on_postgresql):
    browser = house_on_postgresql.browser()

    statuses = [browser.sign_in("editor@example.org", "wrong").status_code for _ in range(6)]

    assert statuses == [422] * 5 + [429]
