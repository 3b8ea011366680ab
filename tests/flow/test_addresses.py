#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""IPv4, IPv6, both at once, Unix sockets: as listeners and as backends."""

import os
import signal
import socket
import stat
import threading
import time

import rig


def full(listens, servers):
    return ('frontends:\n  - name: web\n    listen: [' + ', '.join(f'"{x}"' for x in listens) + ']\n'
            '    backend: pool\nbackends:\n  - name: pool\n    servers:\n' +
            ''.join(f'      - {{ address: "{x}" }}\n' for x in servers))


class Addresses(rig.FlowTest):
    def test_dual_stack(self):
        port = rig.free_port()
        web = self.backend('six', address='[::1]:0')
        self.bal(rig.simple(port, [web.address], 'bind_address: "::"'))
        self.assertEqual(rig.get(f'127.0.0.1:{port}'), 'six')
        self.assertEqual(rig.get(f'[::1]:{port}'), 'six')

    def test_ipv6_alone(self):
        port = rig.free_port()
        web = self.backend('four')
        self.bal(full([f'[::1]:{port}'], [web.address]))
        self.assertEqual(rig.get(f'[::1]:{port}'), 'four')
        with self.assertRaises(ConnectionRefusedError):
            rig.connect(f'127.0.0.1:{port}')

    def test_ipv4_any(self):
        port = rig.free_port()
        web = self.backend('four')
        self.bal(rig.simple(port, [web.address], 'bind_address: "0.0.0.0"'))
        self.assertEqual(rig.get(f'127.9.9.9:{port}'), 'four')
        with self.assertRaises(ConnectionRefusedError):
            rig.connect(f'[::1]:{port}')

    def test_several_listeners_of_one_frontend(self):
        one, two = rig.free_port(), rig.free_port()
        path = f'{self.dir}/web.sock'
        web = self.backend('web')
        bal = self.bal(full([f'127.0.0.1:{one}', f'[::1]:{two}', f'unix:{path}'], [web.address]))
        for address in (f'127.0.0.1:{one}', f'[::1]:{two}', f'unix:{path}'):
            self.assertEqual(rig.get(address), 'web')
        self.assert_idle(bal)
        self.assert_sessions_balance(bal)

    def test_unix_backend(self):
        port = rig.free_port()
        web = self.backend('local', address=f'unix:{self.dir}/local.sock')
        bal = self.bal(rig.simple(port, [web.address]))
        self.assertEqual(self.knock(port, 100)['by_backend'], {'local': 100})
        self.assertEqual(bal.status()['backends'][0]['address'], web.address)

    def test_unix_both_ways_carries_megabytes(self):
        path = f'{self.dir}/front.sock'
        echo = self.echo(address=f'unix:{self.dir}/back.sock')
        self.bal(full([f'unix:{path}'], [echo.address]))
        data = os.urandom(1 << 20) * 8
        self.assertEqual(self.through_echo(f'unix:{path}', data), data)

    def through_echo(self, address, data):
        with rig.connect(address) as s:
            sender = rig.threading.Thread(target=lambda: (s.sendall(data), s.shutdown(socket.SHUT_WR)))
            sender.start()
            got = rig.read_all(s)
            sender.join()
        return got

    def test_a_unix_listener_left_behind_is_taken_over_and_removed_at_the_end(self):
        path = f'{self.dir}/front.sock'
        web = self.backend('web')
        config = full([f'unix:{path}'], [web.address])
        first = self.bal(config)
        first.kill(signal.SIGKILL)
        first.expected_exit = -signal.SIGKILL
        first.wait()
        self.assertTrue(stat.S_ISSOCK(os.stat(path).st_mode))
        second = self.bal(config)
        self.assertEqual(rig.get(f'unix:{path}'), 'web')
        second.kill(signal.SIGTERM)
        self.assertEqual(second.wait(), 0)
        self.assertFalse(os.path.exists(path))

    def test_a_unix_listener_in_use_is_left_alone(self):
        path = f'{self.dir}/front.sock'
        web = self.backend('web')
        config = full([f'unix:{path}'], [web.address])
        self.bal(config)
        second = self.bal(config, wait=False)
        self.assertIn(second.popen.wait(rig.READY_S), (1, 77))
        second.expected_exit = second.popen.returncode
        self.assertIn('front.sock', second.stderr())
        self.assertEqual(rig.get(f'unix:{path}'), 'web')

    def test_a_plain_file_is_never_replaced(self):
        path = f'{self.dir}/file'
        with open(path, 'w', encoding='ascii') as f:
            f.write('keep me')
        web = self.backend('web')
        bal = self.bal(full([f'unix:{path}'], [web.address]), wait=False)
        self.assertIn(bal.popen.wait(rig.READY_S), (1, 77))
        bal.expected_exit = bal.popen.returncode
        with open(path, encoding='ascii') as f:
            self.assertEqual(f.read(), 'keep me')

    def test_a_full_queue_of_a_unix_backend(self):
        """It is full for a moment, not dead: nobody is turned away."""
        path, port = f'{self.dir}/slow', rig.free_port()
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path)
            server.listen(2)

            def serve():
                for _ in range(30):
                    s, _ = server.accept()
                    time.sleep(0.005)
                    s.sendall(b'served')
                    s.close()
            thread = threading.Thread(target=serve, daemon=True)
            bal = self.bal(rig.simple(port, [f'unix:{path}'], 'health_check: { type: none }', runtime={
                'backend_connect_timeout_ms': 5000}))
            clients = [rig.connect(port) for _ in range(30)]
            thread.start()
            for s in clients:
                with s:
                    s.settimeout(10 * rig.SLOW)
                    self.assertEqual(rig.read_exactly(s, 6), b'served')
            self.assertEqual(bal.status()['backends'][0]['counters'], {'timeout': 0, 'refused': 0, 'other': 0, 'closed': 0})
            thread.join()


if __name__ == '__main__':
    rig.main()
