"""The jobs: the Celery app, its queues, its tasks, and the beat table."""
