# SPDX-License-Identifier: MIT
"""The faults of faults.py: what is broken, when, and what the clients do meanwhile.

A case is a coroutine that gets a rig (faults_rig.py) and returns an Outcome, and a row of CASES.
"""

import asyncio
import collections
import contextlib
import dataclasses
import fnmatch
import math
import os
import signal
import time
import typing

import faults_load as load
import faults_rig
from faults_rig import AWAY, command

USED_AGAIN_S = 15  # after that a backend that has come back is not waited for any longer


@dataclasses.dataclass
class Outcome:
    """Of one case with one proxy: what its clients met, and what else there is to say, by the names of FACTS."""
    visits: list
    facts: dict = dataclasses.field(default_factory=dict)

    def errors(self):
        """Counter of the words for them."""
        return collections.Counter(visit.error for visit in self.visits if visit.error)

    def worst_s(self):
        return max((visit.took for visit in self.visits), default=None)

    def p99_s(self):
        took = sorted(visit.took for visit in self.visits)
        return took[math.ceil(0.99 * len(took)) - 1] if took else None


@dataclasses.dataclass(frozen=True)
class Case:
    name: str
    title: str
    protocol: str
    run: typing.Callable  # run(rig): a coroutine that returns an Outcome
    isolated: bool = True  # whether it needs a network of its own


# ---- losses and small backlogs ----

async def lose(rig, percent, n):
    for _ in range(n):
        rig.add()
    rig.start()
    faults_rig.lose_syns(percent, rig.port)
    return Outcome(await rig.steadily(750, rig.seconds(3)))


async def backlog(rig):
    """Two runs, as what the first one leaves is part of the fault."""
    rig.add(None, '--backlog', '5', '--serial', '1')
    rig.start()
    visits = []
    for _ in range(2):
        visits += await load.in_turn(10, int(rig.seconds(40)), rig.visit)
    return Outcome(visits)


# ---- backends that go, and come back ----

async def used_again(rig, visits, backend, since):
    """Seconds from then to the first answer of this backend; None: there was none. Where the load saw none, somebody
    asks on, and does not count."""
    def answered(visit):
        return not visit.error and visit.who == backend.name and visit.ended > since
    while not any(answered(visit) for visit in visits):
        if time.monotonic() > since + USED_AGAIN_S:
            return None
        visits = [await rig.visit()]
        await asyncio.sleep(0.02)
    return min(visit.ended for visit in visits if answered(visit)) - since


async def restart(rig, n):
    for _ in range(n):
        rig.add()
    rig.start()
    back = []
    backend = rig.backends[0]
    backend.prepare()

    async def fault():
        async with rig.moment():
            backend.kill()
        await asyncio.sleep(0.5)
        back.append(time.monotonic())
        backend.listen()
    visits = await rig.steadily(500, 2.5, fault)
    return Outcome(visits, {'used_again_s': await used_again(rig, visits, backend, back[0])})


async def one_of_two(rig, how):
    rig.add()
    rig.add()
    rig.start()
    backend = rig.backends[0]
    faults = {'close': lambda: backend.tell('mode close'), 'reset': lambda: backend.tell('mode reset'),
              'stop': lambda: backend.signal(signal.SIGSTOP), 'kill': backend.kill}

    async def fault():
        async with rig.moment():
            faults[how]()
    # each client of a stopped one waits, so there are fewer
    return Outcome(await rig.steadily(100 if how == 'stop' else 500, 2.5, fault))


# ---- connects that fail at once ----

def away_comes():
    command('ip', 'address', 'add', f'{AWAY}/32', 'dev', 'lo')


def away_goes():
    command('ip', 'address', 'del', f'{AWAY}/32', 'dev', 'lo')


def route_fault(kind):
    """The route counts while the address is not ours."""
    def begin():
        command('ip', 'route', 'add', kind, AWAY)
        away_goes()

    def end():
        away_comes()
        command('ip', 'route', 'del', kind, AWAY)
    return begin, end


def connect_fault(backend, how):
    """(what begins it, what ends it)"""
    if how in ('refused', 'no-file'):
        backend.prepare()
        return backend.kill, backend.listen
    if how == 'reject':
        return (lambda: faults_rig.nft(f'ip daddr {AWAY} tcp flags & (syn|ack) == syn reject with icmp admin-prohibited'),
                lambda: faults_rig.nft(''))
    return route_fault(how) if how != 'no-route' else (away_goes, away_comes)


async def connect(rig, how, n):
    """The lone one is healed after a second."""
    away = how not in ('refused', 'no-file')
    if away:
        away_comes()
    rig.add(AWAY if away else f'unix:{rig.stage.path("backend.sock")}' if how == 'no-file' else None)
    if n > 1:
        rig.add()
    rig.start()
    back = []
    begin, end = connect_fault(rig.backends[0], how)

    async def fault():
        async with rig.moment():
            begin()
        if n == 1:
            await asyncio.sleep(1)
            back.append(time.monotonic())
            end()
    visits = await rig.steadily(200, 2.5 if n == 1 else 1.5, fault)
    return Outcome(visits, {'used_again_s': await used_again(rig, visits, rig.backends[0], back[0])} if back else {})


