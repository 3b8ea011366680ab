#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A backend for faults.py, whose ways to fail are chosen while it runs.

    faults_server.py NAME ADDRESS [--backlog N] [--serial MS] [--tls CERTIFICATE]

ADDRESS is 127.0.1.1:9000 or unix:/path. Commands are lines on stdin: "listen" begins, and "mode close" or
"mode reset" make it end each connection as soon as it is accepted. It answers GET:

    /            its name
    /health      the same; checks ask for it, and it is not an event
    /slow?MS&ID  the same after MS milliseconds
    /crash       nothing: the connection is closed

Events are lines on stdout, with the time of CLOCK_MONOTONIC: "listens", "begin ID", "done ID", "crash", and
"gone ID" when the peer has closed or shut the connection before the answer.
"""

import argparse
import asyncio
import os
import socket
import ssl
import struct
import sys
import time


def event(*words):
    print(f'{time.monotonic():.6f}', *words, flush=True)


class Server:
    def __init__(self, args):
        self.args, self.mode, self.peers = args, 'answer', set()
        self.tls = None
        if args.tls:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(args.tls)

    def listen(self):
        if self.args.address.startswith('unix:'):
            sock = socket.socket(socket.AF_UNIX)
            sock.bind(self.args.address[5:])
        else:
            host, port = self.args.address.rsplit(':', 1)
            sock = socket.socket()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.setsockopt(socket.IPPROTO_IP, 15, 1)  # IP_FREEBIND: the address may come and go
            sock.bind((host, int(port)))
        sock.listen(self.args.backlog)
        event('listens')
        return sock

    def answer(self, close):
        body = self.args.name.encode()
        return (b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: %s\r\n\r\n%s'
                % (len(body), b'close' if close else b'keep-alive', body))

    def become(self, mode):
        self.mode = mode
        for peer in list(self.peers):
            peer.end()

    async def run(self):
        loop = asyncio.get_running_loop()
        commands = asyncio.StreamReader()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
        while line := (await commands.readline()).decode().split():
            if line[0] == 'listen':
                await loop.create_server(lambda: Peer(self), sock=self.listen(), ssl=self.tls, backlog=self.args.backlog)
            else:
                self.become(line[1])

    def run_serial(self):
        """One connection at a time, as small servers do: the others wait in the backlog."""
        sys.stdin.readline()
        listener = self.listen()
        while True:
            sock = listener.accept()[0]
            sock.settimeout(1)
            try:
                if sock.recv(65536):
                    time.sleep(self.args.serial / 1000)
                    sock.sendall(self.answer(True))
                    sock.shutdown(socket.SHUT_WR)
                    sock.recv(1)
            except OSError:
                pass
            sock.close()


class Peer(asyncio.Protocol):
    def __init__(self, server):
        self.server, self.transport, self.buffer = server, None, b''
        self.waiting = None  # (timer, ID, close) of a slow answer

    def connection_made(self, transport):
        self.transport = transport
        self.server.peers.add(self)
        if self.server.mode != 'answer':
            self.end()

    def end(self):
        if self.server.mode == 'reset':
            sock = self.transport.get_extra_info('socket')
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
            self.transport.abort()
        else:
            self.transport.close()

    def data_received(self, data):
        self.buffer += data
        while not self.waiting and b'\r\n\r\n' in self.buffer:
            head, _, self.buffer = self.buffer.partition(b'\r\n\r\n')
            self.request(head.decode('latin-1'))

    def request(self, head):
        path, _, query = head.split(' ')[1].partition('?')
        close = 'connection: close' in head.lower()
        if path == '/crash':
            event('crash')
            self.transport.close()
        elif path == '/slow':
            ms, _, name = query.partition('&')
            event('begin', name)
            timer = asyncio.get_running_loop().call_later(int(ms) / 1000, self.answer_slow)
            self.waiting = timer, name, close
        else:
            self.answer(close)

    def answer_slow(self):
        _, name, close = self.waiting
        self.waiting = None
        event('done', name)
        self.answer(close)

    def answer(self, close):
        self.transport.write(self.server.answer(close))
        if close:
            self.transport.close()

    def eof_received(self):
        self.gone()

    def connection_lost(self, exc):
        self.server.peers.discard(self)
        self.gone()

    def gone(self):
        if self.waiting:
            timer, name, _ = self.waiting
            timer.cancel()
            self.waiting = None
            event('gone', name)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('name')
    parser.add_argument('address')
    parser.add_argument('--backlog', type=int, default=4096)
    parser.add_argument('--serial', type=float, metavar='MS')
    parser.add_argument('--tls', metavar='CERTIFICATE')
    server = Server(parser.parse_args())
    event('ready')
    if server.args.serial:
        server.run_serial()
    else:
        asyncio.run(server.run())
    os._exit(0)


if __name__ == '__main__':
    main()
