#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""That the programs beside run.sh work: growth.py finds bal flat, scale.py and calls.py print their tables."""

import re

import bench_case
import growth


class Programs(bench_case.BenchCase):
    def test_growth(self):
        self.start('growth.py', '--connections', '10000', '--reloads', '100', '--looks', '2')
        said = self.end(0)
        print(said)
        self.assertEqual(len(re.findall(r'^(?:connections|reloads): .*: flat$', said, re.M)), 2, said)

    def test_what_counts_as_growth(self):
        rows = [(0, 0, True), (-80, -2, True), (512, 0, True), (513, 0, False), (0, 1, False), (-80, 1, False)]
        for kib, fds, flat in rows:
            self.assertEqual(growth.is_flat(kib, fds, 512), flat, (kib, fds))

    def test_scale(self):
        self.start('scale.py', 'workers', 'reloads', '--seconds', '1', '--rounds', '1')
        said = self.end(0)
        print(said)
        for size in ('1', '2', '100', '1000'):
            self.assertRegex(said, rf'(?m)^ +{size}( +[0-9][0-9. ]*)+$')

    def test_calls(self):
        self.start('calls.py', '--rows', 'l4-keepalive', '--seconds', '1')
        status, said = self.finish()
        if 'ot permitted' in said:
            self.skipTest('strace may not look at other processes here')
        self.assertEqual(status, 0, said)
        print(said)
        calls = {words[0]: float(words[1]) for words in (line.split() for line in said.splitlines()[2:]) if words}
        # to and fro, once each: what comes in one piece is read once, and written once
        for name in ('recvfrom', 'sendto'):
            self.assertGreater(calls[name], 1.9, said)
            self.assertLess(calls[name], 3, said)


if __name__ == '__main__':
    bench_case.main()
