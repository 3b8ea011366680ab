#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""No backend can take a client now: it waits for the first that comes back, and no longer than it shall."""

import contextlib
import socket
import struct
import threading
import time

import rig
import web

NO_CHECKS = {'type': 'none'}
PROTOCOLS = ('tcp', 'http')
AWAY_S = 0.5


def config(port, servers, protocol='tcp', frontend=None, **keys):
    keys = {'health_check': NO_CHECKS, **keys}
    more = {k: keys.pop(k) for k in ('log_level',) if k in keys}
    return rig.document(rig.pool('p', port, servers, frontend={'protocol': protocol, **(frontend or {})}, **keys), **more)


class Case(rig.FlowTest):
    def setUp(self):
        super().setUp()
        self.clients = []

    def waiting(self, bal):
        return bal.get()['frontends'][0]['waiting']

    def wait_waiting(self, bal, n, timeout=5.0):
        rig.wait_until(lambda: self.waiting(bal) == n, f'{n} that wait', timeout)

    def knocker(self, port, method='GET'):
        """A client that has asked, and waits for its answer."""
        client = web.Client(port)
        self.addCleanup(client.close)
        self.clients.append(client)
        client.request(method, '/', ['Connection: close'], body=b'some' if method == 'POST' else None)
        return client

    def check_after(self, bal):
        for client in self.clients:
            client.close()
        self.assert_idle(bal)
        self.assert_sessions_balance(bal)
        self.assertEqual(self.waiting(bal), 0)


class Restart(Case):
    def test_a_lone_backend_restarts(self):
        """With and without checks, over and over: nobody is turned away, and it is used at once."""
        for protocol in PROTOCOLS:
            for check in (NO_CHECKS, {'type': 'tcp', 'interval': '100ms', 'unhealthy_threshold': 1}):
                with self.subTest(protocol=protocol, check=check['type']):
                    port, door = rig.free_port(), self.door()
                    bal = self.bal(config(port, [door.address], protocol, health_check=check))
                    visitors = self.visit(port, 200)
                    rig.wait_until(lambda: len(visitors.visits()) > 20, 'some visits')
                    opened, closes = [], []
                    for _ in range(2):
                        closes.append((time.monotonic(), door.close()))
                        time.sleep(AWAY_S)
                        opened.append(door.open())
                        time.sleep(0.5)
                    visits = visitors.end_visits()
                    # of TCP, what is in the queue of the listener in the moment in which it is closed is reset
                    lost = [v for v in visits if v.outcome != 'answered' and not (protocol == 'tcp' and any(
                        v.start < gone and shut - 0.05 < v.start + v.took for shut, gone in closes))]
                    self.assertEqual(lost, [])
                    used = [min(v.start + v.took for v in visits if v.start + v.took > at) - at for at in opened]
                    print(f'{protocol}: {len(visits)} clients, used again after '
                          f'{", ".join(f"{1000 * s:.0f}" for s in used)} ms')
                    self.assertLess(min(used), 0.05 * rig.SLOW)
                    self.assertFalse(bal.events('protection_on'), 'a restart is no reason for it')
                    self.assertEqual(bal.status()['rejected_total'], 0)
                    self.check_after(bal)

    def test_while_it_is_away_it_is_left_alone(self):
        """A crowd waits, and yet few connects go out: at most one each 10 ms, and less as time goes by."""
        port, door = rig.free_port(), self.door()
        bal = self.bal(config(port, [door.address]))
        self.assertEqual(rig.get(port), 'door')
        door.close()
        visitors = self.visit(port, 500)
        time.sleep(1.5)
        refused = bal.backend(door.address)['counters']['refused']
        door.open()
        visits = visitors.end_visits()
        print(f'{refused} refused connects in 1.5 s with 500 clients a second')
        self.assertLess(refused, 100)
        self.assertGreater(refused, 5)
        self.assertEqual({visit.outcome for visit in visits}, {'answered'})
        self.check_after(bal)

    def test_a_request_that_was_under_way(self):
        """It was at the backend when that died: sent once more, to the one that comes back."""
        port, web_port = rig.free_port(), rig.free_port()
        node = web.Node(self, port=web_port)
        bal = self.bal(config(port, [node.address], 'http'))
        with web.Client(port) as asks, web.Client(port) as posts:
            asks.request('GET', '/slow?ms=60000')
            posts.request('POST', '/slow?ms=60000', body=b'once')
            rig.wait_until(lambda: node.counts()['requests'] == 2, 'both to be there')
            node.end()
            self.assertEqual(posts.answer().status, 502, 'a POST is never sent twice')
            self.wait_waiting(bal, 1)
            again = web.Node(self, name='again', port=web_port)
            rig.wait_until(lambda: again.counts()['requests'] == 1, 'the first one to come again')
        self.check_after(bal)

    def test_the_herd_comes_bit_by_bit(self):
        """300 clients wait for a backend with a queue of 20."""
        for protocol in PROTOCOLS:
            port = rig.free_port()
            door = self.door(backlog=20)
            bal = self.bal(config(port, [door.address], protocol))
            door.close()
            knockers = [self.knocker(port) for _ in range(300)]
            self.wait_waiting(bal, 300)
            door.open()
            self.assertEqual({client.answer().status for client in knockers}, {200})
            self.check_after(bal)


