#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A backend whose listener comes and goes three times in two seconds: nobody may be excited by it."""

import threading
import time

import rig

SECONDS = 12 if rig.FULL else 5
UP_S = DOWN_S = 0.3


class Flapping(rig.FlowTest):
    def flap(self, door):
        over = threading.Event()
        self.closes = []

        def run():
            while not over.wait(UP_S):
                self.closes.append((time.monotonic(), door.close()))
                over.wait(DOWN_S)
                door.open()
        thread = threading.Thread(target=run, daemon=True)
        thread.start()

        def end():
            over.set()
            thread.join()
        return end

    def flapped(self, bal, door):
        """How many checks meet a closed door is a matter of chance."""
        return bal.backend(door.address)['check']['failed'] > 3

    def calm(self, interval_ms, head='', runtime=None):
        port, door, web = rig.free_port(), self.door('door'), self.backend('web')
        bal = self.bal(rig.simple(port, [door.address, web.address], head, runtime={
            'health_check_fail_threshold': 3, 'health_check_interval_ms': interval_ms, **(runtime or {})}))
        rig.wait_until(lambda: bal.backend(door.address)['check']['passed'] > 0, 'a first check')
        visitors, lines = self.visit(port, 100), len(bal.log())
        end = self.flap(door)
        start, states = time.monotonic(), set()
        while (took := time.monotonic() - start) < SECONDS or took < 2 * SECONDS and not self.flapped(bal, door):
            states.add(bal.state(door.address))
            time.sleep(0.05)
        end()
        visits = visitors.end_visits()
        backend = bal.backend(door.address)
        new = bal.log()[lines:]
        print(f'interval {interval_ms} ms: states {sorted(states)}, {backend["state_changes"]} changes, '
              f'{backend["check"]["failed"]} failed checks, {len(new)} lines of log in {took:.1f} s')
        self.assertTrue(self.flapped(bal, door), 'it did flap')
        # who had just been taken into the listener's queue goes with it; nobody else may notice
        lost = [visit for visit in visits if visit.outcome != 'answered' and not any(
            visit.start < gone and shut - 0.05 < visit.start + visit.took for shut, gone in self.closes)]
        self.assertEqual(lost, [])
        self.assertGreater(sum(visit.name == 'door' for visit in visits), len(visits) / 10, 'it is used while it is up')
        self.assertLessEqual(states, {'up', 'cool'})
        self.assertEqual(backend['state_changes'], 0)
        # to cool and back, and a sum of failed connects: each once in ten seconds begun; protection takes as many
        # failures as its trigger to be switched on, and then off again
        failures = backend['check']['failed'] + sum(backend['counters'].values())
        most = 3 * (int(took / 10) + 1) + 2 * (failures // bal.protection()['trigger'])
        self.assertLessEqual(len(new), most, [(record['event'], record['fields']) for record in new])

    def test_tuned(self):
        self.calm(500)

    def test_quick_checks(self):
        """Two checks fit into the time it is away, and a client's failure counts, too."""
        self.calm(200)

    def test_protection_is_calm(self):
        """One of five refuses, and is tried again and again: its failures reach the trigger each second,
        and the successes that end protection need a twentieth of that. Each time it stays longer."""
        port, dead = rig.free_port(), f'127.0.0.1:{rig.free_port()}'
        webs = [self.backend(f'web{i}').address for i in range(4)]
        bal = self.bal(rig.document(rig.pool(
            'p', port, [*webs, dead], health_check={'type': 'none'},
            failover={'cooldown': '50ms', 'backoff_initial': '50ms', 'backoff_max': '50ms'})))
        lines, visitors = len(bal.log()), self.visit(port, 400)
        time.sleep(SECONDS)
        visits = visitors.end_visits()
        self.assertEqual({visit.outcome for visit in visits}, {'answered'})
        on = bal.protection()['activations']['timeout_or_refused_storm']
        lines = len(bal.log()) - lines
        print(f'{bal.backend(dead)["counters"]["refused"]} refusals in {SECONDS} s: protection was on {on} times, '
              f'{lines} lines of log')
        self.assertGreaterEqual(on, 1)
        self.assertLessEqual(on, 2 + SECONDS.bit_length())  # at once, then for 1 s, 2 s, 4 s ... at least
        self.assertLessEqual(lines, 2 * on + 3 * (SECONDS // 5 + 1))


if __name__ == '__main__':
    rig.main()
