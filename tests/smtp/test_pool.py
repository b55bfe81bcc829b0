from __future__ import annotations

import contextlib
import dataclasses
import random
import socket
import threading
from collections import Counter

import pytest
from smtp.relay_script import LOOPBACK, QUICK, Session, scripted_relay

from newsletter.errors import ConnectionLost, RelayRefused, TransportError
from newsletter.settings import Relay, RelaySecurity
from newsletter.smtp.endpoint import Endpoint
from newsletter.smtp.outcomes import Envelope, Fate, NoHooks, Outcome, Outgoing, Step
from newsletter.smtp.pool import Pool, _Limit


def content_of(number: int) -> bytes:
    return f"Subject: {number}\r\n\r\nmessage {number}\r\n".encode()


def outgoing(number: int) -> Outgoing:
    return Outgoing(
        number, Envelope(f"b{number}@us.test", f"r{number}@them.test"), lambda: content_of(number)
    )


def numbers_in(script) -> list[int]:
    return [int(content.split()[1]) for content in script.contents if content]


def send(pool: Pool, messages, hooks=None) -> dict[int, Outcome]:
    results = list(pool.send(messages, hooks))
    assert len(dict(results)) == len(results)
    return dict(results)


def collect(pool: Pool, messages, hooks=None) -> tuple[dict[int, Outcome], Exception]:
    """Send until an error is raised; return the results before it, and the error."""
    outcomes: dict[int, Outcome] = {}
    with pytest.raises(Exception) as caught:
        for message_id, outcome in pool.send(messages, hooks):
            assert message_id not in outcomes
            outcomes[message_id] = outcome
    return outcomes, caught.value


def test_every_message_is_sent_once_over_one_connection_to_a_quick_relay():
    with scripted_relay() as script:
        pool = Pool(script.endpoint(max_connections=1))
        outcomes = send(pool, [outgoing(n) for n in range(600)])
        pool.close()

    assert all(outcome.accepted for outcome in outcomes.values())
    assert numbers_in(script) == list(range(600))
    assert len(script.sessions) == 1


def test_a_pool_opens_connections_to_a_distant_relay_up_to_its_limit():
    with scripted_relay(delay=0.02) as script:
        pool = Pool(script.endpoint(max_connections=6))
        outcomes = send(pool, [outgoing(n) for n in range(200)])
        pool.close()

    assert all(outcome.accepted for outcome in outcomes.values())
    assert sorted(numbers_in(script)) == list(range(200))
    assert len(script.sessions) == 6
    assert [transcript.commands[-1] for transcript in script.sessions] == ["QUIT"] * len(script.sessions)


def distant(limit: _Limit) -> _Limit:
    """Return the limit of a relay that has replied slowly."""
    for _ in range(64):
        limit.note_reply(0.1)
    return limit


def test_few_messages_share_a_connection():
    with scripted_relay(delay=0.005) as script:
        pool = Pool(script.endpoint(max_connections=6))
        outcomes = send(pool, [outgoing(n) for n in range(16)])
        pool.close()

    assert all(outcome.accepted for outcome in outcomes.values())
    assert len(script.sessions) == 2


def test_few_connections_are_kept_to_a_relay_that_replies_quickly():
    limit = _Limit(20)

    steps = [limit.connections]
    for replies in ([0.02] * 64, [0.02] * 63 + [0.001], [0.02] * 64):
        for seconds in replies:
            limit.note_reply(seconds)
        steps.append(limit.connections)

    assert steps == [2, 20, 2, 20]


def test_the_limit_doubles_each_minute_after_a_refused_connection():
    limit = distant(_Limit(20))

    limit.lower(open_connections=3, now=100.0)
    steps = []
    for now in (159.0, 160.0, 161.0, 220.0, 280.0, 340.0):
        limit.raise_if_due(now)
        steps.append(limit.connections)

    assert steps == [3, 6, 6, 12, 20, 20]


def test_the_limit_keeps_one_connection_when_none_is_open():
    limit = _Limit(20)

    limit.lower(open_connections=0, now=0.0)

    assert limit.connections == 1


def test_a_connection_is_kept_for_the_next_call():
    with scripted_relay() as script:
        pool = Pool(script.endpoint())
        for number in (1, 2, 3):
            assert send(pool, [outgoing(number)])[number].accepted
        assert pool.idle == 1
        pool.close()

    assert pool.idle == 0
    assert len(script.sessions) == 1


