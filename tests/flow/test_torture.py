#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Many sessions, random bytes both ways, stalls, small buffers, FINs in either order: all must arrive."""

import rig

SESSIONS = 200
if rig.FULL:
    LEAST, MOST = '1M', '50M'
else:
    LEAST, MOST = '1k', {'none': '3M', 'thread': '300k'}.get(rig.SANITIZE, '1M')


# the other end takes every connection for one of its own clients
NO_CHECKS = 'health_check: { type: none }'


class Torture(rig.FlowTest):
    def run_torture(self, listen, to, *more, sessions=SESSIONS, most=MOST):
        report = self.tool('torture', '--listen', listen, '--to', to, '--sessions', sessions, '--min', LEAST, '--max',
                           most, '--silence-ms', 4000 * rig.SLOW, *more, timeout=1500 if rig.FULL else 200, ok=False)
        print(report)
        self.assertEqual((report['failed'], report['hashes_differ']), (0, 0))

    def check_after(self, bal, fds, pss):
        self.assert_idle(bal)
        self.assert_sessions_balance(bal)
        rig.wait_until(lambda: bal.fds() <= fds + 40, f'descriptors back near {fds}')  # pipes it keeps in stock
        status = bal.status()
        print('closed:', status['closed'], 'fds', fds, '->', bal.fds(), 'pss', pss, '->', bal.pss_kib(), 'KiB')
        if rig.SANITIZE == 'none':
            self.assertLess(bal.pss_kib() - pss, 4096)

    def test_tcp(self):
        port, backend_port = rig.free_port(), rig.free_port()
        bal = self.bal(rig.simple(port, [f'127.0.0.1:{backend_port}'], NO_CHECKS))
        self.run_torture(f'127.0.0.1:{backend_port}', f'127.0.0.1:{port}', sessions=20)
        fds, pss = bal.fds(), bal.pss_kib()
        self.run_torture(f'127.0.0.1:{backend_port}', f'127.0.0.1:{port}')
        self.check_after(bal, fds, pss)

    def test_urgent_bytes(self):
        port, backend_port = rig.free_port(), rig.free_port()
        self.bal(rig.simple(port, [f'127.0.0.1:{backend_port}'], NO_CHECKS))
        self.run_torture(f'127.0.0.1:{backend_port}', f'127.0.0.1:{port}', '--urgent', sessions=40, most='1M')

    def test_unix_sockets(self):
        front, back = f'unix:{self.dir}/f', f'unix:{self.dir}/b'
        bal = self.bal(f'frontends:\n  - {{ name: f, listen: "{front}", backend: p }}\n'
                       f'backends:\n  - {{ name: p, servers: [ {{ address: "{back}" }} ], {NO_CHECKS} }}\n')
        self.run_torture(back, front, sessions=60)
        self.assert_idle(bal)
        self.assert_sessions_balance(bal)

    def test_one_worker_few_pipes(self):
        """Most lanes find no pipe and copy."""
        port, backend_port = rig.free_port(), rig.free_port()
        self.bal(f'global: {{ workers: 1 }}\nfrontends:\n  - {{ name: f, listen: "127.0.0.1:{port}", backend: p }}\n'
                 f'backends:\n  - {{ name: p, servers: [ {{ address: "127.0.0.1:{backend_port}" }} ], {NO_CHECKS} }}\n',
                 files=320)
        self.run_torture(f'127.0.0.1:{backend_port}', f'127.0.0.1:{port}', sessions=40)


if __name__ == '__main__':
    rig.main()
