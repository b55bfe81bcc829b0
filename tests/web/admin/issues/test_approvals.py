"""The page of releases that wait for approval."""

from __future__ import annotations

from sqlalchemy import select

from newsletter.models import HoldReason, Release, ReleaseHold, ReleaseState


def test_one_press_approves_a_release(house, editor):
    house.topic()
    public_id = house.release(state=ReleaseState.HELD)
    other = house.release("A pier", state=ReleaseState.HELD)
    with house.make_session() as session:
        for release in session.scalars(select(Release)):
            release.holds.append(
                ReleaseHold(reason=HoldReason.APPROVAL, set_by="source", created_at=house.clock())
            )
        session.commit()
    assert "Waiting for approval (2)" in editor.get("/admin/releases").text

    answer = editor.post("/admin/approvals", {"release": public_id})

    assert answer.status_code == 303
    page = editor.get("/admin/approvals").text
    assert (public_id in page, other in page) == (False, True)
    states = house.all(select(Release.state).order_by(Release.id))
    assert states == [ReleaseState.READY, ReleaseState.HELD]
    assert editor.post("/admin/approvals", {"release": [public_id, "nothing"]}).status_code == 303
