#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the log says of requests: which are written, and every field of them; who was refused, and which
backend's responses are no good. What is counted does not depend on what is written."""

import collections
import http.client
import json
import os
import re
import time

import rig
import web

FIELDS = {'frontend', 'client', 'method', 'target', 'host', 'status', 'bytes_in', 'bytes_out', 'request_id', 'pool',
          'backend', 'retries', 'reused', 'idle_ms', 'queue_ms', 'connect_ms', 'first_byte_ms', 'duration_ms', 'end',
          'session'}


class Case(rig.FlowTest):
    def stage(self, *servers, settings=None, **http):
        self.port = rig.free_port()
        # each worker has a log ring of its own: no order among them
        settings = {'workers': 1, 'log_clients': True, **(settings or {})}
        self.bal_ = self.bal(web.config(
            self.port, servers, settings, health_check={'type': 'none'}, http=http,
            routes=[{'path': '/own', 'respond': {'status': 404}}]))
        return self.bal_

    def logged(self, count, event='http_request'):
        return [record['fields'] for record in self.bal_.log_wait(event, count)]

    def ask(self, *args, **how):
        return web.ask(self.port, *args, **how)


class AccessLog(Case):
    def test_fields(self):
        node = web.Node(self)
        self.stage(node.address, access_log='all')
        with web.Client(self.port) as client:
            answer = client.ask('POST', '/a/b?c=d', ['Host: shop.example:81', 'X-Request-ID: r-1'], b'x' * 5000)
            self.assertEqual(answer.status, 200)
            time.sleep(0.3)
            client.ask('HEAD', '/own')
            client.ask('GET', '/' + 'y' * 3000)
        post, own, long = self.logged(3)
        for fields in (post, own, long):
            self.assertEqual(set(fields), FIELDS)
        times = {key: post.pop(key) for key in list(post) if key.endswith('_ms')}
        sizes = post.pop('bytes_in'), post.pop('bytes_out')
        self.assertEqual(post, {
            'frontend': 'web', 'client': '127.0.0.1', 'method': 'POST', 'target': '/a/b?c=d', 'host': 'shop.example:81',
            'status': 200, 'request_id': 'r-1', 'pool': 'web', 'backend': node.address, 'retries': 0, 'reused': False,
            'end': 'done', 'session': own['session']})
        self.assertGreaterEqual(times['duration_ms'], times['first_byte_ms'])
        self.assertGreater(sizes[0], 5000)  # with the head
        self.assertLess(sizes[0], 6000)
        self.assertGreater(sizes[1], len(answer.body))
        self.assertLess(sizes[1], len(answer.body) + 500)
        self.assertEqual((own['method'], own['status'], own['pool'], own['backend']), ('HEAD', 404, None, None))
        self.assertGreaterEqual(own['idle_ms'], 290)
        self.assertEqual(long['target'], '/' + 'y' * 1023)
        self.assertRegex(long['request_id'], r'^[0-9a-f-]{36}$')

    def test_times(self):
        node = web.Node(self)
        self.stage((node.address, {'max_connections': 1}), access_log='all')
        with web.Client(self.port) as client:
            client.send('GET /slow?ms=300 HTTP/1.1\r\nHost:')  # the head takes its time, too
            time.sleep(0.3)
            client.send(' a\r\n\r\n')
            self.assertEqual(client.answer().status, 200)
            client.ask('GET', '/drip?n=4&ms=100')
        slow, drip = self.logged(2)
        self.assertGreaterEqual(slow['first_byte_ms'], 290)
        self.assertGreaterEqual(slow['duration_ms'], 590)
        self.assertGreaterEqual(drip['duration_ms'], 290)
        self.assertGreaterEqual(drip['duration_ms'], drip['first_byte_ms'] + 200)
        self.assertTrue(drip['reused'])

    def test_who_waited_in_the_queue(self):
        node, port = web.Node(self), rig.free_port()
        self.bal_ = self.bal(web.config(port, [(node.address, {'max_connections': 1})], http={'access_log': 'all'},
                                        frontend={'overload_policy': 'queue', 'queue_timeout': '30s'}))
        with web.Client(port) as first, web.Client(port) as second:
            first.request('GET', '/slow?ms=600')
            rig.wait_until(lambda: self.bal_.backend(node.address)['active_connections'] == 1, 'the first')
            second.request('GET', '/second')
            for client in (first, second):
                self.assertEqual(client.answer().status, 200)
        by_target = {fields['target']: fields for fields in self.logged(2)}
        self.assertGreater(by_target['/second']['queue_ms'], 100)
        self.assertEqual(by_target['/slow?ms=600']['queue_ms'], 0)

    def test_a_client_that_leaves(self):
        node = web.Node(self)
        self.stage(node.address, access_log='errors')
        with web.Client(self.port) as client:
            client.request('GET', '/slow?ms=60000')
            rig.wait_until(lambda: node.counts()['requests'] == 1, 'it to be there')
            client.socket.setsockopt(rig.socket.SOL_SOCKET, rig.socket.SO_LINGER, b'\1\0\0\0\0\0\0\0')
        fields, = self.logged(1)
        self.assertEqual((fields['status'], fields['end'], fields['backend']), (499, 'client_reset', node.address))
        self.assert_idle(self.bal_)

    def ask_of_each_kind(self):
        """2xx and 4xx, of bal and of the backend, and 5xx of both."""
        for target in ('/', '/status/404', '/own', '/status/500', '/status/503', '/cut'):
            try:
                self.ask('GET', target)
            except ConnectionError:
                self.assertEqual(target, '/cut')

    def test_errors(self):
        node = web.Node(self)
        self.stage(node.address, access_log='errors')
        self.ask_of_each_kind()
        logged = self.logged(3)
        self.assertEqual([(f['target'], f['status'], f['end']) for f in logged],
                         [('/status/500', 500, 'done'), ('/status/503', 503, 'done'), ('/cut', 200, 'server_reset')])
        self.assertEqual(self.ask('GET', '/', ['Content-Length: 1', 'Transfer-Encoding: chunked']).status, 400)
        self.assertEqual(len(self.logged(3)), 3)

    def test_errors_is_the_default(self):
        node = web.Node(self)
        self.stage(node.address)
        self.ask_of_each_kind()
        self.assertEqual([f['target'] for f in self.logged(3)], ['/status/500', '/status/503', '/cut'])

    def test_none_and_all_are_counted(self):
        node, at = web.Node(self), rig.free_port()
        bal = self.stage(node.address, settings={'metrics': {'address': f'127.0.0.1:{at}'}}, access_log='none')
        self.ask_of_each_kind()
        for _ in range(20):
            self.ask('POST', '/', body=b'x')

        def counts():
            client = http.client.HTTPConnection('127.0.0.1', at, timeout=10 * rig.SLOW)
            client.request('GET', '/metrics')
            text = client.getresponse().read().decode()
            client.close()
            found = collections.Counter()
            for method, code, n in re.findall(
                    r'^bal_http_requests_total\{.*method="(\w+)",code="(\w+)"\} (\d+)', text, re.M):
                found[method, code] += int(n)
            return {key: n for key, n in found.items() if n}
        expected = {('GET', '2xx'): 2, ('GET', '4xx'): 2, ('GET', '5xx'): 2, ('POST', '2xx'): 20}
        rig.wait_until(lambda: counts() == expected, f'{expected}, and not {counts()}')
        self.assertEqual(bal.events('http_request'), [])

    def test_sample(self):
        node = web.Node(self)
        self.stage(node.address, access_log='sample: 10')
        with web.Client(self.port) as client:
            for i in range(1500):
                self.assertEqual(client.ask('GET', f'/{i}').status, 200)
        logged = self.logged(60)
        self.assertGreater(len(logged), 80)  # of 150; six times the deviation
        self.assertLess(len(logged), 220)

    def test_what_a_client_sends_cannot_break_a_line(self):
        node = web.Node(self)
        self.stage(node.address, access_log='all')
        target = '/%0a"\\{}' + '\u00e9' + "'</script>"
        with web.Client(self.port) as client:
            client.send(f'GET {target} HTTP/1.1\r\nHost: a\r\nX-Request-ID: "quoted\\\r\n\r\n')
            status = client.answer().status
        self.assertIn(status, (200, 400))
        if status == 200:
            fields, = self.logged(1)
            self.assertTrue(fields['target'].startswith('/%0a"\\{}'))
            self.assertEqual(fields['request_id'], '"quoted\\')


