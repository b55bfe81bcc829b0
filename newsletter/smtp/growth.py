"""How many connections a process keeps to a relay: more while more of them send faster. Pure."""

from __future__ import annotations

from dataclasses import dataclass

BUSY = 0.9  # of a core: we are the bottleneck then, and another connection would only wait for us
GAIN = 0.1  # of what twice the connections would bring if nothing else were in the way
PATIENCE_SECONDS = 10.0
LONGEST_PATIENCE_SECONDS = 320.0
FEWEST = 2
CLEAR_GAIN = 0.5  # of the same: nobody needs to look twice
LOOKS = 4


@dataclass
class Growth:
    """A number of connections that doubles while that pays, up to `limit`, and halves when half do as well.

    Two to begin with: while the answer to one message is on its way, the other connection has work. A
    relay that answers after 20 ms takes 50 messages a second on one connection, and twice that on
    two. Once twice the connections bring less than a tenth more, the relay (or this machine) is at
    its end: half of them do as well, and it is asked again after a while, as relays have better hours;
    less and less often while it stays so.

    A rate is a noisy thing: a gain that is small is looked at several times before it counts. And since
    more connections look better now and then without being so, half of them are tried as well after
    a while, by the same measure; less and less often where they are needed.
    """

    limit: int
    connections: int = FEWEST
    _before: int = 0
    _rate_before: float = 0.0
    _rate: float = 0.0  # the mean of what was seen with this number of connections
    _looks: int = 0
    _more_at: float = 0.0
    _fewer_at: float = 0.0
    _before_more: float = PATIENCE_SECONDS
    _before_fewer: float = PATIENCE_SECONDS

    def __post_init__(self) -> None:
        self.connections = min(self.connections, self.limit)

    def observe(self, rate: float, busy: float, now: float) -> int:
        """Return the number of connections to keep.

        `rate` is messages answered per second since the last call, `busy` the share of one core that
        this process used meanwhile, `now` any clock in seconds.
        """
        self._looks += 1
        self._rate += (rate - self._rate) / min(self._looks, 2 * LOOKS)
        if self._before and not self._judge(now):
            return self.connections
        if now >= self._more_at and busy < BUSY and self.connections < self.limit:
            self._try(min(2 * self.connections, self.limit))
        elif now >= self._fewer_at and self.connections > FEWEST:
            self._try(max(FEWEST, self.connections // 2))
        return self.connections

    def _try(self, connections: int) -> None:
        self._before, self._rate_before = self.connections, self._rate
        self._keep(connections)

    def _keep(self, connections: int) -> None:
        if connections != self.connections:
            self.connections = connections
            self._looks = 0

    def _judge(self, now: float) -> bool:
        """Choose between the number on trial and the one before it; return whether it is the one on trial."""
        tried, growing = self.connections, self.connections > self._before
        few, many = sorted((tried, self._before))
        rate_of_few, rate_of_many = (
            (self._rate_before, self._rate) if growing else (self._rate, self._rate_before)
        )
        gain, ideal = rate_of_many - rate_of_few, (many / few - 1) * rate_of_few
        if 0 < gain < CLEAR_GAIN * ideal and self._looks < LOOKS:
            return False
        self._before = 0
        pays = gain >= GAIN * ideal
        self._keep(many if pays else few)
        if pays and growing:
            self._before_more = PATIENCE_SECONDS
            self._fewer_at = now + self._before_fewer
        elif pays:
            self._before_fewer = min(2 * self._before_fewer, LONGEST_PATIENCE_SECONDS)
            self._fewer_at = now + self._before_fewer
        elif growing:
            self._more_at = now + self._before_more
            self._before_more = min(2 * self._before_more, LONGEST_PATIENCE_SECONDS)
        else:
            self._before_fewer = PATIENCE_SECONDS
            self._more_at = now + self._before_more
        return self.connections == tried

    def refuse(self, open_connections: int, now: float) -> int:
        """Note that the relay would not take one more beside `open_connections`; return how many to keep."""
        self._keep(max(1, min(self.connections, open_connections)))
        self._before = 0
        self._more_at = self._fewer_at = now + PATIENCE_SECONDS
        return self.connections
