#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What a long life leaves behind: growth.py [--connections 1000000] [--reloads 10000]

Opens and closes that many connections through bal, then reloads it that often, each time with another
configuration, while clients come and go. Between that it looks at descriptors and memory (PSS without
files) when no session is open. Both have to be flat: exit status 1 if at the end a descriptor is more in use than in the
beginning, or more memory than the bound. A million connections that leak a byte each would be twice that.
Needs BENCH_BAL and BENCH_TOOLS, as run.sh sets them.
"""

import argparse
import sys
import time

import control
import loads
import proxies
import report
import stage

BOUND_KIB = 512
CLIENTS = 32
WARM_CONNECTIONS = 20000
WARM_RELOADS = 50
QUIET_S = 3          # warm connections to servers have gone by then


def options():
    parser = argparse.ArgumentParser(description=__doc__.split('\n', maxsplit=1)[0])
    parser.add_argument('--connections', type=int, default=1000000, metavar='N')
    parser.add_argument('--reloads', type=int, default=10000, metavar='N')
    parser.add_argument('--bound', type=int, default=BOUND_KIB, metavar='KIB', help=f'{BOUND_KIB} if not given')
    parser.add_argument('--looks', type=int, default=10, metavar='N', help='of each of the two; 10 if not given')
    parser.add_argument('--protocol', choices=('tcp', 'http'), default='tcp')
    parser.add_argument('--workers', type=int, default=2, metavar='N')
    args = parser.parse_args()
    if min(args.connections, args.reloads, args.bound) < 0 or args.looks < 1 or not 1 <= args.workers <= 64:
        parser.error('numbers are 0 or more, workers 1 to 64, looks 1 or more')
    return args


class Look:
    """What an idle bal holds, and after how much of it."""

    def __init__(self, process, done):
        control.wait_idle(process)
        self.done = done
        self.kib = self.fds = None
        end = time.monotonic() + QUIET_S
        while True:  # the least of some: a call on the socket, or a retired listener, is gone in a moment
            fds, kib = stage.n_fds([process.pid]), stage.anonymous_kib([process.pid])
            self.fds = fds if self.fds is None else min(fds, self.fds)
            self.kib = kib if self.kib is None else min(kib, self.kib)
            if time.monotonic() > end:
                return
            time.sleep(0.25)


def is_flat(grown_kib, more_fds, bound_kib):
    return grown_kib <= bound_kib and more_fds <= 0


class Growth:
    def __init__(self, s, args):
        self.stage, self.args = s, args
        self.server = proxies.start_server(s, 3)
        self.setting = proxies.Setting(args.protocol, args.workers, warm='1s' if args.protocol == 'http' else '')
        self.bal = proxies.start(s, 'bal', self.setting, self.server.addresses[:2])
        self.reloads_done = 0

    def connections(self):
        return control.status(self.bal.process)['connections_total']

    def connect(self, n):
        """n connections more, each with one request, and some more."""
        wanted = self.connections() + n
        load = loads.Requests(CLIENTS, close=True)
        while self.connections() < wanted:
            sample = load.run(self.stage, self.bal.address, 2, self.bal)
            if sample.errors:
                raise stage.Failure(f'{sample.errors} requests failed')

    def reload(self, n):
        """n reloads; every second one takes a backend away, the others bring it back."""
        for _ in range(n):
            self.reloads_done += 1
            addresses = self.server.addresses[:2 + self.reloads_done % 2]
            answer = control.reload(self.bal.process, proxies.bal_config(self.setting, self.bal.port, addresses))
            if not answer['changed']:
                raise stage.Failure(f'a reload has changed nothing: {answer}')

    def reload_under_load(self, n):
        visitors = self.stage.start('visitors', [proxies.program('wrk'), '-t1', '-c4', '-d3600', '-H', 'Connection: close',
                                                 f'http://{self.bal.address}/'])
        try:
            self.reload(n)
            if not visitors.alive():
                raise stage.Failure(f'the clients ended: {visitors.output()[-500:]}')
        finally:
            self.stage.end(visitors)

    def run(self, what, step, total):
        """Looks before, in between and afterwards; prints it and says whether it was flat."""
        looks = [Look(self.bal.process, 0)]
        for i in range(self.args.looks):
            done = total * (i + 1) // self.args.looks
            if done > looks[-1].done:
                step(done - looks[-1].done)
                looks.append(Look(self.bal.process, done))
        lines = [[what, 'KiB', 'descriptors']]
        lines += [[f'{look.done:,}'.replace(',', ' '), f'{look.kib}', str(look.fds)] for look in looks]
        print('\n'.join(report.table(lines)))
        first, last = looks[0], looks[-1]
        grown, more = last.kib - first.kib, last.fds - first.fds
        flat = is_flat(grown, more, self.args.bound)
        each = f', {grown * 1024 / last.done:.2f} bytes each' if last.done else ''
        print(f'{what}: {grown:+.0f} KiB{each}, {more:+d} descriptors: '
              f'{"flat" if flat else f"GREW (at most {self.args.bound} KiB and no descriptor)"}\n', flush=True)
        return flat


def grow(args):
    """1 when something is not flat."""
    stage.raise_limit()
    with stage.Stage() as s:
        growth = Growth(s, args)
        growth.connect(min(WARM_CONNECTIONS, args.connections))
        flat = growth.run('connections', growth.connect, args.connections)
        growth.reload_under_load(min(WARM_RELOADS, args.reloads))
        return 0 if growth.run('reloads', growth.reload_under_load, args.reloads) and flat else 1


def main():
    args = options()
    return stage.run('growth', lambda: grow(args))


if __name__ == '__main__':
    sys.exit(main())
