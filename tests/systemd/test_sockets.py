#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Listening sockets that systemd holds: each goes to its frontend, and outlives bal."""

import contextlib
import json
import os
import signal
import socket
import threading
import time

import box


def full(frontends):
    """[(name, [addresses], port of its backend)] in the full form."""
    lines = ['frontends:']
    for name, listen, _ in frontends:
        lines.append(f'  - {{ name: {name}, listen: {json.dumps(listen)}, backend: {name} }}')
    lines.append('backends:')
    for name, _, port in frontends:
        lines.append(f'  - {{ name: {name}, servers: [ {{ address: "127.0.0.1:{port}" }} ] }}')
    return '\n'.join(lines) + '\n'


class Sockets(box.BoxTest):
    def setUp(self):
        super().setUp()
        self.one = self.backend('one')

    def socket(self, name, *listen, fd_name=None, more=''):
        """A socket unit of this test's, started."""
        unit = f'bal-test-{name}.socket'
        self.unit(unit, '[Socket]\n' + ''.join(f'ListenStream={x}\n' for x in listen) +
                  (f'FileDescriptorName={fd_name}\n' if fd_name else '') + f'Service=bal.service\n{more}')
        self.addCleanup(box.run, 'systemctl', 'stop', unit)
        self.systemctl('start', unit)

    def active(self):
        return self.show('ActiveState')

    def wait_active(self):
        """Who came first was served before the first checks were over, so before the start was."""
        box.wait_until(lambda: self.active() == 'active', 'the end of the start', 3)

    def test_the_first_connection_starts_it(self):
        self.configure(box.simple(9295, [self.one]))
        self.systemctl('start', 'bal.socket')
        self.assertEqual(self.active(), 'inactive')
        self.assertEqual(box.answer(9295), 'one')
        self.wait_active()
        self.assertEqual([e['fields']['passed'] for e in self.events('listener_opened')], [True])
        self.assertEqual(self.events('socket_unused') + self.events('listener_replaced'), [])

    def test_stop_is_not_for_ever(self):
        self.configure(box.simple(9295, [self.one]))
        self.systemctl('start', 'bal.socket', 'bal.service')
        for _ in range(3):
            self.systemctl('stop', 'bal.service')
            self.assertEqual(self.active(), 'inactive')
            self.assertEqual(box.answer(9295), 'one')
            self.wait_active()
        said = self.bal('stop').stdout
        self.assertIn('systemd goes on listening on 0.0.0.0:9295', said)
        self.assertEqual(box.answer(9295), 'one')
        self.assertEqual(json.loads(self.bal('stop', '--json').stdout)['systemd_sockets'], ['0.0.0.0:9295'])
        self.systemctl('stop', 'bal.socket', 'bal.service')
        self.assertFalse(box.listens(9295))
        self.systemctl('start', 'bal.service')  # and its own socket again
        self.assertEqual(self.bal('stop').stdout, 'bal: stopped\n')

    def test_who_comes_while_it_starts_waits(self):
        """Connections that come between a stop and the next start lie in the queue; none is refused."""
        self.configure(box.simple(9295, [self.one]))
        self.drop_in('[Service]\nExecStartPre=sleep 1.5\n')
        self.systemctl('start', 'bal.socket', 'bal.service')
        self.systemctl('restart', '--no-block', 'bal.service')
        time.sleep(0.5)
        self.assertEqual(self.active(), 'activating')
        answers = []
        clients = [threading.Thread(target=lambda: answers.append(box.answer(9295))) for _ in range(50)]
        began = time.monotonic()
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        self.assertEqual(answers, ['one'] * 50)
        self.assertTrue(0.5 < time.monotonic() - began < 3)

    def test_a_crash(self):
        """Who comes afterwards waits for the restart; also when it happens again and again."""
        self.configure(box.simple(9295, [self.one]))
        self.systemctl('start', 'bal.socket', 'bal.service')
        for i in range(1, 8):
            box.kill(self.pid(), signal.SIGKILL)
            began = time.monotonic()
            self.assertEqual(box.answer(9295), 'one')
            self.assertLess(time.monotonic() - began, 2)
            box.wait_until(lambda: self.active() == 'active' and self.show('NRestarts') == str(i), f'restart {i}', 3)
        self.assertEqual(self.show('ActiveState', 'bal.socket'), 'active')

    def test_what_waits_is_left_for_the_next(self):
        """A bal that stops takes nothing more from the queue, and resets nothing in it."""
        self.configure(box.simple(9295, [self.backend('one', hold=True)], 'drain_timeout: 2s'))
        self.systemctl('start', 'bal.socket', 'bal.service')
        with box.connect(9295) as held:
            held.sendall(b'?')
            self.assertEqual(held.recv(10), b'one')
            self.systemctl('stop', '--no-block', 'bal.service')
            box.wait_until(lambda: self.active() == 'deactivating', 'the stop')
            with box.connect(9295) as late:
                late.sendall(b'?')
                late.settimeout(10)
                began = time.monotonic()
                self.assertEqual(late.recv(10), b'one')
                self.assertGreater(time.monotonic() - began, 1)  # by the next bal, after the drain
        self.assertEqual(self.starts(), 2)

    def test_two_frontends_by_name(self):
        """The names decide, whatever the file says of addresses; it is told that it was not followed."""
        self.configure(full([('web', ['127.0.0.1:9301'], self.one),
                             ('api', ['127.0.0.1:9302'], self.backend('two'))]))
        self.socket('a', '127.0.0.1:9401', fd_name='api')
        self.socket('w', '127.0.0.1:9402', fd_name='web')
        self.assertEqual(box.answer(9402), 'one')
        self.assertEqual(box.answer(9401), 'two')
        self.assertFalse(box.listens(9301) or box.listens(9302))
        self.assertEqual(sorted((e['fields']['frontend'], e['fields']['address'])
                                for e in self.events('listener_replaced')),
                         [('api', '127.0.0.1:9302'), ('web', '127.0.0.1:9301')])
        shown = {f['name']: f['listen'] for f in json.loads(self.bal('status', '--json').stdout)['frontends']}
        self.assertEqual(shown, {'api': ['127.0.0.1:9401'], 'web': ['127.0.0.1:9402']})

    def test_one_frontend_has_a_socket(self):
        """The other one opens its own."""
        self.configure(full([('web', ['127.0.0.1:9301'], self.one),
                             ('api', ['127.0.0.1:9302'], self.backend('two'))]))
        self.socket('w', '127.0.0.1:9301', fd_name='web')
        self.assertEqual(box.answer(9301), 'one')
        self.assertEqual(box.answer(9302), 'two')
        self.systemctl('stop', 'bal')
        self.assertFalse(box.listens(9302))
        self.assertEqual(box.answer(9301), 'one')

    def test_several_of_one_name(self):
        path = '/run/bal-test.sock'
        self.configure(full([('web', ['127.0.0.1:9301'], self.one)]))
        self.socket('w', '127.0.0.1:9301', '[::1]:9301', path, fd_name='web')
        self.assertEqual(box.answer(9301, host='::1'), 'one')
        self.assertEqual(box.answer(9301), 'one')
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(path)
            s.sendall(b'?')
            self.assertEqual(s.recv(10), b'one')
        self.systemctl('stop', 'bal')
        self.assertTrue(os.path.exists(path))  # it is systemd's
        self.assertEqual(self.events('listener_replaced'), [])

    def test_by_address(self):
        """A unit without a name gives its own; then the address decides."""
        self.configure(full([('web', ['127.0.0.1:9301', '127.0.0.1:9303'], self.one),
                             ('api', ['[::1]:9302'], self.backend('two'))]))
        self.socket('w', '127.0.0.1:9301')
        self.socket('a', '[::1]:9302')
        self.assertEqual(box.answer(9301), 'one')
        self.assertEqual(box.answer(9303), 'one')
        self.assertEqual(box.answer(9302, host='::1'), 'two')
        self.assertEqual(sorted((e['fields']['address'], e['fields']['passed'])
                                for e in self.events('listener_opened')),
                         [('127.0.0.1:9301', True), ('127.0.0.1:9303', False), ('[::1]:9302', True)])

    def test_both_families(self):
        """ListenStream=9295 is [::]:9295 for both, and good for a file that says 0.0.0.0."""
        self.configure(box.simple(9295, [self.one]))
        self.socket('both', '9295')
        self.assertEqual(box.answer(9295), 'one')
        self.assertEqual(box.answer(9295, host='::1'), 'one')
        self.assertEqual(self.events('socket_unused'), [])

    def test_one_family_is_not_both(self):
        self.configure(box.simple(9295, [self.one]))
        self.socket('six', '[::]:9295', more='BindIPv6Only=ipv6-only\n')
        self.systemctl('start', 'bal')
        self.assertEqual(box.answer(9295), 'one')
        self.assertEqual([e['fields']['address'] for e in self.events('socket_unused')], ['[::]:9295'])

    def test_what_is_of_no_use(self):
        self.configure(box.simple(9295, [self.one]))
        self.socket('other', '127.0.0.1:9401', fd_name='nobody')
        self.unit('bal-test-dgram.socket', '[Socket]\nListenDatagram=127.0.0.1:9402\nFileDescriptorName=main\n'
                  'Service=bal.service\n')
        self.unit('bal-test-fifo.socket', '[Socket]\nListenFIFO=/run/bal-test.fifo\nService=bal.service\n')
        self.addCleanup(box.run, 'systemctl', 'stop', 'bal-test-dgram.socket', 'bal-test-fifo.socket')
        self.systemctl('start', 'bal-test-dgram.socket', 'bal-test-fifo.socket')
        self.systemctl('start', 'bal')
        self.assertEqual(box.answer(9295), 'one')
        unused = {e['fields']['name']: e['fields'] for e in self.events('socket_unused')}
        self.assertEqual(sorted(unused), ['bal-test-fifo.socket', 'main', 'nobody'])
        self.assertEqual(unused['nobody']['address'], '127.0.0.1:9401')
        self.assertIn('no frontend', unused['nobody']['reason'])
        self.assertIn('not a stream socket', unused['main']['reason'])
        self.assertIn('not a socket', unused['bal-test-fifo.socket']['reason'])
        left = [os.readlink(f'/proc/{self.pid()}/fd/{fd}') for fd in os.listdir(f'/proc/{self.pid()}/fd')]
        self.assertNotIn('/run/bal-test.fifo', left)

    def test_a_reload_keeps_them(self):
        self.configure(box.simple(9295, [self.one]))
        self.systemctl('start', 'bal.socket', 'bal.service')
        failed, served, over = [], [], threading.Event()

        def load():
            while not over.is_set():
                try:
                    served.append(box.answer(9295))
                except OSError as error:
                    failed.append(error)
        clients = [threading.Thread(target=load) for _ in range(4)]
        for client in clients:
            client.start()
        for i in range(10):
            self.configure(box.simple(9295, [self.one], f'drain_timeout: {i + 1}s'))
            self.systemctl('reload', 'bal')
        over.set()
        for client in clients:
            client.join()
        self.assertEqual(failed, [])
        self.assertGreater(len(served), 100)
        self.assertEqual(len(self.events('listener_opened')), 1)
        self.assertEqual(self.events('listener_closed') + self.events('socket_unused'), [])

    def test_a_reload_lets_go_of_one_and_takes_it_again(self):
        both = full([('web', ['127.0.0.1:9301'], self.one), ('api', ['127.0.0.1:9302'], self.backend('two'))])
        self.configure(both)
        self.socket('w', '127.0.0.1:9301', fd_name='web')
        self.socket('a', '127.0.0.1:9302', fd_name='api')
        self.systemctl('start', 'bal')
        self.assertEqual(box.answer(9302), 'two')
        self.configure(full([('web', ['127.0.0.1:9301'], self.one)]))
        self.systemctl('reload', 'bal')
        self.assertEqual([e['fields']['address'] for e in self.events('socket_unused')], ['127.0.0.1:9302'])
        with box.connect(9302) as s:  # systemd listens, and nobody serves: it waits
            s.sendall(b'?')
            s.settimeout(0.5)
            with self.assertRaises(TimeoutError):
                s.recv(10)
            self.configure(both)
            self.systemctl('reload', 'bal')
            s.settimeout(5)
            self.assertEqual(s.recv(10), b'two')
        self.assertEqual(box.answer(9302), 'two')
        self.assertEqual(box.answer(9301), 'one')

    def test_by_hand_beside_it(self):
        """Who starts another bal is not told to end systemd."""
        self.configure(box.simple(9295, [self.one]))
        self.systemctl('start', 'bal.socket')
        said = self.bal('start', '-c', box.CONFIG, env={'HOME': '/root'}, status=1).stderr
        self.assertIn('systemd has it for a socket unit; see which: systemctl list-sockets', said)
        self.assertNotIn('stop it', said)

    def test_a_dry_run_knows_them(self):
        self.configure(box.simple(9295, [self.one]))
        self.systemctl('start', 'bal.socket', 'bal.service')
        self.assertNotIn('cannot listen', self.bal('graceful', '--dry-run').stdout)

    def test_control_sockets(self):
        """Made by systemd, with the owner and rights of those that bal makes; whoever asks starts it."""
        self.configure(box.simple(9295, [self.one]))
        self.systemctl('start', 'bal-status.socket', 'bal-admin.socket')
        self.assertEqual(self.active(), 'inactive')
        before = [os.stat(f'/run/bal/{name}.sock') for name in ('status', 'admin')]
        self.bal('status', '--exit-code')
        self.wait_active()
        self.bal('graceful')
        after = [os.stat(f'/run/bal/{name}.sock') for name in ('status', 'admin')]
        self.assertEqual([(s.st_ino, s.st_mode, s.st_uid, s.st_gid) for s in before],
                         [(s.st_ino, s.st_mode, s.st_uid, s.st_gid) for s in after])
        self.assertEqual(self.events('socket_unused'), [])

        said = self.bal('stop').stdout
        self.assertIn('unix:/run/bal/status.sock', said)
        self.assertTrue(os.path.exists('/run/bal/admin.sock'))
        self.systemctl('stop', 'bal.service')
        self.assertTrue(os.path.exists('/run/bal/status.sock'))
        self.bal('status', '--exit-code')  # starts it again
        self.systemctl('stop', 'bal-status.socket', 'bal-admin.socket', 'bal.service')
        self.assertFalse(os.path.exists('/run/bal/status.sock'))

    def test_a_bad_file_does_not_loop_for_ever(self):
        """A connection waits, so systemd tries again, up to the socket unit's limit; then both rest."""
        self.configure('nonsense: 1\n')
        self.systemctl('start', 'bal.socket')
        with contextlib.suppress(OSError):
            box.answer(9295, 10)
        box.wait_until(lambda: self.show('Result', 'bal.socket') == 'trigger-limit-hit', 'the limit', 20)
        self.assertLessEqual(self.starts(), 41)
        self.configure(box.simple(9295, [self.one]))
        self.systemctl('reset-failed', 'bal.socket')
        self.systemctl('start', 'bal.socket')
        self.assertEqual(box.answer(9295), 'one')


box.main()
