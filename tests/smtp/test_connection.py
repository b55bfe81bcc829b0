from __future__ import annotations

import dataclasses
import threading
from contextlib import closing

import pytest
from smtp.relay_script import EHLO, QUICK, Session, scripted_relay

from newsletter.errors import ConnectionLost, ProtocolError
from newsletter.smtp.connection import Connection
from newsletter.smtp.outcomes import Envelope, Fate, NoHooks, Outcome, Outgoing, Step

STEPWISE = tuple(word for word in EHLO if word != "PIPELINING")
BOTH = pytest.mark.parametrize("ehlo", [EHLO, STEPWISE], ids=["pipelined", "stepwise"])
UNLIMITED = tuple(word for word in EHLO if not word.startswith("SIZE"))
# Larger than the buffers between two sockets on loopback.
HUGE = (b"x" * 76 + b"\r\n") * 250_000


def content_of(number: int) -> bytes:
    return f"Subject: {number}\r\n\r\nmessage {number}\r\n".encode()


def outgoing(number: int, content: bytes | None = None, recipient: str | None = None) -> Outgoing:
    envelope = Envelope(f"b{number}@us.test", recipient or f"r{number}@them.test")
    return Outgoing(number, envelope, lambda: content_of(number) if content is None else content)


class Recorder(NoHooks):
    """Hooks that record their calls."""

    def __init__(self, skip: tuple[int, ...] = ()) -> None:
        self.events: list[tuple[object, ...]] = []
        self.skip = skip

    def before_envelope(self, message_id: int) -> bool:
        self.events.append(("envelope", message_id))
        return message_id not in self.skip

    def before_content(self, message_id: int) -> None:
        self.events.append(("content", message_id))

    def after_content(self, message_id: int, outcome: Outcome) -> None:
        self.events.append(("after", message_id, outcome.fate))


def send(script, messages, hooks=None, **endpoint) -> dict[int, Outcome]:
    """Send over one new connection; check the invariants; return outcomes by id."""
    connection = Connection.open(script.endpoint(**endpoint))
    recorder = hooks or Recorder()
    results = list(connection.send(messages, recorder))
    connection.quit()
    outcomes = dict(results)
    assert len(outcomes) == len(results)
    begun = [event[1] for event in recorder.events if event[0] == "content"]
    ended = [event[1] for event in recorder.events if event[0] == "after"]
    assert begun == ended
    # A message that the relay has completely is accepted, refused or uncertain, never unsent.
    for content in script.contents:
        for number, outcome in outcomes.items():
            if content == content_of(number):
                assert outcome.fate in {Fate.REPLIED, Fate.UNCERTAIN}
    return outcomes


def fates(outcomes: dict[int, Outcome]) -> list[tuple[Fate, Step | None]]:
    return [(outcome.fate, outcome.step) for _, outcome in sorted(outcomes.items())]


ACCEPTED = (Fate.REPLIED, Step.CONTENT)
NOT_OFFERED = (Fate.UNSENT, None)


@BOTH
@pytest.mark.parametrize("bytewise", [False, True])
def test_messages_arrive_unchanged_and_in_order(ehlo, bytewise):
    with scripted_relay(ehlo=ehlo, bytewise=bytewise) as script:
        outcomes = send(script, [outgoing(n) for n in range(1, 6)])

    assert script.contents == [content_of(n) for n in range(1, 6)]
    assert list(outcomes) == [1, 2, 3, 4, 5]
    assert all(outcome.accepted for outcome in outcomes.values())


def test_a_content_and_the_next_envelope_leave_in_one_write():
    waiting = []

    def at_the_dot(session: Session) -> str:
        waiting.append(session.buffer)
        return "250 2.0.0 queued"

    with scripted_relay(answers={".": at_the_dot}) as script:
        send(script, [outgoing(n) for n in (1, 2, 3)])

    sizes = f" SIZE={len(content_of(1))}"
    envelopes = [
        f"MAIL FROM:<b{n}@us.test>{sizes}\r\nRCPT TO:<r{n}@them.test>\r\nDATA\r\n".encode() for n in (2, 3)
    ]
    assert waiting == [*envelopes, b""]


