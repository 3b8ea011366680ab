#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Backends die, come back, are drained and enabled at random, the file is reloaded in between: nobody
may notice, whichever way backends are chosen, while one of them is well."""

import random
import time

import rig

SECONDS = 10 if rig.FULL else 2
METHODS = ('round_robin', 'least_connections', 'ip_hash', 'random', 'first')


class Chaos(rig.FlowTest):
    def trouble(self, bal, doors, config, seed):
        """Returns when listeners were closed: from, to."""
        dice, closes, reloads, end = random.Random(seed), [], 0, time.monotonic() + SECONDS
        while time.monotonic() < end:
            door = dice.choice(doors)
            if door.listener:
                closes.append((time.monotonic(), door.close()))
            else:
                door.open()
            if dice.random() < 0.4:
                reloads += 1
                bal.reload(config(f'{reloads}s'))
            if dice.random() < 0.4:
                what = dice.choice(['drain', 'maint', 'enable', 'enable'])
                bal.cli('backend', what, dice.choice(doors).address, '--yes', check=0)
            time.sleep(dice.random() * 0.2)
        return closes

    def go(self, method):
        port, doors = rig.free_port(), [self.door(f'door{i}') for i in range(3)]

        def config(drain_timeout):
            return rig.document(rig.pool('p', port, [door.address for door in doors], method, slow_start=(
                '0s' if method == 'first' else '500ms'), health_check={
                'type': 'tcp', 'interval': '100ms', 'timeout': '300ms', 'unhealthy_threshold': 2}),
                workers=3, drain_timeout=drain_timeout)
        bal = self.bal(config('30s'))
        visitors = self.visit(port, 150)
        closes = self.trouble(bal, doors[:2], config, method)
        visits = visitors.end_visits()
        # a client that was just being taken into the queue of a listener goes with it
        lost = [visit for visit in visits if visit.outcome != 'answered' and not any(
            visit.start < gone and shut - 0.05 < visit.start + visit.took for shut, gone in closes)]
        print(f'{method}: {len(visits)} sessions, {len(closes)} closed listeners, '
              f'the slowest took {1000 * max(visit.took for visit in visits):.0f} ms')
        self.assertGreater(len(visits), 100)
        self.assertEqual(lost, [])
        self.assertTrue({'door2'} <= {visit.name for visit in visits} <= {'door0', 'door1', 'door2', '-'})
        self.assert_idle(bal)
        self.assert_sessions_balance(bal)
        for door in doors[:2]:  # in the end all of it is forgotten
            if not door.listener:
                door.open()
            bal.cli('backend', 'enable', door.address, check=0)
        for door in doors:
            bal.wait_state(door.address, 'up')


def one(method):
    return lambda self: self.go(method)


for name in METHODS:
    setattr(Chaos, f'test_{name}', one(name))


if __name__ == '__main__':
    rig.main()
