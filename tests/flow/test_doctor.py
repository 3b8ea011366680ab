#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""bal doctor: silent on a machine that is well, and one fault put in for each finding."""

import contextlib
import json
import os
import re
import resource
import signal
import socket
import subprocess
import tempfile
import threading
import time

import rig

WHY_NOT = None  # no network of our own
ETC = None
NAMES = ['config', 'pid', 'bind', 'backend', 'daemon', 'fds', 'conntrack', 'dns', 'protection', 'waiting', 'sockets',
         'backlog', 'ports', 'metrics', 'log', 'unit', 'version']
ALL = len(NAMES)
KEYS = ['name', 'level', 'summary', 'hint', 'what_happened', 'why_likely', 'do_this_now', 'duration_ms']
FEW = {'max_concurrent_connections': 100}  # what 20000 descriptors carry, whatever machine this is
FAST = {**FEW, 'health_check_interval_ms': 100, 'health_check_timeout_ms': 200, 'health_check_fail_threshold': 1}
WORST_S = 3.0


class Doctor(rig.FlowTest):
    def setUp(self):
        super().setUp()
        self.port = rig.free_port()

    def servers(self, n=2):
        return [self.backend(f's{i}').address for i in range(n)]

    def bal(self, config=None, *args, **options):
        if config is None:
            config = rig.simple(self.port, self.servers(), runtime=FEW)
        return super().bal(config, *args, **options)

    def stage(self, config):
        """A place for a daemon that does not run."""
        bal = super().bal(config, command=['true'], wait=False)
        bal.popen.wait(10)
        bal.pid = None
        return bal

    def hold_still(self, bal):
        """Stopped, every thread of it, when this returns."""
        bal.kill(signal.SIGSTOP)

        def states():
            for tid in os.listdir(f'/proc/{bal.pid}/task'):
                with open(f'/proc/{bal.pid}/task/{tid}/stat', encoding='ascii') as f:
                    yield f.read().rsplit(')', 1)[1].split()[0]
        rig.wait_until(lambda: set(states()) == {'T'}, 'bal to stand still')

    def look(self, bal, *args, code=0, socket_path=None):
        """What doctor --json reports, with its checks by name."""
        where = ['--socket', socket_path] if socket_path else []
        start = time.monotonic()
        done = bal.cli('doctor', '--json', '-c', bal.config_path, *where, *args, check=code)
        self.assertLess(time.monotonic() - start, WORST_S * rig.SLOW)
        doc = json.loads(done.stdout)
        self.assertEqual((doc['format_version'], doc['kind']), ('1.0', 'bal.doctor'))
        levels = [check['level'] for check in doc['checks']]
        self.assertEqual(doc['counts'], {level: levels.count(level) for level in ('critical', 'warn', 'ok')})
        for check in doc['checks']:
            self.assertEqual(list(check), KEYS)
            self.assertEqual(check['hint'], check['do_this_now'])
            if check['level'] != 'ok':
                self.assertTrue(check['do_this_now'], check)
                self.assertTrue(check['what_happened'] or check['why_likely'], check)
        doc['by'] = {check['name']: check for check in doc['checks']}
        return doc

    def trouble(self, doc):
        return {check['name']: check['level'] for check in doc['checks'] if check['level'] != 'ok'}

    def assert_well(self, bal, *args):
        doc = self.look(bal, *args)
        self.assertEqual(self.trouble(doc), {}, doc)
        self.assertEqual(doc['verdict'], 'OK')
        return doc

    def finds(self, bal, name, level, summary, *args, code=None, **how):
        """The finding, whose summary fits, and no other finding of that level or a worse one."""
        code = (1 if level == 'critical' else 0) if code is None else code
        doc = self.look(bal, *args, code=code, **how)
        check = doc['by'][name]
        self.assertEqual(check['level'], level, doc)
        self.assertRegex(check['summary'], summary)
        return check, doc


