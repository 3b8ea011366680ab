#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every response belongs to its request, whatever clients and backends do to their connections.

Each request has an ID of its own, in its target, its X-Request-ID and its body. A backend answers with what it was
asked, in one of many manners, some of them rude; who asked looks whether it is his. What is not idempotent may
reach backends once at most.
"""

import collections
import random
import threading
import time

import rig
import wire

CLIENTS = {'none': 200, 'thread': 60}.get(rig.SANITIZE, 100)
SECONDS = 20 if rig.FULL else 8
BACKENDS = 3

# manners of a backend; the rude ones may cost the request, the others only one with a body: it may have gone out
# over a connection that the backend was just closing
FINE = ['length', 'length', 'chunked', 'until close', 'pieces', 'interim', 'says close', 'closes', 'no body', 'large']
RUDE = ['no answer', 'reset', 'half a head', 'cut', 'cut chunk', 'stale behind', 'stale behind none', 'early']


def payload(name):
    """Bytes that are only right for this request."""
    return (name + ' ').encode() * (1 + hash_of(name) % 400)


def hash_of(name):
    return sum(ord(c) * 31 ** (i % 7) for i, c in enumerate(name))


class Server(wire.Origin):
    def __init__(self, test, seed):
        self.dice = random.Random(seed)
        self.executed = collections.Counter()
        super().__init__(test, self.talk)

    def talk(self, w, number):
        while self.one(w):
            pass

    def one(self, w):
        """False: the connection is over."""
        with self.lock:
            pause, kind = self.dice.random() * 0.004, self.dice.random()
        head = w.head()
        name, how = head.target[1:].split('/')
        how = how.replace('-', ' ')
        if how == 'early':  # an answer, and the body is not read
            w.send(self.ok(name, 'Connection: close') + payload(name))
            return False
        w.body_of(head)
        if head.method == 'POST':
            with self.lock:
                self.executed[name] += 1
        if head.body and head.body != payload(name):
            raise wire.Broken(f'the body of another: {name} {head.body[:80]!r}')
        if head.get('X-Request-ID') != name:
            raise wire.Broken(f'the head of another: {name} {head}')
        if kind < 0.5:
            time.sleep(pause)
        return getattr(self, 'do_' + how.replace(' ', '_'))(w, name, head.method)

    def ok(self, name, *more):
        lines = [f'X-Echo: {name}', *more]
        if not any('chunked' in line or 'until' in line for line in more):
            lines.append(f'Content-Length: {len(payload(name))}')
        return ('HTTP/1.1 200 OK\r\n' + '\r\n'.join(lines) + '\r\n\r\n').encode()

    def do_length(self, w, name, method):
        w.send(self.ok(name) + (b'' if method == 'HEAD' else payload(name)))
        return True

    def do_large(self, w, name, method):
        w.send(f'HTTP/1.1 200 OK\r\nX-Echo: {name}\r\nTransfer-Encoding: chunked\r\n\r\n'.encode())
        if method != 'HEAD':
            w.send(wire.chunked([payload(name)] + [b'x' * 30000] * 5))
        return True

    def do_chunked(self, w, name, method):
        body, cut = payload(name), 1 + hash_of(name) % 50
        w.send(self.ok(name, 'Transfer-Encoding: chunked'))
        if method != 'HEAD':
            w.send(wire.chunked([part for part in (body[:cut], body[cut:]) if part], b'X-Sum: 1\r\n'))
        return True

    def do_until_close(self, w, name, method):
        w.send(self.ok(name, 'X-Ends: until-close') + (b'' if method == 'HEAD' else payload(name)))
        return False

    def do_pieces(self, w, name, method):
        data = self.ok(name) + (b'' if method == 'HEAD' else payload(name))
        step = 1 + len(data) // 7
        for i in range(0, len(data), step):
            w.send(data[i:i + step])
            time.sleep(0.001)
        return True

    def do_interim(self, w, name, method):
        w.send(f'HTTP/1.1 103 Early Hints\r\nLink: {name}\r\n\r\n'.encode())
        return self.do_length(w, name, method)

    def do_says_close(self, w, name, method):
        w.send(self.ok(name, 'Connection: close') + (b'' if method == 'HEAD' else payload(name)))
        return False

    def do_closes(self, w, name, method):
        self.do_length(w, name, method)
        return False

    def do_no_body(self, w, name, method):
        w.send(f'HTTP/1.1 204 No Content\r\nX-Echo: {name}\r\n\r\n'.encode())
        return True

    def do_no_answer(self, w, name, method):
        return False

    def do_reset(self, w, name, method):
        w.reset()
        return False

    def do_half_a_head(self, w, name, method):
        w.send(self.ok(name)[:-7])
        return False

    def do_cut(self, w, name, method):
        w.send(self.ok(name) + payload(name)[:-1])
        return False

    def do_cut_chunk(self, w, name, method):
        w.send(self.ok(name, 'Transfer-Encoding: chunked') + b'ffff\r\n' + payload(name))
        w.reset()
        return False

    def do_stale_behind(self, w, name, method):
        w.send(self.ok(name) + (b'' if method == 'HEAD' else payload(name)) + wire.ok(b'stale', 'X-Echo: stale'))
        return True

    def do_stale_behind_none(self, w, name, method):
        w.send(f'HTTP/1.1 304 Not Modified\r\nX-Echo: {name}\r\n\r\n'.encode() + wire.ok(b'stale', 'X-Echo: stale'))
        return True


class Client:
    """Sends rows of requests until the end, and looks at what comes back."""

    def __init__(self, port, number, until, pipelines):
        self.port, self.number, self.until, self.pipelines = port, number, until, pipelines
        self.dice = random.Random(number)
        self.n, self.outcomes, self.wrong = 0, collections.Counter(), []
        self.posts = []
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def request(self):
        dice, self.n = self.dice, self.n + 1
        name = f'c{self.number}-{self.n}-{dice.randrange(10 ** 9)}'
        method = dice.choice(['GET', 'GET', 'GET', 'HEAD', 'POST', 'PUT', 'DELETE'])
        how = dice.choice(FINE if dice.random() < 0.8 else RUDE)
        head = f'{method} /{name}/{how.replace(" ", "-")} HTTP/1.1\r\nHost: h\r\nX-Request-ID: {name}\r\n'.encode()
        body = payload(name) if method in ('POST', 'PUT') else b''
        if method == 'POST':
            self.posts.append(name)
        if not body:
            return name, method, how, head + b'\r\n'
        if dice.random() < 0.5:
            cut = 1 + dice.randrange(len(body))
            parts = [part for part in (body[:cut], body[cut:]) if part]
            return name, method, how, head + b'Transfer-Encoding: chunked\r\n\r\n' + wire.chunked(parts)
        return name, method, how, head + b'Content-Length: %d\r\n\r\n' % len(body) + body

    def run(self):
        c = None
        while time.monotonic() < self.until and not self.wrong:
            row = [self.request() for _ in range(self.dice.randrange(1, 6) if self.pipelines else 1)]
            try:
                c = c or wire.client(self.port, 15)
                if self.dice.random() < 0.03:  # gone in the middle of what it says
                    c.send(row[0][3][:self.dice.randrange(1, len(row[0][3]))])
                    self.leave(c)
                    c = None
                    continue
                c.send(b''.join(text for _, _, _, text in row))
                if self.dice.random() < 0.03:  # or of what it is told
                    c.more()
                    self.leave(c)
                    c = None
                    continue
                for name, method, how, _ in row:
                    if self.look(c.response(method), name, method, how):
                        c.close()
                        c = None
                        break
            except (wire.Broken, wire.Closed, ConnectionError) as error:
                self.outcomes[type(error).__name__] += 1
                if not self.pipelines and row[0][2] in FINE:
                    self.wrong.append(f'{row[0]}: {error!r}')
                if c:
                    c.close()
                c = None
            except Exception as error:  # noqa: a thread must not die unheard
                self.wrong.append(f'{row[0][:3]}: {error!r}')
        if c:
            c.close()

    def leave(self, c):
        self.outcomes['left'] += 1
        if self.dice.random() < 0.5:
            c.reset()
        else:
            c.close()

    def look(self, m, name, method, how):
        """True: the connection is over."""
        self.outcomes[m.status] += 1
        echo, has_body = m.get('X-Echo'), method != 'HEAD' and m.status not in (204, 304)
        if m.get('X-Request-ID') != name:
            self.wrong.append(f'{name}: the ID of another: {m}')
        elif m.status >= 500:
            if how in FINE and method not in ('POST', 'PUT'):
                self.wrong.append(f'{name} {method} {how}: {m.status}')
        elif echo != name or (has_body and not m.body.startswith(payload(name))):
            self.wrong.append(f'{name} {method} {how}: the response of another: {m} {m.body[:80]!r}')
        return m.get('Connection') == 'close' or m.get('Content-Length') is None and has_body and \
            m.get('Transfer-Encoding') is None


class Cross(rig.FlowTest):
    def go(self, pipelines):
        port = rig.free_port()
        servers = [Server(self, i) for i in range(BACKENDS)]
        bal = self.bal(wire.config(port, [server.address for server in servers], settings={'workers': 3}))
        until = time.monotonic() + SECONDS / 2
        clients = [Client(port, i, until, pipelines) for i in range(CLIENTS)]
        for client in clients:
            client.thread.join(60 * rig.SLOW)
            self.assertFalse(client.thread.is_alive(), f'client {client.number} hangs')
        outcomes = sum((client.outcomes for client in clients), collections.Counter())
        print(f'{sum(client.n for client in clients)} requests: {dict(outcomes)}, connections '
              f'{[server.connections for server in servers]}')
        self.assertEqual([wrong for client in clients for wrong in client.wrong][:5], [])
        executed = sum((server.executed for server in servers), collections.Counter())
        self.assertEqual([name for name, times in executed.items() if times > 1], [])
        self.assertGreater(outcomes[200], CLIENTS)
        self.assertEqual(self.broken, [])
        self.assert_idle(bal)
        self.assert_sessions_balance(bal)

    def setUp(self):
        super().setUp()
        self.broken, before = [], wire.Origin._serve
        test = self

        def serve(origin, s):
            try:
                before(origin, s)
            except wire.Broken as error:
                if 'of another' in str(error):  # a client that leaves breaks its request, and may
                    test.broken.append(str(error))
        wire.Origin._serve = serve
        self.addCleanup(setattr, wire.Origin, '_serve', before)

    def test_one_at_a_time(self):
        self.go(False)

    def test_pipelined(self):
        self.go(True)


if __name__ == '__main__':
    rig.main()
