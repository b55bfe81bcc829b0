"""The retention policy: for each kind of data, the time before which it is deleted. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from newsletter.settings import Settings


@dataclass(frozen=True)
class Policy:
    """The retention settings of one installation at `now`. A property is None if the data is kept forever."""

    now: datetime
    pending_days: int = 14
    confirm_days: int = 7
    mail_days: int = 30
    issue_days: int = 365
    ip_days: int = 365
    left_days: int = 365

    @classmethod
    def of(cls, settings: Settings, now: datetime) -> Policy:
        """Return the policy of an installation."""
        return cls(
            now,
            pending_days=max(settings.pending_days, settings.confirm_days),
            confirm_days=settings.confirm_days,
            mail_days=settings.keep_mail_days,
            issue_days=settings.keep_issue_days,
            ip_days=settings.keep_ip_days,
            left_days=settings.keep_left_days,
        )

    @property
    def asked_before(self) -> datetime:
        """An unconfirmed request from before this is deleted."""
        return self.now - timedelta(days=self.pending_days)

    @property
    def link_lives_since(self) -> datetime:
        """The confirmation link of an email that was sent after this can still be used."""
        return self.now - timedelta(days=self.confirm_days)

    @property
    def mail_before(self) -> datetime | None:
        """An email settled before this is emptied, and a form resolved before this is deleted."""
        return self._before(self.mail_days)

    @property
    def issue_before(self) -> datetime | None:
        """An issue finished before this need not be viewable."""
        return self._before(self.issue_days)

    @property
    def ip_before(self) -> datetime | None:
        """The IP address of a ledger entry from before this is deleted."""
        return self._before(self.ip_days)

    @property
    def left_before(self) -> datetime | None:
        """The address of a person who unsubscribed before this is deleted."""
        return self._before(self.left_days)

    def _before(self, days: int) -> datetime | None:
        return self.now - timedelta(days=days) if days else None
