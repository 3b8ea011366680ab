#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Clients and backends of odd habits, between which bal must neither hang, nor mix up, nor leak."""

import hashlib
import random
import socket
import threading
import time

import rig
import wire

GET = b'GET %s HTTP/1.1\r\nHost: x\r\n\r\n'


class Case(rig.FlowTest):
    def stage(self, script=None, http=None, **more):
        """(port, origin, bal)"""
        port = rig.free_port()
        origin = wire.Origin(self, script)
        return port, origin, self.bal(wire.config(port, [origin.address], http, **more))

    def check_after(self, bal):
        self.assert_idle(bal)
        self.assert_sessions_balance(bal)


class Pipelining(Case):
    def test_more_than_a_buffer(self):
        """The part of a head that lies at the very end of a buffer is no head that is too long."""
        port, origin, bal = self.stage()
        targets = [b'/%d/%s' % (i, b'x' * (i * 7 % 190)) for i in range(900)]
        with wire.client(port, 30) as c:
            threading.Thread(target=c.send, args=(b''.join(GET % t for t in targets),), daemon=True).start()
            for target in targets:
                m = c.response()
                self.assertEqual((m.status, m.body), (200, target))
        self.assertEqual([m.target.encode() for m in origin.requests], targets)
        self.check_after(bal)

    def test_fifty_mixed(self):
        """Methods with and without bodies, in one write, answered in order."""
        def script(w, number):
            while True:
                m = origin.request(w)
                body = f'{m.method} {m.target} {hashlib.sha256(m.body).hexdigest()}'.encode()
                if m.method == 'HEAD':
                    w.send(b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n' % len(body))
                elif m.target.endswith('0'):
                    w.send(b'HTTP/1.1 204 No Content\r\n\r\n')
                else:
                    w.send(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n' +
                           wire.chunked([body[:3], body[3:]]))
        port, origin, bal = self.stage(script)
        dice, sent, want = random.Random(50), [], []
        for i in range(50):
            method = dice.choice([b'GET', b'HEAD', b'POST', b'PUT', b'DELETE', b'OPTIONS'])
            body = dice.randbytes(dice.choice([0, 1, 100, 5000, 40000])) if method in (b'POST', b'PUT') else b''
            head = b'%s /%d HTTP/1.1\r\nHost: x\r\n' % (method, i)
            if body and dice.random() < 0.5:
                cut = dice.randrange(len(body)) or 1
                parts = [part for part in (body[:cut], body[cut:]) if part]
                sent.append(head + b'Transfer-Encoding: chunked\r\n\r\n' + wire.chunked(parts))
            elif method in (b'POST', b'PUT'):
                sent.append(head + b'Content-Length: %d\r\n\r\n%s' % (len(body), body))
            else:
                sent.append(head + b'\r\n')
            want.append((method.decode(), f'{method.decode()} /{i} {hashlib.sha256(body).hexdigest()}'.encode()))
        with wire.client(port, 30) as c:
            threading.Thread(target=c.send, args=(b''.join(sent),), daemon=True).start()
            for i, (method, text) in enumerate(want):
                m = c.response(method)
                if method == 'HEAD' or i % 10 == 0:
                    self.assertEqual(m.body, b'', i)
                else:
                    self.assertEqual(m.body, text, i)
        self.check_after(bal)

    def test_half_close(self):
        """With half_close: serve a client that has sent all it wants gets all its answers."""
        port, _, bal = self.stage(http={'half_close': 'serve'})
        with wire.client(port) as c:
            c.send(GET % b'/1' + GET % b'/2' + GET % b'/3')
            c.finish()
            self.assertEqual([c.response().body for _ in range(3)], [b'/1', b'/2', b'/3'])
            self.assertEqual(wire.ends(c), 'closed')
        self.check_after(bal)


class RequestBodies(Case):
    def test_chunk_line_at_the_end_of_a_buffer(self):
        """Every place at which a buffer may end, in chunks of all small sizes."""
        got = []

        def script(w, number):
            while True:
                got.append(hashlib.sha256(origin.request(w).body).hexdigest())
                w.send(wire.ok())
        port, origin, bal = self.stage(script)
        want = []
        with wire.client(port, 30) as c:
            for pad in range(24):
                parts = [bytes([i % 251]) * (1 + i % 9) for i in range(12000)]
                want.append(hashlib.sha256(b''.join(parts)).hexdigest())
                self.assertEqual(c.ask(b'POST / HTTP/1.1\r\nHost: x\r\nX-Pad: %s\r\nTransfer-Encoding: chunked\r\n\r\n'
                                       % (b'p' * pad) + wire.chunked(parts)).status, 200)
        self.assertEqual(got, want)
        self.check_after(bal)

    def early(self, answer, n, rounds, keeps):
        """A backend answers before it has read the body; its connection is not used again."""
        def script(w, number):
            w.head()
            w.send(answer)
            time.sleep(0.05)
        port, _, bal = self.stage(script)
        self.warm_up(port)
        fds = bal.fds()
        c = wire.client(port)
        for _ in range(rounds):
            body = b'b' * n
            sender = threading.Thread(target=self.send_quietly, args=(
                c, b'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s' % (n, body)), daemon=True)
            sender.start()
            self.assertEqual(c.response().status, 413)
            sender.join()
            if not keeps:
                c.close()
                c = wire.client(port)
        c.close()
        self.check_after(bal)
        rig.wait_until(lambda: bal.fds() <= fds + 16, f'descriptors back near {fds}, not {bal.fds()}')

    @staticmethod
    def send_quietly(c, data):
        try:
            c.send(data)
        except OSError:
            pass

    def warm_up(self, port):
        with wire.client(port) as c:
            self.assertEqual(c.ask(GET % b'/').status, 413)

    def test_early_small(self):
        self.early(b'HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno\n', 3000, 30, False)

    def test_early_big(self):
        self.early(b'HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno\n', 3000000, 10, False)

    def test_read_whole_but_not_wanted(self):
        """bal has read the whole body, and the backend takes no more of it than its socket does: what is held
        for it goes with its connection, and the client's goes on. Else each round would cost a pipe or a buffer."""
        def script(w, number):
            w.head()
            time.sleep(0.3)
            w.send(b'HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
            time.sleep(0.2)
            w.close()
        port = rig.free_port()
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listener.bind(('127.0.0.1', 0))
        listener.listen(8)
        self.addCleanup(listener.close)

        def serve():
            while True:
                try:
                    s, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=script, args=(wire.Wire(s), 0), daemon=True).start()
        threading.Thread(target=serve, daemon=True).start()
        bal = self.bal(wire.config(port, ['127.0.0.1:%d' % listener.getsockname()[1]], settings={'workers': 1}))
        kept, size = 0, 2600000
        fds = bal.fds()
        for _ in range(12):
            with wire.client(port) as c:
                for _ in range(3):
                    sender = threading.Thread(target=self.send_quietly, args=(
                        c, b'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s' % (size, b'b' * size)), daemon=True)
                    sender.start()
                    m = c.response()
                    sender.join()
                    self.assertEqual(m.status, 413)
                    if m.get('Connection') == 'close':
                        break
                    kept += 1
            size += 40000
        print(f'{kept} connections of clients lived on with a body that was read and not delivered')
        self.check_after(bal)
        rig.wait_until(lambda: bal.fds() <= fds + 12, f'descriptors back near {fds}, not {bal.fds()}')


class Backends(Case):
    def test_big_bodies_leave_the_connection_warm(self):
        body = random.Random(1).randbytes(1 << 20)

        def script(w, number):
            while True:
                origin.request(w)
                w.send(wire.ok(body))
        port, origin, bal = self.stage(script, settings={'workers': 1})
        with wire.client(port) as c:
            for _ in range(20):
                self.assertEqual(c.ask(GET % b'/').body, body)
        self.assertEqual(origin.connections, 1)
        self.check_after(bal)

    def test_reset_behind_a_body_nobody_reads(self):
        """The backend dies while its client does not read: bal waits for the client without a spin."""
        def script(w, number):
            origin.request(w)
            w.send(b'HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n')
            w.s.settimeout(1)
            try:
                while True:
                    w.send(b'x' * 65536)
            except socket.timeout:
                w.reset()
        port, origin, bal = self.stage(script)
        with wire.client(port) as c:
            c.send(GET % b'/')
            time.sleep(2.5)
            before = bal.cpu_s()
            time.sleep(1)
            used = bal.cpu_s() - before
            self.assertLess(used, 0.3 * rig.SLOW if rig.SLOW < 3 else 0.9)
            with self.assertRaises((wire.Broken, ConnectionError)):
                c.response()
        self.check_after(bal)

    def test_idle_until_close_is_no_end(self):
        """The end of such a body is the end of the connection, so a time-out must be a reset."""
        def script(w, number):
            origin.request(w)
            w.send(b'HTTP/1.1 200 OK\r\n\r\nhalf of')
            w.s.recv(1)
        port, origin, bal = self.stage(script, frontend={'tcp': {'idle_timeout': '700ms'}})
        with wire.client(port) as c:
            c.send(GET % b'/')
            with self.assertRaises(ConnectionError):
                c.response()
        self.check_after(bal)


class Desks(Case):
    def full_queue(self):
        """A Unix socket at which bal's connects have to wait."""
        path, listener, filler = f'{self.dir}/b', socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen(0)
        listener.settimeout(10 * rig.SLOW)
        filler.connect(path)
        return path, listener, filler

    def test_late_head_of_another(self):
        """A client's head is late while another's request waits for its connection: both lie on one desk."""
        path, listener, filler = self.full_queue()
        port = rig.free_port()
        self.bal(wire.config(port, [f'unix:{path}'], {'head_timeout': '300ms'}, settings={'workers': 1},
                            frontend={'tcp': {'connect_timeout': '20s'}}))
        slow, waiting = wire.client(port), wire.client(port)
        slow.send(b'POST /of-the-slow-one HTTP/1.1\r\nHost: slow\r\nContent-Le')
        time.sleep(0.1)
        waiting.send(b'GET /mine HTTP/1.1\r\nHost: me\r\nX-Mine: yes\r\n\r\n')
        self.assertEqual(slow.response().status, 408)
        slow.close()
        listener.accept()[0].close()
        server = wire.Wire(listener.accept()[0])
        server.s.settimeout(10 * rig.SLOW)
        m = server.request()
        self.assertEqual((m.first, m.get('Host'), m.get('X-Mine')), ('GET /mine HTTP/1.1', 'me', 'yes'))
        server.send(wire.ok(b'for me'))
        self.assertEqual(waiting.response().body, b'for me')
        for s in (waiting, server, filler, listener):
            s.close()

    def test_lower_limits_after_it_came(self):
        """What was judged stays judged: a request that waits while the limits are lowered goes on whole."""
        path, listener, filler = self.full_queue()
        port = rig.free_port()

        def config(n):
            return wire.config(port, [f'unix:{path}'], {'max_header_count': n}, settings={'workers': 1},
                              frontend={'tcp': {'connect_timeout': '20s'}})
        bal = self.bal(config(100))
        first, second = wire.client(port), wire.client(port)
        many = b''.join(b'X-%d: %d\r\n' % (i, i) for i in range(30))
        first.send(b'POST /first HTTP/1.1\r\nHost: x\r\n%sContent-Length: 5\r\n\r\n12345' % many[:16])
        time.sleep(0.2)
        bal.reload(config(5))
        # a connection of the old generation: its head is judged by the old limits, then it is renewed
        second.send(b'POST /second HTTP/1.1\r\nHost: x\r\n%sContent-Length: 5\r\n\r\n12345' % many)
        time.sleep(0.2)
        other = wire.client(port)
        other.send(b'GET /other')  # something else lies on the desk
        time.sleep(0.2)
        listener.accept()[0].close()
        seen = {}
        for _ in range(2):
            server = wire.Wire(listener.accept()[0])
            server.s.settimeout(10 * rig.SLOW)
            m = server.request()
            seen[m.target] = (len(m.headers) >= 30, m.body)
            server.send(wire.ok(m.target.encode(), 'Connection: close'))
            self.addCleanup(server.close)
        self.assertEqual(first.response().body, b'/first')
        self.assertEqual(second.response().body, b'/second')
        self.assertEqual(seen['/first'][1], b'12345')
        self.assertEqual(seen['/second'], (True, b'12345'))
        for s in (first, second, other, filler, listener):
            s.close()


if __name__ == '__main__':
    rig.main()
