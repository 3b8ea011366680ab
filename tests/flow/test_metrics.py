#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The metrics: what they say, in both formats, where they are served, and that nobody who asks for
them can hurt anybody else."""

import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

import rig

TEXT = 'text/plain; version=0.0.4; charset=utf-8'
OPEN = 'application/openmetrics-text; version=1.0.0; charset=utf-8'
SAMPLE = re.compile(r'^([a-z_:]+)(\{(?:[a-z_]+="(?:[^"\\]|\\["\\n])*",?)+\})? ([0-9.]+)$')
FAST = {'health_check_interval_ms': 100, 'health_check_timeout_ms': 500, 'health_check_fail_threshold': 1,
        'health_check_success_threshold': 1}
# strict, and of others: what Prometheus itself would refuse is an error
READ_OPENMETRICS = '''
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
print(sum(len(family.samples) for family in text_string_to_metric_families(sys.stdin.read())))
'''


def scrape(port, path='/metrics', method='GET', timeout=10.0, **headers):
    """(status, headers, body) of one request on a connection of its own."""
    client = http.client.HTTPConnection('127.0.0.1', port, timeout=timeout * rig.SLOW)
    with contextlib.closing(client):
        client.request(method, path, headers=headers)
        answer = client.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read().decode()


def samples(text):
    """{'name{labels}': value}; every line must be one that the format allows."""
    found = {}
    for line in text.splitlines():
        if line.startswith('#'):
            continue
        match = SAMPLE.match(line)
        assert match, f'not a sample: {line}'
        key = match.group(1) + (match.group(2) or '')
        assert key not in found, f'twice: {key}'
        found[key] = float(match.group(3))
    return found


class Metrics(rig.FlowTest):
    def stage(self, backends=1, runtime=None, head='', **options):
        """bal in the simple dialect, with metrics on at self.at."""
        self.port, self.at = rig.free_port(), rig.free_port()
        self.webs = [self.backend(f'web{i}') for i in range(backends)]
        self.head = f'metrics: {{ address: "127.0.0.1:{self.at}" }}\n{head}'
        self.runtime = {**(runtime or FAST), 'hold_ms': 0}
        return self.bal(self.config(), **options)

    def config(self, head=None):
        return rig.simple(self.port, [web.address for web in self.webs], self.head if head is None else head,
                          self.runtime)

    def feed(self, argv, text):
        """What a program says, which must find nothing wrong with the text."""
        done = subprocess.run(argv, input=text, capture_output=True, text=True, timeout=60 * rig.SLOW, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ''), done.stdout)
        return done.stdout

    def read(self):
        return samples(scrape(self.at)[2])

    def value(self, name):
        return self.read()[name]

    def wait_value(self, name, wanted):
        rig.wait_until(lambda: self.value(name) == wanted, f'{name} to be {wanted}, not {self.value(name)}', step=0.15)


class Content(Metrics):
    def test_promtool(self):
        """No finding, in a state in which every family but those of HTTP has samples."""
        self.need('promtool')
        bal = self.stage(2)
        for _ in range(4):
            rig.get(self.port)
        self.webs[1].end()
        bal.wait_state(self.webs[1].address, 'down')
        text = scrape(self.at)[2]
        self.assertEqual(self.feed(['promtool', 'check', 'metrics'], text), '')
        families = set(re.findall(r'^# TYPE (\S+) ', text, re.M)) - {'bal_http_requests_total',
                                                                    'bal_http_request_duration_seconds'}
        with_samples = {re.sub(r'_(bucket|sum|count)$', '', key.split('{')[0]) for key in samples(text)}
        self.assertEqual(families, with_samples)

    def test_openmetrics(self):
        probe = subprocess.run(['/usr/bin/python3', '-c', 'import prometheus_client'], capture_output=True, check=False)
        if probe.returncode:
            self.skipTest('python3-prometheus-client is not installed')
        self.stage(2)
        rig.get(self.port)
        status, headers, text = scrape(self.at, Accept='application/openmetrics-text;version=1.0.0')
        self.assertEqual((status, headers['Content-Type']), (200, OPEN))
        self.assertTrue(text.endswith('\n# EOF\n'))
        said = self.feed(['/usr/bin/python3', '-c', READ_OPENMETRICS], text)
        self.assertEqual(int(said), len(samples(text)))
        # the same series under the same names in both formats, or a change of format would lose them
        self.assertEqual(set(samples(text)), set(self.read()))

    def test_page_lists_all(self):
        """bal(8) names the families that there are, in their order."""
        self.stage()
        with open(os.path.join(rig.SOURCE, 'docs/bal.8'), encoding='utf-8') as f:
            page = f.read().split('.Ss Metrics\n')[1].split('.Ss ')[0]
        named = [name for line in re.findall(r'^\.It Li (.*)$', page, re.M) for name in line.split(' , ')]
        there = re.findall(r'^# TYPE (\S+) ', scrape(self.at)[2], re.M)
        self.assertEqual(named, there)

    def test_numbers(self):
        """What clients, checks, operators and reloads do is counted, and survives a reload."""
        bal = self.stage(2)
        one, two = (f'pool="main",backend="{web.address}"' for web in self.webs)
        for _ in range(6):
            rig.get(self.port)
        rig.wait_until(lambda: self.value('bal_frontend_connections_active{frontend="main"}') == 0, 'the last to end',
                       step=0.15)
        m = self.read()
        self.assertEqual(m['bal_frontend_connections_total{frontend="main"}'], 6)
        self.assertEqual(sum(m[f'bal_backend_connections_total{{{b}}}'] for b in (one, two)), 6)
        self.assertEqual(m['bal_frontend_connect_duration_seconds_count{frontend="main"}'], 6)
        self.assertGreater(m['bal_frontend_connect_duration_seconds_sum{frontend="main"}'], 0)
        for b in (one, two):
            asked = m[f'bal_backend_connections_total{{{b}}}'] * len('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
            self.assertGreater(asked, 0)
            self.assertEqual(m[f'bal_backend_sent_bytes_total{{{b}}}'], asked)
            self.assertGreater(m[f'bal_backend_received_bytes_total{{{b}}}'], asked)
        self.assertEqual([m[f'bal_backend_up{{{b}}}'] for b in (one, two)], [1, 1])

        bal.cli('backend', 'drain', self.webs[0].address, '--yes', check=0)
        self.webs[1].end()
        bal.wait_state(self.webs[1].address, 'down')
        with contextlib.suppress(ConnectionError, OSError):
            rig.get(self.port)
        time.sleep(0.15)
        m = self.read()
        states = {b: [s for s in ('down', 'cool', 'drain', 'maint', 'up') if m[f'bal_backend_state{{{b},state="{s}"}}']]
                  for b in (one, two)}
        self.assertEqual(states, {one: ['drain'], two: ['down']})
        self.assertEqual([m[f'bal_backend_up{{{b}}}'] for b in (one, two)], [0, 0])
        self.assertEqual(m[f'bal_backend_state_changes_total{{{two}}}'], 1)
        self.assertGreaterEqual(m[f'bal_backend_health_checks_total{{{two},result="failure"}}'], 1)
        rejected = {r: m[f'bal_frontend_connections_rejected_total{{frontend="main",reason="{r}"}}']
                    for r in ('max_connections', 'no_backend', 'protection')}
        self.assertEqual(rejected, {'max_connections': 0, 'no_backend': 1, 'protection': 0})
        self.assertEqual(m['bal_protection_mode_active{pool="main"}'], 1)
        self.assertEqual(m['bal_protection_mode_activations_total{pool="main",reason="all_backends_unavailable"}'], 1)
        with contextlib.suppress(ConnectionError, OSError):
            rig.get(self.port)
        self.wait_value('bal_frontend_connections_rejected_total{frontend="main",reason="protection"}', 1)

        before = self.read()
        bal.reload(self.config() + 'drain_timeout: 5s\n')
        time.sleep(0.15)
        after = self.read()
        counters = [key for key in before if '_total' in key or '_count' in key or '_bucket' in key]
        self.assertEqual([key for key in counters if after[key] < before[key]], [])
        self.assertEqual(after['bal_frontend_connections_total{frontend="main"}'], 8)
        self.assertEqual(after['bal_config_reloads_total{result="success"}'], 1)

        bal.reload(self.config() + 'nonsense: 1\n', check=78)
        time.sleep(0.15)
        m = self.read()
        self.assertEqual(m['bal_config_last_reload_successful'], 0)
        self.assertEqual(m['bal_config_reloads_total{result="failure"}'], 1)
        self.assertEqual(m['bal_config_last_reload_success_timestamp_seconds'],
                         after['bal_config_last_reload_success_timestamp_seconds'])
        self.assertGreaterEqual(m['bal_log_messages_total{level="error"}'], 1)
        bal.reload(self.config())
        self.wait_value('bal_config_last_reload_successful', 1)

    def test_http(self):
        """Requests by method and class of status, and how long they took."""
        port, at = rig.free_port(), rig.free_port()
        web, gone = self.backend('web'), f'127.0.0.1:{rig.free_port()}'
        frontends = [{'name': 'shop', 'listen': f'127.0.0.1:{port}', 'protocol': 'http', 'backend': 'web',
                      'routes': [{'path_prefix': '/gone', 'backend': 'gone'},
                                 {'path': '/no', 'respond': {'status': 403}}]}]
        bal = self.bal(json.dumps({'global': {'metrics': {'address': f'127.0.0.1:{at}'}}, 'frontends': frontends,
                                   'backends': [{'name': 'web', 'servers': [{'address': web.address}]},
                                                {'name': 'gone', 'servers': [{'address': gone}]}]}))
        requests = [('GET', '/'), ('GET', '/x'), ('BREW', '/'), ('GET', '/gone/1'), ('GET', '/no')]
        statuses = []
        client = http.client.HTTPConnection('127.0.0.1', port, timeout=10 * rig.SLOW)
        with contextlib.closing(client):
            for method, path in requests:
                client.request(method, path)
                answer = client.getresponse()
                answer.read()
                statuses.append(answer.status)
        self.assertEqual(statuses[3:], [503, 403], statuses)
        rig.wait_until(lambda: 'method="other"' in scrape(at)[2], 'the last to be counted', step=0.15)
        m = samples(scrape(at)[2])

        def requests_of(pool, method, code):
            return m[f'bal_http_requests_total{{frontend="shop",pool="{pool}",method="{method}",code="{code}"}}']
        self.assertEqual(requests_of('web', 'GET', '2xx'), 2)
        self.assertEqual(requests_of('web', 'other', f'{statuses[2] // 100}xx'), 1)
        self.assertEqual(requests_of('gone', 'GET', '5xx'), 1)
        self.assertEqual(requests_of('', 'GET', '4xx'), 1)
        name = 'bal_http_request_duration_seconds'
        self.assertEqual([m[f'{name}_count{{frontend="shop",pool="{pool}"}}'] for pool in ('web', 'gone', '')], [3, 1, 1])
        self.assertEqual(self.feed(['promtool', 'check', 'metrics'], scrape(at)[2]), '')
        self.assertEqual(m['bal_frontend_connections_rejected_total{frontend="shop",reason="no_backend"}'], 1)
        bal.cli('graceful', check=0)
        time.sleep(0.15)
        m = samples(scrape(at)[2])
        self.assertEqual(requests_of('web', 'GET', '2xx'), 2)

    def test_rejected_at_the_limit(self):
        self.stage(runtime={**FAST, 'max_concurrent_connections': 2})
        self.assertEqual(self.value('bal_frontend_connections_limit{frontend="main"}'), 2)
        with rig.connect(self.port) as a, rig.connect(self.port) as b:
            self.wait_value('bal_frontend_connections_active{frontend="main"}', 2)
            with rig.connect(self.port) as c:
                self.assertEqual(c.recv(1), b'')
            self.wait_value('bal_frontend_connections_rejected_total{frontend="main",reason="max_connections"}', 1)
            a.close(), b.close()

    def test_slow_connects_are_in_their_bucket(self):
        """A Unix socket whose queue is full is knocked at again: 20 ms at least."""
        path = os.path.join(self.dir, 'slow.sock')
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen(0)
        self.addCleanup(listener.close)
        port, at = rig.free_port(), rig.free_port()
        self.bal(rig.simple(port, [f'unix:{path}'],
                            f'metrics: {{ address: "127.0.0.1:{at}" }}\nhealth_check: {{ type: none }}', FAST))
        full = rig.connect(f'unix:{path}')
        self.addCleanup(full.close)
        client = rig.connect(port)
        self.addCleanup(client.close)
        time.sleep(0.03)
        held = [listener.accept()[0] for _ in range(2)]
        self.addCleanup(lambda: [s.close() for s in held])
        name = 'bal_frontend_connect_duration_seconds'
        rig.wait_until(lambda: samples(scrape(at)[2])[f'{name}_count{{frontend="main"}}'] == 1, 'the connect', step=0.15)
        m = samples(scrape(at)[2])
        self.assertEqual(m[f'{name}_bucket{{frontend="main",le="0.01"}}'], 0)
        self.assertGreater(m[f'{name}_sum{{frontend="main"}}'], 0.02)

    def test_process(self):
        bal = self.stage()
        m = self.read()
        self.assertAlmostEqual(m['process_open_fds'], bal.fds(), delta=4)
        with open(f'/proc/{bal.pid}/statm', encoding='ascii') as f:
            resident = int(f.read().split()[1]) * os.sysconf('SC_PAGESIZE')
        self.assertAlmostEqual(m['process_resident_memory_bytes'], resident, delta=resident / 2)
        self.assertLess(abs(time.time() - m['process_start_time_seconds']), 60 * rig.SLOW)
        self.assertAlmostEqual(m['process_cpu_seconds_total'], bal.cpu_s(), delta=0.5)

    def test_200_backends(self):
        """Some 18 series each, in less than 400 KB."""
        self.need('promtool')
        port, at = rig.free_port(), rig.free_port()
        servers = [f'127.1.{i // 100}.{i % 100 + 1}:{port + 1}' for i in range(200)]
        bal = self.bal(rig.document(rig.pool('web-servers', port, servers, health_check={'interval': '60s'}),
                                    metrics={'address': f'127.0.0.1:{at}'}, max_connections=100))
        rig.wait_until(lambda: 'health_check_duration_seconds{' in scrape(at)[2], 'the first check', step=0.15)
        time.sleep(0.15)
        cpu = bal.cpu_ns()
        took = []
        for _ in range(10):
            time.sleep(0.12)  # none is answered from what was made for the one before
            before = time.perf_counter()
            text = scrape(at)[2]
            took.append(time.perf_counter() - before)
        cpu = (bal.cpu_ns() - cpu) / 10
        print(f'200 backends: {len(text)} bytes, {len(samples(text))} series, {min(took) * 1e3:.2f} ms at best, '
              f'{max(took) * 1e3:.2f} ms at worst, {cpu / 1e6:.2f} ms of CPU of all threads a scrape', file=sys.stderr)
        self.assertLess(len(text), 400 * 1000)
        self.assertGreater(len(samples(text)), 200 * 17)
        self.assertEqual(self.feed(['promtool', 'check', 'metrics'], text), '')


class Command(Metrics):
    def test_same_text(self):
        """Without HTTP, too; all that does not change by itself is the same."""
        bal = self.stage(2)

        def still(text):
            return re.sub(r'^(process_\w+|bal_backend_health\w+|bal_log\w+)(\{.*\})? .*$', '', text, flags=re.M)
        self.assertEqual(still(bal.cli('metrics', check=0).stdout), still(scrape(self.at)[2]))
        document = json.loads(bal.cli('metrics', '--json', check=0).stdout)
        self.assertEqual(document['kind'], 'bal.metrics')
        self.assertIn('bal_build_info{', document['text'])
        bal.reload(self.config(''))
        self.assertIn('bal_build_info{', bal.cli('metrics', check=0).stdout)
        self.assertEqual(bal.cli('metrics', '--quiet', check=0).stdout, '')

    def test_in_parts(self):
        """More than fits into a reply."""
        bal = self.stage()
        self.assertEqual(bal.call('io.bal.Status.GetMetrics', {'first': -1})['error'],
                         'org.varlink.service.InvalidParameter')
        self.assertEqual(bal.call('io.bal.Status.GetMetrics', {'first': 1000})['error'],
                         'org.varlink.service.InvalidParameter')
        self.assertEqual(bal.call('io.bal.Status.GetMetrics', {'first': 'one'})['error'],
                         'org.varlink.service.InvalidParameter')
        first, whole = 0, ''
        while first is not None:
            part = bal.call('io.bal.Status.GetMetrics', {'first': first})['parameters']
            whole, first = whole + part['text'], part['next']
        self.assertTrue(samples(whole))

    def test_many_backends(self):
        """4096 make some 7 MB: in parts over the status socket, in one piece over HTTP."""
        port, at = rig.free_port(), rig.free_port()
        servers = [f'127.{2 + i // 10000}.{i // 100 % 100}.{i % 100 + 1}:{port + 1}' for i in range(4096)]
        bal = self.bal(rig.document(rig.pool('web-servers', port, servers, health_check={'type': 'none'}),
                                    metrics={'address': f'127.0.0.1:{at}'}, max_connections=100))
        before = time.perf_counter()
        text = bal.cli('metrics', check=0).stdout
        took = time.perf_counter() - before
        print(f'4096 backends: bal metrics {len(text)} bytes in {took * 1e3:.0f} ms', file=sys.stderr)
        self.assertGreater(len(text), 5 * 1000 * 1000)
        self.assertEqual(set(samples(text)), set(samples(scrape(at)[2])))

    def test_nobody_there(self):
        bal = self.bal(None, wait=False, command=['true'])
        bal.wait()
        said = bal.cli('metrics', check=69)
        self.assertIn('bal is not running', said.stderr)
        self.assertEqual(said.stdout, '')


class Http(Metrics):
    def test_requests(self):
        self.stage(head='')
        status, headers, text = scrape(self.at)
        self.assertEqual((status, headers['Content-Type'], headers['Connection']), (200, TEXT, 'close'))
        self.assertEqual(int(headers['Content-Length']), len(text.encode()))
        status, headers, text = scrape(self.at, method='HEAD')
        self.assertEqual((status, text), (200, ''))
        self.assertGreater(int(headers['Content-Length']), 1000)
        self.assertEqual(scrape(self.at, '/metrics?format=text')[0], 200)
        for path in ('/', '/metrics/', '/metric', '/metricss', '/../metrics', '//metrics'):
            self.assertEqual(scrape(self.at, path)[0], 404, path)
        for method in ('POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'BREW'):
            status, headers, text = scrape(self.at, method=method)
            self.assertEqual((status, headers['Allow'], headers['Connection']), (405, 'GET, HEAD', 'close'), method)
            self.assertIn('GET or HEAD', text)

    def test_rubble(self):
        """No request that is none is answered with metrics, and none does harm."""
        bal = self.stage()
        for rubble in (b'\0' * 100, b'GET\r\n\r\n', b'GET /metrics\r\n\r\n', b'\r\n' * 1000, b'A' * 100000,
                       b'GET /metrics HTTP/1.1\r\nA: ' + b'x' * 100000,
                       b'POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n',
                       b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', b'\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'):
            answer = b''
            with rig.connect(self.at, 0.5) as s, contextlib.suppress(OSError):
                s.sendall(rubble)
                s.shutdown(socket.SHUT_WR)
                answer = rig.read_all(s)
            self.assertNotIn(b' 200 OK', answer, rubble[:40])
        self.assertEqual(scrape(self.at)[0], 200)
        self.assertTrue(bal.alive())

    def test_path(self):
        bal = self.stage()
        bal.reload(self.config(f'metrics: {{ address: "127.0.0.1:{self.at}", path: "/m/x" }}'))
        self.assertEqual((scrape(self.at)[0], scrape(self.at, '/m/x')[0]), (404, 200))
        self.assertEqual(bal.events('metrics_listening')[-1]['fields']['path'], '/m/x')

    def test_slow_and_many(self):
        """Half requests, readers that do not read and a thousand connections: others are served, and
        status as quickly as ever; in the end nobody is left."""
        bal = self.stage()
        fds = bal.fds()
        crowd = []
        self.addCleanup(lambda: [s.close() for s in crowd])

        def press():
            for i in range(1000):
                with contextlib.suppress(OSError):
                    s = socket.create_connection(('127.0.0.1', self.at), 5)
                    crowd.append(s)
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
                    s.sendall([b'', b'GET /met', b'GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n'][i % 3])
        crowding = threading.Thread(target=press)
        crowding.start()
        slowest = 0.0
        while crowding.is_alive():
            before = time.perf_counter()
            bal.get()
            slowest = max(slowest, time.perf_counter() - before)
        crowding.join()
        print(f'while 1000 connections came: status within {slowest * 1e3:.1f} ms', file=sys.stderr)
        self.assertLess(slowest, 0.5 * rig.SLOW)
        self.assertLessEqual(bal.fds(), fds + 40)
        self.assertEqual(scrape(self.at)[0], 200, 'who comes now, comes before who holds a place and does nothing')
        self.assertLessEqual(bal.fds(), fds + 40)
        rig.wait_until(lambda: bal.fds() <= fds + 1, 'their time to be over, although they stay', 15, step=0.2)
        self.assertEqual(scrape(self.at)[0], 200)

    def test_dripping(self):
        """A byte a second is a sign of life, but no reason to keep a connection for ever."""
        self.stage()
        with rig.connect(self.at) as s:
            began = time.monotonic()
            with contextlib.suppress(ConnectionError):
                for byte in b'GET /metrics HTTP/1.1\r\nX-Slow: ' + b'x' * 1000:
                    s.sendall(bytes([byte]))
                    time.sleep(0.5)
                    if time.monotonic() - began > 20 * rig.SLOW:
                        self.fail('it is still there after twice its time')
            self.assertGreater(time.monotonic() - began, 8)

    def test_out_of_descriptors(self):
        """It waits instead of spinning, and serves again."""
        bal = self.stage()
        limit = bal.fds()
        self.run_ok(['prlimit', f'--nofile={limit}:', '--pid', str(bal.pid)])
        with rig.connect(self.at) as s:
            s.sendall(b'GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n')
            bal.log_wait('accept_paused')
            before = bal.cpu_s()
            time.sleep(1)
            self.assertLess(bal.cpu_s() - before, 0.5)
            self.run_ok(['prlimit', '--nofile=1000:', '--pid', str(bal.pid)])
            self.assertIn(b' 200 OK', rig.read_all(s))


class Where(Metrics):
    def listens(self, port):
        with contextlib.suppress(OSError):
            return scrape(port)[0] == 200
        return False

    def test_off_by_default_in_the_simple_dialect(self):
        port, web = rig.free_port(), self.backend('web')
        bal = self.bal(rig.simple(port, [web.address]))
        self.assertEqual(bal.events('metrics_listening') + bal.events('metrics_listen_failed'), [])

    def test_reload(self):
        """Off, on, elsewhere."""
        bal = self.stage()
        rig.get(self.port)
        bal.reload(self.config(f'metrics: {{ enabled: false, address: "127.0.0.1:{self.at}" }}'))
        self.assertFalse(self.listens(self.at))
        bal.reload(self.config())
        self.assertTrue(self.listens(self.at))
        before, self.at = self.at, rig.free_port()
        bal.reload(self.config(f'metrics: {{ address: "127.0.0.1:{self.at}" }}'))
        self.assertEqual((self.listens(before), self.listens(self.at)), (False, True))
        self.assertEqual(self.value('bal_frontend_connections_total{frontend="main"}'), 1)
        told = [(e['fields']['address'].rsplit(':', 1)[1], e['fields']['on']) for e in bal.events('metrics_listening')]
        self.assertEqual(told, [(str(before), True), (str(before), False), (str(before), True), (str(before), False),
                                (str(self.at), True)])
        bal.reload(self.config(f'metrics: {{ address: "127.0.0.1:{self.at}" }}'))
        self.assertEqual(len(bal.events('metrics_listening')), 5)

    def test_taken(self):
        """bal runs, says so everywhere, and takes the address when it is free."""
        taken = socket.socket()
        taken.bind(('127.0.0.1', 0))
        taken.listen(1)
        self.addCleanup(taken.close)
        at = taken.getsockname()[1]
        self.port, web = rig.free_port(), self.backend('web')
        config = rig.simple(self.port, [web.address], f'metrics: {{ address: "127.0.0.1:{at}" }}',
                            {'max_concurrent_connections': 100})
        bal = self.bal(config)
        self.assertEqual(rig.get(self.port), 'web')
        event = bal.events('metrics_listen_failed')
        self.assertEqual([(e['level'], e['fields']['address']) for e in event], [('WARN', f'127.0.0.1:{at}')])
        self.assertIn(f'by pid {os.getpid()} (', event[0]['fields']['reason'])
        check = next(c for c in json.loads(bal.cli('doctor', '--json').stdout)['checks'] if c['name'] == 'metrics')
        self.assertEqual((check['level'], check['what_happened']), ('warn', 'bal runs on without its metrics'))
        self.assertIn('note: cannot serve metrics on', bal.reload(config).stdout)
        self.assertEqual(len(bal.events('metrics_listen_failed')), 2, 'a reload tries again, and tells')
        taken.close()
        rig.wait_until(lambda: self.listens(at), 'it to try again by itself', 15, step=0.2)
        self.assertEqual(len(bal.events('metrics_listen_failed')), 2)
        check = next(c for c in json.loads(bal.cli('doctor', '--json').stdout)['checks'] if c['name'] == 'metrics')
        self.assertEqual(check['level'], 'ok')

    def test_without_the_library(self):
        """It is loaded when it is needed; where it is not there all else works, also without HTTP."""
        empty = os.path.join(self.dir, 'lib')
        os.mkdir(empty)
        with open(f'{empty}/libmicrohttpd.so.12', 'wb'):
            pass
        bal = self.stage(env={'LD_LIBRARY_PATH': empty})
        self.assertEqual(rig.get(self.port), 'web0')
        event = bal.log_wait('metrics_listen_failed')[0]
        self.assertIn('install libmicrohttpd12', event['fields']['reason'])
        self.assertFalse(self.listens(self.at))
        self.assertTrue(samples(bal.cli('metrics', check=0).stdout))

    def has_library(self, bal):
        """Whether the process has it, or what it stands on."""
        with open(f'/proc/{bal.pid}/maps', encoding='utf-8') as f:
            maps = f.read()
        return 'libmicrohttpd' in maps or 'libgnutls' in maps

    def test_loaded_by_the_first_client(self):
        bal = self.stage()
        rig.get(self.port)
        bal.cli('metrics', check=0)
        doctor = json.loads(bal.cli('doctor', '--json').stdout)
        check = next(c for c in doctor['checks'] if c['name'] == 'metrics')
        self.assertEqual((check['level'], check['summary']),
                         ('ok', f'127.0.0.1:{self.at}/metrics is served by pid {bal.pid}'))
        self.assertEqual([e['fields']['on'] for e in bal.events('metrics_listening')], [True])
        self.assertFalse(self.has_library(bal))
        self.assertEqual(self.value('bal_frontend_connections_total{frontend="main"}'), 1)
        self.assertTrue(self.has_library(bal))
        self.assertEqual(scrape(self.at)[0], 200)

    def test_crowd_comes_first(self):
        """Those that wait when it is loaded are all served."""
        bal = self.stage()
        crowd = [rig.connect(self.at) for _ in range(8)]
        for s in crowd:
            s.sendall(b'GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n')
        for s in crowd:
            with s:
                self.assertIn(b' 200 OK', rig.read_all(s))
        self.assertTrue(bal.alive())

    def test_reload_before_the_first_client(self):
        """All that a reload changes comes before anything is loaded, and after it, too."""
        bal = self.stage()
        for _ in range(2):
            bal.reload(self.config(f'metrics: {{ address: "127.0.0.1:{self.at}", path: "/m" }}'))
            self.assertFalse(self.has_library(bal))
            bal.reload(self.config('metrics: { enabled: false }'))
            self.assertRaises(ConnectionRefusedError, scrape, self.at)
            before, self.at = self.at, rig.free_port()
            bal.reload(self.config(f'metrics: {{ address: "127.0.0.1:{self.at}", path: "/n" }}'))
            self.assertRaises(ConnectionRefusedError, scrape, before)
        self.assertFalse(self.has_library(bal))
        bal.reload(rig.simple(self.port, [self.webs[0].address, self.backend('late').address],
                              f'metrics: {{ address: "127.0.0.1:{self.at}" }}', self.runtime))
        self.assertFalse(self.has_library(bal))
        self.assertIn('late', {rig.get(self.port) for _ in range(4)})
        self.assertEqual(scrape(self.at, '/n')[0], 404)
        self.assertTrue(self.has_library(bal))
        bal.reload(self.config(f'metrics: {{ address: "127.0.0.1:{self.at}" }}'))
        self.assertEqual(self.value('bal_config_reloads_total{result="success"}'), 8)

    def test_library_of_no_use(self):
        """It lies there, so bal listens; the first client shows what it is worth. Nobody waits then, nothing
        spins, it is told once, and as soon as there is a better one it serves."""
        lib = os.path.join(self.dir, 'lib')
        os.mkdir(lib)
        with open('/proc/self/maps', encoding='utf-8') as f:
            libc = re.search(r'\S+/libc\.so\.6$', f.read(), re.M).group()
        # loads, and has none of its functions
        shutil.copy(os.path.join(os.path.dirname(libc), 'libm.so.6'), f'{lib}/libmicrohttpd.so.12')
        bal = self.stage(env={'LD_LIBRARY_PATH': lib}, runtime={'max_concurrent_connections': 100})
        self.assertEqual(bal.events('metrics_listen_failed'), [])
        with contextlib.suppress(ConnectionError), rig.connect(self.at) as waits:
            self.assertEqual(waits.recv(1), b'')
        self.assertFalse(self.listens(self.at))
        failed = bal.log_wait('metrics_listen_failed')
        self.assertIn('undefined symbol: MHD_start_daemon; install libmicrohttpd12', failed[0]['fields']['reason'])
        self.assertEqual([e['fields']['on'] for e in bal.events('metrics_listening')], [True, False])
        doctor = json.loads(bal.cli('doctor', '--json').stdout)
        check = next(c for c in doctor['checks'] if c['name'] == 'metrics')
        self.assertEqual((check['level'], check['summary']), ('warn', f'nobody listens on 127.0.0.1:{self.at}'))
        self.assertIn('undefined symbol', bal.reload(self.config()).stdout)
        cpu = bal.cpu_s()
        time.sleep(1)
        self.assertLess(bal.cpu_s() - cpu, 0.5)
        self.assertEqual(rig.get(self.port), 'web0')
        os.unlink(f'{lib}/libmicrohttpd.so.12')
        rig.wait_until(lambda: self.listens(self.at), 'it to try again by itself', 15, step=0.2)
        self.assertEqual(len(bal.events('metrics_listen_failed')), 2, 'by the client, and at the reload')

    def test_not_loaded(self):
        """The file says so, and the daemon has not heard of it."""
        bal = self.stage(runtime={'max_concurrent_connections': 100})
        at = rig.free_port()
        bal.write(self.config(f'metrics: {{ address: "127.0.0.1:{at}" }}'))
        check = next(c for c in json.loads(bal.cli('doctor', '--json').stdout)['checks'] if c['name'] == 'metrics')
        self.assertEqual((check['level'], check['summary']), ('warn', f'nobody listens on 127.0.0.1:{at}'))
        self.assertIn('bal graceful', check['do_this_now'])

    def test_dry_run(self):
        taken = socket.socket()
        taken.bind(('127.0.0.1', 0))
        taken.listen(1)
        self.addCleanup(taken.close)
        bal = self.stage()
        bal.write(self.config(f'metrics: {{ address: "127.0.0.1:{taken.getsockname()[1]}" }}'))
        said = bal.cli('graceful', '--dry-run', check=0).stdout
        self.assertIn('note: cannot serve metrics on', said)
        self.assertTrue(self.listens(self.at))
        bal.write(self.config(f'metrics: {{ address: "0.0.0.0:{self.at}" }}'))
        self.assertNotIn('cannot', bal.cli('graceful', '--dry-run', check=0).stdout)
        bal.cli('graceful', check=0)
        self.assertTrue(self.listens(self.at))
        self.assertEqual(bal.events('metrics_listen_failed'), [])

    def test_while_it_drains(self):
        """Who watches the end wants to see it."""
        bal = self.stage()
        with rig.connect(self.port) as s:
            s.sendall(b'GET / HTTP/1.1\r\nHost: x\r\n')
            self.wait_value('bal_frontend_connections_active{frontend="main"}', 1)
            bal.kill(signal.SIGTERM)
            bal.log_wait('daemon_stopping')
            self.assertEqual(self.value('bal_frontend_connections_active{frontend="main"}'), 1)
        self.assertEqual(bal.wait(), 0)
        self.assertFalse(self.listens(self.at))


if __name__ == '__main__':
    rig.main()
