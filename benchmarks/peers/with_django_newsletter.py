"""django-newsletter: fill a SQLite database with a newsletter, subscribers and a submission; then send it.

Runs in its own virtual environment: `setup` or `send`, FOLDER, PORT, SUBSCRIBERS, MESSAGE (see __init__.py).
"""

# ruff: noqa: I001, PLC0415, S106 (Django can be imported once it is set up; the key guards nothing)

from __future__ import annotations

import re
import sys
import types
from email import message_from_bytes, policy
from pathlib import Path

# An article's text is in the HTML and in the plain text, so half of the size is enough to fill a message.
ARTICLES = 16
LETTERS = 19_000


def configure(folder: Path, port: int) -> None:
    """Set up Django as its own project would, with the application's own templates."""
    import django
    from django.conf import settings
    from django.urls import include, path

    routes = types.ModuleType("benchmark_routes")
    sys.modules["benchmark_routes"] = routes
    contrib = ("admin", "auth", "contenttypes", "messages", "sessions", "sites")
    processors = ("template.context_processors.request", "contrib.auth.context_processors.auth")
    settings.configure(
        SECRET_KEY="only for measuring",
        SITE_ID=1,
        USE_TZ=True,
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF="benchmark_routes",
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(folder / "peer.sqlite3")}},
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
        INSTALLED_APPS=[*(f"django.contrib.{name}" for name in contrib), "sorl.thumbnail", "newsletter"],
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "APP_DIRS": True,
                "OPTIONS": {"context_processors": [f"django.{name}" for name in processors]},
            }
        ],
        NEWSLETTER_THUMBNAIL="sorl-thumbnail",
        NEWSLETTER_CONFIRM_EMAIL=False,
        EMAIL_BACKEND="django.core.mail.backends.smtp.EmailBackend",
        EMAIL_HOST="127.0.0.1",
        EMAIL_PORT=port,
        DEFAULT_FROM_EMAIL="letter@example.org",
    )
    django.setup()
    routes.urlpatterns = [path("newsletter/", include("newsletter.urls"))]


def fill(readers: int, message_file: Path) -> None:
    """Make the tables, a message of about 40 KB, and a submission to all subscribers."""
    from django.contrib.sites.models import Site
    from django.core.management import call_command
    from django.utils import timezone
    from newsletter.models import Article, Message, Newsletter, Submission, Subscription

    call_command("migrate", verbosity=0)
    letter = Newsletter.objects.create(
        title="The Letter", slug="letter", email="letter@example.org", sender="The Letter", send_html=True
    )
    letter.site.set(Site.objects.all())
    message = Message.objects.create(title="No. 1", slug="no-1", newsletter=letter)
    text = _text_of(message_file)
    share = LETTERS // ARTICLES
    for number in range(ARTICLES):
        words = text[number * share : (number + 1) * share].replace("\n", " ")
        lines = "\n".join(words[at : at + 90] for at in range(0, len(words), 90))
        Article.objects.create(
            post=message,
            title=f"Release {number + 1}",
            text=f"<p>{lines}</p>",
            url="https://news.example.org/releases/x",
            sortorder=10 * (number + 1),
        )
    now = timezone.now()
    Subscription.objects.bulk_create(
        Subscription(
            newsletter=letter,
            name_field=f"Reader {number}",
            email_field=f"reader{number:07}@example.com",
            subscribed=True,
            subscribe_date=now,
            activation_code=f"{number:040}",
        )
        for number in range(1, readers + 1)
    )
    submission = Submission.from_message(message)
    submission.prepared = True
    submission.save()


def _text_of(message_file: Path) -> str:
    message = message_from_bytes(message_file.read_bytes(), policy=policy.default)
    text = re.sub(r"[^a-zA-Z. \n]+", " ", message.get_body(("plain",)).get_content())
    return text * (LETTERS // len(text) + 1)


def main() -> None:
    """Run one step."""
    step, folder, port, readers, message_file = sys.argv[1:]
    configure(Path(folder), int(port))
    if step == "setup":
        fill(int(readers), Path(message_file))
        return
    from django.core.management import call_command

    call_command("submit_newsletter", verbosity=0)


if __name__ == "__main__":
    main()
