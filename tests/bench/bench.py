#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""bal beside HAProxy and nginx on this machine; tests/bench/run.sh builds what it needs and calls it.

No time is asserted: the exit status is 0 when every row could be measured, 1 when one could not, and
130 when a signal ended it. docs/PERFORMANCE.md says what the rows mean.
"""

import argparse
import dataclasses
import datetime
import json
import os
import platform
import shutil
import sys

import plot
import proxies
import report
import rounds
import rows
import stage
from loads import Idle
from result import Result

QUIET = 0.05  # what others may use of the machine before we say that numbers mean little
SHORT_SESSIONS = 1000


def arguments():
    parser = argparse.ArgumentParser(prog='tests/bench/run.sh', description=__doc__.split('\n', maxsplit=1)[0])
    parser.add_argument('--rows', default='*', metavar='A,B', help='only these; l4* is all that begin so')
    parser.add_argument('--rounds', type=int, metavar='N', help='5 if not given')
    parser.add_argument('--seconds', type=int, metavar='S', help='of one run; 3 if not given')
    parser.add_argument('--short', action='store_true', help='1 round of 1 s: to see that it works, not how quick')
    parser.add_argument('--json', metavar='FILE', help='everything as one document')
    parser.add_argument('--markdown', metavar='FILE', help='the table of docs/PERFORMANCE.md')
    parser.add_argument('--svg', metavar='FILE', help='the ratios as a picture')
    parser.add_argument('--list', action='store_true', help='the rows, and no measurement')
    args = parser.parse_args()
    args.rounds = args.rounds or (1 if args.short else 5)
    args.seconds = args.seconds or (1 if args.short else 3)
    if not 1 <= args.rounds <= 1000 or not 1 <= args.seconds <= 600:
        parser.error('rounds are 1 to 1000, seconds 1 to 600')
    try:
        args.rows = rows.chosen(args.rows.split(','))
    except ValueError as e:
        parser.error(str(e))
    return args


def cpu_model():
    for line in stage.read('/proc/cpuinfo').splitlines():
        if line.startswith('model name'):
            return line.split(':', 1)[1].strip()
    return platform.machine()


def describe(args):
    """What somebody has to know who reads the numbers later."""
    return {'when': datetime.datetime.now(datetime.timezone.utc).isoformat(timespec='seconds'),
            'kernel': platform.release(), 'cpu': cpu_model(), 'cpus': os.cpu_count(),
            'busy_before': round(stage.busy_share(), 3), 'rounds': args.rounds, 'seconds': args.seconds,
            'versions': proxies.versions(), 'programs': {name: proxies.program(name) for name in proxies.NAMES}}


def print_about(about):
    print('; '.join(about['versions'].values()))
    print(f'{about["cpus"]} x {about["cpu"]}, Linux {about["kernel"]}, {about["rounds"]} rounds of {about["seconds"]} s')
    if about['busy_before'] > QUIET:
        print(f'warning: others use {about["busy_before"]:.0%} of this machine; numbers made beside them mean little')
    print(flush=True)


def smaller(row, limit):
    """The row, with what --short and the limit of descriptors leave of it."""
    if isinstance(row.load, Idle) and row.load.sessions > limit:
        return dataclasses.replace(row, load=Idle(limit))
    return row


def tell(text):
    """On the terminal of whoever waits; the next line takes its place."""
    if sys.stderr.isatty():
        sys.stderr.write('\r' + text[:shutil.get_terminal_size().columns - 1].ljust(70) + '\r')
        sys.stderr.flush()


def measure_all(args, results):
    files = stage.raise_limit()
    sessions = SHORT_SESSIONS if args.short else max(100, min(proxies.CONNECTIONS, files // 2) - 500)
    with stage.Stage() as s:
        http = proxies.bal_speaks_http(s)
        for row in args.rows:
            row = smaller(row, sessions)
            if row.needs_http() and not http:
                result = Result(row)
                result.why_not = 'not measured: this bal refuses protocol: http'
                result.left_out = True
            else:
                result = rounds.measure(s, row, args.rounds, args.seconds, not args.short, tell)
            results.append(result)
            tell('')
            print(report.row_text(result) + '\n', flush=True)


def save(args, about, results):
    for path, made in ((args.json, lambda: json.dumps(report.document(about, results), indent=1) + '\n'),
                       (args.markdown, lambda: report.markdown(about, results)),
                       (args.svg, lambda: plot.svg(about, results))):
        if path:
            with open(path, 'w', encoding='utf-8') as f:
                f.write(made())


def work(args):
    """1 when a row could not be measured."""
    results = []
    about = describe(args)
    print_about(about)
    measure_all(args, results)
    print(report.goals_text(results))
    save(args, about, results)
    return 1 if any(result.why_not and not result.left_out for result in results) else 0


def main():
    args = arguments()
    if args.list:
        for row in args.rows:
            print(f'{row.name:16}{row.title}')
        return 0
    return stage.run('bench', lambda: work(args))


if __name__ == '__main__':
    sys.exit(main())
