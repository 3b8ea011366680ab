#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What no compiler checks: lint.py format|width|shell|man|headers|readme SOURCE [BAL]

Each is one meson test of the suite lint. Exit status 77 (meson: skipped) when the tool is missing.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile

SKIP = 77
SOURCE = os.path.abspath(sys.argv[2] if len(sys.argv) > 2 else '.')
FOLDERS = ('src', 'include', 'sample', 'tests', 'tui', 'docs', 'units', '.ci')
FLAGS = ['-std=gnu17', '-D_GNU_SOURCE', '-DBAL_VERSION="0"', '-Wall', '-Wextra', '-Wno-unused-function', '-Werror',
         '-Iinclude', '-Isrc', '-Itui', '-fsyntax-only', '-x', 'c']


def find(wanted):
    """Paths below the source folders, relative to the source, for which wanted(path) is true."""
    for top in FOLDERS:
        for folder, _, names in os.walk(os.path.join(SOURCE, top)):
            for name in sorted(names):
                path = os.path.relpath(os.path.join(folder, name), SOURCE)
                if wanted(path):
                    yield path


def c_files():
    return list(find(lambda path: path.endswith(('.c', '.h'))))


def first_line(path):
    with open(os.path.join(SOURCE, path), 'rb') as f:
        return f.readline(200)


def run(*argv):
    """The status and the output of a program, run in the source folder; skips when there is none."""
    if not shutil.which(argv[0]):
        print(f'{argv[0]} is not installed')
        sys.exit(SKIP)
    done = subprocess.run(argv, cwd=SOURCE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return done.returncode, done.stdout


def check_format():
    status, said = run('clang-format', '--dry-run', '-Werror', *c_files())
    return [said] if status else []


def check_width():
    """Comments are wrapped by hand, and every file names its licence."""
    problems = []
    ends = ('.c', '.h', '.py', '.sh', '.bash', '.fish', '/_bal', '/run')
    for path in find(lambda path: path.endswith(ends) or os.path.basename(path) == 'run'):
        if 'corpus' in path:
            continue
        with open(os.path.join(SOURCE, path), encoding='utf-8') as f:
            lines = f.read().split('\n')
        if not any('SPDX-License-Identifier: MIT' in line for line in lines[:3]):
            problems.append(f'{path}:1: no SPDX line')
        if path.endswith(('.c', '.h')):
            problems += [f'{path}:{n}: {len(line)} columns' for n, line in enumerate(lines, 1)
                         if len(line) > 100 and re.match(r'\s*(/?\*|//)|.*/\*', line)]
        problems += [f'{path}:{n}: blanks at the end' for n, line in enumerate(lines, 1) if line != line.rstrip()]
    return problems


def check_shell():
    scripts = list(find(lambda path: path.endswith(('.sh', '.bash')) or re.match(rb'#!.*\b(ba|da)?sh\b', first_line(path))))
    if not scripts:
        return ['no script found']
    status, said = run('shellcheck', *scripts)
    return [said] if status else []


def check_man():
    problems = []
    pages = list(find(lambda path: path.startswith('docs') and re.search(r'\.[1-8]$', path)))
    for page in pages:
        said = run('mandoc', '-T', 'lint', '-W', 'style', page)[1]
        # a page that this machine has not installed is no fault of ours
        problems += [line for line in said.splitlines()
                     if not re.search('Xr|referenced manual not found|mandoc.db lacks', line)]
    print(f'{len(pages)} pages')
    return problems


def check_headers():
    """Every header stands alone, for both compilers."""
    problems = []
    headers = []
    for path in c_files():
        if not path.endswith('.h'):
            continue
        with open(os.path.join(SOURCE, path), encoding='utf-8') as f:
            text = f.read()
        if '#pragma once' in text:
            headers.append(path)
        elif not re.search(r'^[A-Z]+\([A-Z]\w+, ', text, re.M):  # a table is read several times
            problems.append(f'{path}: neither #pragma once nor a table of rows')
    for compiler in ('gcc', 'clang'):
        for header in headers:
            status, said = run(compiler, *FLAGS, '-I', os.path.dirname(header), '-include', header, '/dev/null')
            if status:
                problems.append(f'{compiler}: {header}\n{said}')
    return problems


def check_readme():
    """What README.md tells people to type exists, and its example of a configuration is a valid one."""
    bal = os.path.abspath(sys.argv[3])
    problems = []
    with open(os.path.join(SOURCE, 'README.md'), encoding='utf-8') as f:
        text = f.read()
    blocks = re.findall(r'^```(\w*)\n(.*?)^```', text, re.M | re.S)
    code = '\n'.join(block for kind, block in blocks if kind in ('', 'sh')) + '\n'.join(re.findall(r'`([^`\n]+)`', text))
    for verb in sorted(set(re.findall(r'(?:^|[ /`])bal ([a-z]+)', code, re.M))):
        status, said = run(bal, verb, '--help')
        if status:
            problems.append(f'bal {verb}: {said}')
    for path in sorted(set(re.findall(r'(?:^|[ `])((?:sample|tests|docs|build|src)/[\w./-]+)', code, re.M) +
                           re.findall(r'\]\(([\w./-]+)\)', text))):
        if not path.startswith('build/') and not os.path.exists(os.path.join(SOURCE, path)):
            problems.append(f'{path} does not exist')
    examples = [block for kind, block in blocks if kind == 'yaml']
    for example in examples:
        with tempfile.NamedTemporaryFile('w', suffix='.yaml') as f:
            f.write(example)
            f.flush()
            status, said = run(bal, 'check', '-c', f.name)
            if status:
                problems.append(f'an example:\n{example}\n{said}')
    return problems if examples and code else problems + ['no example in README.md']


def main():
    problems = globals()[f'check_{sys.argv[1]}']()
    print('\n'.join(problems))
    return 1 if problems else 0


if __name__ == '__main__':
    sys.exit(main())
