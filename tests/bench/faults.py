#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What clients notice of a fault behind bal, HAProxy and nginx; tests/bench/faults.sh builds bal and calls it.

Each case starts one proxy and its backends in a network namespace of their own, breaks something while
clients are there, and counts: errors, and the longest that any client had to wait, until it had its answer
or knew that there is none. A client gives up after 10 s. Nothing is judged: the exit status is 0 when all
cases ran or were skipped, 1 when one could not be measured, and 130 when a signal ended it.
"""

import argparse
import asyncio
import dataclasses
import datetime
import json
import os
import platform
import sys
import time

import faults_cases
import faults_proxies
import faults_rig
import proxies
import report
import stage

NAMES = {'bal': 'bal', 'haproxy': 'HAProxy', 'nginx': 'nginx'}
QUIET = 0.05  # what others may use of the machine before worst latencies say little
MORE, SLOWER, SLOWER_S = 1.03, 1.5, 0.1  # what numbers of equals may differ by


def arguments():
    parser = argparse.ArgumentParser(prog='tests/bench/faults.sh', description=__doc__.split('\n', maxsplit=1)[0])
    parser.add_argument('--only', metavar='A,B', help='only these cases; two is all that begin with two-, also two-*')
    parser.add_argument('--proxy', default=','.join(NAMES), metavar='A,B', help='bal,haproxy,nginx if not given')
    parser.add_argument('--bal', metavar='PATH', help='this bal; nothing is built')
    parser.add_argument('--json', metavar='FILE', help='everything as one document')
    parser.add_argument('--short', action='store_true', help='less load: to see that it works, not how well')
    parser.add_argument('--list', action='store_true', help='the cases, and no measurement')
    args = parser.parse_args()
    args.proxy = args.proxy.split(',')
    if unknown := set(args.proxy) - set(NAMES):
        parser.error(f'there is no proxy {unknown.pop()}; the proxies are: {" ".join(NAMES)}')
    try:
        args.cases = faults_cases.chosen(args.only.split(',')) if args.only else faults_cases.CASES
    except ValueError as e:
        parser.error(str(e))
    return args


# ---- measuring ----

class Cell:
    """What came of one case with one proxy."""

    def __init__(self, outcome=None, why_not='', failed=False):
        self.outcome, self.why_not, self.failed = outcome, why_not, failed

    def text(self):
        if not self.outcome:
            return self.why_not
        errors = self.outcome.errors()
        words = f' ({", ".join(word for word, _ in errors.most_common(2))})' if errors else ''
        parts = [f'{errors.total()} of {len(self.outcome.visits)}{words}', f'worst {seconds(self.outcome.worst_s())}']
        return '; '.join(parts + [faults_cases.FACTS[name].format(fact_text(name, value))
                                  for name, value in self.outcome.facts.items()])

    def document(self):
        if not self.outcome:
            return {'why_not': self.why_not, 'failed': self.failed}
        ms = {name: round(value * 1000, 1) for name, value in
              (('worst_ms', self.outcome.worst_s()), ('p99_ms', self.outcome.p99_s())) if value is not None}
        return {'requests': len(self.outcome.visits), 'errors': self.outcome.errors().total(),
                'kinds': dict(self.outcome.errors()), **ms, **self.outcome.facts}


def seconds(value):
    return report.duration(None if value is None else value * 1e6)


def fact_text(name, value):
    if not name.endswith('_s'):
        return value
    return 'never' if value is None else seconds(value)


def measure(case, kind, short):
    """One case with one proxy, and nothing left of it."""
    try:
        own_network = True
        try:
            faults_rig.fresh_network()
        except faults_rig.Skip:
            own_network = False
            if case.isolated:
                raise
        with stage.Stage() as s:
            rig = faults_rig.Rig(s, kind, case.protocol, own_network, short)
            try:
                outcome = asyncio.run(case.run(rig))
            finally:
                death = rig.end()
        if death:
            outcome.facts['death'] = death
        return Cell(outcome)
    except faults_rig.Skip as e:
        return Cell(why_not=f'skipped: {e}')
    except (stage.Failure, OSError) as e:
        return Cell(why_not=f'failed: {e}', failed=True)


def measure_all(args):
    """{case: {kind: Cell}}"""
    stage.raise_limit()
    absent = {kind: faults_proxies.missing(kind) for kind in args.proxy}
    rows = {}
    for case in args.cases:
        print(f'== {case.name}: {case.title}', flush=True)
        rows[case] = {}
        for kind in args.proxy:
            began = time.monotonic()
            cell = Cell(why_not=f'skipped: {absent[kind]}') if absent[kind] else measure(case, kind, args.short)
            rows[case][kind] = cell
            p99 = f'; p99 {seconds(cell.outcome.p99_s())}' if cell.outcome else ''
            print(f'   {NAMES[kind]:8} {cell.text()}{p99}  ({time.monotonic() - began:.1f} s)', flush=True)
    return rows


# ---- reporting ----

def is_worse(ours, theirs, name=''):
    """Times are worse when that is plain to see, counts when they are higher by more than a few of a hundred."""
    if name.endswith('_s'):
        return theirs is not None and (ours is None or ours > SLOWER * theirs + SLOWER_S)
    return ours > MORE * theirs


def verdict(cells):
    """In what bal is worse than the better of the others; empty: in nothing."""
    ours, *others = [cells[kind].outcome for kind in NAMES if kind in cells]
    others = [other for other in others if other]
    if 'bal' not in cells or not ours or not others:
        return ''
    found = [ours.facts['death']] if 'death' in ours.facts else []
    errors = ours.errors().total()
    fewest = min(other.errors().total() for other in others)
    if is_worse(errors, fewest):
        found.append(f'{errors} errors, not {fewest}')
    # what fails at once is no faster than what is served late, and leaves nothing behind
    others = [other for other in others if not is_worse(other.errors().total(), errors)]
    worst = min((other.worst_s() for other in others), default=None)
    if is_worse(ours.worst_s(), worst, 'worst_s'):
        found.append(f'worst {seconds(ours.worst_s())}, not {seconds(worst)}')
    for name in faults_cases.LESS_IS_BETTER:
        theirs = [other.facts[name] for other in others if other.facts.get(name) is not None]
        if name in ours.facts and theirs and is_worse(ours.facts[name], min(theirs), name):
            words, best = (fact_text(name, value) for value in (ours.facts[name], min(theirs)))
            found.append(faults_cases.FACTS[name].format(words) + f', not {best}')
    return '; '.join(found)


def versions(kinds):
    asked = {'bal': '--version', 'haproxy': '-v', 'nginx': '-v'}
    found = [proxies.said_by(proxies.program(kind), asked[kind]).split('\n')[0].strip()
             for kind in kinds if not faults_proxies.missing(kind)]
    return [text.removeprefix('nginx version: ').split(' - https')[0] for text in found]


def markdown(args, rows):
    lines = [['case', *(NAMES[kind] for kind in args.proxy)]]
    lines += [[f'`{case.name}`', *(cells[kind].text().replace('|', '/') for kind in args.proxy)]
              for case, cells in rows.items()]
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    lines.insert(1, ['-' * width for width in widths])
    return '\n'.join('| ' + ' | '.join(cell.ljust(width) for cell, width in zip(line, widths)) + ' |' for line in lines)


def print_table(args, rows, about):
    print('\nCases:\n')
    for case in rows:
        print(f'- `{case.name}`: {case.title}')
    print('\nSettings:\n')
    for kind in args.proxy:
        print(f'- {NAMES[kind]}: {faults_proxies.SETTINGS[kind]}')
    worse = [f'- `{case.name}`: {said}' for case, cells in rows.items() if (said := verdict(cells))]
    if 'bal' in args.proxy and len(args.proxy) > 1:
        print('\n'.join([f'\nbal is worse than the better peer in {len(worse)} of {len(rows)} cases:\n', *worse]))
    print('\nErrors of requests, and the longest that a client waited:\n')
    print(markdown(args, rows))
    print(f'\n{"; ".join(about["versions"])}. {about["cpus"]} CPUs, Linux {about["kernel"]}, {about["when"][:10]}'
          + ('; short, so the numbers mean little' if args.short else ''))


def save(path, about, rows):
    document = {'about': about, 'rows': [
        {'name': case.name, 'title': case.title, 'protocol': case.protocol, 'worse': verdict(cells),
         'proxies': {kind: cell.document() for kind, cell in cells.items()}} for case, cells in rows.items()]}
    with open(path, 'w', encoding='utf-8') as f:
        f.write(json.dumps(document, indent=1) + '\n')


def work(args):
    about = {'when': datetime.datetime.now(datetime.timezone.utc).isoformat(timespec='seconds'), 'short': args.short,
             'kernel': platform.release(), 'cpus': os.cpu_count(), 'versions': versions(args.proxy),
             'busy_before': round(stage.busy_share(), 3)}
    if about['busy_before'] > QUIET:
        print(f'warning: others use {about["busy_before"]:.0%} of this machine; latencies measured beside them say little')
    rows = measure_all(args)
    print_table(args, rows, about)
    if args.json:
        save(args.json, about, rows)
    return 1 if any(cell.failed for cells in rows.values() for cell in cells.values()) else 0


def main():
    args = arguments()
    if args.list:
        for case in args.cases:
            print(f'{case.name:22}{case.title}')
        return 0
    if args.bal:
        os.environ['BENCH_BAL'] = os.path.abspath(args.bal)
    return stage.run('faults', lambda: work(args))


if __name__ == '__main__':
    sys.exit(main())
