"""The smallest possible sign-up application: a form with CSRF protection, two rows, one commit.

gunicorn serves it as it serves ours. It lacks limits, a ledger, topics, and all checks but a pattern. The
database is the file that BARE_DATABASE names: SQLite in WAL, `synchronous=FULL`, as durable as ours.
"""

from __future__ import annotations

import os
import time

from flask import Flask, redirect, render_template_string
from flask_wtf import FlaskForm
from sqlalchemy import BigInteger, Column, Integer, MetaData, Table, Text, create_engine, event
from werkzeug.wrappers import Response
from wtforms import EmailField, StringField
from wtforms.validators import InputRequired, Length, Regexp

PAGE = """<!doctype html><title>Sign up</title><form method="post">{{ form.csrf_token }}
{{ form.email.label }} {{ form.email }} {{ form.name.label }} {{ form.name }} <button>Sign up</button></form>
{{ form.errors }}"""

tables = MetaData()
people = Table(
    "person", tables,
    Column("id", Integer, primary_key=True), Column("email", Text, unique=True), Column("name", Text),
    Column("state", Integer), Column("created_at", BigInteger),
)  # fmt: skip
mails = Table(
    "mail", tables,
    Column("id", Integer, primary_key=True), Column("kind", Text), Column("person_id", Integer),
    Column("created_at", BigInteger),
)  # fmt: skip


class SignupForm(FlaskForm):
    """An address and a name."""

    email = EmailField(validators=[InputRequired(), Length(max=254), Regexp(r"^[^@\s]+@[^@\s]+\.[^@\s]+$")])
    name = StringField(validators=[Length(max=100)])


def make_application() -> Flask:
    """Return the application with the database that the environment names."""
    engine = create_engine(f"sqlite:///{os.environ['BARE_DATABASE']}", connect_args={"timeout": 30})

    @event.listens_for(engine, "connect")
    def tune(connection, _record):
        connection.isolation_level = None
        for pragma in ("busy_timeout=30000", "journal_mode=WAL", "synchronous=FULL"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection):
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    tables.create_all(engine)
    engine.dispose()
    app = Flask(__name__)
    app.config.update(SECRET_KEY=os.environ["NEWSLETTER_SECRET_KEYS"], WTF_CSRF_TIME_LIMIT=None)

    @app.route("/", methods=["GET", "POST"])
    def sign_up() -> Response | tuple[str, int]:
        form = SignupForm()
        if not form.validate_on_submit():
            return render_template_string(PAGE, form=form), 422 if form.errors else 200
        now = int(time.time())
        with engine.begin() as connection:
            person = people.insert().values(
                email=form.email.data, name=form.name.data, state=0, created_at=now
            )
            made = connection.execute(person).inserted_primary_key
            connection.execute(mails.insert().values(kind="confirm", person_id=made[0], created_at=now))
        return redirect("/thanks", 303)

    @app.get("/thanks")
    def thanks() -> str:
        return "Thank you."

    return app
