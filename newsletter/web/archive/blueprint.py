"""The blueprint of the public archive. The modules in this package add the views."""

from __future__ import annotations

from flask import Blueprint

archive = Blueprint("archive", __name__)
