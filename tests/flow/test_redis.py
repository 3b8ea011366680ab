#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""redis behind bal, with redis-benchmark in front."""

import rig

REQUESTS = 200000 if rig.FULL or rig.SANITIZE == 'none' else 40000


class Redis(rig.FlowTest):
    def test_benchmark(self):
        self.need('redis-server', 'redis-benchmark', 'redis-cli')
        port, redis_port = rig.free_port(), rig.free_port()
        self.start('redis', ['redis-server', '--port', str(redis_port), '--bind', '127.0.0.1', '--save', '',
                             '--appendonly', 'no', '--dir', self.dir])
        bal = self.bal(rig.simple(port, [f'127.0.0.1:{redis_port}']))

        def ping():
            with rig.connect(redis_port) as s:
                s.sendall(b'PING\r\n')
                return s.recv(10) == b'+PONG\r\n'

        def pinged():
            try:
                return ping()
            except OSError:
                return False
        rig.wait_until(pinged, 'redis to answer')
        said = self.run_ok(['redis-benchmark', '-p', str(port), '-c', '50', '-P', '16', '-n', str(REQUESTS), '-q', '-t',
                            'ping,set,get,incr,lpush,lpop,mset'], timeout=120)
        print(said.replace('\r', '\n').splitlines()[-1])
        self.assertNotRegex(said.lower(), 'error|closed')
        self.assertIn('requests per second', said)
        value = self.run_ok(['redis-cli', '-p', str(port), 'GET', 'counter:__rand_int__']).strip()
        self.assertEqual(value, str(REQUESTS))
        self.assert_idle(bal)
        self.assert_sessions_balance(bal)


if __name__ == '__main__':
    rig.main()
