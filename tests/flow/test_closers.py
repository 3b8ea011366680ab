#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Backends that accept and then close or reset: as dead as those that refuse, though each connect works."""

import contextlib
import socket
import struct
import threading
import time

import rig
import web

CHECK = {'type': 'tcp', 'interval': '100ms', 'timeout': '1s', 'unhealthy_threshold': 2, 'healthy_threshold': 1}
FAILOVER = {'cooldown': '200ms', 'backoff_initial': '200ms', 'backoff_max': '400ms'}
ROW = 5


class Fickle:
    """A server that says its name to whoever asks, or does what its mode says: close or reset at once,
    hang_up when something has come, deaf: takes all that comes and says nothing."""

    def __init__(self, test, name, address=('127.0.0.1', 0), family=socket.AF_INET):
        self.name, self.mode, self.n_accepted, self.lock = name, 'serve', 0, threading.Lock()
        self.address = rig.serve(test, self.run, address, family)

    def run(self, s):
        with self.lock:
            self.n_accepted += 1
        mode = self.mode
        if mode == 'reset':
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        if mode in ('close', 'reset'):
            return
        while s.recv(1000):
            if mode == 'hang_up':
                return
            if mode == 'serve':
                s.sendall(self.name.encode())


class Closers(rig.FlowTest):
    def setUp(self):
        super().setUp()
        self.port = rig.free_port()
        self.sick, self.well = Fickle(self, 'sick'), Fickle(self, 'well')

    def stage(self, *servers, check=None, **more):
        more = {'health_check': {**CHECK, **(check or {})}, 'failover': FAILOVER, **more}
        bal = self.bal(rig.document(rig.pool('p', self.port, [server.address for server in servers or (self.sick, self.well)],
                                             **more)))
        rig.wait_until(lambda: all(b['check']['passed'] for b in bal.get()['backends']), 'the first checks')
        return bal

    def ask(self, word=b'hello'):
        """The name of the server, or '' if the session ended without a byte."""
        with rig.connect(self.port) as s:
            try:
                s.sendall(word)
                return s.recv(100).decode()
            except ConnectionError:
                return ''

    def until_out(self, bal, server=None):
        """Asks until the backend is out; how many sessions were let down by then."""
        server, lost = server or self.sick, 0
        deadline = time.monotonic() + 10 * rig.SLOW
        while bal.state(server.address) == 'up':
            lost += self.ask() == ''
            self.assertLess(time.monotonic(), deadline)
        return lost

    def assert_out(self, bal, server):
        backend = bal.backend(server.address)
        self.assertIn(backend['state'], ('cool', 'down'))
        self.assertEqual(backend['reason'], 'closed')
        self.assertIn('closed before it had answered', backend['reason_text'])
        self.assertFalse(backend['reachable'])
        self.assertGreaterEqual(backend['counters']['closed'], ROW)
        self.assertFalse(bal.protection()['enabled'])

    def test_one_of_two(self):
        """All traffic goes to the other one after a few failures, and half of it comes back."""
        for mode in ('close', 'reset', 'hang_up'):
            with self.subTest(mode):
                self.port = rig.free_port()
                self.sick.mode = 'serve'
                bal = self.stage()
                self.assertEqual({self.ask() for _ in range(8)}, {'sick', 'well'})
                self.sick.mode = mode
                lost = self.until_out(bal)
                # a reset may come so soon that it is a failed connect, and no client has lost anything
                self.assertLessEqual(lost, ROW + 2)
                if mode != 'reset':
                    self.assertGreaterEqual(lost, ROW)
                    self.assert_out(bal, self.sick)
                start = time.monotonic()
                answers = [self.ask() for _ in range(100)]
                # while it is out one session tries it after each rest, if no check finds the same
                most = 2 + (time.monotonic() - start) / 0.2
                self.assertLessEqual(len(answers) - answers.count('well'), most)
                self.sick.mode = 'serve'
                mended = time.monotonic()
                rig.wait_until(lambda: self.ask() == 'sick', 'it to get sessions again', 3)
                bal.wait_state(self.sick.address, 'up')
                self.assertLess(time.monotonic() - mended, 2 * rig.SLOW)
                self.assertGreaterEqual([self.ask() for _ in range(40)].count('sick'), 15)
                changes = [(r['fields']['to'], r['fields']['reason']) for r in bal.events('backend_state')
                           if r['fields']['to'] in ('cool', 'down')]
                self.assertEqual({reason for _, reason in changes}, {'closed'})
                self.assert_sessions_balance(bal)

    def test_checks_that_connect_do_not_mend_it(self):
        """Good checks go on all the while; without a client nothing says that it is well."""
        bal = self.stage(check={'unhealthy_threshold': 1, 'interval': '30ms'})
        self.sick.mode = 'hang_up'
        self.until_out(bal)
        bal.wait_state(self.sick.address, 'down')
        passed = bal.backend(self.sick.address)['check']['passed']
        rig.wait_until(lambda: bal.backend(self.sick.address)['check']['passed'] > passed + 15, 'good checks')
        self.assert_out(bal, self.sick)
        self.assertEqual([r['fields']['to'] for r in bal.events('backend_state')], ['cool', 'down'])
        # nor does the connect of the session that tries it after each rest
        start, lost = time.monotonic(), 0
        while time.monotonic() < start + 1.5:
            lost += self.ask() == ''
        self.assertLessEqual(lost, 2 + (time.monotonic() - start) / 0.2)
        self.assertGreaterEqual(lost, 1)
        self.sick.mode = 'serve'
        rig.wait_until(lambda: self.ask() == 'sick', 'the session that tries it', 3)
        bal.wait_state(self.sick.address, 'up')

    def test_checks_find_it_mended(self):
        """One that closes at once is seen by checks, which look again until it is over: no client tries it."""
        bal = self.stage()
        self.sick.mode = 'close'
        self.until_out(bal)
        bal.wait_state(self.sick.address, 'down')
        rig.wait_until(lambda: bal.backend(self.sick.address)['check']['last_result'] == 'closed', 'a check that sees it')
        self.assertEqual({self.ask() for _ in range(100)}, {'well'})
        self.sick.mode = 'serve'
        bal.wait_state(self.sick.address, 'up')
        rig.wait_until(lambda: self.ask() == 'sick', 'it to serve', 3)

    def test_alone(self):
        """The last one is never taken out: it serves with the first session after it is mended."""
        bal = self.stage(self.sick)
        for mode in ('close', 'hang_up'):
            self.sick.mode = mode
            self.assertEqual({self.ask() for _ in range(30)}, {''})
            self.assertEqual(bal.state(self.sick.address), 'up')
            self.sick.mode = 'serve'
            self.assertEqual({self.ask() for _ in range(5)}, {'sick'})
        self.assertEqual(bal.events('backend_state'), [])
        self.assertFalse(bal.protection()['enabled'])

    def test_all_of_them(self):
        """Where no other one serves any better nobody is taken out for good."""
        bal = self.stage()
        self.sick.mode = self.well.mode = 'hang_up'
        self.assertEqual({self.ask() for _ in range(60)}, {''})
        self.assertIn('up', {b['state'] for b in bal.get()['backends']})
        self.assertFalse(bal.protection()['enabled'])
        self.sick.mode = self.well.mode = 'serve'
        rig.wait_until(lambda: {self.ask() for _ in range(4)} == {'sick', 'well'}, 'both to serve', 5)

    def test_a_backup_takes_over(self):
        bal = self.bal(rig.document(rig.pool('p', self.port, [self.sick.address, (self.well.address, {'backup': True})],
                                             health_check=CHECK, failover=FAILOVER)))
        self.sick.mode = 'close'
        self.assertLessEqual(self.until_out(bal), ROW + 2)
        self.assertEqual(self.ask(), 'well')

    def test_without_checks(self):
        bal = self.stage_none()
        self.sick.mode = 'hang_up'
        self.until_out(bal)
        self.assert_out(bal, self.sick)
        self.assertEqual(bal.state(self.sick.address), 'cool')
        self.sick.mode = 'serve'
        rig.wait_until(lambda: self.ask() == 'sick', 'it to serve', 3)
        bal.wait_state(self.sick.address, 'up')

    def stage_none(self):
        return self.bal(rig.document(rig.pool('p', self.port, [self.sick.address, self.well.address],
                                              health_check={'type': 'none'}, failover=FAILOVER)))

    def test_unix_socket(self):
        self.sick = Fickle(self, 'sick', f'{self.dir}/sick.sock', socket.AF_UNIX)
        bal = self.stage()
        self.sick.mode = 'close'
        self.until_out(bal)
        self.assert_out(bal, self.sick)
        self.sick.mode = 'serve'
        rig.wait_until(lambda: self.ask() == 'sick', 'it to serve', 3)

    def test_what_is_no_sign(self):
        """A client that closes first, or half of it, and a server that gives up on one that says nothing."""
        bal = self.stage()
        for server in (self.sick, self.well):
            server.mode = 'deaf'
        for _ in range(3 * ROW):
            with rig.connect(self.port) as s:
                s.sendall(b'not to be answered')
            with rig.connect(self.port) as s:
                s.sendall(b'nor this')
                s.shutdown(socket.SHUT_WR)
                self.assertEqual(s.recv(1), b'')
        self.assertEqual(bal.events('backend_state'), [])
        self.assertEqual([b['counters']['closed'] for b in bal.get()['backends']], [0, 0])

    def test_a_server_that_waited(self):
        """It closes what has been silent for longer than a second, as many do; and has its reasons."""
        idle = rig.serve(self, lambda s: (time.sleep(1.2), s.close()))
        bal = self.bal(rig.document(rig.pool('p', self.port, [idle, self.well.address], health_check=CHECK)))
        clients = [rig.connect(self.port) for _ in range(4 * ROW)]
        time.sleep(1.4)
        for s in clients:
            s.settimeout(0.01)
            try:
                self.assertEqual(s.recv(1), b'')
            except TimeoutError:
                pass
            s.close()
        self.assertEqual(bal.state(idle), 'up')
        self.assertEqual(bal.backend(idle)['counters']['closed'], 0)

    def test_one_that_only_listens(self):
        """Nothing ever comes back from it: that it keeps what tries it for some seconds is enough."""
        bal = self.stage()
        self.sick.mode = 'hang_up'
        self.until_out(bal)
        self.sick.mode = 'deaf'
        before = self.sick.n_accepted
        held = []

        def tried():
            held.append(rig.connect(self.port))
            self.addCleanup(held[-1].close)
            held[-1].sendall(b'for the record')
            return bal.backend(self.sick.address)['active_connections'] > 0
        rig.wait_until(tried, 'a session that tries it', 5, step=0.05)
        self.assertGreater(self.sick.n_accepted, before)
        bal.wait_state(self.sick.address, 'up', 8)

    def test_sessions_that_last_are_kept(self):
        """on_marked_down: close ends sessions of a backend that checks find dead; this one serves them."""
        bal = self.stage(on_marked_down='close', check={'unhealthy_threshold': 1})
        held = []
        while len(held) < 3:
            s = rig.connect(self.port)
            self.addCleanup(s.close)
            s.sendall(b'hello')
            if s.recv(100) == b'sick':
                held.append(s)
        self.sick.mode = 'hang_up'
        self.until_out(bal)
        bal.wait_state(self.sick.address, 'down')
        time.sleep(0.3)
        for s in held:
            s.sendall(b'still there?')
            self.assertEqual(s.recv(100), b'sick')

    def test_http(self):
        """Without health_check.passive: each request is answered, and the backend is hardly asked."""
        sick, well = self.http_server('sick'), self.http_server('well')
        bal = self.bal(web.config(self.port, [sick.address, well.address], health_check=CHECK, failover=FAILOVER))
        self.assertEqual({web.ask(self.port).body for _ in range(8)}, {b'sick', b'well'})
        for broken in (None, b'HTTP/1.1 200 OK\nContent-Length: 0\n\n'):
            sick.raw, asked = broken, sick.count('/')
            start = time.monotonic()
            answers = [web.ask(self.port) for _ in range(60)]
            most = ROW + 2 + (time.monotonic() - start) / 0.2
            self.assertLessEqual(sick.count('/') - asked, most)
            bad = [a.status for a in answers if a.body != b'well']
            self.assertLessEqual(len(bad), most if broken else 0)
            backend = bal.backend(sick.address)
            self.assertEqual(backend['reason'], 'http_invalid' if broken else 'closed')
            self.assertIn(backend['state'], ('cool', 'down'))
            sick.raw = b''
            rig.wait_until(lambda: web.ask(self.port).body == b'sick', 'it to serve', 3)
            bal.wait_state(sick.address, 'up')
        self.assertFalse(bal.protection()['enabled'])

    def http_server(self, name):
        """raw: what it sends instead of an answer; None: nothing."""
        server = web.Server(self, None)
        server.raw = b''

        def respond(s, request):
            if request.target == '/bad' or server.raw is None:
                return False
            s.sendall(server.raw or web.response(name))
            return not server.raw
        server.respond = respond
        return server

    def test_a_url_that_breaks_each_of_them(self):
        """That is no sign of the backends' health, and none of the pool's."""
        one, two = self.http_server('one'), self.http_server('two')
        bal = self.bal(web.config(self.port, [one.address, two.address], health_check=CHECK, failover=FAILOVER))
        for _ in range(4 * ROW):
            self.assertEqual(web.ask(self.port, 'POST', '/bad', body=b'x').status, 502)
            rig.wait_until(lambda: {web.ask(self.port).body for _ in range(4)} == {b'one', b'two'}, 'both to serve', step=0)
        self.assertEqual(bal.events('backend_state'), [])
        self.assertEqual({b['state'] for b in bal.get()['backends']}, {'up'})
        # nothing else is asked for: then they are as good as each other, and one is left in any case
        for _ in range(4 * ROW):
            self.assertEqual(web.ask(self.port, 'POST', '/bad', body=b'x').status, 502)
            self.assertIn('up', {b['state'] for b in bal.get()['backends']})
        self.assertEqual({web.ask(self.port).status for _ in range(8)}, {200})
        self.assertEqual(bal.events('protection_on'), [])

    def test_what_answers_badly_needs_no_protection(self):
        """Closed, reset, 5xx, bad HTTP: of one backend and of all, by traffic and by checks."""
        for protocol, check in (('tcp', {}), ('http', {'type': 'http', 'path': '/bad', 'unhealthy_threshold': 1000}),
                                ('http', {'passive': True})):
            self.port = rig.free_port()
            one, two = self.http_server('one'), self.http_server('two')
            bal = self.bal(rig.document(rig.pool('p', self.port, [one.address, two.address], frontend={'protocol': protocol},
                                                 health_check={**CHECK, **check}, failover=FAILOVER,
                                                 protection={'trigger_threshold': 3})))
            for raw in (None, b'HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n', b'HTTP/1.1 200 OK\n\n', b'garbage'):
                for sick in ((one,), (one, two)):
                    one.raw = two.raw = b''
                    for server in sick:
                        server.raw = raw
                    for _ in range(2 * ROW):
                        with rig.connect(self.port) as s:
                            s.sendall(b'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx')
                            with contextlib.suppress(ConnectionError):
                                s.recv(65536)
            if check.get('type') == 'http':
                rig.wait_until(lambda: bal.backend(one.address)['check']['failed'] > 5, 'failed checks')
            pool = bal.get()['pools'][0]
            self.assertEqual((pool['protection']['failures'], pool['protection']['activations'], pool['unavailable_total']),
                             (0, {'timeout_or_refused_storm': 0, 'all_backends_unavailable': 0}, 0), (protocol, check))


if __name__ == '__main__':
    rig.main()
