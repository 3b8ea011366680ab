#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Hosts that swallow every packet: protection against a storm of time-outs, and what it spares.

In a network of its own, with a cable to nowhere: hosts 10.99.0.10 and on are at its far end, where
nobody takes their packets, and where each new connection is counted as it arrives.
"""

import json
import socket
import struct
import subprocess
import threading
import time

import rig

HOSTS = [f'10.99.0.{i}' for i in range(10, 20)]
REASON = 'timeout_or_refused_storm'
WHY_NOT = None
SECONDS = 6 if rig.FULL else 3


def ip(*args):
    return subprocess.run(['ip', *args], check=True, capture_output=True, text=True).stdout


def lay_cable():
    ip('link', 'add', 'near', 'type', 'veth', 'peer', 'name', 'far')
    ip('addr', 'add', '10.99.0.1/24', 'dev', 'near')
    for end in ('near', 'far'):
        ip('link', 'set', end, 'up')
    mac = json.loads(ip('-json', 'link', 'show', 'far'))[0]['address']
    for host in HOSTS:
        ip('neigh', 'replace', host, 'lladdr', mac, 'dev', 'near', 'nud', 'permanent')


class Far(threading.Thread):
    """Notes every connection that somebody tries to open to a host at the far end."""

    def __init__(self):
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
        self.socket.bind(('far', 0x0800))
        self.seen, self.times = set(), []
        self.start()

    def run(self):
        while True:
            try:
                packet = self.socket.recv(200)
            except OSError:
                return
            tcp = packet[(packet[0] & 15) * 4:]
            if packet[9] != 6 or tcp[13] & 0x3f != 0x02:
                continue  # not a SYN
            sequence = struct.unpack('!HHI', tcp[:8])
            if (packet[16:20], sequence) not in self.seen:  # else repeated by the kernel
                self.seen.add((packet[16:20], sequence))
                self.times.append(time.monotonic())

    def rate(self, start, end):
        return sum(start <= t < end for t in list(self.times)) / (end - start)


class Storm(rig.FlowTest):
    def setUp(self):
        super().setUp()
        if WHY_NOT:
            self.skipTest(WHY_NOT)
        self.far = Far()
        self.addCleanup(self.far.socket.close)
        self.port = rig.free_port()

    def revive(self, hosts):
        """They answer: their addresses are ours now."""
        for host in hosts:
            ip('addr', 'add', f'{host}/32', 'dev', 'lo')
            self.addCleanup(subprocess.run, ['ip', 'addr', 'del', f'{host}/32', 'dev', 'lo'], capture_output=True,
                            check=False)

    def swallow(self, hosts):
        for host in hosts:
            ip('addr', 'del', f'{host}/32', 'dev', 'lo')
        return time.monotonic()

    def is_on(self, bal):
        rig.wait_until(lambda: bal.protection()['enabled'], 'protection to be switched on', 8, step=0.005)
        on = time.monotonic()
        self.assertEqual(bal.status()['protection_mode'], {'enabled': True, 'reason': REASON})
        return on

    def falls(self, what, before, after, to):
        print(f'{what}: {before:.1f} attempts/s before, {after:.1f} after')
        self.assertGreater(before, 5)
        self.assertLess(after, before * to)

    def test_traffic(self):
        """Without checks every attempt is a client's. Six of seven are silent; a rest after a failure
        is 200 ms, or 400 ms under protection, after 50 ms of waiting: 4 and 2.2 attempts/s each."""
        hosts, good = HOSTS[:6], self.backend('good', address='0.0.0.0:0')
        port = good.address.rsplit(':', 1)[1]
        servers = [f'{host}:{port}' for host in [*hosts, '127.0.0.1']]
        bal = self.bal(rig.document(rig.pool(
            'p', self.port, servers, health_check={'type': 'none'}, connect_timeout='50ms',
            failover={'cooldown': '200ms', 'backoff_initial': '200ms', 'backoff_max': '200ms'},
            protection={'trigger_threshold': 60, 'window': '10s', 'stable_success_threshold': 100})))
        visitors, start = self.visit(self.port, 100), time.monotonic()
        on = self.is_on(bal)
        time.sleep(SECONDS)
        end = time.monotonic()
        self.falls('clients', self.far.rate(start, on), self.far.rate(on + 0.5, end), 0.75)
        self.assertEqual({backend['state'] for backend in bal.get()['backends'][:6]} - {'cool'}, set())
        self.assertTrue(bal.protection()['enabled'], 'the storm goes on')

        self.revive(hosts)
        rig.wait_until(lambda: not bal.protection()['enabled'], 'protection to be switched off', 10)
        quiet = time.monotonic()
        time.sleep(0.5)
        visits = visitors.end_visits()
        self.assertEqual({v.outcome for v in visits if v.start < on - 0.5}, {'answered'}, 'all are tried')
        during = [v for v in visits if on < v.start < end]
        answered = sum(v.outcome == 'answered' for v in during)
        print(f'{answered} of {len(during)} clients were served with one retry each')
        self.assertGreater(answered, 0.8 * len(during))
        self.assertEqual({v.outcome for v in visits if v.start > quiet}, {'answered'})
        self.assertEqual(bal.protection()['activations'][REASON], 1)
        self.assert_sessions_balance(bal)

    def test_checks(self):
        """No client at all: ten hosts that were well fall silent. Checks alone see it, and every other
        check is spared then."""
        self.revive(HOSTS)
        good = self.backend('good', address='0.0.0.0:0')
        port = good.address.rsplit(':', 1)[1]
        bal = self.bal(rig.document(rig.pool(
            'p', self.port, [f'{host}:{port}' for host in HOSTS],
            health_check={'type': 'tcp', 'interval': '200ms', 'timeout': '150ms', 'unhealthy_threshold': 3},
            protection={'trigger_threshold': 14, 'stable_success_threshold': 20})))
        time.sleep(0.5)
        self.assertFalse(bal.protection()['enabled'])
        backends = bal.get()['backends']
        passed, start = sum(b['check']['passed'] for b in backends), time.monotonic()
        time.sleep(1)
        backends = bal.get()['backends']
        before = (sum(b['check']['passed'] for b in backends) - passed) / (time.monotonic() - start)

        silent = self.swallow(HOSTS)
        on = self.is_on(bal)
        self.assertLess(on - silent, 0.15 + 2 * 0.2 + 0.3 * rig.SLOW)
        for host in HOSTS:
            bal.wait_state(f'{host}:{port}', 'down', 3)
        time.sleep(0.2)
        start = time.monotonic()
        time.sleep(SECONDS)
        self.falls('checks', before, self.far.rate(start, time.monotonic()), 0.65)
        for backend in bal.get()['backends']:
            self.assertGreater(backend['check']['interval_ms'], 300)
        self.revive(HOSTS)
        rig.wait_until(lambda: not bal.protection()['enabled'], 'protection to be switched off', 5)
        for host in HOSTS:
            bal.wait_state(f'{host}:{port}', 'up', 3)
        self.assertEqual(self.knock(self.port, 50)['answered'], 50)


if __name__ == '__main__':
    WHY_NOT = rig.own_namespaces()
    if not WHY_NOT:
        try:
            lay_cable()
        except (OSError, subprocess.CalledProcessError) as error:
            WHY_NOT = f'no cable to nowhere: {error}'
    rig.main()
