"""The application for any WSGI server: `gunicorn wsgi:application`.

The settings are read from the environment and from `.env` in the folder where the server starts.
"""

from newsletter.cli.processes.wsgi import make_tried_application

application = make_tried_application()
