#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The command line of the real binary: texts, exit codes, JSON, streams, and daemons that misbehave."""

import contextlib
import fcntl
import json
import os
import pty
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

import rig

VERBS = ['start', 'stop', 'graceful', 'reload', 'check', 'status', 'backend list', 'backend drain', 'backend maint',
         'backend enable', 'backend weight', 'sessions', 'sessions close', 'events', 'doctor', 'explain', 'config keys',
         'completion', 'version', 'help']
TODAY = {'running', 'pid', 'config_path', 'bind_address', 'port', 'method', 'backend_total', 'backend_reachable',
         'backends', 'active_connections', 'last_check_time', 'protection_mode'}
TODAY_BACKEND = {'address', 'reachable', 'active_connections', 'last_check_time', 'counters'}
NEW = {'format_version', 'kind', 'verdict', 'version', 'uptime_s', 'config_number', 'socket', 'frontends', 'pools'}
NEW_BACKEND = {'name', 'pool', 'state', 'since', 'reason', 'weight'}
NOBODY = 65534
BROKEN = 'backends:\n  - host: "10.20.0.11"\n    prot: 8080\n'


class CliTest(rig.FlowTest):
    """Runs bal with a home and a runtime directory of its own."""

    def setUp(self):
        super().setUp()
        self.run_dir = os.path.join(self.dir, 'run')
        os.mkdir(self.run_dir, 0o700)
        self.env = rig.clean_env(os.path.join(self.dir, 'sanitizer'))
        self.env.update(RUNTIME_DIRECTORY=self.run_dir, HOME=self.dir)
        for name in ('NO_COLOR', 'BAL_NO_COLOR', 'CLICOLOR_FORCE'):
            self.env.pop(name, None)

    def tearDown(self):
        reports = [name for name in os.listdir(self.dir) if name.startswith('sanitizer')]
        for name in reports:
            with open(os.path.join(self.dir, name), encoding='utf-8', errors='replace') as f:
                print(f.read()[:6000], file=sys.stderr)
        self.assertEqual(reports, [])
        super().tearDown()

    def cli(self, *args, code=0, env=None, **options):
        done = subprocess.run([rig.BAL, *args], env={**self.env, **(env or {})}, cwd=self.dir, timeout=60 * rig.SLOW,
                              stdin=subprocess.DEVNULL, text=True, errors='surrogateescape', check=False,
                              **({'capture_output': True} if 'stdout' not in options else {}), **options)
        self.assertEqual(done.returncode, code, f'bal {" ".join(args)}\n{done.stdout}{done.stderr}')
        return done

    def json(self, *args, code=0, **options):
        """Standard output is one document and nothing else, whatever comes of it."""
        doc = json.loads(self.cli(*args, '--json', code=code, **options).stdout)
        self.assertEqual(doc['format_version'], '1.0')
        return doc

    def error(self, *args, code, **options):
        doc = self.json(*args, code=code, **options)
        self.assertEqual((doc['kind'], doc['code']), ('bal.error', code))
        self.assertTrue(doc['errors'] and all(isinstance(e, str) for e in doc['errors']))
        return doc

    def file(self, text, name='config.yaml'):
        path = os.path.join(self.dir, name)
        with open(path, 'w', encoding='utf-8', errors='surrogateescape') as f:
            f.write(text)
        return path

    def valid(self, port=None):
        return self.file(rig.simple(port or rig.free_port(), ['127.0.0.1:9']))

    def fake(self, answer, name='status.sock'):
        """A daemon that answers every call with these bytes; None: not at all. Keeps connections open."""
        server = socket.socket(socket.AF_UNIX)
        server.bind(os.path.join(self.run_dir, name))
        server.listen(8)
        held = []

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    client = server.accept()[0]
                    held.append(client)
                    call = b''
                    while not call.endswith(b'\0'):
                        part = client.recv(65536)
                        if not part:
                            break
                        call += part
                    if answer is not None and call:
                        client.sendall(answer)
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()

        def close():
            server.shutdown(socket.SHUT_RDWR)
            server.close()
            thread.join(5)
            for client in held:
                client.close()
        self.addCleanup(close)

    def no_right(self):
        """Options for subprocess: a user without rights who can still run the binary; or skip."""
        if os.geteuid() != 0:
            self.skipTest('needs root')
        options = {'user': NOBODY, 'group': NOBODY, 'extra_groups': []}
        try:
            subprocess.run([rig.BAL, 'version'], stdout=subprocess.DEVNULL, env=self.env, check=True, **options)
        except (OSError, subprocess.CalledProcessError):
            self.skipTest('the binary cannot be run by others')
        return options


