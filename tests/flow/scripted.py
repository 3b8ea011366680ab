# SPDX-License-Identifier: MIT
"""What tests of the command line share: daemons that say what they are told, and real terminals."""

import contextlib
import copy
import fcntl
import json
import os
import pty
import select
import signal
import socket
import struct
import sys
import termios
import threading
import time
import unicodedata

import rig

SINCE = '2026-11-20T12:00:00.000Z'
HANGUL = '\ud55c\uae00\uc11c\ubc84.example:8080'  # four letters, eight cells


def backend(pool, name, state='up', **more):
    """One of a status document, as the daemon writes it."""
    check = {'type': 'tcp', 'last_result': 'ok', 'last_time': SINCE, 'duration_ms': 1, 'interval_ms': 1000,
             'passed': 5, 'failed': 0, 'failed_in_a_row': 0, 'passed_in_a_row': 5, 'fall': 3, 'rise': 2}
    return {'address': name, 'name': name, 'pool': pool, 'state': state, 'since': SINCE, 'reason': None,
            'reason_text': None, 'weight': 10, 'weight_configured': 10, 'slow_start_percent': None, 'backup': False,
            'max_connections': 0, 'reachable': state == 'up', 'retry_in_ms': None, 'deadline_in_ms': None,
            'oldest_connection_s': None, 'check': check, 'state_changes': 0, 'new_per_s': 0.0, 'failed_per_s': 0.0,
            'active_connections': 0, 'idle_connections': 0, 'connections_total': 0, 'bytes_in': 0, 'bytes_out': 0,
            'last_check_time': None, 'counters': {'timeout': 0, 'refused': 0, 'other': 0, 'closed': 0}, **more}


def pool(name, backends, **protection):
    own = [b for b in backends if b['pool'] == name]
    return {'name': name, 'backend_total': len(own), 'backend_reachable': sum(b['reachable'] for b in own),
            'unavailable_total': 0,
            'protection': {'enabled': False, 'reason': None, 'since': None, 'failures': 0, 'trigger': 10,
                           'window_ms': 30000, 'successes': 0, 'stable': 12, 'activations': {}, 'last_ms': None,
                           **protection}}


def status(backends, **more):
    """A whole document of io.bal.Status.Get."""
    names = list(dict.fromkeys(b['pool'] for b in backends))
    return {'verdict': 'OK', 'version': '1.0.0', 'hostname': 'lb1.example', 'running': True, 'pid': 4242,
            'uptime_s': 274320, 'config_path': '/etc/bal/config.yaml', 'config_number': 17, 'config_loaded_at': SINCE,
            'bind_address': '0.0.0.0', 'port': 9295, 'method': 'round_robin', 'draining': False, 'restarting': False,
            'workers': 2,
            'backend_total': len(backends), 'backend_reachable': sum(b['reachable'] for b in backends),
            'backends': backends, 'active_connections': 14210, 'max_connections': 80000, 'connections_total': 99,
            'rejected_total': 7, 'last_check_time': SINCE, 'protection_mode': {'enabled': False, 'reason': None},
            'rates': {'new_per_s': 4736.2, 'rejected_per_s': 0.0, 'timeout_per_s': 0.62, 'refused_per_s': 2.1,
                      'other_per_s': 0.0},
            'frontends': [], 'pools': [pool(name, backends) for name in names], 'leaving': [], 'closed': {},
            'log_dropped': 0, **more}


class Daemon:
    """Answers on both sockets of run_dir. answers: method -> parameters, an Error, or a function of the call's
    parameters that returns either. calls: what was asked, Get left out."""

    class Error:
        def __init__(self, name, **parameters):
            self.reply = {'error': name, 'parameters': parameters}

    def __init__(self, test, run_dir, **answers):
        self.answers, self.calls, self.run_dir = answers, [], run_dir
        self.listeners, self.clients = [], []
        self.start()
        test.addCleanup(self.stop)

    def start(self):
        for name in ('status.sock', 'admin.sock'):
            path = os.path.join(self.run_dir, name)
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(path)
            listener.listen(8)
            self.listeners.append((listener, path))
            threading.Thread(target=self.accept, args=(listener,), daemon=True).start()

    def stop(self):
        for listener, path in self.listeners:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
            os.unlink(path)
        for client in self.clients:
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
        self.listeners, self.clients = [], []

    def accept(self, listener):
        with contextlib.suppress(OSError):
            while True:
                client = listener.accept()[0]
                self.clients.append(client)
                threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        pending = b''
        with client, contextlib.suppress(OSError):
            while part := client.recv(65536):
                pending += part
                while b'\0' in pending:
                    call, _, pending = pending.partition(b'\0')
                    client.sendall(json.dumps(self.answer(json.loads(call))).encode() + b'\0')

    def answer(self, call):
        method, parameters = call['method'].rpartition('.')[2], call.get('parameters') or {}
        if method != 'Get':
            self.calls.append((method, parameters))
        answer = self.answers.get(method, self.Error('org.varlink.service.MethodNotFound', method=method))
        if callable(answer):
            answer = answer(parameters)
        return answer.reply if isinstance(answer, self.Error) else {'parameters': copy.deepcopy(answer)}


class Terminal:
    """bal on a terminal of its own: what it writes, and who answers it."""

    def __init__(self, test, argv, env, columns=80, rows=24, user=None):
        self.said = b''
        self.status = None
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            try:
                rig.die_with_parent()
                fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack('HHHH', rows, columns, 0, 0))
                os.execve(argv[0], argv, env)
            finally:
                os._exit(126)
        test.addCleanup(self.end)

    def read(self, seconds):
        """Whatever comes within that time; False: nothing more will."""
        if not select.select([self.fd], [], [], seconds)[0]:
            return True
        try:
            part = os.read(self.fd, 65536)
        except OSError:
            part = b''
        self.said += part
        return bool(part)

    def wait_for(self, text, times=1, timeout=10.0):
        end = time.monotonic() + timeout * rig.SLOW
        while self.said.count(text.encode()) < times:
            if time.monotonic() > end or not self.read(0.1):
                raise AssertionError(f'waited for {times} times {text!r}, and there is {self.said!r}')

    def write(self, text):
        os.write(self.fd, text.encode())

    def resize(self, columns, rows):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack('HHHH', rows, columns, 0, 0))

    def wait(self, timeout=10.0):
        """The exit status; of a signal below 0."""
        end = time.monotonic() + timeout * rig.SLOW
        while self.read(0.1):
            if time.monotonic() > end:
                raise AssertionError(f'still there, after {self.said!r}')
        while self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
            elif time.monotonic() > end:
                raise AssertionError(f'it closed the terminal and lives, after {self.said!r}')
            else:
                time.sleep(0.01)
        return self.status

    def end(self):
        if self.status is None:
            with contextlib.suppress(OSError):
                os.kill(self.pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self.pid, 0)
        os.close(self.fd)


def cells(text):
    """Columns of a terminal that it takes."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in 'WF' else 1 for c in text)


if __name__ == '__main__':
    sys.exit('a part of the flow tests')
