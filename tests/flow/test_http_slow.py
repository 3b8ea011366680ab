#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A thousand clients that send next to nothing cost next to nothing, and are shown the door in time."""

import re
import select
import socket
import threading
import time

import rig
import wire

SLOW_ONES = {'none': 1000}.get(rig.SANITIZE, 300)
HONEST, SECONDS = 64, 2 if rig.FULL else 1


class Drippers:
    """Connections on which somebody writes one byte now and then, until bal ends them. One thread."""

    def __init__(self, port, n, begin, drop):
        self.sockets = []
        for _ in range(n):
            s = rig.connect(port, 20)
            s.sendall(begin)
            s.setblocking(False)
            self.sockets.append(s)
        self.drop, self.said, self.stop = drop, {s: b'' for s in self.sockets}, False
        self.started, self.ended = time.monotonic(), {}
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        poll, by_fd = select.poll(), {s.fileno(): s for s in self.sockets}
        for fd in by_fd:
            poll.register(fd, select.POLLIN)
        due = time.monotonic()
        while len(self.ended) < len(self.sockets) and not self.stop:
            for fd, _ in poll.poll(100):
                s = by_fd[fd]
                try:
                    part = s.recv(4096)
                except ConnectionError:
                    part = b''
                self.said[s] += part
                if not part:
                    self.ended[s] = time.monotonic() - self.started
                    poll.unregister(fd)
            if self.drop and time.monotonic() > due:
                due = time.monotonic() + 0.3
                for s in self.sockets:
                    if s not in self.ended:
                        try:
                            s.send(self.drop)
                        except OSError:
                            pass

    def close(self):
        self.stop = True
        self.thread.join(10)
        for s in self.sockets:
            s.close()


class Slow(rig.FlowTest):
    def stage(self, **http):
        port, backend_port = rig.free_port(), rig.free_port()
        # it reads a body to its end before it looks for the server behind it, which is not there
        self.nginx(backend_port, extra='location /upload { proxy_pass http://127.0.0.1:1; }')
        bal = self.bal(wire.config(port, [f'127.0.0.1:{backend_port}'], http, settings={'workers': 2},
                                   frontend={'tcp': {'idle_timeout': '4s'}}), files=8192)
        return port, bal

    def honest(self, port):
        """Requests per second of the honest ones; none of them may fail."""
        self.need('wrk')
        out = self.run_ok(['wrk', '-t1', f'-c{HONEST}', f'-d{SECONDS}s', f'http://127.0.0.1:{port}/'])
        self.assertNotRegex(out, r'Socket errors|Non-2xx')
        return float(re.search(r'Requests/sec:\s+([\d.]+)', out)[1])

    def go(self, begin, drop, status, within, **http):
        port, bal = self.stage(**http)
        before = [self.honest(port), self.honest(port)][1]
        memory = bal.anonymous_kib()
        drippers = Drippers(port, SLOW_ONES, begin, drop)
        self.addCleanup(drippers.close)
        rig.wait_until(lambda: bal.get()['active_connections'] >= SLOW_ONES * 0.9, 'the slow ones to be there')
        meanwhile = self.honest(port)
        held = bal.anonymous_kib() - memory
        print(f'{SLOW_ONES} slow ones: honest requests {before:.0f}/s -> {meanwhile:.0f}/s '
              f'({100 * (meanwhile - before) / before:+.1f} %), {held} KiB more, {held / SLOW_ONES:.1f} KiB each')
        rig.wait_until(lambda: len(drippers.ended) == SLOW_ONES, 'all slow ones to be ended', within + 10)
        self.assertLess(max(drippers.ended.values()), (within + 3) * rig.SLOW)
        answers = {said.split(b'\r\n')[0] for said in drippers.said.values()}
        self.assertEqual(answers, {status})
        if rig.SANITIZE == 'none':
            self.assertLess(held, SLOW_ONES * 96)
            self.assertGreater(meanwhile, before / 3)  # it is printed; the machine may have other things to do
        self.assert_idle(bal, 15)  # their answers linger for five seconds
        self.assert_sessions_balance(bal)

    def test_heads(self):
        self.go(b'GET / HTTP/1.1\r\nHost: a\r\nX-', b'y', b'HTTP/1.1 408 Request Timeout', 5, head_timeout='5s')

    def test_silence(self):
        self.go(b'', b'', b'', 5, keep_alive_timeout='5s')

    def test_bodies_that_stop(self):
        self.go(b'POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nabc', b'',
                b'HTTP/1.1 408 Request Timeout', 5)


class Readers(rig.FlowTest):
    def test_who_does_not_read(self):
        """10 MB each for clients that read nothing: what bal holds for each has a limit, and the time, too."""
        def script(w, number):
            while True:
                origin.request(w)
                w.send(b'HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n')
                for _ in range(100):
                    w.send(b'x' * 100000)
        port, readers = rig.free_port(), 40
        origin = wire.Origin(self, script)
        bal = self.bal(wire.config(port, [origin.address], frontend={'tcp': {'idle_timeout': '3s'}}))
        memory, clients = bal.anonymous_kib(), []
        for _ in range(readers):
            s = socket.socket()
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            s.settimeout(20 * rig.SLOW)
            s.connect(('127.0.0.1', port))
            s.sendall(b'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
            clients.append(wire.Wire(s))
        time.sleep(1)
        held = bal.anonymous_kib() - memory
        print(f'{readers} clients that do not read: {held} KiB more, {held / readers:.1f} KiB each')
        if rig.SANITIZE == 'none':
            self.assertLess(held, readers * 160)
        self.assertEqual(len(clients[0].response().body), 10000000)  # this one only was slow to begin
        self.assert_idle_without(bal, clients)

    def assert_idle_without(self, bal, clients):
        rig.wait_until(lambda: bal.get()['active_connections'] <= 1, 'those that do not read to be ended', 15)
        for c in clients[1:]:
            with self.assertRaises((wire.Broken, ConnectionError)):
                c.response()
            c.close()
        clients[0].close()
        self.assert_idle(bal)
        self.assert_sessions_balance(bal)


if __name__ == '__main__':
    rig.main()
