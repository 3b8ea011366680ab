#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Reads a .varlink interface definition and checks values against it.

    idl = Interface(text)
    problems = idl.check_reply('Get', parameters)     # [] or ['backends[0].port: ...']

A type is one of: 'bool' 'int' 'float' 'string' 'object', a name of this interface,
('?', type), ('[]', type), ('map', type), ('struct', {name: type}), ('enum', [name, ..]).
"""

import re
import sys

TOKEN = re.compile(r'(?:[ \t\n]|#[^\n]*)*(->|\[\]|\[string\]|[?():,]|[A-Za-z][A-Za-z0-9_.-]*|$)')
FIELD = re.compile(r'[A-Za-z](_?[A-Za-z0-9])*$')
MEMBER = re.compile(r'[A-Z][A-Za-z0-9]*$')
BASE = {'bool': bool, 'int': int, 'float': (int, float), 'string': str, 'object': object}


class Bad(Exception):
    pass


class Interface:
    def __init__(self, text):
        self.tokens = self.tokenize(text)
        self.types, self.methods, self.errors = {}, {}, {}
        self.expect('interface')
        self.name = self.take()
        while self.peek():
            self.member()
        for where, t in self.all_types():
            self.resolve(where, t)

    # -- the grammar --

    @staticmethod
    def tokenize(text):
        at, tokens = 0, []
        while True:
            m = TOKEN.match(text, at)
            if not m:
                raise Bad(f'line {text.count(chr(10), 0, at) + 1}: unexpected {text[at:at + 20]!r}')
            tokens.append(m[1])
            at = m.end()
            if not m[1]:
                return tokens

    def peek(self):
        return self.tokens[0]

    def take(self):
        return self.tokens.pop(0)

    def expect(self, token):
        found = self.take()
        if found != token:
            raise Bad(f'{token!r} expected, found {found!r} before {self.tokens[:5]}')

    def word(self, pattern):
        found = self.take()
        if not pattern.match(found):
            raise Bad(f'not a name: {found!r}')
        return found

    def member(self):
        kind = self.take()
        if kind not in ('type', 'method', 'error'):
            raise Bad(f'type, method or error expected, found {kind!r}')
        name = self.word(MEMBER)
        if name in self.types or name in self.methods or name in self.errors:
            raise Bad(f'{name} stands there twice')
        if kind == 'type':
            self.types[name] = self.group()
        elif kind == 'error':
            self.errors[name] = self.struct()
        else:
            takes = self.struct()
            self.expect('->')
            self.methods[name] = (takes, self.struct())

    def struct(self):
        t = self.group()
        if t[0] != 'struct':
            raise Bad(f'a struct expected, found {t}')
        return t

    def group(self):
        """In brackets: with colons it is a struct, without an enum, empty a struct."""
        self.expect('(')
        fields, names = {}, []
        while self.peek() != ')':
            names.append(self.word(FIELD))
            if self.peek() == ':':
                self.take()
                fields[names[-1]] = self.type()
            if self.peek() != ')':
                self.expect(',')
        self.expect(')')
        if len(set(names)) != len(names):
            raise Bad(f'a name stands twice in {names}')
        if fields and len(fields) != len(names):
            raise Bad(f'neither struct nor enum: {names}')
        return ('struct', fields) if fields or not names else ('enum', names)

    def type(self):
        token = self.peek()
        if token == '(':
            return self.group()
        self.take()
        if token == '?':
            return ('?', self.type())
        if token == '[]':
            return ('[]', self.type())
        if token == '[string]':
            return ('map', self.type())
        if token not in BASE and not MEMBER.match(token):
            raise Bad(f'not a type: {token!r}')
        return token

    def all_types(self):
        yield from self.types.items()
        yield from self.errors.items()
        for name, pair in self.methods.items():
            yield name, pair[0]
            yield name, pair[1]

    def resolve(self, where, t):
        if isinstance(t, str):
            if t not in BASE and t not in self.types:
                raise Bad(f'{where}: no type {t}')
        elif t[0] == 'struct':
            for name, inner in t[1].items():
                self.resolve(f'{where}.{name}', inner)
        elif t[0] != 'enum':
            self.resolve(where, t[1])

    # -- values --

    def check_reply(self, method, value):
        return list(self.problems('', self.methods[method][1], value))

    def check_error(self, error, value):
        return list(self.problems('', self.errors[error], value))

    def problems(self, where, t, v):
        if isinstance(t, str) and t in self.types:
            t = self.types[t]
        if isinstance(t, str):
            wrong = not isinstance(v, BASE[t]) or (isinstance(v, bool) and t in ('int', 'float'))
            if wrong or v is None:
                yield f'{where}: {t} expected, found {v!r}'
        elif t[0] == '?':
            if v is not None:
                yield from self.problems(where, t[1], v)
        elif t[0] == 'enum':
            if v not in t[1]:
                yield f'{where}: one of {", ".join(t[1])} expected, found {v!r}'
        elif t[0] == '[]':
            if not isinstance(v, list):
                yield f'{where}: array expected, found {v!r}'
                return
            for i, item in enumerate(v):
                yield from self.problems(f'{where}[{i}]', t[1], item)
        elif not isinstance(v, dict):
            yield f'{where}: object expected, found {v!r}'
        elif t[0] == 'map':
            for key, item in v.items():
                yield from self.problems(f'{where}[{key}]', t[1], item)
        else:
            yield from self.struct_problems(where, t[1], v)

    def struct_problems(self, where, fields, v):
        """Stricter than Varlink: a member that may be null is written as null, never left out."""
        dot = where + '.' if where else ''
        for name in v.keys() - fields.keys():
            yield f'{dot}{name}: not in the interface definition'
        for name, inner in fields.items():
            if name not in v:
                yield f'{dot}{name}: missing'
            else:
                yield from self.problems(dot + name, inner, v[name])


def load(path):
    with open(path, encoding='ascii') as f:
        return Interface(f.read())


if __name__ == '__main__':
    for p in sys.argv[1:]:
        i = load(p)
        print(f'{p}: {i.name}: {len(i.methods)} methods, {len(i.errors)} errors')