class HowLong(Case):
    def test_the_end_of_it(self):
        for protocol in PROTOCOLS:
            port, dead = rig.free_port(), f'127.0.0.1:{rig.free_port()}'
            bal = self.bal(config(port, [dead], protocol, hold='600ms'))
            client, start = self.knocker(port), time.monotonic()
            if protocol == 'http':
                answer = client.answer()
                self.assertEqual((answer.status, bool(answer.get('Retry-After'))), (503, True))
            self.assertTrue(client.is_closed())
            took = time.monotonic() - start
            self.assertGreater(took, 0.55)
            self.assertLess(took, 2.0 * rig.SLOW)
            self.check_after(bal)
            self.assertEqual(bal.get()['pools'][0]['unavailable_total'], 1)
            rig.wait_until(lambda: bal.protection()['reason'] == 'all_backends_unavailable', 'protection')
            # a protected pool is waited for as well, and left alone as much
            client = self.knocker(port)
            self.wait_waiting(bal, 1)
            back = self.backend('back', address=dead)
            self.assertIn(b'back', rig.read_all(client.socket))
            back.end()

    def test_without_it_the_last_hope_is_tried_all_the_same(self):
        """hold: 0s. Nobody is turned away for a rest: each client has its try."""
        for protocol in PROTOCOLS:
            port, door = rig.free_port(), self.door()
            bal = self.bal(config(port, [door.address], protocol, hold='0s',
                                  failover={'cooldown': '1h', 'backoff_initial': '1h', 'backoff_max': '1h'}))
            door.close()
            for _ in range(5):
                with contextlib.suppress(ConnectionError):
                    rig.get(port)
            self.assertEqual(bal.backend(door.address)['counters']['refused'], 5)
            self.assertEqual(bal.backend(door.address)['state'], 'cool')
            door.open()
            self.assertEqual(rig.get(port), 'door', 'it rests for an hour, and is all there is')
            self.assertEqual(bal.backend(door.address)['state'], 'up')

    def test_no_more_than_may_wait(self):
        """1024 of one frontend: the others are told at once."""
        port, dead = rig.free_port(), f'127.0.0.1:{rig.free_port()}'
        bal = self.bal(config(port, [dead], hold='60s'))
        with contextlib.ExitStack() as stack:
            waiting = [stack.enter_context(rig.connect(port)) for _ in range(1024)]
            self.wait_waiting(bal, 1024, 10)
            for _ in range(10):
                with rig.connect(port) as s:
                    with contextlib.suppress(ConnectionResetError):
                        self.assertEqual(s.recv(1), b'')
            self.assertEqual(self.waiting(bal), 1024)
            self.backend('back', address=dead)
            for s in waiting:
                s.sendall(b'GET / HTTP/1.0\r\n\r\n')
            for s in waiting:
                self.assertIn(b'back', rig.read_all(s))
        self.check_after(bal)


    def test_clients_that_have_closed_make_room(self):
        """1100 clients of TCP that connect and close: while they fill the list, others find a place in it."""
        port, dead = rig.free_port(), f'127.0.0.1:{rig.free_port()}'
        bal = self.bal(config(port, [dead], hold='60s'))
        for _ in range(1100):
            rig.connect(port).close()
        self.wait_waiting(bal, 1024, 10)
        clients = [self.knocker(port) for _ in range(20)]
        time.sleep(0.2)
        self.assertEqual(self.waiting(bal), 1024)
        self.backend('back', address=dead)
        self.assertEqual({client.answer().status for client in clients}, {200})
        self.check_after(bal)

    def test_the_wait_in_the_queue_does_not_count(self):
        """It waited for a slot for longer than hold; then it wants a backend, and has all of hold for that."""
        port, dead = rig.free_port(), f'127.0.0.1:{rig.free_port()}'
        full = self.echo()
        bal = self.bal(config(port, [full.address], hold='1s', frontend={
            'max_connections': 1, 'overload_policy': 'queue', 'queue_timeout': '60s'}))
        with rig.connect(port) as first:
            first.sendall(b'x')
            self.assertEqual(first.recv(1), b'x')
            late = self.knocker(port)
            self.wait_waiting(bal, 1)
            time.sleep(1.2)
            bal.reload(config(port, [dead], hold='1s', frontend={
                'max_connections': 1, 'overload_policy': 'queue', 'queue_timeout': '60s'}))
        rig.wait_until(lambda: self.waiting(bal) == 1 and bal.get()['frontends'][0]['active_connections'] == 1,
                       'it to wait for a backend')
        self.backend('back', address=dead)
        self.assertEqual(late.answer().status, 200)
        self.check_after(bal)


