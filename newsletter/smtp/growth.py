"""Choose how many connections a process keeps to a relay, from the rates it measures. Pure."""

from __future__ import annotations

from dataclasses import dataclass

BUSY = 0.9  # Share of a core. Above it our process is the bottleneck, and a new connection does not help.
GAIN = 0.1  # Share of the ideal gain, which is twice the rate for twice the connections.
PATIENCE_SECONDS = 10.0
LONGEST_PATIENCE_SECONDS = 320.0
FEWEST = 2
CLEAR_GAIN = 0.5  # share of the ideal gain: a gain this large counts after one measurement
LOOKS = 4


@dataclass
class Growth:
    """The number of connections: doubles while that raises the rate, up to `limit`, and halves if not.

    It starts with two, so that one connection sends while the other waits for a reply. A relay that answers
    after 20 ms takes 50 messages a second on one connection, and 100 on two. If twice the connections raise
    the rate by less than a tenth of the ideal gain, it goes back to half. A relay may be faster later, so
    it tries again after a while, and waits longer after each trial that fails.

    Rates are noisy, so a small gain is measured several times before it counts. Chance may still favour
    more connections, so it also tries half of them after a while, by the same rule. It waits longer after
    each trial that shows that all are needed.
    """

    limit: int
    connections: int = FEWEST
    _before: int = 0
    _rate_before: float = 0.0
    _rate: float = 0.0  # the mean rate measured with this number of connections
    _looks: int = 0
    _more_at: float = 0.0
    _fewer_at: float = 0.0
    _before_more: float = PATIENCE_SECONDS
    _before_fewer: float = PATIENCE_SECONDS

    def __post_init__(self) -> None:
        self.connections = min(self.connections, self.limit)

    def observe(self, rate: float, busy: float, now: float) -> int:
        """Return the number of connections to keep.

        `rate` is messages answered per second since the last call. `busy` is the share of one core that
        this process used meanwhile. `now` is any clock in seconds.
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
        """Compare the number on trial with the one before it; return whether the trial's number is kept."""
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
        """Note that the relay refused a connection beside `open_connections`; return how many to keep."""
        self._keep(max(1, min(self.connections, open_connections)))
        self._before = 0
        self._more_at = self._fewer_at = now + PATIENCE_SECONDS
        return self.connections
