#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What a service manager does, without one: it passes sockets and listens to sd_notify(3). The real
one is in tests/systemd; here the sanitizers see it all."""

import contextlib
import os
import re
import socket
import sys
import threading

import rig

# gets the sockets, puts them where they belong, becomes bal
LAUNCH = '''
import fcntl, os, socket, sys
with socket.socket(socket.AF_UNIX) as s:
    s.connect(sys.argv[1])
    names, fds, _, _ = socket.recv_fds(s, 1000, 16)
high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 100) for fd in fds]
for number, fd in enumerate(high, 3):
    os.dup2(fd, number)
    os.close(fd)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(fds)), LISTEN_FDNAMES=names.decode())
os.execv(sys.argv[2], sys.argv[2:])
'''


class Manager(rig.FlowTest):
    def setUp(self):
        super().setUp()
        self.sockets = []  # (name, socket): ours for the whole test, as they are systemd's

    def listen(self, name, address=('127.0.0.1', 0)):
        s = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
        self.addCleanup(s.close)
        s.bind(address)
        s.listen(128)
        self.sockets.append((name, s))
        return s.getsockname()[1] if not isinstance(address, str) else address

    def hear(self):
        """A socket for NOTIFY_SOCKET; its path and a function that gives what was heard so far."""
        s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(s.close)
        path = os.path.join(self.dir, 'notify')
        s.bind(path)
        s.setblocking(False)
        said = []

        def heard():
            with contextlib.suppress(BlockingIOError):
                while True:
                    said.append(s.recv(4096).decode())
            return said
        return path, heard

    def launch(self, config, **env):
        """A bal that gets the sockets."""
        path = os.path.join(self.dir, f'pass{len(self.bals)}')
        server = socket.socket(socket.AF_UNIX)
        self.addCleanup(server.close)
        server.bind(path)
        server.listen(1)

        def give():
            s, _ = server.accept()
            with s:
                socket.send_fds(s, [':'.join(name for name, _ in self.sockets).encode()],
                                [x.fileno() for _, x in self.sockets])
        giver = threading.Thread(target=give)
        giver.start()
        config_path = os.path.join(self.dir, f'bal{len(self.bals) + 1}', 'config.yaml')
        bal = self.bal(config, env=env, command=[sys.executable, '-c', LAUNCH, path, rig.BAL, 'start', '-c', config_path])
        giver.join()
        return bal

    def test_sockets(self):
        """Served from the first to the last; a reload keeps them, a stop leaves their queues alone."""
        port = self.listen('main')
        unused = self.listen('nobody')
        config = rig.simple(port, [self.backend('one').address])
        bal = self.launch(config)
        over, failed, served = threading.Event(), [], []

        def load():
            while not over.is_set():
                try:
                    served.append(rig.get(port))
                except OSError as error:
                    failed.append(error)
        clients = [threading.Thread(target=load) for _ in range(3)]
        for client in clients:
            client.start()
        for i in range(5):
            bal.reload(config + f'drain_timeout: {i + 1}s\n')
        rig.wait_until(lambda: len(served) > 50, 'some answers')
        over.set()
        for client in clients:
            client.join()
        self.assertEqual(failed, [])
        self.assertEqual([e['fields']['passed'] for e in bal.events('listener_opened')], [True])
        self.assertEqual([e['fields']['address'] for e in bal.events('socket_unused')], [f'127.0.0.1:{unused}'])
        self.assert_sessions_balance(bal)

        said = bal.cli('stop', check=0).stdout
        self.assertIn(f'systemd goes on listening on 127.0.0.1:{port}\n', said)
        bal.wait()
        with rig.connect(port) as s:  # into the queue, while nobody is there
            s.sendall(b'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
            self.launch(config)
            self.assertIn(b'one', rig.read_all(s))

    def test_the_address_of_anothers_socket(self):
        """A socket that bears a frontend's name is that one's; who wants its address finds it taken."""
        def full(*frontends):
            return 'frontends:\n' + ''.join(
                f'  - {{ name: {name}, listen: "127.0.0.1:{port}", backend: pool }}\n' for name, port in frontends
            ) + f'backends:\n  - name: pool\n    servers: [ {{ address: "{web.address}" }} ]\n'
        web, port, own = self.backend('one'), self.listen('web'), rig.free_port()
        bal = self.launch(full(('web', own)))
        self.assertEqual(rig.get(port), 'one')
        said = bal.reload(full(('web', own), ('api', port)), check=1).stderr
        self.assertIn(f'cannot listen on 127.0.0.1:{port}', said)
        self.assertEqual(rig.get(port), 'one')
        bal.reload(full(('api', port)))  # nobody has that name any more, so the address decides
        self.assertEqual(rig.get(port), 'one')
        self.assertEqual(bal.events('listener_closed'), [])

    def test_control_sockets(self):
        run = os.path.join(self.dir, 'bal1', 'run')
        config = rig.simple(rig.free_port(), [self.backend('one').address])
        # bal1 is yet to be made, and with it its directory; so they lie beside it
        status = self.listen('status', os.path.join(self.dir, 'status.sock'))
        self.listen('admin', os.path.join(self.dir, 'admin.sock'))
        bal = self.bal(config, wait=False, command=['true'])
        bal.wait()
        bal.pid = None
        self.assertEqual(os.listdir(run), [])
        env = {'RUNTIME_DIRECTORY': run}
        path = os.path.join(self.dir, 'pass')
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path)
            server.listen(1)
            daemon = self.start('bal', [sys.executable, '-c', LAUNCH, path, rig.BAL, 'start', '-c', bal.config_path],
                                env={**bal.env, **env})
            s, _ = server.accept()
            with s:
                socket.send_fds(s, [b'status:admin'], [x.fileno() for _, x in self.sockets])
        bal.cli('status', '--exit-code', '--socket', status, check=0)  # waits in the queue for the start
        bal.cli('graceful', '--socket', status, check=0)
        self.assertEqual(os.listdir(run), ['bal.pid'])
        said = bal.cli('stop', '--socket', status, check=0).stdout
        self.assertIn('admin.sock', said)
        self.assertEqual(daemon.wait(), 0, daemon.output())
        self.assertTrue(os.path.exists(status))

    def test_groups_that_could_not_come_in(self):
        """No name service is asked for groups where the directory is closed to all others."""
        bal = self.bal(rig.simple(rig.free_port(), [self.backend('one').address]))
        self.assertEqual(os.stat(bal.run).st_mode & 0o777, 0o700)
        self.assertEqual({os.stat(f'{bal.run}/{name}.sock').st_mode & 0o777 for name in ('status', 'admin')}, {0o600})
        with open(f'/proc/{bal.pid}/maps', encoding='utf-8') as f:
            self.assertNotIn('libnss_', f.read())

    def test_notify(self):
        path, heard = self.hear()
        config = rig.simple(rig.free_port(), [self.backend('one').address])
        bal = self.bal(config, env={'NOTIFY_SOCKET': path, 'WATCHDOG_USEC': '600000'})
        rig.wait_until(lambda: 'READY=1' in heard(), 'READY=1')
        self.assertEqual(heard()[0], 'READY=1')
        rig.wait_until(lambda: heard().count('WATCHDOG=1') > 5, 'the watchdog to be fed')
        rig.wait_until(lambda: 'STATUS=1/1 backends up, 0 connections, protection off' in heard(), 'the line of status')

        heard().clear()
        bal.reload()
        bal.reload(config + 'nonsense: 1\n', check=78)
        bal.cli('graceful', '--dry-run', check=78)
        rig.wait_until(lambda: heard().count('READY=1') == 2, 'the end of two reloads')
        begins = [text for text in heard() if re.fullmatch(r'RELOADING=1\nMONOTONIC_USEC=\d+', text)]
        self.assertEqual(len(begins), 2)
        order = [text.split('\n')[0] for text in heard() if text.startswith(('RELOADING', 'READY'))]
        self.assertEqual(order, ['RELOADING=1', 'READY=1'] * 2)
        rig.wait_until(lambda: any('the last reload failed' in text for text in heard()), 'the line to say so')

        heard().clear()
        bal.cli('stop', check=0)
        self.assertTrue(any(text.startswith('STOPPING=1\nEXTEND_TIMEOUT_USEC=') for text in heard()), heard())

    def test_nobody_listens(self):
        """A manager that is gone is no reason to stop serving."""
        port = rig.free_port()
        bal = self.bal(rig.simple(port, [self.backend('one').address]),
                       env={'NOTIFY_SOCKET': os.path.join(self.dir, 'nobody'), 'WATCHDOG_USEC': '300000'})
        self.assertEqual(rig.get(port), 'one')
        bal.reload()
        self.assertEqual(rig.get(port), 'one')


if __name__ == '__main__':
    rig.main()
