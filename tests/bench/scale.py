#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How bal's cost grows: scale.py [sessions|backends|workers|reloads ...] [--seconds 3] [--rounds 3]

With the number of sessions, of backends, of workers, and of reloads it has behind it. Prints the cost of
one request, connection, session or reload at each size, the median of the rounds; judges nothing. The
sizes of a table are measured in turn, as the rows of run.sh are. Needs BENCH_BAL and BENCH_TOOLS, as
run.sh sets them.
"""

import argparse
import statistics
import sys
import time

import control
import loads
import proxies
import report
import stage
from footprint import Start

SESSIONS = (100, 1000, 9000)
BACKENDS = (2, 200, 4096)
WORKERS = (1, 2)
RELOADS = (1, 100, 1000)
ACTIVE = 64
KEEP = loads.Requests(ACTIVE)
CONNECT = loads.Requests(ACTIVE, close=True)


def options():
    parser = argparse.ArgumentParser(description=__doc__.split('\n', maxsplit=1)[0])
    parser.add_argument('tables', nargs='*', metavar='TABLE', help=f'{", ".join(TABLES)}; all if none is given')
    parser.add_argument('--protocol', choices=('tcp', 'http'), default='tcp')
    parser.add_argument('--seconds', type=int, default=3, metavar='S')
    parser.add_argument('--rounds', type=int, default=3, metavar='N')
    args = parser.parse_args()
    unknown = set(args.tables) - set(TABLES)
    if unknown:
        parser.error(f'there is no table {unknown.pop()}; the tables are: {" ".join(TABLES)}')
    args.tables = args.tables or list(TABLES)
    return args


class Table:
    """Columns by size; what is put into a cell several times is reported as its median."""

    def __init__(self, title, what, columns):
        self.title, self.what, self.columns, self.cells = title, what, columns, {}

    def put(self, size, column, value):
        self.cells.setdefault(size, {}).setdefault(column, []).append(value)

    def show(self):
        lines = [[self.what, *self.columns]]
        for size, cells in self.cells.items():
            lines.append([str(size), *(report.number(statistics.median(cells[column]) if column in cells else None)
                                       for column in self.columns)])
        print('\n'.join([f'== {self.title}', *('   ' + line for line in report.table(lines))]) + '\n', flush=True)


class Scale:
    def __init__(self, s, args):
        self.stage, self.args = s, args

    def bal(self, server, **setting):
        return proxies.start(self.stage, 'bal', self.setting(**setting), server.addresses)

    def setting(self, **setting):
        return proxies.Setting(self.args.protocol, **setting)

    def end(self, *started):
        for each in started:
            self.stage.end(each.process)

    def cost(self, load, bal):
        """us of CPU by unit, and the sample."""
        sample = load.run(self.stage, bal.address, self.args.seconds, bal)
        return sample.metrics()['cpu_us'], sample

    def steady_cost(self, clients, bal, reply_bytes):
        """us of CPU by request while all clients are connected: their connects are not in it. What came
        through meanwhile bal's own counters say."""
        load = self.stage.start('wrk', [proxies.program('wrk'), '-t1', f'-c{clients}', '-d600', f'http://{bal.address}/'])
        first = self.bytes_out(bal)
        stage.wait_until(lambda: self.bytes_out(bal) - first > 2 * clients * reply_bytes, f'{clients} clients', 60)
        before, cpu = self.bytes_out(bal), sum(bal.process.cpu())
        time.sleep(self.args.seconds)
        requests = (self.bytes_out(bal) - before) / reply_bytes
        cpu = sum(bal.process.cpu()) - cpu
        self.stage.end(load)
        if requests == 0:
            raise stage.Failure(f'nothing at all came through to {clients} clients')
        return cpu * 1e6 / requests

    @staticmethod
    def bytes_out(bal):
        return sum(backend['bytes_out'] for backend in control.status(bal.process)['backends'])

    def reply_bytes(self, bal):
        """All of them, as bal counts them."""
        before = self.bytes_out(bal)
        bal.get()
        control.wait_idle(bal.process)
        return self.bytes_out(bal) - before

    def sessions(self):
        table = Table('sessions: what a request costs among many, and a session', 'sessions',
                      ['us/request, all busy', 'us/request, 64 busy, the others idle', 'KiB each, idle'])
        server = proxies.start_server(self.stage)
        for _ in range(self.args.rounds):
            for n in SESSIONS:
                bal = self.bal(server)
                grown = loads.Idle(n).run(self.stage, bal.address, 0, bal).values['kib_each']
                table.put(n, table.columns[2], grown)
                table.put(n, table.columns[0], self.steady_cost(n, bal, self.reply_bytes(bal)))
                control.wait_idle(bal.process)
                holder = loads.Holder(self.stage, bal.address, n - ACTIVE)
                table.put(n, table.columns[1], self.cost(KEEP, bal)[0])
                holder.check(n - ACTIVE)
                holder.close()
                self.end(bal)
        self.end(server)
        return table

    def backends(self):
        table = Table('backends: what a connection, a start, a status and a reload cost with so many', 'backends',
                      ['us/connection', 'ms to ready', 'MiB resident', 'KiB of status', 'ms/status', 'ms/reload',
                       'us/s idle'])
        servers = {n: proxies.start_server(self.stage, n) for n in BACKENDS}
        for _ in range(self.args.rounds):
            for n, server in servers.items():
                started = Start().run_own(self.stage, 'bal', self.setting(backends=n), server.addresses).values
                table.put(n, 'ms to ready', started['start_ms'])
                table.put(n, 'MiB resident', started['rss_mib'])
                bal = self.bal(server, backends=n)
                table.put(n, 'us/connection', self.cost(CONNECT, bal)[0])
                self.ask(table, n, bal)
                self.rest(table, n, bal)
                table.put(n, 'ms/reload', self.reload(bal, server, n))
                self.end(bal)
        self.end(*servers.values())
        return table

    @staticmethod
    def ask(table, n, bal):
        began = time.monotonic()
        said = control.call_raw(bal.process, 'io.bal.Status.Get')
        table.put(n, 'ms/status', (time.monotonic() - began) * 1000)
        table.put(n, 'KiB of status', len(said) / 1024)

    def rest(self, table, n, bal):
        """CPU of a bal that has nothing to do."""
        before = sum(bal.process.cpu())
        time.sleep(self.args.seconds)
        table.put(n, 'us/s idle', (sum(bal.process.cpu()) - before) * 1e6 / self.args.seconds)

    def reload(self, bal, server, n, turn=1):
        """ms; one backend comes or goes."""
        setting = self.setting(backends=n)
        addresses = server.addresses[:-1] if turn % 2 else server.addresses
        text = proxies.bal_config(setting, bal.port, addresses)
        began = time.monotonic()
        answer = control.reload(bal.process, text)
        took = (time.monotonic() - began) * 1000
        if not answer['changed']:
            raise stage.Failure(f'a reload has changed nothing: {answer}')
        return took

    def workers(self):
        table = Table('workers: what a request and a connection cost with so many', 'workers',
                      ['us/request', 'requests/s', 'us/connection', 'connections/s', 'MiB resident'])
        server = proxies.start_server(self.stage)
        started = {n: self.bal(server, threads=n) for n in WORKERS}
        for _ in range(self.args.rounds):
            for n, bal in started.items():
                table.put(n, 'MiB resident', stage.rss_kib([bal.process.pid]) / 1024)
                for load, unit in ((KEEP, 'request'), (CONNECT, 'connection')):
                    each, sample = self.cost(load, bal)
                    table.put(n, f'us/{unit}', each)
                    table.put(n, f'{unit}s/s', sample.metrics()['per_s'])
        self.end(*started.values(), server)
        return table

    def reloads(self):
        """Of one bal, so without rounds."""
        table = Table('reloads: what one costs after so many, and what they leave', 'reloads',
                      ['ms/reload', 'us/request after', 'KiB in all', 'descriptors'])
        server = proxies.start_server(self.stage, 3)
        bal = self.bal(server)
        done = 0
        for n in RELOADS:
            while done < n:
                done += 1
                took = self.reload(bal, server, 2, done)
                if done > n - 10:
                    table.put(n, 'ms/reload', took)
            table.put(n, 'us/request after', self.cost(KEEP, bal)[0])
            control.wait_idle(bal.process)
            table.put(n, 'KiB in all', stage.anonymous_kib([bal.process.pid]))
            table.put(n, 'descriptors', stage.n_fds([bal.process.pid]))
        self.end(bal, server)
        return table


TABLES = ('sessions', 'backends', 'workers', 'reloads')


def show_tables(args):
    stage.raise_limit()
    with stage.Stage() as s:
        scale = Scale(s, args)
        for name in args.tables:
            getattr(scale, name)().show()


def main():
    args = options()
    return stage.run('scale', lambda: show_tables(args))


if __name__ == '__main__':
    sys.exit(main())
