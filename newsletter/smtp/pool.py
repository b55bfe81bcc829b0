"""A pool of connections from one process to one relay, with a thread for each while there is work.

Threads are enough, because sockets and RSA signing release the interpreter lock. Only the caller's thread
runs the iterator of messages and gets the results, so both may use its database session.
"""

from __future__ import annotations

import contextlib
import logging
import math
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator

from newsletter.errors import TransportError
from newsletter.smtp.connection import Connection
from newsletter.smtp.endpoint import Endpoint
from newsletter.smtp.outcomes import Fate, Hooks, NoHooks, Outcome, Outgoing, Result, Step

log = logging.getLogger(__name__)

_AHEAD = 256  # Messages to queue ahead, so that the threads have work while the caller commits.
_WORTH_A_CONNECTION = 8  # Queued messages for which a new connection, with TLS and sign-in, is worthwhile.
_RESULTS = 64  # Results that wake the caller. To wake it for each would cost as much as the sending.
_TICK_SECONDS = 0.05
_RETRY_SECONDS = 60.0  # After a refused connection, before more are tried.
_FEW = 2  # connections, enough for a relay that replies within _FAR_SECONDS
_FAR_SECONDS = 0.002
_FRUITLESS = 3  # connections in a row without any reply, after which we stop: the relay does not work