class Well(Doctor):
    def test_silent(self):
        bal = self.bal()
        doc = self.assert_well(bal, '--strict')
        self.assertEqual([check['name'] for check in doc['checks']], NAMES)
        self.assertEqual(doc['protection_mode'], {'enabled': False, 'reason': None})
        self.assertEqual(doc['counts'], {'critical': 0, 'warn': 0, 'ok': ALL})
        self.assertIn(f'pid {bal.pid} answers in', doc['by']['daemon']['summary'])
        self.assertEqual(doc['by']['bind']['summary'], f'127.0.0.1:{self.port} is owned by pid {bal.pid}')
        self.assertEqual(doc['by']['backend']['summary'], '2 of 2 reachable')
        self.assertIn('in force as #1', doc['by']['config']['summary'])
        self.assertEqual(bal.cli('doctor', '-q', check=0).stdout, '')

    def test_silent_with_everything(self):
        """Two frontends, three families, names, traffic, a reload before."""
        other, unix = rig.free_port(), f'{self.dir}/front.sock'
        web = self.backend('web')
        servers = [web.address, f'localhost:{web.address.rsplit(":", 1)[1]}']
        document = json.loads(rig.document(rig.pool('web', self.port, servers), rig.pool('db', other, servers),
                                           max_connections=500, metrics={'enabled': False}))
        document['frontends'][1]['listen'] = [f'127.0.0.1:{other}', f'[::1]:{other}', f'unix:{unix}']
        bal = self.bal(json.dumps(document))
        visitors = self.visit(self.port, rate=100)
        self.assert_well(bal)
        document['frontends'][0]['algorithm'] = 'random'
        bal.reload(json.dumps(document))
        doc = self.assert_well(bal)
        self.assertIn('in force as #2', doc['by']['config']['summary'])
        self.assertRegex(doc['by']['bind']['summary'], f'and others are owned by pid {bal.pid}')
        self.assertRegex(doc['by']['dns']['summary'], '^1 name found')
        self.assertEqual({visit.outcome for visit in visitors.end_visits()}, {'answered'})

    def test_all_addresses(self):
        """0.0.0.0 and :: on one port each, with sessions open."""
        bal = self.bal(rig.simple(self.port, [self.echo().address], head='bind_address: "::"', runtime=FEW))
        held = self.hold(self.port, 20)
        self.assert_well(bal)
        self.assertEqual(held.ping(), 20)

    def test_screen(self):
        bal = self.bal()
        text = bal.cli('doctor', check=0).stdout
        lines = text.splitlines()
        self.assertRegex(lines[0], fr'^bal doctor  \S+  \d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\dZ  {ALL} checks$')
        rows = lines[1:lines.index('') - 1]
        self.assertEqual([row.split()[1] for row in rows], ['config', 'daemon', 'bind', 'fds', 'backend', 'protection'])
        for row in rows:
            self.assertRegex(row, r'^  OK       [a-z]+ {1,10}\S')
            self.assertEqual((row[22], row[23] == ' '), (' ', False), row)
        self.assertEqual(lines[-4], f'  + {ALL - 6} more OK (bal doctor --verbose)')
        self.assertRegex(lines[-2], fr'^bal doctor: OK: 0 critical, 0 warnings, {ALL} ok in \d\.\d\d s$')
        self.assertEqual(lines[-1], '  next: bal status')
        verbose = bal.cli('doctor', '--verbose', check=0).stdout
        self.assertEqual(sorted(row.split()[1] for row in verbose.splitlines()[1:1 + ALL]), sorted(NAMES))
        self.assertNotIn('\033', text)
        self.assertIn('\033[32mOK\033[0m', bal.cli('doctor', '--color=always', check=0).stdout)
        self.assertEqual(bal.cli('doctor', '--brief', check=0).stdout, f'OK {ALL}\n')

    def test_plugin(self):
        bal = self.bal()
        line = bal.cli('doctor', '--plugin', check=0).stdout
        self.assertRegex(line, fr'^BAL OK: 0 critical, 0 warnings, {ALL} ok \| critical=0 warnings=0 time=[\d.]+s .*\n$')
        for number in line.partition('| ')[2].split():
            self.assertRegex(number, r"^[a-z_]+=[\d.]+[a-z%]*(;[\d.]*){0,4}$")
        self.assertIn('backends_reachable=2;;;0;2', line)
        self.assertRegex(line, r' fds=\d+;\d+;\d+;0;\d+')

    def test_changes_nothing(self):
        bal = self.bal()

        def state():
            seen = {}
            for folder, _, files in os.walk(self.dir):
                for name in [*files, '.']:
                    st = os.lstat(os.path.join(folder, name))
                    seen[folder, name] = (st.st_ino, st.st_size, st.st_mtime_ns, st.st_ctime_ns, st.st_mode)
            return {key: value for key, value in seen.items() if not key[1].endswith(('.out', 'stderr'))}
        before, events = state(), len(bal.log())
        self.assert_well(bal)
        self.assertEqual(state(), before)
        self.assertEqual(len(bal.log()), events)
        self.assertEqual(bal.get()['connections_total'], 0)

    def test_first_row_comes_at_once(self):
        bal = self.bal(rig.simple(self.port, [self.backend('s').address, rig.blackhole(self)], runtime=FEW))
        doctor = subprocess.Popen([rig.BAL, 'doctor', '--color=never'], env=bal.env, stdout=subprocess.PIPE, text=True)
        start = time.monotonic()
        times, lines = [], []
        for line in doctor.stdout:
            times.append(time.monotonic() - start)
            lines.append(line)
        doctor.stdout.close()
        self.assertEqual(doctor.wait(10), 0)
        print(f'head after {times[0] * 1000:.0f} ms, first row after {times[1] * 1000:.0f} ms, '
              f'all after {times[-1] * 1000:.0f} ms')
        self.assertTrue(lines[1].startswith('  OK       config'), lines)
        self.assertLess(times[1], 0.1 * rig.SLOW + 0.1)
        self.assertLess(times[-1], 1.3 * rig.SLOW)


class Asking(Doctor):
    def test_only_and_skip(self):
        bal = self.bal()
        self.assertEqual([c['name'] for c in self.look(bal, '--only', 'bind,config')['checks']], ['config', 'bind'])
        doc = self.look(bal, '--only=fds', '--only', 'dns,fds')
        self.assertEqual([c['name'] for c in doc['checks']], ['fds', 'dns'])
        doc = self.look(bal, '--skip', 'unit,metrics,log', '--skip=version')
        self.assertEqual([c['name'] for c in doc['checks']], NAMES[:13])
        self.assertEqual([c['name'] for c in self.look(bal, '--only', 'pid,dns', '--skip', 'dns')['checks']], ['pid'])

    def test_misused(self):
        bal = self.stage(rig.simple(self.port, ['127.0.0.1:1'], runtime=FEW))
        for args, said in ((['--only', 'conntrak'], "unknown check 'conntrak'; did you mean 'conntrack'?"),
                           (['--skip', 'fds,zzzz'], "unknown check 'zzzz'; there are: config, pid, bind"),
                           (['--only', 'fds', '--skip', 'fds'], 'no check is left'),
                           (['--backend', '127.0.0.1:2'], "no backend '127.0.0.1:2'; did you mean"),
                           (['--plugin', '--json'], 'exclude each other'),
                           (['--only'], "option '--only' needs a value"),
                           (['--pluggin'], "did you mean '--plugin'?")):
            done = bal.cli('doctor', '-c', bal.config_path, *args, check=64)
            self.assertIn(said, done.stdout + done.stderr)

    def test_no_file(self):
        bal = self.stage(None)
        done = bal.cli('doctor', check=66)
        self.assertRegex(done.stderr, 'no configuration file: neither')
        self.assertEqual(done.stdout, '')
        doc = json.loads(bal.cli('doctor', '--json', '-c', '/nonexistent.yaml', check=66).stdout)
        self.assertEqual((doc['kind'], doc['code']), ('bal.error', 66))
        self.assertRegex(bal.cli('doctor', '--plugin', check=3).stdout, '^BAL UNKNOWN: no configuration file')
        self.assertEqual(len(self.look(bal, '--only', 'conntrack,version')['checks']), 2)

    def look_without(self, bal):
        return json.loads(bal.cli('doctor', '--json', check=0).stdout)

    def test_the_file_of_the_daemon(self):
        """Without -c it is the one that the daemon names, wherever it lies; and one that is gone is found."""
        bal = self.bal()
        doc = self.look_without(bal)
        self.assertIn(bal.config_path, doc['checks'][0]['summary'])
        os.rename(bal.config_path, bal.config_path + '.away')
        doc = json.loads(bal.cli('doctor', '--json', check=1).stdout)
        self.assertEqual(doc['checks'][0]['level'], 'critical')
        self.assertIn('that the daemon runs with', doc['checks'][0]['what_happened'])
        os.rename(bal.config_path + '.away', bal.config_path)

    def test_one_backend(self):
        good, bad = self.backend('s').address, f'127.0.0.1:{rig.free_port()}'
        bal = self.bal(rig.simple(self.port, [good, bad], runtime=FEW))
        doc = self.look(bal, '--backend', good)
        self.assertEqual([c['name'] for c in doc['checks']], ['config', 'backend', 'dns'])
        self.assertEqual(doc['by']['backend']['summary'], '1 of 1 reachable')
        doc = self.look(bal, '--backend', f'main/{bad}', '--only', 'backend')
        self.assertEqual(doc['by']['backend']['level'], 'warn')
        self.assertIn(f'{bad} refused', doc['by']['backend']['what_happened'])


