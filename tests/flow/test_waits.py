#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Clients that wait, for a slot, a full backend or any backend, are seen in every view."""

import contextlib
import json
import os
import re
import socket
import time

import rig
import web

NO_CHECKS = {'type': 'none'}


def metrics(bal):
    """The samples of bal metrics: name and labels -> value."""
    text = bal.cli('metrics', check=0).stdout
    return {key: float(value) for key, value in re.findall(r'^([^#\s]\S*) (\S+)$', text, re.M)}


class Waits(rig.FlowTest):
    def bal(self, servers, protocol='tcp', frontend=None, **keys):
        self.port = rig.free_port()
        if protocol == 'http':
            frontend = {'http': {'access_log': 'all'}, **(frontend or {})}
        return super().bal(rig.document(rig.pool(
            'web', self.port, servers, frontend={'name': 'front', 'protocol': protocol, **(frontend or {})},
            **{'health_check': NO_CHECKS, **keys}), log_level='debug'))

    def client(self):
        client = web.Client(self.port)
        self.addCleanup(client.close)
        client.request('GET', '/', ['Connection: close'])
        return client

    def statuses(self, *clients):
        """What they are answered, each until its end."""
        found = set()
        for client in clients:
            found.add(client.answer().status)
            client.close()
        return found

    def wait_for(self, bal, **waiting):
        rig.wait_until(lambda: {k: n for k, n in bal.get()['frontends'][0]['waiting_for'].items() if n} == waiting,
                       f'{waiting} that wait')

    def look(self, bal):
        done = bal.cli('doctor', '--json', '--only', 'waiting')
        return json.loads(done.stdout)['checks'][0]

    def ended(self, bal, n):
        """The fields of the last records of n sessions or requests."""
        event = 'http_request' if bal.get()['frontends'][0]['protocol'] == 'http' else 'session_closed'
        return [record['fields'] for record in bal.log_wait(event, n)]

    def calm(self, bal):
        """Nobody waits any more: the gauges are back."""
        rig.wait_until(lambda: bal.get()['active_connections'] == 0, 'the last to end')
        frontend, pool = bal.get()['frontends'][0], bal.get()['pools'][0]
        self.assertEqual((frontend['waiting'], set(frontend['waiting_for'].values()), pool['holding']), (0, {0}, 0))
        self.assertNotIn('waiting', bal.cli('status', check=0).stdout)
        self.assertEqual(self.look(bal)['level'], 'ok')
        self.assert_sessions_balance(bal)