# ---- limits ----

async def queue(rig):
    rig.add()
    rig.add()
    rig.start(2, 2, queue=True)
    return Outcome(await load.in_turn(20, int(rig.seconds(12)), lambda: rig.visit('/slow?50&q')))


async def idle_full(rig):
    """The newcomers are the ones whose fate counts."""
    rig.add()
    rig.add()
    rig.start(clients=100)
    async with contextlib.AsyncExitStack() as held:
        for _ in range(100):
            client = rig.client()
            held.callback(client.close)
            await client.visit()
        await asyncio.sleep(0.5)
        return Outcome(await load.steadily(20, 1, rig.visit))


async def ports(rig):
    """Each client has an address of its own, so that only the proxy runs out of ports."""
    rig.add()
    rig.add()
    faults_rig.few_ports(40000, 40019)
    rig.start(0, 2, queue=True)
    visits = await asyncio.gather(*(rig.visit('/slow?500&p', f'127.9.0.{i + 1}') for i in range(40)))
    return Outcome(visits)


async def descriptors(rig, limit):
    """100 clients that have been answered ask on; 5000 more come, and keep their connections whatever happens."""
    rig.add()
    rig.add()
    rig.start(nofile=4096, clients=limit)
    async with contextlib.AsyncExitStack() as held:
        def client():
            held.callback((made := rig.client()).close)
            return made
        regulars = [client() for _ in range(100)]
        await asyncio.gather(*(each.visit() for each in regulars))
        asking = [asyncio.create_task(ask_on(each)) for each in regulars]
        crowd = [asyncio.create_task(client().visit()) async for _ in slowly(rig, 5000)]
        answers = []
        for _ in range(3):
            await asyncio.sleep(0.5)
            answers.append(await asyncio.to_thread(rig.proxy.answers_status))
        for task in crowd + asking:
            task.cancel()
        await asyncio.wait(crowd)
        visits = [visit for visits in await asyncio.gather(*asking) for visit in visits]
    return Outcome(visits, {} if answers[0] is None else {'status_answers': f'{answers.count(True)} of {len(answers)}'})


