# SPDX-License-Identifier: MIT
"""What a proxy costs before it has done anything: how long it takes to start, memory, size."""

import dataclasses
import os
import shutil
import socket
import subprocess
import time

import proxies
import stage
from loads import Sample

READY_S = 10


class Manager:
    """The socket on which a daemon says READY=1, as systemd gives it one."""

    def __init__(self, s):
        self.path = s.path(s.name_for('notify'))
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.settimeout(READY_S)

    def wait(self):
        try:
            while b'READY=1' not in self.socket.recv(4096).split(b'\n'):
                pass
        except TimeoutError:
            raise stage.Failure(f'bal has not said READY=1 within {READY_S} s') from None
        finally:
            self.socket.close()


@dataclasses.dataclass(frozen=True)
class Start:
    """From fork() to READY=1 for bal, to the first connection that is taken for those who say nothing
    like it in the foreground; and what is resident then."""

    def run_own(self, s, kind, setting, addresses):
        manager = Manager(s)
        began = time.monotonic()
        proxy = proxies.start(s, kind, setting, addresses, wait=False, notify=manager.path)
        if kind == 'bal':
            manager.wait()
        else:
            proxy.wait(step=0.0005)
            manager.socket.close()
        took = time.monotonic() - began
        proxy.wait()
        time.sleep(0.2)  # a master has its workers by then
        sample = Sample(values={'start_ms': took * 1000, 'rss_mib': stage.rss_kib(proxy.process.pids()) / 1024})
        s.end(proxy.process)
        return sample


@dataclasses.dataclass(frozen=True)
class Size:
    """Of the program without symbols; what it loads besides is not counted."""

    def run_own(self, s, kind, setting, addresses):
        if not shutil.which('strip'):
            raise stage.Failure('there is no strip (Debian: binutils)')
        path = s.path('stripped')
        subprocess.run(['strip', '-o', path, proxies.program(kind)], check=True, stderr=subprocess.DEVNULL)
        return Sample(values={'size_kb': os.path.getsize(path) / 1000})
