"""The blueprint of the public pages. The modules in this package add the views."""

from __future__ import annotations

from flask import Blueprint

public = Blueprint("public", __name__)
