#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Which backends of protocol http get requests: checks of type http, and what requests themselves tell."""

import contextlib
import time

import rig
import web

CHECK = {'type': 'http', 'path': '/health', 'interval': '100ms', 'timeout': '2s', 'unhealthy_threshold': 2,
         'healthy_threshold': 1}


class Health(rig.FlowTest):
    def setUp(self):
        super().setUp()
        self.port = rig.free_port()

    def server(self, name):
        """Answers with its name; health and status are what it answers to checks and to all others; None:
        it hangs up."""
        server = web.Server(self, None)
        server.name, server.health, server.status = name, 200, 200

        def respond(s, request):
            status = server.health if request.target == '/health' else server.status
            if status is None:
                return False
            s.sendall(web.response(name, status=status))
            return True
        server.respond = respond
        return server

    def run_bal(self, *servers, check=None, **more):
        return self.bal(web.config(self.port, [server.address for server in servers],
                                   health_check={**CHECK, **(check or {})}, **more))

    def names(self, n=8):
        with web.Client(self.port) as client:
            return [client.ask().body.decode() for _ in range(n)]

    def test_a_check_takes_it_out_and_in(self):
        one, two = self.server('one'), self.server('two')
        bal = self.run_bal(one, two)
        self.assertEqual(set(self.names()), {'one', 'two'})
        one.health = 503
        bal.wait_state(one.address, 'down')
        self.assertEqual(set(self.names()), {'two'})
        self.assertIn('503', bal.backend(one.address)['reason_text'])
        one.health = 200
        bal.wait_state(one.address, 'up')
        rig.wait_until(lambda: 'one' in self.names(), 'it to serve again')
        self.assertEqual({request.method for request in one.requests if request.target == '/health'}, {'GET'})

    def test_a_backend_that_goes_down_keeps_its_requests(self):
        node, two = web.Node(self), self.server('two')
        node_status = f'127.0.0.1:{node.port}'
        alone = {'workers': 1}  # each has a turn of its own
        bal = self.bal(web.config(self.port, [node_status, two.address], alone,
                                  health_check={**CHECK, 'path': '/status/404', 'expected_status': [404, 200]}))
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(web.Client(self.port)) for _ in range(4)]
            for client in clients:
                client.request('GET', '/drip?n=20&ms=100')
            for client in clients:
                client.until(b'\r\n\r\n')
            bal.reload(web.config(self.port, [node_status, two.address], alone,
                                  health_check={**CHECK, 'path': '/status/404', 'expected_status': 200}))
            bal.wait_state(node_status, 'down')
            answers = []
            for client in clients:
                if client.pending.startswith(b'two'):
                    answers.append('two')
                else:
                    self.assertTrue(client.chunks()[0].endswith(b'part 19\nend of node\n'))
                    answers.append('node')
            self.assertEqual(sorted(answers), ['node', 'node', 'two', 'two'])
            self.assertEqual(set(self.names()), {'two'})

    def test_its_resting_connections_go(self):
        """What a backend that is down still keeps open is closed, and not used when it is up again."""
        one, two = self.server('one'), self.server('two')
        bal = self.run_bal(one, two, http={'backend_keep_alive': '1h'}, settings={'workers': 1})
        self.assertEqual(set(self.names()), {'one', 'two'})
        last = max(request.connection for request in one.requests if request.target == '/')
        one.health = 500
        bal.wait_state(one.address, 'down')
        self.assertEqual(set(self.names()), {'two'})
        one.health = 200
        bal.wait_state(one.address, 'up')
        with one.lock:
            one.requests.clear()
        rig.wait_until(lambda: 'one' in self.names(), 'it to serve again')
        self.assertGreater(min(request.connection for request in one.requests if request.target == '/'), last)

    def test_all_are_down(self):
        """The last hope is asked all the same; and when nobody is there, it is a 503."""
        one = self.server('one')
        bal = self.run_bal(one)
        one.health = 500
        bal.wait_state(one.address, 'down')
        statuses = {web.ask(self.port).status for _ in range(3)}
        self.assertLessEqual(statuses, {200, 503})
        one.health = 200
        bal.wait_state(one.address, 'up')
        rig.wait_until(lambda: web.ask(self.port).status == 200, 'it to serve')

    def test_passive_statuses(self):
        """The check is content, but its answers are not: another one takes over, and it is tried again."""
        one, two = self.server('one'), self.server('two')
        bal = self.run_bal(one, two, check={'passive': True, 'interval': '300ms', 'unhealthy_threshold': 3},
                           failover={'cooldown': '500ms'})
        self.assertEqual(set(self.names()), {'one', 'two'})
        one.status = 500
        answers = [web.ask(self.port).status for _ in range(40)]
        bad = answers.count(500)
        self.assertGreaterEqual(bad, 5)
        self.assertLess(bad, 14, 'of 20 that it would have got')
        self.assertEqual({f['fields']['backend'] for f in bal.log_wait('backend_state')}, {one.address})
        one.status = 200
        rig.wait_until(lambda: self.names(20).count('one') == 10, 'it to get its share again')

    def test_without_passive_statuses_do_not_count(self):
        one, two = self.server('one'), self.server('two')
        bal = self.run_bal(one, two)
        one.status = 500
        answers = [web.ask(self.port).status for _ in range(40)]
        self.assertAlmostEqual(answers.count(500), 20, delta=4)  # each worker takes turns by itself
        self.assertEqual(bal.state(one.address), 'up')

    def test_passive_connections_that_break(self):
        one, two = self.server('one'), self.server('two')
        bal = self.run_bal(one, two, check={'passive': True}, failover={'cooldown': '1s'})
        one.status = None
        answers = [web.ask(self.port) for _ in range(40)]  # sent again elsewhere
        self.assertEqual({answer.body for answer in answers}, {b'two'})
        self.assertLess(one.count('/'), 20, 'it is not asked each time')
        bal.log_wait('backend_state')

    def test_the_last_one_is_never_taken_out(self):
        one = self.server('one')
        bal = self.run_bal(one, check={'passive': True})
        one.status = 500
        self.assertEqual({web.ask(self.port).status for _ in range(30)}, {500})
        one.status = 200
        self.assertEqual(self.names(3), ['one'] * 3)
        self.assertEqual(bal.state(one.address), 'up')

    def test_statuses_that_say_nothing_of_health(self):
        one, two = self.server('one'), self.server('two')
        bal = self.run_bal(one, two, check={'passive': True})
        for status in (404, 429, 501, 505):
            one.status = status
            answers = [web.ask(self.port).status for _ in range(24)]
            self.assertAlmostEqual(answers.count(status), 12, delta=4)
        self.assertEqual(bal.state(one.address), 'up')
        self.assertEqual(bal.events('backend_state'), [])

    def test_a_dead_backend_costs_nobody_an_answer(self):
        one, two = web.Node(self, 'one'), web.Node(self, 'two')
        bal = self.bal(web.config(self.port, [one.address, two.address], health_check={**CHECK, 'path': '/'}))
        with web.Client(self.port) as client:
            self.assertEqual({client.ask().json()['backend'] for _ in range(4)}, {'one', 'two'})
            one.end(9)
            start = time.monotonic()
            for _ in range(20):
                self.assertEqual(client.ask().json()['backend'], 'two')
            self.assertLess(time.monotonic() - start, 10 * rig.SLOW)
            bal.wait_state(one.address, 'down')
            back = web.Node(self, 'back', port=one.port)
            bal.wait_state(back.address, 'up')
            rig.wait_until(lambda: client.ask().json()['backend'] == 'back', 'it to serve')


if __name__ == '__main__':
    rig.main()
