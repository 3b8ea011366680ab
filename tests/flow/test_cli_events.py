#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`bal events`: what has happened, as lines for people and for programs; and --follow, whatever the daemon does."""

import json
import os
import re
import signal

import rig
import scripted
import test_cli

Error = scripted.Daemon.Error
CONTROL = '[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]'
TIME = r'\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ'


def record(number, level='INFO', message='bal is ready', event='daemon_ready', second=0, **fields):
    """One of an answer to GetEvents, as the daemon writes it."""
    return {'timestamp': f'2026-11-20T12:04:{second:02}.{number:03}Z', 'level': level, 'message': message,
            'module': 'control', 'event': event, 'fields': fields, 'number': number}


def answer(*records, missed=0):
    return {'events': list(records), 'missed': missed}


DOWN = record(3, 'WARN', 'the backend is down', 'backend_state', pool='web', backend='10.20.0.17:8080',
              text='refused (2 times in a row)', failures=2, backup=False, error=None)


class EventsTest(test_cli.CliTest):
    def daemon(self, *records, **answers):
        return scripted.Daemon(self, self.run_dir, **{'GetEvents': answer(*records), **answers})

    def terminal(self, *args, columns=80, rows=24, env=None, **more):
        return scripted.Terminal(self, [rig.BAL, 'events', *args],
                                 {**(env or self.env), 'TERM': 'xterm', 'NO_COLOR': '1', **more}, columns, rows)

    def follow(self, *args, env=None, **options):
        return self.start('follow', [rig.BAL, 'events', '--follow', *args], env=env or self.env, **options)


class Lines(EventsTest):
    def test_lines(self):
        self.daemon(record(1, pid=4242), DOWN, record(4, 'ERROR', 'the file has errors', 'config_rejected'))
        done = self.cli('events')
        self.assertEqual((done.stdout, done.stderr), ('''\
2026-11-20 12:04:00Z INFO  bal is ready  pid=4242
2026-11-20 12:04:00Z WARN  the backend is down  pool=web backend=10.20.0.17:8080 \
text="refused (2 times in a row)" failures=2 backup=false error=null
2026-11-20 12:04:00Z ERROR the file has errors
''', ''))
        self.assertEqual(self.cli('events', '-v').stdout.splitlines()[0],
                         '2026-11-20T12:04:00.001Z INFO  bal is ready  pid=4242 event=daemon_ready module=control')
        self.assertEqual(self.cli('events', '-q').stdout, '')
        self.assertEqual(self.cli('events', '-q', '--follow').stdout, '')

    def test_json(self):
        self.daemon(DOWN, record(4))
        docs = [json.loads(line) for line in self.cli('events', '--json').stdout.splitlines()]
        self.assertEqual(docs, [{'format_version': '1.0', 'kind': 'bal.event', **r} for r in (DOWN, record(4))])

    def test_what_is_asked(self):
        daemon = self.daemon(record(1))
        for args, asked in (([], {}), (['--level=warn'], {'level': 'warn'}), (['--limit', '0'], {'limit': 0}),
                            (['--event=backend_state', '--limit=512', '--level', 'error'],
                             {'event': 'backend_state', 'limit': 512, 'level': 'error'})):
            daemon.calls.clear()
            self.cli('events', *args)
            self.assertEqual(daemon.calls, [('GetEvents', asked)])

    def test_wrong_words(self):
        daemon = self.daemon()
        for option, text in (('--level=wran', "--level: unknown 'wran'; did you mean 'warn'?"),
                             ('--event=backend_sate', "--event: unknown 'backend_sate'; did you mean 'backend_state'?"),
                             ('--event=x', "--event: unknown 'x'; all there are: man 7 bal-logs"),
                             ('--limit=513', '--limit: 513 is not between 0 and 512'),
                             ('--limit=x', "--limit: 'x' is not a number"),
                             ('web', "'events' does not take 'web'")):
            self.assertEqual(self.cli('events', option, code=64).stderr.splitlines()[0], f'bal: {text}')
            self.assertEqual(self.error('events', option, code=64)['errors'], [text])
        self.assertEqual(daemon.calls, [])

    def test_none(self):
        self.daemon()
        done = self.cli('events', '--level=error')
        self.assertEqual((done.stdout, done.stderr), ('', 'bal: no event is like that\n'))
        done = self.cli('events', '--json')
        self.assertEqual((done.stdout, done.stderr), ('', ''))

    def test_missed(self):
        self.daemon(GetEvents=answer(record(700), missed=188))
        done = self.cli('events')
        self.assertEqual(done.stderr, 'bal: 188 records were missed: they came faster than they were read\n')
        docs = [json.loads(line) for line in self.cli('events', '--json').stdout.splitlines()]
        self.assertEqual(docs[0], {'format_version': '1.0', 'kind': 'bal.notice', 'notice': 'missed', 'missed': 188})
        self.assertEqual(docs[1]['kind'], 'bal.event')

    def test_locales_and_colours(self):
        self.daemon(DOWN, record(4, backend=scripted.HANGUL))
        for env in ({'LANG': 'C', 'LC_ALL': 'C'}, {'LANG': 'ko_KR.UTF-8'}, {'TERM': 'dumb', 'NO_COLOR': ''}):
            for columns in (80, 20):  # a line is a line: the terminal breaks it, and so it can be copied whole
                terminal = self.terminal(columns=columns, **env)
                self.assertEqual(terminal.wait(), 0)
                self.assertEqual(terminal.said.decode().count('\r\n'), 2)
                self.assertIn(scripted.HANGUL, terminal.said.decode())
                self.assertNotIn(b'\x1b', terminal.said)
        terminal = self.terminal(NO_COLOR='')
        terminal.wait()
        self.assertIn(b' \x1b[33mWARN\x1b[0m  \x1b[33mthe backend is down\x1b[0m  pool=web', terminal.said)

    def test_nothing_raw(self):
        evil = 'x\x1b[31m\x07\x9b2J\u202e\n"\\:1'
        self.daemon({**record(1, evil, evil, evil, **{evil: evil}), 'timestamp': evil, 'module': evil})
        for args in ([], ['--verbose'], ['--json']):
            done = self.cli('events', *args)
            self.assertNotRegex(done.stdout + done.stderr, CONTROL)
            self.assertEqual(done.stdout.count('\n'), 1)

    def test_daemons_that_are_not_right(self):
        daemon = self.daemon(GetEvents={'events': 7})
        self.assertIn("'events' is missing or wrong", self.cli('events', code=69).stderr)
        daemon.answers['GetEvents'] = answer(7, None, {}, {'timestamp': 4, 'fields': [1], 'number': 'x'})
        for args in ([], ['-v'], ['--json']):
            self.cli('events', *args)
        del daemon.answers['GetEvents']
        for args in ([], ['--follow']):
            self.assertIn('older than this bal', self.cli('events', *args, code=1).stderr)
        daemon.stop()
        for args in ([], ['--follow']):  # who was never there is not waited for
            self.assertIn('bal is not running', self.cli('events', *args, code=69).stderr)
            self.error('events', *args, code=69)

    def test_no_right(self):
        self.daemon(record(1))
        options = self.no_right()
        os.chmod(self.run_dir, 0o755)
        os.chmod(f'{self.run_dir}/status.sock', 0o600)
        for args in ([], ['--follow']):
            self.assertIn('permission denied', self.cli('events', *args, code=77, **options).stderr)


