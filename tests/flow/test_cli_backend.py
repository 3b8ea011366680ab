#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`bal backend` and `bal graceful --dry-run`: what operators type, what they are asked, what becomes of it."""

import json
import os
import re
import signal

import rig
import scripted
import test_cli

Error = scripted.Daemon.Error
TWO_POOLS = '''
global: {{ workers: 1, drain_timeout: 20s }}
frontends:
  - {{ name: web, listen: "127.0.0.1:{web}", backend: web }}
  - {{ name: api, listen: "127.0.0.1:{api}", backend: api }}
backends:
  - name: web
    health_check: {{ type: tcp, interval: 200ms, timeout: 200ms }}
    servers:
{servers}
  - name: api
    health_check: {{ type: tcp, interval: 200ms, timeout: 200ms }}
    servers:
      - {{ address: "{shared}" }}
'''


def set_state(parameters):
    """A daemon that does what it is told; the pool 'api' it empties only when that is confirmed."""
    if parameters['pool'] == 'api' and parameters['state'] != 'ready' and not parameters['confirmed']:
        return Error('io.bal.Admin.PoolWouldBeEmpty', pool='api', usable=3, left=1, total=5)
    ready = parameters['state'] == 'ready'
    return {'pool': parameters['pool'], 'backend': parameters['backend'], 'from': 'drain' if ready else 'up',
            'to': 'up' if ready else parameters['state'], 'active_connections': 37,
            'deadline_ms': parameters.get('deadline_ms') or None}


def set_weight(parameters):
    return {'pool': parameters['pool'], 'backend': parameters['backend'], 'from': 10, 'to': parameters['weight'],
            'configured': 10, 'active_connections': 1}


class BackendTest(test_cli.CliTest):
    def daemon(self, **answers):
        b = scripted.backend
        backends = [b('web', '10.20.0.11:8080', active_connections=402),
                    b('web', '10.20.0.17:8080', 'down', reason='refused', reason_text='refused (2 times in a row)'),
                    b('web', '10.20.0.22:8080', 'drain', reason='admin', active_connections=37, deadline_in_ms=50400,
                      oldest_connection_s=10800),
                    b('api', '10.20.0.22:8080', weight=3, slow_start_percent=40),
                    b('api', scripted.HANGUL, 'cool', reason='timeout', reason_text='no answer in time',
                      retry_in_ms=1500),
                    b('api', 'unix:/run/app.sock', 'maint', reason='admin')]
        answers = {'Get': scripted.status(backends), 'SetState': set_state, 'SetWeight': set_weight, **answers}
        return scripted.Daemon(self, self.run_dir, **answers)

    def terminal(self, *args, columns=80, rows=24, **env):
        return scripted.Terminal(self, [rig.BAL, *args], {**self.env, 'TERM': 'xterm', 'NO_COLOR': '1', **env},
                                 columns, rows)


