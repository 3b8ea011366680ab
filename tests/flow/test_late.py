#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Clients that wait, and what happens to bal meanwhile: a reload, a late connect, others that wait in front."""

import contextlib
import socket
import struct
import threading
import time

import rig
import web

NO_CHECKS = {'type': 'none'}


def site(port, servers, name='p', protocol='http', http=None, **keys):
    frontend = {'http': http} if http else {}
    return rig.pool(name, port, servers, frontend={'protocol': protocol, **frontend},
                    **{'health_check': NO_CHECKS, **keys})


class Hole:
    """A server whose connects hang until it is opened: the queue of its listener is full."""

    def __init__(self, test, n=8):
        self.listener = socket.socket()
        self.listener.bind(('127.0.0.1', 0))
        self.listener.listen(0)
        self.address = '127.0.0.1:%d' % self.listener.getsockname()[1]
        self.stuffing, self.requests, self.lock = [], [], threading.Lock()
        for _ in range(n):
            s = socket.socket()
            s.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                s.connect(self.listener.getsockname())
            self.stuffing.append(s)
        time.sleep(0.05)
        test.addCleanup(self.close)

    def close(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for s in self.stuffing:
            s.close()

    def open(self):
        """From now on it answers each connection with one response."""
        for s in self.stuffing:
            s.close()
        self.listener.listen(128)
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while True:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(s,), daemon=True).start()

    def _serve(self, s):
        with s, contextlib.suppress(OSError):
            s.settimeout(60)
            head = b''
            while b'\r\n\r\n' not in head:
                part = s.recv(4096)
                if not part:
                    return
                head += part
            with self.lock:
                self.requests.append(head)
            s.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nhole')


class Case(rig.FlowTest):
    def knocker(self, port, method='GET', target='/', body=None):
        client = web.Client(port)
        self.addCleanup(client.close)
        client.request(method, target, body=body)
        return client


class Late(Case):
    def test_a_connection_at_rest_ends_a_late_connect(self):
        """The request goes out over it, and not once more when the late connect is answered."""
        port, asked, answer = rig.free_port(), [], threading.Event()

        def serve(s):
            while True:
                head = b''
                while b'\r\n\r\n' not in head:
                    part = s.recv(4096)
                    if not part:
                        return
                    head += part
                asked.append(head.split()[1])
                if b'/wait' in head:
                    answer.wait(30)
                s.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood')
        good, hole = rig.serve(self, serve), Hole(self)
        bal = self.bal(rig.document(site(port, [(hole.address, {}), (good, {})], connect_timeout='100ms',
                                         connect_deadline='20s', hold='20s'), workers=1))
        bal.cli('backend', 'maint', hole.address, check=0)
        clients = [self.knocker(port, target='/wait') for _ in range(3)]
        rig.wait_until(lambda: asked.count(b'/wait') == 3, 'all three to be there')
        answer.set()
        for client in clients:
            self.assertEqual(client.answer().body, b'good')  # from now on their connections rest
            client.close()
        answer.clear()
        asked.clear()
        bal.cli('backend', 'enable', hole.address, check=0)
        clients = [self.knocker(port, 'POST', '/wait', b'once') for _ in range(2)]  # one meets the hole first
        rig.wait_until(lambda: asked.count(b'/wait') == 2, 'both to be at the good one')
        hole.open()
        time.sleep(3.5)  # the kernel repeats its SYN after a second, and after three
        answer.set()
        self.assertEqual([client.answer('POST').body for client in clients], [b'good', b'good'])
        self.assertEqual(hole.requests, [])
        for client in clients:
            client.close()
        self.assert_idle(bal)

    def test_those_behind_late_connects(self):
        """A backend that dropped SYNs comes back: those that can connect at once do not wait for a crowd in
        front of them that waits for the kernel."""
        port, hole = rig.free_port(), Hole(self)
        bal = self.bal(rig.document(site(port, [hole.address], connect_timeout='700ms', connect_deadline='60s', hold='60s'),
                                    workers=1))
        late = [self.knocker(port) for _ in range(12)]
        began = time.monotonic()
        rig.wait_until(lambda: bal.get()['frontends'][0]['waiting'] == 12, 'all of them to wait')
        # their next SYN goes out after 7 s at the latest, and then not before 11 s
        time.sleep(max(0.0, began + 7.3 - time.monotonic()))
        more = [self.knocker(port) for _ in range(20)]
        rig.wait_until(lambda: bal.get()['frontends'][0]['waiting'] >= 31, 'the others to wait')
        hole.open()  # the one that tries it has sent its SYN, and sends the next one after a second
        self.assertEqual({client.answer().body for client in more}, {b'hole'})
        took = time.monotonic() - began
        print(f'those behind were served after {took:.1f} s')
        self.assertLess(took, 10)
        for client in late + more:
            client.close()


class Turns(Case):
    def test_a_pipeline_does_not_keep_a_slot(self):
        """The next request of a client is there when its last one ends: it comes after those that wait."""
        port = rig.free_port()

        def serve(s):
            data = b''
            while True:
                while b'\r\n\r\n' not in data:
                    part = s.recv(4096)
                    if not part:
                        return
                    data += part
                data = data.partition(b'\r\n\r\n')[2]
                time.sleep(0.005)
                s.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
        frontend = {'protocol': 'http', 'overload_policy': 'queue', 'queue_timeout': '20s'}
        bal = self.bal(rig.document(rig.pool('p', port, [(rig.serve(self, serve), {'max_connections': 1})], frontend=frontend,
                                             health_check=NO_CHECKS), workers=1))
        greedy = rig.connect(port, 60)
        self.addCleanup(greedy.close)
        greedy.sendall(b'GET / HTTP/1.1\r\nHost: x\r\n\r\n' * 400)  # 2 s of work at least
        rig.read_exactly(greedy, 1)
        for _ in range(10):
            with self.knocker(port) as client:
                self.assertEqual(client.answer().body, b'ok')
        greedy.setblocking(False)
        answered = 0
        with contextlib.suppress(BlockingIOError):
            while part := greedy.recv(65536):
                answered += part.count(b'HTTP/1.1')
        print(f'{answered} of 400 were answered meanwhile')
        self.assertLess(answered, 100)
        greedy.close()
        self.assert_idle(bal)


