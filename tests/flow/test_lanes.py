#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""One session: idle time, half-closed sides, resets, and what is counted at its end."""

import contextlib
import os
import socket
import struct
import time

import rig


class IdleTime(rig.FlowTest):
    IDLE_S = 1.0

    def start_bal(self, address):
        self.port = rig.free_port()
        return self.bal(rig.simple(self.port, [address], runtime={'connection_idle_timeout_ms': int(self.IDLE_S * 1000)}))

    def test_a_silent_session_ends(self):
        bal = self.start_bal(self.echo().address)
        with rig.connect(self.port) as s:
            s.sendall(b'x')
            self.assertEqual(s.recv(1), b'x')
            start = time.monotonic()
            with contextlib.suppress(ConnectionResetError):
                self.assertEqual(s.recv(1), b'')
            took = time.monotonic() - start
        self.assertGreater(took, self.IDLE_S * 0.8)
        self.assertLess(took, self.IDLE_S * 2 + rig.SLOW)
        self.assert_idle(bal)
        self.assertEqual(sum(bal.status()['closed'].values()), 1)

    def test_a_session_that_never_said_anything_ends(self):
        bal = self.start_bal(self.echo().address)
        with rig.connect(self.port) as s, contextlib.suppress(ConnectionResetError):
            self.assertEqual(s.recv(1), b'')
        self.assert_idle(bal)

    def test_bytes_up_keep_it(self):
        got = []

        def sink(s):
            while True:
                data = s.recv(100)
                if not data:
                    return
                got.append(data)
        self.start_bal(rig.serve(self, sink))
        with rig.connect(self.port) as s:
            for _ in range(14):
                s.sendall(b'x')
                time.sleep(self.IDLE_S / 4)
        rig.wait_until(lambda: len(b''.join(got)) == 14, f'all bytes, not {got}')

    def test_bytes_down_keep_it(self):
        def source(s):
            for _ in range(14):
                s.sendall(b'x')
                time.sleep(self.IDLE_S / 4)
        self.start_bal(rig.serve(self, source))
        with rig.connect(self.port) as s:
            self.assertEqual(rig.read_all(s), b'x' * 14)


class HalfClose(rig.FlowTest):
    def start_bal(self, address):
        self.port = rig.free_port()
        return self.bal(rig.simple(self.port, [address]))

    def test_the_answer_comes_after_the_clients_fin(self):
        def server(s):
            data = rig.read_all(s)
            s.sendall(data[::-1] * 3)
        bal = self.start_bal(rig.serve(self, server))
        data = os.urandom(200000)
        with rig.connect(self.port) as s:
            s.sendall(data)
            s.shutdown(socket.SHUT_WR)
            self.assertEqual(rig.read_all(s), data[::-1] * 3)
        self.assert_idle(bal)
        self.assert_sessions_balance(bal)

    def test_the_server_shuts_first_and_goes_on_reading(self):
        got = []

        def server(s):
            s.sendall(b'that was all from me')
            s.shutdown(socket.SHUT_WR)
            got.append(rig.read_all(s))
        bal = self.start_bal(rig.serve(self, server))
        data = os.urandom(200000)
        with rig.connect(self.port) as s:
            self.assertEqual(rig.read_all(s), b'that was all from me')
            time.sleep(0.2)
            s.sendall(data)
        rig.wait_until(lambda: got, 'the server to see the end')
        self.assertEqual(got[0], data)
        self.assert_idle(bal)

    def test_a_fin_right_behind_the_request(self):
        def server(s):
            s.sendall(b'%d bytes' % len(rig.read_all(s)))
        self.start_bal(rig.serve(self, server))
        for n in list(range(0, 20)) + [1000, 16383, 16384, 16385, 65536, 131072]:
            with rig.connect(self.port) as s:
                s.sendall(b'x' * n)
                s.shutdown(socket.SHUT_WR)
                self.assertEqual(rig.read_all(s), b'%d bytes' % n)

    def test_a_client_that_says_nothing_at_all(self):
        def server(s):
            self.assertEqual(s.recv(1), b'')
        bal = self.start_bal(rig.serve(self, server))
        for _ in range(50):
            rig.connect(self.port).close()
        self.assert_idle(bal)
        self.assert_sessions_balance(bal)


def reset(s):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    s.close()


