#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`bal sessions` and `bal sessions close`: who is shown, who is meant, what is asked, and who is closed."""

import contextlib
import json
import os
import re
import signal
import time

import rig
import scripted
import test_cli

Error = scripted.Daemon.Error
LEG = {'rtt_us': 1200, 'rtt_var_us': 300, 'retransmits': 2, 'unacked': 1, 'unsent_bytes': 4096}
CONTROL = '[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]'


def session(number, client='192.0.2.7:51234', **more):
    """One of an answer to GetSessions, as the daemon writes it."""
    return {'id': number, 'age_ms': 10800000, 'idle_ms': 2500, 'frontend': 'front', 'client': client, 'pool': 'web',
            'backend': '10.20.0.11:8080', 'state': 'relay', 'bytes_in': 2048, 'bytes_out': 5 << 30, 'slow_side': None,
            'client_leg': LEG, 'server_leg': {**LEG, 'rtt_us': 34000}, **more}


def answer(*sessions, matched=None, total=None):
    matched = len(sessions) if matched is None else matched
    return {'sessions': list(sessions), 'matched': matched, 'total': matched if total is None else total}


class SessionsTest(test_cli.CliTest):
    def daemon(self, **answers):
        b = scripted.backend
        backends = [b('web', '10.20.0.11:8080'), b('web', '10.20.0.22:8080'), b('api', '10.20.0.22:8080'),
                    b('api', scripted.HANGUL)]
        frontends = [{'name': 'front', 'listen': ['0.0.0.0:80'], 'protocol': 'tcp', 'method': 'round_robin',
                      'pool': 'web', 'active_connections': 0, 'max_connections': 9, 'waiting': 0,
                      'connections_total': 0, 'rejected_total': 0}]
        leaving = [{'pool': 'web', 'name': '10.20.0.99:8080', 'active_connections': 1, 'since': scripted.SINCE}]
        doc = scripted.status(backends, frontends=frontends, leaving=leaving)
        return scripted.Daemon(self, self.run_dir, **{
            'Get': doc, 'GetSessions': answer(session(7), session(12345, slow_side='client'), matched=37, total=14210),
            'CloseSessions': {'closed': 37}, **answers})

    def terminal(self, *args, columns=80, rows=24, **env):
        return scripted.Terminal(self, [rig.BAL, 'sessions', *args],
                                 {**self.env, 'TERM': 'xterm', 'NO_COLOR': '1', **env}, columns, rows)


