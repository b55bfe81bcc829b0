"""The database tables and helpers for SQL. Importing this package registers all tables with the metadata."""

from __future__ import annotations

from newsletter.models.base import (
    Base,
    WebSession,
    db,
    insert_new,
    is_one_of,
    open_engine,
    rows_as_table,
    tune,
)
from newsletter.models.schema import applied_version, newest_version
from newsletter.models.tables.account import AdminUser, AuditEntry
from newsletter.models.tables.bounce import AddressMark, MarkKind, Suppression, SuppressionReason
from newsletter.models.tables.consent import ConsentAct, ConsentEntry
from newsletter.models.tables.delivery import (
    UNSETTLED,
    BounceVerdict,
    Delivery,
    DeliveryState,
    Lane,
    is_gone,
    is_single,
    of_newsletters,
)
from newsletter.models.tables.issue import Fragment, Issue, IssueRelease, IssueState, Rendition
from newsletter.models.tables.newsletter import FIRST_NEWSLETTER, Newsletter, NewsletterText, StoredLogo
from newsletter.models.tables.notice import Notice
from newsletter.models.tables.operation import (
    SERVING_KINDS,
    SILENT,
    Heartbeat,
    Pace,
    RelayCheck,
    SpentChallenge,
    ThrottleBucket,
    seen_lately,
    worker_heartbeats,
)
from newsletter.models.tables.release import (
    HoldReason,
    Release,
    ReleaseHold,
    ReleaseState,
    ReleaseTopic,
    SequenceCounter,
    current_sequence,
    take_sequences,
)
from newsletter.models.tables.subscriber import AddressChange, SignupRequest, Subscriber
from newsletter.models.tables.subscription import EndedReason, Frequency, Subscription, SubscriptionState
from newsletter.models.tables.topic import (
    TOPIC_ORDER,
    RuleField,
    RuleMatch,
    Topic,
    TopicGroup,
    TopicRule,
    of_language,
)

__all__ = [
    "FIRST_NEWSLETTER",
    "SERVING_KINDS",
    "SILENT",
    "TOPIC_ORDER",
    "UNSETTLED",
    "AddressChange",
    "AddressMark",
    "AdminUser",
    "AuditEntry",
    "Base",
    "BounceVerdict",
    "ConsentAct",
    "ConsentEntry",
    "Delivery",
    "DeliveryState",
    "EndedReason",
    "Fragment",
    "Frequency",
    "Heartbeat",
    "HoldReason",
    "Issue",
    "IssueRelease",
    "IssueState",
    "Lane",
    "MarkKind",
    "Newsletter",
    "NewsletterText",
    "Notice",
    "Pace",
    "RelayCheck",
    "Release",
    "ReleaseHold",
    "ReleaseState",
    "ReleaseTopic",
    "Rendition",
    "RuleField",
    "RuleMatch",
    "SequenceCounter",
    "SignupRequest",
    "SpentChallenge",
    "StoredLogo",
    "Subscriber",
    "Subscription",
    "SubscriptionState",
    "Suppression",
    "SuppressionReason",
    "ThrottleBucket",
    "Topic",
    "TopicGroup",
    "TopicRule",
    "WebSession",
    "applied_version",
    "current_sequence",
    "db",
    "insert_new",
    "is_gone",
    "is_one_of",
    "is_single",
    "newest_version",
    "of_language",
    "of_newsletters",
    "open_engine",
    "rows_as_table",
    "seen_lately",
    "take_sequences",
    "tune",
    "worker_heartbeats",
]
