#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What bal-top costs: first paint, bytes to the terminal, CPU and memory, on pseudo-terminals, with a scripted daemon
whose counters all move. Asserts nothing: BAL_TOP_BIN=build/tui/bal-top python3 tests/bench/top.py [SECONDS]"""

import os
import statistics
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'flow'))
import scripted  # noqa: E402
import test_top  # noqa: E402

SECONDS = int(sys.argv[1]) if len(sys.argv) > 1 else 10


def cpu_ticks(pid):
    with open(f'/proc/{pid}/stat', encoding='ascii') as f:
        fields = f.read().rpartition(')')[2].split()
    return int(fields[11]) + int(fields[12])


def rss_kib(pid):
    with open(f'/proc/{pid}/status', encoding='ascii') as f:
        return next(int(line.split()[1]) for line in f if line.startswith('VmRSS'))


class Bench(test_top.TopTest):
    def terminal(self, columns, rows):
        return scripted.Terminal(self, [test_top.TOP], self.env(TERM='xterm-256color'), columns, rows)

    def first_paint(self):
        times, sizes = [], []
        for _ in range(40):
            began = time.perf_counter()
            t = self.terminal(80, 24)
            while b'10.20.0.202:8080' not in t.said:
                t.read(1)
            times.append((time.perf_counter() - began) * 1000)
            end = time.monotonic() + 0.15
            while time.monotonic() < end:
                t.read(0.02)
            sizes.append(len(t.said))
            t.write('q')
            t.wait()
        times.sort()
        print(f'first paint, 200 backends: median {statistics.median(times):.1f} ms, p95 {times[37]:.1f} ms; '
              f'{max(sizes)} bytes in the first 150 ms')

    def steady(self, name, columns, rows):
        t = self.terminal(columns, rows)
        end = time.monotonic() + 2.5
        while time.monotonic() < end:
            t.read(0.1)
        said, ticks, began = len(t.said), cpu_ticks(t.pid), time.monotonic()
        while time.monotonic() < began + SECONDS:
            t.read(0.1)
        took = time.monotonic() - began
        cpu = (cpu_ticks(t.pid) - ticks) / os.sysconf('SC_CLK_TCK') / took
        print(f'{name} {columns}x{rows}: {(len(t.said) - said) / took:.0f} bytes/s, {cpu:.2%} CPU, '
              f'{rss_kib(t.pid) / 1024:.1f} MiB')
        t.write('q')
        t.wait()

    def test_all(self):
        d = self.daemon()
        self.first_paint()
        self.steady('idle, 200 backends', 80, 24)
        d.moving = True
        for size in ((80, 24), (120, 35), (200, 60)):
            self.steady('all moving, 200 backends', *size)
        with d.lock:
            d.document = scripted.status(test_top.many(1000))
        self.steady('all moving, 1000 backends', 80, 24)


if __name__ == '__main__':
    unittest.main(argv=sys.argv[:1])
