#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What bal adds to heads, keeps, replaces and drops, as the backend and the client see it."""

import email.utils
import re
import time

import rig
import web

UUID7 = '[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}'


class Headers(rig.FlowTest):
    def setUp(self):
        super().setUp()
        self.node = web.Node(self)
        self.port = rig.free_port()

    def run_bal(self, **http):
        return self.bal(web.config(self.port, [self.node.address], {'log_clients': True}, http={'access_log': 'all', **http}))

    def curl(self, *headers, target='/'):
        return web.Curl(self, f'http://127.0.0.1:{self.port}{target}', *sum((['-H', h] for h in headers), []))

    def assert_seen(self, answer, **expected):
        """expected: X_Real_IP='...' or None; of the request as the backend got it."""
        for name, value in expected.items():
            name = name.replace('_', '-')
            self.assertEqual(web.seen(answer, name), [] if value is None else [value], name)

    def test_request_id(self):
        bal = self.run_bal()
        answer = self.curl('X-Request-ID: abc/1.2:3')
        self.assert_seen(answer, X_Request_ID='abc/1.2:3')
        self.assertEqual(answer.get('X-Request-ID'), 'abc/1.2:3')
        made = self.curl()
        self.assertRegex(made.get('X-Request-ID'), f'^{UUID7}$')
        self.assert_seen(made, X_Request_ID=made.get('X-Request-ID'))
        ids = ['abc/1.2:3', made.get('X-Request-ID')]
        for unfit in ('a b', 'x' * 129, 'caf\u00e9'):
            answer = self.curl(f'X-Request-ID: {unfit}')
            self.assertRegex(answer.get('X-Request-ID'), f'^{UUID7}$')
            self.assert_seen(answer, X_Request_ID=answer.get('X-Request-ID'))
            ids.append(answer.get('X-Request-ID'))
        self.assertEqual(self.curl(f'X-Request-ID: {"y" * 128}').get('X-Request-ID'), 'y' * 128)
        ids.append('y' * 128)
        self.assertEqual([e['fields']['request_id'] for e in bal.log_wait('http_request', len(ids))], ids)
        self.assertEqual(len(set(ids)), len(ids))

    def test_date(self):
        """A response without one gets the time at which it came; an interim one none (RFC 9110 6.6.1)."""
        old = 'Sun, 06 Nov 1994 08:49:37 GMT'

        def respond(s, request):
            if request.target == '/dated':
                s.sendall(web.response(headers=[f'Date: {old}']))
            else:
                s.sendall(b'HTTP/1.1 103 Early Hints\r\n\r\n' + web.response())
            return True
        server = web.Server(self, respond)
        self.bal(web.config(self.port, [server.address]))
        with web.Client(self.port) as client:
            self.assertEqual(client.ask('GET', '/dated').get('Date'), old)
            before = int(time.time())
            client.request('GET', '/plain')
            interim, answer = client.answer(interim=False), client.answer()
            self.assertEqual((interim.status, interim.get('Date'), answer.status), (103, None, 200))
            came = email.utils.parsedate_to_datetime(answer.get('Date')).timestamp()
            self.assertTrue(before <= came <= time.time(), answer.get('Date'))

    def test_forwarded_for_of_a_stranger(self):
        """Whatever the client says of where it comes from is replaced."""
        self.run_bal(forwarded=True)
        self.assert_seen(self.curl('X-Forwarded-For: 1.2.3.4', 'X-Forwarded-Proto: https', 'X-Forwarded-Host: evil',
                                   'X-Real-IP: 1.2.3.4', 'Forwarded: for=1.2.3.4', 'X-Forwarded-Server: evil',
                                   'Host: good.example'),
                         X_Forwarded_For='127.0.0.1', X_Forwarded_Proto='http', X_Forwarded_Host='good.example',
                         X_Real_IP='127.0.0.1', Forwarded='for=127.0.0.1;host="good.example";proto=http',
                         X_Forwarded_Server=None, Host='good.example')

    def test_forwarded_for_of_a_trusted_proxy(self):
        bal = self.run_bal(trusted_proxies=['127.0.0.0/8', '10.0.0.0/8'], forwarded=True)
        answer = self.curl('X-Forwarded-For: 6.6.6.6, 1.2.3.4, 10.1.1.1', 'X-Forwarded-Proto: https',
                           'X-Forwarded-Host: shop.example', 'Forwarded: for=1.2.3.4;proto=https', 'Host: inner')
        self.assert_seen(answer, X_Forwarded_For='6.6.6.6, 1.2.3.4, 10.1.1.1, 127.0.0.1', X_Forwarded_Proto='https',
                         X_Forwarded_Host='shop.example', X_Real_IP='1.2.3.4',
                         Forwarded='for=1.2.3.4;proto=https, for=127.0.0.1;host="inner";proto=http', Host='inner')
        self.assert_seen(self.curl('X-Forwarded-For: 1.1.1.1', 'X-Forwarded-For: 2.2.2.2', 'X-Real-IP: 1.1.1.1'),
                         X_Forwarded_For='1.1.1.1, 2.2.2.2, 127.0.0.1', X_Real_IP='1.1.1.1')
        self.assert_seen(self.curl(), X_Forwarded_For='127.0.0.1', X_Forwarded_Proto='http')
        self.assertEqual([e['fields']['client'] for e in bal.log_wait('http_request', 3)],
                         ['1.2.3.4', '2.2.2.2', '127.0.0.1'])

    def test_clients_behind_a_proxy_are_told_apart(self):
        """ip_hash goes by the client that the trusted proxy names."""
        two = web.Node(self, 'two')
        self.bal(web.config(self.port, [self.node.address, two.address], http={'trusted_proxies': '127.0.0.1'},
                            frontend={'algorithm': 'ip_hash'}))
        seen = set()
        for i in range(32):
            answers = {self.curl(f'X-Forwarded-For: 10.9.8.{i}').json()['backend'] for _ in range(2)}
            self.assertEqual(len(answers), 1)
            seen |= answers
        self.assertEqual(seen, {'node', 'two'})

    def test_via(self):
        self.run_bal(via=True)
        answer = self.curl('Via: 1.0 first')
        self.assert_seen(answer, Via='1.0 first, 1.1 bal')
        self.assertEqual(answer.get('Via'), '1.1 bal')
        self.assert_seen(self.curl(), Via='1.1 bal')

    def test_nothing_is_added_that_is_off(self):
        self.run_bal()
        answer = self.curl('Via: 1.0 first')
        self.assert_seen(answer, Via='1.0 first', Forwarded=None)
        self.assertIsNone(answer.get('Via'))

    def test_rules(self):
        self.run_bal(request_headers={'X-Real-IP': '$client_ip', 'X-Set': '$host $$ $request_id', '-X-Debug': '',
                                      '+X-Seen': 'bal', 'X-From': '$client_ip:$client_port', 'X-Uri': '$uri',
                                      'X-To': '$backend_name=$backend_addr', '-User-Agent': ''},
                     response_headers={'X-Served-By': '$backend_name', '-Content-Type': '', '+X-Frame': 'deny',
                                       'X-Id': '$request_id'})
        answer = self.curl('X-Real-IP: 9.9.9.9', 'X-Set: mine', 'X-Set: again', 'X-Debug: on', 'X-Seen: me',
                           'X-Request-ID: r7', 'Host: h.example', target='/p?q')
        self.assert_seen(answer, X_Real_IP='127.0.0.1', X_Set='h.example $ r7', X_Debug=None, User_Agent=None,
                         X_Uri='/p?q', X_To=f'{self.node.address}={self.node.address}')
        self.assertEqual(web.seen(answer, 'X-Seen'), ['me', 'bal'])
        self.assertTrue(re.fullmatch(r'127\.0\.0\.1:\d+', web.seen(answer, 'X-From')[0]))
        self.assertEqual((answer.get('X-Served-By'), answer.get('X-Frame'), answer.get('X-Id')),
                         (self.node.address, 'deny', 'r7'))
        self.assertIsNone(answer.get('Content-Type'))
        own = self.curl(*[f'X-{i}: y' for i in range(120)])  # bal's own answers have them as well
        self.assertEqual((own.status, own.get('X-Frame'), own.get('X-Id')), (431, 'deny', own.get('X-Request-ID')))

    def test_underscores(self):
        headers = ('X_Custom: a', 'X-Custom: b', 'Content_Length: 5', 'X_Forwarded_For: 6.6.6.6')
        self.run_bal()
        answer = self.curl(*headers)
        self.assertEqual((web.seen(answer, 'X_Custom'), web.seen(answer, 'X-Custom')), (['a'], ['b']))
        self.assertEqual((web.seen(answer, 'Content_Length'), web.seen(answer, 'X_Forwarded_For')), ([], []))

    def test_underscores_are_dropped(self):
        self.run_bal(drop_underscore_headers=True)
        answer = self.curl('X_Custom: a', 'X-Custom: b')
        self.assertEqual((web.seen(answer, 'X_Custom'), web.seen(answer, 'X-Custom')), ([], ['b']))

    def test_hop_by_hop(self):
        """Nothing that is for this connection only goes on, nor what Connection nominates."""
        self.run_bal()
        answer = self.curl('Connection: close, X-Mine', 'X-Mine: 1', 'Keep-Alive: timeout=9', 'TE: gzip',
                           'Proxy-Connection: keep-alive', 'Upgrade: h2c', 'HTTP2-Settings: x', 'X-Theirs: 2')
        self.assert_seen(answer, X_Mine=None, Keep_Alive=None, TE=None, Proxy_Connection=None, Upgrade=None, X_Theirs='2')
        self.assertEqual(answer.get('Connection'), 'close')
        self.assertIsNone(answer.get('Keep-Alive'))
        self.assertEqual(web.seen(answer, 'Connection') or ['keep-alive'], ['keep-alive'])
        for name in ('Host', 'Content-Length', 'X-Forwarded-For', 'Transfer-Encoding'):
            self.assertEqual(self.curl(f'Connection: {name}').status, 400, name)


if __name__ == '__main__':
    rig.main()
