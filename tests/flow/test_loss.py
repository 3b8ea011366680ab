#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Packets are lost on the way to backends: a lost SYN makes a connect slow, and says nothing about the backend.

In a network of its own, where nft drops what a test says. The kernel repeats a SYN after a second.
"""

import collections
import contextlib
import socket
import threading
import time

import rig
import web

NO_CHECKS = {'type': 'none'}
PROTOCOLS = ('tcp', 'http')
BACK = 9000  # the port of backends; rig.free_port() begins above
SYN = 'tcp flags & (syn|ack) == syn'
BACKS = 6
RATE = 750
SECONDS = 10 if rig.FULL else 2
SYN_BYTES = 60
REPEAT_S = 1.0
WHY_NOT = None


def drop_first(host, n=1):
    """A rule that drops the first n SYNs to this host, and nothing from then on."""
    return f'ip daddr {host} tcp dport {BACK} {SYN} quota until {n * SYN_BYTES} bytes drop'


def drop_all(host):
    return f'ip daddr {host} tcp dport {BACK} {SYN} drop'


class Case(rig.FlowTest):
    def setUp(self):
        super().setUp()
        if WHY_NOT:
            self.skipTest(WHY_NOT)
        rig.nft()
        self.addCleanup(rig.nft)

    def config(self, servers, protocol='tcp', frontend=None, **keys):
        self.port = rig.free_port()
        more = {'workers': keys.pop('workers')} if 'workers' in keys else {}
        return rig.document(rig.pool('p', self.port, servers, frontend={'protocol': protocol, **(frontend or {})}, **keys),
                            **more)

    def host(self, n):
        """Its address, where a backend of that number answers."""
        host = f'127.0.2.{n + 1}'
        self.backend(f's{n}', address=f'{host}:{BACK}')
        return host

    def visit_once(self):
        """(who answered, seconds)"""
        start = time.monotonic()
        name = rig.get(self.port)
        return name, time.monotonic() - start

    def check_after(self, bal):
        self.assertTrue(bal.alive())
        self.assert_idle(bal)
        self.assert_sessions_balance(bal)


class Random(Case):
    """Some of all SYNs, with the defaults. Each visit is a connect: others work while one has lost a packet."""

    def lose(self, percent, nginxes, protocol):
        bal = self.bal(self.config([nginx.address for nginx in nginxes], protocol))
        rig.wait_until(lambda: all(b['check']['passed'] for b in bal.get()['backends']), 'a check of each')
        rig.nft(f'tcp dport {BACK}-{BACK + BACKS - 1} {SYN} numgen random mod 100 < {percent} drop')
        visitors = self.visit(self.port, RATE)
        time.sleep(SECONDS)
        visits = visitors.end_visits()
        rig.nft()
        took = sorted(v.took for v in visits)
        print(f'{percent} %, {len(nginxes)}, {protocol}: {len(visits)} visits, p99 {took[len(took) * 99 // 100]:.2f} s, '
              f'worst {took[-1]:.2f} s')
        self.assertEqual(collections.Counter(v.outcome for v in visits), {'answered': len(visits)})
        self.assertEqual([record['fields'] for record in bal.events('backend_state')], [], 'it is not their fault')
        self.assertEqual({count for b in bal.get()['backends'] for count in b['counters'].values()}, {0})
        self.assertEqual(set(bal.protection()['activations'].values()), {0})
        self.assertEqual(bal.status()['rejected_total'], 0)
        self.check_after(bal)
        self.assertEqual(bal.finish(), [])

    def test_some(self):
        nginxes = [self.nginx(BACK + i, f's{i}', extra='keepalive_timeout 0;') for i in range(BACKS)]
        for percent in (2, 10):
            for n in (1, 2, BACKS):
                for protocol in PROTOCOLS:
                    with self.subTest(f'{percent} %, {n}, {protocol}'):
                        self.lose(percent, nginxes[:n], protocol)


class First(Case):
    """Exactly the first SYN, or the first few."""

    def test_a_lone_backend(self):
        host = self.host(0)
        for protocol in PROTOCOLS:
            with self.subTest(protocol):
                bal = self.bal(self.config([f'{host}:{BACK}'], protocol, health_check=NO_CHECKS, connect_timeout='300ms'))
                rig.nft(drop_first(host))
                name, took = self.visit_once()
                print(f'{protocol}: {took:.3f} s')
                self.assertEqual(name, 's0')
                self.assertGreater(took, 0.9 * REPEAT_S)
                self.assertLess(took, REPEAT_S + 0.4 * rig.SLOW)
                self.assertEqual(bal.status()['rejected_total'], 0)
                self.assertEqual(bal.state(f'{host}:{BACK}'), 'up')
                rig.nft()
                self.check_after(bal)
                self.assertEqual(bal.finish(), [])

    def test_another_one_serves_meanwhile(self):
        one, two = self.host(0), self.host(1)
        for protocol in PROTOCOLS:
            with self.subTest(protocol):
                bal = self.bal(self.config([f'{one}:{BACK}', f'{two}:{BACK}'], protocol, {'algorithm': 'first'},
                                           health_check=NO_CHECKS, connect_timeout='300ms'))
                fds = bal.fds() + (protocol == 'http')  # a connection that rests
                rig.nft(drop_first(one))
                name, took = self.visit_once()
                print(f'{protocol}: {took:.3f} s, by {name}')
                self.assertEqual(name, 's1')
                self.assertGreater(took, 0.25)
                self.assertLess(took, 0.3 + 0.3 * rig.SLOW)
                rig.nft()
                self.check_after(bal)
                rig.wait_until(lambda: bal.fds() <= fds, f'the late connect to be closed: {fds} before', 3)
                time.sleep(REPEAT_S)  # the SYN is not repeated
                self.assertEqual(bal.backend(f'{one}:{BACK}')['active_connections'], 0)
                rig.wait_until(lambda: bal.fds() <= fds, f'nothing to be opened again: {fds} before', 3)
                self.assertEqual(bal.finish(), [])

    def test_a_resting_connection_serves_meanwhile(self):
        """The late connect is given up then: its answer comes in the middle of another backend's response."""
        one, node = self.host(0), web.Node(self, port=BACK + BACKS)
        bal = self.bal(self.config([f'{one}:{BACK}', node.address], 'http', {'algorithm': 'first'}, workers=1,
                                   health_check=NO_CHECKS, connect_timeout='300ms'))
        bal.cli('backend', 'maint', f'{one}:{BACK}', '--yes', check=0)
        with web.Client(self.port) as client:
            self.assertEqual(client.ask().status, 200)
        self.assert_idle(bal)
        bal.cli('backend', 'enable', f'{one}:{BACK}', check=0)
        rig.nft(drop_first(one))
        with web.Client(self.port) as client:
            answer = client.ask(target='/slow?ms=1500')
            self.assertEqual((answer.status, node.counts()['requests']), (200, 2))
            self.assertEqual(bal.backend(f'{one}:{BACK}')['active_connections'], 0)
            self.assertEqual(client.ask().status, 200)
        self.check_after(bal)

    def test_both_are_slow(self):
        """The first one answers late, the second one never; or the other way round."""
        one, two = self.host(0), self.host(1)
        for protocol in PROTOCOLS:
            for first, rules in (('s0', (drop_first(one), drop_all(two))), ('s1', (drop_all(one), drop_first(two)))):
                with self.subTest(f'{protocol}, {first}'):
                    bal = self.bal(self.config([f'{one}:{BACK}', f'{two}:{BACK}'], protocol, {'algorithm': 'first'},
                                               health_check=NO_CHECKS, connect_timeout='300ms'))
                    fds = bal.fds()
                    rig.nft(*rules)
                    name, took = self.visit_once()
                    print(f'{protocol}: {took:.3f} s, by {name}')
                    self.assertEqual(name, first)
                    self.assertLess(took, 0.3 + REPEAT_S + 0.4 * rig.SLOW)
                    self.assertEqual(bal.status()['rejected_total'], 0)
                    rig.nft()
                    self.check_after(bal)
                    rig.wait_until(lambda: bal.fds() <= fds + (protocol == 'http'), f'all to be closed: {fds} before', 3)
                    self.assertEqual(bal.finish(), [])

    def test_many_at_once(self):
        """A crowd whose SYNs are lost at first: all wait, none is lost."""
        hosts = [self.host(0), self.host(1)]
        for n in (1, 2):
            with self.subTest(n):
                bal = self.bal(self.config([f'{host}:{BACK}' for host in hosts[:n]], health_check=NO_CHECKS))
                rig.nft(*(drop_first(host, 60) for host in hosts))
                visits = rig.Crowd(self.port, 400).end()
                self.assertEqual(collections.Counter(v.outcome for v in visits), {'answered': 400})
                print(f'{n}: the last one after {max(v.took for v in visits):.2f} s')
                rig.nft()
                self.check_after(bal)
                self.assertEqual(bal.finish(), [])


