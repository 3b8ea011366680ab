#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Connects that fail at once, and many clients: each failure is one step of a session that waits, whoever woke it, and
never more than its share of the processor.

In a network of its own. A backend at AWAY is one to which there is no way while the fault lasts.
"""

import collections
import contextlib
import itertools
import os
import socket
import threading
import time

import rig
import web

AWAY, B = '10.9.0.1:20002', '127.0.0.3:20002'
PORTS, SLOTS = 6, 2
CROWD, FEW = 1000, 250  # at once; 1024 of a frontend may wait
WAVES = 10 if rig.FULL else 1
WHY_NOT = NO_NFT = None
CHECKS = {'type': 'tcp', 'interval': '200ms'}
NO_CHECKS = {'type': 'none'}


def few_ports(n):
    """For connects without an address of their own: n ports."""
    with open('/proc/sys/net/ipv4/ip_local_port_range', 'w', encoding='ascii') as f:
        f.write(f'40000 {40000 + n - 1}')


def away_comes():
    rig.ip('addr', 'add', f'{AWAY.split(":")[0]}/32', 'dev', 'lo')


def away_goes():
    rig.ip('addr', 'del', f'{AWAY.split(":")[0]}/32', 'dev', 'lo')


class Server:
    """Answers with its name and closes; each answer waits for the gate, which is open at first. The end of a body is
    the end of the connection, so that bal has none in TIME_WAIT; not if its length is told."""

    def __init__(self, test, name, address, tells_length=False):
        self.name, self.address, self.gate, self.listener = name, address, threading.Event(), None
        self.length = f'Content-Length: {len(name)}\r\n' if tells_length else ''
        self.gate.set()
        test.addCleanup(self.close)

    def open(self):
        """Returns itself: it listens, and address says where."""
        if self.address.startswith('unix:'):
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(self.address[5:])
        else:
            host, port = self.address.split(':')
            self.listener = socket.socket()
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.listener.setsockopt(socket.IPPROTO_IP, 15, 1)  # IP_FREEBIND: the address may come and go
            self.listener.bind((host, int(port)))
        self.listener.listen(1024)
        threading.Thread(target=self._run, args=(self.listener,), daemon=True).start()
        return self

    def close(self):
        self.gate.set()
        if self.listener:
            with contextlib.suppress(OSError):
                self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()
            self.listener = None
            if self.address.startswith('unix:'):
                os.unlink(self.address[5:])

    def _run(self, listener):
        while True:
            try:
                s, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(s,), daemon=True).start()

    def _serve(self, s):
        with s, contextlib.suppress(OSError):
            while not (part := s.recv(4096)).endswith(b'\r\n\r\n'):
                if not part:
                    return
            self.gate.wait(60)
            s.sendall(f'HTTP/1.1 200 OK\r\nConnection: close\r\n{self.length}\r\n{self.name}'.encode())


# protocol, checks, workers: all eight when there is time, else each with each other once
COMBINATIONS = list(itertools.product(('tcp', 'http'), (NO_CHECKS, CHECKS), (1, 2))) if rig.FULL else [
    ('tcp', NO_CHECKS, 1), ('tcp', CHECKS, 2), ('http', NO_CHECKS, 2), ('http', CHECKS, 1)]


class Case(rig.FlowTest):
    def setUp(self):
        super().setUp()
        if WHY_NOT:
            self.skipTest(WHY_NOT)

    def config(self, servers, protocol='tcp', frontend=None, workers=2, **keys):
        self.port = rig.free_port()
        return rig.document(rig.pool('p', self.port, servers, frontend={
            'protocol': protocol, 'overload_policy': 'queue', 'queue_timeout': '60s', **(frontend or {})}, **keys),
            workers=workers)

    def spent(self, bal, seconds, most, what):
        """It does not spin: the share of a processor that it uses, for a while."""
        cpu, start = bal.cpu_ns(), time.monotonic()
        time.sleep(seconds)
        share = (bal.cpu_ns() - cpu) / 1e9 / (time.monotonic() - start)
        print(f'{what}: {100 * share:.1f} % of a processor')
        self.assertLess(share, most * rig.SLOW, what)

    def assert_served(self, visits, n=None):
        self.assertEqual(dict(collections.Counter(v.outcome for v in visits)), {'answered': n or len(visits)})

    def check_after(self, bal):
        self.assertTrue(bal.alive())
        self.assert_idle(bal)
        self.assert_sessions_balance(bal)
        self.assertEqual(bal.get()['frontends'][0]['waiting'], 0)

class NoPorts(Case):
    def setUp(self):
        super().setUp()
        with open('/proc/sys/net/ipv4/ip_local_port_range', encoding='ascii') as f:
            before = f.read()

        def restore():
            with open('/proc/sys/net/ipv4/ip_local_port_range', 'w', encoding='ascii') as f:
                f.write(before)
        self.addCleanup(restore)
        few_ports(PORTS)

    def test_one_without_ports_one_full(self):
        """All ports to one backend and all slots of the other one are in use, and a crowd waits."""
        one, two = Server(self, 'one', '127.0.0.2:20002').open(), Server(self, 'two', B).open()
        for protocol, check, workers in COMBINATIONS:
            what = f'{protocol}, {check["type"]}, {workers} workers'
            with self.subTest(what):
                bal = self.bal(self.config([one.address, (two.address, {'max_connections': SLOTS})], protocol,
                                           workers=workers, health_check=check))
                for _ in range(WAVES):
                    self.wave(bal, one, two, what)
                self.assertEqual(bal.backend(one.address)['state'], 'up', 'it has done nothing')
                self.assertFalse(bal.protection()['enabled'])
                self.check_after(bal)
                self.assertEqual(bal.finish(), [])

    def wave(self, bal, one, two, what):
        one.gate.clear()
        two.gate.clear()
        crowd = rig.Crowd(self.port, CROWD)
        rig.wait_until(lambda: bal.get()['frontends'][0]['waiting'] >= CROWD - PORTS - SLOTS, 'the crowd to wait')
        self.assertEqual(bal.backend(two.address)['active_connections'], SLOTS)
        self.assertGreaterEqual(bal.backend(one.address)['active_connections'], PORTS - 1)  # a check may have one
        self.spent(bal, 0.3, 0.5, f'{what}, {CROWD} wait')
        start = time.monotonic()
        one.gate.set()
        two.gate.set()
        visits = crowd.end()
        names = collections.Counter(v.name for v in visits)
        print(f'... and are served in {time.monotonic() - start:.2f} s: {dict(names)}')
        self.assert_served(visits, CROWD)
        self.assertEqual(set(names), {'one', 'two'})

    def test_held_until_a_port_is_free(self):
        one = Server(self, 'one', '127.0.0.2:20002').open()
        for protocol in ('tcp', 'http'):
            with self.subTest(protocol=protocol):
                one.gate.clear()
                bal = self.bal(self.config([one.address], protocol, {'overload_policy': 'reject'}, health_check=NO_CHECKS,
                                           hold='30s'))
                first = rig.Crowd(self.port, PORTS)
                rig.wait_until(lambda: bal.backend(one.address)['active_connections'] == PORTS, 'all ports in use')
                late = rig.Crowd(self.port, 20)
                rig.wait_until(lambda: bal.get()['frontends'][0]['waiting'] == 20, 'the others to wait')
                self.spent(bal, 0.3, 0.5, f'{protocol}, 20 wait for a port')
                self.assertEqual(bal.backend(one.address)['state'], 'up')
                self.assertEqual(bal.status()['rejected_total'], 0)
                free = time.monotonic()
                one.gate.set()
                self.assert_served(first.end(), PORTS)
                self.assert_served(late.end(), 20)
                self.assertLess(time.monotonic() - free, 1.0 * rig.SLOW)
                self.check_after(bal)
                bal.finish()

    def test_the_next_request_is_fine(self):
        """One request finds no port, and is told so; the next one on the same connection finds one."""
        one = Server(self, 'one', '127.0.0.2:20002', tells_length=True).open()
        bal = self.bal(self.config([one.address], 'http', health_check=NO_CHECKS, hold='300ms'))
        one.gate.clear()
        crowd = rig.Crowd(self.port, PORTS)
        rig.wait_until(lambda: bal.backend(one.address)['active_connections'] == PORTS, 'all ports in use')
        with web.Client(self.port) as client:
            self.assertEqual(client.ask().status, 503)
            self.assertEqual(bal.get()['pools'][0]['unavailable_total'], 0, 'it was this machine')
            one.gate.set()
            self.assert_served(crowd.end(), PORTS)
            few_ports(2 * PORTS)  # those of before may be in TIME_WAIT
            self.assertEqual(client.ask().status, 200)
            bal.cli('backend', 'maint', one.address, '--yes', check=0)
            self.assertEqual(client.ask().status, 503)
            self.assertEqual(bal.get()['pools'][0]['unavailable_total'], 1, 'not for want of ports this time')
        self.check_after(bal)


class NoWay(Case):
    """Whatever else connect() says at once."""

    def faults(self):
        """(what the kernel says, address of the backend, what begins it, what ends it)"""
        def routed(kind):
            def begin():
                rig.ip('route', 'add', kind, '10.9.0.1')  # it counts while the address is not ours
                away_goes()

            def end():
                away_comes()
                rig.ip('route', 'del', kind, '10.9.0.1')
            return AWAY, begin, end
        yield 'ENETUNREACH', AWAY, away_goes, away_comes
        yield 'EHOSTUNREACH', *routed('unreachable')
        yield 'EACCES', *routed('prohibit')
        yield 'EINVAL', *routed('blackhole')
        if not NO_NFT:
            yield 'rejected', AWAY, lambda: rig.nft(
                'ip daddr 10.9.0.1 tcp flags & (syn|ack) == syn reject with icmp admin-prohibited'), rig.nft
        yield 'ECONNREFUSED', AWAY, self.one.close, self.one.open
        unix = Server(self, 'one', f'unix:{self.dir}/one.sock')
        yield 'ENOENT', unix.address, unix.close, unix.open

    def setUp(self):
        super().setUp()
        away_comes()
        self.addCleanup(away_goes)
        self.one, self.two = Server(self, 'one', AWAY).open(), Server(self, 'two', B).open()

    def test_one_fails_one_is_full(self):
        for word, address, begin, end in self.faults():
            begin()
            for protocol, check, workers in COMBINATIONS:
                what = f'{word}, {protocol}, {check["type"]}, {workers} workers'
                with self.subTest(what):
                    self.two.gate.clear()
                    bal = self.bal(self.config([address, (B, {'max_connections': SLOTS})], protocol, workers=workers,
                                               health_check=check))
                    crowd = rig.Crowd(self.port, FEW)
                    rig.wait_until(lambda: bal.get()['frontends'][0]['waiting'] >= FEW - SLOTS, 'the crowd to wait')
                    self.spent(bal, 0.2, 0.5, what)
                    self.two.gate.set()
                    visits = crowd.end()
                    self.assert_served(visits, FEW)
                    self.assertEqual({v.name for v in visits}, {'two'})
                    self.assertNotEqual(bal.backend(address)['state'], 'up')
                    self.check_after(bal)
                    self.assertEqual(bal.finish(), [])
            end()

    def test_a_lone_one_heals(self):
        """Clients wait, few connects go out, and it is used as soon as it can be."""
        for word, address, begin, end in self.faults():
            for protocol, check in (('tcp', NO_CHECKS), ('http', CHECKS)):
                begin()
                with self.subTest(f'{word}, {protocol}'):
                    bal = self.bal(self.config([address], protocol, health_check=check))
                    crowd = rig.Crowd(self.port, FEW)
                    rig.wait_until(lambda: bal.get()['frontends'][0]['waiting'] == FEW, 'the crowd to wait')
                    self.spent(bal, 0.4, 0.5, f'{word}, {protocol}, {FEW} wait')
                    back = time.monotonic()
                    end()
                    visits = crowd.end()
                    self.assert_served(visits, FEW)
                    used = min(v.start + v.took for v in visits) - back
                    print(f'{word}, {protocol}: used again after {1000 * used:.0f} ms')
                    self.assertLess(used, 0.3 * rig.SLOW)
                    self.assertEqual(bal.status()['rejected_total'], 0)
                    self.check_after(bal)
                    self.assertEqual(bal.finish(), [])


if __name__ == '__main__':
    WHY_NOT = rig.own_namespaces()
    NO_NFT = WHY_NOT or rig.why_no_nft()
    if NO_NFT and not WHY_NOT:
        print(f'without what a firewall rejects: {NO_NFT}')
    rig.main()
