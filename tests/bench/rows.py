# SPDX-License-Identifier: MIT
"""The rows: what is done to whom, and what bal is to reach.

A row has players, who are measured in turn; each is a proxy with the row's setting or with one of
its own. The first is bal. A goal is about bal: a ratio to another player of the same round, or a
number. docs/PERFORMANCE.md says what each row means.
"""

import dataclasses

from footprint import Size, Start
from loads import Bulk, Idle, Requests
from proxies import NAMES, Setting

# metric: what it is called, and how it is written
METRICS = {
    'cpu_us': 'CPU',
    'user_us': 'user',
    'system_us': 'system',
    'machine_us': 'machine',
    'per_s': 'per second',
    'p50_us': 'p50',
    'p99_us': 'p99',
    'kib_each': 'KiB each',
    'start_ms': 'ms to ready',
    'rss_mib': 'MiB resident',
    'size_kb': 'KB',
}


@dataclasses.dataclass(frozen=True)
class Player:
    label: str
    kind: str               # of proxies.NAMES, or 'direct': no proxy
    setting: Setting = None  # the row's if None
    polled: bool = False    # somebody asks for its status, once a second


@dataclasses.dataclass(frozen=True)
class Goal:
    metric: str
    limit: float
    against: str = None  # a player, 'best' of the others, or nobody: then limit is a number
    least: bool = False  # to be reached from above

    def words(self):
        what = {None: '', 'best': ' x the best of the others'}.get(self.against, f' x {self.against}')
        return f'{METRICS[self.metric]} {">=" if self.least else "<="} {self.limit:g}{what}'

    def met(self, value):
        return value >= self.limit if self.least else value <= self.limit


@dataclasses.dataclass(frozen=True)
class Row:
    name: str
    title: str
    unit: str
    load: object
    setting: Setting = Setting()
    players: tuple = tuple(Player(name, name) for name in NAMES)
    goals: tuple = ()
    metric: str = 'cpu_us'      # the one that is drawn, and that ratios are about first
    fresh: bool = False         # each run gets a proxy that has done nothing yet
    versus: tuple = ()          # (player, player): more ratios than bal's to the others

    def needs_http(self):
        return self.setting.protocol == 'http'


HTTP = Setting('http')
ALL = tuple(Player(name, name) for name in NAMES)
MANY = 200


def with_splice(setting):
    return (*ALL, Player('haproxy-splice', 'haproxy', dataclasses.replace(setting, splice=True)))


def with_many(setting):
    many = dataclasses.replace(setting, backends=MANY)
    return (*ALL, *(Player(f'{name}-{MANY}', name, many) for name in NAMES))


def more(*players):
    return (*ALL, *players)


MANY_VERSUS = tuple((f'{name}-{MANY}', name) for name in NAMES)
UP = Setting(sink=True)
HTTP_UP = Setting('http', sink=True)

ROWS = (
    Row('l4-keepalive', 'L4, 64 keep-alive clients, replies of 200 bytes', 'request', Requests(64),
        goals=(Goal('cpu_us', 0.85, 'haproxy'), Goal('cpu_us', 0.97, 'nginx'), Goal('per_s', 1, 'best', least=True))),
    Row('l4-keepalive-2', 'L4, the same, two threads each', 'request', Requests(64), Setting(threads=2)),
    Row('l4-16k', 'L4, 32 keep-alive clients, replies of 16 KiB', 'request', Requests(32, '/medium'),
        goals=(Goal('cpu_us', 0.70, 'haproxy'),)),
    Row('l4-down', 'L4, 4 clients, replies of 64 MiB', '64 MiB', Bulk(4), players=with_splice(Setting()),
        goals=(Goal('cpu_us', 0.60, 'haproxy-splice'),)),
    Row('l4-up', 'L4, 4 clients, uploads of 64 MiB', '64 MiB', Bulk(4, up=True), UP, with_splice(UP)),
    Row('l4-connect', 'L4, 64 clients that connect, ask and close', 'connection', Requests(64, close=True),
        goals=(Goal('cpu_us', 0.88, 'haproxy'),)),
    Row('l4-connect-2', 'L4, the same, two threads each', 'connection', Requests(64, close=True), Setting(threads=2)),
    Row('l4-latency', 'L4, one keep-alive client', 'request', Requests(1), players=more(Player('direct', 'direct')),
        metric='p50_us', versus=tuple((name, 'direct') for name in NAMES)),
    Row('l4-backends', f'L4, connect, ask and close, {MANY} backends against 2', 'connection', Requests(64, close=True),
        players=with_many(Setting()), versus=MANY_VERSUS),
    Row('l4-status', 'L4, 64 keep-alive clients, status asked for once a second', 'request', Requests(64),
        players=(Player('bal', 'bal'), Player('bal-polled', 'bal', polled=True)), versus=(('bal-polled', 'bal'),)),
    Row('l4-idle', 'L4, memory of an idle session', 'session', Idle(9000), metric='kib_each', fresh=True,
        goals=(Goal('kib_each', 0.6),)),
    Row('l7-keepalive', 'L7, 64 keep-alive clients, replies of 200 bytes', 'request', Requests(64), HTTP,
        goals=(Goal('cpu_us', 0.90, 'nginx'), Goal('cpu_us', 0.75, 'haproxy'))),
    Row('l7-keepalive-2', 'L7, the same, two threads each', 'request', Requests(64), Setting('http', threads=2)),
    Row('l7-connect', 'L7, clients connect for each request, backends stay warm', 'request', Requests(64, close=True),
        HTTP, goals=(Goal('cpu_us', 0.95, 'nginx'),)),
    Row('l7-16k', 'L7, 32 keep-alive clients, replies of 16 KiB', 'request', Requests(32, '/medium'), HTTP),
    Row('l7-down', 'L7, 4 clients, replies of 64 MiB', '64 MiB', Bulk(4), HTTP, with_splice(HTTP),
        goals=(Goal('cpu_us', 0.45, 'haproxy'),)),
    Row('l7-up', 'L7, 4 clients, uploads of 64 MiB', '64 MiB', Bulk(4, up=True), HTTP_UP, with_splice(HTTP_UP)),
    Row('l7-backends', f'L7, 64 keep-alive clients, {MANY} backends against 2', 'request', Requests(64), HTTP,
        with_many(HTTP), versus=MANY_VERSUS),
    Row('l7-latency', 'L7, one keep-alive client', 'request', Requests(1), HTTP, more(Player('direct', 'direct')),
        metric='p50_us', versus=tuple((name, 'direct') for name in NAMES)),
    Row('l7-idle', 'L7, memory of an idle keep-alive client', 'client', Idle(9000), HTTP, metric='kib_each', fresh=True,
        goals=(Goal('kib_each', 0.6),)),
    Row('start', 'start to ready, and memory then, with 2 backends', 'start', Start(), metric='start_ms',
        goals=(Goal('start_ms', 20), Goal('rss_mib', 4))),
    Row('size', 'the program without symbols', 'program', Size(), metric='size_kb', goals=(Goal('size_kb', 400),)),
)


def chosen(names):
    """Those of these names, in the order of the table; a name may end in * for all that begin so."""
    wanted = []
    for name in names:
        found = [row.name for row in ROWS if row.name == name or (name.endswith('*') and row.name.startswith(name[:-1]))]
        if not found:
            raise ValueError(f'there is no row {name}; the rows are: {" ".join(row.name for row in ROWS)}')
        wanted += found
    return [row for row in ROWS if row.name in wanted]
