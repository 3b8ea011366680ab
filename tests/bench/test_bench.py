#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""That tests/bench/run.sh works: it measures every row, adds up right, and leaves nothing behind, also
when it is interrupted or one of the proxies does not start. How quick anything is, is not looked at."""

import json
import os
import signal
import statistics
import time
import xml.etree.ElementTree

import bench_case

RUN = 'run.sh'
# one of each kind: every load, every way of starting a proxy, all that a row can say
ROWS = ['l4-keepalive', 'l4-keepalive-2', 'l4-down', 'l4-up', 'l4-connect', 'l4-latency', 'l4-backends', 'l4-status',
        'l4-idle', 'l7-keepalive', 'l7-connect', 'l7-down', 'l7-up', 'l7-idle', 'start', 'size']


class Bench(bench_case.BenchCase):
    def check_row(self, row):
        self.assertIsNone(row['why_not'], row['name'])
        self.assertEqual(row['warnings'], [], row['name'])
        for label, player in row['players'].items():
            for metrics in player['rounds']:
                self.assertIn(row['metric'], metrics, f'{row["name"]}: {label}')
                for name in {'per_s', 'cpu_us', 'p50_us', 'start_ms', 'rss_mib', 'size_kb'} & set(metrics):
                    self.assertGreater(metrics[name], 0, f'{row["name"]}: {label}: {name}')
        for ratio in row['ratios']:
            ours, theirs = ([metrics[ratio['metric']] for metrics in row['players'][ratio[side]]['rounds']]
                            for side in ('player', 'against'))
            each = [a / b for a, b in zip(ours, theirs)]
            self.assertAlmostEqual(ratio['median'], statistics.median(each))
            self.assertAlmostEqual(ratio['min'], min(each))
            self.assertAlmostEqual(ratio['max'], max(each))
        for goal in row['goals']:
            self.assertIsNotNone(goal['met'], f'{row["name"]}: {goal["text"]}')

    def test_short(self):
        document, picture = os.path.join(self.dir, 'bench.json'), os.path.join(self.dir, 'bench.svg')
        table = os.path.join(self.dir, 'bench.md')
        self.start(RUN, '--short', '--rows', ','.join(ROWS), '--json', document, '--svg', picture, '--markdown', table)
        said = self.end(0)
        print(said)
        with open(document, encoding='utf-8') as f:
            found = json.load(f)
        self.assertEqual(set(found['about']['versions']), {'bal', 'haproxy', 'nginx', 'wrk'})
        self.assertEqual([row['name'] for row in found['rows']], ROWS)
        left_out = [row for row in found['rows'] if (row['why_not'] or '').startswith('not measured: this bal refuses')]
        self.assertTrue(all(row['name'].startswith('l7-') for row in left_out), left_out)
        for row in found['rows']:
            self.assertIn(row['title'], said)
            if row not in left_out:
                self.check_row(row)
        with open(table, encoding='utf-8') as f:
            self.assertEqual([line.split('`')[1] for line in f if line.startswith('| `')], ROWS)
        root = xml.etree.ElementTree.parse(picture).getroot()
        self.assertTrue(root.tag.endswith('svg'))
        texts = [element.text for element in root if element.tag.endswith('text')]
        self.assertIn('l4-keepalive', texts)

    def test_rounds_take_turns(self):
        document = os.path.join(self.dir, 'bench.json')
        self.start(RUN, '--short', '--rows', 'l4-status', '--rounds', '3', '--json', document)
        self.end(0)
        with open(document, encoding='utf-8') as f:
            row, = json.load(f)['rows']
        self.assertEqual([len(player['rounds']) for player in row['players'].values()], [3, 3])
        self.check_row(row)

    def test_an_interrupt_ends_all(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(number):
                self.start(RUN, '--rows', 'l4-keepalive', '--seconds', '60')
                deadline = time.monotonic() + 30
                while not self.runs('wrk') and time.monotonic() < deadline:
                    time.sleep(0.05)
                self.assertTrue(self.runs('wrk'), 'a load')
                self.popen.send_signal(number)
                self.assertIn(f'ended by {number.name}', self.end(130))

    def runs(self, name):
        with open(f'/proc/{self.popen.pid}/task/{self.popen.pid}/children', encoding='ascii') as f:
            pids = f.read().split()
        found = []
        for pid in pids:
            try:
                with open(f'/proc/{pid}/comm', encoding='ascii') as f:
                    found.append(f.read().strip())
            except OSError:
                continue
        return name in found

    def test_a_proxy_that_does_not_start(self):
        self.start(RUN, '--short', '--rows', 'l4-keepalive', BENCH_HAPROXY='/bin/false')
        self.assertIn('haproxy ended', self.end(1))

    def test_a_row_that_is_not_there(self):
        self.start(RUN, '--rows', 'l4-keepalive,nonsense')
        said = self.end(2)
        self.assertIn('there is no row nonsense', said)
        self.assertIn('l4-connect', said)



if __name__ == '__main__':
    bench_case.main()