class Changes(BackendTest):
    def test_state(self):
        daemon = self.daemon()
        for args, text, call in (
                (['drain', '10.20.0.11:8080'], 'web/10.20.0.11:8080: UP -> DRAIN, 37 connections stay\n',
                 {'pool': 'web', 'backend': '10.20.0.11:8080', 'state': 'drain', 'confirmed': False}),
                (['drain', 'web/10.20.0.22:8080', '--deadline', '10m'],
                 'web/10.20.0.22:8080: UP -> DRAIN, 37 connections, closed in 10m\n',
                 {'pool': 'web', 'backend': '10.20.0.22:8080', 'state': 'drain', 'confirmed': False,
                  'deadline_ms': 600000}),
                (['maint', '10.20.0.11:8080', '--deadline=1h30m'],
                 'web/10.20.0.11:8080: UP -> MAINT, 37 connections, closed in 1h30m\n',
                 {'pool': 'web', 'backend': '10.20.0.11:8080', 'state': 'maint', 'confirmed': False,
                  'deadline_ms': 5400000}),
                (['maint', '10.20.0.11:8080', '--deadline=0s'],
                 'web/10.20.0.11:8080: UP -> MAINT, 37 connections stay\n',
                 {'pool': 'web', 'backend': '10.20.0.11:8080', 'state': 'maint', 'confirmed': False,
                  'deadline_ms': 0}),
                (['enable', f'api/{scripted.HANGUL}'], f'api/{scripted.HANGUL}: DRAIN -> UP, 37 connections\n',
                 {'pool': 'api', 'backend': scripted.HANGUL, 'state': 'ready', 'confirmed': False}),
                (['enable', 'unix:/run/app.sock'], 'api/unix:/run/app.sock: DRAIN -> UP, 37 connections\n',
                 {'pool': 'api', 'backend': 'unix:/run/app.sock', 'state': 'ready', 'confirmed': False})):
            with self.subTest(args=args):
                daemon.calls.clear()
                done = self.cli('backend', *args)
                self.assertEqual((done.stdout, done.stderr, daemon.calls), (text, '', [('SetState', call)]))

    def test_weight(self):
        daemon = self.daemon()
        for args, text in ((['10.20.0.11:8080', '3'],
                            'web/10.20.0.11:8080: weight 10 -> 3 (the file says 10), 1 connection\n'),
                           (['10.20.0.11:8080', '10'], 'web/10.20.0.11:8080: weight 10 -> 10, 1 connection\n'),
                           (['10.20.0.11:8080', '0'], 'web/10.20.0.11:8080: weight 10 -> 0 (the file says 10), '
                            'no new connections, 1 connection stays\n')):
            done = self.cli('backend', 'weight', *args)
            self.assertEqual((done.stdout, done.stderr), (text, ''))
        self.assertEqual([call['weight'] for _, call in daemon.calls], [3, 10, 0])

    def test_several(self):
        daemon = self.daemon()
        done = self.cli('backend', 'drain', '10.20.0.11:8080', '10.20.0.17:8080')
        self.assertEqual(done.stdout, 'web/10.20.0.11:8080: UP -> DRAIN, 37 connections stay\n'
                                      'web/10.20.0.17:8080: UP -> DRAIN, 37 connections stay\n')
        done = self.cli('backend', 'weight', '10.20.0.11:8080', '10.20.0.17:8080', '5')
        self.assertEqual(len(done.stdout.splitlines()), 2)
        daemon.calls.clear()
        # one wrong name: nothing is changed
        done = self.cli('backend', 'drain', '10.20.0.11:8080', '10.20.0.18:8080', code=1)
        self.assertIn("no backend '10.20.0.18:8080'; did you mean 'web/10.20.0.", done.stderr)
        self.assertEqual((daemon.calls, done.stdout), ([], ''))
        # the second one is refused: the first is done, and it is said how far it came
        done = self.cli('backend', 'drain', '10.20.0.11:8080', 'unix:/run/app.sock', '10.20.0.17:8080', code=1)
        self.assertEqual(done.stdout, 'web/10.20.0.11:8080: UP -> DRAIN, 37 connections stay\n')
        self.assertIn('(1 of 3 backends done)', done.stderr)
        self.assertEqual(len(daemon.calls), 2)
        doc = self.error('backend', 'drain', '10.20.0.11:8080', 'unix:/run/app.sock', code=1)
        self.assertEqual([c['backend'] for c in doc['changes']], ['10.20.0.11:8080'])

    def test_json(self):
        self.daemon()
        doc = self.json('backend', 'drain', '10.20.0.11:8080', '--deadline=5s')
        self.assertEqual(doc, {'format_version': '1.0', 'kind': 'bal.backend', 'action': 'drain', 'changes': [
            {'pool': 'web', 'backend': '10.20.0.11:8080', 'from': 'up', 'to': 'drain', 'active_connections': 37,
             'deadline_ms': 5000}]})
        doc = self.json('backend', 'weight', '10.20.0.11:8080', '3')
        self.assertEqual((doc['kind'], doc['action'], doc['changes'][0]['configured']), ('bal.backend', 'weight', 10))
        self.assertEqual(self.cli('backend', 'drain', '10.20.0.11:8080', '-q').stdout, '')

    def test_wrong_names(self):
        daemon = self.daemon()
        for name, text in (('10.20.0.11:808', "no backend '10.20.0.11:808'; did you mean 'web/10.20.0.11:8080'?"),
                           ('10.20.0.22:8080', "'10.20.0.22:8080' is in 2 pools; say which: web/10.20.0.22:8080, "
                                               'api/10.20.0.22:8080'),
                           ('wbe/10.20.0.11:8080', "no pool 'wbe'; did you mean 'web/10.20.0.11:8080'?"),
                           ('web', "'web' is a pool; say which of its backends: bal backend list web"),
                           ('192.0.2.1:1', "no backend '192.0.2.1:1'; all there are: bal backend list"),
                           ('\x1b[2J\udcff', "no backend '?[2J?'; all there are: bal backend list")):
            for verb in (['drain'], ['maint'], ['enable'], ['weight']):
                more = ['1'] if verb == ['weight'] else []
                done = self.cli('backend', *verb, name, *more, code=1)
                self.assertEqual((done.stdout, done.stderr), ('', f'bal: {text}\n'))
        self.assertEqual(self.error('backend', 'drain', 'wbe/10.20.0.11:8080', code=1)['errors'],
                         ["no pool 'wbe'; did you mean 'web/10.20.0.11:8080'?"])
        self.assertEqual(daemon.calls, [])

    def test_bad_use(self):
        daemon = self.daemon()
        for args in (['weight', '10.20.0.11:8080', '257'], ['weight', '10.20.0.11:8080', '-1'],
                     ['weight', '10.20.0.11:8080', 'x'], ['weight', '10.20.0.11:8080'], ['weight', '3'], ['drain'],
                     ['drain', '10.20.0.11:8080', '--deadline=x'],
                     ['enable', '10.20.0.11:8080', '--deadline=1m'], ['dry', 'x'], []):
            with self.subTest(args=args):
                done = self.cli('backend', *args, code=64)
                self.assertEqual(done.stdout, '')
                self.assertIn("\nTry 'bal ", done.stderr)
                self.error('backend', *args, code=64)
        self.assertEqual(daemon.calls, [])

    def test_refusals(self):
        for error, text in (
                (Error('io.bal.Admin.Busy', what='stop'), 'the daemon is busy: stop is under way'),
                (Error('io.bal.Status.NoSuchBackend', pool='web', backend='x'),
                 'the daemon has no backend web/10.20.0.11:8080 any more'),
                (Error('org.varlink.service.MethodNotFound', method='io.bal.Admin.SetState'),
                 'the daemon does not know io.bal.Admin.SetState: it is older than this bal'),
                (Error('org.varlink.service.InvalidParameter', parameter='deadline_ms'),
                 'the daemon does not accept the parameter deadline_ms'),
                (Error('io.bal.Status.Internal', what='x\x1b[2J'),
                 'the daemon refused: io.bal.Status.Internal: x?[2J')):
            with self.subTest(text=text):
                daemon = self.daemon(SetState=error)
                done = self.cli('backend', 'drain', '10.20.0.11:8080', code=1)
                self.assertEqual((done.stdout, done.stderr), ('', f'bal: {text}\n'))
                self.error('backend', 'drain', '10.20.0.11:8080', code=1)
                daemon.stop()

    def test_no_daemon_and_no_answer(self):
        for args in (['list'], ['drain', 'a:1'], ['maint', 'a:1'], ['enable', 'a:1'], ['weight', 'a:1', '3']):
            done = self.cli('backend', *args, code=69)
            self.assertRegex(done.stderr, r'\Abal: bal is not running \(no daemon on .*\.sock\)\n\Z')
            self.error('backend', *args, code=69)
        self.daemon(Get={'pid': 'x'})
        for args in (['list'], ['drain', 'a:1']):
            self.assertIn('no valid answer from ', self.cli('backend', *args, code=69).stderr)

    def test_no_right(self):
        options = self.no_right()
        daemon = self.daemon()
        os.chmod(self.run_dir, 0o755)
        for name, mode in (('status.sock', 0o666), ('admin.sock', 0o600)):
            os.chmod(f'{self.run_dir}/{name}', mode)
        self.assertIn('UP ', self.cli('backend', 'list', **options).stdout)  # looking is allowed
        for args in (['drain', '10.20.0.11:8080'], ['weight', '10.20.0.11:8080', '3']):
            done = self.cli('backend', *args, code=77, **options)
            self.assertTrue(done.stderr.startswith(f'bal: permission denied on {self.run_dir}/admin.sock'))
            self.error('backend', *args, code=77, **options)
        self.assertEqual(daemon.calls, [])
        os.chmod(f'{self.run_dir}/status.sock', 0o600)
        self.cli('backend', 'list', code=77, **options)


