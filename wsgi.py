"""The application for any WSGI server: `gunicorn wsgi:application`."""

from newsletter.cli.wsgi import make_application

application = make_application()
