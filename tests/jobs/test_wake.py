"""Waking the engine: fast, one message for many calls, and no error for the caller."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from house import make_settings

from newsletter.jobs.app import make_celery
from newsletter.jobs.cleanup import TIDY
from newsletter.jobs.queues import queue_of, send
from newsletter.jobs.tasks import CLOCK, DRAIN, SWEEP
from newsletter.jobs.wake import Waker
from newsletter.models import Lane


def waiting(app, lane):
    with app.producer_pool.acquire(block=True) as producer:
        return app.amqp.queues[queue_of(lane)].bind(producer.channel).queue_declare().message_count


@pytest.fixture(params=["files", "redis", pytest.param("rabbitmq", marks=pytest.mark.rabbitmq)])
def settings(request, tmp_path):
    if request.param == "files":
        return make_settings(tmp_path)
    return make_settings(tmp_path, broker_url=request.getfixturevalue(f"{request.param}_url"))


@pytest.mark.parametrize(
    ("word", "lane"), [("signups", Lane.SINGLE), ("single", Lane.SINGLE), ("bulk", Lane.BULK)]
)
def test_each_word_wakes_its_lane(settings, word, lane):
    waker = Waker(settings)

    waker(word)

    app = waker.prepare()
    assert {each: waiting(app, each) for each in Lane} == {each: int(each is lane) for each in Lane}


def test_a_hundred_calls_leave_one_message(settings):
    waker = Waker(settings)

    for _ in range(100):
        waker("single")

    assert waiting(waker.prepare(), Lane.SINGLE) == 1


def test_a_broker_that_is_not_there_is_a_line_in_the_log_and_nothing_else(tmp_path, free_port, caplog):
    waker = Waker(make_settings(tmp_path, broker_url=f"redis://127.0.0.1:{free_port}/0"))

    began = time.perf_counter()
    for _ in range(50):
        waker("single")

    assert caplog.text.count("event=not_woken lane=single") == 1
    assert time.perf_counter() - began < 1.5


def test_a_folder_that_cannot_be_made_is_a_line_in_the_log_and_nothing_else(tmp_path, caplog):
    (tmp_path / "file").write_text("")

    Waker(replace(make_settings(tmp_path), data_dir=tmp_path / "file"))("single")

    assert "event=not_woken" in caplog.text


def test_waking_costs_a_request_next_to_nothing(tmp_path):
    waker = Waker(make_settings(tmp_path))
    waker("single")

    began = time.perf_counter()
    for _ in range(50):
        waker("single")

    assert (time.perf_counter() - began) / 50 < 0.05


def test_a_full_queue_takes_no_more_than_it_is_meant_to(settings):
    app = make_celery(settings)

    put = [send(app, Lane.BULK, DRAIN, "bulk", at_most=2) for _ in range(4)]

    assert put == [True, True, False, False]


def test_nothing_is_ever_asked_for_later_and_nobody_waits_for_an_answer(settings):
    app = make_celery(settings)

    assert app.conf.task_ignore_result
    assert app.conf.task_acks_late
    assert app.conf.task_reject_on_worker_lost
    assert app.conf.worker_prefetch_multiplier == 1
    assert app.conf.accept_content == ["json"]
    assert [entry["task"] for entry in app.conf.beat_schedule.values()] == [SWEEP, CLOCK, TIDY]
    assert app.conf.beat_schedule["sweep"]["schedule"] == 15
    assert app.conf.beat_schedule["sweep"]["options"]["queue"] == queue_of(Lane.SINGLE)
    # Nobody who waits for a confirmation waits for the cleanup.
    assert app.conf.beat_schedule["tidy"]["options"]["queue"] == queue_of(Lane.BULK)


def test_rabbitmq_gets_quorum_queues_and_is_asked_to_confirm(tmp_path):
    app = make_celery(make_settings(tmp_path, broker_url="amqp://queue.example.org//"))

    assert {queue.queue_arguments["x-queue-type"] for queue in app.conf.task_queues} == {"quorum"}
    assert app.conf.broker_transport_options == {"confirm_publish": True}
