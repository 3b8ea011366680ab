#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the daemon writes: each form of a record, the journal's priorities, how much it is, rotation."""

import contextlib
import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import threading

import rig

REFUSED = 1000000 if rig.FULL else 20000
ECS_KEYS = ['@timestamp', 'log.level', 'message', 'ecs.version', 'service.name', 'event.module', 'event.action']
JOURNAL = '/run/systemd/journal/socket'


class Log(rig.FlowTest):
    def jq(self, expression, text):
        """jq must like every line, and find the expression true of it."""
        lines = text.splitlines()
        self.assertGreater(len(lines), 0)
        for line in lines:
            done = subprocess.run(['jq', '-e', expression], input=line, text=True, capture_output=True, check=False,
                                  timeout=30)
            self.assertEqual(done.returncode, 0, f'{line}\n{done.stderr}')
        return [json.loads(line) for line in lines]

    def log_lines(self, head, level='debug'):
        """All that bal writes while it lives, serves somebody and reads its file again."""
        port = rig.free_port()
        text = rig.simple(port, [self.backend('one').address], head)
        home = os.path.join(self.dir, f'home{len(self.processes)}')
        os.mkdir(home, 0o700)
        config = f'{home}/c.yaml'
        with open(config, 'w', encoding='ascii') as f:
            f.write(text)
        bal = self.start('bal', [rig.BAL, 'start', '--no-watch', '-c', config, '--log-level', level],
                         env={**rig.clean_env(f'{home}/sanitizer'), 'RUNTIME_DIRECTORY': home, 'HOME': home})

        def serves():
            with contextlib.suppress(OSError):
                return rig.get(port) == 'one'
            self.assertTrue(bal.alive(), bal.output())
            return False
        rig.wait_until(serves, 'an answer')
        bal.send_signal(signal.SIGHUP)
        rig.wait_until(lambda: bal.output().count('config_loaded') >= 2 or 'pretty' in head, 'a reload')
        bal.send_signal(signal.SIGTERM)
        self.assertEqual(bal.wait(), 0, bal.output())
        return bal.output()


class Formats(Log):
    def test_json(self):
        records = self.jq('has("timestamp") and has("fields")', self.log_lines(''))
        for record in records:
            self.assertEqual(list(record), rig.LOG_KEYS)
            self.assertRegex(record['timestamp'], r'^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$')
        events = [record['event'] for record in records]
        for event in ('daemon_starting', 'daemon_ready', 'session_closed', 'config_loaded', 'daemon_stopped'):
            self.assertIn(event, events)

    def test_ecs(self):
        records = self.jq('."ecs.version" == "8.11.0" and ."service.name" == "bal"', self.log_lines('log_schema: ecs\nlog_clients: true'))
        for record in records:
            self.assertEqual(list(record)[:len(ECS_KEYS)], ECS_KEYS)
            self.assertEqual(list(record)[-1], 'bal')
        session = next(record for record in records if record['event.action'] == 'session_closed')
        self.assertEqual(session['event.reason'], 'done')
        self.assertRegex(session['client.address'], r'^127\.0\.0\.1:\d+$')
        self.assertGreater(session['bal']['bytes_out'], 0)
        self.assertNotIn('client', session['bal'])

    def test_pretty(self):
        for line in self.log_lines('log_format: pretty').splitlines():
            self.assertRegex(line, r'^\d\d:\d\d:\d\d\.\d{3} (ERROR|WARN |INFO |DEBUG|TRACE) \w.*$')

    def test_warnings_of_the_file_are_in_the_log(self):
        bal = self.bal(rig.simple(rig.free_port(), ['127.0.0.1:9'], 'mode: advanced'))
        [record] = bal.events('config_warning')
        self.assertEqual((record['level'], record['fields']['code'], record['fields']['line']), ('WARN', 'W001', 3))


