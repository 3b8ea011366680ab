#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Thousands of idle sessions: what each one costs, and that bal stays quick to answer."""

import resource
import time

import rig

SESSIONS = 9000 if rig.SANITIZE == 'none' else 2000


class Idle(rig.FlowTest):
    def test_idle_sessions_are_cheap(self):
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        sessions = min(SESSIONS, hard // 2 - 500)
        port = rig.free_port()
        echo = self.echo()
        bal = self.bal(rig.simple(port, [echo.address], runtime={'max_concurrent_connections': 10000}))
        warm = self.hold(port, 200)
        warm.end()
        self.assert_idle(bal)
        before, fds = bal.pss_kib(), bal.fds()

        held = self.hold(port, sessions)
        self.assertEqual(bal.status()['active_connections'], sessions)
        after = bal.pss_kib()
        each = (after - before) / sessions
        print(f'{sessions} idle sessions: {before} -> {after} KiB, {each:.3f} KiB each')
        if rig.SANITIZE == 'none':
            self.assertLessEqual(each, 0.6)

        times = []
        for _ in range(9):
            start = time.monotonic()
            bal.cli('status', '--json', check=0)
            times.append(time.monotonic() - start)
        print(f'bal status: median {sorted(times)[4] * 1000:.1f} ms')
        if rig.SANITIZE == 'none':
            self.assertLess(sorted(times)[4], 0.05)
        cpu = bal.cpu_s()
        time.sleep(1)
        self.assertLess(bal.cpu_s() - cpu, 0.1 * rig.SLOW, 'idle sessions cost no time')
        self.assertEqual(held.ping(), sessions, 'all of them still live')

        held.popen.stdin.close()
        held.popen.stdin = None
        held.wait()
        self.assert_idle(bal, 20)
        self.assert_sessions_balance(bal)
        rig.wait_until(lambda: bal.fds() <= fds + 8, 'descriptors as before')
        print(f'afterwards: {bal.pss_kib()} KiB')


if __name__ == '__main__':
    rig.main()
