#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""bal graceful --dry-run says what a reload would change; the reload then says the same."""

import contextlib
import json
import os
import re
import socket
import sys
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

    def assert_same_verdict(self, bal, what, config, why=None):
        """why: a part of what both say when they refuse it; None: both accept it."""
        bal.write(config)
        number = bal.get()['config_number']
        dry = bal.cli('graceful', '--dry-run')
        real = bal.cli('graceful')
        said = [(done.returncode, re.sub(r"127[.\d]+:\d+ \(frontend 'p\d+'\)", 'a frontend', done.stderr)) for done in (dry, real)]
        self.assertEqual(said[0], said[1], what)  # which one meets the last descriptor is no matter
        self.assertEqual(real.returncode, 1 if why else 0, f'{what}: {real.stderr}')
        if why:
            self.assertIn(why, dry.stderr, what)
            self.assertEqual(bal.get()['config_number'], number)
        else:
            self.assertNotIn('cannot', dry.stdout, what)

    def wrapped(self, config, *command):
        """A bal that command starts."""
        path = f'{self.dir}/bal{len(self.bals) + 1}/config.yaml'
        return self.bal(config, command=[*command, rig.BAL, 'start', '--no-watch', '-c', path])

    def listener(self, address, family=socket.AF_INET):
        s = socket.socket(family)
        self.addCleanup(s.close)
        if family == socket.AF_INET:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(address)
        s.listen()
        return s

    def listening(self, *addresses, **settings):
        return rig.document(rig.pool('p', 0, [self.web], frontend={'listen': list(addresses)}), **settings)

    def test_the_verdict_on_what_is_listened_on(self):
        self.web = self.echo().address
        port, other, free = rig.free_port(), rig.free_port(), rig.free_port()
        base = self.listening(f'127.0.0.1:{port}')
        bal = self.bal(base)
        self.listener(('127.0.0.1', other))
        paths = {name: f'unix:{self.dir}/{name}' for name in ('file', 'living', 'stale', 'new', 'none/at/all')}
        with open(f'{self.dir}/file', 'w', encoding='ascii'):
            pass
        self.listener(f'{self.dir}/living', socket.AF_UNIX)
        self.listener(f'{self.dir}/stale', socket.AF_UNIX).close()
        cases = (
            ('a taken port', (f'127.0.0.1:{port}', f'127.0.0.1:{other}'), 'Address already in use'),
            ('a free port', (f'127.0.0.1:{port}', f'127.0.0.1:{free}'), None),
            ('a wildcard over an own port', (f'0.0.0.0:{port}',), None),
            ('a taken port below a wildcard', (f'0.0.0.0:{other}',), 'Address already in use'),
            ('an address that no interface has', (f'192.0.2.1:{free}',), 'no interface has this address'),
            ('a file in the way of a path', (paths['file'],), 'Address already in use'),
            ('a server in the way of a path', (paths['living'],), 'Address already in use'),
            ('a left-over socket', (paths['stale'],), None),
            ('a new path', (paths['new'],), None),
            ('a path without its directory', (paths['none/at/all'],), 'No such file'))
        for what, addresses, why in cases:
            with self.subTest(what):
                self.assert_same_verdict(bal, what, self.listening(*addresses), why)
                bal.reload(base)
        self.assertFalse(os.path.exists(f'{self.dir}/new'))
        self.assertTrue(os.path.exists(f'{self.dir}/file') and os.path.exists(f'{self.dir}/living'))

        # a foreign listener beside an own one on the same port; the wildcard of before may take a moment to go
        def foreign():
            with contextlib.suppress(OSError):
                return self.listener(('127.0.0.2', port))
        rig.wait_until(foreign, 'the port to be free beside bal')
        self.assert_same_verdict(bal, 'a wildcard over own and foreign', self.listening(f'0.0.0.0:{port}'), 'in use')

    def test_the_verdict_without_the_right_to_low_ports(self):
        if os.geteuid() != 0:
            self.skipTest('this needs root, to give up a right')
        self.need('setpriv')
        self.web = self.echo().address
        base = self.listening(f'127.0.0.1:{rig.free_port()}')
        bal = self.wrapped(base, 'setpriv', '--bounding-set=-net_bind_service')
        self.assert_same_verdict(bal, 'a low port', self.listening('127.0.0.1:7'), 'CAP_NET_BIND_SERVICE')

    def test_the_verdict_with_too_few_descriptors(self):
        self.web = self.echo().address
        ports = [rig.free_port() for _ in range(64)]

        def config(n):
            return rig.document(*(rig.pool(f'p{i}', ports[i], [self.web]) for i in range(n)), workers=1)
        bal = self.bal(config(1), files=64)
        self.assert_same_verdict(bal, '64 of 64', config(64), 'Too many open files')
        self.assertLess(bal.fds(), 40)
        self.assert_same_verdict(bal, 'a few', config(8))

    def test_the_verdict_with_sockets_of_systemd(self):
        """They stand in for the frontend's own: nothing is opened, so nothing can be in the way."""
        self.web = self.echo().address
        named, at, taken, other = (rig.free_port() for _ in range(4))
        self.listener(('127.0.0.1', taken))
        self.listener(('127.0.0.1', other))
        code = ('import os, socket, sys\n'
                f'a, b = (socket.create_server(("127.0.0.1", port)) for port in ({named}, {at}))\n'
                'fds = [os.dup(s.fileno()) for s in (a, b)]\n'
                'a.close(), b.close()\n'
                'for i, fd in enumerate([os.dup2(fd, 20 + i) for i, fd in enumerate(fds)]): os.dup2(fd, 3 + i)\n'
                'os.closerange(5, 40)\n'
                'os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="2", LISTEN_FDNAMES="one:x")\n'
                'os.execv(sys.argv[1], sys.argv[1:])\n')

        def config(*pools):
            return rig.document(*(rig.pool(name, port, [self.web], **keys) for name, port, keys in pools))
        base = config(('one', taken, {}), ('two', at, {}))
        bal = self.wrapped(base, sys.executable, '-c', code)
        for what, pools, why in (
                ('the same', (('one', taken, {}), ('two', at, {})), None),
                ('another balance', (('one', taken, {}), ('two', at, {'algorithm': 'first'})), None),
                ('another port in the file', (('one', 1, {}), ('two', at, {})), None),
                ('one that was not passed', (('one', taken, {}), ('two', at, {}), ('new', other, {})), 'in use'),
                ('a free one beside', (('one', taken, {}), ('two', at, {}), ('new', rig.free_port(), {})), None)):
            with self.subTest(what):
                self.assert_same_verdict(bal, what, config(*pools), why)
        for port in (named, at):
            with rig.connect(port) as s:
                s.sendall(b'ping')
                self.assertEqual(rig.read_exactly(s, 4), b'ping')

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
