#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the texts of files as one C array of strings: embed.py OUTPUT NAME FILE..."""

import sys

ESCAPES = {'\\': '\\\\', '"': '\\"', '\n': '\\n', '\t': '\\t'}


def literal(line):
    return '"' + ''.join(ESCAPES.get(c, c) for c in line) + '"'


def text_of(path):
    with open(path, encoding='ascii') as lines:
        return '\n        '.join(literal(line) for line in lines)


def main(output, name, *paths):
    with open(output, 'w', encoding='ascii') as out:
        out.write('/* made by embed.py */\n')
        out.write(f'extern const char *const {name}[{len(paths)}];\n')
        out.write(f'const char *const {name}[{len(paths)}] = {{\n')
        for path in paths:
            out.write(f'        {text_of(path)},\n')
        out.write('};\n')


main(*sys.argv[1:])
