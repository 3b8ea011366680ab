# SPDX-License-Identifier: MIT
"""The three proxies of faults.py, as a sensible operator sets them up: with health checks, and with the
time-outs and retries that their own documentation recommends. SETTINGS says the same in a line each."""

import dataclasses
import os
import shutil
import socket

import control
import proxies
import stage

SETTINGS = {
    'bal': 'its defaults (simple dialect), one worker; http: checks of GET /health; where a case wants a limit or a '
           'queue: max_connections, overload_policy, max_concurrent_connections, queue_timeout_ms 5000',
    'haproxy': 'nbthread 1, retries 3, option redispatch, check (inter 2s fall 3 rise 2; begun as after the first '
               'checks), timeout connect 5s, client and server 50s, queue 5s, http-request and http-keep-alive 10s; http: option httpchk GET /health; '
               'maxconn of a server or frontend where a case wants a limit',
    'nginx': 'one worker; passive checks only (max_fails 1, fail_timeout 10s), proxy_next_upstream at its default '
             '(http: error timeout; stream: on), proxy_connect_timeout 5s; http: keepalive 64 to the backends; '
             'max_conns where a case wants a limit, and no queue, as the open version has none',
}


@dataclasses.dataclass(frozen=True)
class Server:
    address: str
    max_connections: int = 0


@dataclasses.dataclass(frozen=True)
class Setting:
    protocol: str = 'tcp'
    queue: bool = False  # at a limit clients wait
    clients: int = 0     # the limit of clients; 0: what each of them has by itself
    nofile: int = 0      # 0: as many as there may be


def bal_server(server):
    host, _, port = server.address.rpartition(':')
    where = f'host: "{server.address}"' if host == 'unix' else f'host: "{host}", port: {port}'
    limit = f', max_connections: {server.max_connections}' if server.max_connections else ''
    return f'  - {{ {where}{limit} }}'


def bal_config(setting, port, servers):
    runtime = []
    if setting.queue:
        runtime += ['overload_policy: queue', 'queue_timeout_ms: 5000']
    if setting.clients:
        runtime.append(f'max_concurrent_connections: {setting.clients}')
    lines = [f'port: {port}', 'bind_address: "127.0.0.1"', f'protocol: {setting.protocol}', 'workers: 1', 'log_level: warn']
    if runtime:
        lines.append(f'runtime: {{ {", ".join(runtime)} }}')
    if setting.protocol == 'http':
        lines.append('health_check: { type: http, path: /health }')
    return '\n'.join([*lines, 'backends:', *(bal_server(server) for server in servers)]) + '\n'


def haproxy_server(i, server):
    limit = f' maxconn {server.max_connections}' if server.max_connections else ''
    return f'    server s{i} {server.address.replace("unix:", "unix@")} check{limit}'


def haproxy_config(setting, port, servers, stats):
    listed = '\n'.join(haproxy_server(i, server) for i, server in enumerate(servers))
    check = 'option httpchk GET /health' if setting.protocol == 'http' else ''
    limit = f'maxconn {setting.clients}' if setting.clients else ''
    return f'''\
global
    nbthread 1
    stats socket {stats} level admin
defaults
    mode {setting.protocol}
    retries 3
    option redispatch
    timeout connect 5s
    timeout client 50s
    timeout server 50s
    timeout queue 5s
    timeout http-request 10s
    timeout http-keep-alive 10s
frontend faults
    bind 127.0.0.1:{port}
    {limit}
    default_backend servers
backend servers
    balance roundrobin
    {check}
{listed}
'''


def nginx_config(setting, port, servers):
    listed = '\n'.join(f'        server {server.address}'
                       + (f' max_conns={server.max_connections}' if server.max_connections else '') + ';'
                       for server in servers)
    # the listener, a channel to the master, and connections to backends count, too
    connections = setting.clients + 8 if setting.clients else 9500 if not setting.nofile else setting.nofile // 2
    files = '' if setting.nofile else proxies.CONNECTIONS * 2
    head = proxies.nginx_head(proxies.Setting(), connections)
    head = head.replace('worker_rlimit_nofile 20000;\n', f'worker_rlimit_nofile {files};\n' if files else '')
    if setting.protocol == 'tcp':
        return proxies.nginx_stream(proxies.program('nginx')) + head + f'''\
stream {{
    upstream servers {{
{listed}
    }}
    server {{
        listen 127.0.0.1:{port};
        proxy_pass servers;
        proxy_connect_timeout 5s;
    }}
}}
'''
    return head + f'''\
http {{
{proxies.NGINX_TEMP}
    upstream servers {{
{listed}
        keepalive 64;
    }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://servers;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_connect_timeout 5s;
        }}
    }}
}}
'''


def limited(setting):
    return ['prlimit', f'--nofile={setting.nofile}:{setting.nofile}'] if setting.nofile else []


def listens(port):
    """Asked of the kernel: a connection to see it would be a session, and with a fault a failure that counts."""
    wanted = f':{port:04X}'
    return any(words[1].endswith(wanted) and words[3] == '0A'
               for words in (line.split() for line in stage.read('/proc/thread-self/net/tcp').splitlines()[1:]))


class Proxy:
    def __init__(self, s, kind, setting, port, servers):
        self.kind, self.port, self.address = kind, port, ('127.0.0.1', port)
        self.stats = s.path('haproxy.sock')
        prefix = limited(setting)
        if kind == 'bal':
            self.process = proxies.start_bal(s, bal_config(setting, port, servers), prefix=prefix)
        elif kind == 'haproxy':
            path = s.write('haproxy.cfg', haproxy_config(setting, port, servers, self.stats))
            self.process = s.start(kind, [*prefix, proxies.program(kind), '-db', '-f', path])
            self.process.ready_path = self.stats  # may come after the listener
        else:
            self.process = proxies.start_nginx(s, kind, nginx_config(setting, port, servers), prefix=prefix)

    def ready(self):
        if not self.process.alive():
            raise stage.Failure(f'{self.kind} ended: {self.process.output().strip()[-1000:]}')
        return listens(self.port) and os.path.exists(getattr(self.process, 'ready_path', '/'))

    def death(self):
        """What it ended with; empty while it runs."""
        code = self.process.popen.poll()
        if code is None:
            return ''
        return f'died (signal {-code})' if code < 0 else f'died (status {code})'

    def tell_haproxy(self, text):
        """A command for its stats socket; the beginning of its answer."""
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(control.PATIENCE_S)
            sock.connect(self.stats)
            sock.sendall(text.encode() + b'\n')
            return sock.recv(4096).decode()

    def settle(self, n):
        """As it is after its first checks: for some seconds after its start HAProxy takes a server down for one failed
        check, whatever fall says."""
        if self.kind == 'haproxy':
            for i in range(n):
                said = self.tell_haproxy(f'set server servers/s{i} health up').strip()
                if said:
                    raise stage.Failure(f'haproxy: {said}')

    def answers_status(self):
        """Whether its socket for operators answers; None: it has no such thing."""
        if self.kind == 'nginx':
            return None
        try:
            if self.kind == 'bal':
                return 'backends' in control.status(self.process)
            return self.tell_haproxy('show info').startswith('Name: ')
        except (OSError, ValueError, stage.Failure):
            return False


def missing(kind):
    """Why this proxy cannot be started here; empty if it can."""
    try:
        proxies.program(kind)
    except stage.Failure as e:
        return str(e)
    return ''


def tool(name):
    return shutil.which(name, path=os.environ.get('PATH', '') + ':/usr/sbin:/sbin')