class Stream(Log):
    """Standard error is a socket, as systemd has it for a service."""

    def lines(self, config, other=0, status=0):
        ours, theirs = socket.socketpair()
        stat = os.fstat(theirs.fileno())
        config_path = f'{self.dir}/c.yaml'
        with open(config_path, 'w', encoding='ascii') as f:
            f.write(config)
        env = {**rig.clean_env(f'{self.dir}/sanitizer'), 'RUNTIME_DIRECTORY': self.dir, 'HOME': self.dir,
               'JOURNAL_STREAM': f'{stat.st_dev}:{stat.st_ino + other}'}
        bal = self.start('bal', [rig.BAL, 'start', '--no-watch', '-c', config_path], env=env, stderr=theirs,
                         stdout=theirs)
        theirs.close()
        ours.settimeout(30 * rig.SLOW)
        text = b''
        while part := ours.recv(65536):
            text += part
            if b'daemon_ready' in text:
                bal.send_signal(signal.SIGTERM)
        ours.close()
        self.assertEqual(bal.wait(), status, text)
        return text.decode().splitlines()

    def test_priorities(self):
        lines = self.lines(rig.simple(rig.free_port(), ['127.0.0.1:9'], 'mode: advanced'))
        priorities = {'ERROR': '<3>', 'WARN': '<4>', 'INFO': '<6>'}
        for line in lines:  # nothing else is written, not even a report for people
            record = json.loads(line[3:])
            self.assertEqual(line[:3], priorities[record['level']], line)
        self.assertTrue([line for line in lines if line.startswith('<4>') and 'config_warning' in line], lines)

    def test_the_variable_alone_proves_nothing(self):
        for line in self.lines(rig.simple(rig.free_port(), ['127.0.0.1:9']), other=1):
            self.assertEqual(list(json.loads(line)), rig.LOG_KEYS)

    def test_a_bad_file(self):
        lines = self.lines('port: 1\nmode: x\nbackends: [{ host: a.b, port: 0 }]\nwrong: 1\n', status=78)
        self.assertTrue([line for line in lines if re.match(r'<3>.*c\.yaml:4:1: error\[E\d+\]', line)], lines)
        self.assertTrue([line for line in lines if re.match(r'<4>.*c\.yaml:2:\d+: warning\[W001\]', line)], lines)
        for line in lines:
            self.assertRegex(line, r'^<[34]>\S')

    def test_a_taken_port(self):
        taken = socket.create_server(('127.0.0.1', 0))
        self.addCleanup(taken.close)
        lines = self.lines(rig.simple(taken.getsockname()[1], ['127.0.0.1:9']), status=1)
        self.assertTrue([line for line in lines if line.startswith('<3>bal: cannot listen on ')], lines)
        self.assertTrue([line for line in lines if line.startswith('<3>{') and 'internal_error' in line], lines)


class Native(Log):
    """A socket in the place of the journal's, in a mount namespace."""

    def namespace(self, text, with_socket):
        if subprocess.run(['unshare', '-m', 'true'], stderr=subprocess.DEVNULL, check=False).returncode:
            self.skipTest('no mount namespace of its own here (not root, or in a chroot)')
        run = f'{self.dir}/run'
        os.makedirs(f'{run}/systemd/journal')
        journal = None
        if with_socket:
            journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            journal.settimeout(10 * rig.SLOW)
            journal.bind(run + JOURNAL[len('/run'):])
            self.addCleanup(journal.close)
        return journal, self.bal(text, command=['unshare', '-m', 'sh', '-c', 'mount --bind "$0" /run && exec "$@"', run,
                                                rig.BAL, 'start', '--no-watch', '-c', f'{self.dir}/bal1/config.yaml'])

    def config(self):
        return rig.simple(rig.free_port(), ['127.0.0.1:9'], 'log_format: journal')

    def test_fields(self):
        journal, bal = self.namespace(self.config(), True)
        records = []
        while not records or records[-1]['BAL_EVENT'] != 'daemon_ready':
            lines = journal.recv(65536).decode().splitlines()
            records.append(dict(line.split('=', 1) for line in lines))
        last = records[-1]
        with open(f'{rig.SOURCE}/docs/bal.catalog', encoding='utf-8') as f:
            number = re.search(r'^# daemon_ready\n-- (\w+)$', f.read(), re.M)[1]
        self.assertEqual((last['PRIORITY'], last['SYSLOG_IDENTIFIER'], last['MESSAGE_ID']), ('6', 'bal', number))
        self.assertEqual(last['BAL_PID'], str(bal.pid))
        self.assertRegex(last['MESSAGE'], r'^bal is ready  version=\S+  pid=\d+ ')
        self.assertEqual(last['CODE_FILE'], 'supervisor.c')
        self.assertEqual(bal.get()['log'], 'journal')
        self.assertEqual(bal.stderr(), '')
        self.assertRegex(bal.cli('logs', check=0).stdout, r'the journal\b')

        bal.reload(rig.simple(rig.free_port(), ['127.0.0.1:9']))  # and back to lines
        bal.reload()  # a record of that moment may still have gone the old way
        rig.wait_until(lambda: bal.events('config_loaded'), 'a line on standard error')
        self.assertEqual(bal.get()['log'], 'stderr')

    def test_without_a_journal(self):
        _, bal = self.namespace(self.config(), False)
        bal.log_wait('log_journal')
        records = bal.log()
        self.assertEqual([record['fields']['error'] for record in records if record['event'] == 'log_journal'],
                         ['ENOENT'])
        self.assertIn('daemon_ready', [record['event'] for record in records])

    def test_a_journal_that_hangs(self):
        """It never reads: the daemon goes on at once, and nothing is lost."""
        _, bal = self.namespace(self.config(), True)
        for _ in range(30):
            bal.kill(signal.SIGUSR1)
            bal.get()
        bal.log_wait('log_journal', 1)
        self.assertEqual(bal.events('log_journal')[0]['fields']['error'], 'EAGAIN')


