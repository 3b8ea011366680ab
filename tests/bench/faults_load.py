# SPDX-License-Identifier: MIT
"""Clients for faults.py: each visit is timed from before its connect until its answer is whole, or it is clear
that there will be none."""

import asyncio
import contextlib
import dataclasses
import errno
import socket
import time

PATIENCE_S = 10  # then a client gives up, and that is an error like others


@dataclasses.dataclass
class Visit:
    began: float  # CLOCK_MONOTONIC, seconds
    took: float
    error: str    # a status, or what became of the connection; empty: the answer was 200 and whole
    who: str      # the backend that answered

    @property
    def ended(self):
        return self.began + self.took


class Closed(Exception):
    """The connection ended before the answer was whole."""


def word_for(error):
    if isinstance(error, Closed):
        return 'closed'
    if isinstance(error, asyncio.TimeoutError):
        return 'timeout'
    known = {errno.ECONNREFUSED: 'refused', errno.ECONNRESET: 'reset', errno.EPIPE: 'reset'}
    return known.get(error.errno) or errno.errorcode.get(error.errno, 'other')


async def exchange(sock, path, close):
    """The status and the body of one answer, which has a Content-Length or is no answer."""
    loop = asyncio.get_running_loop()
    end = 'close' if close else 'keep-alive'
    await loop.sock_sendall(sock, f'GET {path} HTTP/1.1\r\nHost: faults\r\nConnection: {end}\r\n\r\n'.encode())
    data = b''
    while True:
        part = await loop.sock_recv(sock, 65536)
        if not part:
            raise Closed
        data += part
        head, found, body = data.partition(b'\r\n\r\n')
        if not found:
            continue
        length = head.lower().partition(b'content-length:')[2].split(b'\r\n')[0].strip()
        if len(body) >= int(length or 0):
            return int(head.split(b' ', 2)[1]), body.decode('latin-1')


class Client:
    """One connection, which may be used several times."""

    def __init__(self, address, source=None):
        self.address, self.source, self.sock = address, source, None

    async def connect(self):
        self.sock = socket.socket()
        self.sock.setblocking(False)
        if self.source:
            self.sock.bind((self.source, 0))
        await asyncio.get_running_loop().sock_connect(self.sock, self.address)

    async def visit(self, path='/', patience=PATIENCE_S, close=False):
        began, error, who = time.monotonic(), '', ''
        try:
            async with asyncio.timeout(patience):
                if not self.sock:
                    await self.connect()
                status, who = await exchange(self.sock, path, close)
            if status != 200:
                error, who = str(status), ''
        except (OSError, Closed, asyncio.TimeoutError) as e:
            error = word_for(e)
        return Visit(began, time.monotonic() - began, error, who)

    def close(self):
        if self.sock:
            self.sock.close()


async def visit(address, path='/', source=None, patience=PATIENCE_S):
    """A client that connects, asks once, and closes."""
    with contextlib.closing(Client(address, source)) as client:
        return await client.visit(path, patience, close=True)


async def at(moment):
    await asyncio.sleep(max(0, moment - time.monotonic()))


async def steadily(per_s, seconds, ask):
    """[Visit]: so many begin each second, however long the ones before take."""
    began = time.monotonic()
    tasks = []
    for i in range(int(per_s * seconds)):
        await at(began + i / per_s)
        tasks.append(asyncio.create_task(ask()))
    return list(await asyncio.gather(*tasks))


async def in_turn(clients, each, ask):
    """[Visit] of clients that each ask so many times, and again as soon as they have the answer."""
    async def one():
        return [await ask() for _ in range(each)]
    return [each for visits in await asyncio.gather(*(one() for _ in range(clients))) for each in visits]
