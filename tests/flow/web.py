# SPDX-License-Identifier: MIT
"""What flow tests of `protocol: http` share: sites, web servers, curl and raw requests."""

import collections
import json
import os
import re
import subprocess

import rig

Head = collections.namedtuple('Head', 'status line headers')  # headers: (name, value) as they came


def site(port, servers, name='web', frontend=None, **more):
    """A frontend with protocol http and its pool, for rig.document(). http, routes: the frontend's; the rest
    is the pool's."""
    own = {key: more.pop(key) for key in ('http', 'routes') if key in more}
    return rig.pool(name, port, servers, frontend={'protocol': 'http', **own, **(frontend or {})}, **more)


def config(port, servers, settings=None, **more):
    """A whole file with one site; see site()."""
    return rig.document(site(port, servers, **more), **(settings or {}))


class Node(rig.Process):
    """web.js; options: file, set (members of the server), server (what it is created with)."""

    def __init__(self, test, name='node', port=0, **options):
        test.need('node')
        super().__init__(test, name, ['node', os.path.join(os.path.dirname(__file__), 'web.js'), name, str(port),
                                      json.dumps(options)])
        said = rig.wait_until(lambda: re.search(r'^listening (\d+)$', self.output(), re.M) or not self.alive(),
                              f'{name} to listen', 20)
        if said is True:
            raise AssertionError(f'web.js: {self.output()}')
        self.port = int(said[1])
        self.address = f'127.0.0.1:{self.port}'

    def counts(self):
        """What it has executed, asked without bal in between."""
        return json.loads(ask(self.port, 'GET', '/counts').body)


class Answer:
    """A response as it came: heads of all 1xx and the final one, body, trailers."""

    def __init__(self, heads, body, trailers=(), closed=False):
        self.heads, self.head, self.body, self.trailers, self.closed = heads, heads[-1], body, list(trailers), closed
        self.status = self.head.status

    def all(self, name):
        return [value for key, value in self.head.headers if key.lower() == name.lower()]

    def get(self, name):
        values = self.all(name)
        if len(values) > 1:
            raise AssertionError(f'{name} is there {len(values)} times: {values}')
        return values[0] if values else None

    def json(self):
        return json.loads(self.body)


def read_head(text):
    lines = text.split('\r\n')
    match = re.fullmatch(r'HTTP/1\.[01] (\d{3}) ?(.*)', lines[0])
    if not match:
        raise AssertionError(f'no status line: {lines[0]!r}')
    return Head(int(match[1]), lines[0], read_headers(lines[1:]))


def read_headers(lines):
    return [(name, value.strip()) for name, _, value in (line.partition(':') for line in lines if line)]


def seen(answer, name):
    """Values of a header in the request as web.js got it."""
    raw = answer.json()['headers']
    return [value for key, value in zip(raw[::2], raw[1::2]) if key.lower() == name.lower()]


class Curl(Answer):
    """One call of curl; exit: its status. The body is kept unless out names a file."""

    def __init__(self, test, url, *args, out=None, ok=True, timeout=60.0, stdin=subprocess.DEVNULL):
        test.need('curl')
        heads, body = os.path.join(test.dir, 'heads'), out or os.path.join(test.dir, 'body')
        for path in (heads, body):
            if path.startswith(test.dir):
                open(path, 'wb').close()
        url = f'http://127.0.0.1:{url}/' if isinstance(url, int) else url
        done = subprocess.run(['curl', '-sS', '--max-time', str(timeout * rig.SLOW), '-D', heads, '-o', body, *args, url],
                              capture_output=True, text=True, stdin=stdin, check=False)
        self.exit, self.error = done.returncode, done.stderr
        if ok and self.exit != 0:
            raise AssertionError(f'curl {args} {url}: {self.exit} {self.error}')
        with open(heads, encoding='latin1', newline='') as f:
            blocks = [block for block in f.read().split('\r\n\r\n') if block]
        trailers = [line for block in blocks if not block.startswith('HTTP/') for line in block.split('\r\n')]
        data = b''
        if not out:
            with open(body, 'rb') as f:
                data = f.read()
        heads = [read_head(block) for block in blocks if block.startswith('HTTP/')]
        super().__init__(heads or [Head(0, '', [])], data, read_headers(trailers))


