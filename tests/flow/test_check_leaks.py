#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Thousands of checks, good and bad ones: descriptors, memory and the kernel's tables stay flat."""

import time

import rig

SECONDS = 20 if rig.FULL else 4
INTERVAL_MS = 20 if rig.SANITIZE == 'none' else 200


def time_waits(ports):
    """Connections in TIME_WAIT that begin or end at one of these ports."""
    n = 0
    for path in ('/proc/net/tcp', '/proc/net/tcp6'):
        with open(path, encoding='ascii') as f:
            for line in list(f)[1:]:
                fields = line.split()
                ends = {int(fields[i].rsplit(':', 1)[1], 16) for i in (1, 2)}
                n += fields[3] == '06' and bool(ends & ports)
    return n


class Leaks(rig.FlowTest):
    def test_checks_leave_nothing(self):
        web = [self.backend(f'web{i}').address for i in range(4)]
        unix = self.backend('unix', address=f'unix:{self.dir}/web.sock').address
        hang_up = rig.serve(self, lambda s: s.recv(1000))
        dead, hole = f'127.0.0.1:{rig.free_port()}', rig.blackhole(self)
        servers = [*web, unix, hang_up, dead, hole]
        check = {'interval': f'{INTERVAL_MS}ms', 'timeout': '100ms', 'unhealthy_threshold': 3}
        ports = rig.free_port(), rig.free_port()
        bal = self.bal(rig.document(
            rig.pool('tcp', ports[0], servers, health_check={'type': 'tcp', **check}),
            rig.pool('http', ports[1], servers, health_check={'type': 'http', **check})))

        def checks():
            return sum(b['check']['passed'] + b['check']['failed'] for b in bal.get()['backends'])
        time.sleep(1.0)
        before, files, memory, cpu, start = checks(), bal.fds(), bal.anonymous_kib(), bal.cpu_ns(), time.monotonic()
        most = 0
        while time.monotonic() < start + SECONDS:
            most = max(most, bal.fds())
            time.sleep(0.1)
        done, took = checks() - before, time.monotonic() - start
        waits = time_waits({int(address.rsplit(':', 1)[1]) for address in servers if not address.startswith('unix')})
        print(f'{done} checks in {took:.1f} s: {files} -> {bal.fds()} descriptors, at most {most}; '
              f'{memory} -> {bal.anonymous_kib()} KiB; {waits} in TIME_WAIT; '
              f'{(bal.cpu_ns() - cpu) / 1e4 / took / 1e5 * 100:.1f} % CPU')
        self.assertGreater(done, took * 1000 / INTERVAL_MS * 2 * len(servers) * 0.5)
        # those that hang are the only ones that are open for long: 2 x 100 ms / 20 ms, a few more for the rest
        self.assertLess(most, files + 40)
        self.assertLessEqual(bal.fds(), files + 15)
        if rig.SANITIZE == 'none':
            self.assertLess(bal.anonymous_kib() - memory, 200)
        self.assertLess(waits, done / 20, 'the checker closes so that nothing is left')
        states = {(b['pool'], b['name']): b['state'] for b in bal.get()['backends']}
        for pool in ('tcp', 'http'):
            self.assertEqual({states[pool, address] for address in [*web, unix]}, {'up'})
            self.assertEqual({states[pool, address] for address in (dead, hole)}, {'down'})
        self.assertEqual((states['tcp', hang_up], states['http', hang_up]), ('up', 'down'))

        # without the checks what they used is given back
        bal.reload(rig.document(rig.pool('tcp', ports[0], servers, health_check={'type': 'none'}),
                                rig.pool('http', ports[1], servers, health_check={'type': 'none'})))
        rig.wait_until(lambda: bal.fds() <= files, f'descriptors as before: {bal.fds()}', 3)
        before = checks()
        time.sleep(0.3)
        self.assertEqual(checks(), before)


if __name__ == '__main__':
    rig.main()