class Questions(BackendTest):
    ASKED = "Pool 'api' would keep 1 usable backend of 5 (now 3). Drain api/unix:/run/app.sock? [y/N] "

    def ask(self, answer, *args, **env):
        terminal = self.terminal('backend', 'drain', 'unix:/run/app.sock', *args, **env)
        terminal.wait_for('[y/N] ')
        terminal.write(answer)
        status = terminal.wait()
        return status, terminal.said.decode().replace('\r\n', '\n')

    def test_yes(self):
        daemon = self.daemon()
        for answer in ('y\n', 'Y\n', 'yes\n', 'YES\n'):
            daemon.calls.clear()
            status, said = self.ask(answer)
            self.assertEqual((status, said), (0, self.ASKED + answer +
                                              'api/unix:/run/app.sock: UP -> DRAIN, 37 connections stay\n'))
            self.assertEqual([call['confirmed'] for _, call in daemon.calls], [False, True])

    def test_no(self):
        daemon = self.daemon()
        for answer, echo in (('n\n', 'n\n'), ('\n', '\n'), ('\x04', '\n'), ('yess\n', 'yess\n'), ('no\n', 'no\n'),
                             ('x' * 200 + '\n', 'x' * 200 + '\n'), ('\ub124\n', '\ub124\n')):
            daemon.calls.clear()
            status, said = self.ask(answer)
            self.assertEqual((status, said), (1, self.ASKED + echo +
                                              'bal: nothing was changed on api/unix:/run/app.sock\n'))
            self.assertEqual([call['confirmed'] for _, call in daemon.calls], [False])

    def test_interrupted(self):
        daemon = self.daemon()
        status, said = self.ask('\x03')
        self.assertEqual((status, said), (-signal.SIGINT, self.ASKED + '^C'))
        self.assertEqual(len(daemon.calls), 1)

    def test_the_terminal_goes_away(self):
        daemon = self.daemon()
        terminal = self.terminal('backend', 'drain', 'unix:/run/app.sock')
        terminal.wait_for('[y/N] ')
        os.kill(terminal.pid, signal.SIGHUP)
        self.assertEqual(terminal.wait(), -signal.SIGHUP)
        self.assertEqual(len(daemon.calls), 1)

    def test_yes_beforehand(self):
        daemon = self.daemon()
        for args in (['drain', 'unix:/run/app.sock', '--yes'], ['--yes', 'drain', 'unix:/run/app.sock']):
            terminal = self.terminal('backend', *args)
            self.assertEqual(terminal.wait(), 0)
            self.assertNotIn(b'[y/N]', terminal.said)
            self.cli('backend', *args)
        self.assertTrue(all(call['confirmed'] for _, call in daemon.calls))
        self.assertEqual(len(daemon.calls), 4)

    def test_nobody_to_ask(self):
        daemon = self.daemon()
        text = ("pool 'api' would keep 1 usable backend of 5 (now 3); nothing was changed on api/unix:/run/app.sock: "
                'it needs --yes')
        done = self.cli('backend', 'drain', 'unix:/run/app.sock', code=1)
        self.assertEqual((done.stdout, done.stderr), ('', f'bal: {text}\n'))
        self.assertEqual(self.error('backend', 'drain', 'unix:/run/app.sock', code=1)['errors'], [text])
        # a terminal on which nothing may be said is nobody to ask either
        terminal = self.terminal('backend', 'drain', 'unix:/run/app.sock', '-q')
        self.assertEqual((terminal.wait(), terminal.said), (1, b''))
        self.assertFalse(any(call['confirmed'] for _, call in daemon.calls))

    def test_other_words(self):
        self.daemon(SetWeight=lambda p: set_weight(p) if p['confirmed'] else
                    Error('io.bal.Admin.PoolWouldBeEmpty', pool='web', usable=1, left=0, total=3))
        terminal = self.terminal('backend', 'weight', '10.20.0.11:8080', '0')
        terminal.wait_for("Pool 'web' would keep 0 usable backends of 3 (now 1). "
                          'Set the weight of web/10.20.0.11:8080 to 0? [y/N] ')
        terminal.write('y\n')
        self.assertEqual(terminal.wait(), 0)
        terminal = self.terminal('backend', 'maint', 'unix:/run/app.sock')
        terminal.wait_for('Maint api/unix:/run/app.sock? [y/N] ')

    def test_locales_and_colours(self):
        self.daemon()
        for env in ({'LANG': 'C', 'LC_ALL': 'C'}, {'LANG': 'ko_KR.UTF-8'}, {'TERM': 'dumb'}):
            status, said = self.ask('y\n', **env)
            self.assertEqual((status, '\x1b' in said), (0, False))
        terminal = self.terminal('backend', 'enable', scripted.HANGUL, LC_ALL='C')
        self.assertEqual(terminal.wait(), 0)
        self.assertIn(scripted.HANGUL, terminal.said.decode())
        coloured = self.terminal('backend', 'drain', '10.20.0.11:8080', NO_COLOR='')
        self.assertEqual(coloured.wait(), 0)
        self.assertIn(b'UP -> \x1b[33mDRAIN\x1b[0m', coloured.said)