class File(Doctor):
    def test_broken(self):
        bal = self.bal()
        bal.write(rig.simple(self.port, ['127.0.0.1:1'], head='prot: 1\nmethod: "rond_robin"'))
        check, doc = self.finds(bal, 'config', 'critical', '2 errors in ')
        self.assertIn('line', check['what_happened'])
        self.assertEqual(check['do_this_now'], f'bal check -c {bal.config_path}')
        for name in ('bind', 'backend', 'dns', 'backlog', 'ports', 'metrics'):
            self.assertEqual(doc['by'][name]['summary'], 'skipped: the configuration has errors')
        self.assertEqual(self.trouble(doc), {'config': 'critical'})
        self.assertEqual(doc['by']['daemon']['level'], 'ok')
        check, _ = self.finds(bal, 'backend', 'warn', 'not checked: the configuration has errors', '--only', 'backend')
        self.assertIn('--only config', check['do_this_now'])

    def test_changed(self):
        servers = self.servers()
        bal = self.bal(rig.simple(self.port, servers, runtime=FEW))
        time.sleep(0.05)
        bal.write(rig.simple(self.port, servers[:1], runtime=FEW))
        check, _ = self.finds(bal, 'config', 'warn', r'was changed after the daemon had read it \(#1\)')
        self.assertIn('bal graceful', check['do_this_now'])
        self.assertEqual(bal.cli('doctor', '--strict', '-q').returncode, 1)
        bal.cli('graceful', check=0)
        self.assert_well(bal)

    def test_changed_to_an_older_one(self):
        """A file that was put there with its old date."""
        servers = self.servers()
        bal = self.bal(rig.simple(self.port, servers, runtime=FEW))
        time.sleep(0.05)
        with open(bal.config_path + '.old', 'w', encoding='utf-8') as f:
            f.write(rig.simple(self.port, servers[:1], runtime=FEW))
        os.utime(bal.config_path + '.old', (1700000000, 1700000000))
        os.rename(bal.config_path + '.old', bal.config_path)
        self.finds(bal, 'config', 'warn', 'was changed after')

    def test_only_touched(self):
        bal = self.bal()
        time.sleep(0.05)
        os.utime(bal.config_path)
        self.assert_well(bal)
        self.assertEqual(bal.get()['config_number'], 1)

    def test_not_for_this_user(self):
        if os.geteuid() != 0:
            self.skipTest('needs to become another user')
        bal = self.bal()
        os.chmod(bal.dir, 0o755)
        os.chmod(bal.run, 0o755)
        os.chmod(bal.config_path, 0o600)
        argv = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', rig.BAL, 'doctor', '--json', '-c',
                bal.config_path]
        readable = subprocess.run(['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', 'test', '-x', rig.BAL],
                                  check=False).returncode == 0
        if not readable:
            self.skipTest(f'nobody may not run {rig.BAL}')
        os.makedirs(f'{self.dir}/reports', mode=0o777)
        os.chmod(f'{self.dir}/reports', 0o777)
        env = {**bal.env, **rig.clean_env(f'{self.dir}/reports/r'), 'RUNTIME_DIRECTORY': bal.run}
        done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=30 * rig.SLOW, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        by = {check['name']: check for check in json.loads(done.stdout)['checks']}
        self.assertEqual({name for name in by if by[name]['level'] == 'warn'}, {'config', 'daemon', 'sockets'})
        self.assertRegex(by['sockets']['summary'], r"user '\w+' may not use .*status.sock \(root:root 0600\)")
        self.assertIn('sudo bal doctor', by['daemon']['do_this_now'])
        os.chmod(bal.config_path, 0o644)
        done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=30 * rig.SLOW, check=False)
        by = {check['name']: check for check in json.loads(done.stdout)['checks']}
        self.assertEqual({name for name in by if by[name]['level'] != 'ok'}, {'daemon', 'sockets'}, by)
        self.assertIn('most likely by the daemon', by['bind']['summary'])
        self.assertEqual(os.listdir(f'{self.dir}/reports'), [])


