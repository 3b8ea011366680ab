#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""nginx behind bal, wrk in front: keep-alive and a connection per request, no socket errors."""

import re

import rig

SECONDS = 10 if rig.FULL else 3


class Nginx(rig.FlowTest):
    def nginx(self, port):
        path = f'{self.dir}/nginx.conf'
        with open(path, 'w', encoding='ascii') as f:
            f.write(f'''daemon off; master_process off; pid {self.dir}/nginx.pid; error_log {self.dir}/nginx.err;
worker_rlimit_nofile 8192;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000;
  client_body_temp_path {self.dir}/t1; proxy_temp_path {self.dir}/t2; fastcgi_temp_path {self.dir}/t3;
  uwsgi_temp_path {self.dir}/t4; scgi_temp_path {self.dir}/t5;
  server {{ listen 127.0.0.1:{port} backlog=4096; location / {{ return 200 "hello from nginx\\n"; }} }}
}}
''')
        server = self.start('nginx', ['/usr/sbin/nginx', '-p', self.dir, '-c', path, '-e', f'{self.dir}/nginx.err'])

        def listens():
            try:
                rig.connect(port).close()
                return True
            except OSError:
                if not server.alive():
                    raise AssertionError(server.output()) from None
                return False
        rig.wait_until(listens, 'nginx to listen')

    def wrk(self, port, *more):
        said = self.run_ok(['wrk', '-t1', '-c64', f'-d{SECONDS}s', '--timeout', str(5 * rig.SLOW), *more,
                            f'http://127.0.0.1:{port}/'], timeout=SECONDS + 60)
        print(re.search(r'Requests/sec: *\S+', said)[0], *more)
        self.assertNotIn('Socket errors', said)
        self.assertNotIn('Non-2xx', said)
        self.assertGreater(int(re.search(r'(\d+) requests in', said)[1]), 100)

    def test_wrk(self):
        self.need('nginx', 'wrk')
        port, ports = rig.free_port(), [rig.free_port(), rig.free_port()]
        for nginx_port in ports:
            self.nginx(nginx_port)
        bal = self.bal(rig.simple(port, [f'127.0.0.1:{p}' for p in ports]))
        self.wrk(port)
        self.wrk(port, '-H', 'Connection: close')
        self.assert_idle(bal)
        self.assert_sessions_balance(bal)
        for backend in bal.status()['backends']:
            self.assertGreater(backend['connections_total'], 30)
            self.assertEqual(sum(backend['counters'].values()), 0)


if __name__ == '__main__':
    rig.main()
