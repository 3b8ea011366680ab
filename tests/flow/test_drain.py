#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""bal backend drain and maint with hundreds of long sessions: who stays, who goes, and when."""

import time

import rig

SESSIONS = 500
DEADLINE_S = 8 if rig.FULL else 2
SPREAD_S = 10  # contracts.md, 5: closed spread over so long
LATE_S = 0.6 * rig.SLOW


class Drain(rig.FlowTest):
    def stage(self, **settings):
        """Two echo backends in a pool; the sessions go round."""
        self.port = rig.free_port()
        self.one, self.two = self.echo('one').address, self.echo('two').address
        self.settings = {'max_connections': 4000, 'drain_timeout': '30s', **settings}
        self.bal_ = self.bal(self.document())
        return self.bal_

    def document(self, **settings):
        return rig.document(rig.pool('p', self.port, [self.one, self.two],
                                     health_check={'type': 'tcp', 'interval': '100ms', 'timeout': '500ms'}),
                            **{**self.settings, **settings})

    def active(self):
        return [self.bal_.backend(name)['active_connections'] for name in (self.one, self.two)]

    def test_at_the_deadline_they_go_one_by_one(self):
        bal = self.stage()
        held = self.hold(self.port, 2 * SESSIONS)
        here, there = self.active()
        self.assertAlmostEqual(here, SESSIONS, delta=4)
        start = time.monotonic()
        said = bal.cli('backend', 'drain', self.one, '--deadline', f'{DEADLINE_S}s', '--yes', check=0).stdout
        asked = time.monotonic()
        self.assertIn('DRAIN', said)
        self.assertIn(str(here), said, 'how many stay')
        one = bal.backend(self.one)
        self.assertEqual((one['state'], one['reason']), ('drain', 'admin'))
        self.assertLessEqual(one['deadline_in_ms'], DEADLINE_S * 1000)
        self.assertGreater(one['deadline_in_ms'], DEADLINE_S * 1000 - 1000 * rig.SLOW)

        # new sessions go to the other one, and a reload changes nothing
        time.sleep(DEADLINE_S / 2)
        bal.reload(self.document(drain_timeout='20s'))
        more = self.hold(self.port, 20)
        self.assertEqual(self.active(), [here, there + 20])
        self.assertLess(bal.backend(self.one)['deadline_in_ms'], DEADLINE_S * 500 + 100)
        self.assertGreaterEqual(bal.backend(self.one)['oldest_connection_s'], int(DEADLINE_S / 2))
        time.sleep(max(0, start + DEADLINE_S - 0.3 - time.monotonic()))
        self.assertEqual(held.ended(), [], 'none before the deadline')

        time.sleep(4)  # in the midst of it
        bal.reload(self.document(drain_timeout='10s'))
        rig.wait_until(lambda: self.active()[0] == 0, 'the last one to go', SPREAD_S + 3)
        gone = held.ended()
        self.assertEqual(len(gone), here)
        self.assertGreaterEqual(gone[0], start + DEADLINE_S)
        self.assertLessEqual(gone[-1], asked + DEADLINE_S + SPREAD_S + LATE_S)
        seconds = [sum(int(t - start - DEADLINE_S) == i for t in gone) for i in range(SPREAD_S + 2)]
        print(f'closed in each second after the deadline: {seconds}')
        fair = here / SPREAD_S
        for n in seconds[:SPREAD_S]:
            self.assertGreater(n, fair / 2)
            self.assertLess(n, fair * 2)
        bursts = [sum(t <= at < t + 0.05 for at in gone) for t in gone]
        self.assertLess(max(bursts), fair, 'never many at once')
        self.assertEqual(held.ping(), there, 'the others live')
        self.assertEqual(more.ping(), 20)
        self.assertEqual(bal.get()['closed']['drained'], here)
        self.assertEqual(bal.state(self.one), 'drain', 'it stays out')
        self.assert_sessions_balance(bal)

    def test_enable_before_the_deadline(self):
        bal = self.stage()
        held = self.hold(self.port, 40)
        bal.cli('backend', 'drain', self.one, '--deadline', '1s', '--yes', check=0)
        time.sleep(0.5)
        said = bal.cli('backend', 'enable', self.one, check=0).stdout
        self.assertIn('UP', said)
        time.sleep(1.5)
        self.assertEqual(held.ended(), [])
        self.assertEqual(held.ping(), 40)
        one = bal.backend(self.one)
        self.assertEqual((one['state'], one['deadline_in_ms'], one['reason']), ('up', None, None))
        self.hold(self.port, 40)
        self.assertAlmostEqual(self.active()[0], 40, delta=4, msg='it is in service again')
        self.assertEqual(bal.get()['closed']['drained'], 0)

    def test_drain_without_a_deadline(self):
        bal = self.stage()
        held = self.hold(self.port, 200)
        bal.cli('backend', 'drain', self.one, '--yes', check=0)
        before = bal.backend(self.one)
        self.assertIsNone(before['deadline_in_ms'])
        time.sleep(1.5)
        after = bal.backend(self.one)
        self.assertGreater(after['check']['passed'], before['check']['passed'], 'it is checked')
        self.assertGreaterEqual(after['oldest_connection_s'], 1)
        self.assertEqual(held.ping(), 200)
        # a deadline can be given later, and one that is over closes what is left
        bal.cli('backend', 'drain', self.one, '--deadline', '1s', '--yes', check=0)
        rig.wait_until(lambda: len(held.ended()) > 0, 'the first to go', 4)

    def test_maintenance(self):
        bal = self.stage(drain_timeout='1s')
        held = self.hold(self.port, 40)
        start = time.monotonic()
        said = bal.cli('backend', 'maint', self.one, '--yes', check=0).stdout
        self.assertIn('MAINT', said)
        one = bal.backend(self.one)
        self.assertEqual((one['state'], one['check']['type']), ('maint', 'none'))
        self.assertLessEqual(one['deadline_in_ms'], 1000, 'drain_timeout of the file')
        time.sleep(0.6)
        self.assertEqual(held.ended(), [])
        self.assertEqual(bal.backend(self.one)['check']['passed'], one['check']['passed'], 'it is not checked')
        bal.reload(self.document(log_clients=True))
        self.assertEqual(bal.state(self.one), 'maint', 'a reload does not bring it back')
        rig.wait_until(lambda: len(held.ended()) >= 3, 'the first to go', 5)
        self.assertGreater(held.ended()[0], start + 1)
        bal.cli('backend', 'enable', self.one, check=0)
        left = 40 - len(held.ended())
        rig.wait_until(lambda: bal.backend(self.one)['check']['passed'] > one['check']['passed'], 'checks again', 2)
        self.assertEqual(bal.state(self.one), 'up')
        self.assertEqual(bal.backend(self.one)['check']['type'], 'tcp')
        time.sleep(1.2)
        self.assertAlmostEqual(held.ping(), left, delta=1)
        self.assertEqual(bal.get()['closed']['drained'], len(held.ended()))

    def test_who_is_asked(self):
        """Less than half of a pool, or nobody, is left only for who says --yes; scripts are not asked."""
        bal = self.stage()
        refused = bal.cli('backend', 'drain', self.one, '--deadline', '5s')
        self.assertEqual(refused.returncode, 0, 'half of them is enough: ' + refused.stderr)
        refused = bal.cli('backend', 'maint', self.two)
        self.assertEqual(refused.returncode, 1)
        self.assertIn('--yes', refused.stderr)
        self.assertEqual(bal.state(self.two), 'up', 'nothing was changed')
        bal.cli('backend', 'drain', self.two, '--yes', check=0)
        self.assertEqual(bal.state(self.two), 'drain')
        with rig.connect(self.port) as s:  # not even as a last hope
            try:
                self.assertEqual(s.recv(1), b'')
            except ConnectionResetError:
                pass
        self.assertEqual(bal.cli('backend', 'drain', 'nobody:1').returncode, 1)
        calls = bal.events('admin_call')
        self.assertGreaterEqual(len(calls), 2, 'who did it is in the log')


if __name__ == '__main__':
    rig.main()