class List(BackendTest):
    def test_table(self):
        self.daemon()
        lines = self.cli('backend', 'list').stdout.splitlines()
        self.assertEqual(re.split(r'\s{2,}', lines[0]), ['STATE', 'NAME', 'WEIGHT', 'ACTIVE', 'DEADLINE', 'SINCE',
                                                         'NOTE'])
        self.assertEqual([line.split()[0] for line in lines[1:]], ['DOWN', 'COOL', 'DRAIN', 'MAINT', 'UP', 'UP'])
        self.assertRegex(lines[1], r'^DOWN   web/10.20.0.17:8080 +10 +0 +- +\d+ [hd] +refused \(2 times in a row\)$')
        self.assertRegex(lines[2], rf'^COOL   api/{scripted.HANGUL} +10 +0 .* no answer in time, retry in 1.5 s$')
        self.assertRegex(lines[3], r'^DRAIN  web/10.20.0.22:8080 +10 +37 +51 s +\d+ [hd] +oldest 3 h$')
        self.assertRegex(lines[6], r'^UP     api/10.20.0.22:8080 +3 \(file 10\) +0 .* slow start, 40 %$')
        # columns count cells
        at = scripted.cells(lines[0].partition('WEIGHT')[0])
        for line in lines[1:]:
            n = next(i for i in range(len(line)) if scripted.cells(line[:i]) == at)
            self.assertRegex(line[n:], r'^(10|3 \(file 10\)) ')
            self.assertEqual(line[n - 2:n], '  ')
        verbose = self.cli('backend', 'list', '-v').stdout.splitlines()
        self.assertIn('TMO/REF/OTH', verbose[0])
        self.assertEqual(len(verbose), len(lines))

    def test_brief_and_json(self):
        self.daemon()
        brief = self.cli('backend', 'list', '--brief').stdout.splitlines()
        self.assertEqual(brief[2], 'DRAIN web/10.20.0.22:8080 weight=10/10 conns=37 deadline=51 reason=admin')
        self.assertEqual(brief[5], 'UP api/10.20.0.22:8080 weight=3/10 conns=0')
        doc = self.json('backend', 'list')
        self.assertEqual((doc['kind'], doc['action'], len(doc['backends'])), ('bal.backend', 'list', 6))
        self.assertEqual([b['state'] for b in doc['backends']], ['down', 'cool', 'drain', 'maint', 'up', 'up'])
        self.assertEqual(doc['backends'][2]['deadline_in_ms'], 50400)
        self.assertEqual(self.cli('backend', 'list', '-q').stdout, '')

    def test_filter(self):
        self.daemon()
        for words, names in ((['api'], {'api/10.20.0.22:8080', f'api/{scripted.HANGUL}', 'api/unix:/run/app.sock'}),
                             (['pool:web', 'state:up'], {'web/10.20.0.11:8080'}),
                             (['.22:'], {'web/10.20.0.22:8080', 'api/10.20.0.22:8080'}),
                             (['.22:', 'api'], {'api/10.20.0.22:8080'}),
                             (['\uc11c\ubc84'], {f'api/{scripted.HANGUL}'})):
            out = self.cli('backend', 'list', '--brief', *words).stdout
            self.assertEqual({line.split()[1] for line in out.splitlines()}, names)
        done = self.cli('backend', 'list', 'state:up', 'state:down')
        self.assertEqual((done.stdout, done.stderr), ('', 'bal: no backend is like that\n'))
        self.assertEqual(self.json('backend', 'list', 'state:up', 'state:down')['backends'], [])
        for word, text in (('wbe', "no pool 'wbe'; did you mean 'web'?"),
                           ('state:dwon', "no state 'dwon'; did you mean 'down'?"),
                           ('10.20.0.11:8081', "no backend '10.20.0.11:8081'; did you mean 'web/10.20.0.11:8080'?")):
            self.assertEqual(self.cli('backend', 'list', word, code=1).stderr, f'bal: {text}\n')
            self.assertEqual(self.error('backend', 'list', word, code=1)['errors'], [text])

    def test_nothing_raw(self):
        evil = 'x\x1b[31m\x07\x9b2J\u202e\n:1'
        self.daemon(Get=scripted.status([scripted.backend(evil, evil, evil, reason=evil, reason_text=evil)]))
        for args in ([], ['--brief'], ['--verbose'], ['--json'], [evil]):
            done = self.cli('backend', 'list', *args)
            self.assertNotRegex(done.stdout + done.stderr, '[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]')

    def test_narrow(self):
        """Long names lose their middle before a row gets longer than the terminal."""
        name = f'[2001:db8:{"1234:" * 5}5678]:5432'
        self.daemon(Get=scripted.status([scripted.backend('web', name), scripted.backend('web', scripted.HANGUL)]))
        terminal = self.terminal('backend', 'list', columns=66)
        self.assertEqual(terminal.wait(), 0)
        lines = terminal.said.decode().replace('\r\n', '\n').splitlines()
        self.assertTrue(all(scripted.cells(line) <= 66 for line in lines), lines)
        self.assertIn('~', lines[1])
        self.assertIn(name, self.cli('backend', 'list', '--brief').stdout)


