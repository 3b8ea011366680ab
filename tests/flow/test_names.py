#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Backends by name, with a name server of their own: addresses that change, come late, fail, are two."""

import contextlib
import os
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time

import rig

WHY_NOT = None
ETC = None
CHECK = {'type': 'tcp', 'interval': '200ms', 'timeout': '300ms'}


class Turning:
    """A name server whose every answer is another address of 127.0.0.0/8, one after the other."""

    def __init__(self, test):
        self.n, self.over = 0, False
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(('127.0.0.1', 53))
        self.socket.settimeout(0.1)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        test.addCleanup(self.end)

    def end(self):
        self.over = True
        self.thread.join()
        self.socket.close()

    def run(self):
        while not self.over:
            with contextlib.suppress(TimeoutError):
                self.answer(*self.socket.recvfrom(512))

    def answer(self, query, client):
        end = query.index(b'\0', 12) + 5
        answers = b''
        if query[end - 4:end - 2] == b'\0\1':  # A
            self.n += 1
            answers = b'\xc0\x0c\0\1\0\1\0\0\0\0\0\4\x7f\1' + struct.pack('>H', 256 + self.n)
        self.socket.sendto(query[:2] + b'\x84\0\0\1' + struct.pack('>H', bool(answers)) + b'\0\0\0\0' +
                           query[12:end] + answers, client)