class Follow(EventsTest):
    """A daemon that goes and comes."""

    def test_the_same_daemon_is_back(self):
        """What was told before is not told again, and what was told meanwhile is."""
        daemon = self.daemon(record(1), record(2, 'WARN', 'of two'))
        follow = self.follow()
        rig.wait_until(lambda: 'of two' in follow.output(), 'the first records')
        daemon.stop()
        rig.wait_until(lambda: 'bal: the daemon is gone; waiting for it' in follow.output(), 'its absence to be told')
        daemon.answers['GetEvents'] = answer(record(1), record(2, 'WARN', 'of two'), record(3, message='of three'))
        daemon.start()
        rig.wait_until(lambda: 'of three' in follow.output(), 'what came meanwhile')
        self.assertEqual(daemon.calls[-1], ('GetEvents', {'limit': 512}))
        self.assertTrue(follow.alive())
        lines = follow.output().splitlines()
        self.assertEqual([line.partition('  ')[2] for line in lines if 'Z ' in line],
                         ['bal is ready', 'of two', 'of three'])
        self.assertIn('bal: the daemon is back', lines)

    def test_another_one_is_there(self):
        """All that a new daemon has told since its start; its numbers begin anew."""
        daemon = self.daemon(record(1), record(2))
        follow = self.follow('--json', '--level=info')
        rig.wait_until(lambda: follow.output().count('bal.event') == 2, 'the first records')
        daemon.stop()
        rig.wait_until(lambda: '"gone"' in follow.output(), 'its absence to be told')
        daemon.answers['GetEvents'] = answer(record(0, second=30), record(1, second=30), record(2, second=31))
        daemon.start()
        rig.wait_until(lambda: follow.output().count('bal.event') >= 5, 'the records of the other')
        docs = [json.loads(line) for line in follow.output().splitlines()]
        self.assertEqual([doc.get('notice', doc.get('number')) for doc in docs],
                         [1, 2, 'gone', 'back', 0, 1, 2])
        self.assertEqual(daemon.calls[-1], ('GetEvents', {'level': 'info', 'limit': 512}))

    def test_what_is_not_kept_any_more(self):
        daemon = self.daemon(record(1), record(2))
        follow = self.follow()
        rig.wait_until(lambda: follow.output().count('bal is ready') == 2, 'the first records')
        daemon.stop()
        daemon.answers['GetEvents'] = answer(record(10), record(11))
        rig.wait_until(lambda: 'is gone' in follow.output(), 'its absence to be told')
        daemon.start()
        rig.wait_until(lambda: follow.output().count('bal is ready') == 4, 'the newer records')
        self.assertIn('bal: 7 records were missed', follow.output())

    def test_it_is_not_the_right_one(self):
        daemon = self.daemon(record(1))
        follow = self.follow()
        rig.wait_until(lambda: 'bal is ready' in follow.output(), 'the first record')
        daemon.stop()
        rig.wait_until(lambda: 'is gone' in follow.output(), 'its absence to be told')
        del daemon.answers['GetEvents']
        daemon.start()
        self.assertEqual(follow.wait(10), 1)
        self.assertIn('older than this bal', follow.output())

    def test_the_reader_goes_away(self):
        daemon = self.daemon(record(1))
        for gone in (False, True):
            read_end, write_end = os.pipe()
            follow = self.follow(stdout=write_end)
            os.close(write_end)
            self.assertTrue(os.read(read_end, 10))
            if gone:  # while it waits for the daemon, too
                daemon.stop()
                rig.wait_until(lambda: 'is gone' in follow.output(), 'its absence to be told')
            os.close(read_end)
            self.assertEqual(follow.wait(10), 0)

    def test_a_full_disk(self):
        self.daemon(record(1))
        with open('/dev/full', 'w', encoding='ascii') as full:
            self.assertEqual(self.follow(stdout=full).wait(10), 1)

    def test_interrupted(self):
        self.daemon(record(1))
        terminal = self.terminal('--follow')
        terminal.wait_for('bal is ready')
        terminal.write('\x03')
        self.assertEqual(terminal.wait(), -signal.SIGINT)


