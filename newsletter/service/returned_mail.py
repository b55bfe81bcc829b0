"""What follows later from returned mail: probes, their results, and alarms about whole issues."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy.orm import Session

from newsletter.bounces.reports.take_events import forget_topics
from newsletter.bounces.rules.alarms import ACTOR, AlarmRule, check_rates
from newsletter.bounces.rules.probes import AT_ONCE, settle_probes, weigh_soft
from newsletter.bounces.rules.soft import SoftRule
from newsletter.digest.schedule.approval import require_next
from newsletter.limits.spend import spend
from newsletter.runtime import Runtime
from newsletter.throttle import Limit

# How often one call repeats a step that has more to do. The next sweep goes on.
ROUNDS = 10
# The rates are compared once a minute, even with several hosts: each time counts the deliveries of an issue.
RATES_TURN = "job:rates"
RATES_LIMIT = Limit(burst=1, period_seconds=60)


def follow_up(runtime: Runtime) -> None:
    """Weigh soft failures, settle probes and compare rates. Commits each step."""
    settings, tokens = runtime.settings, runtime.tokens
    rule = SoftRule(
        settings.soft_bounce_emails, settings.soft_bounce_days, settings.soft_bounce_half_life_days
    )
    for _ in range(ROUNDS):
        with runtime.session() as session:
            weighed = weigh_soft(session, tokens, rule, runtime.now())
            session.commit()
        if weighed < AT_ONCE:
            break
    with runtime.session() as session:
        settle_probes(session, tokens, timedelta(days=settings.probe_days), runtime.now())
        session.commit()
    with runtime.session() as session:
        if not spend(session, RATES_TURN, RATES_LIMIT, runtime.now()):
            _compare_rates(runtime, session)
            forget_topics(session, settings.webhook_ses_topics, runtime.now())
        session.commit()


def _compare_rates(runtime: Runtime, session: Session) -> None:
    settings = runtime.settings
    rule = AlarmRule(
        settings.complaint_alarm_percent, settings.bounce_alarm_percent, settings.complaint_pause_percent
    )
    for newsletter_id in check_rates(session, rule, runtime.now()):
        require_next(session, newsletter_id, ACTOR, runtime.now())
