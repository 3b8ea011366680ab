#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`bal status`: the report of scripted and of real trouble, and the reports that go on."""

import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import time

import rig
import scripted
import test_cli

TIME = r'20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z'
HOME, CLEAR = b'\x1b[H', b'\x1b[2J'


def trouble(**more):
    b = scripted.backend
    return scripted.status([
        b('web', '10.20.0.11:8080', active_connections=402),
        b('web', '10.20.0.17:8080', 'down', reason='refused', reason_text='refused (2 times in a row)'),
        b('web', '10.20.0.22:8080', 'drain', reason='admin', reason_text='set by an operator; refused',
          active_connections=37, deadline_in_ms=50400, oldest_connection_s=10800),
        b('web', '10.20.0.23:8080', 'drain', reason='admin', reason_text='set by an operator'),
        b('api', scripted.HANGUL, 'cool', reason='timeout', reason_text='no answer in time', retry_in_ms=1500),
        b('api', '10.20.0.30:8080', 'maint', reason='admin', reason_text='set by an operator'),
        b('api', '10.20.0.31:8080', 'maint', reason='admin', active_connections=1)],
        verdict='WARN', leaving=[{'pool': 'web', 'name': '10.20.0.9:8080', 'active_connections': 12,
                                  'since': scripted.SINCE}], **more)


class StatusTest(test_cli.CliTest):
    def daemon(self, doc):
        return scripted.Daemon(self, self.run_dir, Get=doc)

    def terminal(self, *args, columns=80, rows=24, **env):
        return scripted.Terminal(self, [rig.BAL, 'status', *args],
                                 {**self.env, 'TERM': 'xterm', 'NO_COLOR': '1', **env}, columns, rows)