def test_a_connection_is_retired_after_its_messages():
    with scripted_relay() as script:
        pool = Pool(script.endpoint(max_messages=10, max_connections=1))
        outcomes = send(pool, [outgoing(n) for n in range(35)])
        pool.close()

    assert all(outcome.accepted for outcome in outcomes.values())
    assert [len(transcript.contents) for transcript in script.sessions] == [10, 10, 10, 5]


def test_an_idle_connection_is_closed_with_a_goodbye():
    with scripted_relay() as script:
        pool = Pool(script.endpoint(idle_seconds=0))
        send(pool, [outgoing(1)])
        pool.close_idle()

        assert pool.idle == 0
        assert script.commands[-1] == "QUIT"


def test_a_connection_that_died_while_idle_costs_nothing():
    def answer_and_go(session: Session) -> object:
        session.socket.sendall(b"250 2.0.0 queued\r\n")
        return "drop"

    with scripted_relay(answers={".": [answer_and_go, "250 ok"]}) as script:
        pool = Pool(script.endpoint())
        first = send(pool, [outgoing(1)])
        second = send(pool, [outgoing(2)])
        pool.close()

    assert first[1].accepted
    assert second[2].accepted


@pytest.mark.parametrize("how", ["drop", "reset", b"nonsense\r\n"])
def test_what_a_lost_connection_caught_by_chance_is_sent_over_another(how):
    with scripted_relay(answers={"MAIL": ["250 ok", "250 ok", how, "250 ok"]}) as script:
        pool = Pool(script.endpoint())
        outcomes = send(pool, [outgoing(n) for n in range(20)])
        pool.close()

    assert all(outcome.accepted for outcome in outcomes.values())
    assert sorted(numbers_in(script)) == list(range(20))


def test_a_message_that_kills_every_connection_is_given_back_and_the_rest_goes_on():
    with scripted_relay(answers={"MAIL <b3@us.test>": "drop"}) as script:
        pool = Pool(script.endpoint())
        outcomes = send(pool, [outgoing(n) for n in range(10)])
        pool.close()

    assert (outcomes[3].fate, outcomes[3].step) == (Fate.UNSENT, Step.MAIL)
    assert all(outcome.accepted for number, outcome in outcomes.items() if number != 3)
    assert sum("b3@" in command for command in script.commands) == 2


def test_an_uncertain_message_is_never_tried_again():
    with scripted_relay(answers={".": ["250 ok", "drop", "250 ok"]}) as script:
        pool = Pool(script.endpoint())
        outcomes = send(pool, [outgoing(n) for n in range(5)])
        pool.close()

    assert [outcomes[n].fate for n in range(5)].count(Fate.UNCERTAIN) == 1
    assert max(Counter(numbers_in(script)).values()) == 1


def test_a_relay_that_always_hangs_up_is_given_up_and_nothing_is_lost():
    with scripted_relay(answers={"MAIL": "drop"}) as script:
        outcomes, error = collect(
            Pool(script.endpoint(max_connections=1)), [outgoing(n) for n in range(1000)]
        )

    assert isinstance(error, ConnectionLost)
    assert {outcome.fate for outcome in outcomes.values()} == {Fate.UNSENT}
    assert len(script.sessions) == 3
    assert len(outcomes) < 1000  # the rest was not taken


def test_a_relay_that_is_not_there_leaves_all_unsent():
    with socket.create_server((LOOPBACK, 0)) as server:
        port = server.getsockname()[1]
    pool = Pool(Endpoint(Relay(LOOPBACK, port, RelaySecurity.NONE), timeouts=QUICK))

    outcomes, error = collect(pool, [outgoing(1), outgoing(2)])

    assert isinstance(error, TransportError)
    assert [(o.fate, o.step) for o in outcomes.values()] == [(Fate.UNSENT, None)] * 2
    assert "cannot be reached" in outcomes[1].reason


def test_a_relay_that_takes_fewer_connections_is_served_with_those():
    answers = {"greeting": ["220 hello", "220 hello", "421 4.7.0 too many connections"]}
    with scripted_relay(delay=0.005, answers=answers) as script:
        pool = Pool(script.endpoint(max_connections=8))
        outcomes = send(pool, [outgoing(n) for n in range(100)])
        pool.close()

    assert all(outcome.accepted for outcome in outcomes.values())
    assert sum(bool(transcript.contents) for transcript in script.sessions) == 2
    # The two refused connections are not tried again within a minute.
    assert len(script.sessions) == 4


def test_a_relay_that_refuses_us_is_an_error_with_its_code():
    with scripted_relay(answers={"greeting": "554 5.7.1 blocked"}) as script:
        outcomes, error = collect(Pool(script.endpoint()), [outgoing(1)])

    assert isinstance(error, RelayRefused)
    assert error.code == 554
    assert outcomes[1].fate is Fate.UNSENT


