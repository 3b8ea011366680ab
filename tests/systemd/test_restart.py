#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Restarts: nobody waits long for the next bal, behind bal.socket nobody is refused, and a stop is no restart."""

import contextlib
import json
import os
import signal
import sys
import threading
import time

import box


ROUNDS = 3  # the machine may be busy with something else; but nobody is refused in any of them
EACH_S = 0.01  # a new client comes so often


class Clients:
    """A new client each EACH_S, whoever waits; when it came, how long it took, and what went wrong. One
    that is refused tries again at once, so what it has waited is the gap."""

    def __init__(self, port=9295, limit_s=60.0):
        self.port, self.limit_s = port, limit_s
        self.took, self.refused, self.failed = [], 0, []
        self.over, self.threads = threading.Event(), []
        self.main = threading.Thread(target=self.run)
        self.main.start()

    def run(self):
        due = time.monotonic()
        while not self.over.is_set():
            thread = threading.Thread(target=self.client)
            thread.start()
            self.threads.append(thread)
            due += EACH_S
            time.sleep(max(0.0, due - time.monotonic()))

    def client(self):
        began = time.monotonic()
        while True:
            try:
                box.answer(self.port, timeout=self.limit_s)
                break
            except ConnectionRefusedError:
                self.refused += 1
                time.sleep(0.002)
            except OSError as error:
                self.failed.append(f'{error!r} after {time.monotonic() - began:.3f} s')
                return
            if time.monotonic() - began > self.limit_s:
                self.failed.append('refused all the time')
                return
        self.took.append(time.monotonic() - began)

    def end(self):
        self.over.set()
        self.main.join()
        for thread in self.threads:
            thread.join()
        return self


class Slow(box.Backend):
    """Answers when it may, and hangs up."""

    def __init__(self, name):
        self.gate = threading.Event()
        super().__init__(name)

    def serve(self, s):
        with s, contextlib.suppress(OSError):
            s.recv(100)
            self.gate.wait(10)
            s.sendall(self.name.encode())


