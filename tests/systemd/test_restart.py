#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Restarts behind bal.socket: nobody is refused, nobody waits long."""

import threading
import time

import box


class Restart(box.BoxTest):
    def test_ten_restarts_in_five_seconds(self):
        """Clients that connect one after the other, each at once when the last was answered."""
        self.configure(box.simple(9295, [self.backend('one'), self.backend('two')]))
        self.systemctl('start', 'bal.socket', 'bal.service')
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
              f'10 restarts in {elapsed:.1f} s', end=' ')
        self.assertEqual(failed, [])
        self.assertGreater(len(took), 500)
        self.assertLess(max(took), 0.15)
        self.assertLess(elapsed, 6)
        self.assertEqual(self.starts(), 11)
        self.assertEqual((self.show('ActiveState'), self.show('ActiveState', 'bal.socket')), ('active', 'active'))


box.main()
