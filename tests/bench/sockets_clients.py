"""Thousands of WebSocket clients in one process that cost next to nothing: they read, and count what is whole.

`python -m tests.bench.sockets_clients PORT PATH COUNT` opens the sockets, waits until each has had its first
message and says so; from then on it says, whenever everybody has had one more, when the first and the last had it.
"""

from __future__ import annotations

import json
import resource
import secrets
import select
import socket
import sys
import time
from typing import Any

# What a browser sends, all but the wish to have everything compressed.
REQUEST = (
    "GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nOrigin: http://localhost\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36\r\n"
    "Accept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-US,en;q=0.9\r\nCache-Control: no-cache\r\n"
    "Cookie: csrftoken={key}; sessionid={key}\r\nPragma: no-cache\r\n\r\n"
)
AT_ONCE = 100
TEXT, CLOSE = 1, 8


class Client:
    """One socket, and how far its stream has been read."""

    __slots__ = ("buffer", "connection", "messages", "skip")

    def __init__(self, port: int, path: str) -> None:
        self.connection = socket.create_connection(("127.0.0.1", port))
        self.connection.sendall(REQUEST.format(path=path, key=secrets.token_hex(16)).encode())
        self.buffer = b""
        self.messages = -1
        """None read yet; -1 before the answer to the request."""
        self.skip = 0

    def read(self, data: bytes) -> int:
        """Take in what has arrived and return how many messages it completed."""
        before = self.messages
        if self.skip > len(data):
            self.skip -= len(data)
            return 0
        if self.skip:
            data, self.skip = data[self.skip :], 0
            self.messages += 1
        data = self.buffer + data
        if self.messages < 0:
            head, found, data = data.partition(b"\r\n\r\n")
            if not found:
                self.buffer = head
                return 0
            assert head.startswith(b"HTTP/1.1 101"), head[:200]
            self.messages = before = 0
        self._count(data)
        return self.messages - before

    def _count(self, data: bytes) -> None:
        while len(data) >= 4:
            opcode, length, start = data[0] & 15, data[1], 2
            if length == 126:
                length, start = int.from_bytes(data[2:4]), 4
            elif length == 127:
                raise ValueError("a message too large for this benchmark")
            assert opcode != CLOSE, "the server hung up"
            end = start + length
            if opcode == TEXT and end > len(data):
                self.skip, self.buffer = end - len(data), b""
                return
            if end > len(data):
                break
            self.messages += opcode == TEXT
            data = data[end:]
        self.buffer = data


def main(port: int, path: str, count: int) -> None:
    """Open the sockets and report every round."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    poll = select.epoll()
    clients: dict[int, Client] = {}
    while len(clients) < count:
        for _ in range(min(AT_ONCE, count - len(clients))):
            client = Client(port, path)
            clients[client.connection.fileno()] = client
            poll.register(client.connection, select.EPOLLIN)
        receive(poll, clients, sum(client.messages < 1 for client in clients.values()))
    say({"ready": len(clients)})
    while True:
        first_at, last_at = receive(poll, clients, count)
        say({"first_at": first_at, "last_at": last_at})


def receive(poll: select.epoll, clients: dict[int, Client], count: int) -> tuple[float, float]:
    """Read until so many messages are whole; return when the first and the last of them were."""
    first_at = 0.0
    while count > 0:
        for number, _ in poll.poll():
            client = clients[number]
            data = client.connection.recv(65536)
            assert data, "the server cut a client off"
            whole = client.read(data)
            if whole:
                first_at = first_at or time.monotonic()
                count -= whole
    return first_at, time.monotonic()


def say(answer: dict[str, Any]) -> None:
    """Report one line."""
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