class Pool:
    """Connections to one relay, kept between calls of `send`. Create it after a fork, not before."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._limit = _Limit(max(1, endpoint.max_connections))
        self._idle: deque[Connection] = deque()

    def send(self, messages: Iterable[Outgoing | None], hooks: Hooks | None = None) -> Iterator[Result]:
        """Send `messages`; yield one result for each message taken, in the order of the replies.

        None among the messages means that there is nothing to send at the moment, because of a rate limit
        for example. We ask again after 50 ms. Up to 256 messages are taken ahead.

        Raises TransportError when the relay cannot be reached, refuses us, or hangs up on three connections
        in a row without a reply. Messages that were taken but not sent are yielded as unsent first. A single
        lost connection is replaced without an error. Errors of hooks and of `messages` are raised in the same
        way. Call `send` once at a time.
        """
        self.close_idle()
        return _Sending(self, self._limit, hooks or NoHooks()).run(iter(messages))

    def close_idle(self) -> None:
        """Close connections that were idle for `idle_seconds`, or that the relay has closed."""
        oldest = time.monotonic() - self.endpoint.idle_seconds
        for connection in [self._idle.popleft() for _ in range(len(self._idle))]:
            if connection.stale:
                connection.close()
            elif connection.used_at < oldest:
                connection.quit()
            else:
                self._idle.append(connection)

    def close(self) -> None:
        """Send QUIT on every idle connection. The pool can be used again afterwards."""
        while self._idle:
            self._idle.pop().quit()

    @property
    def idle(self) -> int:
        """How many idle connections are open."""
        return len(self._idle)

    def reach(self) -> None:
        """Make sure that there is an open connection. Raises TransportError."""
        self.release(self.acquire())

    def acquire(self) -> Connection:
        """Return an idle connection that is still alive, or a new one. Raises TransportError."""
        with contextlib.suppress(IndexError):
            while True:
                connection = self._idle.pop()  # the one used last, so that surplus ones become idle and close
                if not connection.stale:
                    return connection
                connection.close()
        return Connection.open(self.endpoint)

    def release(self, connection: Connection) -> None:
        """Keep a connection for later, or send QUIT if it is at its message limit or closed."""
        if connection.spent:
            connection.quit()
        else:
            self._idle.append(connection)


class _Limit:
    """How many connections a pool may have: few to a relay that replies quickly, or else the most allowed.

    Few connections to a quick relay send as fast as one process can sign. More of them would only compete
    for the interpreter lock. After a refused connection, the limit is the number of open ones. It doubles
    every minute until it is back.
    """

    def __init__(self, most: int) -> None:
        self._most = self._allowed = most
        self._raise_at = 0.0
        self._is_far = False
        self._replies = 0
        self._quickest = math.inf

    @property
    def connections(self) -> int:
        """The number of connections to keep now."""
        return self._allowed if self._is_far else min(_FEW, self._allowed)

    def note_reply(self, seconds: float) -> None:
        """Note how long the relay took to reply to a message. Threads may call this at once."""
        # The quickest reply of many tells the latency of the relay, also when this machine is busy.
        self._quickest = min(self._quickest, seconds)
        self._replies += 1
        if self._replies >= _RESULTS:
            self._is_far = self._quickest > _FAR_SECONDS
            self._replies, self._quickest = 0, math.inf

    def lower(self, open_connections: int, now: float) -> None:
        """Note that the relay refused one more connection. `now` is any clock in seconds."""
        self._allowed = max(1, min(self._allowed, open_connections))
        self._raise_at = now + _RETRY_SECONDS

    def raise_if_due(self, now: float) -> None:
        """Double the allowed connections, if the last refusal or doubling is at least a minute ago."""
        if self._allowed < self._most and now >= self._raise_at:
            self._allowed = min(2 * self._allowed, self._most)
            self._raise_at = now + _RETRY_SECONDS


class _Sending:
    """One call of `Pool.send`: a queue of messages, a queue of results, and the threads that send."""

    def __init__(self, pool: Pool, limit: _Limit, hooks: Hooks) -> None:
        self._pool = pool
        self._limit = limit
        self._hooks = hooks
        # Appends and pops at both ends of a deque are thread-safe.
        self._queue: deque[Outgoing] = deque()
        self._results: deque[Result] = deque()
        self._wake = threading.Event()  # wakes the caller's thread
        self._more = threading.Condition()  # wakes threads without a message; guards the fields below
        self._exhausted = False
        self._stopping = False
        self._threads: set[threading.Thread] = set()  # the running ones
        self._hired: list[threading.Thread] = []
        self._connected = 0
        self._fruitless = 0
        self._again: set[int] = set()
        self._error: Exception | None = None

    def run(self, source: Iterator[Outgoing | None]) -> Iterator[Result]:
        """Queue messages, start threads, and yield results until every message has one."""
        try:
            while True:
                nothing_now = self._top_up(source)
                self._start_threads()
                for _ in range(len(self._results)):
                    yield self._results.popleft()
                if self._finished():
                    break
                if not (nothing_now or self._exhausted or self._stopping) and self._low():
                    continue  # the caller took long over the results, and the queue is nearly empty
                self._wake.wait(_TICK_SECONDS)
                self._wake.clear()
                self._hooks.meanwhile()
        finally:
            self._stop()
        yield from self._leave()

    def _top_up(self, source: Iterator[Outgoing | None]) -> bool:
        """Take messages until enough are queued; return whether the source has none at the moment."""
        nothing_now = False
        taken = 0
        while not self._exhausted and not self._stopping and len(self._queue) < _AHEAD:
            try:
                message = next(source)
            except StopIteration:
                self._exhausted = True
            except Exception as error:
                # Messages taken before are still sent. Then the error is raised to the caller.
                self._exhausted = True
                self._error = self._error or error
            else:
                if message is None:
                    nothing_now = True
                    break
                self._queue.append(message)
                taken += 1
        if taken or self._exhausted:
            with self._more:
                self._more.notify_all()
        return nothing_now

    def _start_threads(self) -> None:
        """Start threads for the queued messages, up to the limit of connections."""
        with self._more:
            self._limit.raise_if_due(time.monotonic())
            worthwhile = math.ceil(len(self._queue) / _WORTH_A_CONNECTION)
            wanted = min(self._limit.connections, max(len(self._threads), worthwhile))
            if self._stopping:
                return
            for _ in range(wanted - len(self._threads)):
                # A daemon thread: a relay that takes ten minutes to reply must not delay the process's exit.
                thread = threading.Thread(target=self._serve, name="smtp", daemon=True)
                self._threads.add(thread)
                self._hired.append(thread)
                thread.start()

    def _low(self) -> bool:
        return len(self._queue) < _AHEAD // 2

    def _finished(self) -> bool:
        with self._more:
            idle = not self._threads and not self._results
            return idle and (self._stopping or (self._exhausted and not self._queue))

    def _stop(self) -> None:
        """End the threads: each finishes the messages it has offered and takes no more."""
        with self._more:
            self._stopping = True
            self._more.notify_all()
        for thread in self._hired:
            thread.join()

    def _leave(self) -> Iterator[Result]:
        yield from self._results
        reason = str(self._error or "")
        while self._queue:
            yield Result(self._queue.popleft().id, Outcome(Fate.UNSENT, reason=reason))
        if self._error is not None:
            raise self._error

    # The methods below run in a connection's thread.

    def _serve(self) -> None:
        try:
            while self._has_work():
                self._serve_one_connection()
        except Exception as error:
            self._give_up(error)
        finally:
            with self._more:
                self._threads.discard(threading.current_thread())
            self._wake.set()

    def _has_work(self) -> bool:
        """Wait for a message; return whether there is one and this thread should send it."""
        me = threading.current_thread()
        with self._more:
            while not self._stopping and me in self._threads:
                if self._surplus():
                    self._threads.discard(me)  # at once, so that no other thread ends for the same surplus
                elif self._queue:
                    return True
                elif self._exhausted:
                    break
                else:
                    self._wake.set()
                    self._more.wait(1)
            return False

    def _surplus(self) -> bool:
        return len(self._threads) > self._limit.connections

    def _serve_one_connection(self) -> None:
        # Counted from here on, so that a refused connection does not look like the only one.
        with self._more:
            self._connected += 1
        try:
            connection = self._pool.acquire()
        except TransportError as error:
            self._not_connected(error)
            return
        taken: dict[int, Outgoing] = {}
        fruitful = False
        try:
            while not connection.spent and self._has_work():
                for result in connection.send(self._take(taken), self._hooks):
                    message = taken.pop(result.id)
                    if result.outcome.fate is Fate.REPLIED:
                        fruitful = True
                    if result.outcome.step is Step.CONTENT:
                        self._limit.note_reply(connection.reply_seconds)
                    if not self._queue_again(message, result.outcome):
                        self._settle(result)
        finally:
            with self._more:
                self._connected -= 1
                self._fruitless = 0 if fruitful else self._fruitless + connection.closed
            self._pool.release(connection)
        if connection.closed and connection.error is not None:
            log.info("event=connection_lost relay=%s reason=%s", self._pool.endpoint.name, connection.error)
            if self._fruitless >= _FRUITLESS:
                self._give_up(connection.error)

    def _take(self, taken: dict[int, Outgoing]) -> Iterator[Outgoing]:
        """Yield queued messages; stop when the queue is empty, so that the last reply is read."""
        while not self._stopping and not self._surplus():
            try:
                message = self._queue.popleft()
            except IndexError:
                return
            if self._low() and not self._exhausted:
                self._wake.set()
            taken[message.id] = message
            yield message

    def _queue_again(self, message: Outgoing, outcome: Outcome) -> bool:
        """Queue a message again if its connection ended before it was sent; return whether it was queued.

        A message that was only built is queued without limit. A message whose envelope was written without
        any reply is queued once: its envelope may be the reason why the relay hangs up.
        """
        if outcome.fate is not Fate.UNSENT or self._stopping:
            return False
        if outcome.step is not None:
            if outcome.step is not Step.MAIL or message.id in self._again:
                return False
            self._again.add(message.id)
        self._queue.appendleft(message)
        return True

    def _settle(self, result: Result) -> None:
        self._results.append(result)
        # After a refusal the caller may want to stop sending, so it is told at once.
        if len(self._results) >= _RESULTS or not result.outcome.accepted:
            self._wake.set()

    def _not_connected(self, error: TransportError) -> None:
        """Use fewer connections; if none is open, stop sending with this error."""
        with self._more:
            self._connected -= 1
            alone = self._connected == 0
            self._limit.lower(self._connected, time.monotonic())
        log.info("event=not_connected relay=%s alone=%s reason=%s", self._pool.endpoint.name, alone, error)
        if alone:
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        with self._more:
            self._error = self._error or error
            self._stopping = True
            self._more.notify_all()
