"""How many connections a process keeps to a relay: more while more of them send faster. Pure."""

from __future__ import annotations

from dataclasses import dataclass

BUSY = 0.9  # of a core: we are the bottleneck then, and another connection would only wait for us
GAIN = 0.1  # of what twice the connections would bring if nothing else were in the way
PATIENCE_SECONDS = 10.0


@dataclass
class Growth:
    """A number of connections that doubles while that pays, up to `limit`.

    Two to begin with: while the answer to one message is on its way, the other connection has work. A
    relay that answers after 20 ms takes 50 messages a second on one connection, and twice that on
    two. Once twice the connections bring less than a tenth more, the relay (or this machine) is at
    its end: half of them do as well, and it is asked again after a while, as relays have better hours.
    """

    limit: int
    connections: int = 2
    _before: int = 0
    _rate_before: float = 0.0
    _not_before: float = 0.0

    def __post_init__(self) -> None:
        self.connections = min(self.connections, self.limit)

    def observe(self, rate: float, busy: float, now: float) -> int:
        """Return the number of connections to keep.

        `rate` is messages answered per second since the last call, `busy` the share of one core that
        this process used meanwhile, `now` any clock in seconds.
        """
        if self._before:
            wanted = 1 + GAIN * (self.connections / self._before - 1)
            if rate < wanted * self._rate_before:
                self.connections = self._before
                self._not_before = now + PATIENCE_SECONDS
            self._before = 0
        if now >= self._not_before and busy < BUSY and self.connections < self.limit:
            self._before, self._rate_before = self.connections, rate
            self.connections = min(2 * self.connections, self.limit)
        return self.connections

    def refuse(self, open_connections: int, now: float) -> int:
        """Note that the relay would not take one more beside `open_connections`; return how many to keep."""
        self.connections = max(1, min(self.connections, open_connections))
        self._before = 0
        self._not_before = now + PATIENCE_SECONDS
        return self.connections