def test_the_next_message_is_built_while_the_relay_works():
    built = threading.Event()

    def last() -> bytes:
        built.set()
        return content_of(3)

    def at_the_dot(session: Session) -> str:
        assert built.wait(5)
        return "250 2.0.0 queued"

    with scripted_relay(answers={".": at_the_dot}) as script:
        outcomes = send(script, [outgoing(1), outgoing(2), outgoing(3)._replace(build=last)])

    assert all(outcome.accepted for outcome in outcomes.values())


def test_without_pipelining_each_command_waits_for_the_reply_before():
    early = []

    def watch(reply: str):
        def answer(session: Session) -> str:
            early.append(session.waiting_bytes())
            return reply

        return answer

    answers = {
        "MAIL": watch("250 ok"),
        "RCPT": watch("250 ok"),
        "DATA": watch("354 go"),
        ".": watch("250 ok"),
    }
    with scripted_relay(ehlo=STEPWISE, answers=answers) as script:
        send(script, [outgoing(1), outgoing(2)])

    assert early == [False] * 8


@BOTH
def test_hooks_are_told_in_order(ehlo):
    hooks = Recorder()
    answers = {"RCPT <r2@them.test>": "550 5.1.1 no", "DATA": ["354 go", "503 no", "354 go"]}
    if ehlo is STEPWISE:
        del answers["DATA"]
    with scripted_relay(ehlo=ehlo, answers=answers) as script:
        send(script, [outgoing(1), outgoing(2), outgoing(3)], hooks)

    own = [[event[0] for event in hooks.events if event[1] == number] for number in (1, 2, 3)]
    assert own == [["envelope", "content", "after"], ["envelope"], ["envelope", "content", "after"]]


@BOTH
def test_a_skipped_message_leaves_no_byte(ehlo):
    with scripted_relay(ehlo=ehlo) as script:
        outcomes = send(script, [outgoing(n) for n in (1, 2, 3, 4)], Recorder(skip=(2, 4)))

    assert [fate for fate, _ in fates(outcomes)] == [Fate.REPLIED, Fate.SKIPPED, Fate.REPLIED, Fate.SKIPPED]
    assert not any("r2@" in command or "r4@" in command for command in script.commands)


def test_when_all_is_skipped_nothing_is_said():
    with scripted_relay() as script:
        outcomes = send(script, [outgoing(n) for n in range(20)], Recorder(skip=tuple(range(20))))

    assert {outcome.fate for outcome in outcomes.values()} == {Fate.SKIPPED}
    assert script.commands == ["EHLO us.test", "QUIT"]


# Refusals


@BOTH
def test_a_refused_recipient_whose_data_is_refused_too_is_cleared_away(ehlo):
    answers = {
        "RCPT <r2@them.test>": "550-5.1.1 no such\r\n550 5.1.1 user",
        "DATA": ["354 go", "503 5.5.1 no recipient", "354 go"],
    }
    if ehlo is STEPWISE:
        answers["DATA"] = "354 go"
    with scripted_relay(ehlo=ehlo, answers=answers) as script:
        outcomes = send(script, [outgoing(n) for n in (1, 2, 3)])

    assert fates(outcomes) == [ACCEPTED, (Fate.REPLIED, Step.RCPT), ACCEPTED]
    assert outcomes[2].reply.status == "5.1.1"
    assert not outcomes[2].accepted
    assert script.contents == [content_of(1), content_of(3)]
    third = next(i for i, c in enumerate(script.commands) if c.startswith("MAIL FROM:<b3@"))
    assert script.commands[third - 1] == "RSET"


@pytest.mark.parametrize("numbers", [(1, 2, 3), (1, 2)], ids=["in the middle", "at the end"])
def test_a_refused_recipient_whose_data_is_taken_gets_a_lone_dot(numbers):
    answers = {
        "RCPT <r2@them.test>": "550 5.1.1 no",
        ".": ["250 one", "554 5.5.1 no valid recipients", "250 three"],
    }
    with scripted_relay(answers=answers) as script:
        outcomes = send(script, [outgoing(n) for n in numbers])

    assert fates(outcomes) == [ACCEPTED, (Fate.REPLIED, Step.RCPT), ACCEPTED][: len(numbers)]
    assert script.contents == [content_of(1), b"", content_of(3)][: len(numbers)]
    assert "RSET" not in script.commands
    assert script.commands[-1] == "QUIT"


