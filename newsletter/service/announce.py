"""Announce each new notice once: run the owner's command, and post it to the owner's URL.

Both are tried once. The email is what reaches the owner for certain, at the latest when the relay is back.
"""

from __future__ import annotations

import json
import logging
import shlex
import subprocess
from collections.abc import Mapping
from typing import Any

import httpx2
from sqlalchemy import select

from newsletter.models import Notice
from newsletter.notices import as_record
from newsletter.runtime import Runtime
from newsletter.settings import Settings

# Confirmations wait meanwhile, so both are short.
AT_ONCE = 5
SECONDS = 5

log = logging.getLogger(__name__)


def announce_notices(runtime: Runtime) -> int:
    """Announce the open notices that were not announced yet; return how many. It commits."""
    settings = runtime.settings
    if not settings.owner_command and settings.owner_url is None:
        return 0
    new = select(Notice).where(Notice.announced_at.is_(None), Notice.settled_at.is_(None))
    with runtime.reading() as session:
        if session.scalar(new.with_only_columns(Notice.id).limit(1)) is None:
            return 0
    with runtime.session() as session:
        notices = list(
            session.scalars(new.order_by(Notice.id).limit(AT_ONCE).with_for_update(skip_locked=True))
        )
        records = [dict(as_record(each)) for each in notices]
        for each in notices:
            each.announced_at = runtime.now()
        # Before they are announced: a process that is killed in between must not announce them again.
        session.commit()
    for record in records:
        _announce(settings, record)
    return len(records)


def _announce(settings: Settings, record: Mapping[str, Any]) -> None:
    text = json.dumps({**record, "opened_at": record["opened_at"].isoformat()}, ensure_ascii=False)
    if settings.owner_command:
        _run(settings.owner_command, f"{text}\n")
    if settings.owner_url is not None:
        _post(settings.owner_url, text)


def _run(command: str, text: str) -> None:
    try:
        done = subprocess.run(  # noqa: S603
            shlex.split(command), input=text, text=True, timeout=SECONDS, check=False,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError) as fault:
        log.warning("event=owner_command_failed fault=%s", type(fault).__name__)
    else:
        if done.returncode:
            log.warning("event=owner_command_failed status=%d", done.returncode)


def _post(url: str, text: str) -> None:
    try:
        answer = httpx2.post(
            url, content=text.encode(), headers={"Content-Type": "application/json"}, timeout=SECONDS
        )
    except httpx2.HTTPError as fault:
        log.warning("event=owner_url_failed fault=%s", type(fault).__name__)
    else:
        if answer.is_error:
            log.warning("event=owner_url_failed status=%d", answer.status_code)
