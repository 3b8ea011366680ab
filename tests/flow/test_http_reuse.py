#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Connections to backends are used again, and nobody notices when one of them dies of it: no request fails,
and none that must not be is executed twice. LONG=1 in the environment: ten minutes around the limit."""

import collections
import os
import random
import socket
import time
import uuid

import rig
import web

LONG = os.environ.get('LONG', '') == '1' or rig.FULL


class Reuse(rig.FlowTest):
    def setUp(self):
        super().setUp()
        self.port = rig.free_port()

    def run_bal(self, *servers, workers=1, http=None, **more):
        return self.bal(web.config(self.port, servers, {'workers': workers}, http={'access_log': 'all', **(http or {})},
                                   health_check={'type': 'none'}, **more))

    def ask(self, *args, **how):
        return web.ask(self.port, *args, **how)

    def test_one_connection_serves_many_clients(self):
        node = web.Node(self)
        bal = self.run_bal(node.address)
        for i in range(40):
            self.assertEqual(self.ask('POST' if i % 2 else 'GET', '/', body=b'x' * i if i % 2 else None).status, 200)
        counts = node.counts()
        self.assertEqual(counts['requests'], 40)
        self.assertLessEqual(counts['connections'], 8)  # one; more when a POST comes late, and ours
        reused = [e['fields']['reused'] for e in bal.log_wait('http_request', 40)]
        self.assertGreaterEqual(sum(reused), 34)

    def test_after_bodies_of_all_kinds(self):
        """Whatever a response looks like, the next one begins where it ends."""
        node = web.Node(self)
        self.run_bal(node.address)
        for _ in range(3):
            for method, target, body in (('GET', '/trailers', None), ('HEAD', '/x', None), ('GET', '/status/204', None),
                                         ('POST', '/sum', b'a' * 100000), ('GET', '/hints', None), ('GET', '/x', None),
                                         ('GET', '/status/304', None), ('GET', '/drip?n=3&ms=0', None)):
                self.assertIn(self.ask(method, target, body=body).status, (200, 204, 304))
        self.assertLessEqual(node.counts()['connections'], 6)

    def test_backends_that_close_after_each_response(self):
        node = web.Node(self)
        bal = self.run_bal(node.address)
        for i in range(30):
            self.assertEqual(self.ask('POST' if i % 2 else 'GET', '/close', ['X-Id: all'], b'x' if i % 2 else None).status,
                             200)
        counts = node.counts()
        self.assertEqual((counts['requests'], counts['ids']['all']), (30, 30))
        self.assertFalse(any(e['fields']['reused'] for e in bal.log_wait('http_request', 30)))

    def test_backends_that_close_without_a_word(self):
        """The end comes in one packet with the response, so that it is there to be seen."""
        def respond(s, _):
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
            s.sendall(web.response())
            return False
        server = web.Server(self, respond)
        bal = self.run_bal(server.address)
        for i in range(60):
            self.assertEqual(self.ask('POST' if i % 2 else 'GET', f'/{i}', body=b'x' if i % 2 else None).status, 200)
            self.assertEqual(server.count(f'/{i}'), 1)
        self.assertFalse(bal.events('http_response_bad'))

    def dies_after_request(self, first=1):
        """A server whose connections die, with the request read, from the nth one on a connection on."""
        def respond(s, request):
            if request.nth < first:
                s.sendall(web.response())
                return True
            return False
        return web.Server(self, respond)

    def test_a_post_is_not_sent_twice(self):
        bad, good = self.dies_after_request(), web.Server(self, web.respond_with())
        bal = self.run_bal(bad.address, good.address)
        statuses = collections.Counter()
        for i in range(20):
            statuses[self.ask('POST', f'/{i}', body=b'x').status] += 1
            self.assertEqual(bad.count(f'/{i}') + good.count(f'/{i}'), 1)
        self.assertEqual(set(statuses), {200, 502})
        self.assertEqual(statuses[502], len(bad.requests))
        self.assertEqual(len(bal.log_wait('http_response_bad', statuses[502])), statuses[502])

    def test_a_post_is_not_sent_twice_over_a_used_connection(self):
        bad = self.dies_after_request(first=2)
        self.run_bal(bad.address)
        for i in range(10):
            self.assertEqual(self.ask('GET', f'/get{i}').status, 200)
            self.assertIn(self.ask('POST', f'/{i}', body=b'x').status, (200, 502))  # 200: over a new one
            self.assertEqual(bad.count(f'/{i}'), 1)

    def test_what_is_idempotent_goes_to_another_backend(self):
        bad, good = self.dies_after_request(), web.Server(self, web.respond_with())
        bal = self.run_bal(bad.address, good.address)
        for method in ('GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS'):
            for i in range(4):
                answer = self.ask(method, f'/{method}{i}', body=b'some bytes' if method == 'PUT' else None)
                self.assertEqual(answer.status, 200)
                self.assertEqual(good.count(f'/{method}{i}'), 1)
        self.assertGreater(len(bad.requests), 0)
        logged = [e['fields'] for e in bal.log_wait('http_request', 20)]
        self.assertEqual(sum(fields['retries'] for fields in logged), len(bad.requests))
        self.assertEqual({fields['backend'] for fields in logged}, {good.address})
        self.assertEqual({request.body for request in good.requests if request.method == 'PUT'}, {b'some bytes'})
        self.assertFalse(bal.events('http_response_bad'))

    def test_a_get_over_a_used_connection_is_sent_again(self):
        """The same backend is asked over a new one: that a connection dies says nothing about it."""
        server = self.dies_after_request(first=2)
        bal = self.run_bal(server.address)
        for i in range(10):
            self.assertEqual(self.ask('GET', f'/{i}').status, 200)
        logged = [e['fields'] for e in bal.log_wait('http_request', 10)]
        self.assertGreater(sum(fields['retries'] for fields in logged), 5)
        self.assertFalse(bal.events('http_response_bad'))

    def test_a_body_that_nobody_keeps_is_not_sent_again(self):
        bad, good = self.dies_after_request(), web.Server(self, web.respond_with())
        self.run_bal(bad.address, good.address)
        statuses = collections.Counter()
        for i in range(10):
            statuses[self.ask('PUT', f'/{i}', body=b'x' * 300000).status] += 1
            self.assertEqual(bad.count(f'/{i}') + good.count(f'/{i}'), 1)
        self.assertEqual(set(statuses), {200, 502})

    def test_nobody_answers(self):
        """Tries are limited, whatever there is to try."""
        servers = [self.dies_after_request() for _ in range(8)]
        self.run_bal(*[server.address for server in servers])
        for i in range(5):
            self.assertEqual(self.ask('GET', f'/{i}').status, 502)
            self.assertLessEqual(sum(server.count(f'/{i}') for server in servers), 4)

    def test_a_response_that_has_begun_is_not_asked_for_again(self):
        def respond(s, _):
            s.sendall(b'HTTP/1.1 200 OK\r\nContent-Le')
            return False
        server = web.Server(self, respond)
        bal = self.run_bal(server.address)
        for i in range(5):
            self.assertEqual(self.ask('GET', f'/{i}').status, 502)
            self.assertEqual(server.count(f'/{i}'), 1)
        self.assertEqual(len(bal.log_wait('http_response_bad', 5)), 5)

    def rested(self, *headers, **http):
        """How long bal keeps a connection to a server that never closes it."""
        closed = []

        def respond(s, _):
            start = time.monotonic()
            s.sendall(web.response(headers=headers))
            if s.recv(1, socket.MSG_PEEK) == b'':
                closed.append(time.monotonic() - start)
            return True
        server = web.Server(self, respond)
        self.run_bal(server.address, http=http)
        self.assertEqual(self.ask().status, 200)
        rig.wait_until(lambda: closed, 'bal to close it')
        self.assertEqual((self.ask().status, server.connections), (200, 2))
        return closed[0]

    def test_keep_alive_timeout_is_honoured(self):
        """It is closed by bal, in time, and not by the backend."""
        rested = self.rested('Keep-Alive: timeout=3, max=100')
        self.assertGreater(rested, 2.3)
        self.assertLess(rested, 3)

    def test_the_habit_of_a_backend_is_learned(self):
        """It closes what has rested for a second, and does not say so; bal is first from the second time on."""
        ends = []

        def respond(s, request):
            s.sendall(web.response())
            s.settimeout(1)
            try:
                if s.recv(1, socket.MSG_PEEK) == b'':
                    ends.append('bal')
                    return False
            except TimeoutError:
                ends.append('server')
                return False
            s.settimeout(60)
            return True
        server = web.Server(self, respond)
        self.run_bal(server.address)
        for _ in range(4):
            n = len(ends)
            self.assertEqual(self.ask().status, 200)
            rig.wait_until(lambda: len(ends) > n, 'the connection to end')
        self.assertEqual(ends[0], 'server')
        self.assertIn('bal', ends[1:])
        if rig.SANITIZE == 'none':
            self.assertGreaterEqual(ends[1:].count('bal'), 2)

    def test_backend_keep_alive_is_the_end(self):
        rested = self.rested(backend_keep_alive='500ms')
        self.assertGreater(rested, 0.4)
        self.assertLess(rested, 5 * rig.SLOW)

    def test_no_rest_at_all(self):
        node = web.Node(self)
        self.run_bal(node.address, http={'backend_keep_alive': '0s'})
        for _ in range(10):
            self.assertEqual(self.ask().status, 200)
        self.assertEqual(node.counts()['connections'], 11)

    def mixed(self, seconds, limit_s):
        """Clients that pause for about as long as the backend keeps its connections."""
        node = web.Node(self, set={'keepAliveTimeout': int(limit_s * 1000)})
        bal = self.run_bal(node.address, workers=2)
        end, sent, failed = time.monotonic() + seconds, [], []

        def work(seed):
            rng = random.Random(seed)
            client = web.Client(self.port)
            try:
                while time.monotonic() < end:
                    method, name = rng.choice(('GET', 'POST', 'POST')), str(uuid.uuid4())
                    sent.append((method, name))
                    answer = client.ask(method, '/', [f'X-Id: {name}'], None if method == 'GET' else b'x' * rng.randrange(30000))
                    if answer.status != 200:
                        failed.append((method, answer.status))
                    time.sleep(rng.choice((0, 0.01, 0.3, rng.uniform(0.7, 1.15) * limit_s)))
            except OSError as error:
                failed.append(repr(error))
            finally:
                client.close()
        threads = [rig.threading.Thread(target=work, args=(seed,)) for seed in range(24)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        counts = node.counts()
        posts = [name for method, name in sent if method == 'POST']
        print(f'{len(sent)} requests over {counts["connections"]} connections, {len(posts)} of them POST')
        self.assertEqual(failed, [])
        self.assertEqual([name for name in posts if counts['ids'].get(name) != 1], [], 'each executed once')
        self.assertFalse(bal.events('http_response_bad'))
        self.assertLess(counts['connections'], len(sent) * 0.7)
        self.assert_idle(bal)
        self.assert_sessions_balance(bal)

    def test_around_the_limit_of_the_backend(self):
        self.mixed(600 if LONG else 22, 5)


if __name__ == '__main__':
    rig.main()