class Listed(SessionsTest):
    def test_table(self):
        self.daemon()
        done = self.cli('sessions')
        self.assertEqual(done.stderr, '')
        self.assertEqual(done.stdout, '''\
   ID  AGE  IDLE  CLIENT           BACKEND              RTT MS      IN     OUT  SLOW
    7  3 h   2 s  192.0.2.7:51234  web/10.20.0.11:8080  1.2/34  2.0KiB  5.0GiB
12345  3 h   2 s  192.0.2.7:51234  web/10.20.0.11:8080  1.2/34  2.0KiB  5.0GiB  client
2 of 37 connections; more: --limit=37
''')
        lines = self.cli('sessions', '-v', 'web').stdout.splitlines()
        self.assertRegex(lines[0], r'IDLE  FRONTEND  CLIENT .* RTT MS +IN +OUT  RETRANS +UNSENT  SLOW$')
        self.assertRegex(lines[1], r' front +192\.0\.2\.7:51234 .* 1\.2/34 .* 5\.0GiB +2/2  4\.0KiB/4\.0KiB$')
        self.assertEqual(lines[3], '2 of 37 connections that match, 14210 in all; more: --limit=37')
        self.assertEqual(self.cli('sessions', '--brief').stdout.splitlines()[1],
                         'id=12345 age=10800 idle=2 frontend=front client=192.0.2.7:51234 '
                         'backend=web/10.20.0.11:8080 state=relay in=2048 out=5368709120 rtt_us=1200/34000 '
                         'retransmits=2/2 slow=client')
        self.assertEqual(self.cli('sessions', '-q').stdout, '')

    def test_before_and_after_the_relay(self):
        nothing = {'backend': None, 'client_leg': None, 'server_leg': None}
        self.daemon(GetSessions=answer(session(1, state='wait', **nothing), session(2, state='flush', **nothing),
                                       session(3, 'unix:', slow_side='server'), session(4, state='hold', **nothing)))
        lines = self.cli('sessions').stdout.splitlines()
        self.assertRegex(lines[0], r'RTT MS +IN +OUT  STATE  SLOW$')
        self.assertRegex(lines[1], r' web/- +- .* wait$')
        self.assertRegex(lines[2], r' flush$')
        self.assertRegex(lines[3], r' unix: .* 1\.2/34 .* server$')
        self.assertRegex(lines[4], r' web/- +- .* hold$')
        self.assertEqual(lines[5], '4 of 4 connections')

    def test_nobody(self):
        self.daemon(GetSessions=answer())
        self.assertEqual(self.cli('sessions').stdout, 'no connections\n')
        self.assertEqual(self.cli('sessions', '--brief').stdout, '')

    def test_json(self):
        self.daemon()
        doc = self.json('sessions')
        self.assertEqual(doc, {'format_version': '1.0', 'kind': 'bal.sessions', 'matched': 37, 'total': 14210,
                               'sessions': [session(7), session(12345, slow_side='client')]})

    def test_what_is_asked(self):
        daemon = self.daemon()
        for args, asked in (([], {}),
                            (['--sort=rtt', '--limit', '5'], {'sort': 'rtt', 'limit': 5}),
                            (['web'], {'pool': 'web'}),
                            (['10.20.0.11:8080', 'idle:10m'],
                             {'pool': 'web', 'backend': '10.20.0.11:8080', 'min_idle_ms': 600000}),
                            (['backend:10.20.0.22:8080'], {'backend': '10.20.0.22:8080'}),
                            (['backend:10.20.0.22:8080', 'pool:api'], {'pool': 'api', 'backend': '10.20.0.22:8080'}),
                            (['web/10.20.0.99:8080'], {'pool': 'web', 'backend': '10.20.0.99:8080'}),
                            ([scripted.HANGUL, 'age:1h'], {'pool': 'api', 'backend': scripted.HANGUL,
                                                           'min_age_ms': 3600000}),
                            (['frontend:front', 'client:2001:db8:0::7'],
                             {'frontend': 'front', 'client': '2001:db8::7'}),
                            (['id:42'], {'id': 42})):
            with self.subTest(args=args):
                daemon.calls.clear()
                self.cli('sessions', *args)
                self.assertEqual(daemon.calls, [('GetSessions', asked)])

    def test_wrong_words(self):
        daemon = self.daemon(GetSessions=answer(total=9))
        for word, text, code in (
                ('10.20.0.11:8081', "no backend '10.20.0.11:8081'; did you mean 'web/10.20.0.11:8080'?", 1),
                ('backend:web/10.20.0.12:8080',
                 "no backend 'web/10.20.0.12:8080'; did you mean 'web/10.20.0.11:8080'?", 1),
                ('pool:wbe', "no pool 'wbe'; did you mean 'web'?", 1),
                ('frontend:frnot', "no frontend 'frnot'; did you mean 'front'?", 1),
                ('bakend:a', "no backend and no pool 'bakend:a'; did you mean 'backend:a'?", 1),
                ('192.0.2.7', "no backend '192.0.2.7'; a client is meant by client:192.0.2.7", 1),
                ('client:somebody', "client: 'somebody' is not an address; write 10.0.0.7, 10.0.0.7:51234 or "
                                    '[::1]:51234', 64),
                ('id:x', "id: 'x' is not a number above 0", 64),
                ('idle:', "'idle:' needs a value", 64),
                ('age:5', "age: '5' is not a duration; write 10s or 1h30m", 64),
                ('--limit=0', '--limit: 0 is not between 1 and 1000', 64),
                ('--limit=1001', '--limit: 1001 is not between 1 and 1000', 64)):
            with self.subTest(word=word):
                done = self.cli('sessions', word, code=code)
                self.assertEqual((done.stdout, done.stderr.splitlines()[0]), ('', f'bal: {text}'))
                self.assertEqual(self.error('sessions', word, code=code)['errors'], [text])
        # a name that is not there any more, and whose connections are
        daemon.answers['GetSessions'] = answer(session(7, pool='wbe'), total=9)
        self.assertIn('1 of 1 connection that matches, 9 in all\n', self.cli('sessions', 'pool:wbe').stdout)

    def test_terminals(self):
        long = session(7, f'[2001:db8:{"1234:" * 5}5678]:51234', slow_side='client')
        self.daemon(GetSessions=answer(session(12345), long))
        for columns in (80, 70, 64):
            terminal = self.terminal(columns=columns)
            self.assertEqual(terminal.wait(), 0)
            lines = terminal.said.decode().replace('\r\n', '\n').splitlines()
            self.assertTrue(all(scripted.cells(line) <= columns for line in lines), lines)
            self.assertNotIn('IDLE', lines[0])
            self.assertIn('[2001:db8:~', lines[2])
        for sort, head in (('idle', 'IDLE'), ('rtt', 'RTT MS'), ('bytes', 'OUT')):  # what it goes by is seen
            terminal = self.terminal(f'--sort={sort}', columns=50)
            self.assertEqual(terminal.wait(), 0)
            self.assertIn(head.encode(), terminal.said)
        self.assertIn('IDLE', self.cli('sessions').stdout)  # into a pipe rows are as long as they are

    def test_locales_and_colours(self):
        self.daemon(GetSessions=answer(session(7, backend=scripted.HANGUL, slow_side='client')))
        for env in ({'LANG': 'C', 'LC_ALL': 'C'}, {'LANG': 'ko_KR.UTF-8'}, {'TERM': 'dumb', 'NO_COLOR': ''}):
            terminal = self.terminal(columns=100, **env)
            self.assertEqual(terminal.wait(), 0)
            self.assertIn(scripted.HANGUL, terminal.said.decode())
            self.assertNotIn(b'\x1b', terminal.said)
        terminal = self.terminal(NO_COLOR='')
        terminal.wait()
        self.assertIn(b'\x1b[33mclient\x1b[0m', terminal.said)

    def test_nothing_raw(self):
        evil = 'x\x1b[31m\x07\x9b2J\u202e\n:1'
        self.daemon(GetSessions=answer(session(7, evil, pool=evil, backend=evil, frontend=evil, state=evil,
                                               slow_side=evil)))
        for args in ([], ['--brief'], ['--verbose'], ['--json'], [evil]):
            done = self.cli('sessions', *args, code=1 if evil in args else 0)
            self.assertNotRegex(done.stdout + done.stderr, CONTROL)

    def test_daemons_that_are_not_right(self):
        daemon = self.daemon(GetSessions={'sessions': 7})
        self.assertIn("'sessions' is missing or wrong", self.cli('sessions', code=69).stderr)
        daemon.answers['GetSessions'] = answer(7, {}, session(2, client_leg=[], bytes_in='x', age_ms=-1, id=None))
        for args in ([], ['-v'], ['--brief'], ['--json']):
            self.cli('sessions', *args)
        daemon.answers['GetSessions'] = Error('io.bal.Status.ReplyTooLarge', limit=1)
        self.cli('sessions', code=1)
        del daemon.answers['GetSessions']
        self.assertIn('older than this bal', self.cli('sessions', code=1).stderr)
        daemon.answers['Get'] = {'pid': 'x'}
        self.cli('sessions', 'web', code=69)
        daemon.stop()
        for args in ([], ['web'], ['close', 'web'], ['close', 'id:7', '--yes']):
            self.assertIn('bal is not running', self.cli('sessions', *args, code=69).stderr)
            self.error('sessions', *args, code=69)

    def test_no_right(self):
        self.daemon()
        options = self.no_right()
        os.chmod(self.run_dir, 0o755)
        os.chmod(f'{self.run_dir}/admin.sock', 0o600)
        os.chmod(f'{self.run_dir}/status.sock', 0o666)
        self.cli('sessions', 'web', **options)
        self.assertIn('permission denied', self.cli('sessions', 'close', 'web', '--yes', code=77, **options).stderr)
        os.chmod(f'{self.run_dir}/status.sock', 0o600)
        self.error('sessions', code=77, **options)

    def test_the_reader_goes_away(self):
        self.daemon(GetSessions=answer(*(session(i) for i in range(1, 1001))))
        read_end, write_end = os.pipe()
        listing = self.start('listing', [rig.BAL, 'sessions', '--limit=1000'], env=self.env, stdout=write_end)
        os.close(write_end)
        self.assertTrue(os.read(read_end, 10))
        os.close(read_end)
        self.assertEqual((listing.wait(10), listing.output()), (0, ''))


