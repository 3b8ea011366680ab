#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Two readers of the same bytes: test_llhttp.py JUDGE LLHTTP_JS

Smuggling is what happens when two readers in a row see different messages. So bal (judge.c) is held
against the parser of Node.js (llhttp.js), which stands for a backend: it gets what a client sent, and
it gets what bal makes of that. Whatever bal accepts, Node either reads as the same messages or
refuses, for a reason that stands in REFUSALS. What bal forwards it never refuses but for what bal has
to pass as it came. The requests and responses are the verdict tables, some thousand valid ones, and
mutations of both, from a fixed seed. Exit status 77 (skipped) without node.
"""

import collections
import json
import random
import re
import shutil
import subprocess
import sys
import unittest

SKIP = 77
SEED, N_VALID, N_MUTATIONS = 20260, 2000, 6000
JUDGE, LLHTTP = sys.argv[1:3] if len(sys.argv) > 2 else ('', '')

# errors of llhttp, what is true of the message that bal accepted, why the two may differ. What is true
# of what bal forwards stands in the last column: may it still be refused?
REFUSALS = [
    ({'HPE_INVALID_METHOD'}, lambda m, raw: m.get('method') not in KNOWN, True,
     'RFC 9110 9.1: bal passes methods that it does not know; llhttp has a list'),
    ({'HPE_INVALID_VERSION'}, lambda m, raw: re.search(rb'HTTP/1\.[2-9]', raw), False,
     'RFC 9110 2.5: 1.2 to 1.9 are read as 1.1, and go on as that'),
    ({'HPE_INVALID_CONTENT_LENGTH', 'HPE_UNEXPECTED_CONTENT_LENGTH'},
     lambda m, raw: re.search(rb'(?i)content-length:[ \t]*\d+ *\t', raw), False,
     'RFC 9112 5: a tab behind a value is a blank; the value goes on without it'),
    ({'HPE_INVALID_CONTENT_LENGTH', 'HPE_UNEXPECTED_CONTENT_LENGTH', 'HPE_INVALID_TRANSFER_ENCODING', 'SILENT'},
     lambda m, raw: has(m, b'transfer-encoding'), False,
     'http.md: framing in trailers is dropped; llhttp refuses it'),
    ({'HPE_STRICT', 'HPE_INVALID_CHUNK_SIZE', 'SILENT'}, lambda m, raw: has(m, b'transfer-encoding') and b';' in raw, False,
     'RFC 9112 7.1.1: what a chunk extension says is ignored, and it goes no further; llhttp reads its grammar'),
]

GOOD = ('ok', 'more', 'close', 'final', 'upgrade', 'tunnel')  # ends of a stream that is not refused
OWN = {b'host', b'x-forwarded-for', b'x-forwarded-proto', b'x-forwarded-host', b'x-real-ip', b'connection', b'te',
       b'transfer-encoding', b'content-length'}
GONE = {b'keep-alive', b'proxy-connection', b'http2-settings', b'x_forwarded_for'}
STAY = {b'accept', b'user-agent', b'cookie', b'set-cookie', b'referer', b'etag', b'content-type', b'date', b'via', b'x_b'}

KNOWN = {name.encode().hex() for name in '''
    DELETE GET HEAD POST PUT CONNECT OPTIONS TRACE COPY LOCK MKCOL MOVE PROPFIND PROPPATCH SEARCH UNLOCK BIND REBIND
    UNBIND ACL REPORT MKACTIVITY CHECKOUT MERGE M-SEARCH NOTIFY SUBSCRIBE UNSUBSCRIBE PATCH PURGE MKCALENDAR LINK UNLINK
    SOURCE QUERY'''.split()}


def headers(message):
    return [(bytes.fromhex(name), bytes.fromhex(value)) for name, value in message['headers']]


def has(message, name):
    return name in [n.lower() for n, _ in headers(message)]


def nominated(message):
    return {option.strip().lower() for n, v in headers(message) if n.lower() == b'connection' for option in v.split(b',')}


class Maker:
    """Valid messages, more or less unusual ones, and how they are broken."""

    METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'PATCH'] * 3 + ['REPORT', 'M-SEARCH', 'get', 'X!y']
    TARGETS = ['/', '/a/b?c=d', '/%2e%2e/%00', '//x', '/a;b=c,d', 'http://b.example/c?d', 'http://b.example',
               'http://[::1]:8/', '/?', '/"<>\\^`{|}', "/~!$&'()*+,;=:@"]
    NAMES = ['Accept', 'User-Agent', 'X-A', 'X_B', 'x', 'Cookie', 'Via', 'Set-Cookie', 'Referer', 'X-Forwarded-For',
             'X-Request-ID', 'Date', 'ETag', "!#$%&'*+-.^_`|~", 'Upgrade', 'Keep-Alive', 'TE', 'Trailer', 'Content-Type']
    VALUES = ['', 'a', 'a, b', '"q, \\" s"', 'x y\tz', '\xe4\xff', '1', 'trailers', 'chunked', 'websocket', 'timeout=5', ':', ';=,']
    CONNECTION = ['keep-alive', 'close', 'X-A', 'Upgrade', 'TE', ', x,, ', 'Keep-Alive, X-A']
    STATUSES = [200, 200, 200, 201, 204, 206, 301, 304, 404, 426, 500, 599]
    INTERIM = ['HTTP/1.1 100 Continue\r\n\r\n', 'HTTP/1.1 103 x\r\nLink: </a>\r\n\r\n', 'HTTP/1.1 102\r\n\r\n']
    BYTES = ['\r', '\n', '\r\n', ' ', '\t', ':', ',', ';', '\0', '\x0b', '\x7f', '\x80', '0', '1', 'a', '-', '+', '_', '"', '#']
    LINES = ['Content-Length: 5', 'Content-Length: 0', 'Transfer-Encoding: chunked', 'Transfer-Encoding: identity', 'Host: c',
             'Connection: close', 'Connection: upgrade', 'Upgrade: x', ' folded', 'Expect: 100-continue', 'X', '']

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.pick = self.random.choice

    def headers(self):
        lines = []
        for _ in range(self.random.randrange(5)):
            lines.append(self.pick(self.NAMES) + ':' + self.pick(['', ' ', ' ', '\t', '  ']) + self.pick(self.VALUES) +
                         self.pick(['', '', '', ' ', '\t']))
        if self.random.random() < 0.3:
            lines.append('Connection: ' + self.pick(self.CONNECTION))
        return lines

    def chunks(self):
        text = ''
        for _ in range(self.random.randrange(4)):
            data = self.pick(['a', 'abc', '\r\n0\r\n\r\n', 'GET / HTTP/1.1\r\n\r\n', 'x' * 26])
            text += self.pick(['', '0', '000']) + self.pick(['%x', '%X']) % len(data)
            text += self.pick(['', '', ';a', ';a=b', ';a="b c"', ';a=b;c=d']) + '\r\n' + data + '\r\n'
        text += self.pick(['0', '0', '000', '0;x']) + '\r\n'
        for _ in range(self.pick([0, 0, 1, 2])):
            text += self.pick(['X-A: b', 'Host: x', 'Content-Length: 5', 'A:']) + '\r\n'
        return text + '\r\n'

    def message(self, first, lines, body):
        """body: 'none', 'length' or 'chunks'."""
        text = ''
        if body == 'length':
            text = self.pick(['', 'a', 'hello', '0\r\n\r\n', 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'])
            lines.append('Content-Length: ' + self.pick(['', '', '', '00']) + str(len(text)))
        elif body == 'chunks':
            text = self.chunks()
            lines.append(self.pick(['Transfer-Encoding: ', 'transfer-encoding:\t']) + self.pick(['chunked', 'Chunked']))
        self.random.shuffle(lines)
        return '\r\n'.join([first] + lines) + '\r\n\r\n' + text

    def request(self):
        minor = self.pick([1] * 12 + [0, 0, 5])
        lines = self.headers()
        if minor > 0 or self.random.random() < 0.5:
            lines.append(self.pick(['Host: ', 'host:']) + self.pick(['a', 'a.example:80', '[::1]:8080', '10.0.0.1']))
        if self.random.random() < 0.05:
            return f'CONNECT a:443 HTTP/1.{minor}\r\n' + '\r\n'.join(lines) + '\r\n' * (1 + (len(lines) > 0)) + 'tunnel'
        method, target = self.pick(self.METHODS), self.pick(self.TARGETS)
        if self.random.random() < 0.05:
            method, target = 'OPTIONS', '*'
        body = self.pick(['none', 'none', 'length', 'chunks' if minor > 0 else 'length'])
        return self.pick(['', '', '', '\r\n']) + self.message(f'{method} {target} HTTP/1.{minor}', lines, body)

    def response(self, kind):
        status = 101 if kind == 'u' else self.pick(self.STATUSES)
        lines = self.headers()
        if status == 101:
            lines += ['Connection: upgrade', 'Upgrade: websocket']
        body = self.pick(['none', 'length', 'length', 'chunks'])
        text = self.message(f'HTTP/1.{self.pick([1] * 12 + [7])} {status} ' + self.pick(['OK', '', 'a b\t\xe4']), lines, body)
        if body != 'none' and (kind == 'h' or status in (204, 304)):
            text = text[:text.index('\r\n\r\n') + 4]  # framing of what is not sent
        return text

    def stream(self, kind):
        if kind == 'q':
            text = ''.join(self.request() for _ in range(self.pick([1, 1, 2, 3])))
        else:  # Node's client has a new parser for each response
            text = ''.join(self.pick(self.INTERIM) for _ in range(self.pick([0, 0, 1, 2]))) + self.response(kind)
        return text.encode('latin1')

    def mutate(self, raw):
        text = raw.decode('latin1')
        for _ in range(self.pick([1, 1, 1, 2, 3])):
            text = getattr(self, 'mutate_' + self.pick(['insert', 'insert', 'delete', 'replace', 'line', 'twice', 'swap', 'cut']))(text)
        return text.encode('latin1')

    def place(self, text):
        return self.random.randrange(len(text) + 1)

    def mutate_insert(self, text):
        at = self.place(text)
        return text[:at] + self.pick(self.BYTES) + text[at:]

    def mutate_delete(self, text):
        at = self.place(text)
        return text[:at] + text[at + self.pick([1, 1, 2]):]

    def mutate_replace(self, text):
        at = self.place(text)
        return text[:at] + self.pick(self.BYTES) + text[at + 1:]

    def mutate_line(self, text):
        lines = text.split('\r\n')
        lines.insert(self.random.randrange(min(len(lines), 8)) + 1, self.pick(self.LINES))
        return '\r\n'.join(lines)

    def mutate_twice(self, text):
        lines = text.split('\r\n')
        lines.insert(self.random.randrange(len(lines)), self.pick(lines))
        return '\r\n'.join(lines)

    def mutate_swap(self, text):
        lines = text.split('\r\n')
        a, b = self.random.randrange(len(lines)), self.random.randrange(len(lines))
        lines[a], lines[b] = lines[b], lines[a]
        return '\r\n'.join(lines)

    def mutate_cut(self, text):
        return text[:self.place(text)]


def ask(argv, cases):
    """The answers of a program to lines of KIND HEX."""
    lines = ''.join(f'{kind} {raw.hex()}\n' for kind, raw in cases)
    done = subprocess.run(argv, input=lines, stdout=subprocess.PIPE, text=True, timeout=100, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def rows():
    done = subprocess.run([JUDGE, 'rows'], stdout=subprocess.PIPE, text=True, timeout=100, check=True)
    return [(line[0], bytes.fromhex(line[2:])) for line in done.stdout.splitlines()]


def make_cases():
    maker = Maker(SEED)
    cases = rows()
    kinds = 'qqqqsshcu'
    cases += [(kind, maker.stream(kind)) for kind in (maker.pick(kinds) for _ in range(N_VALID))]
    for _ in range(N_MUTATIONS):
        kind, raw = maker.pick(cases)
        cases.append((kind, maker.mutate(raw)))
    return cases


class Llhttp(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.cases = make_cases()
        cls.bal = ask([JUDGE], cls.cases)
        cls.version, *cls.node = ask(['node', LLHTTP], cls.cases)
        forwarded = [(kind, bytes.fromhex(b['forward'])) for (kind, _), b in zip(cls.cases, cls.bal)]
        cls.after = ask(['node', LLHTTP], forwarded)[1:]
        assert len(cls.cases) == len(cls.bal) == len(cls.node) == len(cls.after)
        cls.old = int(cls.version['llhttp'].split('.')[0]) < 9

    def say(self, at, why, node):
        return f'{why}\n{self.cases[at][0]} {self.cases[at][1]!r}\nbal: {self.bal[at]}\nnode: {node}'

    def may_refuse(self, node, message, raw, forwarded):
        return any(node['error'] in codes and when(message, raw) and (still or not forwarded)
                   for codes, when, still, _ in REFUSALS)

    def assert_message(self, at, node, i, keys):
        """The message i of bal is the one that Node has, which read what bal judged as bad no further."""
        bal, bad = self.bal[at], self.bal[at]['end'] not in ('ok', 'more', 'close', 'upgrade', 'tunnel')
        ours, theirs = bal['messages'][i], node['messages'][i]
        for key in keys:
            self.assertEqual(ours.get(key), theirs.get(key), self.say(at, f'message {i}: {key}', node))
        if bad and i == len(bal['messages']) - 1 and not ours['complete']:
            self.assertTrue(theirs['body'].startswith(ours['body']), self.say(at, 'another body', node))
            return
        self.assertEqual(ours['body'], theirs['body'], self.say(at, f'message {i}: another body', node))
        self.assertEqual(ours['complete'], theirs['complete'], self.say(at, f'message {i}: another end', node))

    def lost(self, at, i):
        """Does llhttp read message i in another way than RFC 9112, without a word?"""
        raw, before = self.cases[at][1], self.bal[at]['messages'][:i]
        if re.search(rb'(?i)transfer-encoding:[ \t]*chunked *\t', raw):
            return True  # a tab behind it, and it no longer is chunked; bal sends it on without
        if any(has(m, b'upgrade') and b'upgrade' in nominated(m) for m in before):
            return True  # it reads no further, though bal ignores h2c, and RFC 9110 7.8 does so in HTTP/1.0
        if not self.old or b'content-length' not in raw.lower():
            return False
        # up to version 8 a length in trailers, or in an interim response, is taken for that of the next message
        return any(has(m, b'transfer-encoding') or m.get('status', 200) < 200 for m in before)

    def assert_stream(self, at, node, keys, forwarded):
        """The messages that Node has refused."""
        bal, raw = self.bal[at], self.cases[at][1]
        for i, message in enumerate(bal['messages']):
            refused = node['error'] and i >= len(node['messages']) - 1
            if refused and self.may_refuse(node, message, raw, forwarded):
                return 1
            if not forwarded and self.lost(at, i):
                return 0
            self.assertLess(i, len(node['messages']), self.say(at, f'message {i}: Node has none', node))
            self.assert_message(at, node, i, keys)
        if bal['end'] in ('ok', 'more') or (forwarded and self.cases[at][0] == 'q'):
            self.assertEqual(len(bal['messages']), len(node['messages']), self.say(at, 'a message too many', node))
        return 0

    def test_same_bytes(self):
        """What a client or a backend sent, as both read it."""
        keys = ['method', 'target', 'status', 'reason', 'headers']
        refused = sum(self.assert_stream(at, node, keys, False) for at, node in enumerate(self.node))
        messages = sum(len(b['messages']) for b in self.bal)
        print(f'{self.version}: {len(self.cases)} streams, {messages} messages that bal accepts, {refused} streams that Node refuses')
        self.assertGreater(messages, N_VALID)
        self.assertLess(refused, messages / 2)

    def test_forwarded(self):
        """What bal sends on, as Node reads it: the same messages, and complete only if they were."""
        keys = ['method', 'target', 'status', 'reason']
        refused = 0
        for at, node in enumerate(self.after):
            refused += self.assert_stream(at, node, keys, True)
            for ours, theirs in zip(self.bal[at]['messages'], node['messages']):
                self.assert_headers(at, ours, theirs, node)
        print(f'{refused} streams that Node refuses')

    def assert_headers(self, at, ours, theirs, node):
        self.assertEqual(theirs['minor'], 1)
        came, went, options = headers(ours), headers(theirs), nominated(ours)
        names = [name.lower() for name, _ in went]
        if 'method' in ours:
            self.assertEqual(names[0], b'host', self.say(at, 'Host is not the first', node))
            self.assertEqual(names.count(b'host'), 1, self.say(at, 'not one Host', node))
        self.assertFalse(GONE & set(names), self.say(at, 'a header that should be gone', node))
        self.assertFalse(has(theirs, b'content-length') and has(theirs, b'transfer-encoding'), self.say(at, 'both', node))
        for header in went:
            self.assertTrue(header in came or header[0].lower() in OWN, self.say(at, f'new: {header}', node))
        for header in came:
            if header[0].lower() in STAY - options:
                self.assertIn(header, went, self.say(at, f'lost: {header}', node))


if __name__ == '__main__':
    if not shutil.which('node'):
        print('node is not installed')
        sys.exit(SKIP)
    unittest.main(argv=sys.argv[:1], verbosity=2)
