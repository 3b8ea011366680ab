#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`systemctl start bal` says the truth: active means that the port answers, failed says why, once."""

import os
import socket
import time

import box


class Start(box.BoxTest):
    def assert_failed(self, status, *words):
        """The service has failed, once, and `systemctl status` says why."""
        said = box.run('systemctl', 'status', '--no-pager', '--full', 'bal').stdout
        self.assertEqual(self.show('ActiveState'), 'failed')
        self.assertEqual(self.show('ExecMainStatus'), str(status))
        for word in words:
            self.assertIn(word, said)
        time.sleep(1.2)  # more than RestartSec
        self.assertEqual(self.show('ActiveState'), 'failed')
        self.assertEqual((self.show('NRestarts'), self.starts()), ('0', 1))

    def test_active_means_that_the_port_answers(self):
        self.configure(box.simple(9295, [self.backend('one')]))
        for _ in range(10):
            self.systemctl('start', 'bal')
            self.assertEqual(box.answer(9295), 'one')
            self.bal('status', '--exit-code')
            self.systemctl('stop', 'bal')
            self.assertFalse(box.listens(9295))
        self.assertEqual(self.show('Result'), 'success')
        self.assertEqual(self.show('NRestarts'), '0')

    def test_the_first_checks_come_first(self):
        """When start returns, a backend that is dead from the beginning is known to be; one that
        does not even refuse delays it by a second, not more."""
        dead = socket.socket()
        dead.bind(('127.0.0.1', 0))
        self.configure(box.simple(9295, [self.backend('one'), dead.getsockname()[1]],
                                  'runtime:\n  health_check_interval_ms: 60000'))
        self.systemctl('start', 'bal')
        said = self.bal('status', '--json').stdout
        self.assertNotIn('"last_result":null', said.replace(' ', ''))
        self.systemctl('stop', 'bal')

        silent = socket.socket()
        silent.bind(('127.0.0.1', 0))
        silent.listen(0)
        fill = [socket.socket() for _ in range(8)]
        for s in fill:
            s.setblocking(False)
            s.connect_ex(silent.getsockname())
        time.sleep(0.05)
        self.configure(box.simple(9295, [silent.getsockname()[1]], 'runtime:\n  health_check_timeout_ms: 10000'))
        began = time.monotonic()
        self.systemctl('start', 'bal')
        took = time.monotonic() - began
        self.assertTrue(0.9 < took < 2, f'{took:.2f} s')
        for s in [dead, silent, *fill]:
            s.close()

    def test_a_taken_port(self):
        with socket.socket() as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            other.bind(('0.0.0.0', 9295))
            other.listen()
            self.configure(box.simple(9295, [self.backend('one')]))
            self.systemctl('start', 'bal', status=1)
            self.assert_failed(1, 'cannot listen on 0.0.0.0:9295', 'Address already in use')
        self.systemctl('start', 'bal')  # nothing stands in the way of another try
        self.assertEqual(box.answer(9295), 'one')

    def test_a_bad_file(self):
        self.configure(box.simple(9295, [self.backend('one')]) + 'pool_size: 3\n')
        self.systemctl('start', 'bal', status=1)
        self.assert_failed(78, "config.yaml:5:1: error[E014]: unknown key 'pool_size'", '78/CONFIG')

    def test_no_file(self):
        self.systemctl('start', 'bal', status=1)
        self.assert_failed(66, 'there is no configuration file /etc/bal/config.yaml')
        self.assertFalse(os.path.exists(box.CONFIG))

    def test_a_file_it_may_not_read(self):
        self.configure(box.simple(9295, [self.backend('one')]))
        os.chmod(box.CONFIG, 0o600)
        self.systemctl('start', 'bal', status=1)
        self.assert_failed(77, '/etc/bal/config.yaml')

    def test_detached_is_refused_where_systemd_waits(self):
        self.configure(box.simple(9295, [self.backend('one')]))
        self.drop_in(f'[Service]\nExecStart=\nExecStart={box.BAL} start -d -c {box.CONFIG}\n')
        self.systemctl('start', 'bal', status=1)
        self.assert_failed(64, 'leave -d out of ExecStart=')

    def test_detached_from_a_script(self):
        """A script of some service inherits NOTIFY_SOCKET; bal is not what that one waits for."""
        self.configure(box.simple(9295, [self.backend('one')]))
        self.unit('bal-script.service', f'[Service]\nType=notify\nNotifyAccess=all\nKillMode=process\n'
                  f'Environment=RUNTIME_DIRECTORY=/run/script\nExecStartPre=mkdir -p /run/script\n'
                  f'ExecStart=/bin/sh -c "{box.BAL} start -d -c {box.CONFIG}; sleep 1; systemd-notify --ready; '
                  f'{box.BAL} stop; sleep 100"\n')
        began = time.monotonic()
        self.systemctl('start', 'bal-script')
        self.assertGreater(time.monotonic() - began, 0.9)
        self.systemctl('stop', 'bal-script')

    def test_forking(self):
        """-d is right for Type=forking, and nothing that makes systemd listen to the process."""
        self.configure(box.simple(9295, [self.backend('one')]))
        self.drop_in(f'[Service]\nType=forking\nPIDFile=/run/bal/bal.pid\nWatchdogSec=0\nFileDescriptorStoreMax=0\nNotifyAccess=none\nExecStart=\n'
                     f'ExecStart={box.BAL} start -d -c {box.CONFIG}\n')
        self.systemctl('start', 'bal')
        self.assertEqual(box.answer(9295), 'one')
        with open('/run/bal/bal.pid', encoding='ascii') as f:
            self.assertEqual(self.pid(), int(f.read()))
        self.systemctl('stop', 'bal')

    def test_forking_with_a_socket(self):
        """What systemd has passed to the process that it started is the daemon's."""
        self.configure(box.simple(9295, [self.backend('one')]))
        self.drop_in(f'[Service]\nType=forking\nPIDFile=/run/bal/bal.pid\nWatchdogSec=0\nFileDescriptorStoreMax=0\n'
                     f'NotifyAccess=none\nExecStart=\nExecStart={box.BAL} start -d -c {box.CONFIG}\n')
        self.systemctl('start', 'bal.socket')
        for _ in range(2):
            self.assertEqual(box.answer(9295), 'one')
            self.systemctl('stop', 'bal.service')
        self.assertEqual(self.starts(), 2)

    def test_a_backend_in_run(self):
        """The unit may not write there, but connect it may."""
        path = '/run/bal-test-backend.sock'
        backend = box.Backend('unix', path=path)
        self.addCleanup(os.unlink, path)
        self.addCleanup(backend.close)
        os.chmod(path, 0o666)
        self.configure(f'port: 9295\nbackends:\n  - host: "unix:{path}"\n')
        self.systemctl('start', 'bal')
        self.assertEqual(box.answer(9295), 'unix')

    def test_an_instance(self):
        self.configure(box.simple(9301, [self.backend('a')]), '/etc/bal/a.yaml')
        self.configure(box.simple(9302, [self.backend('b')]), '/etc/bal/b.yaml')
        self.configure(box.simple(9295, [self.backend('one')]))
        self.addCleanup(box.run, 'systemctl', 'stop', 'bal@a', 'bal@b')
        self.systemctl('start', 'bal@a', 'bal', 'bal@b')
        self.assertEqual([box.answer(port) for port in (9295, 9301, 9302)], ['one', 'a', 'b'])
        self.bal('status', '--exit-code', '--socket', '/run/bal/a/status.sock')
        self.systemctl('reload', 'bal@a')
        self.systemctl('stop', 'bal@a')
        self.assertEqual([box.answer(port) for port in (9295, 9302)], ['one', 'b'])
        self.systemctl('restart', 'bal')
        self.assertEqual([box.answer(port) for port in (9295, 9302)], ['one', 'b'])
        self.bal('status', '--exit-code', '--socket', '/run/bal/b/status.sock')

    def test_the_line_of_status(self):
        self.configure(box.simple(9295, [self.backend('one'), self.backend('two')]))
        self.systemctl('start', 'bal')
        box.wait_until(lambda: self.show('StatusText') == '2/2 backends up, 0 connections, protection off',
                       f'the line, not {self.show("StatusText")!r}', 3)

    def test_a_long_drain(self):
        """Longer than TimeoutStopSec: bal asks for more time, and gets it."""
        self.configure(box.simple(9295, [self.backend('one', hold=True)], 'drain_timeout: 4s'))
        self.drop_in('[Service]\nTimeoutStopSec=1s\n')
        self.systemctl('start', 'bal')
        with box.connect(9295) as s:
            s.sendall(b'?')
            self.assertEqual(s.recv(10), b'one')
            began = time.monotonic()
            self.systemctl('stop', 'bal', '--no-block')
            time.sleep(2.5)
            self.assertEqual(self.show('StatusText'), 'stopping: 1/1 backends up, 1 connection, protection off')
            s.sendall(b'?')
            self.assertEqual(s.recv(10), b'one')
            s.settimeout(5)
            self.assertEqual(s.recv(10), b'')  # the end of the drain
            self.assertGreater(time.monotonic() - began, 3.9)
        box.wait_until(lambda: self.show('ActiveState') == 'inactive', 'the end')
        self.assertEqual(self.show('Result'), 'success')


box.main()