class Process(Doctor):
    def test_no_daemon(self):
        bal = self.stage(rig.simple(self.port, self.servers(), runtime=FEW))
        check, doc = self.finds(bal, 'daemon', 'warn', r'no daemon answers on .*status.sock \(no such file\)')
        self.assertEqual(self.trouble(doc), {'daemon': 'warn'})
        self.assertIn('bal start', check['do_this_now'])
        self.assertEqual(doc['by']['bind']['summary'], f'127.0.0.1:{self.port} is free')
        self.assertEqual(doc['protection_mode'], {'enabled': False, 'reason': None})
        self.look(bal, '--strict', code=1)
        done = bal.cli('doctor', '--plugin', '-c', bal.config_path, check=2)
        self.assertRegex(done.stdout, '^BAL CRITICAL: 1 critical.*daemon: no daemon answers')
        self.assertRegex(bal.cli('doctor', '--brief', '-c', bal.config_path, check=0).stdout,
                         f'^WARN 1 OK {ALL - 1}  daemon: no daemon answers .*\n$')

    def test_left_over(self):
        bal = self.bal()
        bal.expected_exit = -signal.SIGKILL
        bal.kill(signal.SIGKILL)
        pid = bal.pid
        bal.wait()
        check, doc = self.finds(bal, 'pid', 'warn', rf'bal.pid is stale: pid {pid} does not exist')
        self.assertIn('nothing is lost', check['do_this_now'])
        self.assertEqual(self.trouble(doc), {'pid': 'warn', 'daemon': 'warn', 'sockets': 'warn'})
        self.assertRegex(doc['by']['sockets']['summary'], 'status.sock is left over: nobody listens on it')
        self.assertIn('left its socket behind', doc['by']['daemon']['why_likely'])

    def test_pid_used_again(self):
        bal = self.stage(rig.simple(self.port, self.servers(), runtime=FEW))
        other = self.start('sleep', ['sleep', '60'])
        with open(f'{bal.run}/bal.pid', 'w', encoding='ascii') as f:
            f.write(f'{other.pid}\n')
        check, _ = self.finds(bal, 'pid', 'warn', rf'bal.pid is stale: pid {other.pid} is now sleep')
        self.assertIn('the number was used again', check['why_likely'])

    def test_pid_file_gone(self):
        bal = self.bal()
        os.unlink(f'{bal.run}/bal.pid')
        self.finds(bal, 'pid', 'warn', rf'the daemon \(pid {bal.pid}\) has no PID file')

    def test_pid_file_replaced(self):
        bal = self.bal()
        os.unlink(f'{bal.run}/bal.pid')
        os.mkdir(f'{bal.run}/bal.pid')
        self.finds(bal, 'pid', 'warn', 'it is no regular file')
        os.rmdir(f'{bal.run}/bal.pid')

    def test_stopped(self):
        bal = self.bal()
        self.hold_still(bal)
        start = time.monotonic()
        check, doc = self.finds(bal, 'daemon', 'critical', f'pid {bal.pid} does not answer: no answer in time')
        took = time.monotonic() - start
        bal.kill(signal.SIGCONT)
        self.assertIn('is stopped', check['why_likely'])
        self.assertEqual(check['do_this_now'], f'let it go on: kill -CONT {bal.pid}')
        self.assertEqual(self.trouble(doc), {'daemon': 'critical'})
        self.assertIn(f'owned by pid {bal.pid}', doc['by']['bind']['summary'])
        print(f'a daemon that is stopped: {took:.2f} s')
        self.assertLess(took, 1.7 * rig.SLOW)

    def test_stopped_and_nobody_knows_the_file(self):
        """The daemon was started with -c; there is none where files are looked for."""
        bal = self.bal()
        self.hold_still(bal)
        start = time.monotonic()
        doc = json.loads(bal.cli('doctor', '--json', check=1).stdout)
        took = time.monotonic() - start
        bal.kill(signal.SIGCONT)
        self.assertEqual(self.trouble(doc), {'daemon': 'critical', 'config': 'warn'})
        self.assertIn('does not say which file', doc['checks'][0]['summary'])
        self.assertLess(took, WORST_S * rig.SLOW)

    def test_a_long_list(self):
        """4096 backends: a daemon whose answer takes its time is waited for, and its file is found.

        With a sanitizer fewer: doctor's own deadlines stay as they are."""
        count = 4096 // rig.SLOW
        listener = socket.create_server(('0.0.0.0', 0), backlog=4096)
        port = listener.getsockname()[1]
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        held = []  # who closes at once is no backend
        self.addCleanup(lambda: [s.close() for s in held])

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    held.append(listener.accept()[0])
        threading.Thread(target=serve, daemon=True).start()
        self.addCleanup(listener.close)
        self.addCleanup(listener.shutdown, socket.SHUT_RDWR)
        servers = [f'127.1.{i // 250}.{i % 250 + 1}:{port}' for i in range(count)]
        bal = self.bal(rig.simple(self.port, servers, head='health_check: {type: none}', runtime=FEW))
        start = time.monotonic()
        doc = json.loads(bal.cli('doctor', '--json', check=0).stdout)
        print(f'{count} backends: {time.monotonic() - start:.2f} s')
        self.assertEqual(self.trouble(doc), {})
        self.assertEqual(doc['checks'][3]['summary'], f'{count} of {count} reachable')
        self.assertLess(time.monotonic() - start, WORST_S * rig.SLOW)

    def test_queue_full(self):
        bal = self.bal(rig.simple(self.port, self.servers(), runtime={**FEW, 'tcp_backlog': 2}))
        self.assert_well(bal)
        self.hold_still(bal)
        clients = []
        for _ in range(12):
            s = socket.socket()
            s.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                s.connect(('127.0.0.1', self.port))
            clients.append(s)
        time.sleep(0.1)
        check, doc = self.finds(bal, 'backlog', 'critical', rf'the listen queue of 127.0.0.1:{self.port} is full \(\d of 2\)')
        self.assertIn(f"sport = :{self.port}", check['do_this_now'])
        self.assertEqual(self.trouble(doc), {'daemon': 'critical', 'backlog': 'critical'})
        bal.kill(signal.SIGCONT)
        for s in clients:
            s.close()
        rig.wait_until(lambda: self.look(bal)['by']['backlog']['level'] == 'ok', 'the queue to be empty')
        self.assertRegex(self.assert_well(bal)['by']['backlog']['summary'], r'1 listen queue with room, \d+ connections? dropped in the past')

    def test_queue_overflows(self):
        """A queue of one, and many who come at the same moment: the daemon is quick, and still some are dropped."""
        bal = self.bal(rig.simple(self.port, self.servers(), runtime={**FEW, 'tcp_backlog': 1}))
        over = threading.Event()

        def burst():
            while not over.is_set():
                clients = [socket.socket() for _ in range(60)]
                for s in clients:
                    s.setblocking(False)
                    with contextlib.suppress(OSError):
                        s.connect(('127.0.0.1', self.port))
                time.sleep(0.02)
                for s in clients:
                    s.close()
        thread = threading.Thread(target=burst)
        thread.start()

        def look():
            check = json.loads(bal.cli('doctor', '--json', '--only', 'backlog').stdout)['checks'][0]
            return check if check['level'] == 'warn' and 'overflows' in check['summary'] else None
        try:
            check = rig.wait_until(look, 'drops', 10)
        finally:
            over.set()
            thread.join()
        self.assertEqual(check['summary'], f'the listen queue of 127.0.0.1:{self.port} overflows now')
        self.assertRegex(check['what_happened'], r'^\d+ connections? w\w+ dropped within 200 ms$')
        self.assertRegex(self.assert_well(bal)['by']['backlog']['summary'], r'\d+ connections dropped in the past$')

    def test_descriptors(self):
        bal = self.bal(rig.simple(self.port, self.servers(), runtime={'max_concurrent_connections': 1000}), files=400)
        check, _ = self.finds(bal, 'fds', 'warn', r'^\d+ connections of 1000 fit into 400 descriptors')
        self.assertRegex(check['do_this_now'], r'LimitNOFILE=\d{4}')
        effective = bal.get()['max_connections']
        self.assertIn(f'it accepts no more than {effective}', check['what_happened'])

    def test_descriptors_used_up(self):
        echo = self.echo()
        bal = self.bal(rig.simple(self.port, [echo.address], runtime={'max_concurrent_connections': 300}), files=400)
        room = bal.get()['max_connections']
        self.hold(self.port, room)
        used = bal.fds()
        doc = json.loads(bal.cli('doctor', '--json', '--only', 'fds').stdout)
        self.assertRegex(doc['checks'][0]['summary'], rf'^({used}|{used - 1}|{used + 1}) of 400 in use' if used >= 320 else 'fit')
        self.assertNotEqual(doc['checks'][0]['level'], 'ok')

    def test_another_version(self):
        bal = self.bal()
        answer = bal.call('io.bal.Status.Get')
        answer['parameters'].update(version='9.9.9', draining=True)
        path = f'{bal.dir}/fake.sock'
        server = socket.socket(socket.AF_UNIX)
        server.bind(path)
        server.listen(8)
        os.chmod(path, 0o777)

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    s, _ = server.accept()
                    with s:
                        if s.recv(65536):
                            s.sendall(json.dumps(answer).encode() + b'\0')
        threading.Thread(target=serve, daemon=True).start()
        self.addCleanup(server.close)
        check, doc = self.finds(bal, 'version', 'warn', 'the daemon is 9.9.9, this command is', '--only',
                                'version,daemon,sockets', socket_path=path)
        self.assertRegex(doc['by']['daemon']['summary'], 'is stopping')
        answer['parameters'].update(restarting=True)  # that one still serves
        self.finds(bal, 'daemon', 'ok', 'is being restarted by systemd', '--only', 'daemon', socket_path=path)
        self.assertRegex(doc['by']['sockets']['summary'], r'everybody may use .*fake.sock \(\w+:\w+ 0777\)')
        server.shutdown(socket.SHUT_RDWR)

    def test_crash_of_a_check(self):
        """Whatever becomes of a check, the others go on and the report says so."""
        bal = self.bal(rig.simple(self.port, [self.backend('s').address, rig.blackhole(self)], runtime=FEW))
        doctor = subprocess.Popen([rig.BAL, 'doctor', '--json', '--only', 'config,backend,version'], env=bal.env,
                                  stdout=subprocess.PIPE, text=True)

        def children():
            with open(f'/proc/{doctor.pid}/task/{doctor.pid}/children', encoding='ascii') as f:
                return [int(pid) for pid in f.read().split()]
        time.sleep(0.5)  # only the probe of the blackhole goes on for a second
        alive = []
        for pid in children():
            with open(f'/proc/{pid}/stat', encoding='ascii') as f:
                if f.read().rsplit(')', 1)[1].split()[0] != 'Z':
                    alive.append(pid)
        self.assertEqual(len(alive), 1)
        os.kill(alive[0], signal.SIGKILL)
        out = doctor.communicate(timeout=10 * rig.SLOW)[0]
        self.assertEqual(doctor.returncode, 1)
        by = {check['name']: check for check in json.loads(out)['checks']}
        self.assertEqual(by['backend']['level'], 'critical')
        self.assertRegex(by['backend']['summary'], r'^internal: the check crashed \(signal 9\)')
        self.assertEqual((by['config']['level'], by['version']['level']), ('ok', 'ok'))


