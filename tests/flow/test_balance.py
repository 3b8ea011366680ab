#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The five algorithms, weights and backups, as clients see them."""

import collections
import time

import rig


def full(port, algorithm, servers, workers=1):
    lines = ['global:', f'  workers: {workers}', 'frontends:', '  - name: web', f'    listen: "127.0.0.1:{port}"',
             '    backend: pool', f'    algorithm: {algorithm}', 'backends:', '  - name: pool', '    servers:']
    for address, *more in servers:
        keys = ''.join(f', {k}: {str(v).lower()}' for k, v in (more[0] if more else {}).items())
        lines.append(f'      - {{ address: "{address}"{keys} }}')
    return '\n'.join(lines) + '\n'


class Balance(rig.FlowTest):
    def web(self, n):
        return [self.backend(f'web{i}') for i in range(n)]

    def test_round_robin_goes_round(self):
        port = rig.free_port()
        self.bal(full(port, 'round_robin', [(b.address,) for b in self.web(3)]))
        names = [rig.get(port) for _ in range(9)]
        self.assertEqual(sorted(names[:3]), ['web0', 'web1', 'web2'])
        self.assertEqual(names, names[:3] * 3)

    def test_round_robin_over_two_workers_is_even(self):
        port = rig.free_port()
        self.bal(full(port, 'round_robin', [(b.address,) for b in self.web(2)], workers=2))
        self.assertEqual(sum(self.knock(port, 400)['by_backend'].values()), 400)
        by_backend = self.knock(port, 400)['by_backend']
        for name in ('web0', 'web1'):
            self.assertAlmostEqual(by_backend[name], 200, delta=2)

    def test_weights_count_exactly(self):
        port = rig.free_port()
        a, b, c, d = self.web(4)
        self.bal(full(port, 'weighted', [(a.address, {'weight': 5}), (b.address, {'weight': 3}),
                                         (c.address, {'weight': 2}), (d.address, {'weight': 0})]))
        self.assertEqual(self.knock(port, 500)['by_backend'], {'web0': 250, 'web1': 150, 'web2': 100})
        smooth = [rig.get(port) for _ in range(10)]
        self.assertNotIn(['web0'] * 4, [smooth[i:i + 4] for i in range(7)], 'heavy ones come spread')

    def test_least_connections_levels(self):
        port = rig.free_port()
        servers = [self.echo(f'echo{i}') for i in range(3)]
        bal = self.bal(full(port, 'least_connections', [(servers[0].address, {'weight': 2}), (servers[1].address,),
                                                        (servers[2].address,)], workers=2))
        self.hold(port, 80)
        active = [bal.backend(s.address)['active_connections'] for s in servers]
        self.assertEqual(sum(active), 80)
        for got, expected in zip(active, (40, 20, 20)):
            self.assertAlmostEqual(got, expected, delta=2, msg=str(active))

    def test_random_is_fair_by_weight(self):
        port = rig.free_port()
        a, b, c = self.web(3)
        self.bal(full(port, 'random', [(a.address, {'weight': 2}), (b.address,), (c.address,)]))
        report = self.knock(port, 2000)
        self.assertEqual(report['answered'], 2000)
        shares = report['by_backend']
        # two draws by weight, the less busy one wins; the heavy one is drawn most often
        self.assertGreater(shares['web0'], 700)
        for name in ('web1', 'web2'):
            self.assertGreater(shares[name], 300, shares)
            self.assertLess(shares[name], shares['web0'], shares)
        names = [rig.get(port) for _ in range(60)]
        self.assertNotEqual(names, (names[:3] * 20), 'that was no accident')

    def test_first_overflows(self):
        port = rig.free_port()
        first, second = self.echo('first'), self.echo('second')
        bal = self.bal(full(port, 'first', [(first.address, {'max_connections': 5}), (second.address,)], workers=2))
        held = self.hold(port, 8)
        self.assertEqual([bal.backend(s.address)['active_connections'] for s in (first, second)], [5, 3])
        held.popen.stdin.close()
        held.wait()
        held.popen.stdin = None
        self.assert_idle(bal)
        self.hold(port, 4)
        self.assertEqual([bal.backend(s.address)['active_connections'] for s in (first, second)], [4, 0])

    def test_backup_waits_for_its_turn(self):
        port, main_port = rig.free_port(), rig.free_port()
        main = self.backend('main', address=f'127.0.0.1:{main_port}')
        spare = self.backend('spare')
        bal = self.bal(rig.simple(port, [(main.address, {}), (spare.address, {'backup': True})],
                                  runtime={'backend_cooldown_ms': 100, 'failover_backoff_initial_ms': 50,
                                           'failover_backoff_max_ms': 200}))
        self.assertEqual(self.knock(port, 50)['by_backend'], {'main': 50})
        main.end()
        self.assertEqual(self.knock(port, 200)['by_backend'], {'spare': 200})
        self.assertGreater(bal.backend(main.address)['counters']['refused'], 0)
        self.backend('main', address=f'127.0.0.1:{main_port}')
        rig.wait_until(lambda: rig.get(port) == 'main', 'the main backend to serve again', 5)
        time.sleep(0.3)
        self.assertEqual(self.knock(port, 50)['by_backend'], {'main': 50})


