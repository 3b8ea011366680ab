#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""bal-top on real terminals (tmux): a daemon that says what it is told, with 200 backends in all states, and the
real one. What the screen shows is read back and taken apart."""

import contextlib
import json
import os
import random
import re
import select
import signal
import subprocess
import sys
import termios
import threading
import time

import rig
import scripted

TOP = os.environ.get('BAL_TOP_BIN', '')
NON_BLOCKING = 'import os, sys; os.set_blocking(1, False); os.execv(sys.argv[1], sys.argv[1:])'


def many(n=200):
    """Backends in mixed states, the good ones first, as a file might have them."""
    backends = []
    for i in range(n - 12):
        pool, port = (('web', 8080), ('api', 8080), ('pg', 5432))[i % 3]
        backends.append(scripted.backend(pool, f'10.20.{i % 3}.{i // 3 + 1}:{port}', active_connections=400 - i,
                                         new_per_s=134.0 - i / 2, bytes_in=i * 1000, bytes_out=i * 7000,
                                         connections_total=10000 + i))
    refused = {'reason': 'refused', 'reason_text': 'refused (2 times in a row)', 'reachable': False}
    backends.append(scripted.backend('web', '10.20.0.201:8080', 'down', failed_per_s=0.4, **refused))
    backends.append(scripted.backend('web', '10.20.0.202:8080', 'down', failed_per_s=2.1, **refused))
    backends.append(scripted.backend('api', '10.20.1.203:8080', 'cool', reason='timeout', retry_in_ms=1500,
                                     active_connections=12, failed_per_s=0.2))
    backends.append(scripted.backend('web', '10.20.0.204:8080', 'drain', reason='admin', reason_text='set by an operator',
                                     active_connections=37))
    backends += [scripted.backend('web', f'10.20.0.{205 + i}:8080', 'maint', reason='admin') for i in range(8)]
    return backends


def history(parameters, backends):
    cells = parameters.get('cells', 12)
    series = [{'pool': b['pool'], 'name': b['name'], 'opened': [1] * cells,
               'active': [max(1, b['active_connections'] * (cells - i % 5) // cells) for i in range(cells)],
               'failed': [0] * cells, 'down_s': [0] * (cells - 2) + [5 if b['state'] == 'down' else 0] * 2}
              for b in backends if parameters.get('backend') in (None, b['name'])]
    total = {'opened': [5] * cells, 'active': [13000 + 100 * i for i in range(cells)], 'failed': [0] * cells,
             'down_s': [0] * cells}
    return {'cell_ms': 5000, 'total': total, 'backends': series}


class Live(scripted.Daemon):
    """Answers Subscribe and GetEvents again and again, as the daemon does. document: what Subscribe says; silent:
    accept calls and answer nothing."""

    def __init__(self, test, run_dir, document, moving=False, **answers):
        self.document, self.moving, self.events, self.silent = document, moving, [], False
        self.lock = threading.Lock()
        answers = {'GetHistory': lambda p: history(p, self.document['backends']),
                   'GetSessions': {'sessions': [], 'matched': 0, 'total': 0}, **answers}
        super().__init__(test, run_dir, **answers)

    def snapshot(self):
        with self.lock:
            if self.moving:
                for i, b in enumerate(self.document['backends']):
                    b['active_connections'] = max(0, b['active_connections'] + random.randint(-3, 3))
                    b['new_per_s'] = max(0.0, b['new_per_s'] + random.uniform(-3, 3))
                    b['bytes_in'] += random.randint(0, 4000000)
                    b['bytes_out'] += random.randint(0, 19000000)
                    b['check'] = {**b['check'], 'duration_ms': random.randint(1, 9)}
                self.document['active_connections'] += random.randint(-50, 50)
                self.document['rates']['new_per_s'] += random.uniform(-50, 50)
            return json.dumps({'parameters': self.document, 'continues': True}).encode() + b'\0'

    def serve(self, client):
        pending = b''
        with client, contextlib.suppress(OSError):
            while part := client.recv(65536):
                pending += part
                while b'\0' in pending:
                    call, _, pending = pending.partition(b'\0')
                    self.reply(client, json.loads(call))

    def reply(self, client, call):
        method, parameters = call['method'].rpartition('.')[2], call.get('parameters') or {}
        if self.silent:
            return
        if method == 'Subscribe':
            self.calls.append((method, parameters))
            while not self.silent:
                client.sendall(self.snapshot())
                time.sleep(parameters.get('interval_ms', 1000) / 1000)
        elif method == 'GetEvents':
            client.sendall(json.dumps({'parameters': {'events': self.events, 'missed': 0}, 'continues': True}).encode()
                           + b'\0')
        else:
            client.sendall(json.dumps(self.answer(call)).encode() + b'\0')


def event(number, pool, name, before, after, reason, level='WARN'):
    return {'number': number, 'timestamp': scripted.SINCE, 'level': level, 'message': f'backend {name} is {after}',
            'module': 'health', 'event': 'backend_state',
            'fields': {'pool': pool, 'backend': name, 'from': before, 'to': after, 'reason': reason}}


class Tmux:
    """A terminal of a given size, with what stands on it to be read."""

    def __init__(self, test, argv, env, columns, rows, term='tmux-256color'):
        self.socket = os.path.join(test.dir, f'tmux{len(test.terminals)}')
        self.base = ['tmux', '-S', self.socket, '-u', '-f', '/dev/null']
        command = ' '.join(['env', '-i', *(f"'{k}={v}'" for k, v in {'TERM': term, **env}.items()), *argv])
        test.terminals.append(self)
        subprocess.run([*self.base, 'new-session', '-d', '-x', str(columns), '-y', str(rows), command + '; sleep 100'],
                       check=True, timeout=20, env={'PATH': os.environ['PATH'], 'LANG': 'C.UTF-8', 'TERM': 'xterm'})
        test.addCleanup(self.end)

    def run(self, *argv):
        return subprocess.run([*self.base, *argv], check=True, timeout=20, capture_output=True, text=True,
                              encoding='utf-8').stdout

    def screen(self, *flags):
        return self.run('capture-pane', '-p', *flags).split('\n')[:-1]

    def keys(self, *names):
        self.run('send-keys', *names)

    def resize(self, columns, rows):
        self.run('resize-window', '-x', str(columns), '-y', str(rows))

    def wait_for(self, pattern, timeout=10.0):
        """The screen, when it has a line that fits, and does not change any more: a terminal may be
        looked at in the middle of a picture."""
        seen = []

        def there():
            before = list(seen)
            seen[:] = self.screen()
            return any(re.search(pattern, line) for line in seen) and seen[1:] == before[1:]
        try:
            rig.wait_until(there, pattern, timeout, 0.02)
        except AssertionError as e:
            raise AssertionError(f'{e}; there is:\n' + '\n'.join(seen)) from None
        return seen

    def end(self):
        with contextlib.suppress(subprocess.SubprocessError, OSError):
            self.run('kill-server')


class TopTest(rig.FlowTest):
    def setUp(self):
        super().setUp()
        self.need('tmux')
        self.terminals = []
        self.run_dir = os.path.join(self.dir, 'run')
        os.makedirs(self.run_dir, exist_ok=True)

    def env(self, **more):
        return {**{k: v for k, v in rig.clean_env(os.path.join(self.dir, 'report')).items() if 'SAN' in k},
                'RUNTIME_DIRECTORY': self.run_dir, 'HOME': self.dir, 'LANG': 'C.UTF-8', 'PATH': os.environ['PATH'],
                'TZ': 'UTC', **more}

    def daemon(self, backends=None, **more):
        return Live(self, self.run_dir, scripted.status(many() if backends is None else backends), **more)

    def top(self, columns, rows, *args, term='tmux-256color', **env):
        return Tmux(self, [TOP, *args], self.env(**env), columns, rows, term)


def rows_of(screen):
    return [line for line in screen if re.match(r'^[ >*]{0,3}\s*(DOWN|COOL|DRAIN|MAINT|UP)  *[0-9\[]\S*[:~]', line)]


class Screens(TopTest):
    def test_120x35(self):
        self.daemon().events = [event(1, 'web', '10.20.0.202:8080', 'up', 'down', 'refused')]
        t = self.top(120, 35)
        screen = t.wait_for(r'[\u2581-\u2588]{12}$')
        self.assertEqual(len(screen), 35)
        self.assertRegex(screen[0], r'^ bal-top 1\.0\.0  lb1\.example  pid 4242  up 3d04h  config #17 .* LIVE 1\.0s  ro  ')
        self.assertRegex(screen[1], r'^ Backends \[\|{37} {3}\] 188/200 up   2 down   1 cool   1 drain   8 maint')
        self.assertRegex(screen[2], r'^ Conns    \[\|{7} {33}\] 14210/80000 17%   new 4736/s')
        self.assertRegex(screen[6], r'^ T STATE BACKEND +POOL +W +ACT +PEAK CONN/S +IN/s OUT/s RTTms TMO/REF/OTH FAIL/s '
                                    r'CHK SINCE HIST 60s')
        rows = rows_of(screen)
        self.assertEqual(len(rows), 18)
        self.assertEqual([line.split()[1 if line[1] == '>' else 0] for line in rows[:13]],
                         ['DOWN'] * 2 + ['COOL', 'DRAIN'] + ['MAINT'] * 8 + ['UP'])
        self.assertIn('10.20.0.202:8080', rows[0])  # fails more often than the other
        self.assertRegex(rows[0], r'xx$')
        self.assertRegex(screen[25], r'^ -- 1-18 of 200, worst first -+$')
        self.assertRegex(screen[32], r'UP -> DOWN refused')
        self.assertRegex(screen[33], r'^ Filter: none   Sort: state\+fail/s   Tagged: 0   Socket: /')
        self.assertRegex(screen[34], r'^ \? Help  / Filter  s Sort .* q Quit$')

    def test_80x24(self):
        self.daemon()
        screen = self.top(80, 24).wait_for(r'HIST 60s')
        self.assertEqual(screen[5].split(), 'T STATE BACKEND ACT CONN/S RTTms FAIL/s CHK SINCE HIST 60s'.split())
        self.assertEqual(len(rows_of(screen)), 15)
        self.assertRegex(screen[21], r'^ 10\.20\.0\.202:8080 DOWN refused x0')
        self.assertRegex(screen[23], r'^ \?Help /Filter sSort EnterMore SpcTag dDrain xMaint eEnable pPause qQuit$')

    def test_40x12(self):
        self.daemon()
        screen = self.top(40, 12).wait_for(r'HIST')
        self.assertRegex(screen[0], r'^ lb1\.example  LIVE 1s   \d\d:\d\d:\d\d')
        self.assertRegex(screen[1], r'^ UP 188/200  DN 2 CL 1 DR 1 MT 8')
        self.assertEqual(screen[4].split(), ['STATE', 'BACKEND', 'ACT', 'ERR', 'HIST'])
        self.assertEqual(len(rows_of(screen)), 6)
        self.assertRegex(screen[11], r'^ \?Help /Find sSort dDrain eEnable qQuit$')


class Keys(TopTest):
    def test_help_sort_filter_detail(self):
        d = self.daemon()
        d.events = [event(1, 'web', '10.20.0.202:8080', 'up', 'down', 'refused')]
        t = self.top(120, 40)
        t.wait_for('HIST 60s')
        t.keys('?')
        t.wait_for(r'^ q F10 Ctrl-c +quit')
        t.keys('Escape')
        t.wait_for('HIST 60s')
        t.keys('/', *'pool:pg')
        rows = rows_of(t.wait_for(r'Filter: pool:pg'))
        self.assertTrue(rows and all(' pg ' in row for row in rows))
        t.keys('Escape')
        t.wait_for(r'Filter: none')
        time.sleep(0.1)
        t.keys('s')
        t.wait_for(r'Sort: name')
        t.keys('S')
        t.wait_for('Sort backends by')
        t.keys('j', 'j', 'Enter')
        t.wait_for(r'Sort: connections')
        t.keys('I')
        t.wait_for(r'Sort: connections inverted')
        t.keys('I', 'S', 'k', 'k', 'k', 'Enter', 'g', 'Enter')
        t.wait_for(r'why_likely +nothing listens there')
        t.wait_for(r'history 10m')
        t.wait_for(r'events +12:00:00 UP -> DOWN refused')
        self.assertIn(('GetHistory', {'pool': 'web', 'backend': '10.20.0.202:8080', 'cells': 120}), d.calls)
        t.keys('Enter', '2')
        t.wait_for('FRONTEND +LISTEN')
        t.keys('Tab')
        t.wait_for('12:00:00 +WARN +web +10.20.0.202:8080 +UP -> DOWN refused')
        t.keys('4')
        t.wait_for('CLIENT +BACKEND')
        self.assertIn(('GetSessions', {'sort': 'age', 'limit': 200}), d.calls)
        t.keys('q')
        self.ended(t)

    def ended(self, t):
        rig.wait_until(lambda: t.run('list-panes', '-F', '#{pane_current_command}').strip() == 'sleep', 'the end')

    def test_no_f_key_acts(self):
        d = self.daemon()
        t = self.top(80, 24, '--admin')
        t.wait_for('LIVE 1.0s admin')
        for n in range(1, 10):
            t.keys(f'F{n}')
            t.keys('Escape')
            time.sleep(0.06)
        self.assertFalse([c for c in d.calls if c[0].startswith('Set')])
        time.sleep(1.1)
        t.keys('F10')
        self.ended(t)

    def test_escape_and_a_digit_quit(self):
        self.daemon()
        t = self.top(80, 24)
        t.wait_for('LIVE')
        t.keys('Escape')
        time.sleep(0.2)
        t.keys('0')
        self.ended(t)

    def test_selection_stays_with_the_backend(self):
        d = self.daemon()
        t = self.top(120, 35)
        t.wait_for('LIVE')
        t.keys('j')
        t.wait_for(r'^ > DOWN  10\.20\.0\.201:8080')
        with d.lock:
            next(b for b in d.document['backends'] if b['name'] == '10.20.0.201:8080')['failed_per_s'] = 99.0
        screen = t.wait_for(r'^ > DOWN  10\.20\.0\.201:8080 .* 99 ')
        self.assertIn('10.20.0.201', rows_of(screen)[0])


class Link(TopTest):
    def test_daemon_comes_goes_and_comes(self):
        t = self.top(100, 30, '--admin')
        screen = t.wait_for('WAITING')
        self.assertIn(f'{self.run_dir}/status.sock: No such file or directory', '\n'.join(screen))
        d = self.daemon()
        t.wait_for(r'LIVE 1\.0s  admin', timeout=1.5)
        t.wait_for('10.20.0.202:8080')
        d.stop()
        screen = t.wait_for(r'RECONNECTING \d+s \(retry .*data from \d\d:\d\d:\d\d  read-only')
        self.assertEqual(len(rows_of(screen)), len(rows_of(t.screen())))
        self.assertTrue(rows_of(screen))  # the last data stay
        t.keys('d')
        t.wait_for('no actions unless LIVE')
        d.document = {**d.document, 'pid': 4343, 'config_number': 18}
        back = time.monotonic()
        d.start()
        t.wait_for(r'LIVE 1\.0s')
        self.assertLess(time.monotonic() - back, 1.5 * rig.SLOW)
        t.wait_for('bal was restarted: pid 4242 -> 4343, configuration #18')
        self.assertFalse([c for c in d.calls if c[0].startswith('Set')])

    def test_stale(self):
        d = self.daemon()
        t = self.top(100, 30, '--interval=0.2')
        t.wait_for('LIVE 0.2s')
        d.silent = True
        t.wait_for(r'STALE \d+s')

    def test_pause(self):
        d = self.daemon(moving=True)
        t = self.top(80, 24)
        t.wait_for('LIVE')
        t.keys('p')
        first = t.wait_for('PAUSED')
        time.sleep(1.3)
        self.assertEqual(t.screen(), first)
        asked = len([c for c in d.calls if c[0] == 'Subscribe'])
        t.keys('r')
        rig.wait_until(lambda: len([c for c in d.calls if c[0] == 'Subscribe']) > asked, 'one sample')
        t.wait_for('PAUSED')
        t.keys('p')
        t.wait_for('LIVE 1.0s')

    def test_no_right(self):
        if os.geteuid() != 0:
            self.skipTest('needs root, to become somebody who has no right')
        self.daemon()
        os.chmod(os.path.join(self.run_dir, 'status.sock'), 0o600)
        os.chmod(self.run_dir, 0o755)
        nobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']
        done = subprocess.run([*nobody, TOP, '--once'], env=self.env(), capture_output=True, text=True, timeout=20)
        self.assertEqual(done.returncode, 77)
        self.assertIn('sudo usermod -aG bal nobody', done.stderr)
        os.chmod(os.path.join(self.run_dir, 'status.sock'), 0o666)
        os.chmod(os.path.join(self.run_dir, 'admin.sock'), 0o600)
        t = Tmux(self, [*nobody, TOP], self.env(), 100, 24)
        t.wait_for('LIVE')
        t.keys('a')
        t.wait_for('read-only: needs group bal-admin .sudo usermod -aG bal-admin nobody')


class Actions(TopTest):
    """With the real daemon and real servers."""

    def setUp(self):
        super().setUp()
        self.servers = [self.backend(f'b{i}') for i in range(4)]
        self.port = rig.free_port()
        self.real = self.bal(rig.simple(self.port, [s.address for s in self.servers],
                                        runtime={'health_check_interval_ms': 200}))
        self.names = sorted(s.address for s in self.servers)

    def real_top(self, columns, rows, *args):
        return Tmux(self, [TOP, *args], self.env(RUNTIME_DIRECTORY=self.real.run), columns, rows)

    def state(self, name):
        backends = self.real.call('io.bal.Status.Get')['parameters']['backends']
        return next(b for b in backends if b['name'] == name)

    def test_drain_weight_enable(self):
        t = self.real_top(120, 35, '--admin')
        t.wait_for('4/4 up')
        t.wait_for('LIVE 1.0s  admin')
        t.keys('/', *self.names[0], 'Enter')
        t.wait_for(f'Filter: {self.names[0]}')
        t.keys('d')
        t.wait_for(r'Drain ' + self.names[0] + r'\? 0 connections stay until they close\. \[y/N\]')
        t.keys('Enter')  # No
        t.wait_for('q Quit')
        self.assertEqual(self.state(self.names[0])['state'], 'up')
        t.keys('d', 'y')
        t.wait_for(r'ok .* drained ' + self.names[0] + r' by \w+ \(undo: e\)')
        self.assertEqual(self.state(self.names[0])['state'], 'drain')
        t.wait_for('DRAIN ' + self.names[0])
        t.keys('e', 'y')
        t.wait_for(r'ok .* enabled ')
        t.keys('w', '7', 'Enter', 'y')
        t.wait_for(r'ok .* weight set of ')
        self.assertEqual(self.state(self.names[0])['weight'], 7)
        self.assertEqual(self.state(self.names[0])['state'], 'up')

    def test_the_pool_has_to_be_named(self):
        pool = self.state(self.names[0])['pool']
        t = self.real_top(120, 35, '--admin')
        t.wait_for('LIVE 1.0s  admin')
        t.keys('Space', 'Space', 'Space', 'x')
        t.wait_for(f"DANGER pool '{pool}' keeps 1 of 4 backends. Type {pool} to go on, Esc to stop:")
        t.keys('y', 'Enter')
        t.wait_for("not the pool's name")
        self.assertEqual({self.state(n)['state'] for n in self.names}, {'up'})
        t.keys('x', *pool, 'Enter')
        t.wait_for('ok .* in maintenance 3 backends')
        self.assertEqual(sorted(self.state(n)['state'] for n in self.names), ['maint'] * 3 + ['up'])

    def test_read_only(self):
        t = self.real_top(100, 30)
        t.wait_for('LIVE 1.0s  ro')
        t.keys('d')
        t.wait_for('read-only: press a for admin first')
        t.keys('a')
        t.wait_for('LIVE 1.0s  admin')

    def test_sessions_and_events(self):
        held = rig.connect(self.port)
        self.addCleanup(held.close)
        t = self.real_top(120, 35)
        t.wait_for('LIVE')
        t.keys('4')
        t.wait_for(r'127\.0\.0\.1:' + str(held.getsockname()[1]))
        t.keys('3')
        self.servers[0].end()
        t.wait_for(r'UP -> (DOWN|COOL) refused')
        t.keys('1')
        t.wait_for(r'DOWN +' + self.servers[0].address)

    def test_bal_top(self):
        done = self.real.cli('top', '--', '--once')
        self.assertEqual(done.returncode, 0)
        self.assertIn('4/4 up', done.stdout)


class Terminals(TopTest):
    def test_locales_and_terms(self):
        self.daemon(many() + [scripted.backend('web', scripted.HANGUL, 'down', failed_per_s=50.0)])
        for locale, term, strip, name in (('C', 'tmux-256color', r'[_.=+*#@-]{10}', '????????.example:8080'),
                                          ('C.UTF-8', 'vt100', r'[\u2581-\u2588]{10}', scripted.HANGUL),
                                          ('ko_KR.UTF-8', 'tmux-256color', r'[\u28c0-\u28ff]{10}', scripted.HANGUL),
                                          ('C.UTF-8', 'linux', r'[_.=+*#@-]{10}', scripted.HANGUL)):
            with self.subTest(locale=locale, term=term):
                t = self.top(80, 24, term=term, LANG=locale, LC_ALL=locale)
                screen = t.wait_for(strip + '(xx)?$')
                row = next(line for line in screen if name[-8:] in line and '.example' in line)
                self.assertIn(name, row)
                self.assertEqual({scripted.cells(line) for line in rows_of(screen)[3:9]}, {79})

    def test_unknown_terminals(self):
        self.daemon()
        for term, used in (('xterm-nosuch', 'xterm-256color'), ('nosuch', 'vt100')):
            t = self.top(80, 24, term=term)
            t.wait_for(f'TERM={term} is not known here, {used} is used')
            t.wait_for(r'> DOWN  10\.20\.0\.202:8080')

    def test_colour(self):
        self.daemon()
        t = self.top(80, 24)
        t.wait_for('LIVE')
        self.assertRegex('\n'.join(t.screen('-e')), r'\x1b\[[0-9;]*31m')
        t = self.top(80, 24, NO_COLOR='1')
        t.wait_for('LIVE')
        self.assertNotRegex('\n'.join(t.screen('-e')), r'\x1b\[[0-9;]*3[0-7]m')

    def test_dumb_and_pipes(self):
        d = self.daemon()
        dumb = scripted.Terminal(self, [TOP], self.env(TERM='dumb'))
        self.assertEqual(dumb.wait(), 0)
        self.assertNotIn(b'\x1b', dumb.said)
        self.assertIn(b'188/200 up', dumb.said)
        self.assertEqual(self.batch().returncode, 0)
        once = self.batch('--once')
        self.assertEqual(len(rows_of(once.stdout.split('\n'))), 200)
        self.assertEqual(self.batch('-b', '-n', '2', '-d', '0.2').stdout.count('Backends ['), 2)
        lines = self.batch('--json', '-n', '3', '--interval=0.2').stdout.splitlines()
        self.assertEqual([json.loads(line)['kind'] for line in lines], ['bal.status'] * 3)
        stat = self.batch('--stat', '-n', '21', '--interval=0.2').stdout.splitlines()
        self.assertEqual(len(stat), 23)
        self.assertEqual(stat[0].split()[:3], ['TIME', 'UP', 'DOWN'])
        self.assertEqual(stat[0], stat[21])
        plain = self.batch('--plain', '-n', '1').stdout
        self.assertIn('188 of 200 backends up, 2 down', plain)
        self.assertIn('10.20.0.202:8080 in pool web is DOWN: refused (2 times in a row).', plain)
        d.stop()
        gone = self.batch('--once')
        self.assertEqual((gone.returncode, gone.stdout), (69, ''))
        self.assertEqual(self.batch('--onec').returncode, 64)

    def batch(self, *args):
        return subprocess.run([TOP, *args], env=self.env(TERM='xterm'), stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=30 * rig.SLOW)

    def test_the_terminal_stops(self):
        """As after Ctrl-S; with a neighbour that left it non-blocking curses would try without a pause."""
        self.daemon(moving=True)
        for non_blocking in (False, True):
            argv = [sys.executable, '-c', NON_BLOCKING, TOP] if non_blocking else [TOP]
            t = scripted.Terminal(self, argv, self.env(TERM='xterm'))
            t.wait_for('HIST')
            tty = os.open(os.readlink(f'/proc/{t.pid}/fd/1'), os.O_RDWR | os.O_NOCTTY)
            termios.tcflow(tty, termios.TCOOFF)
            os.close(tty)
            time.sleep(1.5)
            os.kill(t.pid, signal.SIGTERM)
            self.assertEqual(t.wait(), 0, non_blocking)

    def test_the_terminal_goes(self):
        self.daemon()
        for how in ('close', 'hangup', 'term'):
            t = scripted.Terminal(self, [TOP], self.env(TERM='xterm'))
            t.wait_for('HIST')
            if how == 'close':
                os.close(t.fd)
                t.fd = os.open('/dev/null', os.O_RDONLY)
            else:
                os.kill(t.pid, signal.SIGHUP if how == 'hangup' else signal.SIGTERM)
            end = time.monotonic() + 3 * rig.SLOW
            pid = 0
            while not pid and time.monotonic() < end:
                if how != 'close':
                    t.read(0)
                pid, t.status = os.waitpid(t.pid, os.WNOHANG)
                time.sleep(0.01)
            self.assertTrue(pid, f'{how}: it lives')
            self.assertEqual(os.waitstatus_to_exitcode(t.status), 0, how)
            if how == 'term':
                t.read(0.1)
                self.assertIn(b'\x1b[?1049l', t.said)  # the screen from before is back

    def test_any_size_and_any_key(self):
        """Whatever sizes and keys come, it goes on, and ends with 0 and no report of a sanitizer."""
        self.daemon(moving=True)
        dice = random.Random(7)
        keys = ['j', 'k', 'g', 'G', 'n', 'N', 's', 'S', 'I', '/', 'a', 'b', '|', '!', ' ', 'u', 'd', 'x', 'e', 'w', '5',
                '\r', '\x1b', '\t', '1', '2', '3', '4', '?', 'p', '+', '-', 'r', '\x0c', 'm', 'y', 'a', '\x1b[A',
                '\x1b[B', '\x1b[5~', '\x1b[6~', '\x1bOP', '\ud55c', '\x7f', '\x1b[C', '\x1b[D', '\x1b[Z']
        t = scripted.Terminal(self, [TOP, '--admin', '-d', '0.2'], self.env(TERM='xterm-256color'))
        t.wait_for('HIST')
        for _ in range(2000 if rig.FULL or rig.SANITIZE != 'none' else 400):
            t.resize(dice.randint(1, 300), dice.randint(1, 100))
            t.write(''.join(dice.choice(keys) for _ in range(dice.randint(0, 3))))
            self.assertTrue(t.read(0), 'it is gone')
            while select.select([t.fd], [], [], 0.001)[0]:
                self.assertTrue(t.read(0), 'it is gone')
        t.write('\x03')
        self.assertEqual(t.wait(), 0)


if __name__ == '__main__':
    rig.main()