class Words(CliTest):
    def test_help(self):
        done = self.cli('help')
        self.assertEqual(len(done.stdout.splitlines()), 12)
        self.assertEqual(done.stdout.count('\n  bal '), 3)
        self.assertEqual(done.stderr, '')
        self.assertEqual(self.cli('--help').stdout, done.stdout)
        self.assertEqual(self.cli('-h').stdout, done.stdout)
        bare = self.cli(code=64)
        self.assertEqual((bare.stdout, bare.stderr), ('', done.stdout))

    def test_help_of_each(self):
        for verb in VERBS:
            for args in ([*verb.split(), '-h'], ['--help', *verb.split()]):
                done = self.cli(*args)
                self.assertLessEqual(len(done.stdout.splitlines()), 24)
                self.assertTrue(done.stdout.startswith(f'Usage: bal {verb}'), done.stdout)
                self.assertEqual(done.stderr, '')

    def test_version(self):
        for args in (['version'], ['--version'], ['-V'], ['stop', '--version']):
            self.assertRegex(self.cli(*args).stdout, r'\Abal \d+\.\d+\.\d+\n\Z')
        doc = self.json('version')
        self.assertEqual(doc['kind'], 'bal.version')
        self.assertRegex(doc['version'], r'^\d+\.\d+\.\d+$')
        self.assertIn('libyaml', doc['libs'])

    def test_did_you_mean(self):
        for args, text in ((['chekc'], "bal: unknown command 'chekc'; did you mean 'check'?\nTry 'bal --help'.\n"),
                           (['check', '--jsno'],
                            "bal: unknown option '--jsno'; did you mean '--json'?\nTry 'bal --help'.\n"),
                           (['upgrade'], "bal: unknown command 'upgrade'\nTry 'bal --help'.\n"),
                           (['check', '--wait=1s'],
                            "bal: 'check' does not take the option '--wait'\nTry 'bal check --help'.\n")):
            done = self.cli(*args, code=64)
            self.assertEqual((done.stdout, done.stderr), ('', text))
            self.assertIn(text.split('\n')[0][5:], self.error(*args, code=64)['errors'])

    def test_usage(self):
        for args in (['check', 'x'], ['check', '-c'], ['graceful', '--wait=0s'], ['graceful', '--wait=x'], ['explain'],
                     ['config'], ['--color=x', 'help'], ['start', '--log-level=x'], ['check', '--brief', '--verbose'],
                     ['--json'], ['explain', 'E999x'], ['help', 'nosuch'], ['\x1b[2J'], ['--\x1b[2J']):
            done = self.cli(*args, code=64)
            self.assertNotIn('\x1b', done.stdout + done.stderr)

    def test_explain(self):
        done = self.cli('explain', 'E014')
        self.assertTrue(done.stdout.startswith('E014: '))
        self.assertIn('\nwrong:\n', done.stdout)
        self.assertIn('\nright:\n', done.stdout)
        self.assertEqual(self.cli('explain', 'e014').stdout, done.stdout)
        doc = self.json('explain', 'E014')
        self.assertEqual((doc['kind'], doc['code']), ('bal.explain', 'E014'))
        self.assertTrue(doc['title'] and doc['explanation'] and doc['wrong'] and doc['right'])

    def test_keys(self):
        doc = self.json('config', 'keys')
        self.assertEqual(doc['kind'], 'bal.config_keys')
        paths = {(key['dialect'], key['path']) for key in doc['keys']}
        self.assertIn(('simple', 'runtime.health_check_interval_ms'), paths)
        self.assertIn(('full', 'frontends[].listen'), paths)
        text = self.cli('config', 'keys').stdout
        for _, path in paths:
            self.assertRegex(text, r'(?m)^  ' + re.escape(path) + r'\s')

    def test_manual_has_every_option(self):
        with open(os.path.join(rig.SOURCE, 'docs', 'bal.8'), encoding='utf-8') as f:
            page = f.read()
        named = set(re.findall(r'^\.(?:It|Op|Oo|Ic|Xo).*?Fl -([a-z-]+)', page, re.M)) | \
            set(re.findall(r'Fl -([a-z][a-z-]+)', page))
        for verb in VERBS:
            self.assertRegex(page, r'(?m)^\.(It|Ss) Ic ' + verb + r'\b')
            for option in re.findall(r'--([a-z][a-z-]+)', self.cli(*verb.split(), '-h').stdout):
                self.assertIn(option, named, f'{verb} --{option}')