@BOTH
@pytest.mark.parametrize(
    ("answers", "step"),
    [
        (
            {
                "MAIL <b2@us.test>": "451 4.3.0 later",
                "RCPT": ["250 ok", "503 no", "250 ok"],
                "DATA": ["354 go", "503 no", "354 go"],
            },
            Step.MAIL,
        ),
        ({"DATA": ["354 go", "451 4.3.0 later", "354 go"]}, Step.DATA),
        ({".": ["250 ok", "451 4.3.0 later", "250 ok"]}, Step.CONTENT),
    ],
    ids=["mail", "data", "content"],
)
def test_a_message_put_off_does_not_hold_up_the_next(ehlo, answers, step):
    answers = dict(answers)
    if ehlo is STEPWISE and step is Step.MAIL:
        del answers["RCPT"], answers["DATA"]
    with scripted_relay(ehlo=ehlo, answers=answers) as script:
        outcomes = send(script, [outgoing(n) for n in (1, 2, 3)])

    assert fates(outcomes) == [ACCEPTED, (Fate.REPLIED, step), ACCEPTED]
    assert outcomes[2].reply.transient
    assert len(script.sessions) == 1


def test_a_relay_that_refuses_the_sender_and_wants_the_message_gets_none():
    with scripted_relay(answers={"MAIL <b2@us.test>": "550 5.7.1 no"}) as script:
        outcomes = send(script, [outgoing(n) for n in (1, 2, 3)])

    assert fates(outcomes) == [ACCEPTED, (Fate.REPLIED, Step.MAIL), NOT_OFFERED]
    assert script.contents == [content_of(1)]


# 421: the relay ends the conversation


@BOTH
@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ({"MAIL <b2@us.test>": "421 4.7.0 enough"}, [ACCEPTED, (Fate.REPLIED, Step.MAIL), NOT_OFFERED]),
        ({"RCPT <r2@them.test>": "421 4.7.0 enough"}, [ACCEPTED, (Fate.REPLIED, Step.RCPT), NOT_OFFERED]),
        ({"DATA": ["354 go", "421 4.7.0 enough"]}, [ACCEPTED, (Fate.REPLIED, Step.DATA), NOT_OFFERED]),
    ],
    ids=["mail", "rcpt", "data"],
)
def test_421_to_an_envelope_decides_that_message_only(ehlo, answers, expected):
    with scripted_relay(ehlo=ehlo, answers=answers) as script:
        outcomes = send(script, [outgoing(n) for n in (1, 2, 3, 4)])

    assert fates(outcomes) == expected
    assert outcomes[2].reply.code == 421


def test_421_to_a_content_leaves_the_next_envelope_unsent():
    with scripted_relay(answers={".": ["250 ok", "421 4.3.2 shutting down"]}) as script:
        outcomes = send(script, [outgoing(n) for n in (1, 2, 3, 4)])

    assert fates(outcomes) == [ACCEPTED, ACCEPTED, (Fate.UNSENT, Step.MAIL), NOT_OFFERED]
    assert not outcomes[2].accepted


def test_421_right_behind_354_stops_the_content():
    with scripted_relay(answers={"DATA": b"354 go\r\n421 4.3.2 shutting down\r\n"}) as script:
        outcomes = send(script, [outgoing(1), outgoing(2)])

    assert fates(outcomes) == [(Fate.UNSENT, Step.DATA), NOT_OFFERED]
    assert script.contents == []
    assert "421" in outcomes[1].reason


# Connections that end


@BOTH
@pytest.mark.parametrize("how", ["drop", "reset"])
@pytest.mark.parametrize(
    ("key", "step"),
    [("MAIL <b2@us.test>", Step.MAIL), ("RCPT <r2@them.test>", Step.RCPT), ("DATA", Step.DATA)],
)
def test_an_envelope_that_loses_its_connection_is_unsent(ehlo, key, step, how):
    answers = {key: ["354 go", how] if key == "DATA" else how}
    with scripted_relay(ehlo=ehlo, answers=answers) as script:
        outcomes = send(script, [outgoing(n) for n in (1, 2, 3)])

    if how == "reset":  # it may overtake the replies before it
        step = outcomes[2].step
    assert fates(outcomes) == [ACCEPTED, (Fate.UNSENT, step), NOT_OFFERED]