class Backlog(Case):
    def test_a_short_one(self):
        """A backend that takes one connection at a time and lets five wait; the kernel drops the SYNs of the others."""
        for protocol in PROTOCOLS:
            with self.subTest(protocol), contextlib.closing(self.serial()):
                bal = self.bal(self.config([f'127.0.3.1:{BACK}'], protocol))
                for turn in (1, 2):
                    visits = in_turn(self.port, 10, 400)
                    took = sorted(v.took for v in visits)
                    print(f'{protocol}, {turn}: p99 {took[len(took) * 99 // 100]:.2f} s, worst {took[-1]:.2f} s')
                    self.assertEqual(collections.Counter(v.outcome for v in visits), {'answered': 400})
                self.assertEqual(bal.status()['rejected_total'], 0)
                self.assertFalse(bal.protection()['enabled'])
                self.check_after(bal)
                self.assertEqual(bal.finish(), [])

    def serial(self):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(('127.0.3.1', BACK))
        listener.listen(5)

        def run():
            while True:
                try:
                    s, _ = listener.accept()
                except OSError:
                    return
                with s, contextlib.suppress(OSError):
                    if s.recv(4096):
                        time.sleep(0.001)
                        s.sendall(b'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nserial')
        threading.Thread(target=run, daemon=True).start()
        return _Listener(listener)


class _Listener:
    def __init__(self, listener):
        self.listener = listener

    def close(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def in_turn(port, clients, n):
    """[Visit]: so many clients at a time, and so many visits altogether."""
    visits, turns = [], iter(range(n))

    def run():
        while next(turns, None) is not None:
            start, name = time.monotonic(), '-'
            try:
                name, outcome = rig.get(port, timeout=20), 'answered'
            except OSError as error:
                outcome = repr(error)
            visits.append(rig.Visit(start, time.monotonic() - start, outcome, name))
    threads = [threading.Thread(target=run) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return visits


if __name__ == '__main__':
    WHY_NOT = rig.own_namespaces() or rig.why_no_nft()
    rig.main()
