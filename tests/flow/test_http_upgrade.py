#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""WebSocket (RFC 6455) and other upgrades: a tunnel begins with the 101 of the backend, and not before."""

import base64
import hashlib
import json
import os
import random
import re
import struct
import subprocess
import threading
import time

import rig
import wire

GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
MESSAGES = 1000
ASK = b'GET /chat HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n'
SWITCH = b'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: %s\r\n\r\n'


def accept_of(key):
    return base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()


def frame(kind, data, mask=None):
    head = bytes([0x80 | kind])
    flag = 0x80 if mask else 0
    if len(data) < 126:
        head += bytes([flag | len(data)])
    elif len(data) < 65536:
        head += bytes([flag | 126]) + struct.pack('>H', len(data))
    else:
        head += bytes([flag | 127]) + struct.pack('>Q', len(data))
    if not mask:
        return head + data
    return head + mask + xor(data, mask)


def xor(data, mask):
    stream = (mask * (len(data) // 4 + 1))[:len(data)]
    return (int.from_bytes(data, 'big') ^ int.from_bytes(stream, 'big')).to_bytes(len(data), 'big')


def read_frame(w):
    kind, length = w.take(2)
    n = length & 0x7f
    if n == 126:
        n, = struct.unpack('>H', w.take(2))
    elif n == 127:
        n, = struct.unpack('>Q', w.take(8))
    mask = w.take(4) if length & 0x80 else None
    data = w.take(n)
    return kind & 0xf, xor(data, mask) if mask else data


class Chat(rig.FlowTest):
    """The backend sends every message back, and one of its own for each."""

    def setUp(self):
        super().setUp()
        self.port, self.seen, self.closed_with = rig.free_port(), [], []
        self.origin = wire.Origin(self, self.talk)
        self.running = self.bal(wire.config(self.port, [self.origin.address], settings={'workers': 1}))

    def after(self):
        self.assert_idle(self.running)
        self.assert_sessions_balance(self.running)

    def talk(self, w, number):
        m = self.origin.request(w)
        while m.target == '/sound':
            w.send(wire.ok(b'sound'))
            m = self.origin.request(w)
        key = m.get('Sec-WebSocket-Key')
        if (m.get('Upgrade'), m.get('Connection')) != ('websocket', 'upgrade') or not key:
            w.send(b'HTTP/1.1 400 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
            return
        w.send(b'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n'
               b'Sec-WebSocket-Accept: ' + accept_of(key).encode() + b'\r\n\r\n' + frame(TEXT, b'hello'))
        while True:
            kind, data = read_frame(w)
            if kind == PING:
                w.send(frame(PONG, data))
            elif kind == CLOSE:
                self.closed_with.append(struct.unpack('>H', data[:2])[0])
                w.send(frame(CLOSE, data[:2]))
                return
            else:
                w.send(frame(kind, data) + frame(TEXT, b'%d' % len(data)))

    def open(self, behind=b''):
        c = wire.client(self.port, 30)
        key = base64.b64encode(os.urandom(16)).decode()
        c.send(ASK + f'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n'.encode() + behind)
        m = c.response()
        self.assertEqual((m.status, m.get('Upgrade'), m.get('Sec-WebSocket-Accept')), (101, 'websocket', accept_of(key)))
        self.assertEqual(m.get('Connection').lower(), 'upgrade')
        self.assertEqual(read_frame(c), (TEXT, b'hello'))  # it came right behind the 101
        return c

    def test_messages(self):
        dice = random.Random(7)
        sizes = [dice.choice([0, 1, 125, 126, 1000, 65535, 65536, 200000]) if i % 20 == 0 else dice.randrange(300)
                 for i in range(MESSAGES)]
        messages = [dice.randbytes(n) for n in sizes]
        with self.open() as c:
            sender = threading.Thread(target=lambda: [c.send(frame(BINARY, data, os.urandom(4))) for data in messages],
                                      daemon=True)
            sender.start()
            for data in messages:
                self.assertEqual(read_frame(c), (BINARY, data))
                self.assertEqual(read_frame(c), (TEXT, b'%d' % len(data)))
            sender.join()
            c.send(frame(PING, b'are you there', b'mask'))
            self.assertEqual(read_frame(c), (PONG, b'are you there'))
            c.send(frame(CLOSE, struct.pack('>H', 4321), b'mask'))
            self.assertEqual(read_frame(c), (CLOSE, struct.pack('>H', 4321)))
            self.assertEqual(wire.ends(c), 'closed')
        self.assertEqual(self.closed_with, [4321])
        self.after()

    def test_many_at_once(self):
        clients = [self.open() for _ in range(60)]
        for i, c in enumerate(clients):
            c.send(frame(TEXT, b'I am %d' % i, b'abcd'))
        for i, c in reversed(list(enumerate(clients))):
            self.assertEqual(read_frame(c), (TEXT, b'I am %d' % i))
            c.close()
        self.after()

    def test_bytes_right_behind_the_request(self):
        """A client that does not wait: what it says belongs to the tunnel."""
        with self.open(frame(TEXT, b'in a hurry', b'abcd') + frame(TEXT, b'really', b'abcd')) as c:
            for text in (b'in a hurry', b'really'):
                self.assertEqual(read_frame(c), (TEXT, text))
                read_frame(c)
        self.after()

    def test_refused(self):
        """No key: the backend says 400, and the client's connection goes on."""
        with wire.client(self.port) as c:
            self.assertEqual(c.ask(ASK + b'\r\n').status, 400)
            self.assertEqual(c.ask(b'GET /sound HTTP/1.1\r\nHost: a\r\n\r\n').body, b'sound')
            self.assertEqual(c.ask(ASK + b'\r\n').status, 400)
        self.after()

    def test_h2c_is_dropped(self):
        with wire.client(self.port) as c:
            m = c.ask(b'GET /sound HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n'
                      b'HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n')
            self.assertEqual((m.status, m.body), (200, b'sound'))
        names = [name.lower() for name, _ in self.origin.requests[0].headers]
        self.assertFalse({'upgrade', 'connection', 'http2-settings'} & set(names), names)
        self.after()


class Other(rig.FlowTest):
    def stage(self, script):
        port = rig.free_port()
        origin = wire.Origin(self, script)
        return port, origin, self.bal(wire.config(port, [origin.address], settings={'workers': 1}))

    def test_switch_before_the_body(self):
        """The backend switches before it has the whole request; all of the body comes first, then the tunnel."""
        size, got, done = 3000000, [], threading.Event()

        def script(w, number):
            w.head()
            w.send(SWITCH % b'odd')
            time.sleep(0.3)
            got.append(hashlib.sha256(w.take(size)).hexdigest())
            got.append(w.take(9))
            w.send(b'thank you')
            done.set()
        port, _, bal = self.stage(script)
        body = random.Random(3).randbytes(size)
        with wire.client(port) as c:
            sender = threading.Thread(target=c.send, daemon=True, args=(
                b'POST / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: odd\r\nContent-Length: %d\r\n\r\n%s%s' %
                (size, body, b'in tunnel'),))
            sender.start()
            self.assertEqual(c.response().status, 101)
            self.assertEqual(c.take(9), b'thank you')
            sender.join()
            self.assertEqual(wire.ends(c), 'closed')
        self.assertEqual(got, [hashlib.sha256(body).hexdigest(), b'in tunnel'])
        self.assert_idle(bal)
        self.assert_sessions_balance(bal)

    def test_half_closed(self):
        """Each direction of a tunnel ends on its own."""
        def script(w, number):
            w.head()
            w.send(SWITCH % b'odd')
            data = w.all()
            time.sleep(0.1)
            w.send(b'all of ' + data)
        port, _, bal = self.stage(script)
        with wire.client(port) as c:
            c.send(b'GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: odd\r\n\r\n')
            self.assertEqual(c.response().status, 101)
            c.send(b'it')
            c.finish()
            self.assertEqual(c.all(), b'all of it')
        self.assert_idle(bal)
        self.assert_sessions_balance(bal)

    def test_bytes_behind_the_switch(self):
        """With the head in one segment, cut at every byte, and behind an interim response."""
        answer = b'HTTP/1.1 103 Early Hints\r\n\r\n' + SWITCH % b'odd' + b'first words'
        cuts = iter(range(1, len(answer)))

        def script(w, number):
            w.head()
            n = next(cuts)
            w.send(answer[:n])
            time.sleep(0.002)
            w.send(answer[n:])
            w.more()
        port, _, bal = self.stage(script)
        for _ in range(len(answer) - 1):
            with wire.client(port) as c:
                c.send(b'GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: odd\r\n\r\n')
                m = c.response()
                self.assertEqual((m.status, len(m.interim), c.take(11)), (101, 1, b'first words'))
        self.assert_idle(bal)
        self.assert_sessions_balance(bal)


class Library(rig.FlowTest):
    """Both ends are those of a library that people use, and neither knows of bal. See chat.py."""
    PYTHON, CHAT = '/usr/bin/python3', os.path.join(os.path.dirname(__file__), 'chat.py')

    def test_two_that_talk(self):
        if subprocess.run([self.PYTHON, '-c', 'import websockets'], capture_output=True, check=False).returncode:
            self.skipTest('python3-websockets is not installed')
        server = self.start('chat', [self.PYTHON, self.CHAT, 'server'])
        at = rig.wait_until(lambda: re.search(r'^listening (\d+)$', server.output(), re.M), 'the server to listen')
        port = rig.free_port()
        bal = self.bal(wire.config(port, [f'127.0.0.1:{at[1]}']))
        said = json.loads(self.run_ok([self.PYTHON, self.CHAT, 'client', str(port), str(MESSAGES)]))
        self.assertEqual(said, {'messages': MESSAGES, 'pings': MESSAGES // 100, 'closed': [4001, 'enough']})
        self.assert_idle(bal)
        self.assert_sessions_balance(bal)


if __name__ == '__main__':
    rig.main()