class Client:
    """A connection on which requests are written as they are, and responses read strictly."""

    def __init__(self, port, timeout=20.0):
        self.socket = rig.connect(port, timeout)
        self.port, self.pending = port, b''

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data.encode('latin1') if isinstance(data, str) else data)

    def request(self, method='GET', target='/', headers=(), body=None, version='1.1'):
        lines = [f'{method} {target} HTTP/{version}']
        if version == '1.1' and not any(line.lower().startswith('host:') for line in headers):
            lines.append('Host: test.example')
        lines += headers
        if body is not None and not any(line.lower().startswith('transfer-encoding:') for line in headers):
            lines.append(f'Content-Length: {len(body)}')
        self.send('\r\n'.join(lines + ['', '']).encode('latin1') + (body or b''))

    def ask(self, method='GET', target='/', headers=(), body=None, version='1.1'):
        self.request(method, target, headers, body, version)
        return self.answer(method)

    def more(self):
        part = self.socket.recv(65536)
        self.pending += part
        return part

    def until(self, end):
        while end not in self.pending:
            if not self.more():
                raise ConnectionError(f'closed after {self.pending!r}')
        text, _, self.pending = self.pending.partition(end)
        return text

    def exactly(self, n):
        while len(self.pending) < n:
            if not self.more():
                raise ConnectionError(f'closed after {len(self.pending)} of {n} bytes of a body')
        data, self.pending = self.pending[:n], self.pending[n:]
        return data

    def chunks(self):
        data = b''
        while True:
            n = int(self.until(b'\r\n').split(b';')[0], 16)
            if n == 0:
                break
            data += self.exactly(n)
            if self.exactly(2) != b'\r\n':
                raise AssertionError('a chunk does not end in CRLF')
        trailers = []
        while line := self.until(b'\r\n'):
            trailers.append(line.decode('latin1'))
        return data, read_headers(trailers)

    def answer(self, method='GET', interim=True):
        """The next response; with interim all 1xx before it."""
        heads = []
        while not heads or (heads[-1].status < 200 and heads[-1].status != 101 and interim):
            heads.append(read_head(self.until(b'\r\n\r\n').decode('latin1')))
        answer = Answer(heads, b'')
        if method == 'HEAD' or answer.status < 200 or answer.status in (204, 304) or method == 'CONNECT':
            return answer
        if answer.get('Transfer-Encoding'):
            answer.body, answer.trailers = self.chunks()
        elif answer.get('Content-Length') is not None:
            answer.body = self.exactly(int(answer.get('Content-Length')))
        else:
            while self.more():
                pass
            answer.body, self.pending, answer.closed = self.pending, b'', True
        return answer

    def is_closed(self):
        """Waits for the end of the connection; false if something else comes."""
        try:
            return not self.pending and self.socket.recv(1) == b''
        except ConnectionResetError:
            return True


def ask(port, method='GET', target='/', headers=(), body=None, version='1.1'):
    """One request on a connection of its own."""
    with Client(port) as client:
        return client.ask(method, target, headers, body, version)


Request = collections.namedtuple('Request', 'method target headers body nth connection')  # nth on its connection, from 1


class Server:
    """A server that does with each request what it is told: respond(socket, request) returns whether the
    connection stays open. requests: all that came whole."""

    def __init__(self, test, respond):
        self.respond, self.requests, self.connections, self.lock = respond, [], 0, rig.threading.Lock()
        self.address = rig.serve(test, self.run)

    def run(self, s):
        with self.lock:
            self.connections += 1
            connection = self.connections
        pending, nth = b'', 0
        while True:
            nth += 1
            while b'\r\n\r\n' not in pending:
                part = s.recv(65536)
                if not part:
                    return
                pending += part
            head, _, pending = pending.partition(b'\r\n\r\n')
            lines = head.decode('latin1').split('\r\n')
            headers = read_headers(lines[1:])
            n = int(next((value for name, value in headers if name.lower() == 'content-length'), 0))
            while len(pending) < n:
                part = s.recv(65536)
                if not part:
                    return
                pending += part
            request = Request(*lines[0].split()[:2], headers, pending[:n], nth, connection)
            pending = pending[n:]
            with self.lock:
                self.requests.append(request)
            if not self.respond(s, request):
                return

    def count(self, target):
        with self.lock:
            return sum(request.target == target for request in self.requests)


def respond_with(text='ok', headers=()):
    """For Server: answers with 200 and stays."""
    def respond(s, _):
        s.sendall(response(text, headers))
        return True
    return respond


def response(text='ok', headers=(), status=200):
    return '\r\n'.join([f'HTTP/1.1 {status} Whatever', *headers, f'Content-Length: {len(text)}', '', text]).encode()