class Addresses(Doctor):
    def test_taken_by_nginx(self):
        nginx = self.nginx(self.port)
        bal = self.stage(rig.simple(self.port, self.servers(), runtime=FEW))
        check, doc = self.finds(bal, 'bind', 'critical', '1 of 1 address is taken by others')
        self.assertIn(f'127.0.0.1:{self.port} is taken by nginx (pid {nginx.pid}', check['what_happened'])
        self.assertIn(str(nginx.pid), check['do_this_now'])
        self.assertEqual(self.trouble(doc), {'bind': 'critical', 'daemon': 'warn'})
        done = bal.cli('doctor', '-c', bal.config_path, check=1)
        self.assertRegex(done.stdout, r'(?m)^  CRITICAL bind        1 of 1 address is taken by others\n'
                         r'             what_happened: 127\.0\.0\.1:\d+ is taken by nginx')
        self.assertRegex(done.stdout, fr'bal doctor: CRITICAL: 1 critical, 1 warning, {ALL - 2} ok in')
        self.assertIn('next: fix CRITICAL rows first, then run: bal doctor --only daemon,bind', done.stdout)

    def test_one_of_three_is_taken(self):
        servers, free, taken = self.servers(), rig.free_port(), rig.free_port()
        config = json.loads(rig.document(rig.pool('web', self.port, servers), max_connections=100,
                                         metrics={'enabled': False}))
        bal = self.bal(json.dumps(config))
        self.nginx(taken)
        config['frontends'][0]['listen'] = [f'127.0.0.1:{port}' for port in (self.port, free, taken)]
        time.sleep(0.05)
        bal.write(json.dumps(config))
        check, doc = self.finds(bal, 'bind', 'critical', '1 of 3 addresses are taken by others')
        self.assertIn(f'127.0.0.1:{taken} is taken by nginx', check['what_happened'])
        self.assertIn(f'127.0.0.1:{free}: the daemon does not listen', check['what_happened'])
        self.assertEqual(doc['by']['config']['level'], 'warn')

    def test_not_loaded_yet(self):
        servers, other = self.servers(), rig.free_port()
        bal = self.bal(rig.simple(self.port, servers, runtime=FEW))
        time.sleep(0.05)
        bal.write(rig.simple(other, servers, runtime=FEW))
        self.finds(bal, 'bind', 'warn', 'the daemon does not listen on 1 of 1 address$')

    def test_a_client_has_the_port(self):
        server = socket.create_server(('127.0.0.1', 0))
        client = socket.socket()
        client.bind(('127.0.0.1', self.port))
        client.connect(server.getsockname())
        self.addCleanup(server.close)
        self.addCleanup(client.close)
        bal = self.stage(rig.simple(self.port, self.servers(), runtime=FEW))
        check, _ = self.finds(bal, 'bind', 'warn', '1 of 1 address is in use by connections')
        self.assertIn(f'(pid {os.getpid()}', check['what_happened'])

    def test_unix_address(self):
        path = f'{self.dir}/app.sock'
        document = json.loads(rig.document(rig.pool('web', self.port, self.servers()), max_connections=100,
                                           metrics={'enabled': False}))
        document['frontends'][0]['listen'] = f'unix:{path}'
        other = socket.socket(socket.AF_UNIX)
        other.bind(path)
        other.listen()
        self.addCleanup(other.close)
        bal = self.stage(json.dumps(document))
        check, _ = self.finds(bal, 'bind', 'critical', '1 of 1 address is taken by others')
        self.assertIn(f'unix:{path} is taken by', check['what_happened'])
        self.assertIn(f'pid {os.getpid()}', check['what_happened'])

    def test_metrics(self):
        taken = rig.free_port()
        self.nginx(taken)
        document = json.loads(rig.document(rig.pool('web', self.port, self.servers()), max_connections=100,
                                           metrics={'enabled': True, 'address': f'127.0.0.1:{taken}'}))
        bal = self.bal(json.dumps(document))
        check, doc = self.finds(bal, 'metrics', 'warn', f'127.0.0.1:{taken} is taken by nginx')
        self.assertEqual(self.trouble(doc), {'metrics': 'warn'})
        document['global']['metrics']['address'] = f'127.0.0.1:{rig.free_port()}'
        bal.reload(json.dumps(document))
        self.assert_well(bal)

    def test_backlog_above_somaxconn(self):
        with open('/proc/sys/net/core/somaxconn', encoding='ascii') as f:
            most = int(f.read())
        if most >= 65535:
            self.skipTest('somaxconn is as high as it gets')
        bal = self.bal(rig.simple(self.port, self.servers(), runtime={**FEW, 'tcp_backlog': 65535}))
        check, _ = self.finds(bal, 'backlog', 'warn', 'net.core.somaxconn is lower than the backlog')
        self.assertIn(f'asks for 65535, the kernel gives {most}', check['what_happened'])