class IpHash(rig.FlowTest):
    CLIENTS = 1000

    def setUp(self):
        super().setUp()
        self.ports = [rig.free_port() for _ in range(10)]
        self.servers = [self.backend(f'web{i}', address=f'127.0.0.1:{port}') for i, port in enumerate(self.ports)]

    def map_of(self, servers, **keys):
        port = rig.free_port()
        self.bal(full(port, 'ip_hash', [(s.address, keys.get(s.name, {})) for s in servers], workers=2))
        report = self.knock(port, self.CLIENTS, '--from', '127.7.0.1', '--addresses', self.CLIENTS, '--map')
        self.assertEqual(report['answered'], self.CLIENTS)
        return report['map'], port

    def test_the_same_on_two_processes(self):
        first, port = self.map_of(self.servers)
        second, _ = self.map_of(self.servers)
        self.assertEqual(first, second)
        again = self.knock(port, self.CLIENTS, '--from', '127.7.0.1', '--addresses', self.CLIENTS, '--map')['map']
        self.assertEqual(first, again)
        shares = collections.Counter(first)
        self.assertEqual(len(shares), 10)
        for name, share in shares.items():
            self.assertTrue(60 <= share <= 140, f'{name}: {share} of 1000')

        shuffled, _ = self.map_of(list(reversed(self.servers)))
        self.assertEqual(first, shuffled, 'the order in the file means nothing')

    def test_removing_one_moves_only_its_own(self):
        before, _ = self.map_of(self.servers)
        after, _ = self.map_of([s for s in self.servers if s.name != 'web3'])
        moved = [i for i in range(self.CLIENTS) if before[i] != after[i]]
        self.assertTrue(all(before[i] == 'web3' for i in moved))
        self.assertEqual(len(moved), before.count('web3'))
        self.assertGreater(len({after[i] for i in moved}), 5, 'its clients spread over the others')

    def test_a_dead_one_moves_only_its_own(self):
        port = rig.free_port()
        self.bal(full(port, 'ip_hash', [(s.address,) for s in self.servers]))
        arguments = ('--from', '127.7.0.1', '--addresses', self.CLIENTS, '--map')
        before = self.knock(port, self.CLIENTS, *arguments)['map']
        next(s for s in self.servers if s.name == 'web5').end()
        report = self.knock(port, self.CLIENTS, *arguments)
        self.assertEqual(report['answered'], self.CLIENTS)
        for old, new in zip(before, report['map']):
            self.assertTrue(new == old if old != 'web5' else new != 'web5')

    def test_weight_counts(self):
        shares = collections.Counter(self.map_of(self.servers[:2], web0={'weight': 3})[0])
        self.assertAlmostEqual(shares['web0'], 750, delta=60)


if __name__ == '__main__':
    rig.main()
