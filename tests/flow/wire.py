# SPDX-License-Identifier: MIT
"""What tests of protocol http share: a strict client, and backends that do as they are told.

Both ends look at every byte themselves: a library would repair what these tests are about.
"""

import contextlib
import socket
import struct
import sys
import threading

import rig

NO_CHECKS = {'type': 'none'}


def config(port, backends, http=None, frontend=None, settings=None, **pool):
    """One frontend that speaks HTTP, one pool without checks."""
    return rig.document(rig.pool('web', port, backends, frontend={
        'protocol': 'http', 'http': {'access_log': 'none', **(http or {})}, **(frontend or {})},
        **{'health_check': NO_CHECKS, **pool}), **(settings or {}))


class Closed(Exception):
    """The other end has closed where a message begins."""


class Broken(AssertionError):
    """It is no message, or it was cut."""


class Message:
    def __init__(self, first, headers, body=b'', trailers=()):
        self.first, self.headers, self.body, self.trailers = first, headers, body, list(trailers)

    @property
    def status(self):
        return int(self.first.split()[1])

    @property
    def method(self):
        return self.first.split()[0]

    @property
    def target(self):
        return self.first.split()[1]

    def get(self, name, default=None):
        """The only value of that name."""
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        if len(values) > 1:
            raise Broken(f'{name} {len(values)} times in {self.headers}')
        return values[0] if values else default

    def __repr__(self):
        return f'<{self.first} {self.headers} {len(self.body)} bytes>'


class Wire:
    """One end of a connection. Reads messages strictly; what it has read beyond them stays in .ahead."""

    def __init__(self, s):
        self.s, self.ahead, self.eof = s, b'', False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.s.close()

    def reset(self):
        """Closes so that the other end gets a reset."""
        self.s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        self.s.close()

    def send(self, data):
        self.s.sendall(data)

    def finish(self):
        self.s.shutdown(socket.SHUT_WR)

    def more(self):
        """False: the other end has closed. A reset is a ConnectionError."""
        if not self.eof:
            part = self.s.recv(65536)
            self.eof = not part
            self.ahead += part
        return not self.eof

    def line(self):
        while b'\r\n' not in self.ahead:
            if len(self.ahead) > 200000:
                raise Broken('no end of a line')
            if not self.more():
                if not self.ahead:
                    raise Closed()
                raise Broken(f'cut in a line: {self.ahead[-200:]!r}')
        line, _, self.ahead = self.ahead.partition(b'\r\n')
        if b'\n' in line or b'\r' in line:
            raise Broken(f'a bare line end in {line!r}')
        return line.decode('latin-1')

    def take(self, n):
        """n bytes. Large ones come in many parts, which are put together once."""
        parts, missing = [self.ahead[:n]], n - len(self.ahead)
        self.ahead = self.ahead[n:]
        while missing > 0:
            if not self.more():
                raise Broken(f'cut after {n - missing} of {n} bytes')
            parts.append(self.ahead[:missing])
            missing, self.ahead = missing - len(parts[-1]), self.ahead[missing:]
        return b''.join(parts)

    def all(self):
        while self.more():
            pass
        data, self.ahead = self.ahead, b''
        return data

    def fields(self):
        fields = []
        while True:
            try:
                line = self.line()
            except Closed:
                raise Broken('cut in a head') from None
            if not line:
                return fields
            name, colon, value = line.partition(':')
            if not colon or name != name.strip():
                raise Broken(f'no header: {line!r}')
            fields.append((name, value.strip()))

    def chunks(self):
        body = []
        while True:
            try:
                size = self.line()
            except Closed:
                raise Broken('cut between chunks') from None
            if not size or size.strip('0123456789abcdefABCDEF'):
                raise Broken(f'no size of a chunk: {size!r}')
            if int(size, 16) == 0:
                return b''.join(body), self.fields()
            body.append(self.take(int(size, 16)))
            if self.take(2) != b'\r\n':
                raise Broken('a chunk without its end')

    def head(self):
        first = self.line()
        return Message(first, self.fields())

    def body_of(self, m):
        """By length or by chunks; None: neither is given."""
        length, coding = m.get('Content-Length'), m.get('Transfer-Encoding')
        if length is not None and coding is not None:
            raise Broken(f'framed twice: {m.headers}')
        if coding is not None:
            if coding != 'chunked':
                raise Broken(f'Transfer-Encoding: {coding}')
            m.body, m.trailers = self.chunks()
        elif length is not None:
            m.body = self.take(int(length))
        else:
            return None
        return m

    def request(self):
        m = self.head()
        method, target, version = m.first.split(' ')
        if version not in ('HTTP/1.1', 'HTTP/1.0') or not method or not target:
            raise Broken(f'no request: {m.first!r}')
        self.body_of(m)
        return m

    def response_head(self):
        m = self.head()
        if not m.first.startswith('HTTP/1.1 ') or not m.first[9:12].isdigit():
            raise Broken(f'no response: {m.first!r}')
        return m

    def response(self, method='GET'):
        """The final one, with its body; .interim: the heads before it."""
        interim = []
        m = self.response_head()
        while m.status < 200 and m.status != 101:
            interim.append(m)
            m = self.response_head()
        m.interim = interim
        if m.status != 101 and method != 'HEAD' and m.status not in (204, 304) and not self.body_of(m):
            m.body = self.all()
        return m

    def ask(self, data, method='GET'):
        self.send(data)
        return self.response(method)


def client(to, timeout=10.0):
    return Wire(rig.connect(to, timeout))


def ends(wire, timeout=10.0):
    """How the connection ends, after nothing more: 'closed', 'reset'; or what came instead."""
    wire.s.settimeout(timeout * rig.SLOW)
    try:
        rest = wire.all()
    except ConnectionError:
        return 'reset'
    except socket.timeout:
        return 'open'
    return rest or 'closed'


class Origin:
    """A backend. script(wire, number) plays one connection, whose number counts from 0; what it gets is
    its own business. Without a script: each request gets a 200 with its target as body."""

    def __init__(self, test, script=None):
        self.lock = threading.Lock()
        self.connections, self.requests, self.wires = 0, [], []
        self.script = script or self.answer
        self.address = rig.serve(test, self._serve)

    def _serve(self, s):
        with self.lock:
            number = self.connections
            self.connections += 1
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        wire = Wire(s)
        with contextlib.suppress(Closed):
            self.script(wire, number)

    def request(self, wire):
        """Reads one, and remembers it."""
        m = wire.request()
        with self.lock:
            self.requests.append(m)
        return m

    def answer(self, wire, number):
        while True:
            m = self.request(wire)
            body = m.target.encode()
            wire.send(b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s' %
                      (len(body), b'' if m.method == 'HEAD' else body))


def ok(body=b'', *headers):
    lines = b''.join(header.encode() + b'\r\n' for header in headers)
    return b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%s\r\n%s' % (len(body), lines, body)


def chunked(parts, trailers=b''):
    return b''.join(b'%x\r\n%s\r\n' % (len(part), part) for part in parts) + b'0\r\n' + trailers + b'\r\n'


if __name__ == '__main__':
    sys.exit('a part of the flow tests')