class Check(CliTest):
    def test_good(self):
        path = self.valid()
        done = self.cli('check', '-c', path)
        self.assertEqual(done.stdout, f'bal check: OK: {path}, 1 pool, 1 backend, 0 warnings\n  next: bal doctor\n')
        self.assertEqual(self.cli('--config', path, '--validate').stdout, done.stdout)
        self.assertEqual(self.cli('check', '-c', path, '--brief').stdout, '')
        self.assertRegex(self.cli('check', '-v', '-c', path).stdout, r'(?m)^  method +round_robin +default$')
        doc = self.json('check', '-c', path)
        self.assertEqual({k: doc[k] for k in ('kind', 'config_path', 'errors', 'warnings', 'backend_count',
                                              'diagnostics')},
                         {'kind': 'bal.check', 'config_path': path, 'errors': [], 'warnings': [], 'backend_count': 1,
                          'diagnostics': []})

    def test_bad(self):
        path = self.file(BROKEN)
        done = self.cli('check', '-c', path, code=78)
        self.assertIn("error[E014]: unknown key 'prot' in backends[0]\n"
                      f'  --> {path}:3:5\n'
                      '   |\n'
                      ' 1 | backends:\n'
                      ' 2 |   - host: "10.20.0.11"\n'
                      ' 3 |     prot: 8080\n'
                      "   |     ^^^^ did you mean 'port'?\n", done.stdout)
        self.assertRegex(done.stdout, r'\n\nbal check: FAILED: 1 error, 0 warnings in .*\n  next: fix line \d first; '
                                      r'more on a code: bal explain [EW]\d+\n\Z')
        self.assertEqual(done.stderr, '')
        brief = self.cli('check', '-c', path, '--brief', code=78).stdout
        self.assertIn(f"{path}:3:5: error[E014]: unknown key 'prot', did you mean 'port'?\n", brief)
        doc = self.json('check', '-c', path, code=78)
        self.assertEqual(doc['errors'] + doc['warnings'], brief.splitlines())
        self.assertEqual(len(doc['diagnostics']), len(doc['errors']) + len(doc['warnings']))
        for d in doc['diagnostics']:
            self.assertLessEqual({'severity', 'code', 'file', 'line', 'column', 'end_column', 'message', 'hint'},
                                 set(d))

    def test_wide_characters(self):
        path = self.file('backends:\n  - { host: "한글", prot: 1 }\n')
        lines = self.cli('check', '-c', path, code=78).stdout.splitlines()
        at = next(i for i, line in enumerate(lines) if line.endswith("^^^^ did you mean 'port'?")) - 1
        self.assertEqual(lines[at + 1].index('^'), lines[at].index('prot') + 2)  # two letters, a cell more each

    def test_warnings_and_strict(self):
        path = self.file('mode: "advanced"\n' + rig.simple(rig.free_port(), ['127.0.0.1:9']))
        self.assertIn('1 warning', self.cli('check', '-c', path).stdout)
        self.assertIn('FAILED: 1 warning', self.cli('check', '--strict', '-c', path, code=78).stdout)
        self.assertEqual(len(self.json('check', '--strict', '-c', path, code=78)['warnings']), 1)

    def test_quiet(self):
        for path, code in ((self.file(BROKEN, 'a'), 78), (self.valid(), 0), ('/nonexistent', 66)):
            done = self.cli('check', '-q', '-c', path, code=code)
            self.assertEqual(done.stdout + done.stderr, '')

    def test_no_file(self):
        self.assertIn('/nonexistent/x', self.cli('check', '-c', '/nonexistent/x', code=66).stderr)
        self.error('check', '-c', '/nonexistent/x', code=66)
        self.cli('check', '-c', self.dir, code=66)  # a directory

    def test_no_right(self):
        options = self.no_right()
        path = self.valid()
        os.chmod(path, 0o600)
        self.cli('check', '-c', path, code=77, **options)
        self.json('check', '-c', path, code=77, **options)

    def test_at_most_twenty(self):
        path = self.file('backends:\n' + ''.join(f'  - {{ host: "10.0.0.{i}", prot: 1 }}\n' for i in range(30)))
        out = self.cli('check', '-c', path, '--brief', code=78).stdout
        self.assertEqual(out.count(': error['), 20)
        self.assertRegex(out, r'\.\.\. and \d+ more errors\n')

    def test_nothing_raw(self):
        path = self.file('"\\e[31mx\\a": 1\nbackends:\n  - host: "\\e]0;x\\a"\n    port: 1\n')
        for args in ([], ['--brief'], ['--verbose'], ['--json']):
            done = self.cli('check', '-c', path, *args, code=78)
            self.assertNotRegex(done.stdout + done.stderr, '[\x00-\x08\x0b-\x1f\x7f]')


