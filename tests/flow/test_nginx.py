#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""nginx behind bal, wrk in front: keep-alive and a connection per request, no socket errors."""

import re

import rig

SECONDS = 10 if rig.FULL else 3


class Nginx(rig.FlowTest):
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
