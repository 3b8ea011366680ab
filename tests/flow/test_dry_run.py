#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""bal graceful --dry-run says what a reload would change; the reload then says the same."""

import json
import time

import rig


class DryRun(rig.FlowTest):
    def stage(self):
        self.ports = [rig.free_port() for _ in range(3)]
        self.a, self.b, self.c, self.d = (self.echo(name).address for name in 'abcd')
        self.before = rig.document(
            rig.pool('web', self.ports[0], [self.a, self.b]), rig.pool('db', self.ports[1], [self.c]), drain_timeout='9s')
        # web: b goes, d comes, a is heavier; db stays; new comes; a setting of the whole daemon changes
        self.after = rig.document(
            rig.pool('web', self.ports[0], [(self.a, {'weight': 3}), self.d]), rig.pool('db', self.ports[1], [self.c]),
            rig.pool('new', self.ports[2], [self.c], 'first'), drain_timeout='8s')
        return self.bal(self.before)

    def reload(self, bal, dry_run):
        return bal.call('io.bal.Admin.Reload', {'dry_run': dry_run}, 'admin.sock')['parameters']

    def test_it_is_what_the_reload_does(self):
        bal = self.stage()
        web, db = self.hold(self.ports[0], 20), self.hold(self.ports[1], 5)
        bal.write(self.after)
        status, files = bal.get(), bal.fds()
        leave = bal.backend(self.b)['active_connections']
        self.assertGreater(leave, 5)
        dry = self.reload(bal, True)
        self.assertEqual((dry['dry_run'], dry['changed'], dry['config_number']), (True, True, 1))
        changes = {(c['action'], c['object'], c['pool'], c['name']): c['text'] for c in dry['changes']}
        self.assertEqual(set(changes), {
            ('removed', 'backend', 'web', self.b), ('changed', 'backend', 'web', self.a),
            ('added', 'backend', 'web', self.d), ('changed', 'global', None, 'drain_timeout'),
            ('added', 'frontend', None, 'new'), ('added', 'pool', None, 'new')})
        self.assertEqual(changes['changed', 'backend', 'web', self.a], 'weight 1 -> 3')
        self.assertEqual(changes['changed', 'global', None, 'drain_timeout'], '9s -> 8s')
        self.assertEqual((dry['changes_total'], dry['connections_kept'], dry['connections_draining']), (6, 25, leave))

        # nothing has happened
        time.sleep(0.2)
        after = bal.get()
        for key in ('config_number', 'config_loaded_at', 'active_connections', 'closed'):
            self.assertEqual(after[key], status[key])
        self.assertEqual([b['name'] for b in after['backends']], [self.a, self.b, self.c])
        self.assertEqual([b['weight'] for b in after['backends']], [1, 1, 1])
        self.assertLessEqual(bal.fds(), files + 1)
        with self.assertRaises(ConnectionRefusedError):
            rig.connect(self.ports[2])
        self.assertEqual((web.ping(), db.ping()), (20, 5))

        said = bal.cli('graceful', '--dry-run', check=0).stdout
        for words in (self.b, self.d, 'weight 1 -> 3', '9s -> 8s', '25', str(leave)):
            self.assertIn(words, said)
        document = json.loads(bal.cli('graceful', '--dry-run', '--json', check=0).stdout)
        self.assertEqual(document['changes'], dry['changes'])

        real = self.reload(bal, False)
        self.assertEqual({**real, 'message': 0}, {**dry, 'dry_run': False, 'config_number': 2, 'message': 0})
        self.assertEqual([b['name'] for b in bal.get()['backends']], [self.a, self.d, self.c, self.c])
        self.assertEqual((web.ping(), db.ping()), (20, 5), 'nobody was cut')
        loaded = bal.events('config_loaded')[-1]['fields']
        self.assertIn(2, loaded.values())

        again = self.reload(bal, True)
        self.assertEqual((again['changed'], again['changes'], again['changes_total']), (False, [], 0))
        self.assertEqual(again['connections_kept'], 25)

    def test_the_cli_prints_the_same(self):
        bal = self.stage()
        bal.write(self.after)
        dry = bal.cli('graceful', '--dry-run', check=0).stdout
        real = bal.cli('graceful', check=0).stdout
        shown = [line.strip() for line in dry.splitlines() if '->' in line or self.b in line or self.d in line]
        self.assertGreaterEqual(len(shown), 4, dry)
        for line in shown:
            self.assertIn(line, [line.strip() for line in real.splitlines()])

    def test_a_broken_file(self):
        bal = self.stage()
        bal.write(self.after.replace('"weight": 3', '"weight": 300'))
        done = bal.cli('graceful', '--dry-run', check=78)
        self.assertIn('config.yaml:', done.stdout + done.stderr)
        self.assertEqual(bal.get()['config_number'], 1)
        self.assertEqual(bal.cli('graceful', check=78).returncode, 78)

    def test_what_only_a_restart_changes(self):
        bal = self.stage()
        bal.write(self.before.replace('"drain_timeout"', '"workers": 7, "drain_timeout"'))
        dry = self.reload(bal, True)
        self.assertTrue(any('workers' in note for note in dry['notes']), dry)
        self.assertEqual(self.reload(bal, False)['notes'], dry['notes'])

    def test_a_live_weight(self):
        """It stays until the file says something else of that backend, and then both say so."""
        bal = self.stage()
        said = bal.cli('backend', 'weight', self.a, '0', '--yes', check=0).stdout
        self.assertIn('0', said)
        bal.cli('backend', 'weight', self.b, '7', check=0)
        self.assertEqual([bal.backend(x)['weight'] for x in (self.a, self.b)], [0, 7])
        self.assertEqual([bal.backend(x)['weight_configured'] for x in (self.a, self.b)], [1, 1])
        self.hold(self.ports[0], 10)
        self.assertEqual([bal.backend(x)['active_connections'] for x in (self.a, self.b)], [0, 10])
        bal.reload(self.before.replace('9s', '7s'))
        self.assertEqual([bal.backend(x)['weight'] for x in (self.a, self.b)], [0, 7])

        bal.write(self.after)  # a: weight 3; b goes
        dry = self.reload(bal, True)
        self.assertTrue(any(self.a in note and 'weight' in note for note in dry['notes']), dry['notes'])
        self.assertEqual(self.reload(bal, False)['notes'], dry['notes'])
        self.assertEqual((bal.backend(self.a)['weight'], bal.backend(self.a)['weight_configured']), (3, 3))
        for wrong in ('257', '-1', 'x', ''):
            self.assertEqual(bal.cli('backend', 'weight', self.a, '--', wrong).returncode, 64, wrong)
        self.assertEqual(bal.backend(self.a)['weight'], 3)


if __name__ == '__main__':
    rig.main()