async def slowly(rig, n):
    """Numbers, 5000 a second."""
    for i in range(n // 4 if rig.short else n):
        if i % 50 == 0:
            await asyncio.sleep(0.01)
        yield i


async def ask_on(client):
    """[Visit] until this task is cancelled, or the connection is gone."""
    visits = []
    with contextlib.suppress(asyncio.CancelledError):
        while not visits or not visits[-1].error or visits[-1].error.isdigit():
            visits.append(await client.visit())
            await asyncio.sleep(0.1)
    return visits


# ---- clients that leave ----

async def leave(rig, path, after_s):
    """A client that asks, and closes its connection before it has an answer."""
    with contextlib.closing(rig.client()) as client:
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(client.visit(path), after_s)


def all_events(rig, word):
    return [event for backend in rig.backends for event in backend.events(word)]


async def leave_slow(rig):
    """Others are there, too, and want nothing special."""
    rig.add()
    rig.add()
    rig.start()
    began = time.monotonic()
    others = asyncio.create_task(load.steadily(50, 2.5, rig.visit))
    await asyncio.gather(*(leave(rig, f'/slow?2000&{i}', 0.3) for i in range(20)))
    visits = await others
    ends = [when for word in ('done', 'gone') for when, _ in all_events(rig, word)]
    return Outcome(visits, {'executed': len(all_events(rig, 'done')),
                            'held_s': max(0, max(ends, default=0) - began - 0.3)})


async def leave_queue(rig):
    """One is served, ten leave while they wait, and one is patient; how that one fares is what counts."""
    rig.add()
    rig.start(1, queue=True)
    served = asyncio.create_task(rig.visit('/slow?1000&first'))
    await asyncio.sleep(0.1)
    await asyncio.gather(*(leave(rig, f'/slow?300&{i}', 0.4) for i in range(10)))
    left = time.monotonic()
    patient = await rig.visit()
    await served
    await asyncio.sleep(0.5)
    return Outcome([patient], {'begun': sum(when > left for when, _ in all_events(rig, 'begin'))})


# ---- HTTP ----

async def crash(rig, times):
    """The visits are those of the others."""
    rig.add()
    rig.add()
    rig.start()
    met = []

    async def fault():
        await asyncio.sleep(faults_rig.FAULT_AFTER_S)
        for _ in range(times):
            met.append((await rig.visit('/crash')).error)
            await asyncio.sleep(0.1)
    visits = await rig.steadily(200, faults_rig.FAULT_AFTER_S + rig.seconds(5), fault)
    return Outcome(visits, {'crash_answers': ', '.join(f'{n} x {word}' for word, n in collections.Counter(met).items()),
                            'crashes': len(all_events(rig, 'crash'))})


async def tls(rig, n):
    path = rig.stage.path('tls.pem')
    command('openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=faults', '-days', '1',
            '-keyout', path, '-out', f'{path}.certificate')
    with open(path, 'a', encoding='ascii') as f, open(f'{path}.certificate', encoding='ascii') as certificate:
        f.write(certificate.read())
    os.unlink(f'{path}.certificate')
    rig.add(None, '--tls', path)
    if n > 1:
        rig.add()
    rig.start(healthy=False)
    return Outcome(await rig.steadily(100, rig.seconds(3)))


# ---- the list ----

def both(name, title, run, isolated=False):
    return [Case(f'{name}-{protocol}', f'{title}, {protocol}', protocol, run, isolated) for protocol in ('tcp', 'http')]


def with_args(run, *args):
    return lambda rig: run(rig, *args)


def losses():
    title = '{} % of SYNs lost, backends: {}; 750 clients a second, {}'
    rows = [(percent, n, 'tcp') for percent in (0.3, 2, 10) for n in (1, 2, 6)] + [(p, 2, 'http') for p in (0.3, 2, 10)]
    return [Case(f'syn-{percent}-{n}-{protocol}', title.format(percent, n, protocol), protocol,
                 with_args(lose, percent, n))
            for percent, n, protocol in rows]


def connects():
    hows = {'no-route': 'ENETUNREACH', 'unreachable': 'EHOSTUNREACH', 'prohibit': 'EACCES', 'blackhole': 'EINVAL',
            'reject': 'a firewall rejects', 'refused': 'ECONNREFUSED', 'no-file': 'Unix socket without a file'}
    return [Case(f'connect-{how}-{n}', f'connect to {where} fails: {word}', 'tcp', with_args(connect, how, n),
                 how not in ('refused', 'no-file'))
            for n, where in ((2, 'one of two'), (1, 'a lone one, healed after 1 s')) for how, word in hows.items()]


CASES = [
    *losses(),
    *both('backlog', 'listen backlog of 5, 10 clients, 400 requests twice', backlog),
    *both('restart-1', 'a lone backend is away for 0.5 s, 500 requests/s', with_args(restart, 1)),
    *both('restart-2', 'one of two is away for 0.5 s, 500 requests/s', with_args(restart, 2)),
    *both('two-close', 'one of two accepts and closes, 500 requests/s', with_args(one_of_two, 'close')),
    *both('two-reset', 'one of two accepts and resets (by chance while a proxy still connects), 500 requests/s',
          with_args(one_of_two, 'reset')),
    *both('two-stop', 'one of two is stopped (SIGSTOP), 100 requests/s', with_args(one_of_two, 'stop')),
    *both('two-kill', 'one of two is killed, 500 requests/s', with_args(one_of_two, 'kill')),
    *connects(),
    *both('queue', 'two backends with 2 places each and a queue, 20 clients', queue),
    *both('leave-slow', '20 clients leave before a slow answer (2 s)', leave_slow),
    *both('leave-queue', '10 clients leave the queue; one waits on', leave_queue),
    Case('crash-1', 'a URL that crashes backends, asked for once; the others', 'http', with_args(crash, 1), False),
    Case('crash-10', 'a URL that crashes backends, asked for 10 times; the others', 'http', with_args(crash, 10), False),
    Case('tls-1', 'a lone backend speaks TLS, protocol http', 'http', with_args(tls, 1), False),
    Case('tls-2', 'one of two speaks TLS, protocol http', 'http', with_args(tls, 2), False),
    Case('idle-full', '100 idle clients hold all 100 places; 20 new ones', 'http', idle_full, False),
    Case('ports', 'no source ports to one backend, the other one full, a queue; 40 clients', 'tcp', ports),
    *both('descriptors', 'nofile 4096, 5000 clients keep their connections; 100 established ones',
          with_args(descriptors, 0)),
    *both('rejected', 'the same with a limit of 1000 clients', with_args(descriptors, 1000)),
]

# {name: how a cell says it}
FACTS = {
    'used_again_s': 'used again after {}',
    'executed': '{} executed',
    'begun': '{} begun',
    'held_s': 'held {}',
    'crash_answers': 'the crash: {}',
    'crashes': 'crashes: {}',
    'status_answers': 'status answers {}',
    'death': '{}',
}
LESS_IS_BETTER = ('used_again_s', 'executed', 'begun', 'held_s', 'crashes')


def chosen(words):
    """The cases that are meant: a name, a pattern, or what a name begins with up to a '-'."""
    for word in words:
        if not any(fits(case.name, word) for case in CASES):
            raise ValueError(f'there is no case {word}; the cases are: {" ".join(case.name for case in CASES)}')
    return [case for case in CASES if any(fits(case.name, word) for word in words)]


def fits(name, word):
    return fnmatch.fnmatch(name, word) or fnmatch.fnmatch(name, f'{word}-*')