class Streams(CliTest):
    def test_full_disk(self):
        for args in (['config', 'keys'], ['version'], ['help'], ['config', 'keys', '--json'], ['status']):
            with open('/dev/full', 'w', encoding='ascii') as full:
                done = self.cli(*args, code=1, stdout=full, stderr=subprocess.PIPE)
            self.assertIn('No space left on device', done.stderr)

    def test_closed_stdout(self):
        self.cli('version', code=1, preexec_fn=lambda: os.close(1), stdout=None, stderr=subprocess.PIPE)

    def test_reader_goes_away(self):
        read_end, write_end = os.pipe()
        os.close(read_end)
        try:
            done = self.cli('config', 'keys', stdout=write_end, stderr=subprocess.PIPE)
        finally:
            os.close(write_end)
        self.assertEqual(done.stderr, '')

    def test_colour(self):
        path = self.file(BROKEN)

        def coloured(*args, **env):
            out = self.cli('check', '-c', path, *args, code=78, env=env).stdout
            return '\x1b[' in out
        self.assertFalse(coloured())
        self.assertTrue(coloured('--color=always'))
        self.assertTrue(coloured(CLICOLOR_FORCE='1'))
        self.assertFalse(coloured(CLICOLOR_FORCE='1', NO_COLOR='1'))
        self.assertFalse(coloured('--color=never', CLICOLOR_FORCE='1'))
        self.assertFalse(coloured('--json', '--color=always'))

    def on_terminal(self, **env):
        master, slave = pty.openpty()
        with os.fdopen(master, 'rb', 0) as reader:
            self.cli('check', '-c', self.file(BROKEN), code=78, env={'TERM': 'xterm', **env}, stdout=slave,
                     stderr=subprocess.PIPE)
            os.close(slave)
            said = b''
            with contextlib.suppress(OSError):
                while part := reader.read(65536):
                    said += part
        return said

    def test_terminal(self):
        self.assertIn(b'\x1b[', self.on_terminal())
        self.assertNotIn(b'\x1b[', self.on_terminal(TERM='dumb'))
        self.assertNotIn(b'\x1b[', self.on_terminal(NO_COLOR='1'))
        self.assertNotIn(b'\x1b[', self.on_terminal(BAL_NO_COLOR='1'))


