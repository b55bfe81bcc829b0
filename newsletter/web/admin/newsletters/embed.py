"""The sign-up form for other sites, as HTML to copy."""

from __future__ import annotations

from flask import render_template, request
from flask_babel import force_locale

from newsletter.languages import choose_language, language_name
from newsletter.models import Frequency, db
from newsletter.subscribers.consent.wording import newsletter_wording
from newsletter.subscribers.offered_topics import offered_topics
from newsletter.web.admin.blueprint import admin
from newsletter.web.admin.query_string import choice_of
from newsletter.web.http.extensions import runtime
from newsletter.web.http.this_newsletter import all_newsletters, is_only_one, this_newsletter
from newsletter.web.public.forms import FREQUENCY_WORDS
from newsletter.web.public.thanks_pages import allowed_page


@admin.get("/embed")
def embed() -> str:
    """Show the form's HTML for the topics, frequency and language in the query string."""
    parts = runtime()
    settings = parts.settings
    newsletter = this_newsletter()
    offered = [
        topic for topic in offered_topics(db.session()) if topic.newsletter_id == newsletter.newsletter_id
    ]
    several = all_newsletters() if not is_only_one() else []
    slug = newsletter.slug if several else ""
    asked = request.args
    chosen = [topic for topic in offered if topic.slug in asked.getlist("topic")] or list(offered)
    language = choose_language(asked.get("language", ""), newsletter.languages)
    frequency = choice_of(Frequency, asked.get("frequency"))
    thanks = allowed_page(asked.get("next"))
    fixed = asked.get("fixed") == "yes"
    with force_locale(language):
        html = render_template(
            "admin/_embed_form.html",
            action=f"{parts.links.embed(slug)}?lang={language}",
            language=language,
            topics=chosen,
            fixed=fixed,
            frequency=frequency,
            usual=newsletter.default_frequency,
            frequencies=list(FREQUENCY_WORDS.items()),
            thanks=thanks,
            wording=newsletter_wording(newsletter, language),
            privacy=f"{parts.links.privacy()}?lang={language}",
        )
    return render_template(
        "admin/embed.html",
        html=html.strip(),
        script=f'<script src="{parts.links.embed_script()}" async></script>',
        topics=offered,
        frequencies=[(each.value, words) for each, words in FREQUENCY_WORDS.items()],
        languages=[(each, language_name(each)) for each in newsletter.languages],
        newsletters=[(each.slug, each.name) for each in several],
        thanks_urls=settings.thanks_urls,
        origins=settings.embed_origins,
        chosen={
            "newsletter": slug,
            "topics": [topic.slug for topic in chosen],
            "fixed": fixed,
            "frequency": frequency.value if frequency else "",
            "language": language,
            "next": thanks,
        },
    )
