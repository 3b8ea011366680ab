#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Restarts behind bal.socket: nobody is refused, nobody waits long."""

import sys
import threading
import time

import box


ROUNDS = 3  # the machine may be busy with something else; but nobody is refused in any of them


class Restart(box.BoxTest):
    def round(self):
        """Ten restarts, one each half second; clients that connect one after the other, each at once
        when the last was answered. How long each took, and what failed."""
        over = threading.Event()
        took, failed = [], []

        def load():
            while not over.is_set():
                began = time.monotonic()
                try:
                    box.answer(9295)
                except OSError as error:
                    failed.append(repr(error))
                took.append(time.monotonic() - began)
        clients = [threading.Thread(target=load) for _ in range(2)]
        for client in clients:
            client.start()
        began = time.monotonic()
        for i in range(10):
            self.systemctl('restart', 'bal.service')
            time.sleep(max(0.0, began + (i + 1) * 0.5 - time.monotonic()))
        elapsed = time.monotonic() - began
        over.set()
        for client in clients:
            client.join()
        print(f'{len(took)} connects, {len(failed)} failed, the slowest took {max(took) * 1000:.0f} ms; '
              f'10 restarts in {elapsed:.1f} s', end=' ', file=sys.stderr)
        return took, failed, elapsed

    def test_ten_restarts_in_five_seconds(self):
        self.configure(box.simple(9295, [self.backend('one'), self.backend('two')]))
        self.systemctl('start', 'bal.socket', 'bal.service')
        for n in range(1, ROUNDS + 1):
            took, failed, elapsed = self.round()
            self.assertEqual(failed, [])
            self.assertGreater(len(took), 500)
            self.assertEqual(self.starts(), 1 + 10 * n)
            self.assertEqual((self.show('ActiveState'), self.show('ActiveState', 'bal.socket')), ('active', 'active'))
            if max(took) < 0.15 and elapsed < 6:
                return
        self.fail(f'in none of {ROUNDS} rounds everybody was served within 150 ms')


box.main()
