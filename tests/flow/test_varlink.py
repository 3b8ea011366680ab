#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The control sockets of the real daemon: what it says is what its interface definitions say."""

import contextlib
import json
import os
import socket
import time

import rig
from varlink_client import Client, Gone
from varlink_idl import Interface

SERVICE, STATUS, ADMIN = 'org.varlink.service', 'io.bal.Status', 'io.bal.Admin'


class Varlink(rig.FlowTest):
    def start_bal(self, *backends, head=''):
        self.port = rig.free_port()
        bal = self.bal(rig.simple(self.port, list(backends), head))
        self.status, self.admin = (os.path.join(bal.run, name) for name in ('status.sock', 'admin.sock'))
        return bal

    def client(self, path):
        c = Client(path, 10 * rig.SLOW)
        self.addCleanup(c.close)
        return c

    def idl(self, client, name):
        """The definition as the daemon hands it out; it must be one, and of that interface."""
        answer, error = client.call(f'{SERVICE}.GetInterfaceDescription', {'interface': name})
        self.assertIsNone(error)
        idl = Interface(answer['description'])
        self.assertEqual(idl.name, name)
        return idl

    def check(self, client, idl, method, parameters=None):
        answer, error = client.call(f'{idl.name}.{method}', parameters)
        if error:
            self.assertTrue(error.startswith(f'{idl.name}.'), error)
            self.assertEqual(idl.check_error(error.rpartition('.')[2], answer), [])
        else:
            self.assertEqual(idl.check_reply(method, answer), [])
        return answer, error

    def test_describes_itself(self):
        self.start_bal(self.backend('one').address)
        for path, names in ((self.status, [SERVICE, STATUS]), (self.admin, [SERVICE, STATUS, ADMIN])):
            c = self.client(path)
            answer, error = self.check(c, self.idl(c, SERVICE), 'GetInfo')
            self.assertEqual((error, answer['interfaces']), (None, names))
            for name in names:
                with open(f'{rig.SOURCE}/include/bal/{name}.varlink', encoding='ascii') as f:
                    text = f.read()
                said = c.call(f'{SERVICE}.GetInterfaceDescription', {'interface': name})
                self.assertEqual(said, ({'description': text}, None))

    def test_every_announced_method_exists(self):
        """Whatever the definitions name, the daemon knows; parameters of ours it refuses."""
        self.start_bal(self.backend('one').address)
        c = self.client(self.admin)
        for name in (SERVICE, STATUS, ADMIN):
            for method in self.idl(c, name).methods:
                answer, error = c.call(f'{name}.{method}', {'nobody_has_this': 1})
                self.assertEqual((answer, error),
                                 ({'parameter': 'nobody_has_this'}, f'{SERVICE}.InvalidParameter'))

    def test_every_method_in_every_way(self):
        """With more and without, parameters absent, null and {}: the same answer, or the same refusal."""
        bal = self.start_bal(self.backend('one').address)
        admin = self.client(self.admin)
        idls = [self.idl(admin, name) for name in (SERVICE, STATUS, ADMIN)]
        calls = [(idl, method) for idl in idls for method in idl.methods if method != 'Stop']
        for idl, method in calls + [(idls[2], 'Stop')]:
            seen = set()
            for more in (False, True):
                for how in ({}, {'parameters': None}, {'parameters': {}}):
                    c = self.client(self.admin)
                    call = {'method': f'{idl.name}.{method}', 'more': more, **how}
                    c.send_bytes(json.dumps(call).encode() + b'\0')
                    reply = c.receive()
                    if 'error' not in reply:
                        self.assertEqual(idl.check_reply(method, reply['parameters']), [], call)
                    goes_on = more and method in ('Subscribe', 'GetEvents')
                    self.assertEqual(reply.get('continues', False), goes_on, call)
                    seen.add(reply.get('error'))
                    c.close()
                    if method == 'Stop':
                        return bal.wait()
            self.assertEqual(len(seen), 1, (method, seen))

    def test_status_document(self):
        """Idle, in use, and with a backend that refuses: the document keeps to its types."""
        gone = f'127.0.0.1:{rig.free_port()}'
        self.start_bal(self.backend('one').address, gone, head='health_check: { interval: 60s }')  # none takes it down
        c = self.client(self.status)
        idl = self.idl(c, STATUS)
        before, error = self.check(c, idl, 'Get')
        self.assertIsNone(error)
        for _ in range(4):
            self.assertEqual(rig.get(self.port), 'one')
        after = rig.wait_until(lambda: self.settled(c, idl, before['connections_total'] + 4), 'four sessions to end')
        self.assertEqual(after['backends'][1]['address'], gone)
        self.assertEqual(after['backends'][1]['state'], 'cool')
        self.assertFalse(after['backends'][1]['reachable'])
        self.assertGreater(after['backends'][1]['counters']['refused'], 0)
        self.assertEqual(after['port'], self.port)
        self.assertEqual(sum(after['closed'].values()), after['connections_total'])

    def settled(self, c, idl, total):
        answer = self.check(c, idl, 'Get')[0]
        return answer if answer['connections_total'] == total and answer['active_connections'] == 0 else None

    def test_reload(self):
        one, two = self.backend('one'), self.backend('two')
        bal = self.start_bal(one.address)
        c = self.client(self.admin)
        idl = self.idl(c, ADMIN)

        bal.write(rig.simple(self.port, [one.address, two.address]))
        answer, error = self.check(c, idl, 'Reload')
        self.assertIsNone(error)
        self.assertEqual((answer['config_number'], answer['changed']), (2, True))

        bal.write(f'port: {self.port}\nbackend: []\nprot: 1\n')
        answer, error = self.check(c, idl, 'Reload')
        self.assertEqual(error, f'{ADMIN}.ConfigInvalid')
        self.assertEqual(len(answer['errors']), len([d for d in answer['diagnostics'] if d['severity'] == 'error']))
        self.assertGreaterEqual(len(answer['errors']), 2)

        self.assertEqual({rig.get(self.port) for _ in range(4)}, {'one', 'two'})
        self.assertEqual(c.call(f'{STATUS}.Get')[0]['config_number'], 2)

        calls = [(r['fields']['method'], r['fields']['uid']) for r in bal.events('admin_call')]
        self.assertEqual(calls, [(f'{ADMIN}.Reload', os.getuid())] * 2)

    def test_readers_may_not_change(self):
        self.start_bal(self.backend('one').address)
        c = self.client(self.status)
        for method in ('Stop', 'Reload', 'Nonsense'):
            self.assertEqual(c.call(f'{ADMIN}.{method}'), ({'interface': ADMIN}, f'{SERVICE}.InterfaceNotFound'))
        self.assertEqual(rig.get(self.port), 'one')
        for path in (self.status, self.admin):
            self.assertEqual(os.stat(path).st_mode & 0o7777 & ~0o660, 0)

    def test_stop_ends_with_the_process(self):
        bal = self.start_bal(self.backend('one').address)
        c = self.client(self.admin)
        answer, error = self.check(c, self.idl(c, ADMIN), 'Stop')
        self.assertIsNone(error)
        self.assertEqual(answer['pid'], bal.pid)
        c.wait_closed()
        self.assertEqual(bal.wait(), 0)
        self.assertFalse(os.path.exists(self.status) or os.path.exists(self.admin))

    def more(self, c, idl, method, parameters=None):
        """The answers to a call with more, one after the other; each is what the definition says."""
        c.send(f'{idl.name}.{method}', parameters, more=True)
        while True:
            reply = c.receive()
            self.assertEqual((reply.get('error'), reply.get('continues')), (None, True))
            self.assertEqual(idl.check_reply(method, reply['parameters']), [])
            yield reply['parameters']

    def test_subscribe(self):
        bal = self.start_bal(self.backend('one').address)
        c = self.client(self.status)
        idl = self.idl(c, STATUS)
        answers = self.more(c, idl, 'Subscribe', {'interval_ms': 100})
        before = next(answers)['connections_total']
        rig.get(self.port)
        while next(answers)['connections_total'] == before:
            pass
        self.assertIsNone(self.check(self.client(self.status), idl, 'Subscribe')[1])  # without more: once
        for wrong in (99, 3600001, -1, 'x', 1.5, True):
            self.assertEqual(self.client(self.status).call(f'{STATUS}.Subscribe', {'interval_ms': wrong}),
                             ({'parameter': 'interval_ms'}, f'{SERVICE}.InvalidParameter'))
        c.close()
        self.assertEqual(rig.get(self.port), 'one')
        bal.call('Get')

    def test_subscribers_that_never_read(self):
        """They are dropped, cost nothing until then, and leave nothing behind."""
        bal = self.start_bal(*(f'127.0.0.1:{rig.free_port()}' for _ in range(200)),
                             head='health_check: {type: none}\n')  # checks have descriptors, too
        fds = bal.fds()
        crowd = [self.client(self.status) for _ in range(60)]
        for c in crowd:
            c.send(f'{STATUS}.Subscribe', {'interval_ms': 100}, more=True)
        rig.wait_until(lambda: bal.fds() > fds + len(crowd) // 2, 'the readers to be in')
        rig.wait_until(lambda: bal.fds() <= fds, 'the idle readers to be dropped', 15 * rig.SLOW)
        self.assertIsNone(self.client(self.status).call(f'{STATUS}.Get')[1])

    def test_history(self):
        """Sessions of a second or two ago are in the newest cells, and of the backend that had them."""
        one, gone = self.backend('one').address, f'127.0.0.1:{rig.free_port()}'
        self.start_bal(one, gone, head='health_check: {type: none}\n')
        c = self.client(self.status)
        idl = self.idl(c, STATUS)
        time.sleep(1.2)
        for _ in range(20):
            rig.get(self.port)

        def seen():
            answer = self.check(c, idl, 'GetHistory', {'pool': 'main', 'cells': 3})[0]
            return answer if sum(answer['total']['opened']) >= 20 else None
        answer = rig.wait_until(seen, 'the sessions to be history')
        backends = {b['name']: b for b in answer['backends']}
        self.assertEqual(sum(answer['total']['opened']), 20)
        self.assertEqual(sum(backends[one]['opened']), 20)
        self.assertGreater(sum(backends[gone]['failed']), 0)
        self.assertEqual(sum(backends[one]['failed']), 0)
        self.assertEqual(c.call(f'{STATUS}.GetHistory', {'backend': 'x:1'}),
                         ({'pool': None, 'backend': 'x:1'}, f'{STATUS}.NoSuchBackend'))
        for name, wrong in (('cells', 0), ('cells', 121), ('cells', 'x'), ('pool', 1), ('backend', [])):
            self.assertEqual(c.call(f'{STATUS}.GetHistory', {name: wrong}),
                             ({'parameter': name}, f'{SERVICE}.InvalidParameter'))

    def test_events(self):
        bal = self.start_bal(self.backend('one').address)
        c = self.client(self.status)
        idl = self.idl(c, STATUS)
        first = self.check(c, idl, 'GetEvents', {'event': 'daemon_ready'})[0]
        self.assertEqual([e['event'] for e in first['events']], ['daemon_ready'])
        self.assertEqual(len(self.check(c, idl, 'GetEvents', {'limit': 2})[0]['events']), 2)
        self.assertEqual(self.check(c, idl, 'GetEvents', {'limit': 0})[0]['events'], [])
        self.assertEqual(self.check(c, idl, 'GetEvents', {'level': 'error'})[0]['events'], [])
        for name, wrong in (('level', 'loud'), ('level', 1), ('event', 1), ('limit', -1), ('limit', 513)):
            self.assertEqual(c.call(f'{STATUS}.GetEvents', {name: wrong}),
                             ({'parameter': name}, f'{SERVICE}.InvalidParameter'))

        answers = self.more(c, idl, 'GetEvents', {'event': 'admin_call', 'limit': 0})
        self.assertEqual(next(answers), {'events': [], 'missed': 0})
        bal.reload()
        record = next(answers)['events'][0]
        self.assertEqual(record['fields']['method'], f'{ADMIN}.Reload')
        self.assertGreater(record['number'], first['events'][0]['number'])

    def test_sessions(self):
        """Who is connected, and closing one of them."""
        self.start_bal(self.echo().address)
        held = [rig.connect(self.port) for _ in range(5)]
        for i, s in enumerate(held):
            self.addCleanup(s.close)
            s.sendall(b'x' * (i + 1))
            rig.read_exactly(s, i + 1)
        c = self.client(self.admin)
        status, admin = self.idl(c, STATUS), self.idl(c, ADMIN)
        answer = self.check(c, status, 'GetSessions', {'sort': 'bytes', 'limit': 3})[0]
        self.assertEqual((answer['matched'], answer['total']), (5, 5))
        self.assertEqual([s['bytes_in'] for s in answer['sessions']], [5, 4, 3])
        most = answer['sessions'][0]
        self.assertGreater(min(s['id'] for s in self.check(c, status, 'GetSessions')[0]['sessions']), 0)
        self.assertEqual(most['client'], '127.0.0.1:%d' % held[4].getsockname()[1])
        self.assertEqual((most['state'], most['frontend']), ('relay', 'main'))
        self.assertGreater(most['client_leg']['rtt_us'], 0)
        self.assertGreater(most['server_leg']['rtt_us'], 0)

        self.assertEqual(self.check(c, admin, 'CloseSessions', {'client': most['client']})[0], {'closed': 1})
        self.assertEqual(held[4].recv(1), b'')
        self.assertEqual(self.check(c, status, 'GetSessions', {'client': '127.0.0.1'})[0]['matched'], 4)
        self.assertEqual(self.check(c, status, 'GetSessions', {'min_idle_ms': 3600000})[0]['matched'], 0)
        self.assertEqual(self.check(c, admin, 'CloseSessions', {'pool': 'main'})[0], {'closed': 4})
        for parameters, wrong in (({}, 'backend'), ({'min_age_ms': 0}, 'backend'), ({'id': -1}, 'id'),
                                  ({'id': 0}, 'id'), ({'pool': 1}, 'pool')):
            self.assertEqual(c.call(f'{ADMIN}.CloseSessions', parameters),
                             ({'parameter': wrong}, f'{SERVICE}.InvalidParameter'))
        for name, wrong in (('sort', 'size'), ('limit', 0), ('limit', 1001), ('client', 7)):
            self.assertEqual(c.call(f'{STATUS}.GetSessions', {name: wrong}),
                             ({'parameter': name}, f'{SERVICE}.InvalidParameter'))

    def test_nonsense(self):
        """A crowd that talks nonsense, and too much of it: sessions and other clients do not notice."""
        bal = self.start_bal(self.backend('one').address)
        fds = bal.fds()
        nonsense = [b'{' * (1 << 20), b'\0' * 5000, b'\xff' * 70000, b'GET / HTTP/1.1\r\n\r\n\0',
                    b'{"method":"io.bal.Status.Get"', b'[' * 60000 + b'\0', os.urandom(100000),
                    b'{"method":"io.bal.Status.Get","parameters":{"a":"' + b'x' * 65000 + b'"}}\0']
        crowd = []
        for i in range(120):
            s = socket.socket(socket.AF_UNIX)
            self.addCleanup(s.close)
            s.setblocking(False)
            try:
                s.connect(self.status)
                s.send(nonsense[i % len(nonsense)])
            except OSError:
                pass  # turned away, or its queue is full
            crowd.append(s)
            if i % 20 == 0:
                self.assertEqual(rig.get(self.port), 'one')
                with Client(self.admin) as c:
                    self.assertIsNone(c.call(f'{STATUS}.Get')[1])
        for s in crowd:
            s.close()
        rig.wait_until(lambda: bal.fds() <= fds, 'descriptors to be as many as before')
        self.assertIsNone(self.client(self.status).call(f'{STATUS}.Get')[1])

    def test_too_many(self):
        """Where all are busy, the new one is turned away."""
        self.start_bal(self.backend('one').address)
        for _ in range(64):
            follower = self.client(self.status)
            follower.send(f'{STATUS}.GetEvents', {'limit': 1}, more=True)
            follower.receive()
        one_more = self.client(self.status)
        reply = one_more.receive()
        self.assertEqual((reply['parameters'], reply['error']), ({'limit': 64}, f'{STATUS}.TooManyClients'))
        with self.assertRaises(Gone):
            one_more.receive()
        self.assertIsNone(self.client(self.admin).call(f'{STATUS}.Get')[1])

    def test_the_idle_make_room(self):
        """Who came and says nothing does not lock others out; who follows stays."""
        self.start_bal(self.backend('one').address)
        follower = self.client(self.status)
        follower.send(f'{STATUS}.GetEvents', {'limit': 1}, more=True)
        follower.receive()
        idle = [self.client(self.status) for _ in range(63)]
        late = self.client(self.status)
        self.assertIsNone(late.call(f'{STATUS}.Get')[1])
        self.assertEqual(idle[0].receive()['error'], f'{STATUS}.TooManyClients')
        with self.assertRaises(Gone):
            idle[0].receive()
        self.assertIsNone(idle[62].call(f'{STATUS}.Get')[1])
        self.client(self.admin).call(f'{ADMIN}.Reload')
        self.assertTrue(follower.receive()['continues'])

    def test_a_crowd_that_never_reads(self):
        """100 clients that ask and never read, or stop within a call: the next is answered at once."""
        self.start_bal(self.backend('one').address)
        subscribe = json.dumps({'method': f'{STATUS}.Subscribe', 'more': True, 'parameters': {'interval_ms': 100}})
        get = json.dumps({'method': f'{STATUS}.Get'})
        for said in ('', get[:9], f'{get}\0' * 20, f'{subscribe}\0'):
            crowd = [self.client(self.status) for _ in range(100)]
            for c in crowd:
                with contextlib.suppress(OSError):
                    c.sock.sendall(said.encode())  # the first may have been turned out
            took = []
            for _ in range(5):
                start = time.monotonic()
                with Client(self.status) as one_more:
                    self.assertIsNone(one_more.call(f'{STATUS}.Get')[1], repr(said[:50]))
                took.append(time.monotonic() - start)
                time.sleep(0.1)
            # of the best: others use this machine, and the first waits while the crowd is answered
            self.assertLess(min(took), 0.05 * rig.SLOW, repr(said[:50]))
            for c in crowd:
                c.close()


if __name__ == '__main__':
    rig.main()
