#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Start, stop, signals, the PID file: the life of the process."""

import os
import signal
import socket
import stat
import subprocess
import time

import rig


class Life(rig.FlowTest):
    def simple(self, **options):
        self.port = rig.free_port()
        self.web = self.backend('web')
        return self.bal(rig.simple(self.port, [self.web.address]), **options)

    def test_stop_twice(self):
        bal = self.simple()
        bal.cli('stop', check=0)
        self.assertEqual(bal.wait(), 0)
        again = bal.cli('stop', check=69)
        self.assertIn('bal is not running', again.stderr)
        self.assertIn('bal is not running', bal.cli('graceful', check=69).stderr)
        self.assertEqual([e for e in os.listdir(bal.run) if e.endswith('.sock')], [])

    def test_a_path_that_is_not_utf8(self):
        port, web = rig.free_port(), self.backend('web')
        path = os.fsencode(self.dir) + b'/c\xff.yaml'
        with open(path, 'w', encoding='ascii') as f:
            f.write(rig.simple(port, [web.address]))
        bal = self.bal(None, command=[rig.BAL, 'start', '-c', path])
        self.assertTrue(bal.status()['config_path'].endswith('/c?.yaml'))
        bal.cli('graceful', check=0)

    def test_a_log_that_is_a_pipe(self):
        """Nobody reads it: opening it must not hang with the lock held."""
        port, web = rig.free_port(), self.backend('web')
        bal = self.bal(None, wait=False, command=['true'])
        os.mkfifo(f'{bal.run}/bal.log')
        with open(f'{bal.dir}/c.yaml', 'w', encoding='ascii') as f:
            f.write(rig.simple(port, [web.address]))
        try:
            said = bal.cli('start', '-d', '-c', f'{bal.dir}/c.yaml', check=1).stderr
        finally:
            os.unlink(f'{bal.run}/bal.log')  # who collects logs would hang there himself
        self.assertIn('cannot open the log', said)

    def test_stop_waits_for_the_end(self):
        bal = self.simple()
        bal.cli('stop', check=0)
        rig.wait_until(lambda: not bal.alive(), 'its last breath', timeout=1)  # a sanitizer looks for leaks

    def test_a_stale_pid_file_signals_nobody(self):
        bal = self.bal(None, wait=False, command=['true'])
        bystander = self.start('bystander', ['sleep', '100'])
        with open(f'{bal.run}/bal.pid', 'w', encoding='ascii') as f:
            f.write(f'{bystander.pid}\n')
        for verb in ('stop', 'graceful'):
            self.assertIn('bal is not running', bal.cli(verb, check=69).stderr)
        time.sleep(0.1)
        self.assertTrue(bystander.alive())
        # and it does not keep a new one from starting
        self.port = rig.free_port()
        self.web = self.backend('web')
        bal.write(rig.simple(self.port, [self.web.address]))
        fresh = self.bal(None, command=[rig.BAL, 'start', '-c', bal.config_path], env={'RUNTIME_DIRECTORY': bal.run},
                         wait=False)
        fresh.run = bal.run
        fresh.wait_ready()
        with open(f'{bal.run}/bal.pid', encoding='ascii') as f:
            self.assertEqual(int(f.read()), fresh.pid)
        self.assertTrue(bystander.alive())

    def test_a_second_one_in_the_same_directory(self):
        bal = self.simple()
        other = rig.simple(rig.free_port(), [self.web.address])
        with open(f'{bal.dir}/other.yaml', 'w', encoding='ascii') as f:
            f.write(other)
        done = bal.cli('start', '-c', f'{bal.dir}/other.yaml', check=1)
        self.assertIn(str(bal.pid), done.stderr)
        self.assertEqual(rig.get(self.port), 'web')
        with open(f'{bal.run}/bal.pid', encoding='ascii') as f:
            self.assertEqual(int(f.read()), bal.pid)

    def test_sigterm_drains(self):
        port = rig.free_port()
        bal = self.bal(rig.simple(port, [self.echo().address]))
        with rig.connect(port) as s:
            s.sendall(b'one')
            self.assertEqual(rig.read_exactly(s, 3), b'one')
            bal.kill(signal.SIGTERM)
            rig.wait_until(lambda: self.refused(port), 'the listener to be closed')
            s.sendall(b'two')
            self.assertEqual(rig.read_exactly(s, 3), b'two')
            self.assertTrue(bal.alive())
        self.assertEqual(bal.wait(), 0)
        bal.log_wait('daemon_stopped')

    def refused(self, port):
        try:
            rig.connect(port).close()
        except ConnectionRefusedError:
            return True
        except ConnectionResetError:  # in the midst of a handshake: the next one will tell
            return False
        return False

    def test_a_second_sigterm_ends_at_once(self):
        for first, second in ((signal.SIGTERM, signal.SIGTERM), (signal.SIGINT, signal.SIGINT)):
            port = rig.free_port()
            bal = self.bal(rig.simple(port, [self.echo().address]))
            with rig.connect(port) as s:
                s.sendall(b'one')
                self.assertEqual(rig.read_exactly(s, 3), b'one')
                bal.kill(first)
                bal.log_wait('daemon_stopping')
                self.assertTrue(bal.alive())
                start = time.monotonic()
                bal.kill(second)
                self.assertEqual(bal.wait(), 0)
                self.assertLess(time.monotonic() - start, 2 * rig.SLOW)

    def test_drain_has_an_end(self):
        port = rig.free_port()
        echo = self.echo()
        bal = self.bal(f'global: {{ drain_timeout: 1s }}\nfrontends:\n  - {{ name: f, listen: "127.0.0.1:{port}", '
                       f'backend: p }}\nbackends:\n  - {{ name: p, servers: [ {{ address: "{echo.address}" }} ] }}\n')
        with rig.connect(port) as s:
            s.sendall(b'one')
            self.assertEqual(rig.read_exactly(s, 3), b'one')
            start = time.monotonic()
            bal.kill(signal.SIGTERM)
            self.assertEqual(bal.wait(), 0)
            took = time.monotonic() - start
        self.assertGreater(took, 0.8)
        self.assertLess(took, 3 * rig.SLOW)

    def test_start_detached(self):
        bal = self.simple(detach=True)
        self.assertEqual(bal.start_status, 0)
        self.assertEqual(rig.get(self.port), 'web', 'ready when start -d returns')
        self.assertEqual(bal.status()['pid'], bal.pid)
        self.assertEqual(os.getsid(bal.pid), bal.pid, 'it has left our session')
        self.assertEqual(os.readlink(f'/proc/{bal.pid}/fd/0'), '/dev/null')
        self.assertTrue(bal.events('daemon_ready'), 'the log goes to a file in the runtime directory')
        bal.cli('stop', check=0)
        self.assertEqual(bal.wait(), 0)

    def test_start_detached_fails_loudly(self):
        with socket.socket() as taken:
            taken.bind(('127.0.0.1', 0))
            taken.listen()
            web = self.backend('web')
            bal = self.bal(rig.simple(taken.getsockname()[1], [web.address]), detach=True)
            self.assertIn(bal.start_status, (1, 77))
            self.assertIn(str(taken.getsockname()[1]), bal.stderr())
        broken = self.bal('port: nine\n', detach=True)
        self.assertEqual(broken.start_status, 78)
        self.assertIn('config.yaml:1:7', broken.stderr())

    def test_a_taken_port_names_its_owner(self):
        with socket.socket() as taken:
            taken.bind(('127.0.0.1', 0))
            taken.listen()
            port = taken.getsockname()[1]
            bal = self.bal(rig.simple(port, [self.backend('web').address]), wait=False)
            self.assertIn(bal.popen.wait(rig.READY_S), (1, 77))
            bal.expected_exit = bal.popen.returncode
            said = bal.stderr()
            self.assertIn(str(port), said)
            self.assertIn(str(os.getpid()), said, 'the owner of the port is named by pid')

    def test_first_start_writes_a_file(self):
        bal = self.bal(None, wait=False, command=['true'])
        home = f'{bal.dir}/home'
        os.mkdir(home)
        bal.env['HOME'] = home
        if os.path.exists('/etc/bal/config.yaml'):
            self.skipTest('this machine has /etc/bal/config.yaml')
        with open(f'{bal.dir}/said', 'wb') as said:
            child = subprocess.Popen([rig.BAL, 'start'], env=bal.env, stdout=said, stderr=said, cwd=bal.dir,
                                     preexec_fn=rig.die_with_parent)
        try:
            path = f'{home}/.bal/config.yaml'
            rig.wait_until(lambda: os.path.exists(path) or child.poll() is not None, 'a first file')
            self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
            with open(f'{bal.dir}/said', encoding='utf-8') as f:
                rig.wait_until(lambda: path in (f.seek(0), f.read())[1], 'start to say so')
            bal.cli('check', '-c', path, check=0)
        finally:
            if child.poll() is None:  # it ended by itself if somebody else has port 9295
                child.send_signal(signal.SIGTERM)
            child.wait(rig.STOP_S)

    def test_wrong_files(self):
        for text, status in (('port: 70000\n', 78), ('', 78), ('backends: []\n', 78)):
            bal = self.bal(text, wait=False)
            self.assertEqual(bal.popen.wait(rig.READY_S), status, text)
            bal.expected_exit = status
        bal = self.bal(None, '-c', '/nonexistent/config.yaml', wait=False)
        self.assertEqual(bal.popen.wait(rig.READY_S), 66)
        bal.expected_exit = 66

    def test_sockets_and_files_are_private(self):
        bal = self.simple()
        for name in ('status.sock', 'admin.sock', 'bal.pid'):
            mode = os.stat(f'{bal.run}/{name}').st_mode
            self.assertEqual(stat.S_IMODE(mode) & 0o002, 0, name)
        self.assertEqual(os.stat(f'{bal.run}/admin.sock').st_mode & 0o006, 0)

    def test_the_log_tells_its_life(self):
        bal = self.simple()
        bal.reload()
        bal.cli('stop', check=0)
        bal.wait()
        events = [record['event'] for record in bal.log()]
        for event in ('daemon_starting', 'daemon_ready', 'config_loaded', 'admin_call', 'daemon_stopping',
                      'daemon_stopped'):
            self.assertIn(event, events)
        self.assertLess(events.index('daemon_starting'), events.index('daemon_ready'))


if __name__ == '__main__':
    rig.main()
