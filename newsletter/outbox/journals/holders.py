"""Find who holds leases: workers whose journals this host can read, and workers of other hosts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from newsletter.models import Delivery
from newsletter.outbox.journals.journal import judged_here, worker_host


@dataclass(frozen=True)
class Holders:
    """Whether a worker of this folder holds a lease, and how many deliveries each other host holds."""

    here: bool
    elsewhere: dict[str, int] = field(default_factory=dict)


def lease_holders(reading: Callable[[], Session], folder: Path) -> Holders:
    """Return who holds leases. `folder` is that of our journals; `reading` opens a session.

    A worker removes its journal after its last lease. So if a lease has no journal, the leases are read
    again. If the lease still exists, the worker has no journal here.
    """
    held = _held(reading)
    with_journal = {path.stem for path in judged_here(folder)} if held else set()
    missing = held.keys() - with_journal
    found: dict[str, int] = {}
    if missing:
        for worker, count in _held(reading).items():
            if worker in missing:
                host = worker_host(worker)
                found[host] = found.get(host, 0) + count
    return Holders(len(missing) < len(held), found)


def _held(reading: Callable[[], Session]) -> dict[str, int]:
    """Return how many deliveries each worker has leased."""
    query = (
        select(Delivery.leased_by, func.count())
        .where(Delivery.leased_by.is_not(None))
        .group_by(Delivery.leased_by)
    )
    with reading() as session:
        return {worker or "": int(count) for worker, count in session.execute(query)}
