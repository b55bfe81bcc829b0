"""Admin pages about newsletters, their topics and the form for other sites."""

from __future__ import annotations

from newsletter.web.admin.newsletters import edit_newsletter, embed, templates, topic_rules, topics

__all__ = ["edit_newsletter", "embed", "templates", "topic_rules", "topics"]
