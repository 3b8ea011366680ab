#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""HTTP on a bad day: requests that fail every backend, clients that leave or stay, slots that are taken."""

import contextlib
import json
import socket
import threading
import time

import rig
import web
import wire

GET = b'GET %s HTTP/1.1\r\nHost: x\r\n\r\n'


class Case(rig.FlowTest):
    def check_after(self, bal):
        self.assert_idle(bal)
        self.assert_sessions_balance(bal)


class Crash(Case):
    """A URL on which a backend closes: its worker crashes, or it says `return 444`."""

    def crasher(self):
        origin = wire.Origin(self)

        def script(w, _):
            while True:
                m = origin.request(w)
                if m.target == '/crash':
                    w.s.close()
                    return
                w.send(wire.ok(m.target.encode()))
        origin.script = script
        return origin

    def crashes(self, origins):
        return sum(m.target == '/crash' for origin in origins for m in origin.requests)

    def test_nobody_else_suffers(self):
        """One, two and six backends, each of which closes: a 502 that says so, and no protection."""
        for n in (1, 2, 6):
            for protected in (False, True):
                with self.subTest(backends=n, protected=protected):
                    origins, port = [self.crasher() for _ in range(n)], rig.free_port()
                    bal = self.bal(wire.config(port, [o.address for o in origins], {'access_log': 'all'},
                                               health_check={'type': 'tcp', 'interval': '100ms'},
                                               protection={'trigger_threshold': 1} if protected else {}))
                    if protected:  # by a refusal that has nothing to do with it
                        bal.reload(wire.config(port, [o.address for o in origins] + [f'127.0.0.1:{rig.free_port()}'],
                                               {'access_log': 'all'}, protection={'trigger_threshold': 1}))
                        rig.wait_until(lambda: web.ask(port).status == 200 and bal.protection()['enabled'], 'protection')
                    with web.Client(port) as other:
                        for _ in range(3):
                            self.assertEqual(other.ask('GET', '/fine').status, 200)
                            self.assertEqual(web.ask(port, 'GET', '/crash').status, 502)
                            self.assertEqual(other.ask('GET', '/fine').status, 200)
                            self.assertEqual(web.ask(port, 'GET', '/other').status, 200)
                    self.assertLessEqual(self.crashes(origins), 6, 'twice for each')
                    rig.wait_until(lambda: len(bal.events('http_response_bad')) == 3, 'three records')
                    told = bal.events('http_response_bad')
                    self.assertIn('before it answered', told[0]['fields']['why'])
                    self.assertIn(told[0]['fields']['backend'], [o.address for o in origins])
                    if not protected:
                        self.assertFalse(bal.protection()['enabled'])
                        self.assertFalse(bal.events('protection_on'))
                    self.assertEqual(bal.get()['pools'][0]['unavailable_total'], 0)
                    self.check_after(bal)

    def test_a_post_goes_out_once(self):
        origins, port = [self.crasher() for _ in range(2)], rig.free_port()
        bal = self.bal(wire.config(port, [o.address for o in origins]))
        self.assertEqual(web.ask(port, 'POST', '/crash', body=b'x').status, 502)
        self.assertEqual(self.crashes(origins), 1)
        self.check_after(bal)

    def test_without_a_hold(self):
        origins, port = [self.crasher() for _ in range(2)], rig.free_port()
        bal = self.bal(wire.config(port, [o.address for o in origins], hold='0s'))
        for _ in range(3):
            self.assertEqual(web.ask(port, 'GET', '/crash').status, 502)
            self.assertEqual(web.ask(port, 'GET', '/fine').status, 200)
        self.assertFalse(bal.protection()['enabled'])
        self.check_after(bal)

    def test_the_other_backend_is_away(self):
        """One closes, the other refuses: the request had its chance, and waits for none."""
        origin, port = self.crasher(), rig.free_port()
        bal = self.bal(wire.config(port, [origin.address, f'127.0.0.1:{rig.free_port()}']))
        start = time.monotonic()
        for _ in range(3):
            self.assertIn(web.ask(port, 'GET', '/crash').status, (502, 503))
        self.assertLess(time.monotonic() - start, 20 * rig.SLOW)
        self.check_after(bal)