@BOTH
@pytest.mark.parametrize("how", ["drop", "reset"])
def test_a_content_without_an_answer_is_uncertain(ehlo, how):
    with scripted_relay(ehlo=ehlo, answers={".": ["250 ok", how]}) as script:
        outcomes = send(script, [outgoing(n) for n in (1, 2, 3, 4)])

    third = (Fate.UNSENT, Step.MAIL) if ehlo is EHLO else NOT_OFFERED
    assert fates(outcomes)[:3] == [ACCEPTED, (Fate.UNCERTAIN, Step.CONTENT), third]
    assert script.contents[:2] == [content_of(1), content_of(2)]


@BOTH
@pytest.mark.parametrize("after", [0, 1000, 200_000])
def test_a_content_cut_short_is_unsent_as_its_dot_never_left(ehlo, after):
    ehlo = tuple(word for word in ehlo if not word.startswith("SIZE"))
    with scripted_relay(ehlo=ehlo, drop_in_content_after=after) as script:
        outcomes = send(script, [outgoing(1, HUGE), outgoing(2)])

    assert fates(outcomes) == [(Fate.UNSENT, Step.CONTENT), NOT_OFFERED]
    assert script.contents == []


def test_a_relay_that_stops_reading_gets_no_dot():
    def go_and_sleep(session: Session) -> object:
        session.socket.sendall(b"354 go\r\n")
        return "stall"

    times = dataclasses.replace(QUICK, block=0.3)
    with scripted_relay(ehlo=UNLIMITED, answers={"DATA": go_and_sleep}) as script:
        outcomes = send(script, [outgoing(1, HUGE)], timeouts=times)

    assert fates(outcomes) == [(Fate.UNSENT, Step.CONTENT)]


def test_a_relay_that_refuses_in_the_middle_of_the_content_is_heard():
    def go_and_refuse(session: Session) -> object:
        session.socket.sendall(b"354 go\r\n")
        session.socket.recv(1000)
        session.socket.sendall(b"552 5.3.4 too big after all\r\n")
        return "reset"

    with scripted_relay(ehlo=UNLIMITED, answers={"DATA": go_and_refuse}) as script:
        outcomes = send(script, [outgoing(1, HUGE)])

    assert fates(outcomes) == [ACCEPTED]
    assert outcomes[1].reply.status == "5.3.4"
    assert not outcomes[1].accepted


@BOTH
@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("MAIL", (Fate.UNSENT, Step.MAIL)),
        ("RCPT", (Fate.UNSENT, Step.RCPT)),
        ("DATA", (Fate.UNSENT, Step.DATA)),
        (".", (Fate.UNCERTAIN, Step.CONTENT)),
    ],
)
def test_silence_ends_at_the_time_out_of_its_step(ehlo, key, expected):
    name = {".": "content"}.get(key, key.lower())
    times = dataclasses.replace(QUICK, **{name: 0.15})
    with scripted_relay(ehlo=ehlo, answers={key: "stall"}) as script:
        outcomes = send(script, [outgoing(1)], timeouts=times)

    assert fates(outcomes) == [expected]
    assert "no answer in 0.15 s" in outcomes[1].reason


def test_a_reply_that_drips_does_not_hold_us_longer_than_the_time_out():
    def drip(session: Session) -> object:
        while not session.script.gone.wait(0.02):
            session.socket.sendall(b"2")
        return "drop"

    with scripted_relay(answers={"MAIL": drip}) as script:
        outcomes = send(script, [outgoing(1)], timeouts=dataclasses.replace(QUICK, mail=0.2))

    assert "no answer in 0.2 s" in outcomes[1].reason


GARBAGE = {
    "garbage": b"\x00\xff\r\n",
    "HTTP": b"HTTP/1.1 400 Bad Request\r\n",
    "endless line": b"250 " + b"x" * 70_000,
    "endless reply": b"250-x\r\n" * 300,
    "two codes": b"250-x\r\n251 y\r\n",
    "wrong kind": b"334 go on\r\n",
}


