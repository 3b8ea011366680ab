#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A Varlink client of the standard library only, so that what we test is not our own C.

    with Client('/run/bal/status.sock') as c:
        parameters, error = c.call('io.bal.Status.Get')

Also a program: varlink_client.py SOCKET METHOD [PARAMETERS] prints the reply, exit 0, 1 (error).
"""

import json
import socket
import sys


class Gone(Exception):
    """The daemon closed the connection."""


class Client:
    def __init__(self, path, timeout=10.0):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(timeout)
        try:
            self.sock.connect(path)
        except OSError:
            self.sock.close()
            raise
        self.held = b''

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def send(self, method, parameters=None, **flags):
        """Sends a call and does not wait; flags: more, oneway, upgrade."""
        call = {'method': method, **flags}
        if parameters is not None:
            call['parameters'] = parameters
        self.send_bytes(json.dumps(call).encode() + b'\0')

    def send_bytes(self, data):
        self.sock.sendall(data)

    def receive(self):
        """The next message as it came, a dict. Gone: the end of the connection."""
        while b'\0' not in self.held:
            try:
                data = self.sock.recv(65536)
            except ConnectionResetError:
                data = b''
            if not data:
                raise Gone(f'connection closed with {len(self.held)} bytes of a reply')
            self.held += data
        message, self.held = self.held.split(b'\0', 1)
        reply = json.loads(message)
        if not isinstance(reply, dict) or not isinstance(reply.get('parameters'), dict):
            raise ValueError(f'not a reply: {message!r}')
        return reply

    def call(self, method, parameters=None):
        """(parameters, None) or (parameters of the error, its name)."""
        self.send(method, parameters)
        reply = self.receive()
        return reply['parameters'], reply.get('error')

    def wait_closed(self):
        """Until the daemon closes; raises TimeoutError if it does not."""
        try:
            while self.sock.recv(65536):
                pass
        except ConnectionResetError:
            pass


def main(path, method, parameters='null'):
    with Client(path) as c:
        answer, error = c.call(method, json.loads(parameters))
    if error:
        print(error, file=sys.stderr)
    print(json.dumps(answer, indent=2, ensure_ascii=False))
    return 1 if error else 0


if __name__ == '__main__':
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
