"""The two Celery queues, one for each lane, and how a task is put into one."""

from __future__ import annotations

from celery import Celery
from kombu.entity import Queue

from newsletter.models import Lane


def queue_of(lane: Lane) -> str:
    """Return the name of the queue whose tasks serve `lane`."""
    return f"newsletter.{lane}"


def declare_queues(*, quorum: bool) -> list[Queue]:
    """Return the queues, as Celery declares them; `quorum` is for RabbitMQ."""
    arguments = {"x-queue-type": "quorum"} if quorum else None
    return [
        Queue(queue_of(lane), durable=True, queue_arguments=arguments)  # type: ignore[no-untyped-call]
        for lane in Lane
    ]


def send(app: Celery, lane: Lane, task: str, *arguments: int | str, at_most: int | None = None) -> bool:
    """Put a task into the queue of `lane`; return whether it was put there.

    If `at_most` messages already wait in the queue, no message is added. A task reads the database when it
    starts, so a waiting one will see everything that is committed now. Errors of the broker's client are
    raised at once, without a retry.
    """
    name = queue_of(lane)
    with app.producer_pool.acquire(block=True, timeout=5) as producer:
        if at_most is not None:
            waiting = app.amqp.queues[name].bind(producer.channel).queue_declare().message_count
            if waiting >= at_most:
                return False
        app.send_task(task, arguments, queue=name, producer=producer, retry=False, ignore_result=True)
    return True
