#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Reload: all or nothing, established sessions untouched, no queued connection lost."""

import os
import signal
import socket
import subprocess
import threading
import time

import rig

RELOADS = 300 if rig.FULL else 60 if rig.SANITIZE == 'none' else 20


class Talker(threading.Thread):
    """One connection through an echo backend that never stops talking, until told."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.socket = rig.connect(port)
        self.over, self.rounds, self.error = False, 0, None
        self.start()

    def run(self):
        try:
            while not self.over:
                data = os.urandom(50 + self.rounds % 3000)
                self.socket.sendall(data)
                if rig.read_exactly(self.socket, len(data)) != data:
                    raise AssertionError('other bytes came back')
                self.rounds += 1
                time.sleep(0.002)
        except (OSError, AssertionError) as error:
            self.error = error

    def end(self):
        self.over = True
        self.join()
        self.socket.close()


class Reload(rig.FlowTest):
    def test_many_reloads_under_busy_connections(self):
        port = rig.free_port()
        echo, spare = self.echo(), self.echo('spare')
        files = [rig.simple(port, [echo.address]), rig.simple(port, [echo.address, spare.address], 'method: first')]
        bal = self.bal(files[0])
        for i in range(10):  # until caches are warm
            bal.reload(files[i % 2])
        fds, pss = bal.fds(), bal.pss_kib()
        talkers = [Talker(port) for _ in range(64)]
        try:
            number, start = bal.status()['config_number'], time.monotonic()
            for i in range(RELOADS):
                bal.reload(files[i % 2])
            took = time.monotonic() - start
            status = bal.status()
        finally:
            for talker in talkers:
                talker.end()
        print(f'{RELOADS} reloads in {took:.1f} s, pss {pss} -> {bal.pss_kib()} KiB')
        self.assertEqual([t.error for t in talkers if t.error], [])
        self.assertTrue(all(t.rounds > 1 for t in talkers))
        self.assertEqual(status['config_number'] - number, RELOADS)
        self.assertEqual(status['active_connections'], 64)
        if rig.SANITIZE == 'none':
            self.assertLess(took, 30 * RELOADS / 300)
            self.assertLess(bal.pss_kib() - pss, 1024)
        self.assert_idle(bal)
        self.assert_sessions_balance(bal)
        rig.wait_until(lambda: bal.fds() <= fds + 2, f'{fds} descriptors, not {bal.fds()}')

    def test_sighup_reloads(self):
        port = rig.free_port()
        one, two = self.backend('one'), self.backend('two')
        bal = self.bal(rig.simple(port, [one.address]))
        self.assertEqual(rig.get(port), 'one')
        bal.write(rig.simple(port, [two.address]))
        bal.kill(signal.SIGHUP)
        rig.wait_until(lambda: rig.get(port) == 'two', 'the new file to be in force')

    def test_a_broken_file_changes_nothing(self):
        port = rig.free_port()
        echo = self.echo()
        bal = self.bal(rig.simple(port, [echo.address]), '--no-watch')
        with rig.connect(port) as s:
            broken = f'port: {port}\nmethod: roundrobin\nbackends:\n  - host: "127.0.0.1"\n    prot: 9\n'
            done = bal.reload(broken, check=78)
            said = done.stdout + done.stderr
            self.assertIn('config.yaml:2:', said)
            self.assertIn('config.yaml:5:', said)
            self.assertIn('round_robin', said)
            s.sendall(b'still here')
            self.assertEqual(rig.read_exactly(s, 10), b'still here')
        self.assertEqual(bal.status()['config_number'], 1)
        bal.log_wait('config_rejected')
        bal.kill(signal.SIGHUP)
        bal.log_wait('config_rejected', 2)
        os.unlink(bal.config_path)
        self.assertNotEqual(bal.cli('graceful').returncode, 0)
        with rig.connect(port) as s:
            s.sendall(b'and here')
            self.assertEqual(rig.read_exactly(s, 8), b'and here')
        bal.reload(rig.simple(port, [echo.address]))
        self.assertEqual(bal.status()['config_number'], 2)

    def test_a_taken_port_changes_nothing(self):
        port = rig.free_port()
        web = self.backend('web')
        bal = self.bal(rig.simple(port, [web.address]), '--no-watch')
        with socket.socket() as taken:
            taken.bind(('127.0.0.1', 0))
            taken.listen()
            done = bal.reload(rig.simple(taken.getsockname()[1], [web.address]), check=1)
            self.assertIn(str(taken.getsockname()[1]), done.stderr + done.stdout)
            self.assertEqual(rig.get(port), 'web')
            self.assertEqual(bal.status()['config_number'], 1)

    def test_a_changed_port_loses_nobody(self):
        ports = [rig.free_port(), rig.free_port()]
        web = self.backend('web')
        bal = self.bal(rig.simple(ports[0], [web.address]), '--no-watch')
        over = threading.Event()
        lost, answered = [], [0, 0, 0, 0]

        def visit(visitor):
            """Goes to one port, when refused to the other. Who is let in must be answered."""
            at = 0
            while not over.is_set():
                try:
                    s = rig.connect(ports[at])
                except ConnectionRefusedError:
                    at = 1 - at
                    continue
                try:
                    with s:
                        s.sendall(b'GET / HTTP/1.1\r\nConnection: close\r\n\r\n')
                        if b'web' not in rig.read_all(s):
                            lost.append('an empty answer')
                        answered[visitor] += 1
                except OSError as error:
                    lost.append(repr(error))
        visitors = [threading.Thread(target=visit, args=(i,)) for i in range(4)]
        for visitor in visitors:
            visitor.start()
        try:
            for i in range(40 if rig.FULL else 16):
                bal.reload(rig.simple(ports[(i + 1) % 2], [web.address]))
                time.sleep(0.05)
        finally:
            over.set()
            for visitor in visitors:
                visitor.join()
        self.assertEqual(lost, [])
        self.assertTrue(all(n > 10 for n in answered), answered)
        with self.assertRaises(ConnectionRefusedError):
            rig.connect(ports[1])
        self.assertEqual(rig.get(ports[0]), 'web')
        self.assert_idle(bal)

    def test_a_wider_address_delays_nobody(self):
        port, web = rig.free_port(), self.backend('web')
        bal = self.bal(rig.simple(port, [web.address]), '--no-watch')
        over, slowest = threading.Event(), [0.0]

        def visit():
            while not over.is_set():
                start = time.monotonic()
                self.assertEqual(rig.get(port), 'web')
                slowest[0] = max(slowest[0], time.monotonic() - start)
        visitor = threading.Thread(target=visit)
        visitor.start()
        try:
            for i in range(4):
                head = 'bind_address: "0.0.0.0"' if i % 2 == 0 else ''
                bal.reload(rig.simple(port, [web.address], head=head))
                time.sleep(0.8)
        finally:
            over.set()
            visitor.join()
        self.assertLess(slowest[0], 0.9 * rig.SLOW, 'no SYN was swallowed')

    def test_an_answer_is_not_lost_with_a_reload(self):
        """A name gets a new address while a reload fails: the old configuration uses it nevertheless."""
        if subprocess.run(['unshare', '-m', 'true'], stderr=subprocess.DEVNULL, check=False).returncode:
            self.skipTest('no mount namespace of its own here (not root, or in a chroot)')
        port, taken = rig.free_port(), socket.create_server(('127.0.0.1', 0))
        self.addCleanup(taken.close)
        backend_port = rig.free_port()
        self.backend('two', address=f'127.0.0.2:{backend_port}')
        self.backend('three', address=f'127.0.0.3:{backend_port}')
        hosts = f'{self.dir}/hosts'

        def name_is(address):
            with open(hosts, 'w', encoding='ascii') as f:
                f.write(f'127.0.0.1 localhost\n{address} back.test\n')

        def config(listen):
            return (f'global: {{ resolve_interval: 1m }}\n'
                    f'frontends:\n  - {{ name: f, listen: "127.0.0.1:{listen}", backend: p }}\n'
                    f'backends:\n  - {{ name: p, servers: [ {{ address: "back.test:{backend_port}" }} ] }}\n')
        name_is('127.0.0.2')
        conf = f'{self.dir}/names.yaml'
        with open(conf, 'w', encoding='ascii') as f:
            f.write(config(port))
        bal = self.bal(None, command=['unshare', '-m', 'sh', '-c', 'mount --bind "$0" /etc/hosts && exec "$@"', hosts,
                                      rig.BAL, 'start', '-c', conf])
        self.assertEqual(rig.get(port), 'two')
        name_is('127.0.0.3')
        with open(conf, 'w', encoding='ascii') as f:
            f.write(config(taken.getsockname()[1]))
        bal.reload(check=1)
        rig.wait_until(lambda: rig.get(port) == 'three', 'the new address')

    def test_sessions_survive_their_backend_and_their_port(self):
        ports = [rig.free_port(), rig.free_port()]
        old, new = self.echo('old'), self.backend('new')
        bal = self.bal(rig.simple(ports[0], [old.address]))
        with rig.connect(ports[0]) as s:
            s.sendall(b'before')
            self.assertEqual(rig.read_exactly(s, 6), b'before')
            bal.reload(rig.simple(ports[1], [new.address]))
            self.assertEqual(rig.get(ports[1]), 'new')
            s.sendall(b'after')
            self.assertEqual(rig.read_exactly(s, 5), b'after')
            s.shutdown(socket.SHUT_WR)
            self.assertEqual(rig.read_all(s), b'')
        self.assert_idle(bal)
        self.assert_sessions_balance(bal)

    def test_bind_address_changes(self):
        port = rig.free_port()
        web = self.backend('web')
        bal = self.bal(rig.simple(port, [web.address], 'bind_address: "127.0.0.1"'))
        for bind_address in ('0.0.0.0', '127.0.0.1', '::', '127.0.0.2', '0.0.0.0'):
            bal.reload(rig.simple(port, [web.address], f'bind_address: "{bind_address}"'))
            host = '127.0.0.2' if bind_address == '127.0.0.2' else '127.0.0.1'
            self.assertEqual(rig.get(f'{host}:{port}'), 'web', bind_address)

    def test_counters_survive(self):
        port = rig.free_port()
        web, dead = self.backend('web'), f'127.0.0.1:{rig.free_port()}'
        bal = self.bal(rig.simple(port, [dead, web.address]))
        self.knock(port, 30)
        before = bal.status()
        bal.reload(rig.simple(port, [web.address, dead], 'method: least_connections'))
        after = bal.status()
        self.assertEqual(after['connections_total'], before['connections_total'])
        counters = {b['name']: b['counters'] for b in before['backends']}
        for backend in after['backends']:
            self.assertEqual(backend['counters'], counters[backend['name']])


if __name__ == '__main__':
    rig.main()
