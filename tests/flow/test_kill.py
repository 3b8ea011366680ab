#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""One of two backends dies or falls silent under load, and comes back."""

import re
import signal
import time

import rig

ROUNDS = 10 if rig.FULL else 2
LOAD_S = 6 if rig.FULL else 2
RATE = 400  # sessions begun a second: one every 2.5 ms
# no new session goes to a dead one after that; with a sanitizer it may take longer to find out
GRACE_S = 1.0 if rig.SLOW == 1 else 2.0
BACK_S = 0.05 * rig.SLOW  # one that is back serves within a check interval and so much


class Kill(rig.FlowTest):
    def two(self, head='', backlog=4096, configured_s=0.5):
        self.configured_s = configured_s  # 0.5: what two backends are tuned to
        self.port, ports = rig.free_port(), [rig.free_port(), rig.free_port()]
        self.webs = [self.nginx(ports[0], 'web0', backlog), self.nginx(ports[1], 'web1')]
        self.ports = ports
        self.bal_ = self.bal(rig.simple(self.port, [web.address for web in self.webs], head))
        self.first = self.webs[0].address
        return self.bal_

    def interval(self):
        """Between two checks, as configured: of two backends one is well, so nothing slows them down."""
        interval = self.bal_.backend(self.first)['check']['interval_ms'] / 1000
        self.assertEqual(interval, self.configured_s)
        return interval

    def met_it(self):
        """Sessions of traffic that tried the first one so far."""
        return self.bal_.backend(self.first)['connections_total']

    def nobody_goes_there(self, since):
        """From the time of grace after it died until now nobody went there."""
        time.sleep(max(0, since + GRACE_S - time.monotonic()))
        before = self.met_it()
        time.sleep(0.5)
        self.assertEqual(self.met_it(), before)
        self.assertEqual(self.bal_.state(self.first), 'down')

    def came_back(self, visits, when, interval):
        """How long after that the first session began that it served."""
        starts = [visit.start for visit in visits if visit.start > when and visit.name == 'web0']
        self.assertTrue(starts, 'it has served again')
        took = min(starts) - when
        print(f'back after {took * 1000:.0f} ms, the interval was {interval * 1000:.0f} ms')
        self.assertLessEqual(took, interval + BACK_S)

    def wrk(self, seconds):
        return self.start('wrk', ['wrk', '-t1', '-c16', f'-d{seconds}s', '--timeout', str(5 * rig.SLOW), '-H',
                                  'Connection: close', f'http://127.0.0.1:{self.port}/'])

    def kill(self):
        self.webs[0].end(signal.SIGKILL)  # returns when it is gone
        return time.monotonic()

    def test_sigkill_under_load(self):
        self.need('wrk')
        self.two()
        loads = [self.wrk(LOAD_S)]
        time.sleep(LOAD_S / 2)
        rig.wait_until(lambda: self.met_it() > 20, 'the load to be there')
        dead = self.kill()
        time.sleep(max(0, dead + GRACE_S - time.monotonic()))
        before = self.met_it()
        loads.append(self.wrk(LOAD_S))
        for load in loads:
            load.wait()
        said = loads[1].output()
        print(re.search(r'Requests/sec: *\S+', said)[0], 'with one of two dead')
        self.assertNotIn('Socket errors', said)
        self.assertNotIn('Non-2xx', said)
        self.assertGreater(int(re.search(r'(\d+) requests in', said)[1]), 100)
        self.assertEqual(self.met_it(), before)
        self.assert_idle(self.bal_)
        self.assert_sessions_balance(self.bal_)

    def test_sigkill_and_back(self):
        self.two()
        visitors, lives = self.visit(self.port, RATE), []
        for _ in range(ROUNDS):
            time.sleep(0.3)
            dead = self.kill()
            self.nobody_goes_there(dead)
            interval = self.interval()
            self.webs[0] = self.nginx(self.ports[0], 'web0')
            lives.append((dead, self.webs[0].refused_at, interval))
            time.sleep(interval + 0.3)
        visits = visitors.end_visits()
        for i, (dead, back, interval) in enumerate(lives):
            again = lives[i + 1][0] - 0.1 if i + 1 < len(lives) else back + 1
            later = [visit for visit in visits if dead < visit.start < again]
            self.assertGreater(len(later), RATE)
            self.assertEqual([visit for visit in later if visit.outcome != 'answered'], [])
            self.came_back(visits, back, interval)
        self.assert_idle(self.bal_)
        self.assert_sessions_balance(self.bal_)

    def silent(self):
        """Stopped while visitors come; all of them are answered in the end."""
        visitors = self.visit(self.port, 200, timeout=20 * rig.SLOW)
        time.sleep(0.5)
        self.webs[0].send_signal(signal.SIGSTOP)
        stopped = time.monotonic()
        self.nobody_goes_there(stopped)
        time.sleep(0.5)
        interval = self.interval()
        woken = time.monotonic()
        self.webs[0].send_signal(signal.SIGCONT)
        time.sleep(interval + 0.5)
        visits = visitors.end_visits()
        self.assertEqual([visit for visit in visits if visit.outcome != 'answered'], [])
        later = [visit for visit in visits if stopped + GRACE_S < visit.start < woken]
        self.assertGreater(len(later), 100)
        self.assertEqual({visit.name for visit in later}, {'web1'})
        slowest = max(visit.took for visit in later)
        print(f'{len(later)} sessions later than {GRACE_S} s, the slowest took {slowest * 1000:.0f} ms')
        self.assertLess(slowest, 0.3 * rig.SLOW, 'none of them waited for it')
        self.came_back(visits, woken, interval)
        self.assert_idle(self.bal_)
        self.assert_sessions_balance(self.bal_)

    def test_sigstop_with_a_short_queue(self):
        """The kernel goes on accepting until the queue is full; then connects time out."""
        self.two(backlog=4)
        self.silent()
        self.assertGreater(self.bal_.backend(self.first)['counters']['timeout'], 0)
        self.assertEqual(self.bal_.backend(self.first)['counters']['refused'], 0)

    def test_sigstop_with_http_checks(self):
        """The kernel accepts all that come, so only an answer tells. 200 + 200 + 300 ms to see it."""
        bal = self.two('health_check: { type: http, path: /, interval: 200ms, timeout: 300ms, unhealthy_threshold: 2 }',
                       configured_s=0.2)
        self.silent()
        self.assertEqual(sum(bal.backend(self.first)['counters'].values()), 0)
        downs = [r for r in bal.events('backend_state') if r['fields']['to'] == 'down']
        self.assertEqual([(r['fields']['backend'], r['fields']['reason']) for r in downs], [(self.first, 'timeout')])


if __name__ == '__main__':
    rig.main()
