#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Memory or descriptors run out: what was served goes on, and the control sockets answer."""

import contextlib
import mmap
import os
import socket
import struct
import threading
import time
import unittest

import rig

RUSH_S = 4


@unittest.skipUnless(rig.SANITIZE == 'none', 'a sanitizer brings its own malloc()')
class Reload(rig.FlowTest):
    """A reload of which a worker cannot take its part changes nothing."""

    def start_with_faults(self, config):
        path = os.path.join(self.dir, 'fault')
        with open(path, 'wb') as f:
            f.write(struct.pack('i', -1).ljust(mmap.PAGESIZE, b'\0'))
        with open(path, 'r+b') as f:
            self.page = mmap.mmap(f.fileno(), mmap.PAGESIZE)
        self.addCleanup(self.page.close)
        return self.bal(config, env={'LD_PRELOAD': os.path.join(rig.TOOLS, 'libfault.so'), 'FAULT_PAGE': path})

    def fault(self, nth):
        self.page[:4] = struct.pack('i', nth)

    def has_failed(self):
        failed = struct.unpack('i', self.page[:4])[0] == -2
        self.fault(-1)
        return failed

    def test_nothing_changes(self):
        one, two = self.backend('one'), self.backend('two')
        old, new, kept = (rig.free_port() for _ in range(3))

        def config(port, backend, **keys):
            return rig.document(rig.pool('p', port, [(backend.address, keys)], frontend={'max_connections': 50}),
                                rig.pool('q', kept, [backend.address], frontend={'protocol': 'http'}), workers=2)
        bal = self.start_with_faults(config(old, one))
        fds, events = bal.fds(), 0
        verdicts = set()
        for nth in range(200):
            bal.write(config(new, two, weight=7, max_connections=9).replace('"max_connections": 50', '"max_connections": 1'))
            self.fault(nth)
            done = bal.cli('graceful')
            if not self.has_failed():
                break
            self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
            self.assertIn('a worker cannot take the configuration over', done.stderr)
            verdicts.add('memory' if 'Cannot allocate memory' in done.stderr else 'watches')
            events += 1
            self.assertEqual(len(bal.log_wait('config_rejected', events)), events)
            with self.assertRaises(ConnectionRefusedError):
                rig.connect(new)
            for _ in range(4):
                self.assertEqual(rig.get(old), 'one')
                self.assertEqual(rig.get(kept), 'one')
            status = bal.get()
            self.assertEqual(status['frontends'][0]['max_connections'], 50)
            self.assertEqual([b['name'] for b in status['backends']], [one.address] * 2)
            self.assertEqual(status['config_number'], 1)
        self.assertGreaterEqual(nth, 8)
        self.assertEqual(verdicts, {'memory', 'watches'})
        rig.wait_until(lambda: bal.fds() <= fds + 2, 'no descriptor is left behind')

        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual((rig.get(new), rig.get(kept)), ('two', 'two'))
        self.assertEqual(bal.get()['frontends'][0]['max_connections'], 1)
        with self.assertRaises(ConnectionRefusedError):
            rig.connect(old)
        self.assert_idle(bal)


def ask(s):
    """A request on a connection that lives; the status, or what went wrong."""
    s.sendall(b'GET /work HTTP/1.1\r\nHost: x\r\n\r\n')
    answer = b''
    while b'\r\n\r\n' not in answer:
        part = s.recv(4096)
        if not part:
            return f'closed after {answer!r}'
        answer += part
    head, _, body = answer.partition(b'\r\n\r\n')
    length = int(head.lower().partition(b'content-length:')[2].split()[0])
    rig.read_exactly(s, length - len(body))
    return head.split()[1].decode()


class Descriptors(rig.FlowTest):
    """Clients that are turned away and do not close: they get at nothing that others need."""

    def rush(self, port, until, held):
        """Connects without a pause, and keeps what it has. Says how many it got."""
        while time.monotonic() < until:
            s = socket.socket()
            s.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                s.connect(('127.0.0.1', port))
            held.append(s)
            time.sleep(0.0005)
            with contextlib.suppress(OSError):
                s.send(b'GET /rush HTTP/1.1\r\nHost: x\r\n\r\n')

    def work(self, port, until, seen):
        """A client that was there before: one request after the other."""
        try:
            with rig.connect(port) as s:
                while time.monotonic() < until:
                    seen.append(ask(s))
                    time.sleep(0.02)
        except (OSError, AssertionError) as error:
            seen.append(repr(error))

    def beside(self, *targets):
        threads = [threading.Thread(target=target, args=args) for target, *args in targets]
        for thread in threads:
            thread.start()
        return threads

    def under_rush(self, limit, policy):
        """The times that the status took, with a log of what clients that were served have seen."""
        door, port = self.door(), rig.free_port()
        bal = self.bal(rig.document(rig.pool(
            'p', port, [door.address], frontend={'protocol': 'http', 'max_connections': limit, **policy},
            health_check={'type': 'http', 'path': '/check', 'interval': '100ms', 'timeout': '2s'}), workers=2), files=256)
        held, seen, times = [], [], []
        until = time.monotonic() + RUSH_S
        workers = self.beside(*[(self.work, port, until + 0.5, seen)] * limit)
        rig.wait_until(lambda: bal.get()['active_connections'] == limit, 'those who were there before')
        rushers = self.beside((self.rush, port, until, held))
        while time.monotonic() < until:
            before = time.monotonic()
            bal.get()
            times.append(time.monotonic() - before)
            time.sleep(0.05)
        for thread in rushers + workers:
            thread.join()
        try:
            self.assertGreater(len(held), 500)
            self.assertEqual(set(seen), {'200'}, f'{len(seen)} requests of clients that were there before')
            self.assertGreater(len(seen), 5 * limit)
            self.assertEqual(bal.state(door.address), 'up')
            self.assertEqual(bal.events('backend_state'), [])
            gaps = [later[0] - earlier[0] for earlier, later in zip(door.asked('/check'), door.asked('/check')[1:])]
            self.assertLess(max(gaps), 1 * rig.SLOW, 'checks go on')
            self.assertLess(sorted(times)[len(times) // 2], 0.05 * rig.SLOW)
            self.assertLess(max(times), 0.5 * rig.SLOW)
            self.assertLess(bal.fds(), 256 - 40, 'some are left for the control sockets')
            self.assertEqual(bal.cli('status', check=0).returncode, 0)
            cpu = bal.cpu_s()
            time.sleep(1)
            self.assertLess(bal.cpu_s() - cpu, 0.5 * rig.SLOW, 'it does not spin')
        finally:
            for s in held:
                s.close()
        self.assert_idle(bal)
        self.assertEqual(rig.get(port), 'door')
        self.assert_sessions_balance(bal)

    def test_rejected_clients_that_stay(self):
        self.under_rush(10, {})

    def test_clients_that_wait(self):
        self.under_rush(10, {'overload_policy': 'queue', 'queue_timeout': '60s'})


if __name__ == '__main__':
    rig.main()
