#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Where a request goes: routes by host, path, method and header, answers of bal's own, error pages."""

import os

import rig
import web


class Routes(rig.FlowTest):
    def setUp(self):
        super().setUp()
        self.nodes = {name: web.Node(self, name) for name in ('web', 'api', 'img')}
        self.port = rig.free_port()

    def run_bal(self, routes, **http):
        pools = [web.site(self.port, [self.nodes['web'].address], routes=routes, http=http or {'via': False})]
        pools += [web.site(rig.free_port(), [self.nodes[name].address], name=name) for name in ('api', 'img')]
        return self.bal(rig.document(*pools))

    def curl(self, target, *args, host=None):
        return web.Curl(self, f'http://127.0.0.1:{self.port}{target}', '--path-as-is',
                        *(['-H', f'Host: {host}'] if host else []), *args)

    def where(self, target, *args, host=None):
        return self.curl(target, *args, host=host).json()['backend']

    def test_host(self):
        self.run_bal([{'host': 'api.example', 'backend': 'api'},
                      {'host': ['*.img.example', '10.1.2.3', '[::1]'], 'backend': 'img'}])
        for host, name in (('api.example', 'api'), ('API.Example', 'api'), ('api.example:8080', 'api'),
                           ('api.example.', 'api'), ('x.api.example', 'web'), ('a.img.example', 'img'),
                           ('a.b.IMG.example:1', 'img'), ('img.example', 'web'), ('ximg.example', 'web'),
                           ('10.1.2.3', 'img'), ('[::1]:80', 'img'), ('other', 'web')):
            with self.subTest(host=host):
                self.assertEqual(self.where('/', host=host), name)
        with web.Client(self.port) as client:  # the authority of the target wins
            answer = client.ask('GET', 'http://api.example/x?y', ['Host: other'])
            self.assertEqual((answer.json()['backend'], web.seen(answer, 'Host')), ('api', ['api.example']))

    def test_path(self):
        self.run_bal([{'path': '/exact', 'backend': 'api'}, {'path_prefix': '/pre', 'backend': 'img'},
                      {'path_segments': '/seg/ment', 'backend': 'api'}])
        for target, name in (('/exact', 'api'), ('/exact?q=1', 'api'), ('/exact/', 'web'), ('/exactly', 'web'),
                             ('/Exact', 'web'), ('/pre', 'img'), ('/prefix/x', 'img'), ('/pr', 'web'),
                             ('/seg/ment', 'api'), ('/seg/ment/x', 'api'), ('/seg/mental', 'web'), ('/seg', 'web'),
                             ('/%65xact', 'api'), ('/a/../exact', 'api'), ('/./seg/./ment/y', 'api'),
                             ('/seg/ment/../x', 'web'), ('/seg%2fment', 'web'), ('/x?/exact', 'web'), ('/x?//exact', 'web')):
            with self.subTest(target=target):
                answer = self.curl(target).json()
                self.assertEqual((answer['backend'], answer['target']), (name, target))

    def test_nobody_walks_around_a_route(self):
        bal = self.run_bal([{'path_prefix': '/admin', 'respond': {'status': 403}},
                            {'path_segments': '//inner', 'redirect': {'to': '/'}}])
        for target in ('/admin', '//admin', '///admin/x', '/./admin', '/.//admin', '/x/../admin', '/%61dmin',
                       '//%61dmin?q'):
            with self.subTest(target=target):
                self.assertEqual(self.curl(target).status, 403)
        for target in ('/admin//../x', '/x//../admin', '/x///%2e%2e//admin', '//./../admin//', '/a//b/../..'):
            with self.subTest(target=target):  # a backend may read it in another way than bal does
                self.assertEqual(self.curl(target).status, 400)
        self.assertEqual(bal.log_wait('http_refused')[0]['fields']['reason'], 'path_ambiguous')
        for target in ('//inner', '/x/../inner//y'):
            self.assertEqual(self.curl(target).status, 302)
        with web.Client(self.port) as client:
            self.assertEqual(client.ask('GET', 'http://a//admin', ['Host: a']).status, 403)
        self.assertEqual(self.nodes['web'].counts()['requests'], 0)
        for target in ('//x//y', '/a/..//x', '//', '/x//admin', '/x?//../admin'):  # and what goes on is what came
            with self.subTest(target=target):
                self.assertEqual(self.curl(target).json()['target'], target)

    def test_method_and_headers(self):
        self.run_bal([{'method': ['PUT', 'DELETE'], 'backend': 'api'},
                      {'headers': {'X-Version': '2', 'X-Kind': 'pic'}, 'backend': 'img'},
                      {'path_segments': '/v3', 'method': 'POST', 'headers': {'X-Version': '3'}, 'host': 'a.example',
                       'backend': 'img'}])
        self.assertEqual(self.where('/', '-X', 'PUT', '-d', 'x'), 'api')
        self.assertEqual(self.where('/', '-X', 'DELETE'), 'api')
        self.assertEqual(self.where('/', '-X', 'PURGE'), 'web')
        self.assertEqual(self.where('/', '-H', 'x-version: 2', '-H', 'X-KIND: pic'), 'img')
        self.assertEqual(self.where('/', '-H', 'X-Version: 2'), 'web')
        self.assertEqual(self.where('/', '-H', 'X-Version: 22', '-H', 'X-Kind: pic'), 'web')
        good = ['-H', 'X-Version: 3', '-d', 'x']
        self.assertEqual(self.where('/v3/x', *good, host='a.example'), 'img')
        self.assertEqual(self.where('/v3/x', *good, host='b.example'), 'web')
        self.assertEqual(self.where('/v33', *good, host='a.example'), 'web')
        self.assertEqual(self.where('/v3', '-H', 'X-Version: 3', host='a.example'), 'web')

    def test_requests_of_one_connection_go_their_own_ways(self):
        self.run_bal([{'path_segments': '/api', 'backend': 'api'}, {'path_segments': '/img', 'backend': 'img'},
                      {'path_segments': '/ok', 'respond': {'status': 200, 'body': 'fine'}}])
        with web.Client(self.port) as client:
            for _ in range(3):
                for name in ('api', 'img', 'web'):
                    self.assertEqual(client.ask('GET', f'/{name}').json()['backend'], name)
                self.assertEqual(client.ask('GET', '/ok').body.strip(), b'fine')
                client.send('GET /api HTTP/1.1\r\nHost: a\r\n\r\nGET /ok HTTP/1.1\r\nHost: a\r\n\r\n'
                            'GET /img HTTP/1.1\r\nHost: a\r\n\r\n')
                self.assertEqual(client.answer().json()['backend'], 'api')
                self.assertEqual(client.answer().body.strip(), b'fine')
                self.assertEqual(client.answer().json()['backend'], 'img')

    def test_the_first_one_is_taken(self):
        self.run_bal([{'path_segments': '/a/b', 'backend': 'api'}, {'path_segments': '/a', 'backend': 'img'},
                      {'respond': {'status': 404, 'body': 'nothing here'}}])
        self.assertEqual([self.where(target) for target in ('/a/b/c', '/a/c')], ['api', 'img'])
        answer = self.curl('/x')
        self.assertEqual((answer.status, answer.body.strip()), (404, b'nothing here'))
        self.assertEqual(self.nodes['web'].counts()['requests'], 0)

    def test_redirect(self):
        self.run_bal([{'host': 'old.example', 'redirect': {'to': 'https://new.example$uri', 'code': 308}},
                      {'path': '/found', 'redirect': {'to': '/there'}},
                      {'path_segments': '/id', 'redirect': {'to': 'http://$host/$$/$client_ip', 'code': 303}}])
        answer = self.curl('/a%20b/../c?d=e&f', host='old.example:99')
        self.assertEqual((answer.status, answer.get('Location')), (308, 'https://new.example/a%20b/../c?d=e&f'))
        answer = self.curl('/found')
        self.assertEqual((answer.status, answer.get('Location')), (302, '/there'))
        answer = self.curl('/id', host='h.example:7')
        self.assertEqual((answer.status, answer.get('Location')), (303, 'http://h.example:7/$/127.0.0.1'))
        answer = self.curl('/found', '-I')
        self.assertEqual((answer.status, answer.get('Location')), (302, '/there'))
        # a body that comes with it neither goes anywhere nor breaks what follows
        with web.Client(self.port) as client:
            self.assertEqual(client.ask('POST', '/found', body=b'x' * 1000).status, 302)
            self.assertEqual(client.ask('GET', '/').json()['backend'], 'web')
        self.assertEqual(sum(node.counts()['requests'] for node in self.nodes.values()), 1)

    def test_respond(self):
        self.run_bal([{'path': '/robots.txt', 'respond': {'status': 200, 'body': 'User-agent: *'}},
                      {'path': '/j', 'respond': {'status': 429, 'body': '{}', 'content_type': 'application/json'}},
                      {'path': '/none', 'respond': {'status': 404}}], response_headers={'X-By': 'bal $request_id'})
        answer = self.curl('/robots.txt', '-H', 'X-Request-ID: r1')
        self.assertEqual((answer.status, answer.body.strip(), answer.get('X-By')), (200, b'User-agent: *', 'bal r1'))
        self.assertEqual(answer.get('Content-Type'), 'text/plain; charset=utf-8')
        answer = self.curl('/j')
        self.assertEqual((answer.status, answer.body.strip(), answer.get('Content-Type')), (429, b'{}', 'application/json'))
        answer = self.curl('/none')
        self.assertEqual(answer.status, 404)
        self.assertIn(b'404', answer.body)
        head, get = self.curl('/robots.txt', '-I'), self.curl('/robots.txt')
        self.assertEqual(head.get('Content-Length'), get.get('Content-Length'))
        self.assertEqual(int(get.get('Content-Length')), len(get.body))
        self.assertIsNotNone(get.get('Date'))

    def test_error_pages(self):
        folder = f'{self.dir}/pages'
        os.mkdir(folder)
        for name, text in (('503.html', '<p>come back</p>'), ('400.json', '{"error": 400}'), ('404.txt', 'not found')):
            with open(f'{folder}/{name}', 'w', encoding='ascii') as f:
                f.write(text)
        dead = f'127.0.0.1:{rig.free_port()}'
        bal = self.bal(rig.document(web.site(
            self.port, [dead], health_check={'type': 'none'},
            routes=[{'path': '/gone', 'respond': {'status': 404}}, {'path': '/own', 'respond': {'status': 404, 'body': 'x'}}],
            http={'error_pages': {503: f'{folder}/503.html', 400: f'{folder}/400.json', 404: f'{folder}/404.txt'}})))
        answer = self.curl('/')
        self.assertEqual((answer.status, answer.body, answer.get('Content-Type').split(';')[0]),
                         (503, b'<p>come back</p>', 'text/html'))
        self.assertIsNotNone(answer.get('Retry-After'))
        answer = self.curl('/', host='a/b')
        self.assertEqual((answer.status, answer.json(), answer.get('Content-Type').split(';')[0]),
                         (400, {'error': 400}, 'application/json'))
        self.assertEqual(self.curl('/gone').body, b'not found')
        self.assertEqual(self.curl('/own').body.strip(), b'x')
        with open(f'{folder}/503.html', 'w', encoding='ascii') as f:
            f.write('<p>later</p>')
        self.assertEqual(self.curl('/').body, b'<p>come back</p>')
        bal.reload()
        self.assertEqual(self.curl('/').body, b'<p>later</p>')


if __name__ == '__main__':
    rig.main()
