from __future__ import annotations

import pytest
from memory_transport import MemoryTransport
from servers.smtp import run_smtp_sink

from newsletter.settings import Relay, RelaySecurity
from newsletter.smtp.endpoint import Endpoint
from newsletter.smtp.outcomes import Envelope, Fate, NoHooks, Outcome, Outgoing, Step
from newsletter.smtp.replies import Reply
from newsletter.smtp.transport import SMTPTransport, Transport

CONTENT = "Subject: x\r\nFrom: news@us.test\r\n\r\n.dot\r\n..\r\nMahlzeit, Käthe\r\n.\r\n".encode()


def outgoing(number: int, recipient: str = "reader@them.test", content: bytes = CONTENT) -> Outgoing:
    return Outgoing(number, Envelope(f"b{number}@us.test", recipient), lambda: content)


class Recorder(NoHooks):
    def __init__(self, skip: tuple[int, ...] = ()) -> None:
        self.events: list[tuple[object, ...]] = []
        self.skip = skip

    def before_envelope(self, message_id: int) -> bool:
        return message_id not in self.skip

    def before_content(self, message_id: int) -> None:
        self.events.append(("content", message_id))

    def after_content(self, message_id: int, outcome: Outcome) -> None:
        self.events.append(("after", message_id, outcome.fate))


@pytest.fixture
def sink():
    with run_smtp_sink() as running:
        yield running


@pytest.fixture
def smtp(sink) -> SMTPTransport:
    # One connection, so that the order of things is known.
    return SMTPTransport(Endpoint(Relay(sink.host, sink.port, RelaySecurity.NONE), max_connections=1))


def test_a_real_server_gets_each_message_as_it_was_built(sink, smtp):
    sink.refuse = {"gone@them.test": "550 5.1.1 no such user"}
    sink.refuse_data = ["451 4.3.0 try later"]
    recipients = ["first@them.test", "a@them.test", "gone@them.test", "käthe@them.test"]

    outcomes = dict(smtp.send([outgoing(n, recipient) for n, recipient in enumerate(recipients)]))
    smtp.close()

    assert [outcomes[n].accepted for n in range(4)] == [False, True, False, True]
    assert outcomes[0].reply.transient
    assert (outcomes[2].step, outcomes[2].reply.status) == (Step.RCPT, "5.1.1")
    assert [(mail.mail_from, mail.rcpt_tos) for mail in sink.mails] == [
        ("b1@us.test", ("a@them.test",)),
        ("b3@us.test", ("käthe@them.test",)),
    ]
    assert {mail.raw for mail in sink.mails} == {CONTENT}


def test_an_address_the_server_cannot_take_has_a_clear_state():
    with run_smtp_sink(enable_SMTPUTF8=False) as sink:
        transport = SMTPTransport(Endpoint(Relay(sink.host, sink.port, RelaySecurity.NONE)))
        ((_, outcome),) = transport.send([outgoing(1, "käthe@them.test")])
        transport.close()

    assert (outcome.reply.status, outcome.reply.local) == ("5.6.7", True)


def test_a_message_larger_than_the_server_takes_is_not_offered():
    with run_smtp_sink(data_size_limit=50) as sink:
        transport = SMTPTransport(Endpoint(Relay(sink.host, sink.port, RelaySecurity.NONE)))
        ((_, outcome),) = transport.send([outgoing(1)])
        transport.close()

    assert (outcome.reply.code, outcome.reply.status, outcome.reply.local) == (552, "5.3.4", True)


@pytest.fixture(params=["smtp", "memory"])
def transport(request) -> Transport:
    return request.getfixturevalue("smtp") if request.param == "smtp" else MemoryTransport()


def test_the_transport_of_tests_keeps_the_promises_of_smtp(transport):
    def fail() -> bytes:
        raise LookupError("no fragment")

    hooks = Recorder(skip=(2,))
    messages = [
        outgoing(1),
        outgoing(2),
        None,
        outgoing(3)._replace(build=fail),
        outgoing(4, content=b"bare\nline end\r\n"),
        outgoing(5, "no address"),
        outgoing(6),
    ]

    outcomes = dict(transport.send(messages, hooks))
    transport.close_idle()
    transport.close()

    assert [outcomes[n].fate for n in range(1, 7)] == [
        Fate.REPLIED,
        Fate.SKIPPED,
        Fate.UNBUILT,
        Fate.UNBUILT,
        Fate.REPLIED,
        Fate.REPLIED,
    ]
    assert [n for n, outcome in sorted(outcomes.items()) if outcome.accepted] == [1, 6]
    assert outcomes[5].reply.local
    assert hooks.events == [
        ("content", 1),
        ("after", 1, Fate.REPLIED),
        ("content", 6),
        ("after", 6, Fate.REPLIED),
    ]


def test_the_memory_transport_keeps_messages_and_gives_the_set_replies():
    memory = MemoryTransport()
    uncertain = Outcome(Fate.UNCERTAIN, Step.CONTENT)
    memory.answer("reader@them.test", Reply(450, ("4.2.0 later",)), uncertain)
    hooks = Recorder()

    outcomes = dict(
        memory.send([outgoing(1), outgoing(2), outgoing(3), outgoing(4, "else@them.test")], hooks)
    )

    assert (outcomes[1].step, outcomes[1].reply.status) == (Step.RCPT, "4.2.0")
    assert outcomes[2] == uncertain
    assert outcomes[3].accepted
    assert [sent.envelope.recipient for sent in memory.sent] == ["reader@them.test", "else@them.test"]
    assert ("after", 2, Fate.UNCERTAIN) in hooks.events
    assert ("content", 1) not in hooks.events
