#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A server with few processes, each of which serves one connection for as long as it is open: resting
connections use up its max_connections like any other."""

import contextlib
import json
import os
import selectors
import socket
import threading
import time

import rig

PROCESSES = 4
KEEP_ALIVE_S = 15
RUSH_S = 5


class Apache(rig.FlowTest):
    def apache(self, port):
        self.need('apache2')
        home = os.path.join(self.dir, 'apache')
        os.mkdir(home)
        with open(f'{home}/hello', 'w', encoding='ascii') as f:
            f.write('hello\n')
        with open(f'{home}/apache.conf', 'w', encoding='ascii') as f:
            f.write(f'''ServerRoot {home}
LoadModule mpm_prefork_module /usr/lib/apache2/modules/mod_mpm_prefork.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
User www-data
Group www-data
ServerName localhost
Listen 127.0.0.1:{port}
PidFile {home}/pid
DefaultRuntimeDir {home}
ErrorLog {home}/log
DocumentRoot {home}
KeepAlive On
KeepAliveTimeout {KEEP_ALIVE_S}
MaxKeepAliveRequests 0
StartServers {PROCESSES}
MinSpareServers {PROCESSES}
MaxSpareServers {PROCESSES}
ServerLimit {PROCESSES}
MaxRequestWorkers {PROCESSES}
''')
        server = self.start('apache', ['/usr/sbin/apache2', '-f', f'{home}/apache.conf', '-DFOREGROUND'],
                            start_new_session=True)  # it ends by a signal to its whole group
        server.address = f'127.0.0.1:{port}'
        return server

    def ask_for_a_while(self, port, until, took):
        while time.monotonic() < until:
            start = time.monotonic()
            with rig.connect(port, 60) as s:
                s.sendall(b'GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
                answer = rig.read_all(s)
            took.append((time.monotonic() - start, answer.split()[1]))

    def test_what_rests_counts(self):
        server = self.apache(rig.free_port())
        port = rig.free_port()
        bal = self.bal(rig.document(rig.pool(
            'p', port, [(server.address, {'max_connections': PROCESSES})],
            frontend={'protocol': 'http', 'overload_policy': 'queue', 'queue_timeout': '60s'},
            health_check={'type': 'none'}), workers=2))
        rig.wait_until(lambda: b'hello' in self.answer(server.address), 'apache to answer')
        took = []
        until = time.monotonic() + RUSH_S
        threads = [threading.Thread(target=self.ask_for_a_while, args=(port, until, took)) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        times = sorted(seconds for seconds, _ in took)
        print(f'{len(took)} requests, the slowest took {times[-1]:.3f} s')
        self.assertEqual({status for _, status in took}, {b'200'})
        self.assertLess(times[-1], 2 * rig.SLOW, 'nobody waits for a connection of another worker to end')
        self.assertEqual(bal.events('backend_state'), [])
        self.assert_idle(bal)

    def answer(self, address):
        try:
            with rig.connect(address) as s:
                s.sendall(b'GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
                return rig.read_all(s)
        except OSError:
            return b''

    def test_never_more_than_the_limit(self):
        """The end of one connection arrives before the next one does."""
        strict = Strict(self)
        ports = [rig.free_port() for _ in range(2)]
        document = rig.document(*(rig.pool('p', port, [(strict.address, {'max_connections': PROCESSES})], frontend={
            'name': f'f{i}', 'protocol': 'http', 'overload_policy': 'queue', 'queue_timeout': '60s'},
            health_check={'type': 'none'}) for i, port in enumerate(ports)), workers=4)
        document = json.loads(document)
        document['backends'] = document['backends'][:1]
        bal = self.bal(json.dumps(document))
        took = []
        until = time.monotonic() + 3
        threads = [threading.Thread(target=self.ask_for_a_while, args=(port, until, took)) for port in ports * 6]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        print(f'{len(took)} requests over {strict.accepted} connections, at most {strict.most} at a time')
        self.assertEqual({status for _, status in took}, {b'200'})
        self.assertEqual(strict.most, PROCESSES)
        rig.wait_until(lambda: bal.backend(strict.address)['idle_connections'] == strict.count(), 'what rests to be told')
        self.assertEqual(bal.events('backend_state'), [])

        bal.reload(json.dumps(document).replace(f'"max_connections": {PROCESSES}', '"max_connections": 1'))
        rig.wait_until(lambda: strict.count() <= 1, 'what rests beyond the new limit to end')


class Strict:
    """Answers every request on its connection, and knows how many are open whenever one comes."""

    def __init__(self, test):
        self.listener = socket.create_server(('127.0.0.1', 0), backlog=1024)
        self.address = '127.0.0.1:%d' % self.listener.getsockname()[1]
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.open, self.most, self.accepted = set(), 0, 0
        self.lock = threading.Lock()
        self.over = False
        thread = threading.Thread(target=self.run)
        thread.start()
        test.addCleanup(thread.join)
        test.addCleanup(setattr, self, 'over', True)

    def count(self):
        with self.lock:
            return len(self.open)

    def drop(self, s):
        self.selector.unregister(s)
        self.open.remove(s)
        s.close()

    def accept(self):
        s, _ = self.listener.accept()
        self.accepted += 1
        for other in list(self.open):  # whose end is there already, although its event was not read yet
            with contextlib.suppress(BlockingIOError, ConnectionResetError):
                if other.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b'':
                    self.drop(other)
        self.selector.register(s, selectors.EVENT_READ)
        self.open.add(s)
        self.most = max(self.most, len(self.open))

    def serve(self, s):
        request = b''
        with contextlib.suppress(ConnectionResetError):
            request = s.recv(65536)
        if request:
            s.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
        else:
            self.drop(s)

    def run(self):
        while not self.over:
            for key, _ in self.selector.select(0.05):
                with self.lock:
                    if key.fileobj is self.listener:
                        self.accept()
                    elif key.fileobj in self.open:
                        self.serve(key.fileobj)
        for s in list(self.open):
            self.drop(s)
        self.selector.close()
        self.listener.close()


if __name__ == '__main__':
    rig.main()