class Closed(SessionsTest):
    def closes(self, daemon):
        return [parameters for method, parameters in daemon.calls if method == 'CloseSessions']

    def test_asks(self):
        daemon = self.daemon()
        for typed, closed in (('y\n', True), ('YES\n', True), ('\n', False), ('n\n', False), ('yes please\n', False),
                              ('\x04', False)):
            daemon.calls.clear()
            terminal = self.terminal('close', 'web/10.20.0.22:8080', 'idle:1h')
            terminal.wait_for('Close 37 of 14210 connections? [y/N] ')
            self.assertEqual(self.closes(daemon), [])
            terminal.write(typed)
            self.assertEqual(terminal.wait(), 0 if closed else 1)
            self.assertIn(b'37 connections closed\r\n' if closed else b'bal: nothing was closed\r\n', terminal.said)
            self.assertEqual(self.closes(daemon), [
                {'pool': 'web', 'backend': '10.20.0.22:8080', 'min_idle_ms': 3600000}] if closed else [])

    def test_interrupted(self):
        daemon = self.daemon()
        terminal = self.terminal('close', 'web')
        terminal.wait_for('[y/N] ')
        terminal.write('\x03')
        self.assertEqual(terminal.wait(), -signal.SIGINT)
        self.assertEqual(self.closes(daemon), [])

    def test_all_of_them(self):
        daemon = self.daemon(GetSessions=answer(session(7), matched=9, total=9))
        terminal = self.terminal('close', 'web')
        terminal.wait_for('Close all 9 connections? [y/N] ')
        daemon.answers['GetSessions'] = answer(session(7))
        self.terminal('close', 'web').wait_for('Close the only connection? [y/N] ')

    def test_without_a_terminal(self):
        daemon = self.daemon()
        text = 'this would close 37 of 14210 connections; nothing was closed: it needs --yes'
        done = self.cli('sessions', 'close', 'web', code=1)
        self.assertEqual((done.stdout, done.stderr), ('', f'bal: {text}\n'))
        self.assertEqual(self.error('sessions', 'close', 'web', code=1)['errors'], [text])
        self.assertEqual(self.closes(daemon), [])
        self.assertEqual(self.cli('sessions', 'close', 'web', '--yes').stdout, '37 connections closed\n')
        self.assertEqual(self.json('sessions', 'close', 'id:7', '--yes'),
                         {'format_version': '1.0', 'kind': 'bal.sessions', 'action': 'close', 'matched': 37,
                          'closed': 37})
        self.assertEqual(self.closes(daemon), [{'pool': 'web'}, {'id': 7}])

    def test_needs_to_know_whose(self):
        daemon = self.daemon()
        self.assertIn("needs a FILTER", self.cli('sessions', 'close', code=64).stderr)
        for args in (['idle:1h'], ['age:1s', 'idle:1s', '--yes']):
            self.assertIn('say whose: ', self.cli('sessions', 'close', *args, code=64).stderr)
        self.cli('sessions', 'close', 'nonsense', '--yes', code=1)
        self.assertEqual(daemon.calls, [])

    def test_none(self):
        daemon = self.daemon(GetSessions=answer(total=9))
        self.assertEqual(self.cli('sessions', 'close', 'web').stdout, '0 connections closed\n')
        self.assertEqual(self.json('sessions', 'close', 'id:7')['closed'], 0)
        self.assertIn("did you mean 'web'?", self.cli('sessions', 'close', 'pool:wbe', '--yes', code=1).stderr)
        self.assertEqual(self.closes(daemon), [])


