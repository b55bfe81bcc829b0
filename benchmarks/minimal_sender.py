"""Send one constant message many times over one pipelined connection, and do nothing else.

    python benchmarks/minimal_sender.py PORT MESSAGES BYTES

Its CPU is what sending a message costs in Python at least. It checks only that replies come.
"""

from __future__ import annotations

import socket
import sys

ENVELOPE = b"MAIL FROM:<b-1@example.org>\r\nRCPT TO:<reader@example.com>\r\nDATA\r\n"
LINE = b"x" * 74 + b"\r\n"
# Replies to the content and to the next envelope.
REPLIES = 4


def main() -> None:
    """Send as the command line says. Raises ConnectionError if the sink closes the connection."""
    port, messages, size = (int(word) for word in sys.argv[1:4])
    content = LINE * (size // len(LINE)) + b".\r\n"
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _await(connection, 1)
        connection.sendall(b"HELO minimal-sender\r\n")
        # The fast sink answers HELO with one line.
        _await(connection, 1)
        connection.sendall(ENVELOPE)
        _await(connection, REPLIES - 1)
        for _ in range(messages - 1):
            connection.sendall(content + ENVELOPE)
            _await(connection, REPLIES)
        connection.sendall(content + b"QUIT\r\n")
        _await(connection, 2)


def _await(connection: socket.socket, replies: int) -> None:
    while replies > 0:
        came = connection.recv(65536)
        if not came:
            raise ConnectionError("the sink closed the connection")
        replies -= came.count(b"\n")


if __name__ == "__main__":
    main()