class AnswersThatTurn(rig.FlowTest):
    """A name that has another address each time it is asked for, and sessions that stay."""
    N = 200 if rig.FULL else 40

    def setUp(self):
        super().setUp()
        if WHY_NOT:
            self.skipTest(WHY_NOT)

    def test_neither_generations_nor_memory_grow(self):
        """Each answer was a generation once, with all pools and views, kept by any session of it."""
        server, port, other = Turning(self), rig.free_port(), rig.free_port()
        echo_port = rig.free_port()
        self.echo(address=f'0.0.0.0:{echo_port}')
        bal = self.bal(rig.document(
            rig.pool('p', port, [f'back.test:{echo_port}'], health_check={'type': 'none'}),
            rig.pool('large', other, [f'127.0.1.{i}:9' for i in range(250)], health_check={'type': 'none'}),
            resolve_interval='100ms'))
        sessions, peers, sizes = [], set(), []
        for i in range(self.N):
            asked = server.n
            rig.wait_until(lambda: server.n > asked, 'the next question', step=0.002)
            rig.wait_until(lambda: len(bal.events('name_resolved')) > i, 'the next answer', step=0.02)
            s = rig.connect(port)
            s.sendall(b'%04d' % i)
            self.assertEqual(rig.read_exactly(s, 4), b'%04d' % i)
            sessions.append(s)
            sizes.append(bal.anonymous_kib())
        for i, s in enumerate(sessions):
            s.sendall(b'%04d' % i)
            self.assertEqual(rig.read_exactly(s, 4), b'%04d' % i)
        for line in subprocess.run(['ss', '-Htn', 'state', 'established', f'( dport = :{echo_port} )'], capture_output=True,
                                   text=True, check=True).stdout.splitlines():
            peers.add(line.split()[3])
        print(f'{len(sessions)} sessions at {len(peers)} addresses: {sizes[self.N // 6]} KiB, then {sizes[-1]} KiB')
        self.assertGreater(len(peers), self.N * 3 // 4, 'each goes where its name was')
        if rig.SANITIZE == 'none':
            self.assertLess(sizes[-1] - sizes[self.N // 6], 4 * self.N, 'a session, its addresses and no more')
        self.assertEqual(bal.get()['config_number'], 1)
        for s in sessions:
            s.close()
        self.assert_idle(bal)

    def test_traffic_meanwhile(self):
        """Workers take addresses while the control thread replaces them: everybody is served."""
        server, tcp, http = Turning(self), rig.free_port(), rig.free_port()
        web_port = rig.free_port()
        self.backend('web', address=f'0.0.0.0:{web_port}')
        check = {'type': 'tcp', 'interval': '200ms', 'timeout': '1s'}
        bal = self.bal(rig.document(
            rig.pool('tcp', tcp, [f'back.test:{web_port}'], health_check=check),
            rig.pool('http', http, [f'back.test:{web_port}'], health_check=check, frontend={'protocol': 'http'}),
            resolve_interval='100ms', workers=2))
        visitors = [self.visit(port, 150) for port in (tcp, http)]
        rig.wait_until(lambda: server.n >= 30, 'thirty answers', 20)
        for who in visitors:
            visits = who.end_visits()
            self.assertGreater(len(visits), 100)
            self.assertEqual({(v.outcome, v.name) for v in visits}, {('answered', 'web')})
        self.assertEqual([b['state'] for b in bal.get()['backends']], ['up', 'up'])
        self.assert_sessions_balance(bal)


class Names(rig.FlowTest):
    def setUp(self):
        super().setUp()
        if WHY_NOT:
            self.skipTest(WHY_NOT)
        self.need('dnsmasq')
        self.port, self.backend_port = rig.free_port(), rig.free_port()
        self.hosts = f'{self.dir}/hosts'
        self.names = {}
        self.name_is('other.test', '127.0.0.9')
        self.server = None
        self.serve_names()

    def serve_names(self):
        self.server = self.start('dnsmasq', ['dnsmasq', '--keep-in-foreground', '--conf-file=/dev/null', '--no-resolv',
                                             '--no-hosts', f'--addn-hosts={self.hosts}', '--bind-interfaces',
                                             '--listen-address=127.0.0.1', '--user=root', '--pid-file=',
                                             '--log-queries', '--log-facility=-'])
        rig.wait_until(lambda: 'started' in self.server.output() or not self.server.alive(), 'dnsmasq to listen')
        self.assertTrue(self.server.alive(), self.server.output())

    def name_is(self, name, *addresses):
        self.names[name] = addresses
        with open(self.hosts, 'w', encoding='ascii') as f:
            f.writelines(f'{address} {name}\n' for name, addresses in self.names.items() for address in addresses)
        if hasattr(self, 'server') and self.server:
            self.server.send_signal(signal.SIGHUP)
        return time.monotonic()

    def web(self, name, host):
        return self.backend(name, address=f'[{host}]:{self.backend_port}' if ':' in host
                            else f'{host}:{self.backend_port}')

    def document(self, *names, check=CHECK, **settings):
        return rig.document(rig.pool('p', self.port, [f'{name}:{self.backend_port}' for name in names],
                                     health_check=check), **settings)

    def backend_of(self, bal, name='back.test'):
        return bal.backend(f'{name}:{self.backend_port}')

    def answers(self):
        try:
            return rig.get(self.port, timeout=2)
        except OSError:
            return None

    def test_an_address_changes(self):
        """By the clock alone: the old server still answers. Its sessions stay."""
        self.web('old', '127.0.0.2')
        self.web('new', '127.0.0.3')
        self.name_is('back.test', '127.0.0.2')
        bal = self.bal(self.document('back.test'))
        self.assertEqual(self.answers(), 'old')
        with rig.connect(self.port) as s:
            s.sendall(b'GET / HTTP/1.1\r\nHost: x\r\n\r\n')
            self.assertIn(b'old', s.recv(1000))
            changed = self.name_is('back.test', '127.0.0.3')
            rig.wait_until(lambda: self.answers() == 'new', 'the new address', 6 / rig.SLOW)
            print(f'new sessions go to the new address after {time.monotonic() - changed:.1f} s')
            s.sendall(b'GET / HTTP/1.1\r\nHost: x\r\n\r\n')
            self.assertIn(b'old', s.recv(1000), 'the old session lives')
        self.assertEqual({self.answers() for _ in range(10)}, {'new'})
        self.assertEqual(bal.get()['config_number'], 1)
        self.assertEqual(self.backend_of(bal)['state'], 'up')
        self.assertTrue(bal.events('name_resolved'))

    def test_an_address_changes_and_the_old_one_is_dead(self):
        """A failed connect asks at once: the clock would take a minute."""
        old = self.web('old', '127.0.0.2')
        self.web('new', '127.0.0.3')
        self.name_is('back.test', '127.0.0.2')
        bal = self.bal(self.document('back.test', check={'type': 'none'}, resolve_interval='1m'))
        self.assertEqual(self.answers(), 'old')
        old.end()
        changed = self.name_is('back.test', '127.0.0.3')
        rig.wait_until(lambda: self.answers() == 'new', 'the new address', 3)
        took = time.monotonic() - changed
        print(f'after a failed connect: {took:.2f} s')
        self.assertLess(took, 1.2 * rig.SLOW)
        self.assertEqual(bal.get()['config_number'], 1)

    def test_a_failed_check_asks_too(self):
        old = self.web('old', '127.0.0.2')
        self.web('new', '127.0.0.3')
        self.name_is('back.test', '127.0.0.2')
        bal = self.bal(self.document('back.test', resolve_interval='1m'))
        rig.wait_until(lambda: self.backend_of(bal)['check']['passed'], 'a first check')
        old.end()
        rig.wait_until(lambda: self.backend_of(bal)['state'] == 'down', 'it to be down', 3)
        changed = self.name_is('back.test', '127.0.0.3')
        rig.wait_until(lambda: self.backend_of(bal)['state'] == 'up', 'it to be up', 3)
        print(f'after a failed check, without a client: {time.monotonic() - changed:.2f} s')
        self.assertEqual(self.answers(), 'new')

    def test_a_name_that_does_not_resolve_yet(self):
        self.web('late', '127.0.0.4')
        self.web('other', '127.0.0.9')
        bal = self.bal(self.document('late.test', 'other.test', resolve_interval='500ms'))
        late = self.backend_of(bal, 'late.test')
        self.assertEqual((late['state'], late['reason']), ('down', 'unresolved'))
        self.assertFalse(late['reachable'])
        self.assertIn('address', late['reason_text'])
        self.assertEqual({self.answers() for _ in range(6)}, {'other'})
        self.assertEqual(self.backend_of(bal, 'late.test')['connections_total'], 0)
        known = self.name_is('late.test', '127.0.0.4')
        rig.wait_until(lambda: self.backend_of(bal, 'late.test')['state'] == 'up', 'it to be up', 3)
        print(f'up {time.monotonic() - known:.2f} s after it has an address, asked every 0.5 s')
        self.assertEqual({self.answers() for _ in range(6)}, {'other', 'late'})
        self.assertEqual(bal.get()['config_number'], 1)

    def test_all_names_are_unknown(self):
        bal = self.bal(self.document('late.test', resolve_interval='300ms', check={'type': 'none'}))
        self.assertIsNone(self.answers())
        self.assertEqual(self.backend_of(bal, 'late.test')['reason'], 'unresolved')
        self.web('late', '127.0.0.4')
        self.name_is('late.test', '127.0.0.4')
        rig.wait_until(lambda: self.answers() == 'late', 'it to serve', 3)
        self.assertEqual(self.backend_of(bal, 'late.test')['state'], 'up')

    def test_the_last_good_answer_is_kept(self):
        """No name server, or one that knows nothing any more, takes no backend away."""
        self.web('back', '127.0.0.2')
        self.name_is('back.test', '127.0.0.2')
        bal = self.bal(self.document('back.test', resolve_interval='200ms'))
        self.assertEqual(self.answers(), 'back')
        self.server.end()
        time.sleep(0.6)
        self.assertEqual(self.answers(), 'back')
        del self.names['back.test']
        self.name_is('other.test', '127.0.0.9')
        self.serve_names()
        time.sleep(0.6)
        self.assertEqual(self.answers(), 'back')
        self.assertEqual(self.backend_of(bal)['state'], 'up')
        self.assertLess(len(bal.events('name_unresolved')), 4, 'said once, not every time')

    def test_both_families(self):
        """All addresses of a name are tried; one that works is kept to."""
        six = self.web('six', '::1')
        self.name_is('back.test', '127.0.0.2', '::1')
        bal = self.bal(self.document('back.test', resolve_interval='300ms'))
        self.assertEqual({self.answers() for _ in range(10)}, {'six'}, 'nobody listens on the IPv4 address')
        self.assertEqual(sum(self.backend_of(bal)['counters'].values()), 0, 'the backend as a whole works')
        self.web('four', '127.0.0.2')
        six.end()
        self.assertEqual({self.answers() for _ in range(10)}, {'four'})
        self.assertEqual(self.backend_of(bal)['state'], 'up')
        self.web('six', '::1')
        self.name_is('back.test', '::1')
        rig.wait_until(lambda: self.answers() == 'six', 'IPv6 alone', 3)


if __name__ == '__main__':
    WHY_NOT = rig.own_namespaces()
    if not WHY_NOT:
        with tempfile.TemporaryDirectory() as ETC:
            for name, text in (('resolv.conf', 'nameserver 127.0.0.1\noptions timeout:1 attempts:1\n'),
                               ('nsswitch.conf', 'hosts: dns\n'), ('hosts', '127.0.0.1 localhost\n')):
                with open(f'{ETC}/{name}', 'w', encoding='ascii') as f:
                    f.write(text)
                if not os.path.exists(f'/etc/{name}'):
                    WHY_NOT = f'no /etc/{name} to be covered'
                elif subprocess.run(['mount', '--bind', f'{ETC}/{name}', f'/etc/{name}'], check=False).returncode:
                    WHY_NOT = f'cannot cover /etc/{name}'
            rig.main()
    else:
        rig.main()