class Leave(Case):
    def slow(self, script):
        """A backend that says when its connection has ended."""
        ended = threading.Event()

        def handler(s):
            with contextlib.suppress(OSError):
                script(s)
                while s.recv(1000):
                    pass
            ended.set()
        address = rig.serve(self, handler)
        return address, ended

    def test_while_it_waits_for_the_response(self):
        """Its FIN is noticed at once: the backend's connection is closed, and the log says 499."""
        for method in ('GET', 'POST'):
            begun = threading.Event()
            address, ended = self.slow(lambda s: (s.recv(1000), begun.set()))
            port = rig.free_port()
            bal = self.bal(wire.config(port, [address], {'access_log': 'all'}))
            with web.Client(port) as client:
                client.request(method, '/slow', body=b'x' if method == 'POST' else None)
                self.assertTrue(begun.wait(10 * rig.SLOW))
                start = time.monotonic()
                client.socket.shutdown(socket.SHUT_WR)
                self.assertTrue(ended.wait(10 * rig.SLOW))
                self.assertLess(time.monotonic() - start, 1 * rig.SLOW)
                self.assertTrue(client.is_closed())
            self.check_after(bal)
            fields = bal.log_wait('http_request')[0]['fields']
            self.assertEqual((fields['status'], fields['end'], fields['backend']), (499, 'client_gone', address))
            self.assertEqual(bal.get()['closed']['client_gone'], 1)

    def test_in_a_silent_stream(self):
        """Server-sent events with nothing to send: the head is out, and then the client leaves."""
        address, ended = self.slow(lambda s: (s.recv(1000), s.sendall(
            b'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n')))
        port = rig.free_port()
        bal = self.bal(wire.config(port, [address], {'access_log': 'all'}))
        client = web.Client(port)
        client.request('GET', '/events')
        client.until(b'hello')
        client.close()
        self.assertTrue(ended.wait(10 * rig.SLOW))
        self.check_after(bal)
        fields = bal.log_wait('http_request')[0]['fields']
        self.assertEqual((fields['status'], fields['end']), (200, 'client_gone'))

    def test_in_the_middle_of_its_body(self):
        address, ended = self.slow(lambda s: s.recv(1000))
        port = rig.free_port()
        bal = self.bal(wire.config(port, [address], {'access_log': 'all'}))
        client = web.Client(port)
        client.send('POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nsome')
        rig.wait_until(lambda: bal.backend(address)['active_connections'] == 1, 'it to be there')
        client.close()
        self.assertTrue(ended.wait(10 * rig.SLOW))
        self.check_after(bal)
        fields = bal.log_wait('http_request')[0]['fields']
        self.assertEqual((fields['status'], fields['end']), (499, 'client_gone'))

    def test_in_the_queue(self):
        """A queued POST of a client that has left is never sent, and its place in the queue is free."""
        node, port = web.Node(self), rig.free_port()
        bal = self.bal(wire.config(port, [(node.address, {'max_connections': 1})], {'access_log': 'all'},
                                   frontend={'overload_policy': 'queue', 'queue_timeout': '60s'}))
        with web.Client(port) as first:
            first.request('GET', '/slow?ms=1500')
            rig.wait_until(lambda: node.counts()['requests'] == 1, 'the first')
            late = [web.Client(port) for _ in range(3)]
            for client in late:
                client.request('POST', '/', body=b'never')
            rig.wait_until(lambda: bal.get()['frontends'][0]['waiting'] == 3, 'those that wait')
            late[0].close()
            late[1].socket.shutdown(socket.SHUT_WR)
            rig.wait_until(lambda: bal.get()['frontends'][0]['waiting'] == 1, 'the one that waits on')
            self.assertEqual(first.answer().status, 200)
            self.assertEqual(late[2].answer().status, 200)
            self.assertEqual(node.counts()['requests'], 2)
            for client in late:
                client.close()
        self.check_after(bal)
        logged = [record['fields'] for record in bal.events('http_request')]
        self.assertEqual(sorted(fields['status'] for fields in logged), [200, 200, 499, 499])

    def test_half_close_serve(self):
        """nc -N, and whoever else ends its sending side and waits: served, if the frontend says so."""
        port = rig.free_port()
        origin = wire.Origin(self)
        bal = self.bal(wire.config(port, [origin.address], {'half_close': 'serve'}))
        for sent in (GET % b'/1', b'POST /1 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi'):
            with wire.client(port) as c:
                c.send(sent)
                c.finish()
                self.assertEqual(c.response().body, b'/1')
                self.assertEqual(wire.ends(c), 'closed')
        with wire.client(port) as c:  # it may wait for a backend, too
            dead = rig.free_port()
            bal.reload(wire.config(port, [f'127.0.0.1:{dead}'], {'half_close': 'serve'}, hold='60s'))
            c.send(GET % b'/2')
            c.finish()
            rig.wait_until(lambda: bal.get()['frontends'][0]['waiting'] == 1, 'it to wait')
            self.backend('back', address=f'127.0.0.1:{dead}')
            self.assertEqual(c.response().status, 200)
        self.check_after(bal)

    def test_curl_without_keep_alive(self):
        """What ends its connection after the response is nobody that leaves before."""
        node, port = web.Node(self), rig.free_port()
        bal = self.bal(wire.config(port, [node.address]))
        for _ in range(20):
            self.assertEqual(web.Curl(self, port, '-H', 'Connection: close').status, 200)
        self.check_after(bal)
        self.assertEqual(bal.get()['closed']['client_gone'], 0)


