#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A stop that systemd makes to start bal again, without systemd: a tool answers bal's question on a
bus of its own. The real one is in tests/systemd; here the sanitizers see it all."""

import os
import random
import signal
import sys
import threading
import time

import rig


class Restart(rig.FlowTest):
    def manager(self, answer):
        """Its process, and the environment that leads to it."""
        path = os.path.join(self.dir, f'bus{len(self.processes)}')
        process = self.start('manager', [os.path.join(rig.TOOLS, 'manager'), path, answer])
        rig.wait_until(lambda: 'ready' in process.output(), 'the manager')
        return process, {'INVOCATION_ID': '0' * 32, 'DBUS_SYSTEM_BUS_ADDRESS': f'unix:path={path}'}

    def begin(self, answer, head='', env=None):
        self.port = rig.free_port()
        process, found = self.manager(answer)
        self.config = rig.simple(self.port, [self.echo().address], head)
        return process, self.bal(self.config, env={**found, **(env or {})})

    def client(self):
        s = rig.connect(self.port)
        self.addCleanup(s.close)
        self.assert_echo(s, b'one')
        return s

    def assert_echo(self, s, text):
        s.sendall(text)
        self.assertEqual(rig.read_exactly(s, len(text)), text)

    def stopped(self, bal):
        self.assertEqual(bal.wait(), 0)
        record, = bal.events('daemon_stopped')
        return record['fields']

    def test_new_clients_are_served(self):
        manager, bal = self.begin('restart', 'drain_timeout: 20s\nrestart_drain: 2s')
        old = self.client()
        began = time.monotonic()
        bal.kill(signal.SIGTERM)
        stopping, = bal.log_wait('daemon_stopping')
        self.assertEqual(stopping['fields'], {'restart': True, 'sessions': 1, 'drain_timeout_ms': 2000})
        status = bal.get()
        self.assertEqual((status['draining'], status['restarting']), (True, True))
        self.assertIn('  restarting   the open connections', bal.cli('status', check=0).stdout)
        new = [self.client() for _ in range(5)]
        self.assert_echo(old, b'two')
        self.assertEqual([rig.read_all(s) for s in (old, *new)], [b''] * 6)
        self.assertEqual(self.stopped(bal), {'restart': True, 'cut': 6})
        took = time.monotonic() - began
        self.assertGreater(took, 1.4)  # three quarters: nobody awaited a response in the last one
        self.assertLess(took, 4 * rig.SLOW)
        self.assertEqual(manager.output().splitlines()[1:], [
            '/org/freedesktop/systemd1/unit/self org.freedesktop.systemd1.Unit Job',
            '/org/freedesktop/systemd1/job/7 org.freedesktop.systemd1.Job JobType'])

    def test_those_that_end(self):
        """When the last of those that were there has ended, there is nothing to wait for."""
        _, bal = self.begin('restart', 'restart_drain: 1m\ndrain_timeout: 1m')
        old = [self.client() for _ in range(3)]
        bal.kill(signal.SIGTERM)
        bal.log_wait('daemon_stopping')
        new = self.client()
        old[0].close()
        old[1].close()
        self.assert_echo(old[2], b'two')
        self.assertTrue(bal.alive())
        began = time.monotonic()
        old[2].close()
        self.assertEqual(rig.read_all(new), b'')
        self.assertEqual(self.stopped(bal), {'restart': True, 'cut': 1})
        self.assertLess(time.monotonic() - began, 5 * rig.SLOW)

    def test_nobody_is_there(self):
        _, bal = self.begin('restart', 'restart_drain: 1m\ndrain_timeout: 1m')
        bal.kill(signal.SIGTERM)
        self.assertEqual(self.stopped(bal), {'restart': True, 'cut': 0})

    def test_a_response_on_its_way(self):
        """Whoever came last and awaits a response gets it, if it comes in the last quarter."""
        gate = threading.Event()

        def slow(s):
            s.recv(100)
            gate.wait(10 * rig.SLOW)
            s.sendall(b'slow')
        address = rig.serve(self, slow)
        self.port = rig.free_port()
        _, env = self.manager('restart')
        bal = self.bal(rig.simple(self.port, [address], 'restart_drain: 2s'), env=env)
        with rig.connect(self.port):
            rig.wait_until(lambda: bal.get()['active_connections'] == 1, 'a session')
            bal.kill(signal.SIGTERM)
            bal.log_wait('daemon_stopping')
            with rig.connect(self.port) as new:
                new.sendall(b'?')
                rig.wait_until(lambda: not self.listens(), 'the last part')
                gate.set()
                self.assertEqual(rig.read_all(new), b'slow')
        self.stopped(bal)

    def listens(self):
        try:
            rig.connect(self.port).close()
            return True
        except OSError:
            return False

    def test_drain_timeout_is_less(self):
        _, bal = self.begin('restart', 'drain_timeout: 300ms\nrestart_drain: 1h')
        s = self.client()
        bal.kill(signal.SIGTERM)
        self.assertEqual(rig.read_all(s), b'')
        self.assertEqual(self.stopped(bal), {'restart': True, 'cut': 1})
        self.assertEqual(bal.events('daemon_stopping')[0]['fields']['drain_timeout_ms'], 300)

    def test_no_time_at_all(self):
        _, bal = self.begin('restart', 'restart_drain: 0s')
        s = self.client()
        bal.kill(signal.SIGTERM)
        self.assertEqual(rig.read_all(s), b'')
        self.assertEqual(self.stopped(bal), {'restart': True, 'cut': 1})

    # ---- what is no restart ----

    def test_other_answers(self):
        """Whatever comes back, a stop is a stop with its drain_timeout, and a bus that hangs is not waited for."""
        for answer, reason in (
                ('stop', None), ('none', None), ('start', None), ('error', 'no such service'),
                ('late-error', 'no such service'), ('odd', 'the job cannot be read'),
                ('late-odd', 'the type of the job cannot be read'), ('hang', 'no answer'), ('silent', 'no answer'),
                ('close', ''), ('noise', '')):
            with self.subTest(answer):
                _, bal = self.begin(answer, 'drain_timeout: 1s\nrestart_drain: 0s')
                s = self.client()
                began = time.monotonic()
                bal.kill(signal.SIGTERM)
                if reason == 'no answer':
                    self.assert_echo(self.client(), b'meanwhile')
                self.assertEqual(rig.read_all(s), b'')
                took = time.monotonic() - began
                self.assertGreater(took, 0.9)
                self.assertLess(took, 3 * rig.SLOW)
                self.assertFalse(self.stopped(bal)['restart'])
                self.assertFalse(bal.events('daemon_stopping')[0]['fields']['restart'])
                unknown = bal.events('restart_unknown')
                self.assertEqual(len(unknown), reason is not None, unknown)
                if reason:
                    self.assertEqual(unknown[0]['fields']['reason'], reason)

    def test_no_bus(self):
        """With no bus, and with an address that makes no sense."""
        for address in ('unix:path=/nonexistent', 'nonsense', ''):
            with self.subTest(address):
                _, bal = self.begin('restart', 'drain_timeout: 300ms', env={'DBUS_SYSTEM_BUS_ADDRESS': address,
                                                                            'MANAGERPID': '', 'XDG_RUNTIME_DIR': '',
                                                                            'DBUS_SESSION_BUS_ADDRESS': address})
                s = self.client()
                bal.kill(signal.SIGTERM)
                self.assertEqual(rig.read_all(s), b'')
                self.assertEqual(self.stopped(bal), {'restart': False, 'cut': 1})
                self.assertEqual(len(bal.events('restart_unknown')), 1)

    def test_not_asked(self):
        """By hand, nobody has to be asked; nor does bal stop ask."""
        manager, bal = self.begin('restart', 'drain_timeout: 200ms')
        self.client()
        bal.cli('stop', check=0)
        self.assertEqual(self.stopped(bal), {'restart': False, 'cut': 1})
        _, found = self.manager('restart')
        del found['INVOCATION_ID']
        bal = self.bal(self.config, env=found)
        self.client()
        bal.kill(signal.SIGTERM)
        self.assertEqual(self.stopped(bal), {'restart': False, 'cut': 1})
        self.assertEqual(bal.events('restart_unknown'), [])
        self.assertEqual(manager.output(), 'ready\n')

    def test_the_manager_of_a_user(self):
        """It is on the user's bus."""
        process, found = self.manager('restart')
        address = found.pop('DBUS_SYSTEM_BUS_ADDRESS')
        _, bal = self.begin('stop', env={'MANAGERPID': '1', 'DBUS_SESSION_BUS_ADDRESS': address})
        bal.kill(signal.SIGTERM)
        self.assertEqual(self.stopped(bal), {'restart': True, 'cut': 0})
        self.assertIn('JobType', process.output())

    # ---- what comes in between ----

    def test_a_second_signal(self):
        """In each state: while the bus is asked, while clients are served, while it drains."""
        for answer, event in (('hang', None), ('restart', 'daemon_stopping'), ('stop', 'daemon_stopping')):
            with self.subTest(answer):
                _, bal = self.begin(answer, 'drain_timeout: 1h\nrestart_drain: 1h')
                s = self.client()
                began = time.monotonic()
                bal.kill(signal.SIGTERM)
                if event:
                    bal.log_wait(event)
                else:
                    rig.wait_until(lambda b=bal: b.get()['draining'], 'the stop')
                bal.kill(signal.SIGTERM)
                self.assertEqual(rig.read_all(s), b'')
                self.assertEqual(self.stopped(bal)['cut'], 1)
                self.assertLess(time.monotonic() - began, 5 * rig.SLOW)

    def test_bal_stop_in_a_restart(self):
        """It waits for the end, and changes nothing."""
        _, bal = self.begin('restart', 'restart_drain: 1s')
        self.client()
        bal.kill(signal.SIGTERM)
        bal.log_wait('daemon_stopping')
        bal.cli('stop', check=0)
        self.assertEqual(self.stopped(bal), {'restart': True, 'cut': 1})

    def test_a_reload_in_a_restart(self):
        """It is refused, as in a stop; a signal is forgotten."""
        _, bal = self.begin('restart', 'restart_drain: 1s')
        self.client()
        bal.kill(signal.SIGTERM)
        bal.log_wait('daemon_stopping')
        bal.kill(signal.SIGHUP)
        self.assertIn('stop', bal.cli('graceful').stderr)
        self.assertEqual(self.stopped(bal), {'restart': True, 'cut': 1})
        self.assertEqual(len(bal.events('config_loaded')), 1)

    def test_any_order(self):
        """Signals of both kinds at any moment, the start included: it ends, soon and without a fault."""
        seed = int(os.environ.get('FLOW_SEED', random.randrange(1 << 32)))
        rng = random.Random(seed)
        print(f'FLOW_SEED={seed}', end=' ', file=sys.stderr, flush=True)
        for i in range(100 if rig.FULL else 20):
            answer = rng.choice(['restart', 'restart', 'stop', 'none', 'hang', 'close'])
            _, env = self.manager(answer)
            self.port = rig.free_port()
            bal = self.bal(rig.simple(self.port, [self.echo().address],
                                      'drain_timeout: 1s\nrestart_drain: 500ms\nworkers: 3'), env=env, wait=i % 2 == 0)
            if i % 2:  # once it can be signalled at all
                rig.wait_until(lambda b=bal: 'daemon_starting' in b.stderr(), 'the process')
            held = []
            for _ in range(rng.randrange(4)):
                try:
                    held.append(rig.connect(self.port))
                except OSError:
                    break  # not yet, or no more
            for _ in range(rng.randrange(1, 8)):
                bal.kill(rng.choice([signal.SIGTERM, signal.SIGHUP, signal.SIGHUP]))
                time.sleep(rng.choice([0, 0, 0.001, 0.01, 0.1]))
            bal.kill(signal.SIGTERM)
            self.assertEqual(bal.wait(), 0, f'{answer}, round {i}')
            for s in held:
                s.close()


rig.main()