def test_none_among_the_messages_waits_and_goes_on():
    def paced():
        yield outgoing(1)
        yield None
        yield None
        yield outgoing(2)

    with scripted_relay() as script:
        pool = Pool(script.endpoint())
        results = pool.send(paced())
        assert next(results).id == 1  # told before the second is there
        assert next(results).id == 2
        assert list(results) == []
        pool.close()


def test_messages_are_asked_for_in_the_callers_thread_alone():
    askers = set()

    def messages():
        for number in range(600):
            askers.add(threading.get_ident())
            yield outgoing(number)

    with scripted_relay() as script:
        pool = Pool(script.endpoint())
        assert len(send(pool, messages())) == 600
        pool.close()

    assert askers == {threading.get_ident()}


def test_a_source_that_fails_is_heard_after_what_it_gave_is_sent():
    def messages():
        yield outgoing(1)
        raise LookupError("the database is gone")

    with scripted_relay() as script:
        pool = Pool(script.endpoint())
        outcomes, error = collect(pool, messages())
        pool.close()

    assert isinstance(error, LookupError)
    assert outcomes[1].accepted


def test_a_hook_that_fails_stops_all_and_each_message_has_its_result():
    class DiskFull(NoHooks):
        def before_content(self, message_id: int) -> None:
            if message_id == 5:
                raise OSError(28, "No space left on device")

    with scripted_relay() as script:
        outcomes, error = collect(
            Pool(script.endpoint(max_connections=1)), [outgoing(n) for n in range(10)], DiskFull()
        )

    assert isinstance(error, OSError)
    assert sorted(outcomes) == list(range(10))
    assert (
        [n for n, o in sorted(outcomes.items()) if o.accepted]
        == sorted(numbers_in(script))
        == [0, 1, 2, 3, 4]
    )


def test_leaving_half_way_ends_the_threads():
    with scripted_relay(delay=0.005) as script:
        results = Pool(script.endpoint()).send([outgoing(n) for n in range(500)])
        next(results)
        results.close()

        assert not [thread for thread in threading.enumerate() if thread.name == "smtp"]
        assert len(numbers_in(script)) < 500


def test_an_empty_call_opens_no_connection():
    with scripted_relay() as script:
        assert send(Pool(script.endpoint()), []) == {}

    assert script.sessions == []


@pytest.mark.parametrize("seed", range(4))
def test_under_chaos_nobody_is_lost_and_nobody_gets_it_twice(seed):
    dice = random.Random(seed)
    faults = ["drop", "reset", "421 4.3.2 bye", "451 4.3.0 later", "550 5.7.1 no", b"\xff garbage\r\n", b"25"]
    ledger: list[int] = []  # what the relay took, whether or not its answer gets through

    def rolled(good: str, *more: object):
        def answer(session: Session) -> object:
            return dice.choice([*faults, *more]) if dice.random() < 0.06 else good

        return answer

    def at_the_dot(session: Session) -> object:
        answer = rolled("250 2.0.0 queued")(session)
        refused = isinstance(answer, str) and answer[:1] in {"4", "5"}
        if session.transcript.contents[-1] and not refused:
            ledger.append(int(session.transcript.contents[-1].split()[1]))
        return answer

    answers = {
        "MAIL": rolled("250 ok"),
        "RCPT": rolled("250 ok"),
        "DATA": rolled("354 go", b"354 go\r\n250 early\r\n"),
        ".": at_the_dot,
        "RSET": rolled("250 ok"),
    }
    accepted, uncertain, rejected = [], [], []
    waiting = set(range(200))
    times = dataclasses.replace(QUICK, mail=0.1, rcpt=0.1, data=0.1, content=0.1)
    with scripted_relay(answers=answers, delay=0.001) as script:
        pool = Pool(script.endpoint(max_connections=4, timeouts=times))
        for _ in range(100):  # as the outbox would: what is unsent or put off goes again, and nothing else
            with contextlib.suppress(TransportError):
                for number, outcome in pool.send([outgoing(n) for n in sorted(waiting)]):
                    if outcome.fate is Fate.UNSENT or (outcome.reply and outcome.reply.transient):
                        continue
                    waiting.discard(number)
                    final = accepted if outcome.accepted else rejected
                    (uncertain if outcome.fate is Fate.UNCERTAIN else final).append(number)
        pool.close()

    assert sorted(accepted + uncertain + rejected) == list(range(200))
    assert len(set(ledger)) == len(ledger)
    assert set(accepted) <= set(ledger) <= set(accepted) | set(uncertain)
    assert len(accepted) > 150