class Stay(Case):
    def early(self, answer):
        def script(w, _):
            w.line()
            w.send(answer)
            time.sleep(30)
        return wire.Origin(self, script)

    def test_it_sends_on_after_an_early_answer(self):
        """413 while the upload goes on: for five seconds after each byte it may, and reads its answer."""
        port = rig.free_port()
        bal = self.bal(wire.config(port, [wire.Origin(self).address], {'max_body_bytes': 1000}))
        with wire.client(port) as c:
            c.send(b'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n\r\n')
            for _ in range(8):
                c.send(b'x' * 100000)
                time.sleep(0.4)
            self.assertEqual(c.response().status, 413)
        self.check_after(bal)

    def test_it_stays_and_says_nothing(self):
        """An answer is out, the client neither reads nor leaves: five seconds, and the slot is free."""
        port = rig.free_port()
        bal = self.bal(wire.config(port, [wire.Origin(self).address], {'max_body_bytes': 1000}))
        with wire.client(port) as c:
            c.send(b'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n\r\nx')
            self.assertEqual(c.response().status, 413)
            start = time.monotonic()
            self.assert_idle(bal, 15)
            self.assertGreater(time.monotonic() - start, 3)
        self.check_after(bal)

    def test_many_that_are_turned_away_stay(self):
        """A few get time to read their 503; the others are closed at once, and all of them are counted."""
        port = rig.free_port()
        node = web.Node(self)
        bal = self.bal(wire.config(port, [node.address], frontend={'max_connections': 1}, settings={'workers': 1}))
        with web.Client(port) as busy, contextlib.ExitStack() as stack:
            busy.request('GET', '/slow?ms=4000')
            rig.wait_until(lambda: node.counts()['requests'] == 1, 'it to be there')
            before = bal.fds()
            late = [stack.enter_context(wire.client(port)) for _ in range(300)]
            for c in late:
                with contextlib.suppress(OSError):
                    c.send(GET % b'/')
            rig.wait_until(lambda: bal.get()['frontends'][0]['rejected_total'] == 300, 'all to be turned away')
            self.assertLess(bal.fds() - before, 80)
            served = 0
            for c in late:
                with contextlib.suppress(OSError, wire.Closed):
                    served += c.response().status == 503
            self.assertGreater(served, 60)
            self.assertEqual(busy.answer().status, 200)
        self.check_after(bal)


class Queue(Case):
    def test_what_needs_no_backend_does_not_wait(self):
        """A request waits for a full backend; routes that bal answers, other pools and new clients do not."""
        full, other = web.Node(self), web.Node(self, name='other')
        port = rig.free_port()
        site = web.site(port, [(full.address, {'max_connections': 1})], name='full', health_check=wire.NO_CHECKS,
                        frontend={'overload_policy': 'queue', 'queue_timeout': '60s'}, routes=[
                            {'path': '/healthz', 'respond': {'status': 200}}, {'path_segments': '/other', 'backend': 'other'}])
        pool = {'name': 'other', 'servers': [{'address': other.address}], 'health_check': wire.NO_CHECKS}
        document = json.loads(rig.document(site))
        document['backends'].append(pool)
        bal = self.bal(json.dumps(document))
        with web.Client(port) as first, web.Client(port) as second, web.Client(port) as third:
            first.request('GET', '/slow?ms=3000')
            rig.wait_until(lambda: full.counts()['requests'] == 1, 'the first')
            second.request('GET', '/waits')
            rig.wait_until(lambda: bal.get()['frontends'][0]['waiting'] == 1, 'the second to wait')
            start = time.monotonic()
            self.assertEqual(third.ask('GET', '/healthz').status, 200)
            self.assertEqual(web.ask(port, 'GET', '/healthz').status, 200, 'a new connection')
            self.assertEqual(web.ask(port, 'GET', '/other/x').status, 200, 'another pool')
            self.assertLess(time.monotonic() - start, 1 * rig.SLOW)
            self.assertEqual(first.answer().status, 200)
            self.assertEqual(second.answer().status, 200)
        self.check_after(bal)


if __name__ == '__main__':
    rig.main()