class ForReal(BackendTest):
    def two_pools(self, servers=3):
        self.ports = {'web': rig.free_port(), 'api': rig.free_port()}
        self.servers = [self.echo(f'web{i}').address for i in range(servers)]
        rows = '\n'.join(f'      - {{ address: "{address}", weight: 10 }}' for address in self.servers)
        return self.bal(TWO_POOLS.format(**self.ports, servers=rows, shared=self.servers[0]))

    def state(self, bal, name):
        pool, _, address = name.partition('/')
        return next(b for b in bal.status()['backends'] if (b['pool'], b['name']) == (pool, address))

    def talk(self, port):
        s = rig.connect(port)
        self.addCleanup(s.close)
        s.sendall(b'hello')
        self.assertEqual(rig.read_exactly(s, 5), b'hello')
        return s

    def test_drain_and_back(self):
        bal = self.two_pools()
        held = [self.talk(self.ports['web']) for _ in range(6)]  # two for each
        name = f'web/{self.servers[1]}'
        done = bal.cli('backend', 'drain', name, check=0)
        self.assertEqual((done.stdout, done.stderr), (f'{name}: UP -> DRAIN, 2 connections stay\n', ''))
        more = [self.talk(self.ports['web']) for _ in range(6)]
        self.assertEqual(self.state(bal, name)['active_connections'], 2)
        for s in held + more:
            s.sendall(b'there')
            self.assertEqual(rig.read_exactly(s, 5), b'there')
        self.assertRegex(bal.cli('status', check=0).stdout, rf'  DRAIN  {self.servers[1]}  web  \d+ s +2 connections')
        self.assertRegex(bal.cli('backend', 'list', 'state:drain').stdout, rf'(?m)^DRAIN  {name} +10 +2 +\d+ s')
        self.assertEqual(bal.cli('backend', 'enable', name).stdout, f'{name}: DRAIN -> UP, 2 connections\n')
        self.assertEqual(self.state(bal, name)['state'], 'up')
        calls = bal.log_wait('admin_call', 2)
        self.assertEqual(len([c for c in calls if c['fields']['method'] == 'io.bal.Admin.SetState']), 2)

    def test_deadline(self):
        bal = self.two_pools()
        held = [self.talk(self.ports['web']) for _ in range(3)]
        name = f'web/{self.servers[2]}'
        doc = json.loads(bal.cli('backend', 'maint', name, '--deadline', '1s', '--json', check=0).stdout)
        self.assertEqual(doc['changes'], [{'pool': 'web', 'backend': self.servers[2], 'from': 'up', 'to': 'maint',
                                           'active_connections': 1, 'deadline_ms': 1000}])
        self.assertGreater(self.state(bal, name)['deadline_in_ms'], 0)
        rig.wait_until(lambda: self.state(bal, name)['active_connections'] == 0, 'the deadline', 15)
        closed = [s for s in held if not self.alive(s)]
        self.assertEqual(len(closed), 1)
        # without one maint has drain_timeout's, and 0s means none
        self.assertIn(', no connections\n', bal.cli('backend', 'maint', name, check=0).stdout)
        done = bal.cli('backend', 'maint', f'web/{self.servers[1]}', '--deadline=0s', '--yes', check=0)
        self.assertIn('UP -> MAINT, 1 connection stays\n', done.stdout)
        self.assertIsNone(self.state(bal, f'web/{self.servers[1]}')['deadline_in_ms'])

    def alive(self, s):
        with rig.contextlib.suppress(OSError):
            s.sendall(b'x')
            return s.recv(1) == b'x'
        return False

    def test_weight(self):
        bal = self.two_pools()
        name = f'web/{self.servers[0]}'
        self.assertEqual(bal.cli('backend', 'weight', name, '3', check=0).stdout,
                         f'{name}: weight 10 -> 3 (the file says 10), no connections\n')
        self.assertEqual((self.state(bal, name)['weight'], self.state(bal, name)['weight_configured']), (3, 10))
        self.assertIn('3 (file 10)', bal.cli('backend', 'list', name).stdout)
        bal.cli('backend', 'weight', f'web/{self.servers[1]}', name, '0', '--yes', check=0)
        held = [self.talk(self.ports['web']) for _ in range(4)]
        self.assertEqual(self.state(bal, f'web/{self.servers[2]}')['active_connections'], len(held))
        bal.cli('graceful', check=0)
        self.assertEqual(self.state(bal, name)['weight'], 0)  # the file has not changed

    def test_the_last_one(self):
        """What the daemon thinks is too few is asked, here with a real answer of a real person's terminal."""
        bal = self.two_pools()
        bal.cli('backend', 'drain', f'web/{self.servers[0]}', check=0)  # 2 of 3 are left
        name = f'web/{self.servers[1]}'
        done = bal.cli('backend', 'drain', name, check=1)
        self.assertIn("pool 'web' would keep 1 usable backend of 3 (now 2); nothing was changed on ", done.stderr)
        self.assertEqual(self.state(bal, name)['state'], 'up')
        for answer, status, state in (('n\n', 1, 'up'), ('y\n', 0, 'drain')):
            terminal = scripted.Terminal(self, [rig.BAL, 'backend', 'drain', name], {**bal.env, 'TERM': 'dumb'})
            terminal.wait_for('[y/N] ')
            terminal.write(answer)
            self.assertEqual(terminal.wait(), status, terminal.said)
            self.assertEqual(self.state(bal, name)['state'], state)
        done = bal.cli('backend', 'weight', f'web/{self.servers[2]}', '0', check=1)
        self.assertIn("pool 'web' would keep 0 usable backends of 3 (now 1)", done.stderr)
        bal.cli('backend', 'drain', f'api/{self.servers[0]}', '--yes', check=0)
        # back into service is never asked
        bal.cli('backend', 'enable', *(f'web/{server}' for server in self.servers), check=0)
        self.assertEqual([self.state(bal, f'web/{server}')['state'] for server in self.servers], ['up'] * 3)

    def test_names(self):
        bal = self.two_pools()
        done = bal.cli('backend', 'drain', self.servers[0], check=1)
        self.assertIn(f"'{self.servers[0]}' is in 2 pools; say which: web/{self.servers[0]}, api/{self.servers[0]}",
                      done.stderr)
        self.assertIn('UP -> DRAIN', bal.cli('backend', 'drain', self.servers[1], check=0).stdout)

    def test_no_right(self):
        options = self.no_right()
        bal = self.two_pools()
        os.chmod(bal.dir, 0o755)
        os.chmod(bal.run, 0o755)
        for args in (['backend', 'list'], ['backend', 'drain', self.servers[1]], ['graceful', '--dry-run']):
            self.cli(*args, code=77, env=bal.env, **options)
            self.error(*args, code=77, env=bal.env, **options)
        self.assertEqual(self.state(bal, f'web/{self.servers[1]}')['state'], 'up')

    def test_who_may_only_change_may_look(self):
        options = self.no_right()
        bal = self.two_pools()
        for path, mode in ((bal.dir, 0o755), (bal.run, 0o755), (f'{bal.run}/admin.sock', 0o660)):
            os.chmod(path, mode)
        os.chown(f'{bal.run}/admin.sock', -1, options['group'])
        self.assertIn(f'pid {bal.pid}', self.cli('status', env=bal.env, **options).stdout)
        self.assertEqual(self.json('status', env=bal.env, **options)['socket'], f'{bal.run}/admin.sock')
        for args in (['backend', 'list'], ['sessions'], ['backend', 'drain', self.servers[1]]):
            self.cli(*args, env=bal.env, **options)
        # what is followed takes its time, and the places of admins with it
        self.assertIn(f'permission denied on {bal.run}/status.sock',
                      self.cli('events', code=77, env=bal.env, **options).stderr)