class HowMuch(Log):
    def after_the_end(self, bal):
        bal.kill(signal.SIGTERM)
        self.assertEqual(bal.wait(), 0)
        return bal.log()

    def many(self, port):
        """REFUSED clients of which nobody is served."""
        threads, results = [], []
        for i in range(4):
            def run(first=f'127.{10 + i}.0.1'):
                results.append(self.knock(port, REFUSED // 4, '--from', first, '--addresses', 50, timeout=600))
            threads.append(threading.Thread(target=run))
            threads[-1].start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(results), 4)
        self.assertEqual(sum(result['answered'] for result in results), 0)

    @staticmethod
    def total(records, event, *fields):
        return sum(record['fields'][field] for record in records if record['event'] == event for field in fields)

    def assert_few(self, records, seconds):
        self.assertLess(len(records), 40 + 4 * seconds / 10, [record['event'] for record in records])

    def test_backends_refuse(self):
        port = rig.free_port()
        bal = self.bal(rig.simple(port, [f'127.0.0.1:{rig.free_port()}' for _ in range(3)],
                                  'health_check: { type: none }', runtime={'hold_ms': 0}))
        self.many(port)
        status = bal.get()
        records = self.after_the_end(bal)
        refused = sum(backend['counters']['refused'] for backend in status['backends'])
        self.assertEqual(self.total(records, 'sessions_failed', 'no_backend', 'connect_failed'), REFUSED)
        self.assertEqual(self.total(records, 'connect_errors', 'refused'), refused)
        self.assertGreater(refused, 0)
        self.assertEqual((status['log_dropped'], status['log_suppressed']), (0, 0))
        self.assert_few(records, status['uptime_s'])
        print(f'{REFUSED} clients, {refused} refused connects, {len(records)} records in {status["uptime_s"]} s')

    def test_bal_refuses(self):
        port = rig.free_port()
        bal = self.bal(rig.simple(port, [self.echo().address], runtime={'max_concurrent_connections': 1}))
        with rig.connect(port) as held:
            held.sendall(b'x')
            self.assertEqual(held.recv(1), b'x')
            self.many(port)
        status = bal.get()
        records = self.after_the_end(bal)
        self.assertEqual(self.total(records, 'overload', 'rejected'), REFUSED)
        self.assertEqual(status['log_dropped'], 0)
        self.assert_few(records, status['uptime_s'])

    def test_many_backends_share_a_record(self):
        port = rig.free_port()
        dead = [f'127.0.1.{i}:9' for i in range(1, 121)]
        bal = self.bal(rig.simple(port, dead, 'health_check: { type: none }', runtime={'hold_ms': 0}))
        rig.wait_until(lambda: self.knock(port, 200) and
                       all(backend['counters']['refused'] for backend in bal.get()['backends']),
                       'a failure of every backend')
        refused = sum(backend['counters']['refused'] for backend in bal.get()['backends'])
        records = self.after_the_end(bal)
        named = [record for record in records if record['event'] == 'connect_errors' and 'backend' in record['fields']]
        more = self.total([record for record in records if 'more' in record['fields']], 'connect_errors', 'more')
        self.assertEqual(self.total(records, 'connect_errors', 'refused'), refused)
        windows = len([record for record in records if record['event'] == 'connect_errors' and 'more' in record['fields']])
        self.assertLessEqual(len(named), 50 * (windows + 1))
        self.assertGreater(more, 0)


class Full(Log):
    """The log cannot be written: clients are served, and each record is in the log or is counted."""

    COUNT = 150

    def stage(self, **how):
        self.port = rig.free_port()
        self.served = 0
        return self.bal(rig.simple(self.port, [self.backend('one').address],
                                   'log_level: debug\nhealth_check: { type: none }'), **how)

    def serve(self, count=COUNT):
        for _ in range(count):
            self.assertEqual(rig.get(self.port), 'one')
        self.served += count

    def assert_told(self, bal, error):
        """In every view but the log."""
        status = bal.get()
        self.assertEqual(status['log_error'], error)
        self.assertRegex(bal.cli('status', check=0).stdout, fr'(?m)^  log +not written: {error}   \d+ records? lost ')
        doctor = json.loads(bal.cli('doctor', '--json', '--only', 'log', check=0).stdout)['checks'][0]
        self.assertEqual((doctor['name'], doctor['level']), ('log', 'warn'))
        self.assertIn(f"{status['log']} cannot be written ({error}): ", doctor['summary'])
        self.assertTrue(doctor['why_likely'] and doctor['do_this_now'])
        self.assertIn('\nbal_log_failed 1\n', bal.cli('metrics', check=0).stdout)
        rig.wait_until(lambda: self.events(bal, 'log_failed'), 'the event')
        self.assertEqual(self.events(bal, 'log_failed'), [{'log': status['log'], 'error': error}])
        self.assertEqual(self.events(bal, 'log_dropped'), [], 'before it has been written')

    @staticmethod
    def events(bal, event):
        text = bal.cli('events', '--json', f'--event={event}', check=0).stdout
        return [json.loads(line)['fields'] for line in text.splitlines()]

    def lose(self, bal, path, fill, room, error):
        """fill() takes the room for the log away, room() gives it back."""
        self.serve(20)
        fill()
        rig.wait_until(lambda: self.serve() or bal.get()['log_error'], 'the log to be full')
        self.assert_told(bal, error)
        before, cpu_s = bal.get()['log_dropped'], bal.cpu_s()
        self.serve()
        rig.wait_until(lambda: bal.get()['log_dropped'] >= before + self.COUNT, 'all of them to be lost')
        cpu_s = bal.cpu_s() - cpu_s
        self.assertLess(cpu_s, 0.5 * rig.SLOW, f'{self.COUNT} sessions')
        room()
        rig.wait_until(lambda: not bal.get()['log_error'], 'room')
        self.serve(20)
        rig.wait_until(lambda: self.text(path).count('"session_closed"') + bal.get()['log_dropped'] == self.served,
                       'every session to be there or to be counted')
        lost = bal.get()['log_dropped']
        self.assertIn('\nbal_log_failed 0\n', bal.cli('metrics', check=0).stdout)
        doctor = json.loads(bal.cli('doctor', '--json', '--only', 'log', check=0).stdout)['checks'][0]
        self.assertEqual(doctor['level'], 'ok')
        self.assertIn(f'{lost} records were lost', doctor['summary'])

        records = [json.loads(line) for line in self.text(path).splitlines()]  # all of them are whole
        dropped, = (record['fields'] for record in records if record['event'] == 'log_dropped')
        self.assertEqual((dropped['lost'], dropped['lost_total'], dropped['error']), (lost, lost, error))
        self.assertEqual(self.events(bal, 'log_dropped'), [dropped])
        self.assertGreater(dropped['duration_ms'], 0)
        at = next(i for i, record in enumerate(records) if record['event'] == 'log_dropped')
        above, below = (sum(record['event'] == 'session_closed' for record in part) for part in (records[:at], records[at:]))
        self.assertEqual((above + lost + below, below >= 20), (self.served, True))

    @staticmethod
    def text(path):
        with open(path, encoding='utf-8') as f:
            return f.read()

    def test_limit(self):
        """As large as the process may make a file, which is a signal unless it is ignored."""
        for detach in (False, True):
            with self.subTest(detach=detach):
                bal = self.stage(detach=detach)
                path = f'{bal.run}/bal.log' if detach else bal.stderr_path
                hard = resource.prlimit(bal.pid, resource.RLIMIT_FSIZE)[1]
                self.lose(bal, path,
                          lambda bal=bal, path=path, hard=hard: resource.prlimit(
                              bal.pid, resource.RLIMIT_FSIZE, (os.path.getsize(path) + 20011, hard)),
                          lambda bal=bal, hard=hard: resource.prlimit(bal.pid, resource.RLIMIT_FSIZE, (hard, hard)), 'EFBIG')

    def test_small_disk(self):
        """A file system of its own, of 64 KiB, with something else in it that can be removed."""
        if subprocess.run(['unshare', '-m', 'true'], stderr=subprocess.DEVNULL, check=False).returncode:
            self.skipTest('no mount namespace of its own here (not root, or in a chroot)')
        disk = f'{self.dir}/disk'
        os.mkdir(disk)
        bal = self.stage(command=['unshare', '-m', 'sh', '-c', 'mount -t tmpfs -o size=256k none "$0" && '
                                  'exec "$@" 2>"$0/log"', disk, rig.BAL, 'start', '--no-watch', '-c',
                                  f'{self.dir}/bal1/config.yaml'])
        inside = f'/proc/{bal.pid}/root{disk}'

        def fill():
            with contextlib.suppress(OSError), open(f'{inside}/filler', 'wb', buffering=0) as f:
                while f.write(b'x' * 4096) == 4096:
                    pass
        self.lose(bal, f'{inside}/log', fill, lambda: os.unlink(f'{inside}/filler'), 'ENOSPC')

    def test_device(self):
        """No byte is ever taken; the daemon comes up, serves, and ends as always."""
        bal = self.stage(command=['sh', '-c', 'exec "$@" 2>/dev/full', 'sh', rig.BAL, 'start', '--no-watch', '-c',
                                  f'{self.dir}/bal1/config.yaml'])
        self.serve()
        rig.wait_until(lambda: bal.get()['log_dropped'] >= self.served, 'all of them to be lost')
        self.assert_told(bal, 'ENOSPC')
        self.assertGreaterEqual(len(bal.cli('events', check=0).stdout.splitlines()), 3)  # daemon_starting and so on

    def test_reader_is_gone(self):
        fifo = f'{self.dir}/fifo'
        os.mkfifo(fifo)
        reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        bal = self.stage(command=['sh', '-c', 'exec "$@" 2>"$0"', fifo, rig.BAL, 'start', '--no-watch', '-c',
                                  f'{self.dir}/bal1/config.yaml'])
        self.serve(1)
        os.close(reader)
        self.serve()
        rig.wait_until(lambda: bal.get()['log_dropped'] >= self.COUNT, 'all of them to be lost')
        self.assert_told(bal, 'EPIPE')


class Where(Log):
    def test_a_file(self):
        bal = self.bal(rig.simple(rig.free_port(), ['127.0.0.1:9']), detach=True)
        path = f'{bal.run}/bal.log'
        self.assertEqual(bal.cli('logs', check=0).stdout, f'bal: the log goes to {path}\n  read it: tail -F {path}\n')
        document = json.loads(bal.cli('logs', '--json', check=0).stdout)
        self.assertEqual((document['kind'], document['log'], document['pid'], document['reopened']),
                         ('bal.logs', path, bal.pid, False))

        os.rename(path, f'{path}.1')
        self.assertEqual(bal.cli('logs', '--reopen', check=0).stdout, f'bal: {path} was opened again\n')
        rig.wait_until(lambda: 'log_reopened' in self.text(path), 'the first line of the new file')
        self.assertNotIn('log_reopened', self.text(f'{path}.1'))

        os.rename(path, f'{path}.2')
        os.mkdir(path)  # it cannot be opened
        done = bal.cli('logs', '--reopen', check=1)
        self.assertIn('has not opened', done.stderr)
        self.assertIn('"level":"ERROR"', self.text(f'{path}.2'))
        os.rmdir(path)
        bal.cli('logs', '--reopen', '--quiet', check=0)

        bal.kill(signal.SIGTERM)
        self.assertEqual(bal.wait(), 0)
        self.assertIn(path, bal.cli('logs', check=69).stderr)
        bal.cli('logs', '--reopen', check=69)

    @staticmethod
    def text(path):
        with contextlib.suppress(FileNotFoundError), open(path, encoding='utf-8') as f:
            return f.read()
        return ''

    def test_standard_error(self):
        bal = self.bal(rig.simple(rig.free_port(), ['127.0.0.1:9']))
        said = bal.cli('logs', check=0).stdout
        self.assertEqual(said, f'bal: the log goes to standard error of pid {bal.pid}, {bal.stderr_path}\n'
                               f'  read it: tail -F {bal.stderr_path}\n')
        self.assertIn('nothing to open again', bal.cli('logs', '--reopen', check=0).stdout)
        self.assertEqual(bal.events('log_reopened'), [])

    def test_a_daemon_that_does_not_answer(self):
        bal = self.bal(rig.simple(rig.free_port(), ['127.0.0.1:9']), detach=True)
        os.rename(f'{bal.run}/status.sock', f'{bal.run}/elsewhere')
        os.rename(f'{bal.run}/bal.log', f'{bal.run}/old.log')
        self.assertIn('was told', bal.cli('logs', '--reopen', check=0).stdout)
        rig.wait_until(lambda: 'log_reopened' in self.text(f'{bal.run}/bal.log'), 'the new file')
        os.rename(f'{bal.run}/elsewhere', f'{bal.run}/status.sock')

    def test_logrotate(self):
        """The snippet as it is shipped, on a busy log: every session is in one of the files, once."""
        self.need('logrotate')
        port = rig.free_port()
        bal = self.bal(rig.simple(port, [self.backend('one').address], 'log_level: debug'), detach=True)
        with open(f'{rig.SOURCE}/sample/bal.logrotate', encoding='ascii') as f:
            snippet = f.read()
        self.assertNotRegex(snippet, r'(?m)^\s*copytruncate')
        snippet = snippet.replace('/run/bal/bal.log /root/.bal/bal.log', f'"{bal.run}/bal.log"')
        snippet = snippet.replace('bal logs', f'{rig.BAL} logs')
        config, state = f'{self.dir}/logrotate.conf', f'{self.dir}/logrotate.state'
        with open(config, 'w', encoding='ascii') as f:
            f.write(snippet)
        os.chmod(config, 0o644)
        logrotate = shutil.which('logrotate', path='/usr/sbin:/sbin:' + os.environ['PATH'])
        done = subprocess.run([logrotate, '-d', '-s', state, config], capture_output=True, text=True, check=False,
                              timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn('error', done.stderr)

        visitors = self.visit(port, 300)
        for i in range(4):
            rig.wait_until(lambda n=i: len(visitors.visits()) > 60 * (n + 1), 'some sessions')
            done = subprocess.run([logrotate, '-f', '-s', state, config], capture_output=True, text=True, check=False,
                                  env=bal.env, timeout=60 * rig.SLOW)
            self.assertEqual((done.returncode, done.stderr), (0, ''))
        visits = visitors.end_visits()
        self.assertEqual({visit.outcome for visit in visits}, {'answered'})
        self.assert_idle(bal)
        bal.kill(signal.SIGTERM)
        self.assertEqual(bal.wait(), 0)

        names = sorted(name for name in os.listdir(bal.run) if name.startswith('bal.log'))
        self.assertEqual(names, ['bal.log', 'bal.log.1', 'bal.log.2.gz', 'bal.log.3.gz', 'bal.log.4.gz'])
        sessions = []
        for name in names:
            text = self.run_ok(['zcat', '-f', f'{bal.run}/{name}'])
            records = [json.loads(line) for line in text.splitlines()]
            sessions += [record['fields']['session'] for record in records if record['event'] == 'session_closed']
        self.assertEqual(len(sessions), len(set(sessions)))
        self.assertEqual(len(sessions), len(visits))


class Snippets(Log):
    """What bal-logs(7) tells others to do with the lines, tried where the program is here."""

    def snippet(self, title):
        with open(f'{rig.SOURCE}/docs/bal-logs.7', encoding='utf-8') as f:
            page = f.read()
        text = re.search(rf'^\.Ss {title}\n.*?^\.Bd -literal.*?\n(.*?)^\.Ed', page, re.S | re.M)[1]
        return text.replace('\\e', '\\')

    def records(self):
        bal = self.bal(rig.simple(rig.free_port(), ['127.0.0.1:9'], 'log_level: debug'))
        bal.cli('backend', 'drain', '127.0.0.1:9', '--yes', check=0)
        bal.log_wait('backend_state')
        bal.cli('backend', 'enable', '127.0.0.1:9', check=0)
        bal.log_wait('backend_state', 2)
        with open(bal.stderr_path, encoding='utf-8') as f:
            return [line for line in f if line.startswith('{')]

    def test_rsyslog(self):
        self.need('rsyslogd')
        text = self.snippet('rsyslog')
        for path, ours in (('/run/bal/bal.log', f'{self.dir}/in.log'), ('/var/log/bal-backends', f'{self.dir}/out')):
            self.assertIn(path, text)
            text = text.replace(path, ours)
        with open(f'{self.dir}/rsyslog.conf', 'w', encoding='ascii') as f:
            f.write(f'global(workDirectory="{self.dir}")\n{text}')
        lines = self.records()
        with open(f'{self.dir}/in.log', 'w', encoding='utf-8') as f:
            f.writelines(lines[:3] + ['not JSON\n'] + lines[3:])
        records = [json.loads(line) for line in lines]
        wanted = [f'{record["timestamp"]} {record["fields"]["backend"]} is {record["fields"]["to"]}'
                  for record in records if record['event'] == 'backend_state']
        self.assertGreaterEqual(len(wanted), 2)
        rsyslogd = shutil.which('rsyslogd', path='/usr/sbin:/sbin:' + os.environ['PATH'])
        self.start('rsyslogd', [rsyslogd, '-n', '-f', f'{self.dir}/rsyslog.conf', '-i', f'{self.dir}/rsyslog.pid'])

        def written():
            with contextlib.suppress(FileNotFoundError), open(f'{self.dir}/out', encoding='utf-8') as f:
                return f.read().splitlines() == wanted
            return False
        rig.wait_until(written, f'{wanted} from rsyslogd')

    def test_alloy(self):
        """The program is not in Debian: the names are those of the records, the braces match."""
        text = self.snippet('Grafana Alloy')
        self.assertEqual(text.count('{'), text.count('}'))
        expressions = dict(re.findall(r'(\w+) = "(\w+)"', re.search(r'expressions = \{(.*?)\}', text)[1]))
        labels = re.findall(r'(\w+) = ""', re.search(r'values = \{(.*?)\}', text)[1])
        self.assertEqual(sorted(expressions), ['event', 'level', 'timestamp'])
        self.assertLess(set(labels), set(expressions))
        for record in map(json.loads, self.records()):
            for key in expressions.values():
                self.assertIsInstance(record[key], str)

    def test_vector(self):
        """Likewise; its remapping, in Python."""
        text = self.snippet('Vector')
        self.assertIn('parse_json(.message)', text)
        self.assertIn('parse_timestamp!(.timestamp, "%+")', text)
        for record in map(json.loads, self.records()):
            self.assertIn('timestamp', record)


if __name__ == '__main__':
    rig.main()
