#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""No backend is left: protection mode, at no cost, and the way out of it, with and without clients."""

import time

import rig

KNOCKS = 200  # clients a second
SECONDS = 10 if rig.FULL else 2
BACK_S = 0.05 * rig.SLOW
REASON = 'all_backends_unavailable'


class AllDown(rig.FlowTest):
    def setUp(self):
        super().setUp()
        self.port = rig.free_port()
        self.doors = [self.door('one'), self.door('two')]
        for door in self.doors:
            door.close()

    def one_client(self):
        with rig.connect(self.port) as s:
            try:
                self.assertEqual(s.recv(1), b'')
            except ConnectionResetError:
                pass

    def test_nobody_is_there_and_many_knock(self):
        bal = self.bal(rig.simple(self.port, [door.address for door in self.doors], runtime={'hold_ms': 0}))
        for door in self.doors:
            bal.wait_state(door.address, 'down')
        self.assertFalse(bal.status()['protection_mode']['enabled'], 'nobody was turned away yet')

        visitors = self.visit(self.port, KNOCKS)
        rig.wait_until(lambda: bal.protection()['enabled'], 'protection to be switched on', 3)
        status = bal.status()
        self.assertEqual(status['protection_mode'], {'enabled': True, 'reason': REASON})
        self.assertEqual(status['pools'][0]['protection']['activations'][REASON], 1)
        self.assertEqual(status['verdict'], 'WARN')
        lines, cpu, start = len(bal.log()), bal.cpu_ns(), time.monotonic()
        time.sleep(SECONDS)
        took, knocked = time.monotonic() - start, time.monotonic()
        cpu = (bal.cpu_ns() - cpu) / 1e9 / took
        lines = len(bal.log()) - lines
        print(f'{100 * cpu:.1f} % CPU and {lines} lines of log in {took:.1f} s with {KNOCKS} clients/s')
        self.assertLess(cpu, 0.05 * rig.SLOW)
        self.assertLess(lines, 10)
        self.assertGreater(bal.get()['pools'][0]['unavailable_total'], KNOCKS * SECONDS / 2)

        interval = bal.backend(self.doors[0].address)['check']['interval_ms'] / 1000
        back = self.doors[0].open()
        rig.wait_until(lambda: not bal.protection()['enabled'], 'protection to be switched off')
        time.sleep(0.2)
        visits = visitors.end_visits()
        before = [visit for visit in visits if visit.start < knocked]
        self.assertGreater(len(before), KNOCKS * SECONDS / 2)
        self.assertEqual({visit.outcome for visit in before} - {'empty', 'reset'}, set())
        slow = sorted(visit.took for visit in before)[len(before) * 99 // 100]
        print(f'closed within {slow * 1000:.1f} ms (99 %)')
        self.assertLess(slow, 0.1 * rig.SLOW, 'at once')
        first = min(visit.start for visit in visits if visit.outcome == 'answered') - back
        print(f'traffic flows after {first * 1000:.0f} ms, the interval was {interval * 1000:.0f} ms')
        self.assertLessEqual(first, interval + BACK_S)
        late = [visit for visit in visits if visit.start > back + interval + BACK_S]
        self.assertEqual([visit for visit in late if visit.outcome != 'answered'], [])

        on, off = bal.log_wait('protection_on')[0]['fields'], bal.log_wait('protection_off')[0]['fields']
        self.assertEqual((on['pool'], on['reason'], off['pool']), (off['pool'], REASON, on['pool']))
        self.assertEqual(len(bal.events('protection_on')) + len(bal.events('protection_off')), 2)
        self.assert_idle(bal)
        self.assert_sessions_balance(bal)

    def pool(self, **keys):
        return rig.document(rig.pool('p', self.port, [door.address for door in self.doors], **{
            'health_check': {'type': 'tcp', 'interval': '100ms', 'timeout': '100ms', 'unhealthy_threshold': 2,
                             'healthy_threshold': 1},
            'protection': {'stable_success_threshold': 8}, 'hold': '0s', **keys}), drain_timeout='1s')

    def test_it_ends_without_a_client_too(self):
        bal = self.bal(self.pool())
        for door in self.doors:
            bal.wait_state(door.address, 'down')
        self.one_client()
        rig.wait_until(lambda: bal.protection()['enabled'], 'protection to be switched on', 3)
        since = bal.protection()['since']
        time.sleep(0.5)
        self.assertTrue(bal.protection()['enabled'], 'failing checks do not end it')
        # a reload keeps it, and when it began
        bal.reload(self.pool().replace('"1s"', '"2s"'))
        self.assertEqual((bal.protection()['since'], bal.protection()['reason']), (since, REASON))

        back = self.doors[1].open()  # the other one stays down, which is no news
        bal.wait_state(self.doors[1].address, 'up')
        seen = set()

        def over():
            protection = bal.protection()
            if protection['enabled']:
                seen.add(protection['successes'])
            return not protection['enabled']
        rig.wait_until(over, 'protection to be switched off', 5)
        took = time.monotonic() - back
        print(f'off {took:.2f} s after a backend came back, with 8 checks at 100 ms')
        self.assertGreater(took, 0.55, 'not before the eighth success')
        self.assertLess(took, 0.95 + BACK_S + 0.3 * rig.SLOW)
        self.assertLessEqual(max(seen), 8)
        self.assertEqual(bal.protection()['stable'], 8)
        self.assertIsNone(bal.protection()['reason'])
        self.assertGreaterEqual(bal.protection()['last_ms'], 500)
        self.assertEqual(rig.get(self.port), 'two')

    def test_a_failure_starts_the_count_again(self):
        """A backend that comes and goes does not end it; one that stays does."""
        bal = self.bal(self.pool())
        for door in self.doors:
            bal.wait_state(door.address, 'down')
        self.one_client()
        rig.wait_until(lambda: bal.protection()['enabled'], 'protection to be switched on', 3)
        for _ in range(3):
            self.doors[0].open()
            rig.wait_until(lambda: bal.protection()['successes'] >= 3, 'some successes', 3, step=0.005)
            self.doors[0].close()
            rig.wait_until(lambda: bal.protection()['successes'] == 0, 'a failure', 3, step=0.005)
            self.assertTrue(bal.protection()['enabled'])
        self.doors[0].open()
        rig.wait_until(lambda: not bal.protection()['enabled'], 'protection to be switched off', 5)


if __name__ == '__main__':
    rig.main()
