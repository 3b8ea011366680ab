#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Active checks: what is asked, what counts as healthy, what a verdict does."""

import contextlib
import socket
import time

import rig

HTTP = {'type': 'http', 'interval': '100ms', 'timeout': '300ms', 'unhealthy_threshold': 2, 'healthy_threshold': 1}


class Checks(rig.FlowTest):
    def stage(self, servers, check, **keys):
        self.port = rig.free_port()
        return self.bal(rig.document(rig.pool('p', self.port, servers, health_check=check, **keys)))

    def test_what_is_asked(self):
        door = self.door()
        self.stage([door.address], {**HTTP, 'path': '/is/it?up=1', 'host': 'www.example'})
        rig.wait_until(lambda: len(door.requests) >= 4, 'four checks')
        _, path, head = door.requests[-1]
        self.assertEqual(path, '/is/it?up=1')
        lines = head.split('\r\n')
        self.assertRegex(lines[0], r'^GET /is/it\?up=1 HTTP/1\.[01]$')
        self.assertIn('host: www.example', [line.lower() for line in lines])
        self.assertIn('connection: close', [line.lower() for line in lines])
        times = [when for when, _, _ in door.requests]
        gaps = [b - a for a, b in zip(times, times[1:])][1:]  # the second comes at its own place in the interval
        self.assertGreater(min(gaps), 0.04)

    def test_the_host_is_the_backends_own_by_default(self):
        door = self.door()
        self.stage([door.address], HTTP)
        rig.wait_until(lambda: door.requests, 'a check')
        self.assertIn(f'host: {door.address}', door.requests[0][2].lower())
        self.assertEqual(door.requests[0][1], '/')

    def test_statuses(self):
        """A status, a range, and a list of both; traffic asks for another path all the time."""
        doors = {status: self.door(f'd{status}') for status in (200, 204, 301, 404, 429, 500, 503)}
        for status, door in doors.items():
            door.status['/health'] = status
        for expected, good in ((200, {200}), ('200-399', {200, 204, 301}), ([200, 429], {200, 429}),
                               (['200-299', 404], {200, 204, 404})):
            bal = self.stage([door.address for door in doors.values()],
                             {**HTTP, 'path': '/health', 'expected_status': expected, 'unhealthy_threshold': 1})
            rig.wait_until(lambda: all(b['check']['passed'] + b['check']['failed'] for b in bal.get()['backends']),
                           'every first check')
            states = {status: bal.backend(door.address) for status, door in doors.items()}
            self.assertEqual({status for status, b in states.items() if b['state'] == 'up'}, good, expected)
            for status, backend in states.items():
                if status not in good:
                    self.assertEqual((backend['state'], backend['reason']), ('down', 'http_status'))
                    self.assertIn(str(status), backend['reason_text'])
            names = {rig.get(self.port) for _ in range(2 * len(good))}
            self.assertEqual(names, {f'd{status}' for status in good}, expected)

    def test_503_and_back(self):
        sick, well = self.door('sick'), self.door('well')
        bal = self.stage([sick.address, well.address], {**HTTP, 'path': '/health', 'unhealthy_threshold': 3,
                                                        'healthy_threshold': 2})
        rig.wait_until(lambda: len(sick.asked('/health')) >= 1, 'a check')
        self.assertEqual({rig.get(self.port) for _ in range(4)}, {'sick', 'well'})
        sick.status['/health'] = 503
        told = time.monotonic()
        bal.wait_state(sick.address, 'down')
        self.assertGreater(time.monotonic() - told, 0.15, 'three in a row')
        backend = bal.backend(sick.address)
        self.assertEqual(backend['check']['last_result'], 'http_status')
        self.assertIn('503', backend['reason_text'])
        self.assertIn('3 times', backend['reason_text'])
        self.assertEqual((backend['check']['fall'], backend['check']['rise']), (3, 2))
        self.assertIn('503', bal.cli('status', check=0).stdout)
        came = len(sick.asked('/'))
        self.assertEqual({rig.get(self.port) for _ in range(10)}, {'well'})
        self.assertEqual(len(sick.asked('/')), came)
        down = [r['fields'] for r in bal.events('backend_state') if r['fields']['to'] == 'down']
        self.assertEqual([(f['backend'], f['reason']) for f in down], [(sick.address, 'http_status')])
        sick.status['/health'] = 200
        told = time.monotonic()
        bal.wait_state(sick.address, 'up')
        self.assertGreater(time.monotonic() - told, 0.05, 'two in a row')
        self.assertEqual({rig.get(self.port) for _ in range(4)}, {'sick', 'well'})
        self.assertEqual(bal.backend(sick.address)['state_changes'], 2)
        self.assertIsNone(bal.backend(sick.address)['reason'])

    def test_what_is_no_answer(self):
        """Silence, rubbish, a hang-up, too much: each has its word, none harms."""
        rubbish = rig.serve(self, lambda s: s.sendall(b'SSH-2.0-OpenSSH_9\r\n'))
        hang_up = rig.serve(self, lambda s: s.recv(1000))
        flood = rig.serve(self, lambda s: [s.sendall(b'HTTP/1.1 200 OK\r\n' + b'X: y\r\n' * 200) for _ in range(100)])
        drip = rig.serve(self, lambda s: [(s.sendall(b'H'), time.sleep(0.05)) for _ in range(40)])
        lone_lf = rig.serve(self, lambda s: s.sendall(b'HTTP/1.1 200 OK\nContent-Length: 0\n\n'))
        cut = rig.serve(self, lambda s: (s.recv(1000), s.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n')))
        silent = self.door('silent')
        silent.status['/'] = None
        closed = f'127.0.0.1:{rig.free_port()}'
        expected = {rubbish: ('http_invalid',), hang_up: ('closed',), drip: ('timeout', 'http_invalid'),
                    silent.address: ('timeout',), closed: ('refused',), lone_lf: ('http_invalid',), cut: ('closed',)}
        bal = self.stage([*expected, flood], HTTP)
        for address, words in expected.items():
            bal.wait_state(address, 'down')
            self.assertIn(bal.backend(address)['reason'], words, address)
        rig.wait_until(lambda: bal.backend(flood)['check']['passed'] + bal.backend(flood)['check']['failed'] > 2,
                       'checks of the flood')
        self.assertTrue(bal.get()['running'])
        why = 'invalid HTTP: a LF without CR before it'
        self.assertIn(why, bal.backend(lone_lf)['reason_text'])
        self.assertIn(why, bal.cli('status', check=0).stdout)
        self.assertIn(why, {r['fields']['text'] for r in bal.events('backend_state') if r['fields']['backend'] == lone_lf})

    def test_a_check_and_a_client_read_alike(self):
        """What gives each client a 502 is no healthy backend, whatever its status line says."""
        heads = {b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok': 'more than one Content-Length',
                 b'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nok': 'transfer coding',
                 b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nA: ' + 60000 * b'a' + b'\r\n\r\nok': 'too long',
                 b'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n': '101',
                 b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nA: ' + 50000 * b'a' + b'\r\n\r\nok': None}
        for head, why in heads.items():
            server = rig.serve(self, lambda s, head=head: (s.recv(1000), s.sendall(head), s.recv(1)))
            bal = self.stage([server], {**HTTP, 'expected_status': '100-599'}, frontend={'protocol': 'http'})
            rig.wait_until(lambda: bal.backend(server)['check']['last_result'], 'a check')
            with rig.connect(self.port) as s:
                s.sendall(b'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
                status = int(rig.read_all(s).split()[1])
            self.assertEqual(status, 502 if why else 200, head[:80])
            if why:
                bal.wait_state(server, 'down')
                self.assertIn(why, bal.backend(server)['reason_text'])
                self.assertIn(why, bal.cli('doctor', '--only', 'backend').stdout)
            else:
                self.assertEqual(bal.state(server), 'up')

    def test_a_port_of_its_own(self):
        """The traffic's port is well; whether the backend serves is asked elsewhere."""
        web, health = self.backend('web'), self.door('health')
        health.status['/ready'] = 503
        bal = self.stage([web.address], {**HTTP, 'path': '/ready', 'port': health.port})
        bal.wait_state(web.address, 'down')
        # the last hope: nobody else is there, so the sick one is tried, and its answer proves nothing
        self.assertEqual(rig.get(self.port), 'web')
        self.assertEqual(rig.get(self.port), 'web')
        time.sleep(0.3)
        self.assertEqual(bal.state(web.address), 'down', 'the check has the word')
        self.assertFalse(bal.protection()['enabled'])
        health.status['/ready'] = 200
        bal.wait_state(web.address, 'up')
        self.assertEqual(health.asked('/'), [])

    def test_last_hope_finds_one_that_is_back(self):
        """With slow checks a client is the first to find out, and what it proves is what a check would."""
        door = self.door()
        bal = self.stage([door.address], {'type': 'tcp', 'interval': '100ms', 'timeout': '300ms',
                                          'unhealthy_interval': '30s', 'unhealthy_threshold': 2},
                         failover={'cooldown': '1ms', 'backoff_initial': '1ms', 'backoff_max': '1ms'})
        rig.wait_until(lambda: bal.backend(door.address)['check']['passed'], 'a first check')
        door.close()
        bal.wait_state(door.address, 'down')
        self.assertEqual(bal.backend(door.address)['check']['interval_ms'], 30000)
        door.open()
        self.assertEqual(rig.get(self.port), 'door')
        rig.wait_until(lambda: bal.state(door.address) == 'up', 'it to be up at once', 1)

    def test_faster_checks_while_down(self):
        door = self.door()
        bal = self.stage([door.address], {'type': 'tcp', 'interval': '1s', 'timeout': '300ms',
                                          'unhealthy_interval': '100ms', 'unhealthy_threshold': 1})
        rig.wait_until(lambda: bal.backend(door.address)['check']['passed'], 'a first check')
        self.assertEqual(bal.backend(door.address)['check']['interval_ms'], 1000)
        door.close()
        bal.wait_state(door.address, 'down')
        self.assertEqual(bal.backend(door.address)['check']['interval_ms'], 100)
        opened = door.open()
        bal.wait_state(door.address, 'up')
        self.assertLess(time.monotonic() - opened, 0.1 + 0.05 * rig.SLOW + 0.05)

    def test_a_unix_backend_is_checked(self):
        web = self.backend('web', address=f'unix:{self.dir}/web.sock')
        bal = self.stage([web.address], HTTP)
        rig.wait_until(lambda: bal.backend(web.address)['check']['passed'] > 1, 'good checks')
        web.end()
        bal.wait_state(web.address, 'down')
        self.backend('web', address=web.address)
        bal.wait_state(web.address, 'up')

    def test_on_marked_down(self):
        """A primary database fails over: whoever holds a connection to it shall come back elsewhere."""
        for what in ('close', 'keep'):
            sick, well, health = self.echo('sick'), self.echo('well'), {}
            doors = [self.door('sick'), self.door('well')]
            port = rig.free_port()
            # one pool per check port: each server's health is asked at its own door
            bal = self.bal(rig.document(
                rig.pool('sick', port, [sick.address], on_marked_down=what,
                         health_check={**HTTP, 'path': '/primary', 'port': doors[0].port}),
                rig.pool('well', rig.free_port(), [well.address], on_marked_down=what,
                         health_check={**HTTP, 'path': '/primary', 'port': doors[1].port})))
            rig.wait_until(lambda: bal.backend(sick.address)['check']['passed'], 'a first check')
            held = self.hold(port, 200)
            others = self.hold(int(bal.get()['frontends'][1]['listen'][0].rsplit(':', 1)[1]), 20)
            doors[0].status['/primary'] = 503
            bal.wait_state(sick.address, 'down')
            down = time.monotonic()
            if what == 'close':
                rig.wait_until(lambda: len(held.ended()) == 200, 'their end', 3)
                self.assertLess(held.ended()[-1] - down, 0.5 * rig.SLOW, 'at once')
                self.assertEqual(bal.get()['closed']['marked_down'], 200)
            else:
                time.sleep(0.5)
                self.assertEqual(held.ended(), [])
                self.assertEqual(held.ping(), 200)
                self.assertEqual(bal.get()['closed']['marked_down'], 0)
            self.assertEqual(others.ping(), 20)
            held.end()
            others.end()
            self.assert_idle(bal)
            self.assert_sessions_balance(bal)

    def test_who_still_connects_fails_over(self):
        """on_marked_down: close is for established sessions; who only waits for an answer goes elsewhere."""
        port, good = rig.free_port(), self.echo('good')
        full = socket.socket()
        self.addCleanup(full.close)
        full.bind(('127.0.0.1', 0))
        full.listen(0)
        for _ in range(4):  # its queue is full: connects hang
            s = socket.socket()
            self.addCleanup(s.close)
            s.setblocking(False)
            s.connect_ex(full.getsockname())
        hung = f'127.0.0.1:{full.getsockname()[1]}'
        bal = self.bal(rig.document(rig.pool(
            'p', port, [hung, good.address], 'first', frontend={'tcp': {'connect_timeout': '3s'}}, on_marked_down='close',
            health_check={'type': 'tcp', 'interval': '300ms', 'timeout': '250ms', 'unhealthy_threshold': 2})))
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(rig.connect(port)) for _ in range(20)]
            for s in clients:
                s.sendall(b'x')
            bal.wait_state(hung, 'down')
            for s in clients:
                self.assertEqual(s.recv(1), b'x')
        self.assertEqual(bal.get()['closed']['marked_down'], 0)

    def test_no_checks(self):
        """Nothing is marked down then; the cooldown does it all."""
        port, dead, web = rig.free_port(), f'127.0.0.1:{rig.free_port()}', self.backend('web')
        bal = self.bal(rig.document(rig.pool('p', port, [dead, web.address], health_check={'type': 'none'})))
        self.assertEqual(self.knock(port, 100)['answered'], 100)
        time.sleep(0.3)
        backend = bal.backend(dead)
        self.assertEqual((backend['state'], backend['check']['type'], backend['check']['last_result']),
                         ('cool', 'none', None))
        self.assertIsNone(backend['check']['last_time'])
        self.assertEqual(backend['state_changes'], 0)


if __name__ == '__main__':
    rig.main()
