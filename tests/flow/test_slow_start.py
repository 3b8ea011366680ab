#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""slow_start: a backend that comes back gets its share of new sessions bit by bit."""

import time

import rig

SLOW_S = 10 if rig.FULL else 3


class SlowStart(rig.FlowTest):
    def test_the_share_grows(self):
        port, back, other = rig.free_port(), self.door('back'), self.backend('other')
        bal = self.bal(rig.document(rig.pool(
            'p', port, [back.address, other.address], slow_start=f'{SLOW_S}s',
            health_check={'type': 'tcp', 'interval': '100ms', 'timeout': '500ms'})))
        rig.wait_until(lambda: bal.backend(back.address)['check']['passed'], 'a first check')
        self.assertIsNone(bal.backend(back.address)['slow_start_percent'], 'it was never away')
        even = self.knock(port, 40)['by_backend']
        self.assertAlmostEqual(even['back'], 20, delta=3)
        back.close()
        bal.wait_state(back.address, 'down')

        visitors = self.visit(port, 150)
        back.open()
        bal.wait_state(back.address, 'up')
        up = time.monotonic()
        shown = []
        while time.monotonic() < up + SLOW_S:
            shown.append((time.monotonic() - up, bal.backend(back.address)['slow_start_percent']))
            time.sleep(0.1)
        time.sleep(1)
        visits = visitors.end_visits()
        self.assertEqual({v.outcome for v in visits}, {'answered'})

        def share(start, end):
            """Of all sessions begun between these parts of the slow start."""
            names = [v.name for v in visits if start * SLOW_S <= v.start - up < end * SLOW_S]
            return sum(name == 'back' for name in names) / len(names)
        quarters = [share(i / 4, (i + 1) / 4) for i in range(4)]
        names = [v.name for v in visits if v.start - up > SLOW_S + 0.1]
        after = names.count('back') / len(names)
        print('its share by quarters:', ', '.join(f'{100 * q:.0f} %' for q in quarters), f'then {100 * after:.0f} %')
        # half of a backend's weight beside a whole one is a third of the sessions
        for got, percent in zip(quarters, (12.5, 37.5, 62.5, 87.5)):
            self.assertAlmostEqual(got, percent / (100 + percent), delta=0.08)
        self.assertAlmostEqual(after, 0.5, delta=0.05)
        for at, percent in shown:
            if percent is not None:
                self.assertAlmostEqual(percent, 100 * at / SLOW_S, delta=12 * rig.SLOW)
        self.assertGreater(sum(percent is not None for _, percent in shown), 5)
        self.assertIsNone(bal.backend(back.address)['slow_start_percent'])

    def test_nobody_waits_when_all_start_slowly(self):
        """Also alone, and with every backend just come back, all clients are served at once."""
        port, doors = rig.free_port(), [self.door('one'), self.door('two')]
        bal = self.bal(rig.document(rig.pool(
            'p', port, [door.address for door in doors], 'least_connections', slow_start='1h',
            health_check={'type': 'tcp', 'interval': '100ms', 'timeout': '500ms'})))
        for door in doors:
            door.close()
        for door in doors:
            bal.wait_state(door.address, 'down')
            door.open()
        for door in doors:
            bal.wait_state(door.address, 'up')
        self.assertEqual(self.knock(port, 100)['answered'], 100)
        doors[0].close()
        bal.wait_state(doors[0].address, 'down')
        report = self.knock(port, 100)
        self.assertEqual(report['by_backend'], {'two': 100})
        self.assertLess(report['p99_us'], 100000 * rig.SLOW)


if __name__ == '__main__':
    rig.main()
