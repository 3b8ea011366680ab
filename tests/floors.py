#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Fails when a file under src/ includes upward: floors.py [src]

A file may include its own folder and lower floors. Neighbours on one floor do not know each other.
"""

import os
import re
import sys

FLOORS = [
    ['core'],
    ['net', 'http', 'balance', 'varlink'],
    ['config', 'handover', 'client'],
    ['upstream'],
    ['health', 'proxy'],
    ['control'],
    ['daemon'],
    ['cli'],
]
FLOOR = {folder: number for number, folders in enumerate(FLOORS) for folder in folders}
PUBLIC = 'bal'  # include/bal: the contract of the control sockets, open to all
INCLUDE = re.compile(r'\s*#\s*include "([^/"]+)/')


def upward_includes(src):
    for folder, _, files in os.walk(src):
        me = os.path.relpath(folder, src).split(os.sep)[0]
        for path in sorted(os.path.join(folder, f) for f in files if f.endswith(('.c', '.h'))):
            if me not in FLOOR:
                yield f'{path}: {me} is on no floor'
                continue
            with open(path, encoding='utf-8') as lines:
                for number, line in enumerate(lines, 1):
                    m = INCLUDE.match(line)
                    other = m[1] if m else me
                    if other in (me, PUBLIC):
                        continue
                    if FLOOR.get(other, len(FLOORS)) >= FLOOR[me]:
                        yield f'{path}:{number}: {me} may not include {other}'


problems = list(upward_includes(sys.argv[1] if len(sys.argv) > 1 else 'src'))
print('\n'.join(problems), end='\n' if problems else '')
sys.exit(1 if problems else 0)
