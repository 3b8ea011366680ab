#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""This machine has no source ports left for a backend: not the backend's fault."""

import contextlib
import socket
import subprocess
import tempfile

import rig

PORTS = 60
WHY_NOT = None


class Ports(rig.FlowTest):
    def setUp(self):
        super().setUp()
        if WHY_NOT:
            self.skipTest(WHY_NOT)

    def client(self, port, i):
        """A session, or None; from many addresses, so that only bal is short of ports."""
        s = socket.socket()
        s.settimeout(5 * rig.SLOW)
        try:
            s.bind((f'127.0.1.{1 + i % 200}', 0))
            s.connect(('127.0.0.1', port))
            s.sendall(b'x')
            if s.recv(1) == b'x':
                self.addCleanup(s.close)
                return s
        except OSError:
            pass
        s.close()
        return None

    def test_no_port_is_no_failure(self):
        port, back = 20001, self.echo(address='127.0.0.1:20002')
        bal = self.bal(rig.simple(port, [back.address], head='health_check: {type: none}\n', runtime={'hold_ms': 0}))
        held = []
        for i in range(PORTS + 30):
            with contextlib.suppress(OSError):
                held.append(self.client(port, i))
        served = [s for s in held if s]
        self.assertGreater(len(served), 10)
        self.assertIn(None, held)
        backend = bal.backend(back.address)
        self.assertEqual((backend['state'], sum(backend['counters'].values())), ('up', 0))
        self.assertFalse(bal.protection()['enabled'])
        self.assertGreater(bal.get()['closed']['resources'], 0)
        rejected = bal.get()['frontends'][0]['rejected']
        self.assertEqual(rejected, {'max_connections': 0, 'no_backend': 0, 'protection': 0, 'resources': 0,
                                    'no_ports': held.count(None)})
        told = bal.log_wait('machine_short', timeout=25)[0]
        self.assertEqual((told['level'], told['fields']['no_ports'], told['fields']['resources']),
                         ('WARN', held.count(None), 0))

        # as soon as one has gone, the next is served
        for s in served[:5]:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'\1\0\0\0\0\0\0\0')
            s.close()
        rig.wait_until(lambda: self.client(port, 7), 'a session that finds a port')

    def test_an_address_this_machine_has_no_way_to(self):
        """IPv6 is switched off, the name has such an address, too: the failure of the other one counts, and it is used."""
        for config in ('all', 'lo'):
            with open(f'/proc/sys/net/ipv6/conf/{config}/disable_ipv6', 'w', encoding='ascii') as f:
                f.write('1')
        port = 20003
        bal = self.bal(rig.simple(port, ['both.test:20004'], head='health_check: {type: none}\n', runtime={'hold_ms': 0}))
        for i in range(5):
            self.assertIsNone(self.client(port, i))
        backend = bal.backend('both.test:20004')
        self.assertEqual((backend['state'], backend['reason'], backend['counters']['refused']), ('cool', 'refused', 5))
        self.assertEqual(bal.get()['closed']['resources'], 0)
        self.echo(address='127.0.0.2:20004')
        rig.wait_until(lambda: self.client(port, 7), 'a session by way of IPv4')


if __name__ == '__main__':
    WHY_NOT = rig.own_namespaces()
    if not WHY_NOT:
        with open('/proc/sys/net/ipv4/ip_local_port_range', 'w', encoding='ascii') as f:
            f.write(f'40000 {40000 + PORTS - 1}')
        with tempfile.NamedTemporaryFile('w', encoding='ascii') as hosts:
            hosts.write('127.0.0.1 localhost\n::1 both.test\n127.0.0.2 both.test\n')
            hosts.flush()
            if subprocess.run(['mount', '--bind', hosts.name, '/etc/hosts'], check=False).returncode:
                WHY_NOT = 'cannot cover /etc/hosts'
            rig.main()
    rig.main()
