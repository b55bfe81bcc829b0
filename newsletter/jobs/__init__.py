"""The engine: Celery carries ids to whoever does the work; the database holds what there is to do."""
