#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A pool is dead and a storm of clients comes: how many connects each backend gets.

In a network of its own, where nft counts the connects that arrive. A dead backend refuses, or swallows packets.
"""

import collections
import contextlib
import socket
import time

import rig

NO_CHECKS = {'type': 'none'}
DEATHS = ('refuses', 'silent')
PORTS = {'refuses': 9000, 'silent': 9001}
SYN = 'tcp flags & (syn|ack) == syn'
RATE = 500
WHY_NOT = None


def host(i):
    return f'127.0.2.{i + 1}'


def count_connects(n):
    """A SYN that the kernel repeats is no connect: it has the sequence number of the first one."""
    rules = [f'tcp dport {PORTS["silent"]} {SYN} tcp sport . tcp sequence @seen drop',
             f'tcp dport {PORTS["silent"]} {SYN} add @seen {{ tcp sport . tcp sequence }}']
    objects = ['set seen { typeof tcp sport . tcp sequence; flags dynamic,timeout; size 100000; timeout 1m; }']
    for how in DEATHS:
        for i in range(n):
            objects.append(f'counter {how}{i} {{}}')
            rules.append(f'ip daddr {host(i)} tcp dport {PORTS[how]} {SYN} counter name {how}{i}')
    rig.nft(*rules, f'tcp dport {PORTS["silent"]} {SYN} drop', objects=objects)


class Attempts(rig.FlowTest):
    def setUp(self):
        super().setUp()
        if WHY_NOT:
            self.skipTest(WHY_NOT)
        self.addCleanup(rig.nft)

    def dead_pool(self, how, n, protocol='tcp', **keys):
        """(bal, port)"""
        port = rig.free_port()
        return self.bal(rig.document(rig.pool('p', port, [f'{host(i)}:{PORTS[how]}' for i in range(n)],
                                              frontend={'protocol': protocol}, health_check=NO_CHECKS, **keys))), port

    def rates(self, n, since, counts):
        """{how: the highest number of connects a second to one backend}, since then."""
        now, took = rig.nft_counts(), time.monotonic() - since
        return {how: max(now[f'{how}{i}'] - counts[f'{how}{i}'] for i in range(n)) / took for how in DEATHS}

    def assert_most(self, rates, most):
        for how in DEATHS:
            self.assertLess(rates[how], most[how], how)

    def storm(self, n, seconds, **keys):
        """The rates of the first second, and of the last two."""
        count_connects(n)
        bals = [self.dead_pool(how, n, 'tcp' if n == 2 else 'http', **keys) for how in DEATHS]
        visitors = [self.visit(port, RATE, timeout=8) for _, port in bals]
        start, counts = time.monotonic(), rig.nft_counts()
        time.sleep(1)
        first = self.rates(n, start, counts)
        time.sleep(seconds - 3)
        start, counts = time.monotonic(), rig.nft_counts()
        time.sleep(2)
        last = self.rates(n, start, counts)
        for visitor in visitors:
            visitor.popen.kill()
        what = ', '.join(f'{key} {value}' for key, value in keys.items()) or 'defaults'
        for how in DEATHS:
            print(f'{what}, {n} x {how}: {first[how]:.0f}/s at first, {last[how]:.1f}/s later')
        for bal, _ in bals:
            self.assertTrue(bal.alive())
            self.assert_idle(bal, 10)
            self.assert_sessions_balance(bal)
            self.assertEqual(bal.finish(), [])
        return first, last

    def test_clients_come_and_wait(self):
        """The longer it lasts, the fewer connects there are: from one each 10 ms to one each 250 ms. That a backend is
        silent is known only after connect_timeout, and until then all clients are sent to it."""
        for n in (1, 2, 6):
            with self.subTest(n):
                first, last = self.storm(n, 20 if rig.FULL else 6)
                self.assert_most(first, {'refuses': 110, 'silent': 1.3 * RATE})
                self.assert_most(last, {'refuses': 10, 'silent': 10})

    def test_nobody_waits(self):
        """hold: 0s. Each client has one try of its own, and few have another one while they wait for a late answer."""
        for n in (1, 2, 6):
            with self.subTest(n):
                first, last = self.storm(n, 3, hold='0s')
                for rates in (first, last):
                    self.assert_most(rates, {'refuses': 1.3 * RATE, 'silent': 1.3 * RATE})

    def test_all_at_once(self):
        """5000 clients in one moment. 1024 wait, the others are told so; and no client waits much longer than it may,
        however many backends there are to try."""
        for n in (1, 2, 6):
            for how in DEATHS:
                with self.subTest(f'{n}, {how}'):
                    count_connects(n)
                    bal, port = self.dead_pool(how, n, 'http', hold='2s', connect_deadline='2s')
                    start, counts = time.monotonic(), rig.nft_counts()
                    crowd = rig.Crowd(port, 5000)
                    time.sleep(1)
                    first = self.rates(n, start, counts)[how]
                    start, counts = time.monotonic(), rig.nft_counts()
                    visits = crowd.end()
                    later = self.rates(n, start, counts)[how]
                    outcomes, worst = collections.Counter(v.outcome for v in visits), max(v.took for v in visits)
                    print(f'{n} x {how}: 5000 at once: {first:.0f}/s at first, {later:.1f}/s later; {dict(outcomes)}, '
                          f'the last one after {worst:.1f} s')
                    self.assertLess(first, 110 if how == 'refuses' else 1.3 * 5000)
                    self.assertLess(later, 50)
                    self.assertEqual(outcomes, {'503': 5000})
                    self.assertLess(worst, 2 + 3 * rig.SLOW)
                    self.assert_idle(bal)
                    self.assert_sessions_balance(bal)
                    self.assertEqual(bal.finish(), [])


class Said(rig.FlowTest):
    def test_while_clients_wait(self):
        """status and doctor say what is wrong, and how many wait."""
        for check, state in ((NO_CHECKS, 'cool'), ({'type': 'tcp', 'interval': '100ms'}, 'down')):
            with self.subTest(state), contextlib.ExitStack() as stack:
                port, dead = rig.free_port(), f'127.0.0.1:{rig.free_port()}'
                bal = self.bal(rig.document(rig.pool('p', port, [dead], health_check=check, hold='10s')))
                waiting = [stack.enter_context(rig.connect(port)) for _ in range(20)]
                bal.wait_state(dead, state)
                rig.wait_until(lambda: bal.get()['frontends'][0]['waiting'] == 20, 'all to wait')
                self.look(bal, dead, state)
                self.backend('back', address=dead)
                for s in waiting:
                    s.sendall(b'GET / HTTP/1.0\r\n\r\n')
                    self.assertIn(b'back', rig.read_all(s))
                self.assert_sessions_balance(bal)

    def look(self, bal, dead, state):
        """One of the clients may be trying just now."""
        status, screen = bal.status(), bal.cli('status').stdout
        print(screen)
        self.assertEqual((status['backends'][0]['state'], status['backends'][0]['reason']), (state, 'refused'))
        self.assertNotEqual(status['verdict'], 'OK')
        self.assertRegex(screen, rf'{state.upper()} +{dead} .*refused')
        self.assertRegex(screen, r'waiting +20 clients wait for a backend of pool p')
        doctor = bal.cli('doctor', '--only', 'backend')
        print(doctor.stdout)
        self.assertEqual(doctor.returncode, 1)
        self.assertIn(f'what_happened: {dead} refused', doctor.stdout)
        rows = bal.cli('sessions', check=0).stdout
        self.assertGreaterEqual(len([line for line in rows.splitlines() if 'hold' in line.split()]), 19, rows)


if __name__ == '__main__':
    WHY_NOT = rig.own_namespaces() or rig.why_no_nft()
    rig.main()