class Status(CliTest):
    def check_keys(self, doc):
        self.assertEqual(doc['kind'], 'bal.status')
        self.assertLessEqual(TODAY | NEW, set(doc))
        self.assertEqual(set(doc['protection_mode']), {'enabled', 'reason'})
        for backend in doc['backends']:
            self.assertLessEqual(TODAY_BACKEND | NEW_BACKEND, set(backend))
            self.assertEqual(set(backend['counters']), {'timeout', 'refused', 'other', 'closed'})

    def test_running(self):
        port, web = rig.free_port(), self.backend('web')
        bal = self.bal(rig.simple(port, [web.address]))
        self.assertEqual(rig.get(port), 'web')
        doc = bal.status()
        self.check_keys(doc)
        self.assertEqual((doc['running'], doc['pid'], doc['config_path'], doc['bind_address'], doc['port'],
                          doc['method'], doc['socket']),
                         (True, bal.pid, bal.config_path, '127.0.0.1', port, 'round_robin', f'{bal.run}/status.sock'))
        text = bal.cli('status', check=0).stdout
        self.assertRegex(text, rf'\Abal status: OK  \S+  pid {bal.pid}  up \S+  v\S+\n  listen       127.0.0.1:{port}   '
                               r'method round_robin   config #1 \(\d+ s ago\)\n  backends     1/1 up\n  connections  ')
        self.assertRegex(bal.cli('status', '--brief', check=0).stdout,
                         r'\AOK up=1/1 down=0 cool=0 drain=0 maint=0 conns=\d+/\d+ prot=off cfg=1\n\Z')
        verbose = bal.cli('status', '--verbose', '--exit-code', check=0).stdout
        for word in (web.address, 'FRONTEND', 'STATE', 'closed sessions by reason', bal.config_path):
            self.assertIn(word, verbose)
        quiet = bal.cli('status', '-q', check=0)
        self.assertEqual(quiet.stdout + quiet.stderr, '')
        # --socket finds it from a foreign environment
        self.assertEqual(self.json('status', '--socket', f'{bal.run}/status.sock')['pid'], bal.pid)
        self.assertIn('next: bal graceful', bal.cli('check', '-c', bal.config_path, check=0).stdout)

    def test_stopped(self):
        web = self.backend('web')
        shut = rig.free_port()
        path = self.file(rig.simple(rig.free_port(), [web.address, f'127.0.0.1:{shut}']))
        doc = self.json('status', '-c', path)
        self.check_keys(doc)
        self.assertEqual((doc['running'], doc['pid'], doc['config_path'], doc['backend_total'],
                          doc['backend_reachable'], doc['active_connections']), (False, None, path, 2, 1, 0))
        self.assertEqual([b['reachable'] for b in doc['backends']], [True, False])
        self.assertEqual(doc['backends'][1]['counters'], {'timeout': 0, 'refused': 1, 'other': 0, 'closed': 0})
        text = self.cli('status', '-c', path).stdout
        self.assertTrue(text.startswith('bal status: NOT RUNNING  '))
        for part in ('what_happened: no daemon answers on', 'why_likely:    not started', 'do_this_now:   ',
                     f'  UNREACHABLE  127.0.0.1:{shut}  main  refused\n', '1/2 reachable from here'):
            self.assertIn(part, text)
        self.cli('status', '--exit-code', '-c', path, code=3)
        self.json('status', '--exit-code', '-c', path, code=3)
        self.assertTrue(self.cli('status', '--brief', '-c', path).stdout.startswith('NOT RUNNING reachable=1/2'))

    def test_stopped_without_a_file(self):
        for path in ('/nonexistent/x.yaml', self.file(BROKEN)):
            doc = self.json('status', '-c', path)
            self.check_keys(doc)
            self.assertEqual((doc['bind_address'], doc['port'], doc['method'], doc['backend_total'],
                              doc['backend_reachable'], doc['backends'], doc['config_path']),
                             ('0.0.0.0', None, None, None, None, [], path))

    def test_left_over_socket(self):
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(f'{self.run_dir}/status.sock')
        self.assertIn('left its socket behind', self.cli('status').stdout)
        self.cli('status', '--exit-code', code=3)

    def test_no_right(self):
        options = self.no_right()
        os.chmod(self.run_dir, 0o755)
        self.fake(None)
        self.fake(None, 'admin.sock')
        for name in ('status.sock', 'admin.sock'):
            os.chmod(f'{self.run_dir}/{name}', 0o600)
        text = self.cli('status', code=77, **options).stdout
        self.assertTrue(text.startswith('bal status: UNKNOWN\n  what_happened: permission denied on '
                                        f'{self.run_dir}/status.sock\n  why_likely:    '), text)
        self.cli('status', '--exit-code', code=4, **options)
        self.error('status', code=77, **options)
        for verb in ('stop', 'graceful'):
            self.assertIn('permission denied', self.cli(verb, code=77, **options).stderr)

    def test_no_valid_answer(self):
        for answer in (b'HTTP/1.1 400 Bad Request\r\n\r\n\0', b'{"parameters":{}}\0', b'{"parameters":{"pid":"x"}}\0',
                       b'{"error":"io.bal.Status.Internal","parameters":{"what":"x"}}\0', b'[' * 100000 + b'\0', b'\0',
                       b'{"parameters":{"verdict":"\x1b[2J\xff"}}\0'):
            with self.subTest(answer=answer[:40]):
                os.path.exists(f'{self.run_dir}/status.sock') and os.unlink(f'{self.run_dir}/status.sock')
                self.fake(answer)
                done = self.cli('status', code=69)
                self.assertTrue(done.stdout.startswith('bal status: UNKNOWN\n  what_happened: no valid answer'))
                self.assertNotIn('\x1b', done.stdout + done.stderr)
                self.cli('status', '--exit-code', code=4)
                self.error('status', code=69)

    def test_silence(self):
        self.fake(None)
        start = time.monotonic()
        self.cli('status', code=69)
        self.assertLess(time.monotonic() - start, 3 * rig.SLOW)

    def test_nothing_raw(self):
        bal = self.bal(rig.simple(rig.free_port(), [self.backend('web').address]))
        doc = bal.call('io.bal.Status.Get')
        evil = 'x\x1b[31m\x07\x9b2J\u202e\n'

        def spoil(value):
            if isinstance(value, str):
                return evil
            if isinstance(value, list):
                return [spoil(v) for v in value]
            return {k: spoil(v) for k, v in value.items()} if isinstance(value, dict) else value
        self.fake(json.dumps(spoil(doc)).encode() + b'\0')
        for args in ([], ['--brief'], ['--verbose'], ['--json']):
            done = self.cli('status', *args)
            self.assertNotRegex(done.stdout + done.stderr, '[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]')