class Restart(Case):
    def test_requests_under_way_and_many_that_come(self):
        """The backend closes on what it has and is away for a moment. The new ones find out that it refuses; the
        requests that were under way wait with them."""
        port, backend_port, held, dies = rig.free_port(), rig.free_port(), [], threading.Event()

        def serve(s):
            held.append(s)
            s.recv(4096)
            dies.wait(30)

        def serve_again(s):
            s.recv(4096)
            s.sendall(b'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 6\r\n\r\nagain\n')
        stop = self.serve_on(serve, backend_port)
        bal = self.bal(rig.document(site(port, [f'127.0.0.1:{backend_port}'], hold='20s')))
        clients = [self.knocker(port) for _ in range(10)]
        rig.wait_until(lambda: len(held) == 10, 'all of them to be there')
        stop()
        visitors = self.visit(port, 300)
        rig.wait_until(lambda: bal.get()['frontends'][0]['waiting'] > 0, 'some to wait')
        dies.set()
        time.sleep(0.7)
        self.serve_on(serve_again, backend_port)
        self.assertEqual({client.answer().body for client in clients}, {b'again\n'})
        self.assertEqual({visit.outcome for visit in visitors.end_visits()}, {'answered'})

    def serve_on(self, handler, port):
        """As rig.serve(), but returns what stops it."""
        listener = socket.create_server(('127.0.0.1', port), backlog=1024)

        def run_one(s):
            with s, contextlib.suppress(OSError):
                handler(s)

        def run():
            while True:
                try:
                    s, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=run_one, args=(s,), daemon=True).start()

        def stop():
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        self.addCleanup(stop)
        threading.Thread(target=run, daemon=True).start()
        return stop


class Reload(Case):
    def test_one_that_waits_where_its_frontend_is_gone(self):
        """It waits on, and bal is idle meanwhile."""
        for protocol in ('tcp', 'http'):
            with self.subTest(protocol=protocol):
                port, other = rig.free_port(), rig.free_port()
                dead = f'127.0.0.1:{rig.free_port()}'
                bal = self.bal(rig.document(site(port, [dead], protocol=protocol, hold='30s')))
                client = self.knocker(port)
                rig.wait_until(lambda: bal.get()['frontends'][0]['waiting'] == 1, 'it to wait')
                bal.reload(rig.document(site(other, [dead], name='q', protocol=protocol, hold='30s')))
                cpu = bal.cpu_ns()
                time.sleep(1)
                used = (bal.cpu_ns() - cpu) / 1e9
                print(f'{protocol}: {1000 * used:.0f} ms of CPU in a second')
                self.assertLess(used, 0.2 * rig.SLOW)
                client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
                client.close()
                self.assert_idle(bal)

    def test_the_log_of_a_request_that_followed(self):
        """It was with a backend of a generation that is gone when its line is written: named if the new one
        has it, too."""
        for stays in (True, False):
            with self.subTest(stays=stays):
                port, asked, close = rig.free_port(), threading.Event(), threading.Event()

                def serve(s, asked=asked, close=close):
                    s.recv(4096)
                    asked.set()
                    close.wait(30)
                server = rig.serve(self, serve)
                servers = [server] if stays else [f'127.0.0.1:{rig.free_port()}']
                bal = self.bal(rig.document(site(port, [server], http={'access_log': 'all'}, hold='1s')))
                client = self.knocker(port)
                asked.wait(10)
                bal.cli('backend', 'maint', server, '--yes', check=0)  # so that nothing but the wait is left
                close.set()
                rig.wait_until(lambda: bal.get()['frontends'][0]['waiting'] == 1, 'it to wait')
                for hold in ('2s', '2001ms'):
                    bal.reload(rig.document(site(port, servers, http={'access_log': 'all'}, hold=hold)))
                if not stays:
                    self.assertEqual(client.answer().status, 503)
                else:
                    self.assertEqual(client.answer().status, 502)
                fields = bal.log_wait('http_request')[0]['fields']
                self.assertEqual(fields['backend'], server if stays else None)

    def test_half_close_of_the_generation_that_serves_it(self):
        """The first request after a reload goes by the new rules in this, too."""
        port = rig.free_port()

        def serve(s):
            s.recv(4096)
            time.sleep(0.3)
            s.sendall(b'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok')
        server = rig.serve(self, serve)
        bal = self.bal(rig.document(site(port, [server], http={'half_close': 'abort'})))
        with self.knocker(port) as client:
            self.assertEqual(client.answer().body, b'ok')
            bal.reload(rig.document(site(port, [server], http={'half_close': 'serve'})))
            client.request()
            client.socket.shutdown(socket.SHUT_WR)
            self.assertEqual(client.answer().body, b'ok')
        self.assertEqual(bal.status()['closed']['client_gone'], 0)


if __name__ == '__main__':
    rig.main()