class Hold(Waits):
    def test_every_view(self):
        """Clients come while the only backend is away, and are served when it is back."""
        for protocol in ('tcp', 'http'):
            with self.subTest(protocol=protocol):
                door = self.door()
                bal = self.bal([door.address], protocol, hold='60s')
                door.close()
                clients = [self.client() for _ in range(12)]
                self.wait_for(bal, backend_down=12)
                text = '12 clients wait for a backend of pool web: none can take them now'

                doc = bal.get()
                self.assertEqual((doc['verdict'], doc['pools'][0]['holding'], doc['pools'][0]['held_total']), ('WARN', 12, 12))
                self.assertEqual(doc['frontends'][0]['waiting'], 12)
                self.assertIn(f'  waiting      {text}\n', bal.cli('status', check=0).stdout)
                self.assertIn(' held=12', bal.cli('status', '--brief', check=0).stdout)
                check = self.look(bal)
                self.assertEqual((check['level'], check['summary'], check['what_happened']),
                                 ('warn', text, 'pool web: 12 wait now; 12 have waited so far, 0 of them in vain'))
                self.assertIn('are down', check['why_likely'])
                self.assertIn('bal doctor --only backend', check['do_this_now'])
                m = metrics(bal)
                self.assertEqual(m['bal_frontend_waiting{frontend="front",for="backend_down"}'], 12)
                self.assertEqual(m['bal_pool_holding{pool="web"}'], 12)
                began = bal.log_wait('hold_began')[0]
                self.assertEqual((began['level'], began['fields']),
                                 ('WARN', {'pool': 'web', 'clients': began['fields']['clients'], 'hold_ms': 60000}))

                door.open()
                self.assertEqual(self.statuses(*clients), {200})
                over = bal.log_wait('hold_ended')[0]
                self.assertEqual((over['level'], over['fields']['clients'], over['fields']['in_vain']), ('INFO', 12, 0))
                longest = over['fields']['longest_ms']
                self.assertGreater(longest, 0)
                self.assertEqual(len(bal.events('hold_began')), 1)
                waited = [fields['queue_ms'] for fields in self.ended(bal, 12)]
                self.assertGreater(min(waited), 0)
                self.assertLessEqual(abs(max(waited) - longest), 5)
                self.calm(bal)
                m, frontend = metrics(bal), bal.get()['frontends'][0]
                name = 'bal_frontend_wait_duration_seconds'
                self.assertEqual(m[f'{name}_count{{frontend="front"}}'], 12)
                self.assertAlmostEqual(m[f'{name}_sum{{frontend="front"}}'], sum(waited) / 1000, delta=0.06)
                self.assertEqual(m['bal_pool_held_total{pool="web"}'], 12)
                self.assertEqual(m['bal_pool_held_in_vain_total{pool="web"}'], 0)
                self.assertEqual((frontend['waited_total'], set(frontend['waited_in_vain'].values())), (12, {0}))

    def test_in_vain(self):
        """Hold is over for some, and some leave before."""
        for protocol in ('tcp', 'http'):
            with self.subTest(protocol=protocol):
                bal = self.bal([f'127.0.0.1:{rig.free_port()}'], protocol, hold='700ms')
                leaves, stays = [self.client() for _ in range(2)], [self.client() for _ in range(3)]
                self.wait_for(bal, backend_down=5)
                time.sleep(0.05)  # of their wait
                for client in leaves:
                    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'\1\0\0\0\0\0\0\0')
                    client.close()
                for client in stays:
                    if protocol == 'http':
                        self.assertEqual(client.answer().status, 503)
                    self.assertTrue(client.is_closed())
                fields = self.ended(bal, 5)
                if protocol == 'http':
                    waited = {status: [f['queue_ms'] for f in fields if f['status'] == status] for status in (499, 503)}
                    self.assertEqual((len(waited[499]), len(waited[503])), (2, 3))
                    self.assertGreaterEqual(min(waited[503]), 700)
                    self.assertGreater(min(waited[499]), 0)
                else:
                    self.assertEqual(len([f for f in fields if f['queue_ms'] >= 700]), 3)
                self.calm(bal)
                frontend, pool = bal.get()['frontends'][0], bal.get()['pools'][0]
                self.assertEqual(frontend['waited_in_vain'],
                                 {'queue_timeout': 0, 'hold_timeout': 3, 'client_left': 2, 'other': 0})
                self.assertEqual((frontend['waited_total'], pool['held_total'], pool['held_in_vain_total']), (0, 5, 5))
                m = metrics(bal)
                self.assertEqual(m['bal_frontend_waits_failed_total{frontend="front",reason="hold_timeout"}'], 3)
                self.assertEqual(m['bal_frontend_waits_failed_total{frontend="front",reason="client_left"}'], 2)
                self.assertEqual(bal.log_wait('hold_ended')[0]['fields']['in_vain'], 5)

    def test_while_a_backend_is_tried(self):
        """A client that is held counts as such also while it tries a backend, which has no answer yet."""
        path, full = os.path.join(self.dir, 'backend.sock'), os.path.join(self.dir, 'full.sock')
        bal = self.bal([f'unix:{path}'], hold='60s')
        client = self.client()
        self.wait_for(bal, backend_down=1)
        with contextlib.ExitStack() as stack:
            listener = stack.enter_context(socket.socket(socket.AF_UNIX))
            listener.bind(full)
            listener.listen(0)
            stack.enter_context(rig.connect(f'unix:{full}'))
            os.rename(full, path)  # from now on a connect finds the queue full, and is made again and again

            def tried():
                status = bal.get()
                return status['frontends'][0]['waiting'] == 0 and status['pools'][0]['holding'] == 1
            rig.wait_until(tried, 'it to try the backend, and to be held')
            listener.accept()[0].close()
            listener.settimeout(10 * rig.SLOW)
            server = stack.enter_context(listener.accept()[0])
            rig.wait_until(lambda: bal.get()['pools'][0]['holding'] == 0, 'it to be served')
            self.assertEqual(len(bal.log_wait('hold_ended')), 1)
            client.close()
            server.recv(4096)
        self.calm(bal)

    def test_the_next_request_has_not_waited(self):
        """On the same connection, after one that waited in vain."""
        bal = self.bal([f'127.0.0.1:{rig.free_port()}'], 'http', hold='300ms',
                       frontend={'routes': [{'path': '/no', 'respond': {'status': 403}}]})
        with contextlib.closing(web.Client(self.port)) as client:
            self.assertEqual([client.ask(target=target).status for target in ('/', '/no')], [503, 403])
        first, second = self.ended(bal, 2)
        self.assertGreaterEqual(first['queue_ms'], 300)
        self.assertEqual(second['queue_ms'], 0)
        self.calm(bal)

    def test_none_that_is_served_at_once(self):
        """Who does not wait is in no count, and queue_ms says so."""
        for protocol in ('tcp', 'http'):
            door = self.door()
            bal = self.bal([door.address], protocol)
            self.assertEqual(self.statuses(self.client()), {200})
            self.assertEqual(self.ended(bal, 1)[0]['queue_ms'], 0)
            frontend = bal.get()['frontends'][0]
            self.assertEqual((frontend['waited_total'], bal.get()['pools'][0]['held_total']), (0, 0))
            self.calm(bal)
            self.assertEqual(bal.events('hold_began'), [])


