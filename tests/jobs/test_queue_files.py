"""The queue in a folder: every message arrives complete, once, at one consumer."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from queue import Empty

import pytest
from kombu import Connection

from newsletter.jobs import queue_files

QUEUE = "newsletter.single"


def channel(folder):
    queue_files.register()
    options = queue_files.open_folder(folder)
    return Connection(f"{queue_files.ALIAS}://localhost//", transport_options=options).channel()


def test_messages_come_out_in_the_order_they_were_put_in(tmp_path):
    queue = channel(tmp_path)

    for number in range(3):
        queue._put(QUEUE, {"number": number})

    assert [queue._get(QUEUE)["number"] for _ in range(3)] == [0, 1, 2]
    with pytest.raises(Empty):
        queue._get(QUEUE)
    assert list(tmp_path.iterdir()) == []


def test_queues_do_not_see_each_others_messages(tmp_path):
    queue = channel(tmp_path)

    queue._put("newsletter.bulk", {"number": 1})

    assert (queue._size(QUEUE), queue._size("newsletter.bulk")) == (0, 1)
    with pytest.raises(Empty):
        queue._get(QUEUE)


def test_many_readers_share_the_messages_and_none_is_taken_twice(tmp_path):
    writer = channel(tmp_path)

    def read_all(reader):
        got = []
        while len(got) < 100:
            # Read first: the last message may be written between an empty look and the end.
            all_written = bool(done)
            try:
                got.append(reader._get(QUEUE)["number"])
            except Empty:
                if all_written:
                    return got
        return got

    done = []
    with ThreadPoolExecutor(4) as pool:
        readers = [pool.submit(read_all, channel(tmp_path)) for _ in range(3)]
        for number in range(100):
            writer._put(QUEUE, {"number": number, "padding": "x" * 5000})
        done.append(True)
        taken = [number for reader in readers for number in reader.result()]

    assert sorted(taken) == list(range(100))


def test_a_message_damaged_on_the_disk_is_passed_over(tmp_path):
    queue = channel(tmp_path)
    (tmp_path / f"0_cut.{QUEUE}.msg").write_text('{"number": ')
    queue._put(QUEUE, {"number": 1})

    assert queue._get(QUEUE) == {"number": 1}


def test_what_a_crash_left_half_done_is_cleared_and_what_is_under_way_is_not(tmp_path):
    (tmp_path / "old.new").write_text("{")
    (tmp_path / "now.new").write_text("{")
    long_ago = time.time() - 10 * queue_files.HALF_DONE_SECONDS
    os.utime(tmp_path / "old.new", (long_ago, long_ago))

    queue_files.open_folder(tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["now.new"]


def test_a_message_passes_through_kombu_itself(tmp_path):
    channel(tmp_path)
    options = queue_files.open_folder(tmp_path) | {"polling_interval": 0.01}

    def connect():
        return closing(Connection(f"{queue_files.ALIAS}://localhost//", transport_options=options))

    with connect() as writing:
        writing.Producer().publish({"issue": 7}, routing_key=QUEUE)
    with connect() as reading, closing(reading.SimpleQueue(QUEUE)) as queue:
        message = queue.get(timeout=5)
        message.ack()

    assert message.payload == {"issue": 7}
