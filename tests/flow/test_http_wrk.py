#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""wrk through protocol http to nginx: no error, whatever happens to one of two backends."""

import re
import signal
import time

import rig
import web

SECONDS = 10 if rig.FULL else 2
MANY = 1000 if rig.SANITIZE == 'none' else 200


class Wrk(rig.FlowTest):
    def setUp(self):
        super().setUp()
        self.need('nginx', 'wrk')
        self.port, self.ports = rig.free_port(), [rig.free_port(), rig.free_port()]
        self.servers = [self.nginx(port, f'n{i}') for i, port in enumerate(self.ports)]

    def run_bal(self, **more):
        return self.bal(web.config(self.port, [s.address for s in self.servers], **more))

    def wrk(self, connections, *more, seconds=SECONDS):
        return self.start('wrk', ['wrk', '-t1', f'-c{connections}', f'-d{seconds}s', '--timeout', str(10 * rig.SLOW),
                                  *more, f'http://127.0.0.1:{self.port}/'])

    def good(self, wrk, least=100):
        self.assertEqual(wrk.wait(SECONDS + 60), 0)
        said = wrk.output()
        self.assertNotIn('Socket errors', said)
        self.assertNotIn('Non-2xx', said)
        count = int(re.search(r'(\d+) requests in', said)[1])
        print(re.search(r'Requests/sec: *\S+', said)[0], ' '.join(wrk.argv[2:3]))
        self.assertGreater(count, least)
        return count

    def spread(self, bal):
        return [backend['connections_total'] for backend in bal.get()['backends']]

    def test_keep_alive(self):
        bal = self.run_bal()
        for connections in (64, MANY):
            before = self.spread(bal)
            count = self.good(self.wrk(connections))
            shares = [after - n for n, after in zip(before, self.spread(bal))]
            self.assertGreaterEqual(sum(shares), count)
            self.assertLess(abs(shares[0] - shares[1]), sum(shares) * 0.1, 'each request goes its own way')
        self.assert_idle(bal)
        self.assert_sessions_balance(bal)

    def test_close(self):
        bal = self.run_bal()
        for connections in (64, MANY):
            before = self.spread(bal)
            self.good(self.wrk(connections, '-H', 'Connection: close'))
            shares = [after - n for n, after in zip(before, self.spread(bal))]
            self.assertLess(abs(shares[0] - shares[1]), sum(shares) * 0.1)
        self.assert_idle(bal)
        self.assert_sessions_balance(bal)

    def kill_and_restart(self, *more):
        """One backend is killed in the middle of its work, and comes back, again and again."""
        bal = self.run_bal(health_check={'type': 'tcp', 'interval': '200ms', 'timeout': '1s'},
                           failover={'cooldown': '100ms', 'backoff_initial': '100ms', 'backoff_max': '200ms'})
        wrk = self.wrk(64, *more, seconds=SECONDS + 4)
        for _ in range(2):
            time.sleep(0.7)
            self.servers[1].send_signal(signal.SIGKILL)
            self.servers[1].wait()
            time.sleep(0.7)
            self.servers[1] = self.nginx(self.ports[1], 'n1')
        back = bal.backend(self.servers[1].address)['connections_total']
        rig.wait_until(lambda: bal.backend(self.servers[1].address)['connections_total'] > back + 100 or not wrk.alive(),
                       'the backend that came back to serve')
        wrk.wait(SECONDS + 60)
        bad = [record['fields'] for record in bal.log() if record['event'] in ('http_request', 'http_response_bad')
               and record['fields'].get('end') != 'client_gone']  # wrk ends with requests under way
        self.assertEqual(bad[:3], [], 'what failed is in the log')
        self.good(wrk)
        self.assertGreater(bal.backend(self.servers[1].address)['connections_total'], back)
        self.assert_idle(bal)
        self.assert_sessions_balance(bal)

    def test_a_backend_is_killed_keep_alive(self):
        self.kill_and_restart()

    def test_a_backend_is_killed_close(self):
        self.kill_and_restart('-H', 'Connection: close')


if __name__ == '__main__':
    rig.main()