class WhoSpeaksFirst(rig.FlowTest):
    def test_a_server_that_speaks_first(self):
        """As MySQL and SMTP do. It must hear of the connection although the client says nothing."""
        def greet(s):
            s.sendall(b'hello')
            s.recv(1)
        port, took = rig.free_port(), []
        self.bal(rig.simple(port, [rig.serve(self, greet)]))
        for _ in range(5):
            start = time.monotonic()
            with rig.connect(port) as s:
                self.assertEqual(rig.read_exactly(s, 5), b'hello')
            took.append(time.monotonic() - start)
        self.assertLess(min(took), 0.1)  # a delayed ACK of the kernel takes 200 ms, each time


    def test_a_client_that_says_it_in_two_writes(self):
        """With Nagle the second one waits for the ACK of the first, which shall not wait for an answer."""
        def answer(s):
            rig.read_exactly(s, 4)
            s.sendall(b'both')
        port, took = rig.free_port(), []
        self.bal(rig.simple(port, [rig.serve(self, answer)]))
        for _ in range(10):
            with socket.create_connection(('127.0.0.1', port), 10) as s:
                start = time.monotonic()
                s.sendall(b'on')
                s.sendall(b'ce')
                self.assertEqual(rig.read_exactly(s, 4), b'both')
                took.append(time.monotonic() - start)
        self.assertLess(min(took), 0.03)  # a delayed ACK of the kernel takes 40 ms, each time


class DeadPeers(rig.FlowTest):
    KEEP_ALIVE = '02'  # the timer of a connection in /proc/net/tcp

    def timers_to(self, port):
        with open('/proc/net/tcp', encoding='ascii') as f:
            rows = [line.split() for line in f.readlines()[1:]]
        return [row[5].split(':')[0] for row in rows if row[2].endswith(f':{port:04X}') and row[3] == '01']

    def test_a_session_that_lives_is_watched_from_then_on(self):
        server, port = self.echo(), rig.free_port()
        self.bal(rig.simple(port, [server.address]))
        server_port = int(server.address.rpartition(':')[2])
        with rig.connect(port) as s:
            s.sendall(b'x')
            self.assertEqual(s.recv(1), b'x')
            self.assertEqual(self.timers_to(port), ['00'])  # the client of this test has none
            self.assertNotIn(self.KEEP_ALIVE, self.timers_to(server_port))
            rig.wait_until(lambda: self.timers_to(server_port) == [self.KEEP_ALIVE], 'keep-alive of the backend', 10)


class Ends(rig.FlowTest):
    def test_every_end_is_counted_once(self):
        """Clients and servers leave in every way there is; the sum of reasons fits."""
        def moody(s):
            order = s.recv(1)
            if order == b'r':
                reset(s)
            elif order == b'c':
                s.close()
            elif order == b'e':
                s.sendall(rig.read_all(s))
            else:
                rig.read_all(s)
        port = rig.free_port()
        bal = self.bal(rig.simple(port, [rig.serve(self, moody)], runtime={
            'connection_idle_timeout_ms': 1500, 'max_concurrent_connections': 200}))
        fds = bal.fds()
        held = []
        for i in range(120):
            s = rig.connect(port)
            what = i % 6
            if what == 0:
                s.sendall(b'r')
                held.append(s)
            elif what == 1:
                s.sendall(b'c')
                held.append(s)
            elif what == 2:
                s.sendall(b'e' + b'x' * i)
                s.shutdown(socket.SHUT_WR)
                self.assertEqual(rig.read_all(s), b'x' * i)
                s.close()
            elif what == 3:
                s.sendall(b'k')
                reset(s)
            elif what == 4:
                s.close()
            else:
                s.sendall(b'k')
                held.append(s)  # until it is idle for too long
        rig.wait_until(lambda: bal.status()['active_connections'] == 0, 'all to end', 10)
        status = bal.status()
        print('closed:', status['closed'])
        self.assertEqual(status['connections_total'], 120)
        self.assertEqual(sum(status['closed'].values()), 120)
        self.assertGreaterEqual(len([n for n in status['closed'].values() if n]), 3)
        for s in held:
            s.close()
        rig.wait_until(lambda: bal.fds() <= fds + 2, 'the descriptors to be closed')

    def test_a_reset_is_passed_on(self):
        seen = []

        def server(s):
            s.sendall(b'x')
            try:
                seen.append(s.recv(1))
            except ConnectionResetError:
                seen.append(b'')
        port = rig.free_port()
        # without checks, which end with a reset themselves
        bal = self.bal(rig.simple(port, [rig.serve(self, server)], 'health_check: {type: none}'))
        s = rig.connect(port)
        self.assertEqual(s.recv(1), b'x')
        reset(s)
        rig.wait_until(lambda: seen == [b''], 'the server to see the end')
        self.assert_idle(bal)

    def test_stalled_reader_does_not_cost_memory(self):
        """A server that pours into a client that reads nothing: bal holds a buffer, not the stream."""
        def pour(s):
            with contextlib.suppress(OSError):
                for _ in range(400):
                    s.sendall(b'x' * 65536)
        port = rig.free_port()
        bal = self.bal(rig.simple(port, [rig.serve(self, pour)]))
        clients = [rig.connect(port) for _ in range(10)]
        time.sleep(1)
        before = bal.pss_kib()
        cpu = bal.cpu_s()
        time.sleep(1)
        self.assertLess(bal.cpu_s() - cpu, 0.2 * rig.SLOW, 'it waits, it does not spin')
        self.assertLess(bal.pss_kib() - before, 2048)
        for s in clients:
            s.close()
        self.assert_idle(bal)


if __name__ == '__main__':
    rig.main()
