#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What happens to clients that keep their connection when something changes under them: a reload, a drain,
a stop. And what one gets when there is no place."""

import contextlib
import signal
import threading
import time

import rig
import web

RELOADS = 200 if rig.FULL else 25 if rig.SANITIZE == 'none' else 10


class Asker(threading.Thread):
    """Asks over one connection, again and again, until told; it never makes another one."""

    def __init__(self, port, number):
        super().__init__(daemon=True)
        self.client, self.number = web.Client(port), number
        self.over, self.names, self.error = False, [], None
        self.start()

    def run(self):
        try:
            while not self.over:
                body = b'x' * (self.number * 50) if self.number % 2 else None
                answer = self.client.ask('POST' if body else 'GET', '/', body=body)
                if answer.status != 200 or answer.get('Connection'):
                    raise AssertionError(f'{answer.head}')
                self.names.append(answer.body.decode())
                time.sleep(0.002)
        except (OSError, AssertionError) as error:
            self.error = error

    def end(self):
        self.over = True
        self.join()
        self.client.close()


class Stage(rig.FlowTest):
    def setUp(self):
        super().setUp()
        self.port = rig.free_port()

    def server(self, name):
        server = web.Server(self, web.respond_with(name))
        server.name = name
        return server

    def config(self, *servers, **more):
        more.setdefault('health_check', {'type': 'none'})
        return web.config(self.port, [getattr(server, 'address', server) for server in servers], **more)


class Reload(Stage):
    def test_clients_notice_nothing(self):
        servers = [self.server(name) for name in ('one', 'two', 'three')]
        configs = [self.config(servers[0]), self.config(servers[1], http={'via': True}),
                   self.config(servers[0], routes=[{'method': 'POST', 'backend': 'web'}]), self.config(*servers)]
        bal = self.bal(configs[0])
        askers = [Asker(self.port, i) for i in range(16)]
        try:
            for i in range(RELOADS):
                bal.reload(configs[i % len(configs)])
            bal.reload(configs[1])
            marks = [len(asker.names) for asker in askers]
            rig.wait_until(lambda: all(len(asker.names) > mark + 5 or asker.error for asker, mark in zip(askers, marks)),
                           'all to ask some more')
        finally:
            for asker in askers:
                asker.end()
        self.assertEqual([asker.error for asker in askers if asker.error], [])
        for asker, mark in zip(askers, marks):
            self.assertEqual(set(asker.names[mark + 1:]), {'two'}, 'the new backend, over the old connection')
        self.assertEqual(bal.status()['connections_total'], len(askers))
        self.assert_idle(bal)
        self.assert_sessions_balance(bal)

    def test_new_routes_serve_old_connections(self):
        one, two = self.server('one'), self.server('two')
        bal = self.bal(self.config(one))
        with web.Client(self.port) as client:
            self.assertEqual(client.ask().body, b'one')
            client.send('GET /half HTTP/1.1\r\nHost:')  # a head that has begun under the old rules
            rig.wait_until(lambda: bal.get()['active_connections'] == 1, 'the session')
            bal.reload(self.config(two, routes=[{'path': '/r', 'respond': {'status': 404, 'body': 'new'}}],
                                   http={'response_headers': {'X-New': 'yes'}}))
            client.send(' h\r\n\r\n')
            answer = client.answer()
            self.assertEqual((answer.body, answer.get('X-New'), answer.get('Connection')), (b'two', 'yes', None))
            self.assertEqual(client.ask('GET', '/r').body.strip(), b'new')

    def test_a_request_in_progress_ends_as_it_began(self):
        node, other = web.Node(self), self.server('other')
        bal = self.bal(self.config(node.address))
        with web.Client(self.port) as client:
            client.request('GET', '/drip?n=10&ms=100')
            client.until(b'\r\n\r\n')
            bal.reload(self.config(other))
            data, _ = client.chunks()
            self.assertTrue(data.endswith(b'part 9\nend of node\n'))
            self.assertEqual(client.ask().body, b'other')

    def two_frontends(self, ports, servers, **second):
        sites = [web.site(port, [server.address], name=f'f{i}', health_check={'type': 'none'},
                          **(second if i == 1 else {})) for i, (port, server) in enumerate(zip(ports, servers))]
        return rig.document(*sites)

    def test_a_frontend_that_goes(self):
        """Its clients get one more answer, and are told that it is the last."""
        ports, servers = [rig.free_port(), rig.free_port()], [self.server('one'), self.server('two')]
        bal = self.bal(self.two_frontends(ports, servers))
        with web.Client(ports[0]) as stays, web.Client(ports[1]) as goes, web.Client(ports[1]) as busy:
            for client, name in ((stays, b'one'), (goes, b'two'), (busy, b'two')):
                self.assertEqual(client.ask().body, name)
            bal.reload(self.two_frontends(ports[:1], servers[:1]))
            self.assertIsNone(stays.ask().get('Connection'))
            answer = goes.ask()
            self.assertEqual((answer.body, answer.get('Connection'), goes.is_closed()), (b'two', 'close', True))
            answer = busy.ask('POST', body=b'x' * 100000)
            self.assertEqual((answer.body, answer.get('Connection'), busy.is_closed()), (b'two', 'close', True))
            with self.assertRaises(OSError):
                rig.connect(ports[1])
            self.assertIsNone(stays.ask().get('Connection'))
        self.assert_idle(bal)

    def test_a_frontend_that_becomes_tcp(self):
        ports, servers = [rig.free_port(), rig.free_port()], [self.server('one'), self.server('two')]
        bal = self.bal(self.two_frontends(ports, servers))
        with web.Client(ports[1]) as client:
            self.assertEqual(client.ask().body, b'two')
            bal.reload(self.two_frontends(ports, servers, frontend={'protocol': 'tcp'}))
            answer = client.ask()
            self.assertEqual((answer.body, answer.get('Connection'), client.is_closed()), (b'two', 'close', True))
        self.assertIsNone(web.ask(ports[1]).get('X-Request-ID'))
        bal.reload(self.two_frontends(ports, servers))
        self.assertIsNotNone(web.ask(ports[1]).get('X-Request-ID'))

    def test_a_broken_file_changes_nothing(self):
        one = self.server('one')
        bal = self.bal(self.config(one))
        with web.Client(self.port) as client:
            self.assertEqual(client.ask().body, b'one')
            bal.write(self.config(one, routes=[{'path': '/x', 'backend': 'nobody'}]))
            self.assertNotEqual(bal.cli('graceful').returncode, 0)
            answer = client.ask()
            self.assertEqual((answer.body, answer.get('Connection')), (b'one', None))


class Drain(Stage):
    def test_resting_connections_go_at_once(self):
        ends = {'one': 0, 'two': 0}

        def server(name):
            barrier, lock = threading.Barrier(4), threading.Lock()

            def respond(s, request):
                if request.nth == 1 and request.target == '/all':
                    with contextlib.suppress(threading.BrokenBarrierError):
                        barrier.wait(10 * rig.SLOW)  # so that there are four connections
                s.sendall(web.response(name))
                if s.recv(1, 2) == b'':  # MSG_PEEK
                    with lock:
                        ends[name] += 1
                    return False
                return True
            return web.Server(self, respond)
        one, two = server('one'), server('two')
        # one worker: each goes round by itself, so two of them may not meet both servers as often
        bal = self.bal(self.config(one, two, settings={'workers': 1}, http={'backend_keep_alive': '5m'}))
        clients = [web.Client(self.port) for _ in range(8)]
        with contextlib.ExitStack() as stack:
            for client in clients:
                stack.enter_context(client)
                client.request('GET', '/all')
            self.assertEqual(sorted(client.answer().body for client in clients), [b'one'] * 4 + [b'two'] * 4)
            self.assertEqual((one.connections, two.connections), (4, 4))
            bal.cli('backend', 'drain', one.address, '--yes', check=0)
            rig.wait_until(lambda: ends['one'] == 4, 'its resting connections to end')
            self.assertEqual(ends['two'], 0)
            for client in clients:
                self.assertEqual(client.ask().body, b'two')
            bal.cli('backend', 'enable', one.address, check=0)
            rig.wait_until(lambda: any(client.ask().body == b'one' for client in clients), 'it to serve again')

    def test_maintenance(self):
        one, two = self.server('one'), self.server('two')
        bal = self.bal(self.config(one, two))
        with web.Client(self.port) as client:
            self.assertEqual({client.ask().body for _ in range(6)}, {b'one', b'two'})
            bal.cli('backend', 'maint', one.address, '--yes', check=0)
            self.assertEqual({client.ask().body for _ in range(6)}, {b'two'})


class Stop(Stage):
    def test_what_is_in_progress_is_finished(self):
        node = web.Node(self)
        bal = self.bal(self.config(node.address))
        with contextlib.ExitStack() as stack:
            idle, slow, drip, late = [stack.enter_context(web.Client(self.port)) for _ in range(4)]
            for client in (idle, slow, drip, late):
                self.assertIsNone(client.ask().get('Connection'))
            slow.request('GET', '/slow?ms=2000')
            drip.request('GET', '/drip?n=20&ms=100')
            drip.until(b'\r\n\r\n')
            late.send('POST /sum HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello')
            rig.wait_until(lambda: node.counts()['requests'] == 7, 'all to be under way')
            bal.kill(signal.SIGTERM)
            self.assertTrue(idle.is_closed())
            with self.assertRaises(OSError):
                web.Client(self.port)
            late.send('world')
            for client in (late, slow):
                answer = client.answer()
                self.assertEqual((answer.status, answer.get('Connection'), client.is_closed()), (200, 'close', True))
            self.assertTrue(drip.chunks()[0].endswith(b'part 19\nend of node\n'))
            self.assertTrue(drip.is_closed())
            self.assertEqual(bal.wait(), 0)

    def test_no_request_is_lost(self):
        """Who asks all the time is told with the last answer that it is the last."""
        bal = self.bal(self.config(self.server('one')))
        ends = []

        def work():
            with web.Client(self.port) as client:
                try:
                    while (answer := client.ask()).get('Connection') != 'close':
                        pass
                    ends.append((answer.status, answer.body, client.is_closed()))
                except OSError as error:
                    ends.append(repr(error))
        threads = [threading.Thread(target=work) for _ in range(16)]
        for thread in threads:
            thread.start()
        time.sleep(0.5)
        bal.kill(signal.SIGTERM)
        for thread in threads:
            thread.join()
        self.assertEqual(bal.wait(), 0)
        self.assertEqual(ends, [(200, b'one', True)] * len(threads))

    def test_who_waits_is_not_waited_for(self):
        """Clients that are silent are closed soon, whatever keep_alive_timeout and drain_timeout say."""
        node = web.Node(self)
        bal = self.bal(self.config(node.address, settings={'drain_timeout': '10m'}, http={'keep_alive_timeout': '1h'}))
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(web.Client(self.port)) for _ in range(10)]
            for client in clients[:5]:
                self.assertEqual(client.ask().status, 200)
            rig.wait_until(lambda: bal.get()['active_connections'] == 10, 'all to be there')
            bal.kill(signal.SIGTERM)
            self.assertEqual([client.is_closed() for client in clients], [True] * 10)
            self.assertEqual(bal.wait(), 0)


class Places(Stage):
    def counting(self, hold_s=0.05):
        """A server that knows how many requests it had at once."""
        server = web.Server(self, None)
        server.now = server.most = 0

        def respond(s, _):
            with server.lock:
                server.now += 1
                server.most = max(server.most, server.now)
            time.sleep(hold_s)
            with server.lock:
                server.now -= 1
            s.sendall(web.response())
            return True
        server.respond = respond
        return server

    def ask_all(self, n, each):
        """n clients at the same time, each with several requests over its connection; the answers."""
        answers, lock = [], threading.Lock()

        def work():
            with web.Client(self.port, 60) as client:
                for _ in range(each):
                    answer = client.ask()
                    with lock:
                        answers.append(answer)
        threads = [threading.Thread(target=work) for _ in range(n)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(answers), n * each)
        return answers

    def test_a_limit_holds_for_requests(self):
        servers = [self.counting(), self.counting()]
        bal = self.bal(self.config(*[(server.address, {'max_connections': 3}) for server in servers],
                                   settings={'workers': 4},
                                   frontend={'overload_policy': 'queue', 'queue_timeout': '50s'}))
        with contextlib.ExitStack() as stack:
            idle = [stack.enter_context(web.Client(self.port)) for _ in range(20)]
            for client in idle:  # between two requests they hold no place at a backend
                self.assertEqual(client.ask().status, 200)
            self.assertEqual({answer.status for answer in self.ask_all(24, 5)}, {200})
        self.assertEqual([server.most for server in servers], [3, 3])
        self.assert_idle(bal)
        self.assertEqual([b['active_connections'] for b in bal.get()['backends']], [0, 0])

    def test_the_queue_ends(self):
        server = self.counting(hold_s=3 * rig.SLOW)
        bal = self.bal(self.config((server.address, {'max_connections': 1}),
                                   frontend={'overload_policy': 'queue', 'queue_timeout': '300ms'}))
        with web.Client(self.port) as first, web.Client(self.port) as second:
            first.request()
            rig.wait_until(lambda: server.now == 1, 'the first to be there')
            start = time.monotonic()
            answer = second.ask()
            self.assertGreater(time.monotonic() - start, 0.25)
            self.assertEqual((answer.status, answer.get('Connection')), (503, None))
            self.assertGreaterEqual(int(answer.get('Retry-After')), 1)
            self.assertEqual(first.answer().status, 200)
            self.assertEqual(second.ask().status, 200)  # its connection lives on
        self.assert_idle(bal)
        self.assert_sessions_balance(bal)

    def test_a_full_pool_rejects(self):
        server = self.counting(hold_s=2 * rig.SLOW)
        bal = self.bal(self.config((server.address, {'max_connections': 1})))
        with web.Client(self.port) as first, web.Client(self.port) as second:
            first.request()
            rig.wait_until(lambda: server.now == 1, 'the first to be there')
            answer = second.ask('POST', body=b'some bytes')
            self.assertEqual((answer.status, answer.get('Connection'), bool(answer.get('Retry-After'))), (503, None, True))
            self.assertEqual(first.answer().status, 200)
            self.assertEqual(second.ask().status, 200)
        self.assertEqual(len(server.requests), 2)
        self.assert_idle(bal)

    def test_too_many_clients(self):
        node = web.Node(self)
        bal = self.bal(self.config(node.address, frontend={'max_connections': 2}))
        with contextlib.ExitStack() as stack:
            held = [stack.enter_context(web.Client(self.port)) for _ in range(2)]
            for client in held:  # busy: the slot of an idle client would go to the next one
                client.request('GET', '/slow?ms=2000')
            rig.wait_until(lambda: node.counts()['requests'] == 2, 'both to be there')
            for _ in range(3):
                with web.Client(self.port) as client:
                    answer = client.ask()
                    self.assertEqual((answer.status, answer.get('Connection'), bool(answer.get('Retry-After'))),
                                     (503, 'close', True))
                    self.assertIsNotNone(answer.get('X-Request-ID'))
                    self.assertTrue(client.is_closed())
            # counted when the connection has gone, which is after its end was seen here
            rig.wait_until(lambda: bal.status()['rejected_total'] == 3, 'all of them to be counted')
            self.assertEqual([client.answer().status for client in held], [200, 200])
            held[0].close()
            rig.wait_until(lambda: bal.get()['active_connections'] == 1, 'a slot')
            self.assertEqual(web.ask(self.port).status, 200)
        self.assert_idle(bal)
        self.assert_sessions_balance(bal)

    def test_clients_wait_for_a_place(self):
        node = web.Node(self)
        bal = self.bal(self.config(node.address, frontend={
            'max_connections': 2, 'overload_policy': 'queue', 'queue_timeout': '20s'}))
        with contextlib.ExitStack() as stack:
            held = [stack.enter_context(web.Client(self.port)) for _ in range(2)]
            for client in held:
                client.request('GET', '/slow?ms=60000')
            rig.wait_until(lambda: node.counts()['requests'] == 2, 'both to be there')
            late = stack.enter_context(web.Client(self.port))
            late.request()
            rig.wait_until(lambda: bal.get()['frontends'][0]['waiting'] == 1, 'one who waits')
            held[0].close()
            self.assertEqual(late.answer().status, 200)
            self.assertEqual(late.ask().status, 200)
        self.assert_idle(bal)
        self.assert_sessions_balance(bal)

    def test_an_idle_client_makes_room(self):
        """At the limit the client that has been silent the longest is closed for a new one."""
        node = web.Node(self)
        for policy in ('reject', 'queue'):
            port = rig.free_port()
            bal = self.bal(rig.document(rig.pool('web', port, [node.address], health_check={'type': 'none'}, frontend={
                'protocol': 'http', 'max_connections': 3, 'overload_policy': policy, 'queue_timeout': '20s'}), workers=2))
            with contextlib.ExitStack() as stack:
                first, second, busy = (stack.enter_context(web.Client(port)) for _ in range(3))
                self.assertEqual(first.ask().status, 200)
                self.assertEqual(second.ask().status, 200)
                before = node.counts()['requests']
                busy.request('GET', '/slow?ms=3000')
                rig.wait_until(lambda: node.counts()['requests'] > before, 'it to be there')
                time.sleep(0.4)  # that long they are silent
                late = [stack.enter_context(web.Client(port)) for _ in range(2)]
                self.assertEqual([client.ask().status for client in late], [200, 200])
                self.assertTrue(first.is_closed())
                self.assertTrue(second.is_closed())
                self.assertEqual(busy.answer().status, 200)
                self.assertEqual(bal.status()['rejected_total'], 0)
                self.assertEqual(bal.get()['closed']['idle'], 2)
            self.assert_idle(bal)
            self.assert_sessions_balance(bal)


if __name__ == '__main__':
    rig.main()
