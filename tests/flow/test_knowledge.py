#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A reload touches what changed and nothing else: a hundred of them in the middle of everything."""

import threading
import time

import rig

RELOADS = 100
CHECK = {'type': 'http', 'path': '/health', 'interval': '100ms', 'timeout': '500ms'}


def numbers(value, path=''):
    """Every number of a document by its path; what is in a list goes by its name."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from numbers(inner, f'{path}.{key}')
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            name = inner.get('name', i) if isinstance(inner, dict) else i
            yield from numbers(inner, f'{path}[{name}]')
    elif isinstance(value, int) and not isinstance(value, bool):
        yield path, value


class Sampler(threading.Thread):
    """Reads status without a pause; a counter that goes backwards is remembered."""

    GROWING = ('connections_total', 'rejected_total', 'unavailable_total', 'state_changes', 'bytes_in', 'bytes_out',
               'passed', 'failed', 'timeout', 'refused', 'other', 'uptime_s', 'config_number',
               'timeout_or_refused_storm', 'all_backends_unavailable')

    def __init__(self, bal):
        super().__init__(daemon=True)
        self.bal, self.over, self.samples, self.wrong, self.last, self.error = bal, False, 0, [], {}, None
        self.states = {}
        self.start()

    def run(self):
        try:
            while not self.over:
                status = self.bal.get()
                now = {path: value for path, value in numbers(status)
                       if path.rsplit('.', 1)[-1] in self.GROWING or path.startswith('.closed.')}
                self.wrong += [(path, self.last[path], value) for path, value in now.items()
                               if value < self.last.get(path, 0)]
                self.last = now
                for backend in status['backends']:
                    self.states.setdefault(backend['name'], set()).add(backend['state'])
                self.samples += 1
                time.sleep(0.005)
        except (OSError, KeyError) as error:
            self.error = error

    def end(self):
        self.over = True
        self.join()


class Knowledge(rig.FlowTest):
    def test_a_hundred_reloads_with_one_backend_down(self):
        """The sick one accepts whoever comes and counts them; only its check tells that it is sick."""
        port = rig.free_port()
        sick, good = self.door('sick'), [self.backend('one'), self.backend('two')]
        sick.status['/health'] = 503
        pool = rig.pool('p', port, [sick.address, *(web.address for web in good)], 'least_connections',
                        health_check={**CHECK, 'path': '/health'})
        files = [rig.document(pool, drain_timeout='30s'), rig.document(pool, drain_timeout='31s')]
        bal = self.bal(files[0])
        bal.wait_state(sick.address, 'down')
        rig.wait_until(lambda: all(bal.backend(web.address)['check']['passed'] for web in good), 'first checks')
        time.sleep(0.1)
        came, since = len(sick.asked('/')), bal.backend(sick.address)['since']
        before = bal.backend(sick.address)

        sampler, visitors = Sampler(bal), self.visit(port, 300)
        start = time.monotonic()
        for i in range(RELOADS):
            bal.reload(files[(i + 1) % 2])
        took = time.monotonic() - start
        visits = visitors.end_visits()
        sampler.end()
        after = bal.backend(sick.address)
        print(f'{RELOADS} reloads in {took:.1f} s, {len(visits)} sessions, {sampler.samples} looks at the status, '
              f'{after["check"]["failed"] - before["check"]["failed"]} checks of the sick one')
        self.assertEqual(bal.get()['config_number'], RELOADS + 1)
        self.assertGreater(len(visits), 50)
        self.assertEqual({visit.outcome for visit in visits}, {'answered'})
        self.assertEqual(len(sick.asked('/')), came, 'nobody was sent to the sick one')
        self.assertEqual(after['connections_total'], before['connections_total'])
        self.assertEqual(sum(after['counters'].values()), sum(before['counters'].values()))
        self.assertEqual((after['state'], after['since'], after['state_changes']),
                         ('down', since, before['state_changes']))
        self.assertEqual((sampler.error, sampler.wrong), (None, []))
        self.assertGreater(sampler.samples, 20)
        self.assertEqual(sampler.states, {sick.address: {'down'}, **{web.address: {'up'} for web in good}})
        # checks go on at their pace: a reload neither stops them nor starts another round of them
        checks = after['check']['failed'] - before['check']['failed']
        self.assertGreater(checks, took / 0.1 * 0.6)
        self.assertLess(checks, took / 0.09 * 1.2 + 3)

    def test_least_connections_stays_balanced(self):
        """Sessions of earlier generations count: each one goes where there are fewest of all."""
        port = rig.free_port()
        echoes, dead = [self.echo(f'echo{i}').address for i in range(2)], f'127.0.0.1:{rig.free_port()}'
        pool = rig.pool('p', port, [*echoes, dead], 'least_connections',
                        health_check={'type': 'tcp', 'interval': '100ms', 'timeout': '500ms'})
        files = [rig.document(pool, drain_timeout='30s'), rig.document(pool, drain_timeout='31s')]
        bal = self.bal(files[0])
        bal.wait_state(dead, 'down')
        before = bal.backend(dead)
        held = []
        for i in range(20):
            bal.reload(files[(i + 1) % 2])
            held.append(self.hold(port, 4))
            active = [bal.backend(name)['active_connections'] for name in echoes]
            self.assertEqual(sum(active), 4 * (i + 1))
            self.assertLessEqual(abs(active[0] - active[1]), 2, active)
            if i % 5 == 4:  # a part of the old ones goes
                held.pop(0).end()
                held.insert(0, self.hold(port, 4))
        after = bal.backend(dead)
        self.assertEqual((after['connections_total'], after['counters']),
                         (before['connections_total'], before['counters']))
        self.assertEqual([h.ping() for h in held], [4] * 20)

    def test_a_cooldown_survives(self):
        """Without checks the cooldown is all that is known."""
        port, web, dead = rig.free_port(), self.backend('web'), f'127.0.0.1:{rig.free_port()}'
        pool = rig.pool('p', port, [dead, web.address], health_check={'type': 'none'},
                        failover={'cooldown': '30s', 'backoff_initial': '30s', 'backoff_max': '60s'})
        bal = self.bal(rig.document(pool, drain_timeout='30s'))
        self.assertEqual(self.knock(port, 10)['answered'], 10)
        before = bal.backend(dead)
        self.assertEqual(before['state'], 'cool')
        self.assertEqual(sum(before['counters'].values()), 1)
        for i in range(10):
            bal.reload(rig.document(pool, drain_timeout=f'{i + 1}s'))
            self.assertEqual(self.knock(port, 10)['answered'], 10)
        after = bal.backend(dead)
        self.assertEqual((after['state'], after['since'], after['counters']),
                         ('cool', before['since'], before['counters']))
        self.assertLess(after['retry_in_ms'], before['retry_in_ms'])

    def test_what_is_removed_drains_and_what_is_added_is_checked(self):
        port = rig.free_port()
        old, new, stays = self.echo('old').address, self.echo('new').address, self.echo('stays').address
        keys = {'health_check': {'type': 'tcp', 'interval': '10s', 'timeout': '500ms'}}
        bal = self.bal(rig.document(rig.pool('p', port, [old, stays], **keys)))
        held = self.hold(port, 20)
        goes = bal.backend(old)['active_connections']
        rig.wait_until(lambda: bal.backend(stays)['check']['passed'], 'a first check')
        bal.reload(rig.document(rig.pool('p', port, [new, stays], **keys)))
        status = bal.get()
        self.assertEqual({b['name'] for b in status['backends']}, {new, stays})
        leaving = [(x['pool'], x['name'], x['active_connections']) for x in status['leaving']]
        self.assertEqual(leaving, [('p', old, goes)])
        self.assertEqual(status['active_connections'], 20)
        rig.wait_until(lambda: bal.backend(new)['check']['passed'] == 1, 'the new one to be checked at once', 2)
        self.assertEqual(bal.backend(stays)['check']['passed'], 1, 'the other one is not due')
        self.assertEqual(held.ping(), 20)
        self.hold(port, 20)
        self.assertAlmostEqual(bal.backend(new)['active_connections'], 10, delta=2)
        held.end()
        rig.wait_until(lambda: bal.get()['leaving'] == [], 'nobody to be leaving any more')


if __name__ == '__main__':
    rig.main()
