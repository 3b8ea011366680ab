# SPDX-License-Identifier: MIT
"""The three proxies and the server behind them, with settings that are equal where they can be.

None of them logs or checks its servers; all have the same time-outs and limits of connections, and
the same number of threads. Whatever else is set, a comment beside it says why.
"""

import dataclasses
import http.client
import os
import re
import shutil
import socket
import subprocess

import stage

NAMES = ('bal', 'haproxy', 'nginx')
CONNECTIONS = 9500  # a session takes two descriptors, and 20,000 are what a process often may have
BULK = 64 * 1024 * 1024
MEDIUM = 16 * 1024
SMALL = 'x' * 40 + '\n'  # with nginx's head a reply of about 200 bytes


@dataclasses.dataclass(frozen=True)
class Setting:
    """What a row wants of all proxies alike."""
    protocol: str = 'tcp'
    threads: int = 1
    backends: int = 2
    splice: bool = False  # HAProxy moves bulk through a pipe only when told to
    sink: bool = False    # what stands behind takes uploads, see tools/bulk.c
    warm: str = ''        # how long bal keeps idle connections to servers; its own default if empty


def program(name):
    path = os.environ.get(f'BENCH_{name.upper()}') or shutil.which(name, path=os.environ.get('PATH', '') + ':/usr/sbin')
    if not path or not os.access(path, os.X_OK):
        raise stage.Failure(f'{name}: {path or "no such program"}; BENCH_{name.upper()}=path names one')
    return path


def said_by(*argv):
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return done.stdout


def versions():
    found = {'bal': said_by(program('bal'), '--version').split('\n')[0],
             'haproxy': said_by(program('haproxy'), '-v').split('\n')[0],
             'nginx': said_by(program('nginx'), '-v').strip().removeprefix('nginx version: '),
             'wrk': said_by(program('wrk'), '-v').split('\n')[0].split(' Copyright')[0]}
    return found


def server_addresses(n, port):
    """n of them, all on the loopback device; 250 to an address, so that they are told apart."""
    return [f'127.0.{1 + i // 250}.{1 + i % 250}:{port}' for i in range(n)]


# ---- configurations ----

def bal_config(s, port, servers):
    listed = '\n'.join(f'      - address: "{address}"' for address in servers)
    warm = f'http: {{ backend_keep_alive: {s.warm} }}' if s.warm else ''
    return f'''\
global:
  workers: {s.threads}
  log_level: error
  max_connections: {CONNECTIONS}
  metrics: {{ enabled: false }}
frontends:
  - name: bench
    listen: "127.0.0.1:{port}"
    protocol: {s.protocol}
    backend: bench
    backlog: 4096
    {warm}
backends:
  - name: bench
    connect_timeout: 5s
    health_check: {{ type: none }}
    servers:
{listed}
'''


def haproxy_config(s, port, servers):
    listed = '\n'.join(f'    server s{i} {address}' for i, address in enumerate(servers))
    splice = 'option splice-auto' if s.splice else ''
    # by itself it wants more descriptors than there are, and with pipes of 64 KiB uploads take a quarter longer
    pipes = 'maxpipes 200\n    tune.pipesize 262144' if s.splice else ''
    http = 'http-reuse always' if s.protocol == 'http' else ''  # warm connections for every client
    return f'''\
global
    nbthread {s.threads}
    maxconn {CONNECTIONS}
    {pipes}
defaults
    mode {s.protocol}
    timeout connect 5s
    timeout client 120s
    timeout server 120s
    timeout http-keep-alive 120s
    {splice}
    {http}
frontend bench
    bind 127.0.0.1:{port} backlog 4096
    maxconn {CONNECTIONS}
    default_backend servers
backend servers
    balance roundrobin
{listed}
'''


def nginx_head(s, connections):
    """What is the same for the proxy and for the server."""
    user = 'user root;' if os.geteuid() == 0 else ''  # else its workers may not read our files
    return f'''\
{user}
worker_processes {s.threads};
worker_rlimit_nofile 20000;
daemon off;
pid nginx.pid;
error_log stderr crit;
events {{ worker_connections {connections}; }}
'''


# its own folder for what it never writes, as the built-in ones are root's
NGINX_TEMP = '''\
    access_log off;
    client_body_temp_path temp_body;
    proxy_temp_path temp_proxy;
    fastcgi_temp_path temp_fastcgi;
    uwsgi_temp_path temp_uwsgi;
    scgi_temp_path temp_scgi;
'''


def nginx_stream(nginx):
    """Debian's nginx loads it as a module, others have it built in."""
    built = said_by(nginx, '-V')
    if re.search(r'--with-stream(\s|$)', built):
        return ''
    folder = re.search(r'--modules-path=(\S+)', built)
    path = os.path.join(folder[1] if folder else '/usr/lib/nginx/modules', 'ngx_stream_module.so')
    if not os.path.exists(path):
        raise stage.Failure(f'nginx cannot proxy TCP: there is no {path} (Debian: libnginx-mod-stream)')
    return f'load_module {path};\n'


def nginx_tcp(s, port, servers):
    listed = '\n'.join(f'        server {address} max_fails=0;' for address in servers)
    return f'''\
stream {{
    upstream bench {{
{listed}
    }}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        proxy_pass bench;
        proxy_connect_timeout 5s;
        proxy_timeout 120s;
    }}
}}
'''


