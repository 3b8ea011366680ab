#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""protocol http as curl sees it: framing, interim responses, trailers, HTTP/1.0, limits, tunnels."""

import hashlib
import os

import rig
import web

class Curl(rig.FlowTest):
    def setUp(self):
        super().setUp()
        self.node = web.Node(self)
        self.port = rig.free_port()
        self.base = f'http://127.0.0.1:{self.port}'

    def run_bal(self, **http):
        return self.bal(web.config(self.port, [self.node.address], http={'access_log': 'all', **http}))

    def curl(self, target, *args, **how):
        return web.Curl(self, self.base + target, *args, **how)

    def test_small_bodies(self):
        self.run_bal()
        for args, text in ((('-d', 'a=b'), 'a=b'), (('-d', ''), ''), (('-H', 'Transfer-Encoding: chunked', '-d', 'abc'), 'abc'),
                           (('-X', 'PUT', '-d', 'x' * 60000), 'x' * 60000), (('-X', 'DELETE'), ''),
                           (('-X', 'PATCH', '-d', 'p'), 'p'), (('-X', 'M-SEARCH'), '')):
            answer = self.curl('/some/where', *args)
            self.assertEqual(answer.json()['text'], text, args)
            self.assertEqual(answer.json()['version'], '1.1')

    def test_one_connection_for_many_requests(self):
        """curl says itself how many connections it made."""
        bal = self.run_bal()
        said = self.run_ok(['curl', '-sS', *['-o', '/dev/null'] * 10, '-w', '%{http_code} %{num_connects}\n',
                            *[f'{self.base}/{i}' for i in range(10)]]).split('\n')[:-1]
        self.assertEqual(said, ['200 1'] + ['200 0'] * 9)
        self.assertEqual(bal.status()['connections_total'], 1)
        self.assertEqual(self.node.counts()['requests'], 10)

    def test_expect_100_continue(self):
        self.run_bal()
        answer = self.curl('/echo', '-H', 'Expect: 100-continue', '-d', 'body')
        self.assertEqual([head.status for head in answer.heads], [100, 200])
        self.assertEqual(answer.json()['text'], 'body')
        # the backend does not want the body, and never sees it
        body = f'{self.dir}/body-up'
        with open(body, 'wb') as f:
            f.write(os.urandom(1 << 20))
        answer = self.curl('/refuse', '-H', 'Expect: 100-continue', '-T', body)
        self.assertEqual([head.status for head in answer.heads], [403])
        self.assertEqual(answer.json()['refused'], True)
        answer = self.curl('/', '-H', 'Expect: 200-maybe', '-d', 'x')
        self.assertEqual(answer.status, 417)
        self.assertEqual(self.curl('/').status, 200)

    def test_head(self):
        self.run_bal()
        head, get = self.curl('/x', '-I'), self.curl('/x')
        self.assertEqual(head.status, 200)
        self.assertEqual(get.get('Content-Length'), str(len(get.body)))
        self.assertEqual(head.get('Content-Length'), str(len(get.body) + 1))  # "HEAD", not "GET"
        with web.Client(self.port) as client:  # what follows is not taken for its body
            for _ in range(3):
                self.assertEqual(client.ask('HEAD', '/x').body, b'')
                self.assertEqual(client.ask('GET', '/x').json()['method'], 'GET')

    def test_no_body_whatever_the_headers_say(self):
        self.run_bal()
        with web.Client(self.port) as client:
            for status in (204, 304, 404, 204, 500, 304):
                answer = client.ask('GET', f'/status/{status}')
                self.assertEqual((answer.status, bool(answer.body)), (status, status not in (204, 304)))

    def test_trailers_of_a_response(self):
        self.run_bal()
        answer = self.curl('/trailers')
        self.assertEqual((answer.body, answer.get('Trailer')), (b'a body in parts\n', 'X-Sum, X-Count'))
        self.assertEqual(answer.trailers, [('X-Sum', 'abc123'), ('X-Count', '2')])  # no framing, no secrets
        with web.Client(self.port) as client:
            answer = client.ask('GET', '/trailers', version='1.0')  # knows no chunks, so no trailers
            self.assertEqual((answer.body, answer.closed), (b'a body in parts\n', True))

    def test_trailers_of_a_request(self):
        self.run_bal()
        with web.Client(self.port) as client:
            for _ in range(2):
                client.request('POST', '/sum', ['Transfer-Encoding: chunked', 'Trailer: X-Sum'])
                client.send('5\r\nhello\r\n6;ext=1\r\n world\r\n0\r\nX-Sum: abc\r\nHost: evil\r\n'
                            'Content-Length: 9\r\nAuthorization: me\r\n\r\n')
                answer = client.answer().json()
                self.assertEqual(answer['sha256'], hashlib.sha256(b'hello world').hexdigest())
                self.assertEqual(answer['trailers'], ['X-Sum', 'abc'])

    def test_early_hints(self):
        self.run_bal()
        answer = self.curl('/hints')
        self.assertEqual([head.status for head in answer.heads], [103, 103, 200])
        self.assertEqual([head.headers for head in answer.heads[:2]],
                         [[('Link', '</style.css>; rel=preload; as=style')],
                          [('Link', '</script.js>; rel=preload; as=script')]])
        self.assertEqual(self.curl('/hints', '--http1.0').heads[0].status, 200)  # knows none of them

    def test_http_1_0(self):
        self.run_bal()
        answer = self.curl('/', '--http1.0')
        self.assertEqual((answer.status, answer.get('Connection')), (200, 'close'))
        self.assertEqual(answer.json()['version'], '1.1')
        with web.Client(self.port) as client:
            for _ in range(3):
                answer = client.ask('GET', '/', ['Connection: keep-alive'], version='1.0')
                self.assertEqual((answer.status, answer.get('Connection')), (200, 'keep-alive'))
            answer = client.ask('GET', '/drip?n=2&ms=1', ['Connection: keep-alive'], version='1.0')
            self.assertEqual((answer.body, answer.get('Transfer-Encoding'), answer.get('Connection'), answer.closed),
                             (b'part 0\npart 1\nend of node\n', None, 'close', True))
        with web.Client(self.port) as client:
            answer = client.ask('GET', '/', version='1.0')
            self.assertEqual((answer.status, answer.get('Connection'), client.is_closed()), (200, 'close', True))

    def test_the_target_goes_on_as_it_came(self):
        self.run_bal()
        for target in ('/a/../b/./c', '/%61%2fb//c/', '/x?y=/../z&%20', '/;p=1', "/!$&'()*+,=:@~-._", '//double'):
            self.assertEqual(self.curl(target, '--path-as-is', '-g').json()['target'], target)
        answer = self.curl('/', '--request-target', '*', '-X', 'OPTIONS')
        self.assertEqual((answer.json()['target'], answer.json()['method']), ('*', 'OPTIONS'))

    def test_max_body_bytes(self):
        bal = self.run_bal(max_body_bytes=1000)
        self.assertEqual(self.curl('/', '-d', 'x' * 1000).json()['n'], 1000)
        self.assertEqual(self.curl('/', '-d', 'x' * 1001).status, 413)
        self.assertEqual(self.curl('/', '-d', 'x' * 1000, '-H', 'Transfer-Encoding: chunked').json()['n'], 1000)
        for n in (1001, 60000):
            self.assertEqual(self.curl('/', '-d', 'x' * n, '-H', 'Transfer-Encoding: chunked').status, 413)
        with web.Client(self.port) as client:  # bit by bit, so that a part of it is on its way before
            client.request('POST', '/', ['Transfer-Encoding: chunked'])
            for _ in range(4):
                client.send('1f4\r\n' + 'y' * 500 + '\r\n')
            answer = client.answer()
            self.assertEqual((answer.status, answer.get('Connection'), client.is_closed()), (413, 'close', True))
        big = f'{self.dir}/big-up'
        with open(big, 'wb') as f:
            f.truncate(8 << 20)
        self.assertEqual(self.curl('/', '-T', big, '-H', 'Expect:').status, 413)  # it reads the answer all the same
        self.assertEqual({e['fields']['reason'] for e in bal.log_wait('http_refused', 5)}, {'body_long'})

    def test_limits_of_heads(self):
        bal = self.run_bal(max_request_line='1k', max_header='2k', max_headers_size='8k', max_header_count=20)
        for status, args in ((414, ['/' + 'a' * 1100]), (200, ['/' + 'a' * 900]),
                             (431, ['/', '-H', 'X-Long: ' + 'b' * 2100]), (200, ['/', '-H', 'X-Long: ' + 'b' * 1900]),
                             (431, ['/', *sum((['-H', f'X-{i}: {"c" * 1800}'] for i in range(5)), [])]),
                             (431, ['/', *sum((['-H', f'X-{i}: c'] for i in range(20)), [])]),
                             (200, ['/', *sum((['-H', f'X-{i}: c'] for i in range(16)), [])])):
            answer = self.curl(*args)
            self.assertEqual(answer.status, status, [arg[:20] for arg in args])
            self.assertIsNotNone(answer.get('X-Request-ID'))
            if status != 200:
                self.assertEqual(answer.get('Connection'), 'close')
        self.assertEqual([e['fields']['reason'] for e in bal.log_wait('http_refused', 4)],
                         ['line_long', 'header_long', 'headers_long', 'headers_many'])

    def test_connect_is_refused(self):
        bal = self.run_bal()
        answer = self.curl('/', '-p', '-x', self.base, ok=False)
        self.assertNotEqual(answer.exit, 0)
        self.assertEqual(answer.status, 405)
        self.assertIn('GET', answer.get('Allow'))
        self.assertNotIn('CONNECT', answer.get('Allow'))
        self.assertEqual(bal.log_wait('http_refused')[0]['fields']['reason'], 'connect_refused')
        self.assertEqual(self.node.counts()['requests'], 0)

    def test_max_forwards(self):
        bal = self.run_bal()
        with web.Client(self.port) as client:
            for method in ('OPTIONS', 'TRACE'):
                answer = client.ask(method, '/a', ['Host: a', 'Max-Forwards: 3'])
                self.assertEqual((answer.json()['method'], web.seen(answer, 'Max-Forwards')), (method, ['2']))
            self.assertEqual(web.seen(client.ask('GET', '/', ['Host: a', 'Max-Forwards: 0']), 'Max-Forwards'), ['0'])
            before = self.node.counts()['requests']
            for target in ('/', '*'):
                self.assertEqual(client.ask('OPTIONS', target, ['Host: a', 'Max-Forwards: 0']).status, 200)
            answer = client.ask('TRACE', '/', ['Host: a', 'Max-Forwards: 00', 'Cookie: secret'])
            self.assertEqual(answer.status, 405)
            self.assertNotIn('TRACE', answer.get('Allow'))
            self.assertNotIn(b'secret', answer.body)
            self.assertEqual(client.ask('GET', '/').status, 200)  # the connection is as good as before
        self.assertEqual(self.node.counts()['requests'], before + 1)
        self.assertEqual([e['fields']['status'] for e in bal.log_wait('http_request', 7)], [200] * 5 + [405, 200])

    def test_connect(self):
        bal = self.run_bal(allow_connect=True)
        with web.Client(self.port) as client:
            self.assertEqual(client.ask('GET', '/').status, 200)
            answer = client.ask('CONNECT', 'db.example:5432', ['Host: db.example:5432'])
            self.assertEqual((answer.status, answer.get('X-To')), (200, 'db.example:5432'))
            self.assertIsNone(answer.get('Content-Length'))
            self.assertEqual(client.until(b'\n'), b'hello from node')
            data = os.urandom(3000000)
            sender = rig.threading.Thread(target=client.send, args=(data,))
            sender.start()
            self.assertEqual(client.exactly(len(data)), data)
            sender.join()
            client.socket.shutdown(rig.socket.SHUT_WR)
            self.assertTrue(client.is_closed())
        self.assert_idle(bal)
        self.assert_sessions_balance(bal)

    def test_pipelined(self):
        """In order, whatever each of them takes."""
        self.run_bal()
        with web.Client(self.port) as client:
            client.send(''.join(f'GET /slow?ms={ms} HTTP/1.1\r\nHost: a\r\n\r\nPOST /{ms} HTTP/1.1\r\nHost: a\r\n'
                                f'Content-Length: 3\r\n\r\nabcGET /drip?n=3&ms=1 HTTP/1.1\r\nHost: a\r\n\r\n'
                                for ms in (40, 20, 0)))
            for ms in (40, 20, 0):
                self.assertEqual(client.answer().json(), {'backend': 'node', 'slow': True})
                answer = client.answer().json()
                self.assertEqual((answer['target'], answer['text']), (f'/{ms}', 'abc'))
                self.assertEqual(client.answer().body, b'part 0\npart 1\npart 2\nend of node\n')

    def test_a_response_cut_short_does_not_look_complete(self):
        bal = self.run_bal()
        answer = self.curl('/cut', ok=False)
        self.assertEqual(answer.status, 200)
        self.assertIn(answer.exit, (18, 56), answer.error)  # not all of it; reset
        self.assertTrue(bal.log_wait('http_response_bad')[0]['fields']['why'])
        answer = self.curl('/cut', '--http1.0', ok=False)
        self.assertNotEqual(answer.exit, 0)


if __name__ == '__main__':
    rig.main()