class DryRun(BackendTest):
    ANSWER = {'dry_run': True, 'config_number': 17, 'config_path': '/etc/bal/config.yaml', 'changed': True,
              'message': 'x', 'warnings': ['/etc/bal/config.yaml:1:1: warning[W003]: y'],
              'notes': ['workers: 4 needs a restart; 2 are running'],
              'changes': [{'action': 'removed', 'object': 'backend', 'pool': 'web', 'name': '10.20.0.9:8080',
                           'text': ''},
                          {'action': 'changed', 'object': 'backend', 'pool': 'web', 'name': scripted.HANGUL,
                           'text': 'weight 1 -> 3'},
                          {'action': 'added', 'object': 'listener', 'pool': None, 'name': '0.0.0.0:8081',
                           'text': 'frontend web'}],
              'changes_total': 3, 'connections_kept': 14210, 'connections_draining': 12}

    def test_text(self):
        daemon = self.daemon(Reload=self.ANSWER)
        done = self.cli('graceful', '--dry-run')
        self.assertEqual(done.stdout,
                         'bal: dry run of /etc/bal/config.yaml: 3 changes; configuration #17 stays in force\n'
                         '  -  removed  backend   web/10.20.0.9:8080\n'
                         f'  ~  changed  backend   web/{scripted.HANGUL}  weight 1 -> 3\n'
                         '  +  added    listener  0.0.0.0:8081               frontend web\n'
                         '  connections  14210 stay, 12 of them until they end: their backends are removed\n'
                         '  /etc/bal/config.yaml:1:1: warning[W003]: y\n'
                         '  note: workers: 4 needs a restart; 2 are running\n'
                         '  next: bal graceful\n')
        self.assertEqual(self.cli('reload', '--dry-run', '--brief').stdout,
                         'bal: dry run of /etc/bal/config.yaml: 3 changes; configuration #17 stays in force\n')
        doc = self.json('graceful', '--dry-run')
        self.assertEqual(doc, {'format_version': '1.0', 'kind': 'bal.graceful', **self.ANSWER})
        self.assertTrue(all(call == ('Reload', {'dry_run': True}) for call in daemon.calls))

    def test_many(self):
        change = self.ANSWER['changes'][0]
        self.daemon(Reload={**self.ANSWER, 'changes': [change] * 30, 'changes_total': 1200})
        out = self.cli('graceful', '--dry-run').stdout
        self.assertEqual(out.count('  -  removed'), 20)
        self.assertIn('  ... and 1180 more (--verbose lists them)\n', out)
        out = self.cli('graceful', '--dry-run', '-v').stdout
        self.assertEqual(out.count('  -  removed'), 30)
        self.assertIn('  ... and 1170 more\n', out)

    def test_a_daemon_that_cannot(self):
        """An answer that does not say that it was a dry run was none."""
        answer = {k: v for k, v in self.ANSWER.items() if k != 'dry_run'}
        self.daemon(Reload=answer)
        self.assertIn('has loaded the configuration (#17)', self.cli('graceful', '--dry-run', code=1).stderr)
        self.error('graceful', '--dry-run', code=1)

    def test_nobody_there(self):
        self.cli('graceful', '--dry-run', code=69)
        self.error('graceful', '--dry-run', code=69)

    def test_for_real(self):
        one, two = self.echo('one').address, self.echo('two').address
        port = rig.free_port()
        bal = self.bal(rig.simple(port, [one, two]), '--no-watch')  # or it reads the file before we ask
        held = [rig.connect(port) for _ in range(4)]
        for s in held:
            self.addCleanup(s.close)
            s.sendall(b'x')
            self.assertEqual(rig.read_exactly(s, 1), b'x')
        # nothing to do
        done = bal.cli('graceful', '--dry-run', check=0)
        self.assertIn(f'bal: dry run of {bal.config_path}: no change; configuration #1 stays in force\n', done.stdout)
        self.assertNotIn('next:', done.stdout)
        # one goes, one changes
        draining = bal.backend(two)['active_connections']
        self.assertGreater(draining, 0)
        bal.write(rig.simple(port, [(one, {'weight': 7})]))
        dry = bal.cli('graceful', '--dry-run', check=0).stdout
        self.assertRegex(dry, r'2 changes; configuration #1 stays in force\n'
                              rf'  -  removed  backend  main/{two}\n'
                              rf'  ~  changed  backend  main/{one}  weight 1 -> 7\n'
                              rf'  connections  4 stay, {draining} of them until they end')
        self.assertEqual((bal.status()['config_number'], len(bal.status()['backends'])), (1, 2))
        real = bal.cli('graceful', check=0).stdout
        self.assertTrue(real.startswith(f'bal: configuration #2 is in force ({bal.config_path}): '))
        self.assertEqual(real.splitlines()[1:3], dry.splitlines()[1:3])
        self.assertIn('GONE', bal.cli('status', check=0).stdout)
        for s in held:
            s.sendall(b'y')
            self.assertEqual(rig.read_exactly(s, 1), b'y')
        # a broken file is told as check tells it, and nothing happens
        bal.write(test_cli.BROKEN)
        done = bal.cli('graceful', '--dry-run', check=78)
        self.assertIn(f'{bal.config_path}:3:5: error[E014]: ', done.stderr)
        doc = json.loads(bal.cli('graceful', '--dry-run', '--json', check=78).stdout)
        self.assertEqual((doc['kind'], doc['code']), ('bal.error', 78))
        self.assertEqual(bal.status()['config_number'], 2)


if __name__ == '__main__':
    rig.main()