class Backends(Doctor):
    def test_dead(self):
        dead = f'127.0.0.1:{rig.free_port()}'
        bal = self.bal(rig.simple(self.port, [self.backend('s').address, dead], runtime=FAST))
        bal.wait_state(dead, 'down')
        check, doc = self.finds(bal, 'backend', 'warn', '^1 of 2 reachable; 1 down$')
        self.assertEqual(check['what_happened'], f'{dead} refused')
        self.assertEqual(check['why_likely'], 'service stopped on 127.0.0.1')
        self.assertRegex(check['do_this_now'], f"here: +ss -ltn 'sport = :{dead.split(':')[1]}'")
        self.assertEqual(self.trouble(doc), {'backend': 'warn'})
        self.assertRegex(bal.cli('doctor', '--brief', check=0).stdout, rf'^WARN 1 OK {ALL - 1}  backend: .*\({dead} refused\)\n$')
        self.assertRegex(bal.cli('doctor', '--plugin', check=1).stdout, r'^BAL WARNING: .*backends_reachable=1;;;0;2')
        self.assertEqual(bal.cli('doctor', '--plugin', '--strict').returncode, 2)

    def test_hanging(self):
        hole = rig.blackhole(self)
        bal = self.bal(rig.simple(self.port, [self.backend('s').address, hole], runtime=FEW))
        check, doc = self.finds(bal, 'backend', 'warn', '^1 of 2 reachable; 1 down$')
        self.assertEqual(check['what_happened'], f'{hole} timed out')
        self.assertIn('a firewall drops 127.0.0.1', check['why_likely'])
        self.assertIn(f'nc -vz -w1 127.0.0.1 {hole.split(":")[1]}', check['do_this_now'])
        self.assertLess(doc['elapsed_ms'], 1250 * rig.SLOW)

    def test_pool_with_none(self):
        dead = [f'127.0.0.1:{rig.free_port()}' for _ in range(2)]
        good = self.servers()
        bal = self.bal(rig.document(rig.pool('web', self.port, good), rig.pool('db', rig.free_port(), dead),
                                    max_connections=100, metrics={'enabled': False}))
        check, _ = self.finds(bal, 'backend', 'critical', '^pool db has no backend that serves; 2 of 4 reachable$')
        self.assertEqual(check['what_happened'], f'{dead[0]} refused, {dead[1]} refused')
        self.assertEqual(check['why_likely'], 'service stopped on 127.0.0.1 and 1 more')

    def test_pools_with_none(self):
        dead = [f'127.0.0.1:{rig.free_port()}' for _ in range(3)]
        bal = self.stage(rig.document(rig.pool('web', self.port, dead[:1]), rig.pool('db', rig.free_port(), dead[1:]),
                                      max_connections=100, metrics={'enabled': False}))
        check, _ = self.finds(bal, 'backend', 'critical', '^2 pools have no backend that serves; 0 of 3 reachable$')
        self.assertIn('pool web: its only backend does not serve\npool db: none of its 2 backends serves',
                      check['what_happened'])
        self.assertRegex(bal.cli('doctor', '--brief', '-c', bal.config_path, check=1).stdout,
                         r'refused; pool web: its only backend does not serve; pool db: [^\n]*\)\n$')

    def test_many(self):
        """Five are named, the rest is counted."""
        dead = [f'127.0.0.1:{rig.free_port()}' for _ in range(9)]
        bal = self.stage(rig.simple(self.port, [self.backend('s').address, *dead], runtime=FEW))
        check, _ = self.finds(bal, 'backend', 'warn', '^1 of 10 reachable; 9 down$')
        self.assertEqual(check['what_happened'], ', '.join(f'{name} refused' for name in dead[:5]) + ', and 4 more')

    def test_operator(self):
        """What is in maintenance is not even asked; what is drained may be away."""
        one, two, three = self.door('one'), self.door('two'), self.door('three')
        addresses = [door.address for door in (one, two, three)]
        bal = self.bal(rig.simple(self.port, addresses, head='health_check: {type: none}', runtime=FEW))
        bal.cli('backend', 'maint', two.address, '--yes', check=0)
        bal.cli('backend', 'drain', three.address, '--yes', check=0)
        three.close()
        before = two.connections
        doc = self.assert_well(bal)
        self.assertEqual(doc['by']['backend']['summary'], '1 of 3 reachable, 1 in maint, 1 in drain')
        self.assertEqual(two.connections, before)
        bal.cli('backend', 'maint', one.address, '--yes', check=0)
        check, _ = self.finds(bal, 'backend', 'critical', 'pool main has no backend that serves')
        self.assertIn('an operator took', check['why_likely'])

    def test_answers_wrongly(self):
        """A connect says that all is well, the daemon's check does not."""
        bad, good = self.door('bad'), self.door('good')
        bad.status['/health'] = 503
        bal = self.bal(rig.simple(self.port, [bad.address, good.address], runtime=FEW,
                                  head='health_check: {type: http, path: /health, interval: 100ms, timeout: 90ms, '
                                       'unhealthy_threshold: 1}'))
        bal.wait_state(bad.address, 'down')
        check, _ = self.finds(bal, 'backend', 'warn', '^2 of 2 reachable; 1 down$')
        self.assertRegex(check['what_happened'], f'{bad.address} is DOWN for the daemon .*503')
        self.assertRegex(check['do_this_now'], f'curl -i http://{bad.address}/health')

    def test_accepts_and_closes(self):
        """A connect works, and nothing else: also where the daemon has not noticed, or does not run."""
        closer, good = rig.serve(self, lambda s: None), self.backend('s')
        bal = self.bal(rig.simple(self.port, [closer, good.address], runtime=FEW))
        check, doc = self.finds(bal, 'backend', 'warn', '^1 of 2 reachable; 1 down$')
        self.assertEqual(check['what_happened'], f'{closer} accepts and closes at once')
        self.assertIn('connections are closed without an answer', check['why_likely'])
        self.assertRegex(check['do_this_now'], rf'^here: +ss -ltnp .sport = :{closer.split(":")[1]}.; then read its log$')
        for _ in range(20):
            with contextlib.suppress(OSError):
                rig.get(self.port)
        rig.wait_until(lambda: bal.state(closer) == 'down', 'the daemon to notice')
        check, _ = self.finds(bal, 'backend', 'warn', '^1 of 2 reachable; 1 down$')
        self.assertEqual(check['what_happened'], f'{closer} accepts and closes at once')
        self.assertIn('closed before it had answered', bal.cli('backend', 'list', check=0).stdout)
        bal.cli('stop', check=0)

        def seen():  # a busy machine may close later than it is looked at
            doc = json.loads(bal.cli('status', '--json', '-c', bal.config_path).stdout)
            return [(b['reachable'], b['reason']) for b in doc['backends']]
        rig.wait_until(lambda: seen() == [(False, 'accepts and closes at once'), (True, None)], 'status to see it, too')

    def test_check_without_a_daemon(self):
        """The pool's own check is asked from here, too."""
        bad, good = self.door('bad'), self.door('good')
        bad.status['/health'] = 503
        bal = self.bal(rig.simple(self.port, [bad.address, good.address], runtime=FEW,
                                  head='health_check: {type: http, path: /health}'))
        bal.cli('stop', check=0)
        doc = json.loads(bal.cli('doctor', '--json', '--only', 'backend', '-c', bal.config_path).stdout)
        check = doc['checks'][0]
        self.assertEqual(check['what_happened'], f'{bad.address} answered with status 503')
        self.assertIn(f'curl -i http://{bad.address}/health', check['do_this_now'])

    def test_unix_backend(self):
        bal = self.stage(rig.simple(self.port, [self.backend('s').address, f'unix:{self.dir}/none.sock'], runtime=FEW))
        check, _ = self.finds(bal, 'backend', 'warn', '^1 of 2 reachable')
        self.assertIn('no such socket', check['what_happened'])
        self.assertIn(f'ls -l {self.dir}/none.sock', check['do_this_now'])

    def test_protection(self):
        dead = f'127.0.0.1:{rig.free_port()}'
        bal = self.bal(rig.simple(self.port, [dead], runtime=FAST))
        bal.wait_state(dead, 'down')
        with contextlib.suppress(OSError):
            rig.get(self.port)
        rig.wait_until(lambda: bal.protection()['enabled'], 'protection')
        check, doc = self.finds(bal, 'protection', 'warn', '^ON: (all_backends_unavailable|timeout_or_refused_storm)$', code=1)
        self.assertIn('pool main: ', check['what_happened'])
        self.assertTrue(doc['protection_mode']['enabled'])
        self.assertEqual(doc['protection_mode']['reason'], check['summary'].split()[-1])
        self.assertEqual(doc['by']['backend']['level'], 'critical')
        self.door(port=int(dead.split(':')[1]))
        rig.wait_until(lambda: not bal.protection()['enabled'], 'the end of it')
        bal.wait_state(dead, 'up')
        self.assertRegex(self.assert_well(bal)['by']['protection']['summary'],
                         r'^off, last on \d\d:\d\d:\d\d for \d+ ?m?s$')


