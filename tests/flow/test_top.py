#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""bal-top on real terminals (tmux): a daemon that says what it is told, with 200 backends in all states, and the
real one. What the screen shows is read back and taken apart."""

import contextlib
import json
import os
import random
import re
import subprocess
import threading
import time

import rig
import scripted

TOP = os.environ.get('BAL_TOP_BIN', '')


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
        """The screen, when it has a line that fits."""
        seen = []

        def there():
            seen[:] = self.screen()
            return any(re.search(pattern, line) for line in seen)
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


if __name__ == '__main__':
    rig.main()