@BOTH
@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE.keys())
@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("MAIL", (Fate.UNSENT, Step.MAIL)),
        ("DATA", (Fate.UNSENT, Step.DATA)),
        (".", (Fate.UNCERTAIN, Step.CONTENT)),
    ],
)
def test_garbage_is_never_taken_for_an_answer(ehlo, key, expected, garbage):
    with scripted_relay(ehlo=ehlo, answers={key: garbage}) as script:
        connection = Connection.open(script.endpoint())
        outcomes = dict(connection.send([outgoing(1), outgoing(2)]))

    assert fates(outcomes)[0] == expected
    assert outcomes[2].fate is Fate.UNSENT
    assert connection.closed
    assert isinstance(connection.error, ProtocolError)


@BOTH
@pytest.mark.parametrize(
    ("key", "answer"),
    [
        ("DATA", b"354 go\r\n250 2.0.0 queued before it came\r\n"),
        ("DATA", b"250 ok\r\n"),
        ("DATA", b"354 go\r\n25"),
    ],
)
def test_a_relay_that_lost_its_place_gets_no_content(ehlo, key, answer):
    with scripted_relay(ehlo=ehlo, answers={key: answer}) as script:
        outcomes = send(script, [outgoing(1), outgoing(2)])

    assert fates(outcomes) == [(Fate.UNSENT, Step.DATA), NOT_OFFERED]
    assert script.contents == []


def test_a_good_reply_counts_though_garbage_follows_it():
    with scripted_relay(answers={".": b"250 2.0.0 queued\r\n*** panic ***\r\n"}) as script:
        outcomes = send(script, [outgoing(1), outgoing(2)])

    assert fates(outcomes) == [ACCEPTED, (Fate.UNSENT, Step.MAIL)]


# Our own faults


def unbuildable(number: int) -> Outgoing:
    def fail() -> bytes:
        raise LookupError("no fragment")

    return outgoing(number)._replace(build=fail)


def test_a_message_that_cannot_be_built_harms_no_other():
    with scripted_relay() as script:
        outcomes = send(script, [outgoing(1), unbuildable(2), outgoing(3)])

    assert [fate for fate, _ in fates(outcomes)] == [Fate.REPLIED, Fate.UNBUILT, Fate.REPLIED]
    assert isinstance(outcomes[2].error, LookupError)
    assert script.contents == [content_of(1), content_of(3)]


@pytest.mark.parametrize(
    "content", [b"a\nb\r\n", b"a\rb\r\n", b"a\r\n.\nMAIL FROM:<x@y>\r\n", b"a\n.\r\n", b"\r"]
)
def test_a_line_end_that_relays_read_differently_is_never_sent(content):
    with scripted_relay() as script:
        outcomes = send(script, [outgoing(1, content), outgoing(2)])

    assert outcomes[1].fate is Fate.UNBUILT
    assert script.contents == [content_of(2)]


@pytest.mark.parametrize(
    "address",
    ["r@them.test>\r\nDATA", "r@them.test> NOTIFY=NEVER", "r\0@them.test", "r @them.test", "nobody"],
)
def test_an_address_cannot_carry_a_command(address):
    with scripted_relay() as script:
        outcomes = send(script, [outgoing(1, recipient=address), outgoing(2)])

    assert outcomes[1].reply.local
    assert outcomes[1].reply.status == "5.1.3"
    assert outcomes[2].accepted
    assert [command for command in script.commands if command.startswith("RCPT")] == [
        "RCPT TO:<r2@them.test>"
    ]


@pytest.mark.parametrize("failing", ["before_envelope", "before_content"])
@BOTH
def test_a_hook_that_fails_stops_everything_before_the_content(ehlo, failing):
    class DiskFull(Recorder):
        def check(self, hook: str, message_id: int) -> None:
            if hook == failing and message_id == 2:
                raise OSError(28, "No space left on device")

        def before_envelope(self, message_id: int) -> bool:
            self.check("before_envelope", message_id)
            return super().before_envelope(message_id)

        def before_content(self, message_id: int) -> None:
            self.check("before_content", message_id)
            super().before_content(message_id)

    outcomes = {}
    with scripted_relay(ehlo=ehlo) as script:
        connection = Connection.open(script.endpoint())
        with pytest.raises(OSError, match="No space"):
            outcomes.update(connection.send([outgoing(n) for n in (1, 2, 3, 4)], DiskFull()))

    assert content_of(2) not in script.contents
    assert outcomes[2].fate is Fate.UNSENT
    assert connection.closed
    # Envelope 2 was to be sent together with content 1. In the other case that was not sent either.
    if failing == "before_content":
        assert outcomes[1].accepted