class Report(StatusTest):
    def test_trouble(self):
        self.daemon(trouble())
        lines = self.cli('status').stdout.splitlines()
        age = r'\d+ [hd] +'
        for line, expected in zip(lines, (
                r'bal status: WARN  lb1\.example  pid 4242  up 3d04h12m  v1\.0\.0',
                r'  listen       0\.0\.0\.0:9295   method round_robin   config #17 \(.* ago\)',
                r'  backends     1/7 up   1 down   1 cool   2 drain   2 maint',
                r'  connections  14210 of 80000 \(18 %\)   4736/s new   0\.0/s rejected',
                r'  errors       timeout 0\.6/s   refused 2\.1/s   other 0\.0/s',
                r'  protection   off   failures 0/10 in 30 s',
                r'  pool         api   no backend up',
                rf'  DOWN   10\.20\.0\.17:8080 +web  {age}refused \(2 times in a row\)',
                rf'  COOL   {scripted.HANGUL}  api  {age}no answer in time, retry in 1\.5 s',
                rf'  DRAIN  10\.20\.0\.22:8080 +web  {age}37 connections, closed in 51 s, oldest 3 h, refused',
                rf'  DRAIN  10\.20\.0\.23:8080 +web  {age}no connections left',
                rf'  MAINT  10\.20\.0\.31:8080 +api  {age}1 connection',
                rf'  GONE   10\.20\.0\.9:8080 +web  {age}removed from the file; 12 connections left',
                r'  next: bal doctor --only backend   \(live view: bal status --watch\)'), strict=True):
            self.assertRegex(line, f'^{expected}$')
        at = scripted.cells(lines[7].partition('web')[0])
        for line in lines[8:13]:
            n = next(i for i in range(len(line)) if scripted.cells(line[:i]) == at)
            self.assertRegex(line[n - 2:], r'^  (web|api)  ')
        self.assertEqual(self.cli('status', '--brief').stdout,
                         'WARN up=1/7 down=1 cool=1 drain=2 maint=2 conns=14210/80000 prot=off cfg=17\n')
        verbose = self.cli('status', '--verbose').stdout
        self.assertEqual(len(re.findall(r'(?m)^  (?:DOWN|COOL|DRAIN|MAINT|UP)  ', verbose)), 7)
        self.assertRegex(verbose, r'(?m)^  REMOVED +POOL +ACTIVE +SINCE\n  10.20.0.9:8080 +web +12 ')

    def test_protection(self):
        doc = trouble()
        doc['pools'] = [scripted.pool('web', doc['backends'], failures=3, trigger=8, window_ms=10000),
                        scripted.pool('api', doc['backends'], failures=7, trigger=8, window_ms=500)]
        daemon = self.daemon(doc)
        self.assertIn('\n  protection   off   failures 7/8 in 500 ms   pool api\n', self.cli('status').stdout)
        on = {'enabled': True, 'reason': 'timeout_or_refused_storm', 'successes': 3, 'stable': 6,
              'since': time.strftime('%Y-%m-%dT%H:%M:%S.000Z', time.gmtime(time.time() - 42)),
              'activations': {'timeout_or_refused_storm': 3, 'all_backends_unavailable': 1}, 'last_ms': 18000}
        doc['pools'][0]['protection'].update(on)
        doc['protection_mode'] = {'enabled': True, 'reason': 'timeout_or_refused_storm'}
        daemon.answers['Get'] = doc
        text = self.cli('status').stdout
        self.assertRegex(text, r'\n  protection   ON   4[2-9] s   timeout_or_refused_storm   stable 3/6   '
                               r'pool web\n  pool ')
        self.assertIn(' prot=on ', self.cli('status', '--brief').stdout)
        self.assertRegex(self.cli('status', '-v').stdout, r'(?m)^  web +1/4 +0 +ON +3/8 +3/6 +4 \(last for 18 s\)$')
        doc['pools'][1]['protection'].update(on, reason='all_backends_unavailable')
        text = self.cli('status').stdout
        self.assertEqual(text.count('\n  protection   ON '), 2)
        self.assertEqual(self.json('status')['protection_mode'],
                         {'enabled': True, 'reason': 'timeout_or_refused_storm'})
        # protection without a backend in trouble has its own hint
        doc['backends'] = doc['backends'][:1]
        self.assertIn('\n  next: bal doctor --only protection ', self.cli('status').stdout)

    def test_all_is_well(self):
        self.daemon(scripted.status([scripted.backend('web', '10.20.0.11:8080')]))
        text = self.cli('status').stdout
        self.assertNotIn('next:', text)
        self.assertEqual(len(text.splitlines()), 6)

    def test_json_has_what_scripts_know(self):
        self.daemon(trouble())
        doc = self.json('status')
        self.assertLessEqual(test_cli.TODAY | test_cli.NEW | {'time'}, set(doc))
        self.assertRegex(doc['time'], f'^{TIME}$')
        self.assertEqual(set(doc['protection_mode']), {'enabled', 'reason'})
        for backend in doc['backends']:
            self.assertLessEqual(test_cli.TODAY_BACKEND | test_cli.NEW_BACKEND, set(backend))

    def test_an_older_daemon(self):
        """What came later may be missing, and is then not shown; what was always there may not."""
        doc = trouble()
        del doc['leaving']
        for pool in doc['pools']:
            del pool['protection'], pool['unavailable_total']
        for backend in doc['backends']:
            for key in ('reason_text', 'weight_configured', 'slow_start_percent', 'deadline_in_ms', 'check',
                        'oldest_connection_s'):
                del backend[key]
        self.daemon(doc)
        text = self.cli('status').stdout
        self.assertIn('\n  protection   off\n', text)
        self.assertRegex(text, r'\n  DOWN   10.20.0.17:8080 .*  refused\n')
        for args in (['status', '-v'], ['backend', 'list'], ['backend', 'list', '-v'], ['backend', 'list', '--brief']):
            self.assertNotIn('nan', self.cli(*args).stdout)

    def test_colours_and_locales(self):
        self.daemon(trouble())
        plain = self.cli('status').stdout
        for env in ({'LC_ALL': 'C'}, {'LC_ALL': '', 'LANG': 'C'}, {'LC_ALL': 'ko_KR.UTF-8'}, {'NO_COLOR': '1'}):
            self.assertEqual(self.cli('status', env=env).stdout, plain)
        coloured = self.cli('status', '--color=always').stdout
        for text in ('\x1b[1;31mDOWN\x1b[0m', '\x1b[35mCOOL\x1b[0m', '\x1b[33mDRAIN\x1b[0m', '\x1b[36mMAINT\x1b[0m'):
            self.assertIn(text, coloured)
        self.assertEqual(re.sub(r'\x1b\[[\d;]*m', '', coloured), plain)

    def test_narrow(self):
        """Names lose their middle, and what is said of a backend goes on under its own column."""
        doc = trouble()
        doc['backends'][4]['name'] = 'a-very-long-name-of-a-backend.in-some-domain.example:8080'
        self.daemon(doc)
        terminal = self.terminal(columns=72)
        self.assertEqual(terminal.wait(), 0)
        lines = terminal.said.decode().replace('\r\n', '\n').splitlines()
        rows = lines[7:-1]
        self.assertTrue(all(scripted.cells(line) <= 72 for line in rows), rows)
        self.assertRegex(rows[1], r'^  COOL   a-very-\w*~[a-z.]*:8080  api')
        at = scripted.cells(rows[0].partition('refused')[0])
        below = [line for line in rows if line.startswith(' ' * at)]
        self.assertEqual([line.strip() for line in below],
                         ['retry in 1.5 s', 'closed in 51 s, oldest 3 h,', 'refused', '12 connections left'])
        self.assertEqual({len(line) - len(line.lstrip()) for line in below}, {at})

    def test_many(self):
        self.daemon(scripted.status([scripted.backend('web', f'10.0.0.{i}:80', 'down') for i in range(50)]))
        text = self.cli('status').stdout
        self.assertEqual(text.count('  DOWN  '), 20)
        self.assertIn('  ... and 30 more: bal status --verbose\n', text)


