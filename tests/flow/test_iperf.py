#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""iperf3 through bal, both directions, eight streams."""

import json

import rig

SECONDS = 10 if rig.FULL else 2


class Iperf(rig.FlowTest):
    def test_both_directions(self):
        self.need('iperf3')
        port, iperf_port = rig.free_port(), rig.free_port()
        server = self.start('iperf3', ['iperf3', '-s', '-p', str(iperf_port), '-B', '127.0.0.1', '--forceflush'])
        rig.wait_until(lambda: 'listening' in server.output(), 'iperf3 to listen')
        # to iperf3 a check is a client that leaves at once, and one that comes in that moment is sent away
        bal = self.bal(rig.simple(port, [f'127.0.0.1:{iperf_port}'], 'health_check: { type: none }'))
        fds = bal.fds()
        for more in ([], ['-R'], ['--bidir']):
            said = self.run_ok(['iperf3', '-c', '127.0.0.1', '-p', str(port), '-P', '8', '-t', str(SECONDS), '-J', *more],
                               timeout=60 + SECONDS)
            report = json.loads(said)
            self.assertNotIn('error', report)
            rate = report['end']['sum_received']['bits_per_second'] / 1e9
            print(f'{" ".join(more) or "up"}: {rate:.1f} Gbit/s')
            self.assertGreater(rate, 0.01)
            self.assert_idle(bal)
        self.assert_sessions_balance(bal)
        rig.wait_until(lambda: bal.fds() <= fds + 40, 'descriptors as before')


if __name__ == '__main__':
    rig.main()