class ForReal(test_cli.CliTest):
    def two_pools(self):
        self.ports = {'web': rig.free_port(), 'api': rig.free_port()}
        self.servers = [self.echo(f'server{i}').address for i in range(2)]
        # one worker: each counts its own rounds, and who takes a connection is the kernel's choice
        self.run_bal = self.bal(rig.document(rig.pool('web', self.ports['web'], self.servers),
                                             rig.pool('api', self.ports['api'], self.servers[:1]), workers=1))
        return self.run_bal

    def talk(self, port, n=5):
        s = rig.connect(port)
        self.addCleanup(s.close)
        s.sendall(b'x' * n)
        self.assertEqual(len(rig.read_exactly(s, n)), n)
        return s

    def rows(self, *args):
        lines = self.run_bal.cli('sessions', *args, '--brief', check=0).stdout.splitlines()
        return [dict(word.split('=', 1) for word in line.split()) for line in lines]

    def ended(self, s):
        s.settimeout(5 * rig.SLOW)
        with contextlib.suppress(ConnectionResetError):
            return s.recv(1) == b''
        return True

    def test_who_is_there(self):
        bal = self.two_pools()
        web = [self.talk(self.ports['web'], 100 * (i + 1)) for i in range(4)]
        api = self.talk(self.ports['api'], 70000)
        lines = bal.cli('sessions', check=0).stdout.splitlines()
        self.assertEqual((len(lines), lines[-1]), (7, '5 of 5 connections'))
        row = next(line for line in lines if f'api/{self.servers[0]}' in line)
        self.assertRegex(row, rf'^ *\d+ +\d+ s +\d+ s +127\.0\.0\.1:{api.getsockname()[1]} .* (\d\.\d|\d\d+)/(\d\.\d|\d\d+) '
                              r'+68KiB +68KiB$')
        most = self.rows('--sort=bytes', '--limit=1')
        self.assertEqual([(r['in'], r['out'], r['state']) for r in most], [('70000', '70000', 'relay')])
        self.assertEqual(len(self.rows('web')), 4)
        self.assertEqual({r['backend'] for r in self.rows(f'web/{self.servers[0]}')}, {f'web/{self.servers[0]}'})
        self.assertEqual(len(self.rows(f'backend:{self.servers[0]}')), 3)  # of both pools
        self.assertEqual(len(self.rows('client:127.0.0.1')), 5)
        mine = self.rows('client:127.0.0.1:%d' % web[0].getsockname()[1])
        self.assertEqual([r['in'] for r in mine], ['100'])
        self.assertEqual(self.rows(f'id:{mine[0]["id"]}')[0]['client'], mine[0]['client'])
        self.assertEqual(self.rows('idle:1h') + self.rows('age:1h', 'frontend:api'), [])
        rig.wait_until(lambda: len(self.rows('frontend:api', 'idle:300ms')) == 1, 'an idle one')
        self.assertIn("no pool 'wbe'", bal.cli('sessions', 'pool:wbe', check=1).stderr)

    def test_who_is_slow(self):
        """A client that takes nothing of what waits for it."""
        self.two_pools()
        s = self.talk(self.ports['api'])
        s.setblocking(False)

        def stuck():
            with contextlib.suppress(BlockingIOError):
                for _ in range(64):
                    s.send(b'x' * 65536)
            return self.rows('api')[0]['slow'] == 'client'
        rig.wait_until(stuck, 'a slow client')
        text = self.run_bal.cli('sessions', '-v', 'api', check=0).stdout
        self.assertRegex(text, r'(?m) \d+(\.\d)?[KM]iB/\S+  client$')

    def test_closed(self):
        bal = self.two_pools()
        web = [self.talk(self.ports['web']) for _ in range(8)]
        api = self.talk(self.ports['api'])
        name = self.rows('web')[0]['backend']
        gone = {r['client'] for r in self.rows(name)}
        left = 9 - len(gone)
        bal.cli('sessions', 'close', name, check=1)
        self.assertEqual(len(self.rows()), 9)
        terminal = scripted.Terminal(self, [rig.BAL, 'sessions', 'close', name], {**bal.env, 'TERM': 'xterm'})
        terminal.wait_for(f'Close {len(gone)} of 9 connections? [y/N] ')
        terminal.write('y\n')
        self.assertEqual(terminal.wait(), 0)
        self.assertRegex(terminal.said, rb'%d connections? closed\r\n' % len(gone))
        for s in web:
            if '127.0.0.1:%d' % s.getsockname()[1] in gone:
                self.assertTrue(self.ended(s))
            else:
                s.sendall(b'still')
                self.assertEqual(rig.read_exactly(s, 5), b'still')
        self.assertEqual(bal.cli('sessions', 'close', name, '--yes', check=0).stdout, '0 connections closed\n')
        doc = json.loads(bal.cli('sessions', 'close', 'client:127.0.0.1', '--yes', '--json', check=0).stdout)
        self.assertEqual((doc['matched'], doc['closed']), (left, left))
        self.assertTrue(self.ended(api))
        self.assertEqual(bal.cli('sessions', check=0).stdout, 'no connections\n')

    def test_of_a_removed_backend(self):
        """What a reload removes has its name until its connections end."""
        bal = self.two_pools()
        held = [self.talk(self.ports['web']) for _ in range(8)]
        leaves = len(self.rows(f'web/{self.servers[0]}'))
        self.assertGreater(leaves, 0)
        bal.reload(rig.document(rig.pool('web', self.ports['web'], self.servers[1:])))
        self.assertEqual(len(self.rows(self.servers[0])), leaves)
        self.assertRegex(bal.cli('sessions', 'close', f'web/{self.servers[0]}', '--yes', check=0).stdout,
                         rf'\A{leaves} connections? closed\n\Z')
        self.assertEqual(len(self.rows()), 8 - leaves)
        self.assertEqual(len([s for s in held if self.quick(s)]), leaves)

    def quick(self, s):
        """Closed by now?"""
        s.settimeout(0.3)
        with contextlib.suppress(TimeoutError):
            return s.recv(1) == b''
        return False

    def test_many(self):
        """A thousand of several thousand, in a moment."""
        bal = self.two_pools()
        held = self.hold(self.ports['web'], 3000)
        start = time.monotonic()
        lines = bal.cli('sessions', '--limit=1000', '--sort=idle', check=0).stdout.splitlines()
        print(f'1000 of 3000 sessions: {(time.monotonic() - start) * 1000:.0f} ms')
        self.assertEqual((len(lines), lines[-1]), (1002, '1000 of 3000 connections'))
        self.assertEqual(len({re.match(r' *(\d+)', line)[1] for line in lines[1:-1]}), 1000)
        self.assertLess(time.monotonic() - start, 2 * rig.SLOW)
        self.assertEqual(bal.cli('sessions', 'close', 'web', '--yes', check=0).stdout, '3000 connections closed\n')
        rig.wait_until(lambda: len(held.ended()) == 3000, 'all to end')


if __name__ == '__main__':
    rig.main()
