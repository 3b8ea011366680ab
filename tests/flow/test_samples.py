#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every sample configuration starts as it is but for its ports, and does what its comments say."""

import collections
import http.client
import os
import re
import signal
import socket

import rig


def get(port, target='/', method='GET', **headers):
    """Status, headers and body."""
    c = http.client.HTTPConnection('127.0.0.1', port, timeout=10 * rig.SLOW)
    c.request(method, target, headers=headers)
    r = c.getresponse()
    body = r.read()
    c.close()
    return r.status, r.headers, body


class Samples(rig.FlowTest):
    def text(self, name):
        """The sample with ports of our own: which, self.ports says."""
        with open(f'{rig.SOURCE}/sample/{name}', encoding='utf-8') as f:
            text = f.read()
        self.ports = collections.defaultdict(rig.free_port)
        text = re.sub(r'(port: |[\w.]:)(\d{4,5})\b', lambda m: f'{m[1]}{self.ports[int(m[2])]}', text)
        text = re.sub(r'"0\.0\.0\.0:', '"127.0.0.1:', text)
        text = text.replace('/tmp/', f'{self.dir}/')
        return text.replace('pages/', f'{rig.SOURCE}/sample/pages/')

    def servers(self, *ports):
        for port in ports:
            self.nginx(self.ports[port], name=str(port))

    def start_sample(self, text):
        return self.bal(text + ('' if 'frontends:' in text else 'bind_address: 127.0.0.1\n'
                                if 'bind_address:' not in text else ''))

    def asked(self, front, n, **how):
        """Which servers n requests met."""
        return collections.Counter(get(self.ports[front], **how)[2].split()[0].decode() for _ in range(n))

    def test_http(self):
        text = self.text('http.yaml')
        self.servers(9000, 9001)
        self.start_sample(text)
        self.assertEqual(set(self.asked(9295, 12)), {'9000', '9001'})
        status, headers, _ = get(self.ports[9295])
        self.assertEqual((status, headers['X-Content-Type-Options'], headers['Server']), (200, 'nosniff', None))

    def test_tcp_database(self):
        text = self.text('tcp-database.yaml')
        self.servers(5432, 5433)
        bal = self.start_sample(text)
        self.assertEqual(self.asked(6432, 6), {'5432': 6})
        self.processes[0].send_signal(signal.SIGKILL)
        rig.wait_until(lambda: next(b for b in bal.get()['backends'] if b['name'].endswith(
            str(self.ports[5432])))['state'] == 'down', 'the primary to be down', 20)
        self.assertEqual(self.asked(6432, 6), {'5433': 6})

    def test_weighted(self):
        text = self.text('weighted.yaml')
        self.servers(9000, 9001, 9002, 9003, 9004)
        self.start_sample(text)
        self.assertEqual(self.asked(9295, 32), {'9000': 20, '9001': 10, '9002': 2})

    def test_full(self):
        text = self.text('full.yaml')
        self.servers(9000, 9001, 9002, 9003, 9004, 9005, 5432, 5433)
        bal = self.start_sample(text)
        web = self.ports[8080]
        self.assertEqual(set(self.asked(8080, 12)), {'9000', '9001'})
        self.assertEqual(set(self.asked(8080, 6, target='/api/x')), {'9004', '9005'})
        self.assertEqual(set(self.asked(8080, 6, target='/api', method='POST')), {'9002', '9003'})
        self.assertEqual(set(self.asked(6432, 3)), {'5432'})

        status, headers, _ = get(web, '/a?b', Host='x.old.example.test')
        self.assertEqual((status, headers['Location']), (301, 'https://www.example.test/a?b'))
        self.assertEqual(get(web, '/robots.txt')[2], b'User-agent: *')
        self.assertEqual(get(web, '/%2egit/config')[0], 404)
        self.assertNotIn(b'404', get(web, '/apiary')[2])
        status, headers, body = get(web, Host='beta.example.test', **{'X-Beta': 'yes'})
        self.assertEqual((status, headers['Content-Type']), (503, 'text/html; charset=utf-8'))
        with open(f'{rig.SOURCE}/sample/pages/503.html', 'rb') as f:
            self.assertEqual(body, f.read())

        with socket.socket(socket.AF_UNIX) as s:
            s.connect(f'{self.dir}/bal-web.sock')
            s.sendall(b'GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.7\r\nConnection: close\r\n\r\n')
            said = b''.join(iter(lambda: s.recv(65536), b''))
        self.assertTrue(said.startswith(b'HTTP/1.1 200 '), said)
        self.assertIn(b'X-Served-By: 127.0.0.1:', said)
        self.assertIn(b'bal_http_requests_total{', get(self.ports[9090], '/metrics')[2])
        self.assert_sessions_balance(bal)

    def test_all_of_them_are_here(self):
        names = {name for name in os.listdir(f'{rig.SOURCE}/sample') if name.endswith('.yaml')}
        self.assertEqual(names, {'config.yaml', 'config.advanced.yaml', 'http.yaml', 'tcp-database.yaml', 'weighted.yaml',
                                 'full.yaml'})


if __name__ == '__main__':
    rig.main()
