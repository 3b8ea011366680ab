#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A connect that fails goes on to the next backend, and the client does not notice."""

import os
import socket
import struct
import time

import rig

QUICK = {'backend_connect_timeout_ms': 300, 'backend_cooldown_ms': 200, 'failover_backoff_initial_ms': 100,
         'failover_backoff_max_ms': 400, 'connect_deadline_ms': 300, 'hold_ms': 0}
NO_CHECKS = 'health_check: { type: none }'  # so that only clients can find out


class Failover(rig.FlowTest):
    def dead_port(self):
        return f'127.0.0.1:{rig.free_port()}'

    def test_one_of_two_refuses(self):
        calm_port, port = rig.free_port(), rig.free_port()
        web, dead = self.backend('web'), self.dead_port()
        self.bal(rig.simple(calm_port, [web.address]))
        # the least cooldown there is, so that as many clients as possible meet the dead one
        bal = self.bal(rig.simple(port, [dead, web.address], NO_CHECKS, runtime={
            'backend_cooldown_ms': 1, 'failover_backoff_initial_ms': 1, 'failover_backoff_max_ms': 1}))
        calm, report = self.knock(calm_port, 1000), self.knock(port, 1000)
        self.assertEqual(report['answered'], 1000, report)
        counters = bal.backend(dead)['counters']
        self.assertGreater(counters['refused'], 10)
        self.assertEqual((counters['timeout'], counters['other'], counters['closed']), (0, 0, 0))
        print(f"added latency: p50 {report['p50_us'] - calm['p50_us']} us, p99 {report['p99_us'] - calm['p99_us']} us")
        if rig.SANITIZE == 'none':
            self.assertLess(report['p95_us'] - calm['p95_us'], 5000)
        self.assert_idle(bal)
        self.assert_sessions_balance(bal)

    def test_default_tuning_hardly_meets_the_dead_one(self):
        port = rig.free_port()
        web, dead = self.backend('web'), self.dead_port()
        bal = self.bal(rig.simple(port, [dead, web.address]))
        self.assertEqual(self.knock(port, 1000)['answered'], 1000)
        self.assertLess(bal.backend(dead)['counters']['refused'], 40, 'a cooldown keeps sessions away')

    def test_a_silent_backend_costs_one_timeout(self):
        port = rig.free_port()
        web, hole = self.backend('web'), rig.blackhole(self)
        bal = self.bal(rig.simple(port, [hole, web.address], NO_CHECKS, runtime=QUICK))
        start = time.monotonic()
        while bal.backend(hole)['counters']['timeout'] == 0:
            self.assertEqual(rig.get(port), 'web')
            self.assertLess(time.monotonic() - start, 10 * rig.SLOW)
        report = self.knock(port, 20)
        self.assertEqual(report['answered'], 20)
        self.assertLess(report['p50_us'], 100000 * rig.SLOW, 'in cooldown nobody waits for it')
        self.assertEqual(bal.backend(hole)['counters']['refused'], 0)

    def test_the_timeout_is_the_configured_one(self):
        port = rig.free_port()
        hole = rig.blackhole(self)
        self.bal(rig.simple(port, [hole], NO_CHECKS, runtime=QUICK))
        start = time.monotonic()
        with rig.connect(port) as s:
            self.assert_closed(s)
        took = time.monotonic() - start
        self.assertGreater(took, 0.29)
        self.assertLess(took, 1.5 * rig.SLOW)

    def assert_closed(self, s):
        try:
            self.assertEqual(s.recv(100), b'')
        except ConnectionResetError:
            pass

    def test_nobody_is_there_and_then_somebody_is(self):
        port, web_port = rig.free_port(), rig.free_port()
        bal = self.bal(rig.simple(port, [f'127.0.0.1:{web_port}', self.dead_port()], NO_CHECKS, runtime=QUICK))
        for _ in range(20):
            with rig.connect(port) as s:
                self.assert_closed(s)
        self.backend('back', address=f'127.0.0.1:{web_port}')

        def answers():
            try:
                return rig.get(port) == 'back'
            except OSError:
                return False
        start = time.monotonic()
        rig.wait_until(answers, 'the backend that came back to serve', 3)
        self.assertLess(time.monotonic() - start, 1.5 * rig.SLOW)
        self.assert_idle(bal)
        self.assert_sessions_balance(bal)

    def test_unix_backends_fail_over(self):
        port = rig.free_port()
        missing = f'unix:{self.dir}/missing.sock'
        deserted = f'{self.dir}/deserted.sock'
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(deserted)  # nobody listens
        web = self.backend('web', address=f'unix:{self.dir}/web.sock')
        bal = self.bal(rig.simple(port, [missing, f'unix:{deserted}', web.address], NO_CHECKS, runtime=QUICK))
        self.assertEqual(self.knock(port, 300)['by_backend'], {'web': 300})
        self.assertGreater(bal.backend(f'unix:{deserted}')['counters']['refused'], 0)
        self.assertGreater(sum(bal.backend(missing)['counters'].values()), 0)

    def test_bytes_sent_early_are_kept(self):
        port = rig.free_port()
        echo, hole = self.echo(), rig.blackhole(self)
        self.bal(rig.simple(port, [hole, self.dead_port(), echo.address], f'method: first\n{NO_CHECKS}', runtime=QUICK))
        data = os.urandom(300000)
        for _ in range(3):
            with rig.connect(port) as s:
                s.sendall(data[:100000])
                s.settimeout(20 * rig.SLOW)
                sender = rig.threading.Thread(
                    target=lambda: (s.sendall(data[100000:]), s.shutdown(socket.SHUT_WR)))
                sender.start()
                self.assertEqual(rig.read_all(s), data)
                sender.join()

    def test_a_client_that_leaves_while_bal_connects(self):
        port = rig.free_port()
        hole = rig.blackhole(self)
        bal = self.bal(rig.simple(port, [hole], NO_CHECKS, runtime={**QUICK, 'backend_connect_timeout_ms': 60000}))
        before = bal.fds()
        for i in range(20):
            s = rig.connect(port)
            if i % 2:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
                s.close()
            else:
                s.sendall(b'x')
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
                s.close()
        self.assert_idle(bal)
        self.assertLessEqual(bal.fds(), before + 2)
        self.assert_sessions_balance(bal)

    def test_a_backend_that_dies_between_sessions(self):
        port, web_port = rig.free_port(), rig.free_port()
        one, two = self.backend('one', address=f'127.0.0.1:{web_port}'), self.backend('two')
        self.bal(rig.simple(port, [one.address, two.address]))
        self.assertEqual(self.knock(port, 50)['answered'], 50)
        one.end()
        report = self.knock(port, 500)
        self.assertEqual(report['by_backend'], {'two': 500})


if __name__ == '__main__':
    rig.main()
