#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What can be read in two ways is refused: each row over real sockets, whole and cut at every byte.

The parser's own tables are in tests/unit/http. Here it is about what bal does then: the status, the end of the
connection, the reason in the log, and that no backend hears of it.
"""

import contextlib
import time

import rig
import wire

H = b'GET / HTTP/1.1\r\nHost: a\r\n'
P = b'POST / HTTP/1.1\r\nHost: a\r\n'
TE, CL = b'Transfer-Encoding: ', b'Content-Length: '
CUT_MAX = 110  # bytes; what is longer is not cut at every byte

# (reason in the log, status, request)
REFUSED = [
    ('length_and_coding', 400, P + CL + b'5\r\n' + TE + b'chunked\r\n\r\n'),
    ('length_and_coding', 400, P + TE + b'chunked\r\n' + CL + b'5\r\n\r\n'),
    ('length_twice', 400, P + CL + b'5\r\n' + CL + b'5\r\n\r\n'),
    ('length_twice', 400, P + CL + b'5\r\n' + CL + b'6\r\n\r\n'),
    *[('length', 400, P + CL + value + b'\r\n\r\n') for value in (
        b'5, 5', b'+5', b'-5', b'0x5', b'a', b'5 5', b'18446744073709551621', b'9223372036854775808', b'')],
    *[('coding', 400, P + TE + value + b'\r\n\r\n') for value in (
        b'identity', b'xchunked', b'chunked, chunked', b'chunked, gzip', b'gzip, chunked', b'chunked,', b'')],
    ('coding', 400, P + TE + b'chunked\r\n' + TE + b'chunked\r\n\r\n'),
    ('coding_unknown', 501, P + TE + b'gzip\r\n\r\n'),
    ('coding_1_0', 400, b'POST / HTTP/1.0\r\n' + TE + b'chunked\r\n\r\n'),
    ('obs_fold', 400, H + b'A: b\r\n c\r\n\r\n'),
    ('obs_fold', 400, H + b'A: b\r\n\tc\r\n\r\n'),
    ('bare_lf', 400, b'GET / HTTP/1.1\nHost: a\r\n\r\n'),
    ('bare_lf', 400, H + b'A: b\nTransfer-Encoding: chunked\r\n\r\n'),
    ('bare_lf', 400, H + b'\n'),
    ('bare_cr', 400, H + b'A: b\rc\r\n\r\n'),
    ('bare_cr', 400, b'GET / HTTP/1.1\rHost: a\r\n\r\n'),
    ('header_name', 400, H + b'A : b\r\n\r\n'),
    ('header_name', 400, P + b'Transfer-Encoding : chunked\r\n\r\n'),
    ('header_name', 400, H + b': b\r\n\r\n'),
    ('header_name', 400, H + b'A(b): c\r\n\r\n'),
    ('header_name', 400, H + b'A b\r\n\r\n'),
    ('control_byte', 400, H + b'A: b\0c\r\n\r\n'),
    ('control_byte', 400, H + b'A: b\x01c\r\n\r\n'),
    ('control_byte', 400, H + b'A: b\x7fc\r\n\r\n'),
    ('host_missing', 400, b'GET / HTTP/1.1\r\n\r\n'),
    ('host_twice', 400, H + b'Host: a\r\n\r\n'),
    *[('host', 400, b'GET / HTTP/1.1\r\nHost: ' + host + b'\r\n\r\n') for host in (
        b'a/b@c', b'a:65536', b'a, b', b'', b'a b', b'[::1')],
    ('userinfo', 400, b'GET http://u@b/ HTTP/1.1\r\nHost: a\r\n\r\n'),
    ('target', 400, b'GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n'),
    ('target', 400, b'GET /a b HTTP/1.1\r\nHost: a\r\n\r\n'),
    ('target', 400, b'GET * HTTP/1.1\r\nHost: a\r\n\r\n'),
    ('target', 400, b'GET a HTTP/1.1\r\nHost: a\r\n\r\n'),
    ('version', 505, b'GET / HTTP/2.0\r\nHost: a\r\n\r\n'),
    ('version', 505, b'GET / HTTP/0.9\r\nHost: a\r\n\r\n'),
    ('preface', 505, b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
    ('method_long', 501, b'M' * 33 + b' / HTTP/1.1\r\nHost: a\r\n\r\n'),
    ('method', 400, b'G(T / HTTP/1.1\r\nHost: a\r\n\r\n'),
    ('request_line', 400, b'GET /\r\nHost: a\r\n\r\n'),
    ('empty_lines', 400, b'\r\n\r\n' + H + b'\r\n'),
    ('leading_blank', 400, b' ' + H + b'\r\n'),
    ('method', 400, b'{"json": "is no request"}\r\n\r\n'),
    ('tls', 400, b'\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'),
    ('expectation', 417, P + b'Expect: the unexpected\r\n' + CL + b'5\r\n\r\n'),
    *[('max_forwards', 400, method + b' / HTTP/1.1\r\nHost: a\r\nMax-Forwards: ' + value + b'\r\n\r\n')
      for method in (b'OPTIONS', b'TRACE')
      for value in (b'', b'-1', b'+1', b'1.0', b'0x1', b'1, 2', b'1\r\nMax-Forwards: 1', b'1\r\nConnection: max-forwards\r\nmax-forwards: 0')],
    ('connect_refused', 405, b'CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n'),
    *[('nominated', 400, H + b'Connection: ' + name + b'\r\n\r\n') for name in (
        b'Host', b'Content-Length', b'X-Forwarded-For')],
    ('line_long', 414, b'GET /' + b'x' * 9000 + b' HTTP/1.1\r\nHost: a\r\n\r\n'),
    ('header_long', 431, H + b'A: ' + b'x' * 9000 + b'\r\n\r\n'),
    ('headers_long', 431, H + b''.join(b'A%d: ' % i + b'x' * 7000 + b'\r\n' for i in range(6)) + b'\r\n'),
    ('headers_many', 431, H + b''.join(b'A%d: b\r\n' % i for i in range(100)) + b'\r\n'),
]

# of the body: the head has been good, so it may be with a backend, but never as a whole request
REFUSED_BODIES = [
    ('chunk_line', 400, b'5;a=b\r\n'.replace(b'5', b'')),
    *[('chunk_line', 400, size + b'\r\n12345\r\n0\r\n\r\n') for size in (
        b'5 ', b' 5', b'0x5', b'+5', b'5_', b'00000000000000005', b'ffffffffffffffff', b'g')],
    ('bare_lf', 400, b'5\n12345\r\n0\r\n\r\n'),
    ('bare_lf', 400, b'5;a\nb\r\n12345\r\n0\r\n\r\n'),
    ('chunk_long', 400, b'5;' + b'x' * 300 + b'\r\n12345\r\n0\r\n\r\n'),
    ('chunk_end', 400, b'5\r\n123456\r\n0\r\n\r\n'),
    ('chunk_end', 400, b'5\r\n12345\n0\r\n\r\n'),
    ('header_name', 400, b'5\r\n12345\r\n0\r\nA : b\r\n\r\n'),
    ('obs_fold', 400, b'5\r\n12345\r\n0\r\nA: b\r\n c\r\n\r\n'),
    ('trailers_long', 431, b'0\r\n' + b'A: b\r\n' * 2000 + b'\r\n'),
]


def quietly(send, data):
    """A refusal may come before all of it is sent."""
    with contextlib.suppress(OSError):
        send(data)


class Requests(rig.FlowTest):
    def setUp(self):
        super().setUp()
        self.port = rig.free_port()
        self.origin = wire.Origin(self)
        self.running = self.bal(wire.config(self.port, [self.origin.address], settings={'workers': 1}))

    def refused(self, c, status, what):
        with c:
            try:
                m = c.response()
            except (ConnectionError, wire.Closed) as error:
                self.fail(f'{what[:200]!r}: {error!r} instead of {status}')
            self.assertEqual((m.status, m.get('Connection')), (status, 'close'), what[:200])
            self.assertTrue(m.get('X-Request-ID'), what[:200])
            self.assertEqual(wire.ends(c), 'closed', what[:200])

    def reasons(self, event='http_refused'):
        return [(record['fields']['reason'], record['fields']['status']) for record in self.running.events(event)]

    def test_whole(self):
        for reason, status, text in REFUSED:
            with wire.client(self.port) as c:
                quietly(c.send, text)
                self.refused(c, status, text)
        self.running.log_wait('http_refused', len(REFUSED))
        self.assertEqual(self.reasons(), [(reason, status) for reason, status, _ in REFUSED])
        self.assertEqual(self.origin.connections, 0)

    def test_behind_a_good_one(self):
        """Pipelined behind a good request: that one is answered, then the connection ends the same way."""
        for _, status, text in REFUSED:
            with wire.client(self.port) as c:
                quietly(c.send, H + b'\r\n' + text)
                self.assertEqual(c.response().status, 200)
                self.refused(c, status, text)
        self.assertEqual([m.first for m in self.origin.requests], ['GET / HTTP/1.1'] * len(REFUSED))

    def cut(self, status, text, at):
        clients = [wire.client(self.port) for _ in at]
        for c, n in zip(clients, at):
            c.send(text[:n])
        time.sleep(0.005 * rig.SLOW)  # so that it is read as two parts
        for c, n in zip(clients, at):
            quietly(c.send, text[n:])
        for c in clients:
            self.refused(c, status, text)

    def test_cut_at_every_byte(self):
        start, connections = time.monotonic(), 0
        for _, status, text in REFUSED:
            if len(text) <= CUT_MAX:
                self.cut(status, text, range(1, len(text)))
                connections += len(text) - 1
        print(f'{connections} connections, {time.monotonic() - start:.1f} s')
        self.assertEqual(self.origin.connections, 0)

    def test_byte_by_byte(self):
        for _, status, text in REFUSED:
            with wire.client(self.port) as c:
                for byte in text[:300]:
                    quietly(c.send, bytes([byte]))
                quietly(c.send, text[300:])
                self.refused(c, status, text)
        self.assertEqual(self.origin.connections, 0)

    def test_bodies(self):
        head = P + TE + b'chunked\r\n\r\n'
        for reason, status, body in REFUSED_BODIES:
            with wire.client(self.port) as c:
                quietly(c.send, head + body)
                self.refused(c, status, head + body)
        self.running.log_wait('http_refused', len(REFUSED_BODIES))
        self.assertEqual(self.reasons(), [(reason, status) for reason, status, _ in REFUSED_BODIES])
        for _, status, body in REFUSED_BODIES:
            if len(body) <= CUT_MAX:
                self.cut(status, head + body, range(len(head), len(head) + len(body)))
        self.assertEqual(self.origin.requests, [])

    # (request, what the backend gets: first line, [headers that must be there], body, trailers)
    ACCEPTED = [
        (P + b'Transfer-Encoding:\tchunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n',
         'POST / HTTP/1.1', [('Transfer-Encoding', 'chunked')], b'abc', []),
        (P + b'Transfer-Encoding: cHuNkEd \r\n\r\n0\r\n\r\n', 'POST / HTTP/1.1', [('Transfer-Encoding', 'chunked')], b'', []),
        (P + TE + b'chunked\r\n\r\n3;a=b;c="d"\r\nabc\r\n0;e\r\n\r\n', 'POST / HTTP/1.1', [], b'abc', []),
        (P + TE + b'chunked\r\n\r\n1\r\na\r\n0\r\nX-Sum: 1\r\nContent-Length: 9\r\nHost: b\r\nAuthorization: x\r\n\r\n',
         'POST / HTTP/1.1', [], b'a', [('X-Sum', '1')]),
        (P + CL + b'3\r\n\r\nabc', 'POST / HTTP/1.1', [('Content-Length', '3')], b'abc', []),
        (P + CL + b'0\r\n\r\n', 'POST / HTTP/1.1', [('Content-Length', '0')], b'', []),
        (b'GET http://b/c?d HTTP/1.1\r\nHost: a\r\n\r\n', 'GET http://b/c?d HTTP/1.1', [('Host', 'b')], b'', []),
        (b'OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n', 'OPTIONS * HTTP/1.1', [('Host', 'a')], b'', []),
        (b'GET / HTTP/1.2\r\nHost: a\r\n\r\n', 'GET / HTTP/1.1', [('Host', 'a')], b'', []),
        (b'GET / HTTP/1.9\r\nHost: a\r\n\r\n', 'GET / HTTP/1.1', [('Host', 'a')], b'', []),
        (b'get / HTTP/1.1\r\nHost: a\r\n\r\n', 'get / HTTP/1.1', [('Host', 'a')], b'', []),
        (b'M' * 32 + b' / HTTP/1.1\r\nHost: a\r\n\r\n', 'M' * 32 + ' / HTTP/1.1', [], b'', []),
        (H + b'X_Y: z\r\n\r\n', 'GET / HTTP/1.1', [('X_Y', 'z')], b'', []),
        (H + b'A: b\tc\r\n\r\n', 'GET / HTTP/1.1', [('A', 'b\tc')], b'', []),
        (b'\r\n' + H + b'\r\n', 'GET / HTTP/1.1', [('Host', 'a')], b'', []),
        (b'GET /%2e%2E/%00/..//a%zz HTTP/1.1\r\nHost: a\r\n\r\n', 'GET /%2e%2E/%00/..//a%zz HTTP/1.1', [], b'', []),
    ]

    def check_accepted(self, row):
        _, first, headers, body, trailers = row
        m = self.origin.requests[-1]
        self.assertEqual((m.first, m.body, m.trailers), (first, body, trailers))
        for header in headers:
            self.assertIn(header, m.headers)
        self.assertEqual(len([name for name, _ in m.headers if name.lower() == 'host']), 1)

    def test_accepted(self):
        with wire.client(self.port) as c:
            for row in self.ACCEPTED:
                self.assertEqual(c.ask(row[0]).status, 200, row[0])
                self.check_accepted(row)
            for row in self.ACCEPTED:
                for byte in row[0]:
                    c.send(bytes([byte]))
                self.assertEqual(c.response().status, 200, row[0])
                self.check_accepted(row)
        for row in self.ACCEPTED:
            clients = [wire.client(self.port) for _ in row[0][1:]]
            for n, c in enumerate(clients, 1):
                c.send(row[0][:n])
            time.sleep(0.005 * rig.SLOW)
            for n, c in enumerate(clients, 1):
                c.send(row[0][n:])
                self.assertEqual(c.response().status, 200, row[0])
                self.check_accepted(row)
                c.close()
        self.assertEqual(self.reasons(), [])

    def test_late(self):
        """408 for a head that does not come, silence where none has begun."""
        port = rig.free_port()
        bal = self.bal(wire.config(port, [self.origin.address], {'head_timeout': '300ms', 'keep_alive_timeout': '400ms'}))
        with wire.client(port) as silent, wire.client(port) as slow, wire.client(port) as second:
            start = time.monotonic()
            slow.send(b'GET / HT')
            self.assertEqual(second.ask(H + b'\r\n').status, 200)
            second.send(b'GET /')
            for c in (slow, second):
                m = c.response()
                self.assertEqual((m.status, m.get('Connection')), (408, 'close'))
                self.assertEqual(wire.ends(c), 'closed')
            self.assertGreater(time.monotonic() - start, 0.25)
            self.assertEqual(wire.ends(silent), 'closed')
        self.assertEqual([record['fields']['reason'] for record in bal.log_wait('http_refused', 2)], ['late', 'late'])
        self.assert_idle(bal)
        self.assert_sessions_balance(bal)


OK = b'HTTP/1.1 200 OK\r\n'
KEEP, CLOSE, RESET = 'keep', 'close', 'reset'  # what the backend does after that

# (what, response, then, status and body of what the client gets; 'cut': the head, and an end that shows)
RESPONSES = [
    ('length and coding', OK + CL + b'3\r\n' + TE + b'chunked\r\n\r\nabc', KEEP, 502),
    ('two lengths', OK + CL + b'3\r\n' + CL + b'3\r\n\r\nabc', KEEP, 502),
    ('a bad length', OK + CL + b'3x\r\n\r\nabc', KEEP, 502),
    ('unknown coding', OK + TE + b'gzip\r\n\r\nabc', KEEP, 502),
    ('chunked in 1.0', b'HTTP/1.0 200 OK\r\n' + TE + b'chunked\r\n\r\n0\r\n\r\n', KEEP, 502),
    ('no status line', b'HELLO\r\n\r\n', KEEP, 502),
    ('a status of two digits', b'HTTP/1.1 20 OK\r\n\r\n', KEEP, 502),
    ('a status of four digits', b'HTTP/1.1 2000 OK\r\n\r\n', KEEP, 502),
    ('status 099', b'HTTP/1.1 099 OK\r\n\r\n', KEEP, 502),
    ('status 600', b'HTTP/1.1 600 OK\r\n\r\n', KEEP, 502),
    ('HTTP/2.0', b'HTTP/2.0 200 OK\r\n\r\n', KEEP, 502),
    ('an empty line first', b'\r\n' + OK + CL + b'0\r\n\r\n', KEEP, 502),
    ('bare LF', b'HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n', KEEP, 502),
    ('obs-fold', OK + b'A: b\r\n c\r\n' + CL + b'0\r\n\r\n', KEEP, 502),
    ('NUL in a value', OK + b'A: b\0c\r\n' + CL + b'0\r\n\r\n', KEEP, 502),
    ('blank before a colon', OK + b'Content-Length : 0\r\n\r\n', KEEP, 502),
    ('101 that nobody asked for', b'HTTP/1.1 101 Go\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n', KEEP, 502),
    ('a bad first chunk', OK + TE + b'chunked\r\n\r\nxyz\r\n', KEEP, 502),
    ('a large head', OK + b''.join(b'A%d: ' % i + b'x' * 8000 + b'\r\n' for i in range(9)) + b'\r\n', KEEP, 502),
    ('a head without an end', OK + b'A: ' + b'x' * 70000, KEEP, 502),
    ('many headers', OK + b'A: b\r\n' * 101 + b'\r\n', KEEP, 502),
    ('17 interim ones', b'HTTP/1.1 100 Continue\r\n\r\n' * 17 + OK + CL + b'0\r\n\r\n', KEEP, 502),
    ('cut in the status line', b'HTTP/1.1 20', CLOSE, 502),
    ('cut in the head', OK + b'Content-Le', CLOSE, 502),
    ('reset in the head', OK + b'Content-Le', RESET, 502),
    ('cut behind an interim one', b'HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n', CLOSE, 502),
    ('cut in a length', OK + CL + b'10\r\n\r\nabc', CLOSE, 'cut'),
    ('reset in a length', OK + CL + b'10\r\n\r\nabc', RESET, 'cut'),
    ('cut in a chunk', OK + TE + b'chunked\r\n\r\n5\r\nab', CLOSE, 'cut'),
    ('cut between chunks', OK + TE + b'chunked\r\n\r\n2\r\nab\r\n', CLOSE, 'cut'),
    ('cut before the last line', OK + TE + b'chunked\r\n\r\n2\r\nab\r\n0\r\n', CLOSE, 'cut'),
    ('a bad later chunk', OK + TE + b'chunked\r\n\r\n2\r\nab\r\n' + b'1000\r\n' + b'c' * 4096 + b'\r\n', 'bad chunk', 'cut'),
    ('until close, reset', OK + b'\r\nabc', RESET, 'cut'),
    ('until close', OK + b'\r\nabc', CLOSE, (200, b'abc')),
    ('until close, 1.0', b'HTTP/1.0 200 OK\r\n\r\nabc', CLOSE, (200, b'abc')),
    ('no reason', b'HTTP/1.1 200\r\n' + CL + b'3\r\n\r\nabc', KEEP, (200, b'abc')),
    ('16 interim ones', b'HTTP/1.1 100 Continue\r\n\r\n' * 16 + OK + CL + b'3\r\n\r\nabc', KEEP, (200, b'abc')),
    ('many kinds of them', b'HTTP/1.1 100 C\r\n\r\nHTTP/1.1 103 E\r\nLink: x\r\n\r\nHTTP/1.1 199 ?\r\n\r\n' + OK + CL +
     b'3\r\n\r\nabc', KEEP, (200, b'abc')),
    ('chunk extensions, trailers', OK + TE + b'chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n', KEEP, (200, b'abc')),
]


class Responses(rig.FlowTest):
    def setUp(self):
        super().setUp()
        self.port = rig.free_port()
        self.play, self.used_again = None, []
        self.origin = wire.Origin(self, self.script)
        self.running = self.bal(wire.config(self.port, [self.origin.address], settings={'workers': 1}))

    def script(self, w, number):
        while True:
            m = self.origin.request(w)
            if m.target == '/sound':
                w.send(wire.ok(b'sound'))
                continue
            response, then, pause, sound = self.play
            for part in response:
                w.send(part)
                time.sleep(pause)
            if then == RESET:
                time.sleep(0.05 * rig.SLOW)  # bytes before the reset shall arrive
                w.reset()
                return
            if then == CLOSE:
                return
            if then == 'bad chunk':
                time.sleep(0.05 * rig.SLOW)
                w.send(b'nonsense\r\n')
            with contextlib.suppress(ConnectionError):
                if w.more() and not sound:  # a broken connection that is used again would be heard here
                    self.used_again.append(response)
            return

    def row(self, what, response, then, want, parts=1, pause=0.0):
        cuts = [len(response) * i // parts for i in range(parts + 1)]
        self.play = [response[a:b] for a, b in zip(cuts, cuts[1:])], then, pause, isinstance(want, tuple)
        with wire.client(self.port) as c:
            c.send(H + b'\r\n')
            if want == 'cut':
                with self.assertRaises((wire.Broken, ConnectionError), msg=what):
                    c.response()
                return
            m = c.response()
            if want == 502:
                self.assertEqual((m.status, m.get('Connection')), (502, None), what)
                # the client has done nothing wrong: its connection lives on
                self.assertEqual(c.ask(b'GET /sound HTTP/1.1\r\nHost: a\r\n\r\n').body, b'sound', what)
            else:
                self.assertEqual((m.status, m.body), want, what)

    def test_rows(self):
        bad = 0
        for row in RESPONSES:
            self.row(*row)
            bad += row[3] in (502, 'cut')
        self.assertEqual(self.used_again, [])
        self.assertEqual(len(self.running.log_wait('http_response_bad', bad)), bad)

    def test_in_pieces(self):
        for what, response, then, want in RESPONSES:
            if len(response) < 700 and what != 'a bad first chunk':  # a 502 or a cut, as it is read
                self.row(what, response, then, want, min(len(response), 60), 0.0005)

    def no_body(self, method, response, behind, status):
        """Bytes of a body where none may be: the next response is not made of them, and the backend's
        connection is not used again."""
        self.play = [response, behind], KEEP, 0.03, False
        before = self.origin.connections
        with wire.client(self.port) as c:
            for _ in range(2):
                c.send(b'%s / HTTP/1.1\r\nHost: a\r\n\r\n' % method)
                m = c.response(method.decode())
                self.assertEqual((m.status, m.body), (status, b''))
                time.sleep(0.06 * rig.SLOW)
                self.assertEqual(c.ask(b'GET /sound HTTP/1.1\r\nHost: a\r\n\r\n').body, b'sound')
        self.assertGreaterEqual(self.origin.connections, before + 2)
        self.assertEqual(self.used_again, [])

    def test_no_body(self):
        stale = wire.ok(b'stale')
        for method, status, head in ((b'HEAD', 200, OK + CL + b'%d\r\n\r\n' % len(stale)),
                                     (b'HEAD', 200, OK + TE + b'chunked\r\n\r\n'),
                                     (b'GET', 204, b'HTTP/1.1 204 No\r\n\r\n'),
                                     (b'GET', 304, b'HTTP/1.1 304 No\r\n' + CL + b'%d\r\n\r\n' % len(stale))):
            self.no_body(method, head, stale, status)
            self.no_body(method, head + stale, b'', status)

    def test_bytes_behind_a_response(self):
        """A second response that nobody asked for is nobody's, at once or late."""
        stale = wire.ok(b'stale')
        for response, behind in ((wire.ok(b'') + stale, b''), (wire.ok(b''), stale),
                                 (OK + TE + b'chunked\r\n\r\n0\r\n\r\n', stale)):
            self.no_body(b'GET', response, behind, 200)


if __name__ == '__main__':
    rig.main()