class Refused(Case):
    def test_reasons(self):
        node = web.Node(self)
        self.stage(node.address, access_log='all')
        cases = [
            ('length_and_coding', 400, 'POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n'),
            ('length_twice', 400, 'POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n'),
            ('host_missing', 400, 'GET /c HTTP/1.1\r\n\r\n'),
            ('bare_lf', 400, 'GET /d HTTP/1.1\nHost: a\n\n'),
            ('tls', 400, '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'),
            ('preface', 505, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
            ('coding_unknown', 501, 'POST /e HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n'),
            ('expectation', 417, 'POST /f HTTP/1.1\r\nHost: a\r\nExpect: x\r\nContent-Length: 0\r\n\r\n'),
        ]
        for reason, status, text in cases:
            with self.subTest(reason=reason), web.Client(self.port) as client:
                client.send(text)
                answer = client.answer()
                self.assertEqual((answer.status, answer.get('Connection'), client.is_closed()), (status, 'close', True))
        logged = self.logged(len(cases), 'http_refused')
        self.assertEqual([(f['reason'], f['status']) for f in logged], [case[:2] for case in cases])
        for fields in logged:
            self.assertEqual(set(fields), {'frontend', 'client', 'reason', 'why', 'status', 'method', 'target', 'session'})
            self.assertEqual((fields['frontend'], fields['client']), ('web', '127.0.0.1'))
        self.assertEqual((logged[0]['method'], logged[0]['target']), ('POST', '/a'))
        self.assertIn('TLS', next(f['why'] for f in logged if f['reason'] == 'tls'))
        self.assertEqual(node.counts()['requests'], 0)
        self.assertEqual([f['status'] for f in self.logged(len(cases))], [case[1] for case in cases])

    def test_a_body_that_is_no_good(self):
        node = web.Node(self)
        self.stage(node.address)
        with web.Client(self.port) as client:
            client.request('POST', '/sum', ['Transfer-Encoding: chunked'])
            client.send('3\r\nabcXX')
            answer = client.answer()
            self.assertEqual((answer.status, client.is_closed()), (400, True))
        fields, = self.logged(1, 'http_refused')
        self.assertEqual((fields['reason'], fields['method'], fields['target']), ('chunk_end', 'POST', '/sum'))

    def test_a_head_that_comes_too_slowly(self):
        node = web.Node(self)
        self.stage(node.address, head_timeout='400ms')
        with web.Client(self.port) as client:
            client.send('GET /slow HTTP/1.1\r\nHost')
            answer = client.answer()
            self.assertEqual((answer.status, client.is_closed()), (408, True))
        with web.Client(self.port) as silent:
            time.sleep(0.8)
            silent.socket.setblocking(False)
            with self.assertRaises(BlockingIOError):  # who says nothing at all has more time
                silent.socket.recv(1)
        fields, = self.logged(1, 'http_refused')
        self.assertEqual((fields['reason'], fields['status'], fields['target']), ('late', 408, '/slow'))

    def test_a_flood_of_them_does_not_flood_the_log(self):
        node = web.Node(self)
        bal = self.stage(node.address)
        for _ in range(600):
            with web.Client(self.port) as client:
                client.send('GET / HTTP/1.1\r\n\r\n')
                self.assertEqual(client.answer().status, 400)
        self.assertLess(len(bal.events('http_refused')), 600)


class Responses(Case):
    def test_what_is_wrong_with_them(self):
        """Nothing of such a response reaches the client."""
        cases = [('both', b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nok', 'together'),
                 ('twice', b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok', 'more than one'),
                 ('line', b'HTTP/1.1 2000 OK\r\n\r\n', 'status'), ('noise', b'\0\1\2\3 what is this\r\n\r\n', ''),
                 ('nothing', b'', 'closed the connection before'), ('half', b'HTTP/1.1 200 OK\r\nX: ', 'before its head'),
                 ('lf', b'HTTP/1.1 200 OK\nContent-Length: 0\n\n', 'LF'),
                 ('long', b'HTTP/1.1 200 OK\r\nX: ' + b'x' * 80000, 'too long'),
                 ('switch', b'HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n', 'without Upgrade')]

        def respond(s, request):
            s.sendall(next(text for name, text, _ in cases if request.target == f'/{name}'))
            return False
        server = web.Server(self, respond)
        self.stage(server.address)
        for name, _, _ in cases:
            with self.subTest(name=name):
                answer = self.ask('POST', f'/{name}', body=b'x')
                self.assertEqual((answer.status, answer.get('X')), (502, None))
        logged = self.logged(len(cases), 'http_response_bad')
        for (name, _, why), fields in zip(cases, logged):
            self.assertEqual((fields['target'], fields['backend'], fields['pool']), (f'/{name}', server.address, 'web'))
            self.assertIn(why, fields['why'])
        self.assertEqual([f['status'] for f in self.logged(len(cases))], [502] * len(cases))

    def test_a_backend_that_does_not_answer(self):
        server = web.Server(self, lambda s, request: s.recv(1))
        self.stage(server.address, response_timeout='400ms')
        self.assertEqual(self.ask('GET', '/x').status, 504)
        fields, = self.logged(1)
        self.assertEqual((fields['status'], fields['backend'], fields['retries']), (504, server.address, 0))
        self.assertGreaterEqual(fields['duration_ms'], 390)
        self.assertEqual(len(server.requests), 1)


class Clients(Case):
    """log_clients decides for every event that names a client, for sessions under way as well."""

    ADDRESS, FORWARDED, PROXY = '127.0.0.9', '203.0.113.77', '127.0.0.8'
    HOST = ['Host: a']

    def document(self, on):
        port = self.ports[1]
        return rig.document(
            web.site(self.ports[0], [self.node.address], health_check={'type': 'none'}, http={
                'access_log': 'all', 'trusted_proxies': [self.PROXY]}),
            rig.pool('tcp', port, [self.node.address], health_check={'type': 'none'}),
            workers=1, log_level='trace', **({} if on is None else {'log_clients': on}))

    def talk(self, number):
        """One record of each event, told apart by the target; session_closed has none and comes in order."""
        for source, headers in ((self.ADDRESS, self.HOST), (self.PROXY, [*self.HOST, f'X-Forwarded-For: {self.FORWARDED}'])):
            for port in self.ports:
                with rig.connect(port, source=source) as s:
                    lines = [f'GET /{number} HTTP/1.1', *headers, 'Connection: close', '', '']
                    s.sendall('\r\n'.join(lines).encode())
                    rig.read_all(s)
            with rig.connect(self.ports[0], source=source) as s:
                lines = [f'POST /{number} HTTP/1.1', *headers, 'Content-Length: 1', 'Content-Length: 2', '', '']
                s.sendall('\r\n'.join(lines).encode())
                rig.read_all(s)

    def clients(self, bal, skip):
        """event -> what its newest records have as client; skip: how many records to leave out."""
        found = collections.defaultdict(list)
        for record in bal.log()[skip:]:
            if 'client' in record['fields']:
                found[record['event']].append(record['fields']['client'])
        return found

    def listed(self):
        """The events that have a client according to bal-logs(7)."""
        with open(os.path.join(os.path.dirname(__file__), '../../docs/bal-logs.7'), encoding='utf-8') as f:
            items = re.findall(r'^\.It Li (\w+) Pq [A-Z, ]+\n((?:(?!\.It |\.El).*\n)*)', f.read(), re.M)
        return {word for word, text in items if re.search(r'^\.Li (.*[ ,])?client\b', text.partition('Fields:')[2], re.M)}

    def test_every_event(self):
        self.node, self.ports = web.Node(self), (rig.free_port(), rig.free_port())
        bal = self.bal(self.document(None))
        listed, skip = self.listed(), 0
        self.assertGreaterEqual(len(listed), 3)
        for number, on in enumerate((None, True, False)):
            with self.subTest(log_clients=on):
                if number:
                    bal.reload(self.document(on))
                skip = len(bal.log())
                self.talk(number)
                rig.wait_until(lambda skip=skip: len(self.clients(bal, skip)['session_closed']) >= 6, 'six sessions to end')
                found = self.clients(bal, skip)
                self.assertEqual(set(found), listed, 'events with a client, and those of the page')
                if on:
                    addresses = {event: {client.split(':')[0] for client in clients} for event, clients in found.items()}
                    for event, seen in addresses.items():
                        self.assertIn(self.ADDRESS, seen, event)
                        self.assertLessEqual(seen, {self.ADDRESS, self.PROXY, self.FORWARDED}, event)
                    self.assertIn(self.FORWARDED, addresses['http_request'])
                else:
                    self.assertEqual({client for clients in found.values() for client in clients}, {None})
                    for record in bal.log()[skip:]:
                        for address in (self.ADDRESS, self.FORWARDED, self.PROXY):
                            self.assertNotIn(address, json.dumps(record))


if __name__ == '__main__':
    rig.main()