class Network(Doctor):
    """With a network and name servers of its own."""

    def setUp(self):
        super().setUp()
        if WHY_NOT:
            self.skipTest(WHY_NOT)

    def resolv(self, text):
        with open(f'{ETC}/resolv.conf', 'w', encoding='ascii') as f:
            f.write(text)

    def test_name_without_address(self):
        self.need('dnsmasq')
        self.resolv('nameserver 127.0.0.1\n')
        server = self.start('dnsmasq', ['dnsmasq', '--keep-in-foreground', '--conf-file=/dev/null', '--no-resolv',
                                        '--no-hosts', '--bind-interfaces', '--listen-address=127.0.0.1', '--user=root',
                                        '--pid-file=', '--log-queries', '--log-facility=-',
                                        '--address=/good.test/127.0.0.1', '--local=/test/'])
        rig.wait_until(lambda: 'started' in server.output() or not server.alive(), 'dnsmasq to listen')
        port = self.backend('s').address.split(':')[1]
        bal = self.bal(rig.simple(self.port, [f'good.test:{port}', f'bad.test:{port}'], runtime=FEW))
        check, doc = self.finds(bal, 'dns', 'warn', '^1 of 2 names without an address$')
        self.assertIn('bad.test: ', check['what_happened'])
        self.assertIn('typing error', check['why_likely'])
        self.assertIn('getent ahosts bad.test', check['do_this_now'])
        self.assertIn(f'bad.test:{port} the name has no address', doc['by']['backend']['what_happened'])
        self.assertEqual(self.trouble(doc), {'dns': 'warn', 'backend': 'warn'})

    def test_slow_name_server(self):
        self.resolv('nameserver 127.0.0.1\noptions timeout:5\n')
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        server.bind(('127.0.0.1', 53))
        self.addCleanup(server.close)

        def answer(query, client):
            time.sleep(0.6)
            question = query[12:query.index(b'\0', 12) + 5]
            is_a = question[-4:-2] == b'\0\1'
            reply = query[:2] + b'\x81\x80\0\1' + (b'\0\1' if is_a else b'\0\0') + b'\0\0\0\0' + question
            if is_a:
                reply += b'\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\x7f\0\0\1'
            server.sendto(reply, client)

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    query, client = server.recvfrom(512)
                    threading.Thread(target=answer, args=(query, client), daemon=True).start()
        threading.Thread(target=serve, daemon=True).start()
        port = self.backend('s').address.split(':')[1]
        bal = self.stage(rig.simple(self.port, [f'slow.test:{port}'], runtime=FEW))
        check, _ = self.finds(bal, 'dns', 'warn', '^1 of 1 name slow$', '--only', 'dns')
        self.assertRegex(check['what_happened'], r'slow\.test took [6-9]\d\d ms')

    def test_worst_case(self):
        """Nothing answers: no backend, no name server, not even the daemon."""
        self.resolv('nameserver 192.0.2.53\nnameserver 192.0.2.54\n')
        servers = [f'192.0.2.{i}:80' for i in range(10, 210)] + [f'name{i}.test:80' for i in range(100)]
        bal = self.bal(rig.simple(self.port, servers, runtime=FEW))
        times = []
        for name, arrange in (('the network', lambda: None), ('network and daemon', lambda: self.hold_still(bal))):
            arrange()
            start = time.monotonic()
            doc = self.look(bal, code=1)
            times.append(time.monotonic() - start)
            print(f'worst case, dead is {name}: {times[-1]:.2f} s')
            self.assertEqual(doc['by']['backend']['level'], 'critical', doc)
            self.assertRegex(doc['by']['backend']['summary'], '0 of 300 reachable')
            self.assertRegex(doc['by']['dns']['summary'], '100 of 100 names without an address')
            self.assertIn('192.0.2.53, 192.0.2.54', doc['by']['dns']['why_likely'])
        bal.kill(signal.SIGCONT)
        bal.expected_exit = 0
        self.assertLess(max(times), WORST_S * rig.SLOW)
        self.assertLess(times[0], 1.4 * rig.SLOW)  # the slowest probe, and 0.2 s

    def test_no_route(self):
        bal = self.stage(rig.simple(self.port, [self.backend('s').address, '198.51.100.1:80'], runtime=FEW))
        check, _ = self.finds(bal, 'backend', 'warn', '^1 of 2 reachable')
        self.assertIn('198.51.100.1:80 no route', check['what_happened'])
        self.assertIn('ip route get 198.51.100.1', check['do_this_now'])

    def test_source_ports(self):
        echo = self.echo()
        bal = self.bal(rig.simple(self.port, [echo.address], runtime=FEW))
        with open('/proc/sys/net/ipv4/ip_local_port_range', 'r+', encoding='ascii') as f:
            before = f.read()
            f.seek(0)
            f.write('45000 45039')
        self.addCleanup(lambda: subprocess.run(['sysctl', '-qw', f'net.ipv4.ip_local_port_range={before.strip()}'],
                                               check=False))
        self.assert_well(bal, '--only', 'ports')
        self.hold(self.port, 34)
        check, _ = self.finds(bal, 'ports', 'warn', rf'^3\d of 40 source ports to {echo.address} in use \(\d\d %\)')
        self.assertIn('ip_local_port_range', check['do_this_now'])

    def test_silent_here_too(self):
        self.assert_well(self.bal())