class Restart(box.BoxTest):
    def round(self):
        """Ten restarts, one each half second; clients that connect one after the other, each at once
        when the last was answered. How long each took, and what failed."""
        over = threading.Event()
        took, failed = [], []

        def load():
            while not over.is_set():
                began = time.monotonic()
                try:
                    box.answer(9295)
                except OSError as error:
                    failed.append(repr(error))
                took.append(time.monotonic() - began)
        clients = [threading.Thread(target=load) for _ in range(2)]
        for client in clients:
            client.start()
        began = time.monotonic()
        for i in range(10):
            self.systemctl('restart', 'bal.service')
            time.sleep(max(0.0, began + (i + 1) * 0.5 - time.monotonic()))
        elapsed = time.monotonic() - began
        over.set()
        for client in clients:
            client.join()
        print(f'{len(took)} connects, {len(failed)} failed, the slowest took {max(took) * 1000:.0f} ms; '
              f'10 restarts in {elapsed:.1f} s', end=' ', file=sys.stderr)
        return took, failed, elapsed

    def test_ten_restarts_in_five_seconds(self):
        self.configure(box.simple(9295, [self.backend('one'), self.backend('two')]))
        self.systemctl('start', 'bal.socket', 'bal.service')
        for n in range(1, ROUNDS + 1):
            took, failed, elapsed = self.round()
            self.assertEqual(failed, [])
            self.assertGreater(len(took), 500)
            self.assertEqual(self.starts(), 1 + 10 * n)
            self.assertEqual((self.show('ActiveState'), self.show('ActiveState', 'bal.socket')), ('active', 'active'))
            if max(took) < 0.15 and elapsed < 6:
                return
        self.fail(f'in none of {ROUNDS} rounds everybody was served within 150 ms')

    # ---- with connections that do not end ----

    def begin(self, n_idle, units, config=None):
        """n_idle established connections, each with one answer behind it."""
        self.configure(config or box.simple(9295, [self.backend('hold', hold=True)]))
        self.systemctl('start', *units)
        idle = [box.connect(9295) for _ in range(n_idle)]
        for s in idle:
            self.addCleanup(s.close)
            s.settimeout(10)
            s.sendall(b'?')
            self.assertEqual(s.recv(100), b'hold')
        return idle

    def status(self):
        return json.loads(self.bal('status', '--json', '--socket', '/run/bal/status.sock').stdout)

    def longest(self, n_idle, units):
        idle = self.begin(n_idle, units)
        clients = Clients()
        try:
            time.sleep(0.2)
            began = time.monotonic()
            self.systemctl('restart', 'bal.service')
            elapsed = time.monotonic() - began
            time.sleep(0.2)
        finally:
            clients.end()
        longest = max(clients.took)
        print(f'{" ".join(units)}, {n_idle} idle: {len(clients.took)} clients, the longest wait '
              f'{longest * 1000:.0f} ms; {clients.refused} refused, {len(clients.failed)} failed; '
              f'the restart took {elapsed:.2f} s', file=sys.stderr)
        self.assertEqual(clients.failed, [])
        for s in idle:
            self.assertEqual(s.recv(10), b'')  # cut, not reset
        stopped = self.events('daemon_stopped')[-1]['fields']
        self.assertTrue(stopped['restart'])
        self.assertGreaterEqual(stopped['cut'], n_idle)  # of others, whose answer is there, the end may not have come
        self.assertEqual(self.starts(), 2)
        self.assertEqual(self.show('Result'), 'success')
        return longest, elapsed, clients.refused

    def assert_soon(self, units, limit_s):
        for n_idle in (0, 1, 100):
            for n in range(1, ROUNDS + 1):
                longest, elapsed, refused = self.longest(n_idle, units)
                if 'bal.socket' in units:
                    self.assertEqual(refused, 0)
                self.clean_up()
                self.since = time.time()
                if longest < limit_s and elapsed < (4 if n_idle else 1.5):
                    break
                self.assertLess(n, ROUNDS, f'{n_idle} idle: {longest:.3f} s to wait, {elapsed:.2f} s for the restart')

    def test_behind_bal_socket(self):
        self.assert_soon(['bal.socket', 'bal.service'], 0.5)

    def test_with_listeners_of_its_own(self):
        self.assert_soon(['bal.service'], 3)

    def test_what_is_seen(self):
        """The line of systemctl status, bal status, the log; new clients are served as long as that is seen."""
        idle, = self.begin(1, ['bal.socket', 'bal.service'])
        pid = self.pid()
        self.systemctl('restart', '--no-block', 'bal.service')
        box.wait_until(lambda: self.events('daemon_stopping'), 'the stop')
        self.assertRegex(self.show('StatusText'), '^restarting: ')
        self.assertIn('  restarting   the open connections',
                      self.bal('status', '--socket', '/run/bal/status.sock').stdout)
        self.assertEqual(box.answer(9295), 'hold')
        self.assertEqual(self.pid(), pid)
        status = self.status()
        self.assertEqual((status['draining'], status['restarting']), (True, True))
        self.assertEqual(idle.recv(10), b'')
        box.wait_until(lambda: self.show('ActiveState') == 'active', 'the next one')
        self.assertEqual({**self.events('daemon_stopping')[0]['fields'], 'sessions': 0},
                         {'restart': True, 'sessions': 0, 'drain_timeout_ms': 2000})

    def test_a_response_under_way(self):
        """A client that came during the drain, and whose backend is slow, is answered by the old one."""
        backend = Slow('slow')
        self.addCleanup(backend.close)
        self.configure(box.simple(9295, [backend.port], 'restart_drain: 4s'))
        self.systemctl('start', 'bal.socket', 'bal.service')
        with box.connect(9295) as old, box.connect(9295) as new:
            old.sendall(b'?')
            box.wait_until(lambda: self.status()['active_connections'] == 2, 'two sessions')
            pid = self.pid()
            self.systemctl('restart', '--no-block', 'bal.service')
            box.wait_until(lambda: self.events('daemon_stopping'), 'the stop')
            with box.connect(9295) as late:
                late.sendall(b'?')
                late.settimeout(10)
                time.sleep(0.3)
                backend.gate.set()
                self.assertEqual(late.recv(10), b'slow')
            self.assertEqual(self.pid(), pid)
            old.settimeout(10)
            self.assertEqual(old.recv(10), b'slow')
        box.wait_until(lambda: self.starts() == 2 and self.show('ActiveState') == 'active', 'the next one')

    def test_http(self):
        """A client that keeps its connection is told that this response is the last over it."""
        backend = box.Backend('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok', hold=True)
        self.addCleanup(backend.close)
        self.configure(box.simple(9295, [backend.port], 'protocol: http'))
        self.systemctl('start', 'bal.socket', 'bal.service')

        def ask(s):
            s.settimeout(10)
            s.sendall(b'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
            return s.recv(1000)
        with box.connect(9295) as busy:
            self.assertNotIn(b'Connection: close', ask(busy))
            self.systemctl('restart', '--no-block', 'bal.service')
            box.wait_until(lambda: self.events('daemon_stopping'), 'the stop')
            self.assertIn(b'Connection: close', ask(busy))
            self.assertEqual(busy.recv(10), b'')
        box.wait_until(lambda: self.starts() == 2 and self.show('ActiveState') == 'active', 'the next one')
        self.assertEqual(self.events('daemon_stopped')[0]['fields'], {'restart': True, 'cut': 0})

    # ---- what is no restart ----

    def stop_of(self, how, limit=1.0):
        """An idle connection gets its drain_timeout."""
        idle, = self.begin(1, ['bal.service'], box.simple(9295, [self.backend('hold', hold=True)],
                                                          f'drain_timeout: {limit:.0f}s\nrestart_drain: 0s'))
        pid, began = self.pid(), time.monotonic()
        how()
        self.assertEqual(idle.recv(10), b'')
        took = time.monotonic() - began
        self.assertGreater(took, limit - 0.1)
        self.assertLess(took, limit + 2)
        box.wait_until(lambda: not os.path.exists(f'/proc/{pid}'), 'the end', 2)
        self.assertEqual(self.events('daemon_stopped')[0]['fields'], {'restart': False, 'cut': 1})
        self.assertIn('restart', self.events('daemon_stopping')[0]['fields'])

    def test_a_stop(self):
        self.stop_of(lambda: self.systemctl('stop', 'bal'))
        self.assertEqual(self.events('restart_unknown'), [])

    def test_a_signal(self):
        self.stop_of(lambda: os.kill(self.pid(), signal.SIGTERM))
        self.assertEqual(self.events('restart_unknown'), [])

    def test_bal_stop(self):
        self.stop_of(lambda: self.bal('stop', env={'RUNTIME_DIRECTORY': '/run/bal'}))

    def test_a_second_signal(self):
        """It ends the drain, of a stop and of a restart, in whatever state that is."""
        for verb in ('stop', 'restart'):
            for wait_s in (0, 0.001, 0.01, 0.1, 0.5):
                with self.subTest(verb, wait_s=wait_s):
                    idle, = self.begin(1, ['bal.socket', 'bal.service'], box.simple(
                        9295, [self.backend('hold', hold=True)], 'drain_timeout: 20s\nrestart_drain: 20s'))
                    pid = self.pid()
                    self.systemctl(verb, '--no-block', 'bal.service')
                    box.wait_until(lambda: self.show('ActiveState') != 'active', 'the stop')
                    time.sleep(wait_s)
                    began = time.monotonic()
                    box.kill(pid, signal.SIGTERM)
                    box.kill(pid, signal.SIGTERM)
                    self.assertEqual(idle.recv(10), b'')
                    self.assertLess(time.monotonic() - began, 1)
                    box.wait_until(lambda p=pid: not os.path.exists(f'/proc/{p}'), 'the end')
                    self.assertEqual(self.show('Result'), 'success')
                    self.clean_up()
                    self.since = time.time()

    def test_a_restart_while_it_stops(self):
        """The stop goes on as it began, and then bal starts."""
        idle, = self.begin(1, ['bal.service'], box.simple(9295, [self.backend('hold', hold=True)],
                                                          'drain_timeout: 2s\nrestart_drain: 0s'))
        self.systemctl('stop', '--no-block', 'bal.service')
        box.wait_until(lambda: self.events('daemon_stopping'), 'the stop')
        self.systemctl('restart', 'bal.service')
        self.assertEqual(idle.recv(10), b'')
        self.assertEqual(self.starts(), 2)
        self.assertEqual(box.answer(9295), 'hold')
        self.assertEqual(self.events('daemon_stopped')[0]['fields'], {'restart': False, 'cut': 1})

    def test_while_a_reload_runs(self):
        """A restart, however close it comes to a reload or to a start."""
        self.begin(1, ['bal.socket', 'bal.service'], box.simple(
            9295, [self.backend('hold', hold=True)], 'restart_drain: 100ms\nworkers: 3'))
        for i in range(10):
            pid = self.pid()
            for _ in range(3):
                box.kill(pid, signal.SIGHUP)
            time.sleep(i * 0.001)
            self.systemctl('restart', 'bal.service')
            self.assertEqual(box.answer(9295), 'hold')
            self.assertNotEqual(self.pid(), pid)
        for i in range(10):
            self.systemctl('restart', '--no-block', 'bal.service')
            time.sleep(i * 0.01)
        self.systemctl('restart', 'bal.service')
        self.assertEqual(box.answer(9295), 'hold')
        self.assertEqual((self.show('Result'), self.show('NRestarts')), ('success', '0'))
        self.assertNotIn('SIGKILL', ' '.join(self.messages()))

    # ---- the bus ----

    def test_no_answer(self):
        """A bus that hangs holds up a stop for a second, no more, and then it is a stop."""
        self.systemctl('start', 'dbus.service')
        bus = self.pid('dbus.service')
        self.assertGreater(bus, 1)
        self.addCleanup(box.kill, bus, box.CONT)

        def restart():
            box.kill(bus, box.STOP)
            self.systemctl('restart', '--no-block', 'bal.service')
        self.stop_of(restart)
        box.kill(bus, box.CONT)
        unknown, = self.events('restart_unknown')
        self.assertEqual((unknown['level'], unknown['fields']['reason']), ('WARN', 'no answer'))

    def test_no_bus(self):
        """As good as none: the socket is not where it should be. root asks the manager itself."""
        name = '/run/dbus/system_bus_socket'
        self.addCleanup(os.rename, name + '.away', name)
        os.rename(name, name + '.away')
        self.stop_of(lambda: self.systemctl('restart', '--no-block', 'bal.service'))
        unknown, = self.events('restart_unknown')
        self.assertEqual(unknown['level'], 'INFO')

        self.clean_up()
        self.since = time.time()
        self.drop_in('[Service]\nUser=root\nGroup=root\n')
        self.begin(1, ['bal.service'])
        self.systemctl('restart', 'bal.service')
        self.assertEqual(self.events('daemon_stopped')[0]['fields'], {'restart': True, 'cut': 1})

    def test_a_start_costs_no_bus(self):
        self.begin(1, ['bal.service'])
        with open(f'/proc/{self.pid()}/net/unix', encoding='ascii') as f:
            bus = {line.split()[6] for line in f if line.rstrip().endswith('system_bus_socket')}
        held = set()
        for fd in os.listdir(f'/proc/{self.pid()}/fd'):
            with contextlib.suppress(FileNotFoundError):
                held.add(os.readlink(f'/proc/{self.pid()}/fd/{fd}'))
        self.assertGreater(len(held), 5)
        self.assertEqual(held & {f'socket:[{inode}]' for inode in bus}, set())


box.main()
