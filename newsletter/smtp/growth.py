"""How many connections a process keeps to a relay: more while more of them send faster. Pure."""

from __future__ import annotations

from dataclasses import dataclass

BUSY = 0.9  # of a core: we are the bottleneck then, and another connection would only wait for us
GAIN = 0.1  # of what twice the connections would bring if nothing else were in the way
PATIENCE_SECONDS = 10.0
LONGEST_PATIENCE_SECONDS = 320.0
FEWEST = 2


@dataclass
class Growth:
    """A number of connections that doubles while that pays, up to `limit`, and halves when half do as well.

    Two to begin with: while the answer to one message is on its way, the other connection has work. A
    relay that answers after 20 ms takes 50 messages a second on one connection, and twice that on
    two. Once twice the connections bring less than a tenth more, the relay (or this machine) is at
    its end: half of them do as well, and it is asked again after a while, as relays have better hours.

    A rate is a noisy thing, and now and then more connections look better without being so. So after a
    while half of them are tried as well, by the same measure; less and less often where they are needed.
    """

    limit: int
    connections: int = FEWEST
    _before: int = 0
    _rate_before: float = 0.0
    _more_at: float = 0.0
    _fewer_at: float = 0.0
    _patience: float = PATIENCE_SECONDS

    def __post_init__(self) -> None:
        self.connections = min(self.connections, self.limit)

    def observe(self, rate: float, busy: float, now: float) -> int:
        """Return the number of connections to keep.

        `rate` is messages answered per second since the last call, `busy` the share of one core that
        this process used meanwhile, `now` any clock in seconds.
        """
        if self._before and not self._judge(rate, now):
            return self.connections  # what was measured was measured with another number
        if now >= self._more_at and busy < BUSY and self.connections < self.limit:
            self._try(min(2 * self.connections, self.limit), rate)
        elif now >= self._fewer_at and self.connections > FEWEST:
            self._try(max(FEWEST, self.connections // 2), rate)
        return self.connections

    def _try(self, connections: int, rate: float) -> None:
        self._before, self._rate_before = self.connections, rate
        self.connections = connections

    def _judge(self, rate: float, now: float) -> bool:
        """Choose between the number on trial and the one before it; return whether it is the one on trial."""
        before, tried = self._before, self.connections
        self._before = 0
        growing = tried > before
        few, many = sorted((tried, before))
        rate_of_few, rate_of_many = (self._rate_before, rate) if growing else (rate, self._rate_before)
        pays = rate_of_many >= (1 + GAIN * (many / few - 1)) * rate_of_few
        self.connections = many if pays else few
        if not pays:
            self._more_at = now + PATIENCE_SECONDS
            self._patience = PATIENCE_SECONDS
        elif growing:
            self._fewer_at = now + self._patience
        else:
            self._patience = min(2 * self._patience, LONGEST_PATIENCE_SECONDS)
            self._fewer_at = now + self._patience
        return self.connections == tried

    def refuse(self, open_connections: int, now: float) -> int:
        """Note that the relay would not take one more beside `open_connections`; return how many to keep."""
        self.connections = max(1, min(self.connections, open_connections))
        self._before = 0
        self._more_at = self._fewer_at = now + PATIENCE_SECONDS
        return self.connections