if __name__ == '__main__':
    WHY_NOT = rig.own_namespaces()
    with tempfile.TemporaryDirectory() as ETC:
        if not WHY_NOT:
            # whatever is sent to 192.0.2.0/24 goes into a cable whose other end nobody reads
            for command in ('ip link add hole type veth peer name end', 'ip link set hole up', 'ip link set end up',
                            'ip addr add 192.0.2.1/32 dev hole',
                            'ip neigh add 192.0.2.254 lladdr 02:00:00:00:00:01 dev hole nud permanent',
                            'ip route add 192.0.2.0/24 via 192.0.2.254 dev hole onlink'):
                if subprocess.run(command.split(), check=False,
                                  env={**os.environ, 'PATH': os.environ.get('PATH', '') + ':/usr/sbin:/sbin'}).returncode:
                    WHY_NOT = f'{command}: not here'
            for name, text in (('resolv.conf', 'nameserver 127.0.0.1\n'), ('nsswitch.conf', 'hosts: files dns\n'),
                               ('hosts', '127.0.0.1 localhost\n')):
                with open(f'{ETC}/{name}', 'w', encoding='ascii') as f:
                    f.write(text)
                if WHY_NOT or not os.path.exists(f'/etc/{name}'):
                    WHY_NOT = WHY_NOT or f'no /etc/{name} to be covered'
                elif subprocess.run(['mount', '--bind', f'{ETC}/{name}', f'/etc/{name}'], check=False).returncode:
                    WHY_NOT = f'cannot cover /etc/{name}'
        rig.main()
