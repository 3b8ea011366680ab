#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What reaches the real journal: lines with priorities, records with fields, the catalog's words."""

import json
import subprocess
import time

import box

LOCAL = 'bind_address: 127.0.0.1\n'


class Journal(box.BoxTest):
    def serve(self, head=''):
        self.configure(box.simple(9295, [self.backend('one')], LOCAL + head))
        self.systemctl('start', 'bal')
        self.assertEqual(box.answer(9295), 'one')

    def entries(self, *match):
        """Of bal itself: neither systemd nor a command of the unit."""
        box.run('journalctl', '--sync')
        lines = box.run('journalctl', '_SYSTEMD_UNIT=bal.service', f'_PID={self.pid()}', '-o', 'json', '--all',
                        f'--since=@{self.since:.6f}', *match).stdout.splitlines()
        return [json.loads(line) for line in lines]

    def test_lines(self):
        """Clean NDJSON; the priority is the journal's, not part of the line."""
        self.serve('mode: advanced\nlog_level: debug')
        self.systemctl('reload', 'bal')
        box.wait_until(lambda: self.events('session_closed'), 'a session in the journal')
        box.run('journalctl', '--sync')
        text = box.run('journalctl', '-u', 'bal', '-t', 'bal', '-o', 'cat', f'--since=@{self.since:.6f}').stdout
        self.assertGreater(len(text.splitlines()), 5)
        for line in text.splitlines():
            done = subprocess.run(['jq', '-e', 'has("event")'], input=line, text=True, capture_output=True, check=False,
                                  timeout=30)
            self.assertEqual(done.returncode, 0, line + done.stderr)
        priorities = {'ERROR': '3', 'WARN': '4', 'INFO': '6', 'DEBUG': '7'}
        for entry in self.entries():
            self.assertEqual(entry['PRIORITY'], priorities[json.loads(entry['MESSAGE'])['level']], entry)
        self.assertEqual({json.loads(entry['MESSAGE'])['event'] for entry in self.entries('-p', 'warning')},
                         {'config_warning'})
        self.assertEqual(json.loads(self.bal('status', '--json').stdout)['log'], 'journal')

    def test_a_start_that_fails_is_an_error(self):
        self.configure('port: 9295\nbackends: []\nwrong: 1\n')
        self.systemctl('start', 'bal', status=1)
        box.run('journalctl', '--sync')
        errors = box.run('journalctl', '_SYSTEMD_UNIT=bal.service', '-p', 'err', '-o', 'cat',
                         f'--since=@{self.since:.6f}').stdout
        self.assertRegex(errors, r'(?m)^/etc/bal/config\.yaml:3:1: error\[E\d+\]')

    def test_a_reload_that_fails_is_an_error(self):
        self.serve()
        self.configure('port: 9295\nbackends: []\nwrong: 1\n')
        self.systemctl('reload', 'bal', status=1)
        box.run('journalctl', '--sync')
        errors = box.run('journalctl', '-u', 'bal', '-t', 'bal', '-p', 'err', '-o', 'cat',
                         f'--since=@{self.since:.6f}').stdout
        self.assertIn('"event":"config_rejected"', errors)
        self.assertRegex(errors, r'(?m)^\S*config\.yaml:3:1: ')
        self.assertRegex(errors, r'(?m)^bal: errors in /etc/bal/config\.yaml: nothing was changed')

    def test_where(self):
        """The command that bal logs prints shows the log."""
        self.serve()
        said = json.loads(self.bal('logs', '--json').stdout)
        self.assertEqual((said['log'], said['unit'], said['pid']), ('journal', 'bal.service', self.pid()))
        self.assertIn('nothing to open again', self.bal('logs', '--reopen').stdout)
        command = said['command'].split()
        self.assertEqual(command[0], 'journalctl')
        command.remove('-f')
        box.run('journalctl', '--sync')
        self.assertIn('"event":"daemon_ready"', box.run(*command).stdout)

    def test_fields(self):
        self.serve('log_format: journal')
        self.bal('backend', 'drain', self.name(), '--yes')
        [entry] = box.wait_until(lambda: self.entries('BAL_EVENT=backend_state'), 'the record')
        self.assertEqual((entry['BAL_BACKEND'], entry['BAL_FROM'], entry['BAL_TO'], entry['BAL_STATE']),
                         (self.name(), 'up', 'drain', 'drain'))
        self.assertEqual((entry['PRIORITY'], entry['SYSLOG_IDENTIFIER'], entry['_TRANSPORT']), ('6', 'bal', 'journal'))
        self.assertTrue(entry['CODE_FILE'].endswith('.c'))
        self.assertEqual([e for e in self.entries() if 'BAL_EVENT' not in e], [])
        self.assertEqual(len(self.entries(f'MESSAGE_ID={entry["MESSAGE_ID"]}')), 1)

        self.assertEqual(box.run('journalctl', '--update-catalog').returncode, 0)
        said = box.run('journalctl', '-x', '--no-pager', '_SYSTEMD_UNIT=bal.service', f'_PID={self.pid()}',
                       'BAL_EVENT=backend_state').stdout
        self.assertIn(' Subject: A backend has changed its state\n', said)
        self.assertIn(f' {self.name()} of pool main went from "up" to "drain".', said)

    def name(self):
        return json.loads(self.bal('status', '--json').stdout)['backends'][0]['name']

    def test_a_reload_changes_the_form(self):
        self.serve()
        with open(box.CONFIG, encoding='utf-8') as f:
            text = f.read()
        self.configure(text.replace('port: 9295', 'port: 9295\nlog_format: journal', 1))
        self.systemctl('reload', 'bal')
        box.wait_until(lambda: self.entries('BAL_EVENT=config_loaded'), 'a record with fields')
        self.configure(text.replace('port: 9295', 'port: 9295\nlog_schema: ecs', 1))
        self.systemctl('reload', 'bal')
        box.wait_until(lambda: [e for e in self.entries() if e['MESSAGE'].startswith('{"@timestamp"')], 'an ECS line')

    def test_a_journal_that_hangs_and_one_that_is_restarted(self):
        """Nobody waits for it; what it does not take goes to its stream, and is there later."""
        self.serve('log_format: journal')
        journald = int(self.show('MainPID', 'systemd-journald.service'))
        self.addCleanup(box.kill, journald, box.CONT)
        box.kill(journald, box.STOP)
        worst = 0
        for i in range(60):
            self.bal('backend', 'weight', self.name(), str(i % 5 + 2), '--yes')
            began = time.monotonic()
            self.assertEqual(box.answer(9295), 'one')
            worst = max(worst, time.monotonic() - began)
        self.assertLess(worst, 1)
        box.kill(journald, box.CONT)

        def weights():
            return len(self.entries('BAL_EVENT=backend_weight')) + len(self.events('backend_weight'))
        box.wait_until(lambda: weights() == 60, 'all 60 records', 20)

        self.systemctl('restart', 'systemd-journald')
        self.bal('backend', 'weight', self.name(), '9', '--yes')
        box.wait_until(lambda: self.entries('BAL_EVENT=backend_weight', 'BAL_TO=9'), 'a record after the restart')


if __name__ == '__main__':
    box.main()