# Warm connections: for every client, and for every server twice over. Bodies: never to a file, and in pieces
# of 64 KiB, as with the 4 to 16 KiB that it takes by itself it needs twice the time for bulk.
def nginx_http(s, port, servers):
    listed = '\n'.join(f'        server {address} max_fails=0;' for address in servers)
    return f'''\
http {{
{NGINX_TEMP}
    client_max_body_size 0;
    client_body_buffer_size 64k;
    keepalive_timeout 120s;
    keepalive_requests 1000000000;
    upstream bench {{
{listed}
        keepalive {max(128, 2 * s.backends)};
        keepalive_requests 1000000000;
        keepalive_timeout 120s;
    }}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{
            proxy_pass http://bench;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_connect_timeout 5s;
            proxy_read_timeout 120s;
            proxy_send_timeout 120s;
            proxy_request_buffering off;
            proxy_max_temp_file_size 0;
            proxy_buffer_size 16k;
            proxy_buffers 8 64k;
            proxy_busy_buffers_size 128k;
        }}
    }}
}}
'''


def nginx_server(addresses, root):
    listed = '\n'.join(f'        listen {address} backlog=4096;' for address in addresses)
    return f'''\
http {{
{NGINX_TEMP}
    sendfile on;
    keepalive_timeout 120s;
    keepalive_requests 1000000000;
    open_file_cache max=16;
    server {{
{listed}
        root {root};
        location = / {{ return 200 "{SMALL.strip()}\\n"; }}
    }}
}}
'''


# ---- starting them ----

def takes_connections(address):
    host, port = address.rsplit(':', 1)
    try:
        socket.create_connection((host, int(port)), 1).close()
        return True
    except OSError:
        return False


def start_nginx(s, name, text, prefix=()):
    home = s.path(s.name_for(name))
    os.makedirs(home)
    with open(os.path.join(home, 'nginx.conf'), 'w', encoding='utf-8') as f:
        f.write(text)
    nginx = program('nginx')
    return s.start(name, [*prefix, nginx, '-p', home, '-c', f'{home}/nginx.conf', '-e', f'{home}/error.log'])


class Started:
    """Something that listens: its process and its address."""

    def __init__(self, name, process, address):
        self.name, self.process, self.address = name, process, address
        self.port = int(address.rsplit(':', 1)[1])

    def wait(self, step=0.01):
        def listens():
            if not self.process.alive():
                raise stage.Failure(f'{self.name} ended: {self.process.output().strip()[-1000:]}')
            return takes_connections(self.address) and os.path.exists(getattr(self.process, 'ready_path', '/'))
        stage.wait_until(listens, f'{self.name} to listen', step=step)
        return self

    def get(self, path='/'):
        """One request; status and body."""
        connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=10)
        connection.request('GET', path)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer.status, body


def start_server(s, n=2):
    """The nginx behind the proxies, on n addresses."""
    port = stage.free_port()
    addresses = server_addresses(n, port)
    root = s.path('www')
    if not os.path.exists(root):
        os.makedirs(root)
        for name, size in (('medium', MEDIUM), ('bulk', BULK)):
            with open(os.path.join(root, name), 'wb') as f:
                for _ in range(size // MEDIUM):
                    f.write(b'x' * MEDIUM)
    text = nginx_head(Setting(), 20000) + nginx_server(addresses, root)
    server = Started('server', start_nginx(s, 'server', text), addresses[0])
    server.addresses = addresses
    return server.wait()


def start_sink(s, n=2):
    """What takes uploads."""
    addresses = server_addresses(n, stage.free_port())
    listen = [word for address in addresses for word in ('--listen', address)]
    sink = Started('sink', s.start('sink', [tool('bulk'), 'sink', *listen]), addresses[0])
    sink.addresses = addresses
    return sink.wait()


def tool(name):
    path = os.path.join(os.environ.get('BENCH_TOOLS', ''), name)
    if not os.access(path, os.X_OK):
        raise stage.Failure(f'no {path}: tests/bench/run.sh builds it, or BENCH_TOOLS=folder says where it is')
    return path


def start(s, kind, setting, addresses, wait=True, notify=None):
    """A proxy: kind is one of NAMES. With wait it answers when this returns; notify: where bal says READY=1."""
    port = stage.free_port()
    if kind == 'bal':
        process = start_bal(s, bal_config(setting, port, addresses), notify)
    elif kind == 'haproxy':
        path = s.write(f'haproxy.{port}.cfg', haproxy_config(setting, port, addresses))
        process = s.start(kind, [program(kind), '-db', '-f', path])
    else:
        text = nginx_head(setting, 2 * CONNECTIONS + 100)
        if setting.protocol == 'tcp':
            text = nginx_stream(program(kind)) + text + nginx_tcp(setting, port, addresses)
        else:
            text += nginx_http(setting, port, addresses)
        process = start_nginx(s, kind, text)
    proxy = Started(kind, process, f'127.0.0.1:{port}')
    return proxy.wait() if wait else proxy


def start_bal(s, text, notify=None, prefix=()):
    home = s.path(s.name_for('bal'))
    os.makedirs(os.path.join(home, 'run'), mode=0o700)
    config = os.path.join(home, 'config.yaml')
    with open(config, 'w', encoding='utf-8') as f:
        f.write(text)
    env = {**os.environ, 'RUNTIME_DIRECTORY': os.path.join(home, 'run'), 'HOME': home}
    env.pop('NOTIFY_SOCKET', None)
    if notify:
        env['NOTIFY_SOCKET'] = notify
    process = s.start('bal', [*prefix, program('bal'), 'start', '-c', config, '--no-watch'], env=env)
    process.config, process.run_dir = config, os.path.join(home, 'run')
    process.ready_path = os.path.join(process.run_dir, 'admin.sock')  # comes after the listeners
    return process


def bal_speaks_http(s):
    """Whether this bal serves protocol: http; else those rows are left out."""
    path = s.write('http.yaml', bal_config(Setting('http'), 1024, ['127.0.0.1:1', '127.0.0.1:2']))
    done = subprocess.run([program('bal'), 'check', '-c', path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                          check=False)
    return done.returncode == 0