class ForReal(StatusTest):
    def test_life_and_death(self):
        port, kept = rig.free_port(), self.backend('kept')
        lost = self.backend('lost')
        bal = self.bal(rig.simple(port, [kept.address, lost.address], runtime={
            'health_check_interval_ms': 100, 'health_check_fail_threshold': 2, 'protection_trigger_threshold': 1000}))
        rig.wait_until(lambda: bal.status()['backends'][1]['check']['passed'] > 0, 'a check')
        self.assertRegex(bal.cli('status').stdout, r'  protection   off   failures 0/1000 in 30 s\n\Z')
        lost.end()
        rig.wait_until(lambda: bal.backend(lost.address)['state'] == 'down', 'the verdict')
        text = bal.cli('status', check=0).stdout
        self.assertRegex(text, r'\Abal status: OK  ')
        self.assertRegex(text, rf'\n  backends     1/2 up   1 down\n(?s:.*)\n  DOWN  {lost.address}  main  '
                               r'\d+ s +refused \(\d+ times in a row\)\n  next: bal doctor --only backend')
        doc = bal.status()
        self.assertEqual((doc['verdict'], doc['backend_reachable'], doc['backends'][1]['reachable']), ('OK', 1, False))
        kept.end()
        rig.wait_until(lambda: bal.backend(kept.address)['state'] == 'down', 'the verdict')
        with rig.contextlib.suppress(OSError), rig.connect(port) as s:
            self.assertEqual(s.recv(1), b'')
        rig.wait_until(lambda: bal.status()['protection_mode']['enabled'], 'protection')
        text = bal.cli('status', check=0).stdout
        for expected in (r'\Abal status: WARN  ', r'\n  backends     0/2 up   2 down\n',
                         r'\n  protection   ON   \d+ s   all_backends_unavailable   stable 0/\d+\n',
                         r'\n  pool         main   no backend up\n'):
            self.assertRegex(text, expected)
        self.assertRegex(bal.cli('status', '--brief').stdout,
                         r'\AWARN up=0/2 down=2 cool=0 drain=0 maint=0 conns=0/\d+ prot=on cfg=1\n\Z')
        self.assertEqual(bal.status()['protection_mode'], {'enabled': True, 'reason': 'all_backends_unavailable'})

    def test_out_of_service(self):
        one = self.backend('one')
        bal = self.bal(rig.simple(rig.free_port(), [one.address]))
        bal.cli('backend', 'maint', one.address, '--yes', check=0)
        text = bal.cli('status', check=0).stdout
        self.assertRegex(text, r'\Abal status: WARN  (?s:.*)\n  backends     0/1 up   1 maint\n')
        self.assertIn('\n  pool         main   no backend up\n', text)
        bal.cli('backend', 'enable', one.address, check=0)
        self.assertTrue(bal.cli('status', check=0).stdout.startswith('bal status: OK  '))
        bal.cli('backend', 'weight', one.address, '0', '--yes', check=0)
        text = bal.cli('status', check=0).stdout
        self.assertTrue(text.startswith('bal status: WARN  '))
        self.assertIn('\n  pool         main   all that are up have weight 0\n', text)

    def test_too_many_clients(self):
        """Whoever may use the admin socket is answered there; others are told what is the matter."""
        bal = self.bal(rig.simple(rig.free_port(), [self.echo().address]))
        path = f'{bal.run}/status.sock'
        for _ in range(64):
            s = socket.socket(socket.AF_UNIX)
            self.addCleanup(s.close)
            s.connect(path)
            # busy for an hour: one that is idle would have to make room
            s.sendall(b'{"method":"io.bal.Status.Subscribe","more":true,"parameters":{"interval_ms":3600000}}\0')
            self.assertTrue(s.recv(1 << 20).endswith(b'\0'))  # nor may it leave unread what it is sent
        self.assertTrue(bal.cli('status', check=0).stdout.startswith('bal status: OK  '))
        self.assertEqual(bal.cli('sessions', check=0).stdout, 'no connections\n')
        # what would stay there for long does not go there
        self.assertIn('too many clients', bal.cli('events', '--follow', check=1).stderr)
        options = self.no_right()
        for directory in (self.dir, bal.dir, bal.run):
            os.chmod(directory, 0o755)
        os.chmod(path, 0o666)
        done = self.cli('status', '--socket', path, code=69, **options)
        self.assertIn(f'64 clients are connected to {path} already', done.stdout)
        self.assertIn('why_likely:    programs that ask for the status and do not hang up', done.stdout)
        self.error('status', '--socket', path, code=69, **options)
        # and the command that it names finds them
        if shutil.which('bash') and shutil.which('ss') and shutil.which('awk'):
            command = re.search(r'do_this_now:   who they are: (.*)', done.stdout)[1]
            said = subprocess.run(['bash', '-c', command], capture_output=True, text=True, timeout=20 * rig.SLOW,
                                  check=True).stdout
            self.assertGreaterEqual(said.count(f'pid={os.getpid()},'), 64)

    def test_fast(self):
        """200 backends in less than 20 ms: of the processor, since others use this machine, too."""
        port = rig.free_port()
        bal = self.bal(rig.simple(port, [f'127.0.0.1:{20000 + i}' for i in range(200)],
                                  head='health_check: { type: none }'))
        took, used = [], []
        for _ in range(10):
            start, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
            bal.cli('status', check=0)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            took.append(time.monotonic() - start)
            used.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        print(f'status of 200 backends: {min(took) * 1000:.1f} ms at best, {max(took) * 1000:.1f} at worst')
        self.assertLess(min(used), 0.02 * rig.SLOW)