class Meanwhile(Case):
    def test_the_client_leaves(self):
        for protocol in PROTOCOLS:
            port, dead = rig.free_port(), f'127.0.0.1:{rig.free_port()}'
            bal = self.bal(config(port, [dead], protocol, hold='60s'))
            clients = [self.knocker(port, 'POST') for _ in range(4)]
            self.wait_waiting(bal, 4)
            for client in clients[:2]:
                client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
                client.close()
            self.wait_waiting(bal, 2)
            self.assertEqual(bal.get()['closed']['client_reset'], 2)
            if protocol == 'http':
                clients[2].socket.shutdown(socket.SHUT_WR)
                self.wait_waiting(bal, 1)
                self.assertEqual(bal.get()['closed']['client_gone'], 1)
            else:
                clients[2].socket.shutdown(socket.SHUT_WR)  # of TCP that is a way to ask
                time.sleep(0.2)
                self.assertEqual(self.waiting(bal), 2)
                self.backend('back', address=dead)
                self.assertTrue(rig.read_all(clients[2].socket).startswith(b'HTTP/1.1 405 '))
            self.check_after(bal)

    def test_an_operator_brings_a_backend_back(self):
        for protocol in PROTOCOLS:
            port, door = rig.free_port(), self.door()
            bal = self.bal(config(port, [door.address], protocol, hold='60s'))
            bal.cli('backend', 'maint', door.address, '--yes', check=0)
            client = self.knocker(port)
            self.wait_waiting(bal, 1)
            start = time.monotonic()
            bal.cli('backend', 'enable', door.address, check=0)
            self.assertEqual(client.answer().status, 200)
            self.assertLess(time.monotonic() - start, 2 * rig.SLOW)
            self.check_after(bal)

    def test_a_reload_brings_another_backend(self):
        for protocol in PROTOCOLS:
            port, door, dead = rig.free_port(), self.door(), f'127.0.0.1:{rig.free_port()}'
            bal = self.bal(config(port, [dead], protocol, hold='60s'))
            clients = [self.knocker(port) for _ in range(20)]
            self.wait_waiting(bal, 20)
            bal.reload(config(port, [door.address], protocol, hold='60s'))
            self.assertEqual({client.answer().status for client in clients}, {200})
            self.check_after(bal)

    def test_a_check_marks_it_up(self):
        """The connects of traffic work, so only the check says when: not before it may be used at once."""
        for protocol in PROTOCOLS:
            port, door = rig.free_port(), self.door()
            door.status = {'/health': 503}
            bal = self.bal(config(port, [door.address], protocol, hold='60s', health_check={
                'type': 'http', 'path': '/health', 'interval': '50ms', 'unhealthy_threshold': 1, 'healthy_threshold': 1}))
            bal.wait_state(door.address, 'down')
            # marked down and reachable: the last hope, for all who come, at once
            start = time.monotonic()
            threads = [threading.Thread(target=rig.get, args=(port,)) for _ in range(20)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertLess(time.monotonic() - start, 2 * rig.SLOW)
            self.assertEqual(bal.status()['rejected_total'], 0)
            self.check_after(bal)

    def test_a_stop(self):
        port, dead = rig.free_port(), f'127.0.0.1:{rig.free_port()}'
        for protocol in PROTOCOLS:
            bal = self.bal(config(port, [dead], protocol, hold='800ms'))
            client = self.knocker(port)
            self.wait_waiting(bal, 1)
            bal.kill(rig.signal.SIGTERM)
            if protocol == 'http':
                self.assertEqual(client.answer().status, 503)
            self.assertTrue(client.is_closed())
            self.assertEqual(bal.wait(), 0)

    def test_at_the_limit_of_the_frontend(self):
        """Those that wait have a slot each; with a queue others wait for one."""
        port, dead = rig.free_port(), f'127.0.0.1:{rig.free_port()}'
        bal = self.bal(config(port, [dead], hold='60s', frontend={
            'max_connections': 3, 'overload_policy': 'queue', 'queue_timeout': '60s'}))
        clients = [self.knocker(port) for _ in range(6)]
        self.wait_waiting(bal, 6)
        self.assertEqual(bal.get()['active_connections'], 6)
        self.backend('back', address=dead)
        for client in clients:
            self.assertIn(b'back', client.answer().body)
            client.close()  # gives its slot to the next
        self.check_after(bal)

    def test_full_and_away(self):
        """One backend is full, the other one away; reject and queue, TCP and HTTP."""
        for protocol in PROTOCOLS:
            for policy in ('reject', 'queue'):
                with self.subTest(protocol=protocol, policy=policy):
                    port, door, dead = rig.free_port(), self.door(), f'127.0.0.1:{rig.free_port()}'
                    door.status = {'/': None}
                    bal = self.bal(config(port, [(door.address, {'max_connections': 1}), dead], protocol, frontend={
                        'algorithm': 'first', 'overload_policy': policy, 'queue_timeout': '500ms'}))
                    first = self.knocker(port)
                    rig.wait_until(lambda: bal.backend(door.address)['active_connections'] == 1, 'the first')
                    late, start = self.knocker(port), time.monotonic()
                    if protocol == 'http':
                        self.assertEqual(late.answer().status, 503)
                    self.assertTrue(late.is_closed())
                    self.assertLess(time.monotonic() - start, 3 * rig.SLOW)
                    first.close()
                    self.check_after(bal)


if __name__ == '__main__':
    rig.main()