def test_a_hook_that_fails_at_the_answer_does_not_lose_the_answer():
    class DiskFull(Recorder):
        def after_content(self, message_id: int, outcome: Outcome) -> None:
            raise OSError(28, "No space left on device")

    outcomes = {}
    with scripted_relay() as script:
        connection = Connection.open(script.endpoint())
        with pytest.raises(OSError, match="No space"):
            outcomes.update(connection.send([outgoing(1), outgoing(2), outgoing(3)], DiskFull()))

    assert fates(outcomes) == [ACCEPTED, (Fate.UNSENT, Step.MAIL), NOT_OFFERED]
    assert script.contents == [content_of(1)]


def test_a_source_that_fails_lets_what_is_under_way_end_well():
    def messages():
        yield outgoing(1)
        yield outgoing(2)
        raise LookupError("the database is gone")

    outcomes = {}
    with scripted_relay() as script:
        connection = Connection.open(script.endpoint())
        with pytest.raises(LookupError):
            outcomes.update(connection.send(messages()))
        connection.quit()

    assert fates(outcomes) == [ACCEPTED, ACCEPTED]


def test_leaving_half_way_closes_the_connection_and_says_what_is_uncertain():
    hooks = Recorder()
    with scripted_relay(answers={".": ["250 ok", "stall"]}) as script:
        connection = Connection.open(script.endpoint())
        # The fourth cannot be built, and this result comes while the second waits for its reply.
        messages = [*(outgoing(n) for n in (1, 2, 3)), unbuildable(4)]
        with closing(connection.send(messages, hooks)) as results:
            told = [next(results).id, next(results).id]

    assert told == [1, 4]
    assert connection.closed
    assert hooks.events[-1] == ("after", 2, Fate.UNCERTAIN)


# Limits and reuse


def test_a_connection_is_used_again():
    with scripted_relay() as script:
        connection = Connection.open(script.endpoint())
        for number in (1, 2, 3):
            ((_, outcome),) = connection.send([outgoing(number)])
            assert outcome.accepted
            assert not connection.stale
        connection.quit()

    assert len(script.sessions) == 1
    assert script.commands[-1] == "QUIT"


def test_a_refusal_is_cleared_away_before_the_next_use():
    with scripted_relay(answers={"DATA": ["451 4.3.0 later", "354 go"]}) as script:
        connection = Connection.open(script.endpoint())
        list(connection.send([outgoing(1)]))
        ((_, outcome),) = connection.send([outgoing(2)])
        connection.quit()

    assert outcome.accepted
    assert "RSET" in script.commands


@pytest.mark.parametrize(
    ("ehlo", "limit"),
    [(EHLO, {"max_messages": 2}), ((*EHLO, "LIMITS RCPTMAX=100 MAILMAX=2"), {})],
    ids=["ours", "theirs"],
)
def test_no_more_messages_go_over_a_connection_than_its_limit(ehlo, limit):
    messages = iter([outgoing(n) for n in (1, 2, 3, 4)])
    with scripted_relay(ehlo=ehlo) as script:
        outcomes = send(script, messages, **limit)

    assert fates(outcomes) == [ACCEPTED, ACCEPTED]
    assert [message.id for message in messages] == [3, 4]


def test_a_connection_that_the_relay_closed_is_stale():
    def answer_and_go(session: Session) -> object:
        session.socket.sendall(b"250 2.0.0 queued\r\n")
        return "drop"

    with scripted_relay(answers={".": answer_and_go}) as script:
        connection = Connection.open(script.endpoint())
        list(connection.send([outgoing(1)]))

        pause = threading.Event()
        assert any(connection.stale or pause.wait(0.01) for _ in range(200))
        connection.close()


def test_a_connection_lost_between_messages_says_so():
    with scripted_relay(answers={".": b"250 2.0.0 queued\r\n421 4.4.2 idle too long\r\n"}) as script:
        connection = Connection.open(script.endpoint())
        list(connection.send([outgoing(1)]))
        ((_, outcome),) = connection.send([outgoing(2)])

    assert outcome.fate is Fate.UNSENT
    assert outcome.step is None
    assert isinstance(connection.error, ConnectionLost)
