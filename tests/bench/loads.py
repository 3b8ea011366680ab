# SPDX-License-Identifier: MIT
"""What is done to a proxy for some seconds, and what came of it: one Sample a run."""

import dataclasses
import json
import os
import subprocess
import time

import proxies
import stage

SETTLE_S = 0.1  # what a load leaves behind is still its own: connections that close, timers
WRK_SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'wrk.lua')


@dataclasses.dataclass
class Sample:
    """One run. Times per unit follow from these; None: the load does not have it."""
    units: float = 0
    seconds: float = 0
    user_s: float = None
    system_s: float = None
    machine_s: float = None
    p50_us: float = None
    p99_us: float = None
    errors: int = 0
    values: dict = dataclasses.field(default_factory=dict)  # what is no time: {metric: number}

    def metrics(self):
        """{metric: number}; those that rows, goals and reports name."""
        found = dict(self.values)
        if self.units > 0 and self.seconds > 0:
            found['per_s'] = self.units / self.seconds
        if self.units > 0 and self.user_s is not None:
            each = 1e6 / self.units
            found.update(user_us=self.user_s * each, system_us=self.system_s * each,
                         cpu_us=(self.user_s + self.system_s) * each, machine_us=self.machine_s * each)
        for name in ('p50_us', 'p99_us'):
            if getattr(self, name) is not None:
                found[name] = getattr(self, name)
        return found


def last_json(text, what):
    lines = [line for line in text.split('\n') if line.startswith('{')]
    if not lines:
        raise stage.Failure(f'{what} said nothing that can be read: {text[-500:]}')
    return json.loads(lines[-1])


def under_load(proxy, run):
    """A Sample of what run() does, which returns (units, result); proxy None: nobody's CPU is counted."""
    machine = stage.machine_cpu_s()
    cpu = proxy.process.cpu() if proxy else None
    units, result = run()
    time.sleep(SETTLE_S)
    p50_us, p99_us = result['p50_us'] or None, result['p99_us'] or None  # 0: nothing whole in that time
    sample = Sample(units=units, seconds=result['us'] / 1e6, p50_us=p50_us, p99_us=p99_us, errors=result['errors'])
    if proxy:
        user, system = proxy.process.cpu()
        sample.user_s, sample.system_s = user - cpu[0], system - cpu[1]
        sample.machine_s = stage.machine_cpu_s() - machine
    if units == 0:
        raise stage.Failure('nothing at all came through')
    return sample


@dataclasses.dataclass(frozen=True)
class Requests:
    """wrk with one thread; close: each request on a connection of its own."""
    clients: int
    path: str = '/'
    close: bool = False

    def run(self, s, target, seconds, proxy):
        argv = [proxies.program('wrk'), '-t1', f'-c{self.clients}', f'-d{seconds}', '-s', WRK_SCRIPT]
        if self.close:
            argv += ['-H', 'Connection: close']

        def work():
            said = s.run('wrk', [*argv, f'http://{target}{self.path}'], seconds + 30)
            result = last_json(said, 'wrk')
            return result['requests'], result
        return under_load(proxy, work)


@dataclasses.dataclass(frozen=True)
class Bulk:
    """tools/bulk.c; a unit is 64 MiB, in pieces if so."""
    clients: int
    up: bool = False

    def run(self, s, target, seconds, proxy):
        how = ['up', '--bytes', str(proxies.BULK)] if self.up else ['down', '--path', '/bulk']
        argv = [proxies.tool('bulk'), *how, '--to', target, '--clients', str(self.clients), '--seconds', str(seconds)]

        def work():
            result = last_json(s.run('bulk', argv, seconds + 30), 'bulk')
            return result['bytes'] / proxies.BULK, result
        return under_load(proxy, work)


class Holder:
    """Idle clients that have been answered once, until close()."""

    def __init__(self, s, target, sessions):
        self.stage = s
        self.process = s.start('hold', [proxies.tool('hold'), '--to', target, '--sessions', str(sessions)],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.expect(f'holding {sessions}')

    def expect(self, what):
        said = self.process.popen.stdout.readline().decode().strip()
        if said != what:
            raise stage.Failure(f'hold says {said!r}, not {what!r}: {self.process.output().strip()[-500:]}')

    def check(self, sessions):
        self.process.popen.stdin.write(b'alive?\n')
        self.process.popen.stdin.flush()
        self.expect(f'alive {sessions}')

    def close(self):
        self.process.popen.stdin.close()
        self.process.popen.wait(30)
        self.stage.end(self.process)


@dataclasses.dataclass(frozen=True)
class Idle:
    """What the proxy's memory grows by, for each client that is connected and silent. What the first
    ones make it allocate for all is not theirs, so some come and go before."""
    sessions: int

    def run(self, s, target, seconds, proxy):
        Holder(s, target, max(1, min(200, self.sessions // 10))).close()
        time.sleep(2 * SETTLE_S)
        before = stage.anonymous_kib(proxy.process.pids())
        holder = Holder(s, target, self.sessions)
        time.sleep(2 * SETTLE_S)
        grown = stage.anonymous_kib(proxy.process.pids()) - before
        holder.check(self.sessions)
        holder.close()
        return Sample(values={'kib_each': grown / self.sessions})

