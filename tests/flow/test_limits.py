#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""max_connections of a frontend and of a backend, and the limit of descriptors."""

import contextlib
import resource
import time

import rig


def ask(address, timeout=2.0):
    """An open connection whose echo works, or None when bal turned it away."""
    s = rig.connect(address, timeout)
    try:
        s.sendall(b'hello')
        if rig.read_exactly(s, 5) == b'hello':
            return s
    except (OSError, AssertionError):
        pass
    s.close()
    return None


class Limits(rig.FlowTest):
    def test_reject(self):
        port = rig.free_port()
        echo = self.echo()
        bal = self.bal(rig.simple(port, [echo.address], runtime={'max_concurrent_connections': 5}))
        with contextlib.ExitStack() as stack:
            held = [stack.enter_context(ask(port)) for _ in range(5)]
            start = time.monotonic()
            for _ in range(3):
                self.assertIsNone(ask(port))
            self.assertLess(time.monotonic() - start, 1.0 * rig.SLOW, 'turned away at once')
            self.assertEqual(bal.status()['rejected_total'], 3)
            self.assertEqual(bal.status()['active_connections'], 5)
            held[0].close()
            rig.wait_until(lambda: bal.status()['active_connections'] == 4, 'a place')
            stack.enter_context(ask(port))
        self.assert_idle(bal)
        self.assert_sessions_balance(bal)

    def test_queue_waits_for_a_place(self):
        port = rig.free_port()
        echo = self.echo()
        bal = self.bal(rig.simple(port, [echo.address], runtime={
            'max_concurrent_connections': 3, 'overload_policy': 'queue', 'queue_timeout_ms': 20000}))
        with contextlib.ExitStack() as stack:
            held = [stack.enter_context(ask(port)) for _ in range(3)]
            waiting = [stack.enter_context(rig.connect(port)) for _ in range(2)]
            for s in waiting:
                s.sendall(b'later')
            rig.wait_until(lambda: bal.status()['frontends'][0]['waiting'] in (2, 0), 'two who wait')
            waiting[0].settimeout(0.3)
            with self.assertRaises(TimeoutError):
                waiting[0].recv(1)
            for s in held[:2]:
                s.close()
            for s in waiting:
                s.settimeout(10 * rig.SLOW)
                self.assertEqual(rig.read_exactly(s, 5), b'later')
            self.assertEqual(bal.status()['rejected_total'], 0)

    def test_who_waits_is_served_by_a_backend_that_comes_back(self):
        """One backend is full; the other comes back into service, then it has had a cooldown."""
        full, other = self.echo('full'), self.door('other')
        port = rig.free_port()
        bal = self.bal(rig.document(rig.pool(
            'p', port, [(full.address, {'max_connections': 1}), other.address],
            frontend={'overload_policy': 'queue', 'queue_timeout': '20s'}, health_check={'type': 'none'},
            failover={'cooldown': '1s', 'backoff_initial': '1s'})))
        bal.cli('backend', 'drain', other.address, '--yes', check=0)
        with contextlib.ExitStack() as stack:
            stack.enter_context(ask(port))
            waiting = stack.enter_context(rig.connect(port))
            rig.wait_until(lambda: bal.status()['frontends'][0]['waiting'] == 1, 'one who waits')
            start = time.monotonic()
            bal.cli('backend', 'enable', other.address, check=0)
            waiting.sendall(b'GET / HTTP/1.0\r\n\r\n')
            self.assertIn(b'other', rig.read_all(waiting))
            self.assertLess(time.monotonic() - start, 5 * rig.SLOW)

            other.close()
            waiting = stack.enter_context(rig.connect(port))
            bal.wait_state(other.address, 'cool')
            other.open()
            waiting.sendall(b'GET / HTTP/1.0\r\n\r\n')
            self.assertIn(b'other', rig.read_all(waiting))

    def test_waiting_costs_nothing(self):
        """Who waits for a place at a backend is woken by whoever leaves it, not by himself."""
        port = rig.free_port()
        echo = self.echo()
        bal = self.bal(rig.simple(port, [(echo.address, {'max_connections': 1})], runtime={
            'overload_policy': 'queue', 'queue_timeout_ms': 20000}))
        held = ask(port)
        with rig.connect(port) as late:
            late.sendall(b'later')
            rig.wait_until(lambda: bal.status()['frontends'][0]['waiting'] == 1, 'one who waits')
            cpu = bal.cpu_s()
            time.sleep(1)
            self.assertLess(bal.cpu_s() - cpu, 0.2 * rig.SLOW, 'it does not spin')
            held.close()
            late.settimeout(10 * rig.SLOW)
            self.assertEqual(rig.read_exactly(late, 5), b'later')

    def test_a_raised_limit_has_buffers(self):
        port, backend = rig.free_port(), self.backend('web')
        bal = self.bal(rig.simple(port, [backend.address], runtime={'max_concurrent_connections': 2}))
        bal.reload(rig.simple(port, [backend.address], runtime={'max_concurrent_connections': 100}))
        request = b'GET / HTTP/1.1\r\nHost: x\r\n\r\n' * 20000
        with contextlib.ExitStack() as stack:
            for _ in range(12):  # they ask and ask and never read: both directions fill up
                s = stack.enter_context(rig.connect(port))
                s.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    while True:
                        s.send(request)
            time.sleep(0.5)
            status = bal.status()
            self.assertEqual((status['active_connections'], status['closed']['resources']), (12, 0))

    def test_queue_ends_after_its_time(self):
        port = rig.free_port()
        echo = self.echo()
        bal = self.bal(rig.simple(port, [echo.address], runtime={
            'max_concurrent_connections': 1, 'overload_policy': 'queue', 'queue_timeout_ms': 400}))
        with ask(port), rig.connect(port) as late:
            start = time.monotonic()
            with contextlib.suppress(ConnectionResetError):
                self.assertEqual(late.recv(1), b'')
            took = time.monotonic() - start
            self.assertGreater(took, 0.3)
            self.assertLess(took, 3 * rig.SLOW)
            rig.wait_until(lambda: bal.status()['rejected_total'] == 1, 'it to be counted')

    def test_per_backend_limit_is_exact_over_workers(self):
        port = rig.free_port()
        one, two = self.echo('one'), self.echo('two')
        bal = self.bal(
            f'global: {{ workers: 4 }}\nfrontends:\n  - {{ name: web, listen: "127.0.0.1:{port}", backend: pool }}\n'
            'backends:\n  - name: pool\n    servers:\n' +
            ''.join(f'      - {{ address: "{b.address}", max_connections: 7 }}\n' for b in (one, two)))
        opened = []
        lock = rig.threading.Lock()

        def open_some():
            for _ in range(5):
                s = ask(port)
                if s:
                    with lock:
                        opened.append(s)
        threads = [rig.threading.Thread(target=open_some) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        try:
            self.assertEqual(len(opened), 14)
            self.assertEqual([bal.backend(b.address)['active_connections'] for b in (one, two)], [7, 7])
            opened.pop().close()
            rig.wait_until(lambda: bal.status()['active_connections'] == 13, 'a place')
            s = ask(port)
            self.assertIsNotNone(s)
            opened.append(s)
        finally:
            for s in opened:
                s.close()
        self.assert_idle(bal)
        self.assert_sessions_balance(bal)

    def test_few_descriptors(self):
        port = rig.free_port()
        echo = self.echo()
        bal = self.bal(rig.simple(port, [echo.address]), files=260)
        self.assertTrue(bal.events('limit_lowered'))
        opened, idle = [], []
        try:
            for _ in range(120):
                s = rig.connect(port)
                s.sendall(b'hello')
                idle.append(s)
            for s in idle:
                s.settimeout(0.5 * rig.SLOW)
                with contextlib.suppress(OSError, AssertionError):
                    if rig.read_exactly(s, 5) == b'hello':
                        opened.append(s)
            self.assertGreater(len(opened), 10)
            self.assertLess(len(opened), 100)
            cpu = bal.cpu_s()
            time.sleep(1)
            self.assertLess(bal.cpu_s() - cpu, 0.2 * rig.SLOW, 'it does not spin')
            self.assertTrue(bal.status()['running'])
        finally:
            for s in idle:
                s.close()
        rig.wait_until(lambda: self.through(port) == 30, 'bal to serve again')
        self.assert_idle(bal)

    def through(self, port):
        good = 0
        for _ in range(30):
            s = ask(port)
            if s:
                good += 1
                s.close()
        return good

    def test_descriptors_run_out_while_it_runs(self):
        """Not what it planned for: accept() fails. It waits, and goes on when there are some again."""
        port = rig.free_port()
        echo = self.echo()
        bal = self.bal(rig.simple(port, [echo.address]))
        ask(port).close()
        self.assert_idle(bal)
        before = resource.prlimit(bal.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(bal.pid, resource.RLIMIT_NOFILE, (bal.fds() + 11, before[1]))
        clients = [rig.connect(port) for _ in range(30)]
        try:
            for s in clients:
                s.sendall(b'hello')
            time.sleep(0.5)
            cpu = bal.cpu_s()
            time.sleep(1.5)
            self.assertLess(bal.cpu_s() - cpu, 0.3 * rig.SLOW, 'it does not spin')
            self.assertTrue(bal.alive())
            served = 0
            for s in clients:  # as one leaves, the next is let in
                s.settimeout(5 * rig.SLOW)
                with contextlib.suppress(ConnectionError, AssertionError):
                    served += rig.read_exactly(s, 5) == b'hello'
                s.close()
            self.assertGreater(served, 3)
        finally:
            for s in clients:
                s.close()
        rig.wait_until(lambda: self.through(port) == 30, 'bal to serve as before')
        resource.prlimit(bal.pid, resource.RLIMIT_NOFILE, before)
        self.assert_idle(bal)
        self.assert_sessions_balance(bal)

    def test_limit_of_the_whole_process(self):
        ports = [rig.free_port() for _ in range(2)]
        echo = self.echo()
        bal = self.bal('global: { max_connections: 6 }\nfrontends:\n' + ''.join(
            f'  - {{ name: f{i}, listen: "127.0.0.1:{p}", backend: pool, max_connections: 4 }}\n'
            for i, p in enumerate(ports)) +
            f'backends:\n  - {{ name: pool, servers: [ {{ address: "{echo.address}" }} ] }}\n')
        with contextlib.ExitStack() as stack:
            for _ in range(4):
                stack.enter_context(ask(ports[0]))
            self.assertIsNone(ask(ports[0]), "the frontend's own limit")
            for _ in range(2):
                stack.enter_context(ask(ports[1]))
            self.assertIsNone(ask(ports[1]), 'the limit of all')
            by_name = {f['name']: f for f in bal.status()['frontends']}
            self.assertEqual([by_name[n]['active_connections'] for n in ('f0', 'f1')], [4, 2])


if __name__ == '__main__':
    rig.main()
