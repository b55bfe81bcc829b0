"""Pacing: how fast the outbox sends, and when it waits.

Every process of every host keeps the same limits, because the limits are counted in the database. The table
`pace` has one row for the relay, and one for each recipients' domain with a limit (standings.py). A row is a
Standing (pace.py). It has the time of the next free message. It counts the messages sent in each minute of
the last hour, and in each ten minutes of the last day. All rules are pure functions of a Standing and the
time.

A drain uses a row in three steps (allowance.py):

1. Before a claim, `room` says how many messages may be sent soon. It books nothing. If it says 0, nothing is
   claimed, so no delivery is leased while it waits.
2. In the claim, each delivery whose domain has a limit gets the time of its message (domain_limits.py). If
   that is too far off, the delivery is queued again and due later. So it does not delay other domains.
3. While messages are sent, the relay's row is changed four times a second. Each change books the messages of
   the next quarter of a second, evenly spaced, and returns what the last booking left unused. So a message
   needs no query of its own. If a process is killed, only its last booking is lost.

Issues leave a part of the limits by hour and day to single emails, and to issues that go first (priority.py).

Without any limit, the relay's row is only read, once a second: another process may have got a slow-down
reply.

The pace is halved when the relay replies 421 or a similar code, and grows again in small steps (pace.py).
Digests also wait outside the sending hours (sending_window.py). An issue is paused if the relay refuses
nearly everything or is down for long (relay_failures.py), unless a backup relay takes over
(backup_relay.py). A new domain sends few digests a day (warm_up.py). Everything waits if the relay refuses
our own settings (setup/). People read the reasons on the page of an issue (waiting_reasons.py).
"""