class Live(StatusTest):
    def start_live(self, *args, **options):
        return self.start('live', [rig.BAL, 'status', *args], env=self.env, **options)

    def test_appended(self):
        self.daemon(trouble())
        live = self.start_live('--watch=0.2')
        rig.wait_until(lambda: live.output().count('next:') >= 3, 'three reports')
        live.send_signal(signal.SIGINT)
        self.assertEqual(live.wait(), -signal.SIGINT)
        reports = re.split(rf'(?m)^{TIME}\n', live.output())
        self.assertEqual(reports[0], '')
        self.assertGreaterEqual(len(reports), 4)
        self.assertTrue(all(r.startswith('bal status: WARN  ') for r in reports[1:]))
        self.assertNotIn('--watch', live.output())  # who looks on needs no hint how to
        self.assertNotIn('\x1b', live.output())

    def test_brief_lines(self):
        self.daemon(trouble())
        live = self.start_live('--follow', '--watch=200ms', '--brief')
        rig.wait_until(lambda: live.output().count('\n') >= 3, 'three lines')
        live.end()
        for line in live.output().splitlines()[:3]:
            self.assertRegex(line, rf'^{TIME} WARN up=1/7 .* prot=off cfg=17$')

    def test_ndjson(self):
        daemon = self.daemon(trouble())
        live = self.start_live('--follow', '--json', '--watch=0.1', '-c', self.valid())
        rig.wait_until(lambda: live.output().count('\n') >= 2, 'two documents')
        # the daemon goes, and comes back
        daemon.stop()
        rig.wait_until(lambda: '"NOT RUNNING"' in live.output(), 'its absence')
        n = live.output().count('\n')
        daemon.start()
        rig.wait_until(lambda: live.output().count('\n') >= n + 3, 'its return')
        live.end()
        docs = [json.loads(line) for line in live.output().splitlines()[:n + 3]]
        self.assertEqual({doc['kind'] for doc in docs}, {'bal.status'})
        self.assertTrue(docs[0]['running'] and docs[-1]['running'])
        self.assertEqual(docs[0]['backends'], trouble()['backends'])
        self.assertEqual({doc['running'] for doc in docs}, {True, False})
        times = [doc['time'] for doc in docs]
        self.assertEqual(times, sorted(times))

    def test_the_reader_goes_away(self):
        self.daemon(trouble())
        for args in (['--watch=60'], ['--follow', '--json', '--watch=60'], ['--watch=0.1']):
            read_end, write_end = os.pipe()
            live = self.start_live(*args, stdout=write_end)
            os.close(write_end)
            self.assertTrue(os.read(read_end, 10))
            os.close(read_end)
            self.assertEqual((live.wait(10), live.output()), (0, ''))

    def test_a_full_disk(self):
        self.daemon(trouble())
        with open('/dev/full', 'w', encoding='ascii') as full:
            live = self.start_live('--watch=0.1', stdout=full)
            self.assertEqual(live.wait(10), 1)
        self.assertIn('No space left on device', live.output())

    def test_who_may_not_ask(self):
        """Is told so once; what nobody can answer will not be answered later either."""
        self.daemon({'pid': 'x'})
        for args in (['--watch=0.1'], ['--follow', '--json']):
            done = self.cli('status', *args, code=69)
            self.assertIn('no valid answer', done.stdout)
        self.cli('status', '--watch=0.1', '--exit-code', code=4)
        options = self.no_right()
        os.chmod(self.run_dir, 0o755)
        os.chmod(f'{self.run_dir}/status.sock', 0o600)
        self.cli('status', '--watch=0.1', code=77, **options)
        self.error('status', '--follow', code=77, **options)

    def test_quiet_is_once(self):
        self.daemon(trouble())
        done = self.cli('status', '--watch', '-q')
        self.assertEqual(done.stdout + done.stderr, '')

    def test_trouble_in_the_middle(self):
        """A daemon that hangs for a while is shown, and does not end it."""
        daemon = self.daemon(trouble())
        live = self.start_live('--watch=0.1')
        rig.wait_until(lambda: live.output().count('WARN') >= 1, 'a report')
        daemon.answers['Get'] = {'pid': 'x'}
        rig.wait_until(lambda: 'UNKNOWN' in live.output(), 'the trouble')
        daemon.answers['Get'] = trouble()
        n = live.output().count('WARN')
        rig.wait_until(lambda: live.output().count('WARN') > n + 1, 'the end of it')
        self.assertTrue(live.alive())

    def test_redrawn(self):
        self.daemon(trouble())
        terminal = self.terminal('--watch=0.2')
        for _ in range(3):
            terminal.said = b''
            terminal.wait_for('next: bal doctor --only backend')
        terminal.write('\x03')
        self.assertEqual(terminal.wait(), -signal.SIGINT)

    def frames(self, terminal, n):
        terminal.wait_for(HOME.decode(), n + 1)
        return [frame.replace(CLEAR, b'') for frame in terminal.said.split(HOME)[1:n + 1]]

    def test_frames(self):
        self.daemon(trouble())
        for columns, rows in ((80, 24), (40, 12), (21, 6), (200, 60), (10, 3)):
            terminal = self.terminal('--watch=0.1', columns=columns, rows=rows)
            frames = self.frames(terminal, 3)
            self.assertEqual(terminal.said.count(CLEAR), 1)  # once, or it flickers
            for frame in frames:
                self.assertTrue(frame.endswith(b'\x1b[J'))
                lines = re.sub(r'\x1b\[[KJ]', '', frame.decode()).split('\r\n')
                self.assertEqual(lines.pop(), '')
                self.assertLessEqual(len(lines), rows - 1)
                self.assertTrue(all(scripted.cells(line) <= columns for line in lines), lines)
            if rows < 14:
                self.assertRegex(lines[-1], r'^\.\.\. and \d+ m' if columns > 12 else r'^\.\.\. and ')
            else:
                self.assertIn('next:', lines[-1])
            terminal.end()
            terminal.status = 0
            terminal.fd = os.open('/dev/null', os.O_RDONLY)

    def test_resized(self):
        self.daemon(trouble())
        terminal = self.terminal('--watch=60', columns=80, rows=24)
        terminal.wait_for('next:')
        terminal.wait_for('\x1b[J')
        terminal.said = b''
        terminal.resize(30, 8)  # no minute until it is noticed
        terminal.wait_for('... and ')
        lines = re.sub(r'\x1b\[[HKJ]', '', terminal.said.decode()).split('\r\n')
        self.assertTrue(all(scripted.cells(line) <= 30 for line in lines), lines)

    def test_no_screen_to_draw_on(self):
        self.daemon(trouble())
        for args, env in ((['--watch=0.1'], {'TERM': 'dumb'}), (['--watch=0.1'], {'TERM': ''}),
                          (['--follow', '--watch=0.1'], {}), (['--watch=0.1', '--json'], {})):
            terminal = self.terminal(*args, **env)
            terminal.wait_for('4242', 3)
            self.assertNotIn(b'\x1b', terminal.said)

    def test_the_terminal_goes_away(self):
        self.daemon(trouble())
        terminal = self.terminal('--watch=0.1')
        self.frames(terminal, 2)
        os.close(terminal.fd)
        terminal.fd = os.open('/dev/null', os.O_RDONLY)
        end = time.monotonic() + 10 * rig.SLOW
        while terminal.status is None:
            pid, status = os.waitpid(terminal.pid, os.WNOHANG)
            if pid:
                terminal.status = status
            self.assertLess(time.monotonic(), end, 'it lives on without a terminal')
            time.sleep(0.01)

    def test_on_a_real_emulator(self):
        """What stands on the screen of tmux is the newest report and nothing of older ones."""
        self.need('tmux')
        doc = trouble()
        daemon = self.daemon(doc)
        sock = os.path.join(self.dir, 'tmux')

        def tmux(*args):
            return subprocess.run(['tmux', '-S', sock, '-f', '/dev/null', *args], env=self.env, text=True, check=False,
                                  capture_output=True, timeout=20 * rig.SLOW, stdin=subprocess.DEVNULL)

        def screen():
            return tmux('capture-pane', '-p').stdout.splitlines()
        self.env.update(TERM='xterm', SHELL='/bin/sh', LC_ALL='C.UTF-8')
        done = tmux('-u', 'new-session', '-d', '-x', '62', '-y', '20', f'exec {rig.BAL} status --watch=0.2')
        self.assertEqual(done.returncode, 0, done.stderr)
        self.addCleanup(tmux, 'kill-server')
        rig.wait_until(lambda: any('next:' in line for line in screen()), 'the report')
        lines = screen()
        self.assertRegex(lines[0], r'^every 200ms, Ctrl-C ends   \d\d:\d\d:\d\dZ')
        self.assertTrue(lines[1].startswith('bal status: WARN  lb1.example'))
        # a line that fills the screen to its last column keeps the letter there
        self.assertEqual(lines[14], '  next: bal doctor --only backend')
        row = next(line for line in lines if 'DRAIN' in line and '37' in line)
        self.assertEqual(scripted.cells(row), 62)
        # fewer lines than before: nothing of the old ones stays
        doc = scripted.status([scripted.backend('web', '10.20.0.11:8080')])
        daemon.answers['Get'] = doc
        rig.wait_until(lambda: any('status: OK' in line for line in screen()), 'the next report')
        self.assertEqual([line for line in screen()[7:] if line.strip()], [])


class Stopped(StatusTest):
    def test_watch_without_a_daemon(self):
        web = self.backend('web')
        path = self.file(rig.simple(rig.free_port(), [web.address]))
        live = self.start('live', [rig.BAL, 'status', '--watch=0.1', '-c', path], env=self.env)
        rig.wait_until(lambda: live.output().count('1/1 reachable from here') >= 2, 'two reports')
        self.assertTrue(live.alive())

    def test_the_socket_of_somebody_else(self):
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(f'{self.run_dir}/status.sock')
        shutil.copy(self.valid(), f'{self.dir}/c.yaml')
        self.assertIn('left its socket behind', self.cli('status', '-c', f'{self.dir}/c.yaml').stdout)


if __name__ == '__main__':
    rig.main()