class ForReal(EventsTest):
    def start_bal(self):
        self.port = rig.free_port()
        self.echo_server = self.echo()
        self.config = rig.simple(self.port, [self.echo_server.address])
        return self.bal(self.config)

    def test_the_newest(self):
        bal = self.start_bal()
        bal.log_wait('daemon_ready')
        lines = bal.cli('events', check=0).stdout.splitlines()
        self.assertTrue(all(re.match(rf'{TIME} (INFO |WARN |ERROR) \S', line) for line in lines), lines)
        self.assertRegex('\n'.join(lines), rf'(?m)^{TIME} INFO  bal is ready  version=\S+ pid={bal.pid} ')
        ready = bal.cli('events', '--event=daemon_ready', check=0).stdout
        self.assertRegex(ready, rf'\A{TIME} INFO  bal is ready .*\n\Z')
        bal.cli('backend', 'maint', self.echo_server.address, '--yes', check=0)
        bal.write('nonsense: [')
        bal.cli('graceful', check=78)
        bal.log_wait('config_rejected')
        rejected = bal.cli('events', '--level=error', '--limit=1', check=0).stdout
        self.assertRegex(rejected, rf'\A{TIME} ERROR .* line=1 .*\n\Z')
        # as in the log, record for record
        docs = [json.loads(line) for line in bal.cli('events', '--json', check=0).stdout.splitlines()]
        seen = [{k: doc[k] for k in ('timestamp', 'level', 'message', 'module', 'event', 'fields')} for doc in docs]
        logged = [r for r in bal.log() if r['level'] in ('ERROR', 'WARN', 'INFO')]
        self.assertEqual(seen, logged[-len(seen):])

    def test_as_they_come(self):
        bal = self.start_bal()
        follow = self.follow('--event=backend_state', '--json', '--limit=0', env=bal.env)
        plain = self.follow('--level=warn', env=bal.env)
        rig.wait_until(lambda: bal.fds() and len(self.readers(bal)) == 2, 'both to be there')
        self.echo_server.end()
        rig.wait_until(lambda: 'the backend is down' in follow.output() and 'the backend is down' in plain.output(),
                       'the backend to be down')
        docs = [json.loads(line) for line in follow.output().splitlines()]
        self.assertEqual({(doc['kind'], doc['event']) for doc in docs}, {('bal.event', 'backend_state')})
        self.assertNotIn('INFO', plain.output())

    def readers(self, bal):
        """Clients of the status socket, as the kernel sees them."""
        with open('/proc/net/unix', encoding='ascii') as f:
            return [line for line in f if line.rstrip().endswith(f'{bal.run}/status.sock') and
                    line.split()[5] == '03']

    def test_over_a_restart(self):
        bal = self.start_bal()
        bal.log_wait('daemon_ready')
        terminal = self.terminal('--follow', '--limit=100', env=bal.env)
        terminal.wait_for('bal is ready')
        bal.cli('stop', check=0)
        terminal.wait_for('bal: the daemon is gone; waiting for it, Ctrl-C ends')
        fresh = self.bal(None, command=[rig.BAL, 'start', '--no-watch', '-c', bal.config_path],
                         env={'RUNTIME_DIRECTORY': bal.run}, wait=False)
        fresh.run = bal.run
        fresh.wait_ready()
        terminal.wait_for('bal: the daemon is back')
        terminal.wait_for(f'pid={fresh.pid}')
        fresh.cli('backend', 'maint', self.echo_server.address, '--yes', check=0)
        terminal.wait_for('io.bal.Admin.SetState')
        said = terminal.said.decode().replace('\r\n', '\n')
        self.assertEqual(said.count('bal is ready'), 2, said)
        # what it said when it went is there, too: the connection lasts as long as the daemon
        self.assertIn('io.bal.Admin.Stop', said)
        self.assertEqual(sum('is gone' in line for line in said.splitlines()), 1)
        terminal.write('\x03')
        self.assertEqual(terminal.wait(), -signal.SIGINT)

    def test_killed(self):
        bal = self.start_bal()
        follow = self.follow('--json', env=bal.env)
        rig.wait_until(lambda: 'daemon_ready' in follow.output(), 'the records')
        bal.expected_exit = -signal.SIGKILL
        bal.kill(signal.SIGKILL)
        rig.wait_until(lambda: '"gone"' in follow.output(), 'its end to be told')
        bal.wait()
        fresh = self.bal(None, command=[rig.BAL, 'start', '--no-watch', '-c', bal.config_path],
                         env={'RUNTIME_DIRECTORY': bal.run}, wait=False)
        fresh.run = bal.run
        rig.wait_until(lambda: follow.output().count('daemon_ready') == 2, 'the records of the next')
        docs = [json.loads(line) for line in follow.output().splitlines()]
        self.assertEqual([doc['fields']['pid'] for doc in docs if doc.get('event') == 'daemon_ready'],
                         [bal.pid, fresh.pid])
        self.assertEqual([doc['notice'] for doc in docs if doc['kind'] == 'bal.notice'], ['gone', 'back'])

    def test_a_reader_that_pauses(self):
        """Who does not read for a while does not hold up the daemon; no record is told twice or out of order, and
        how many were missed is told."""
        bal = self.start_bal()
        read_end, write_end = os.pipe()
        follow = self.follow('--json', env=bal.env, stdout=write_end)
        os.close(write_end)
        rig.wait_until(lambda: self.readers(bal), 'it to be there')
        for _ in range(1500):  # far more than the pipe, the socket and the daemon keep
            bal.call('io.bal.Admin.SetWeight', {'backend': self.echo_server.address, 'weight': 5}, 'admin.sock')
        bal.call('io.bal.Admin.SetWeight', {'backend': self.echo_server.address, 'weight': 6}, 'admin.sock')
        os.set_blocking(read_end, False)
        said = b''

        def through():
            nonlocal said
            try:
                said += os.read(read_end, 65536)
            except BlockingIOError:
                return False
            return said.endswith(b'\n') and json.loads(said.splitlines()[-1]).get('number') == last
        last = json.loads(bal.cli('events', '--json', '--limit=1', check=0).stdout)['number']
        rig.wait_until(through, f'record {last}', 20)
        docs = [json.loads(line) for line in said.splitlines()]
        numbers = [doc['number'] for doc in docs if doc['kind'] == 'bal.event']
        self.assertEqual(numbers, sorted(set(numbers)))
        missed = sum(doc.get('missed', 0) for doc in docs if doc['kind'] == 'bal.notice')
        self.assertEqual(len(numbers) + missed, last + 1)
        print(f'{len(numbers)} of {last + 1} records, {missed} missed')
        os.close(read_end)
        self.assertEqual(follow.wait(10), 0)


if __name__ == '__main__':
    rig.main()
