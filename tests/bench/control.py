# SPDX-License-Identifier: MIT
"""Asks a running bal, over its sockets (Varlink: one JSON object, then a zero byte)."""

import json
import os
import socket
import threading

import stage

PATIENCE_S = 10
POLL_S = 1.0


def call_raw(process, method, parameters=None, sock='status.sock'):
    """The reply as it came; process is one of proxies.start_bal()."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(PATIENCE_S)
        s.connect(os.path.join(process.run_dir, sock))
        s.sendall(json.dumps({'method': method, 'parameters': parameters or {}}).encode() + b'\0')
        parts = []
        while not parts or not parts[-1].endswith(b'\0'):
            parts.append(s.recv(65536))
            if not parts[-1]:
                raise stage.Failure(f'bal does not answer {method}')
    return b''.join(parts)[:-1]


def call(process, method, parameters=None, sock='status.sock'):
    """The parameters of the reply."""
    reply = json.loads(call_raw(process, method, parameters, sock))
    if 'error' in reply:
        raise stage.Failure(f'{method}: {reply}')
    return reply['parameters']


def status(process):
    return call(process, 'io.bal.Status.Get')


def reload(process, text):
    """Puts another configuration in the place of bal's, in one step, and has it read."""
    with open(process.config + '.new', 'w', encoding='utf-8') as f:
        f.write(text)
    os.rename(process.config + '.new', process.config)
    return call(process, 'io.bal.Admin.Reload', sock='admin.sock')


def wait_idle(process):
    stage.wait_until(lambda: status(process)['active_connections'] == 0, 'all sessions to end', 30)


class Poller:
    """Somebody who wants to know how it goes, as bal-top does, while the block runs."""

    def __init__(self, process):
        self.process, self.over, self.failed = process, threading.Event(), None
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        try:
            while not self.over.is_set():
                status(self.process)
                self.over.wait(POLL_S)
        except (OSError, ValueError, KeyError, stage.Failure) as e:
            self.failed = e

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *exception):
        self.over.set()
        self.thread.join()
        if self.failed and not exception[0]:
            raise stage.Failure(f'status: {self.failed}')
