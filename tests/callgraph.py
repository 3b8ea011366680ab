#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""No recursion in src/proxy, and a bound on the stack that its deepest chain of calls takes.

    callgraph.py BUILD [FOLDER ...]     folders below src; proxy if none is given

A session that steps another one from inside a step once ended the daemon by recursion, through ten
functions of three files of which each was sound by itself. gcc writes down who calls whom, and how
much stack each function takes (-fcallgraph-info=su); this adds it up over the files of a folder.
Calls through pointers do not count: those are callbacks of the loop, which is nobody's callee.
"""

import concurrent.futures
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

STACK_MAX = 64 * 1024  # bytes, without optimisation; a worker has four times that (WORKER_STACK)
DROPPED = re.compile(r'-f(sanitize|no-sanitize|no-omit)|-O|-g|-M|-flto|-fprofile|--coverage|-Werror|-W')


def compile_argv(entry, out):
    """What compiles the same file with gcc, so that it tells of calls."""
    argv, kept = shlex.split(entry['command']), ['gcc']
    while argv and not argv[0].startswith('-'):
        argv.pop(0)  # ccache, the compiler
    skip = False
    for word in argv:
        if skip or DROPPED.match(word):
            skip = word in ('-MF', '-MQ', '-MT')
        elif word in ('-o', '-c'):
            skip = word == '-o'
        else:
            kept.append(word)
    return kept + ['-w', '-O0', '-fcallgraph-info=su', '-c', '-o', out]


def read_graph(path, calls, frames):
    with open(path, encoding='utf-8', errors='replace') as f:
        text = f.read()
    for title, label in re.findall(r'node: \{ title: "([^"]+)" label: "([^"]*)"', text):
        size = re.search(r'(\d+) bytes', label)
        if size:
            frames[title] = int(size[1])
            calls.setdefault(title, set())
    for source, target in re.findall(r'edge: \{ sourcename: "([^"]+)" targetname: "([^"]+)"', text):
        calls.setdefault(source, set()).add(target)


def graph_of(build, folders):
    calls, frames = {}, {}
    with open(os.path.join(build, 'compile_commands.json'), encoding='utf-8') as f:
        entries = [e for e in json.load(f)
                   if any(f'/src/{folder}/' in os.path.normpath(os.path.join(e['directory'], e['file'])) for folder in folders)]
    with tempfile.TemporaryDirectory() as scratch:
        def one(numbered):
            number, entry = numbered
            out = os.path.join(scratch, f'{number}.o')
            subprocess.run(compile_argv(entry, out), cwd=entry['directory'], check=True)
            return os.path.join(scratch, f'{number}.ci')
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            for path in pool.map(one, enumerate(entries)):
                read_graph(path, calls, frames)
    return len(entries), calls, frames


def name_of(title):
    return title.rsplit(':', 1)[-1]


def cycle_in(calls):
    """A chain of calls that comes back to where it began, or None."""
    done, trail, on_trail = set(), [], set()

    def visit(node):
        if node in on_trail:
            return trail[trail.index(node):] + [node]
        if node in done:
            return None
        trail.append(node)
        on_trail.add(node)
        for target in sorted(calls.get(node, ())):
            found = visit(target)
            if found:
                return found
        done.add(trail.pop())
        on_trail.discard(node)
        return None
    for node in sorted(calls):
        found = visit(node)
        if found:
            return found
    return None


def deepest(calls, frames):
    """(bytes, chain) of the chain of calls that takes the most stack. calls has no cycle."""
    best = {}

    def depth(node):
        if node not in best:
            below = max((depth(target) for target in calls.get(node, ())), default=(0, ()))
            best[node] = (frames.get(node, 0) + below[0], (node,) + below[1])
        return best[node]
    return max(depth(node) for node in calls)


def main():
    build, folders = sys.argv[1], sys.argv[2:] or ['proxy']
    if not shutil.which('gcc'):
        print('gcc is not here')
        return 77
    n_files, calls, frames = graph_of(build, folders)
    if not n_files or not frames:
        print(f'no file of {folders} is compiled in {build}')
        return 1
    cycle = cycle_in(calls)
    if cycle:
        print('recursion:', ' -> '.join(map(name_of, cycle)))
        return 1
    size, chain = deepest(calls, frames)
    print(f'{n_files} files, {len(frames)} functions, no recursion; the deepest chain takes {size} bytes:')
    print('  ' + ' -> '.join(f'{name_of(node)} {frames.get(node, 0)}' for node in chain))
    if size > STACK_MAX:
        print(f'more than {STACK_MAX}')
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