class Queue(Waits):
    QUEUE = {'overload_policy': 'queue', 'queue_timeout': '60s'}

    def test_for_a_slot(self):
        for protocol in ('tcp', 'http'):
            with self.subTest(protocol=protocol), contextlib.ExitStack() as stack:
                door = self.door()
                door.status['/slow'] = None
                bal = self.bal([door.address], protocol, {**self.QUEUE, 'max_connections': 1})
                first = stack.enter_context(contextlib.closing(web.Client(self.port)))
                first.request('GET', '/slow')
                rig.wait_until(lambda: door.asked('/slow'), 'the first to be served')
                clients = [self.client() for _ in range(3)]
                self.wait_for(bal, slot=3)
                self.assertEqual(bal.get()['verdict'], 'OK')
                self.assertIn('  waiting      3 for a slot   0 for a full backend\n', bal.cli('status', check=0).stdout)
                self.assertEqual(self.look(bal)['summary'], '3 clients wait for a slot, 0 for a full backend')
                first.close()
                self.assertEqual(self.statuses(*clients), {200})
                self.calm(bal)
                self.assertEqual(bal.get()['frontends'][0]['waited_total'], 3)
                self.assertEqual(metrics(bal)['bal_frontend_wait_duration_seconds_count{frontend="front"}'], 3)
                self.assertEqual(bal.events('hold_began'), [])

    def test_for_a_full_backend(self):
        for protocol in ('tcp', 'http'):
            with self.subTest(protocol=protocol), contextlib.ExitStack() as stack:
                door = self.door()
                door.status['/slow'] = None
                bal = self.bal([(door.address, {'max_connections': 1})], protocol, {**self.QUEUE, 'queue_timeout': '1s'})
                first = stack.enter_context(contextlib.closing(web.Client(self.port)))
                first.request('GET', '/slow')
                rig.wait_until(lambda: door.asked('/slow'), 'the first to be served')
                in_vain = self.client()
                self.wait_for(bal, backend_full=1)
                self.assertIn('  waiting      0 for a slot   1 for a full backend\n', bal.cli('status', check=0).stdout)
                if protocol == 'http':
                    self.assertEqual(in_vain.answer().status, 503)
                self.assertTrue(in_vain.is_closed())
                self.assertGreaterEqual(self.ended(bal, 1)[0]['queue_ms'], 1000)
                client = self.client()
                self.wait_for(bal, backend_full=1)
                first.close()
                self.assertEqual(self.statuses(client), {200})
                self.calm(bal)
                frontend = bal.get()['frontends'][0]
                self.assertEqual((frontend['waited_total'], frontend['waited_in_vain']['queue_timeout']), (1, 1))
                self.assertEqual(bal.get()['pools'][0]['held_total'], 0)


if __name__ == '__main__':
    rig.main()
