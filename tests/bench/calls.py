#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The system calls of a row, by unit: calls.py [--rows l4-keepalive,l7-connect] [--seconds 3]

Traces the busiest thread of each proxy with `strace -c` while it is under the row's load, and prints
how many of which call it makes for one request or connection. strace makes everything slower, so no time
of it means anything; the numbers of calls do. Needs BENCH_BAL and BENCH_TOOLS, as run.sh sets them.
"""

import argparse
import os
import shutil
import signal
import sys

import proxies
import report
import rounds
import rows
import stage

ATTACH_S = 10
TRIES = 5


def options():
    parser = argparse.ArgumentParser(description=__doc__.split('\n', maxsplit=1)[0])
    parser.add_argument('--rows', default='l4-keepalive,l4-connect,l7-keepalive,l7-connect', metavar='A,B')
    parser.add_argument('--seconds', type=int, default=3, metavar='S')
    args = parser.parse_args()
    try:
        args.rows = [row for row in rows.chosen(args.rows.split(',')) if rounds.timed(row)]
    except ValueError as e:
        parser.error(str(e))
    return args


def thread_ticks(pids):
    """{id of a thread: what it has used}"""
    found = {}
    for pid in pids:
        for thread in os.listdir(f'/proc/{pid}/task'):
            fields = stage.read(f'/proc/{pid}/task/{thread}/stat').rpartition(')')[2].split()
            found[thread] = int(fields[11]) + int(fields[12])
    return found


def busiest_thread(runner, player):
    """Which one it is shows under load only."""
    pids = runner.proxy(player).process.pids()
    for _ in range(TRIES):
        before = thread_ticks(pids)
        runner.run(player, 1)
        used = {thread: ticks - before.get(thread, 0) for thread, ticks in thread_ticks(pids).items()}
        thread = max(used, key=used.get)
        if used[thread] > 0:
            return thread
    raise stage.Failure(f'no thread of {player.label} does anything')


def counted(text):
    """{call: times}, from strace's table of name, calls, errors."""
    found = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 2 and words[1].isdigit() and words[0] != 'total':
            found[words[0]] = int(words[1])
    return found


def trace(s, runner, player, seconds):
    """{call: times per unit} of its busiest thread."""
    thread = busiest_thread(runner, player)
    table = s.path(s.name_for('calls'))
    strace = s.start('strace', ['strace', '-c', '-U', 'name,calls,errors', '-o', table, '-p', thread])
    stage.wait_until(lambda: 'attached' in strace.output() or not strace.alive(), 'strace', ATTACH_S)
    if not strace.alive():
        raise stage.Failure(f'strace: {strace.output().strip()}')
    sample = runner.run(player, seconds)
    strace.end(signal.SIGINT)
    s.end(strace)
    with open(table, encoding='ascii') as f:
        return {call: times / sample.units for call, times in counted(f.read()).items()}


def trace_row(s, row, seconds):
    runner, found = rounds.Runner(s, row, seconds), {}
    try:
        for player in row.players:
            if player.kind != 'direct':
                found[player.label] = trace(s, runner, player, seconds)
    finally:
        runner.close()
    return found


def print_row(row, found):
    print(f'== {row.name}: {row.title}; calls per {row.unit}')
    calls = sorted({call for each in found.values() for call in each},
                   key=lambda call: -max(each.get(call, 0) for each in found.values()))
    lines = [['', *found]]
    for call in calls:
        if max(each.get(call, 0) for each in found.values()) >= 0.01:
            lines.append([call, *(f'{each.get(call, 0):.2f}' for each in found.values())])
    lines.append(['all', *(f'{sum(each.values()):.2f}' for each in found.values())])
    print('\n'.join('   ' + line for line in report.table(lines)) + '\n', flush=True)


def trace_rows(rows, seconds):
    stage.raise_limit()
    if not shutil.which('strace'):
        raise stage.Failure('there is no strace (Debian: strace)')
    with stage.Stage() as s:
        http = proxies.bal_speaks_http(s)
        for row in rows:
            if row.needs_http() and not http:
                print(f'== {row.name}: left out, this bal refuses protocol: http\n')
                continue
            print_row(row, trace_row(s, row, seconds))


def main():
    args = options()
    return stage.run('calls', lambda: trace_rows(args.rows, args.seconds))


if __name__ == '__main__':
    sys.exit(main())
