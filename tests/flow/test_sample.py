#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""sample/run.sh as people run it, on ports of our own; and what the sample's server promises."""

import os
import signal
import socket
import subprocess
import time

import rig

RUN = f'{rig.SOURCE}/sample/run.sh'
BUILD = os.path.dirname(os.path.dirname(rig.SAMPLE_BACKEND))


class RunScript(rig.FlowTest):
    def start_sample(self, *ports):
        env = rig.clean_env(f'{self.dir}/sanitizer')
        env['TMPDIR'] = self.dir
        return self.start('sample', ['bash', RUN, '--build', BUILD, '--port', str(ports[0]), '--backend-ports',
                                     f'{ports[1]},{ports[2]}'], env=env, start_new_session=True)

    def test_curl_sees_both_in_turn(self):
        self.need('curl')
        ports = [rig.free_port() for _ in range(3)]
        sample = self.start_sample(*ports)
        rig.wait_until(lambda: 'Ctrl-C ends all of it' in sample.output() or not sample.alive(), 'the sample to run', 20)
        self.assertTrue(sample.alive(), sample.output())
        answers = [self.run_ok(['curl', '-s', f'http://localhost:{ports[0]}/']) for _ in range(6)]
        self.assertEqual({a.split()[0] for a in answers}, {'one', 'two'})
        self.assertTrue(all(a.split()[0] != b.split()[0] for a, b in zip(answers, answers[1:])), answers)

        # what it tells people to type does work
        told = [line.strip() for line in sample.output().splitlines() if line.startswith('    ')]
        env = {**os.environ, 'RUNTIME_DIRECTORY': next(x for x in told if x.startswith('export ')).split('=')[1]}
        status = next(x for x in told if x.endswith(' status'))
        self.assertIn(str(ports[0]), self.run_ok(status.split(), env=env))

        children = self.children(sample.pid)
        self.assertEqual(len(children), 3)
        sample.send_signal(signal.SIGTERM)
        sample.wait()
        self.assertFalse([pid for pid in children if os.path.exists(f'/proc/{pid}')])
        self.assertEqual([name for name in os.listdir(self.dir) if name.startswith(('bal-sample', 'sanitizer'))], [])

    def children(self, pid):
        with open(f'/proc/{pid}/task/{pid}/children', encoding='ascii') as f:
            return [int(child) for child in f.read().split()]

    def test_it_ends_when_bal_is_stopped(self):
        sample = self.start_sample(*[rig.free_port() for _ in range(3)])
        rig.wait_until(lambda: 'Ctrl-C ends all of it' in sample.output() or not sample.alive(), 'the sample to run', 20)
        self.assertTrue(sample.alive(), sample.output())
        stop = next(line.strip() for line in sample.output().splitlines() if line.endswith(' stop'))
        run = next(line for line in sample.output().splitlines() if 'export ' in line).split('=')[1]
        self.run_ok(stop.split(), env={**os.environ, 'RUNTIME_DIRECTORY': run})
        self.assertEqual(sample.wait(), 0)
        self.assertIn('bal was stopped', sample.output())

    def test_a_taken_port_has_an_owner(self):
        ports = [rig.free_port() for _ in range(3)]
        for taken in ports:
            with socket.socket() as s:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                s.bind(('127.0.0.1', taken))
                s.listen()
                sample = self.start_sample(*ports)
                self.assertEqual(sample.wait(), 1)
                self.assertIn(f'port {taken} is taken by pid {os.getpid()}', sample.output())


class Backend(rig.FlowTest):
    def test_http(self):
        web = self.backend('web')
        with rig.connect(web.address) as s:
            s.sendall(b'GET / HTTP/1.1\r\n\r\n' * 50)  # pipelined
            text = b''
            while text.count(b'web request') < 50:
                text += s.recv(65536)
            self.assertIn(b'web request 50\n', text)
            s.sendall(b'HEAD / HTTP/1.1\r\n\r\n')
            head = s.recv(65536)
            self.assertTrue(head.endswith(b'\r\n\r\n'))
            s.sendall(b'GET / HTTP/1.1\r\nconnection: Close\r\n\r\nGET / HTTP/1.1\r\n\r\n')
            self.assertEqual(rig.read_all(s).count(b'HTTP/1.1 200'), 1)

    def test_bad_requests_get_an_answer_and_the_end(self):
        web = self.backend('web')
        for request, status in ((b'nonsense\r\n\r\n', b'400'), (b'POST / HTTP/1.1\r\n\r\n', b'405'),
                                (b'GET / HTTP/1.1\r\nX: ' + b'x' * 9000, b'431'), (b'GET / HTTP/1.1\0\r\n\r\n', b'400'),
                                (b'\x16\x03\x01' + bytes(200) + b'\r\n\r\n', b'400')):
            with rig.connect(web.address) as s:
                s.sendall(request)
                self.assertEqual(rig.read_all(s).split()[1], status, request[:40])
        self.assertEqual(rig.get(web.address), 'web')

    def test_echo_sends_the_rest_after_the_fin(self):
        echo = self.echo()
        data = os.urandom(3 << 20)
        with rig.connect(echo.address) as s:
            sender = rig.threading.Thread(target=lambda: (s.sendall(data), s.shutdown(socket.SHUT_WR)))
            sender.start()
            time.sleep(0.2)
            self.assertEqual(rig.read_all(s), data)
            sender.join()

    def test_it_says_what_is_wrong(self):
        echo = self.echo()
        for address, status, words in ((echo.address, 1, 'in use'), ('nowhere', 1, 'ADDR:PORT'), ('1.2.3.4:x', 1, 'bad'),
                                       ('unix:', 1, 'bad path'), ('unix:/nonexistent/x', 1, 'No such file')):
            done = subprocess.run([rig.SAMPLE_BACKEND, '--listen', address, '--name', 'x'], capture_output=True, text=True,
                                  timeout=10 * rig.SLOW)
            self.assertEqual(done.returncode, status)
            self.assertIn(words, done.stderr)
        done = subprocess.run([rig.SAMPLE_BACKEND], capture_output=True, timeout=10 * rig.SLOW)
        self.assertEqual(done.returncode, 64)

    def test_it_ends_clean(self):
        web = self.backend('web', address=f'unix:{self.dir}/web.sock')
        with rig.connect(web.address):
            web.send_signal(signal.SIGTERM)
            self.assertEqual(web.wait(), 0)
        self.assertFalse(os.path.exists(f'{self.dir}/web.sock'))


if __name__ == '__main__':
    rig.main()
