#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""PostgreSQL behind bal, with pgbench in front."""

import glob
import os
import signal

import rig

SECONDS = 5 if rig.FULL else 3


class Postgres(rig.FlowTest):
    def test_pgbench(self):
        folders = sorted(glob.glob('/usr/lib/postgresql/*/bin'))
        if not folders:
            self.skipTest('postgresql is not installed')
        user = rig.unprivileged_user()
        who = {'user': user.pw_uid, 'group': user.pw_gid, 'extra_groups': []} if user else {}
        env = {**os.environ, 'PATH': f'{folders[-1]}:{os.environ.get("PATH", "")}', 'LC_ALL': 'C.UTF-8'}
        port, pg_port = rig.free_port(), rig.free_port()
        data = f'{self.dir}/pg'
        os.mkdir(data, 0o700)
        if user:
            os.chown(data, user.pw_uid, user.pw_gid)
        self.run_ok(['initdb', '-D', f'{data}/db', '-A', 'trust', '-N', '-U', 'bench'], timeout=120, env=env, cwd=data,
                    **who)
        server = self.start('postgres', [f'{folders[-1]}/postgres', '-D', f'{data}/db', '-p', str(pg_port), '-k', data,
                                         '-h', '127.0.0.1', '-c', 'fsync=off', '-c', 'max_connections=50'],
                            cwd=data, env=env, **who)
        self.addCleanup(lambda: server.end(signal.SIGINT, 20))
        rig.wait_until(lambda: 'ready to accept connections' in server.output(), 'postgres to be ready', 60)
        bal = self.bal(rig.simple(port, [f'127.0.0.1:{pg_port}']))
        connection = ['-h', '127.0.0.1', '-p', str(port), '-U', 'bench', 'postgres']
        self.run_ok(['pgbench', '-i', '-q', '-s', '1', *connection], timeout=120, env=env)
        for more in ([], ['-C'], ['-M', 'prepared']):  # -C: a connection per transaction
            said = self.run_ok(['pgbench', '-c', '8', '-T', str(SECONDS), *more, *connection], timeout=120, env=env)
            self.assertIn('number of failed transactions: 0 ', said)
            self.assertNotIn('error', said.lower())
        self.assert_idle(bal)
        self.assert_sessions_balance(bal)


if __name__ == '__main__':
    rig.main()
