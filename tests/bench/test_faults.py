#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""That faults.py works: it counts what clients meet behind bal, says what it leaves out and why, and leaves
nothing behind, also when it is interrupted. How well bal does is not looked at, but for what is certain."""

import contextlib
import json
import os
import signal
import time
from unittest import mock

import bench_case
import faults
import faults_cases
import faults_rig
from faults_load import Visit

PROGRAM = 'faults.py'


def cell(errors, worst_s, requests=100, **facts):
    visits = [Visit(0, worst_s if i == 0 else 0.001, 'closed' if i < errors else '', '') for i in range(requests)]
    return faults.Cell(faults_cases.Outcome(visits, facts))


class Faults(bench_case.BenchCase):
    def measure(self, only, **env):
        path = os.path.join(self.dir, 'faults.json')
        self.start(PROGRAM, '--short', '--proxy', 'bal', '--only', only, '--json', path, **env)
        said = self.end(0)
        print(said)
        with open(path, encoding='utf-8') as f:
            return {row['name']: row['proxies']['bal'] for row in json.load(f)['rows']}, said

    def test_what_clients_meet(self):
        """tls-1 has no good answer, so that errors are seen to be counted."""
        found, said = self.measure('two-kill-tcp,tls-1,leave-slow-http')
        self.assertEqual(set(found), {'two-kill-tcp', 'leave-slow-http', 'tls-1'})
        self.assertEqual(found['two-kill-tcp']['requests'], 1250)
        self.assertLess(found['two-kill-tcp']['errors'], 125)  # half of all would be if nobody noticed
        self.assertGreater(found['two-kill-tcp']['worst_ms'], 0)
        self.assertEqual(found['tls-1']['errors'], found['tls-1']['requests'])
        self.assertIn('executed', found['leave-slow-http'])
        for name in found:
            self.assertRegex(said, rf'(?m)^\| `{name}` +\| \d+ of \d+')

    def test_a_network_of_its_own(self):
        """Or a word why there is none."""
        found, said = self.measure('syn-10-2-tcp')
        why_not = found['syn-10-2-tcp'].get('why_not')
        if why_not:
            self.assertRegex(said, r'\| skipped: ')
            self.skipTest(why_not)
        self.assertGreater(found['syn-10-2-tcp']['requests'], 0)

    def test_what_cannot_run(self):
        async def run(rig):
            raise faults_rig.Skip('no openssl')
        for isolated, why_not in ((True, 'no network'), (False, 'no openssl')):
            with mock.patch('faults_rig.fresh_network', side_effect=faults_rig.Skip('no network')):
                found = faults.measure(faults_cases.Case('x', 'x', 'tcp', run, isolated), 'bal', True)
            self.assertEqual((found.text(), found.failed), (f'skipped: {why_not}', False))

    def test_an_interrupt_ends_all(self):
        """While one of the backends is stopped, and clients wait for it."""
        self.start(PROGRAM, '--proxy', 'bal', '--only', 'two-stop-http')
        deadline = time.monotonic() + 60
        while not self.one_is_stopped() and time.monotonic() < deadline:
            time.sleep(0.02)
        self.assertTrue(self.one_is_stopped())
        self.popen.send_signal(signal.SIGINT)
        self.assertIn('ended by SIGINT', self.end(130))

    def one_is_stopped(self):
        for pid in bench_case.children(self.popen.pid):
            with contextlib.suppress(OSError), open(f'/proc/{pid}/stat', encoding='ascii', errors='replace') as f:
                if f.read().rpartition(')')[2].split()[0] == 'T':
                    return True
        return False

    def test_what_is_worse(self):
        rows = [
            (cell(0, 0.01), [cell(0, 0.01)], ''),
            (cell(3, 0.01), [cell(0, 1), cell(9, 0.01)], '3 errors, not 0'),
            (cell(0, 2.0), [cell(0, 1), cell(50, 0.01)], 'worst 2.00 s, not 1.00 s'),
            (cell(0, 0.09), [cell(0, 0.01)], ''),
            (cell(50, 0.01), [cell(49, 0.01)], ''),
            (cell(0, 0.01, executed=20), [cell(0, 0.01, executed=0)], '20 executed, not 0'),
            (cell(0, 0.01, used_again_s=None), [cell(0, 0.01, used_again_s=1.0)], 'used again after never, not 1.00 s'),
            (cell(0, 0.01, death='died (signal 11)'), [cell(9, 0.01)], 'died (signal 11)'),
            (cell(9, 0.01), [faults.Cell(why_not='skipped: no haproxy')], ''),
        ]
        for ours, others, said in rows:
            cells = dict(zip(('bal', 'haproxy', 'nginx'), [ours, *others]))
            self.assertEqual(faults.verdict(cells), said)

    def test_a_case_that_is_not_there(self):
        self.start(PROGRAM, '--only', 'queue,nonsense')
        self.assertIn('there is no case nonsense', self.end(2))


if __name__ == '__main__':
    bench_case.main(needed=('openssl',))