class Admin(CliTest):
    def test_nobody_there(self):
        for verb in ('stop', 'graceful', 'reload'):
            done = self.cli(verb, code=69)
            self.assertEqual((done.stdout, done.stderr),
                             ('', f'bal: bal is not running (no daemon on {self.run_dir}/admin.sock)\n'))
            self.error(verb, code=69)
            done = self.cli(verb, '-q', code=69)
            self.assertEqual(done.stdout + done.stderr, '')

    def test_life(self):
        bal = self.bal(rig.simple(rig.free_port(), [self.backend('web').address]))
        done = bal.cli('graceful', check=0)
        self.assertTrue(done.stdout.startswith(f'bal: configuration #2 is in force ({bal.config_path}): '))
        doc = json.loads(bal.cli('reload', '--json', '--wait=5s', check=0).stdout)
        self.assertEqual((doc['kind'], doc['config_number']), ('bal.graceful', 3))
        bal.write(BROKEN)
        done = bal.cli('graceful', check=78)
        self.assertIn(f'{bal.config_path}:3:5: error[E014]: ', done.stderr)
        self.assertIn('the old configuration goes on serving', done.stderr)
        doc = json.loads(bal.cli('graceful', '--json', check=78).stdout)
        self.assertEqual((doc['kind'], doc['code']), ('bal.error', 78))
        self.assertTrue(doc['errors'][0].startswith(f'{bal.config_path}:'))
        self.assertTrue(doc['diagnostics'])
        doc = json.loads(bal.cli('stop', '--json', check=0).stdout)
        self.assertEqual((doc['kind'], doc['stopped'], doc['pid']), ('bal.stop', True, bal.pid))
        self.assertEqual(bal.wait(), 0)

    def test_stop_says_what_it_does(self):
        bal = self.bal(rig.simple(rig.free_port(), [self.backend('web').address]))
        done = bal.cli('stop', check=0)
        self.assertEqual(done.stderr, f'bal: stopping pid {bal.pid}: 0 connections, up to 30 s to drain\n')
        self.assertEqual(done.stdout, 'bal: stopped\n')

    def test_a_second_stop_hurts_nobody(self):
        port = rig.free_port()
        bal = self.bal(rig.simple(port, [self.echo().address]))
        with rig.connect(port) as s:
            s.sendall(b'one')
            self.assertEqual(rig.read_exactly(s, 3), b'one')
            stops = []
            for _ in range(2):  # both wait for the same end
                stops.append(self.start('stop', [rig.BAL, 'stop'], env=bal.env))
                rig.wait_until(lambda: 'to drain' in stops[-1].output(), 'stop to be on its way')
            self.assertTrue(bal.status()['draining'])
            self.assertIn('  stopping     no new connections', bal.cli('status', check=0).stdout)
            s.sendall(b'two')
            self.assertEqual(rig.read_exactly(s, 3), b'two')
            self.assertTrue(all(stop.alive() for stop in stops))
        self.assertEqual([stop.wait() for stop in stops], [0, 0])
        self.assertEqual(bal.wait(), 0)

    def test_start_right_after_stop(self):
        bal = self.bal(rig.simple(rig.free_port(), [self.backend('web').address]), detach=True)
        for _ in range(5):
            bal.cli('stop', check=0)
            rig.wait_until(lambda: not bal.alive(), 'the end')
            bal.cli('start', '-d', '-c', bal.config_path, check=0)
            bal.detached_status = None
            with open(f'{bal.run}/bal.pid', encoding='ascii') as f:
                bal.pid = int(f.read())

    def holder(self, body='signal.pause()', number='os.getpid()', program='bal', user=None):
        """A process that holds bal.pid as a daemon does; program is what its executable is called."""
        path = os.path.join(self.run_dir, 'bal.pid')
        copy = os.path.join(self.dir, program)
        shutil.copy(sys.executable, copy)
        code = ('import fcntl, os, signal, sys\n' + (f'os.setuid({user})\n' if user else '') +
                f'f = open({path!r}, "w")\n'
                'fcntl.flock(f, fcntl.LOCK_EX)\n'
                f'f.write(f"{{{number}}}\\n"); f.flush()\n'
                'print("ready", flush=True)\n' + body + '\n')
        process = self.start('holder', [copy, '-c', code], env={**os.environ, 'PYTHONHOME': sys.base_prefix})
        rig.wait_until(lambda: 'ready' in process.output() or not process.alive(), 'the holder')
        self.assertTrue(process.alive(), process.output())
        return process

    def assert_nobody_is_signalled(self, why, *processes):
        for args in (('stop',), ('logs', '--reopen')):
            said = self.cli(*args, code=1).stderr
            self.assertIn(why, said)
            self.assertIn('nothing was signalled', said)
            self.assertIn('lslocks', said)
        time.sleep(0.1)
        for process in processes:
            self.assertTrue(process.alive(), why)
        self.assertIn(why, self.cli('doctor', '--only', 'pid').stdout)

    def test_a_file_that_names_somebody_else(self):
        bystander = self.start('bystander', ['sleep', '100'])
        holder = self.holder(number=str(bystander.pid))
        self.assert_nobody_is_signalled('does not hold the lock', bystander, holder)

    def test_a_holder_that_is_not_bal(self):
        self.assert_nobody_is_signalled('is not bal', self.holder(program='other'))

    def test_a_file_that_an_unprivileged_user_made_for_root(self):
        user = rig.unprivileged_user()
        if not user:
            self.skipTest('this needs root')
        bystander = self.start('bystander', ['sleep', '100'])
        os.chown(self.run_dir, user.pw_uid, -1)
        holder = self.holder(number=str(bystander.pid), user=user.pw_uid)
        self.assert_nobody_is_signalled('belongs to another user', bystander, holder)

    def test_stop_by_pid(self):
        process = self.holder()
        done = self.cli('stop')
        self.assertEqual(done.stdout, 'bal: stopped\n')
        self.assertEqual(process.wait(), -signal.SIGTERM)

    def test_stop_by_pid_of_one_who_hangs(self):
        self.fake(None, 'admin.sock')
        process = self.holder()
        self.assertTrue(self.json('stop')['stopped'])
        self.assertEqual(process.wait(), -signal.SIGTERM)

    def test_stop_by_pid_gives_up(self):
        self.holder('signal.signal(signal.SIGTERM, signal.SIG_IGN)\nsignal.pause()')
        path = self.file('drain_timeout: 1s\n' + rig.simple(rig.free_port(), ['127.0.0.1:9']))
        start = time.monotonic()
        self.assertIn('is still there after', self.cli('stop', '-c', path, code=1).stderr)
        self.assertLess(time.monotonic() - start, 12 * rig.SLOW)

    def test_a_stale_pid_is_nobody(self):
        bystander = self.start('bystander', ['sleep', '100'])
        with open(os.path.join(self.run_dir, 'bal.pid'), 'w', encoding='ascii') as f:
            f.write(f'{bystander.pid}\n')
            f.flush()
            self.cli('stop', code=69)
            fcntl.flock(f, fcntl.LOCK_EX)  # locked, but by us: a number that is none stays none
            f.seek(0)
            f.truncate()
            f.write('1\n')
            f.flush()
            self.cli('stop', code=69)
        self.assertTrue(bystander.alive())

    def test_stop_gives_up(self):
        self.fake(b'{"parameters":{"pid":4242,"active_connections":3,"drain_timeout_ms":100}}\0', 'admin.sock')
        done = self.cli('stop', code=1)
        self.assertIn('pid 4242: 3 connections, up to 1 s to drain', done.stderr)
        self.assertIn('is still there after 5 s', done.stderr)

    def test_refusals(self):
        for error, parameters, code, text in (
                ('io.bal.Admin.Busy', {'what': 'stop'}, 1, 'the daemon is busy: stop is under way'),
                ('io.bal.Status.TooManyClients', {'limit': 64}, 1, 'too many clients'),
                ('io.bal.Status.Internal', {'what': 'x\x1b[2J'}, 1, 'the daemon refused: io.bal.Status.Internal: x?'),
                ('org.example.Odd', {}, 1, 'the daemon refused: org.example.Odd'),
                ('io.bal.Admin.ConfigInvalid',
                 {'config_path': '/x\x1b[2J', 'errors': ['/x:1:1: error[E014]: \x1b[31m'], 'warnings': [1, None],
                  'diagnostics': []}, 78, 'the old configuration goes on serving'),
                ('io.bal.Admin.ConfigInvalid', {}, 78, 'the old configuration goes on serving')):
            with self.subTest(error=error):
                os.path.exists(f'{self.run_dir}/admin.sock') and os.unlink(f'{self.run_dir}/admin.sock')
                self.fake(json.dumps({'error': error, 'parameters': parameters}).encode() + b'\0', 'admin.sock')
                done = self.cli('graceful', code=code)
                self.assertIn(text, done.stderr)
                self.assertNotIn('\x1b', done.stdout + done.stderr)
                doc = self.json('graceful', code=code)
                self.assertEqual((doc['kind'], doc['code']), ('bal.error', code))
                self.assertIsInstance(doc['errors'], list)

    def test_wait(self):
        self.fake(None, 'admin.sock')
        start = time.monotonic()
        self.assertIn('no verdict', self.cli('graceful', '--wait=300ms', code=1).stderr)
        took = time.monotonic() - start
        self.assertGreaterEqual(took, 0.3)
        self.assertLess(took, 2 * rig.SLOW)

    def test_start(self):
        self.assertIn('/nonexistent/x', self.cli('start', '-c', '/nonexistent/x', code=66).stderr)
        done = self.cli('start', '-c', self.file(BROKEN), code=78)
        self.assertIn("^^^^ did you mean 'port'?", done.stderr)
        self.assertEqual(done.stdout, '')
        self.error('start', '-c', self.file(BROKEN), code=78)
        with socket.socket() as taken:
            taken.bind(('127.0.0.1', 0))
            taken.listen(1)
            self.assertTrue(self.cli('start', '-c', self.valid(taken.getsockname()[1]), code=1).stderr)


if __name__ == '__main__':
    rig.main()
