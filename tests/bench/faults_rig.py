# SPDX-License-Identifier: MIT
"""What a case of faults.py works with: a network of its own, backends that fail when told to, one proxy."""

import asyncio
import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time

import faults_load as load
import faults_proxies
import stage
from faults_proxies import Server, Setting

HERE = os.path.dirname(os.path.abspath(__file__))
CLONE_NEWNET = 0x40000000
FAULT_AFTER_S = 0.5
SETTLE_S = 0.5  # the first checks of a proxy that has just started
AWAY = '10.9.0.1'  # an address that comes and goes, unlike those of 127.0.0.0/8
PORTS = (9000, 8000)  # of backends and proxy, where there is nobody else


class Skip(Exception):
    """A case cannot run on this machine; the text says why."""


# ---- the network ----

def fresh_network():
    """One of our own from here on, with a loopback device and nothing else; the one before ends with its last user."""
    if not faults_proxies.tool('ip'):
        raise Skip('no ip (Debian: iproute2)')
    if stage.libc.unshare(CLONE_NEWNET):
        raise Skip(f'no network namespace: {os.strerror(ctypes.get_errno())}')
    command('ip', 'link', 'set', 'lo', 'up')


def command(name, *args, text=None):
    path = faults_proxies.tool(name)
    if not path:
        raise Skip(f'no {name}')
    done = subprocess.run([path, *args], input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False)
    if done.returncode:
        raise Skip(f'{name} {" ".join(args)}: {done.stdout.strip()[:200]}')


def nft(rule):
    """The only rule for what arrives at this host; none: an empty text. On arrival, as what is dropped on its way
    out may be an error of connect() instead of a loss."""
    command('nft', '-f', '-', text=f'''
table inet faults
delete table inet faults
table inet faults {{
    chain input {{
        type filter hook input priority 0
        {rule}
    }}
}}
''')


def lose_syns(percent, port):
    nft(f'tcp dport {port} tcp flags & (syn|ack) == syn numgen random mod 1000 < {round(percent * 10)} drop')


def few_ports(first, last):
    try:
        with open('/proc/sys/net/ipv4/ip_local_port_range', 'w', encoding='ascii') as f:
            f.write(f'{first} {last}')
    except OSError as e:
        raise Skip(f'ip_local_port_range: {e}') from None


# ---- backends ----

class Backend:
    """faults_server.py on one address. Another process is ready to take over the address after kill()."""

    def __init__(self, s, name, address, options):
        self.stage, self.name, self.address = s, name, address
        self.argv = [sys.executable, os.path.join(HERE, 'faults_server.py'), name, address, *options]
        self.process, self.spare, self.started = None, self.start(), []

    def start(self):
        return self.stage.start('backend', self.argv, stdin=subprocess.PIPE)

    def has_said(self, process, word):
        if not process.alive():
            raise stage.Failure(f'a backend ended: {process.output().strip()[-500:]}')
        return any(line.endswith(word) for line in process.output().splitlines())

    def prepare(self):
        """A process that lacks nothing but its listener."""
        self.spare = self.spare or self.start()
        stage.wait_until(lambda: self.has_said(self.spare, ' ready'), 'a backend')

    def listen(self):
        self.prepare()
        self.process, self.spare = self.spare, None
        self.started.append(self.process)
        self.tell('listen')
        stage.wait_until(lambda: self.has_said(self.process, ' listens'), 'a backend to listen', step=0.001)

    def tell(self, text):
        self.process.popen.stdin.write(text.encode() + b'\n')
        self.process.popen.stdin.flush()

    def signal(self, number):
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process.pid, number)

    def kill(self):
        self.process.popen.kill()
        self.process.popen.wait()
        if self.address.startswith('unix:'):
            os.unlink(self.address[5:])

    def events(self, word):
        """[(when, ID)] of all its processes."""
        lines = [line.split() for process in self.started for line in process.output().splitlines()]
        return [(float(words[0]), words[-1]) for words in lines if len(words) > 1 and words[1] == word]


# ---- all of it ----

class Rig:
    def __init__(self, s, kind, protocol, own_network, short):
        self.stage, self.kind, self.protocol, self.short = s, kind, protocol, short
        self.backends, self.proxy = [], None
        self.under_way, self.held = 0, False
        self.port, self.proxy_port = PORTS if own_network else (stage.free_port(), stage.free_port())

    def add(self, address=None, *options):
        """A backend; address is its host, or unix:/path."""
        n = len(self.backends)
        address = address or f'127.0.1.{n + 1}'
        if not address.startswith('unix:'):
            address += f':{self.port}'
        self.backends.append(Backend(self.stage, f's{n}', address, options))
        return self.backends[-1]

    def start(self, *limits, healthy=True, **setting):
        """The backends, and a proxy in front of them; limits: max_connections of each; healthy: all of them work."""
        limits = limits or [0] * len(self.backends)
        for backend in self.backends:
            backend.listen()
        servers = [Server(backend.address, limit) for backend, limit in zip(self.backends, limits)]
        self.proxy = faults_proxies.Proxy(self.stage, self.kind, Setting(self.protocol, **setting), self.proxy_port, servers)
        stage.wait_until(self.proxy.ready, f'{self.kind} to listen')
        if healthy:
            self.proxy.settle(len(servers))
        time.sleep(SETTLE_S)

    def end(self):
        """What the stage would wait for: a process that is stopped, and sessions that a proxy lets end by themselves.
        Returns what the proxy has ended with by itself, empty if it runs."""
        death = self.proxy.death() if self.proxy else ''
        for backend in self.backends:
            if backend.process:
                backend.signal(signal.SIGCONT)
        if self.proxy and self.kind == 'bal' and self.proxy.process.alive():
            self.proxy.process.popen.kill()
        return death

    def seconds(self, full):
        return full / 4 if self.short else full

    async def visit(self, path='/', source=None):
        while self.held:
            await asyncio.sleep(0.001)
        self.under_way += 1
        try:
            return await load.visit(self.proxy.address, path, source)
        finally:
            self.under_way -= 1

    @contextlib.asynccontextmanager
    async def moment(self):
        """When a fault begins: the load has run for a while, and no visit is under way, as those are lost with every
        proxy, more or fewer by chance."""
        await asyncio.sleep(FAULT_AFTER_S)
        self.held = True
        try:
            async with asyncio.timeout(load.PATIENCE_S):
                while self.under_way:
                    await asyncio.sleep(0.001)
            yield
        finally:
            self.held = False

    def client(self):
        return load.Client(self.proxy.address)

    async def steadily(self, per_s, seconds, fault=None):
        """[Visit] of clients that connect, ask once and close, while fault() happens."""
        visits = asyncio.create_task(load.steadily(per_s, seconds, self.visit))
        if fault:
            await fault()
        return await visits
