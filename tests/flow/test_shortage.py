#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Memory runs out: what was served goes on."""

import mmap
import os
import struct
import unittest

import rig


@unittest.skipUnless(rig.SANITIZE == 'none', 'a sanitizer brings its own malloc()')
class Reload(rig.FlowTest):
    """A reload of which a worker cannot take its part changes nothing."""

    def start_with_faults(self, config):
        path = os.path.join(self.dir, 'fault')
        with open(path, 'wb') as f:
            f.write(struct.pack('i', -1).ljust(mmap.PAGESIZE, b'\0'))
        with open(path, 'r+b') as f:
            self.page = mmap.mmap(f.fileno(), mmap.PAGESIZE)
        self.addCleanup(self.page.close)
        return self.bal(config, env={'LD_PRELOAD': os.path.join(rig.TOOLS, 'libfault.so'), 'FAULT_PAGE': path})

    def fault(self, nth):
        self.page[:4] = struct.pack('i', nth)

    def has_failed(self):
        failed = struct.unpack('i', self.page[:4])[0] == -2
        self.fault(-1)
        return failed

    def test_nothing_changes(self):
        one, two = self.backend('one'), self.backend('two')
        old, new, kept = (rig.free_port() for _ in range(3))

        def config(port, backend, **keys):
            return rig.document(rig.pool('p', port, [(backend.address, keys)], frontend={'max_connections': 50}),
                                rig.pool('q', kept, [backend.address], frontend={'protocol': 'http'}), workers=2)
        bal = self.start_with_faults(config(old, one))
        fds, events = bal.fds(), 0
        verdicts = set()
        for nth in range(200):
            bal.write(config(new, two, weight=7, max_connections=9).replace('"max_connections": 50', '"max_connections": 1'))
            self.fault(nth)
            done = bal.cli('graceful')
            if not self.has_failed():
                break
            self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
            self.assertIn('a worker cannot take the configuration over', done.stderr)
            verdicts.add('memory' if 'Cannot allocate memory' in done.stderr else 'watches')
            events += 1
            self.assertEqual(len(bal.log_wait('config_rejected', events)), events)
            with self.assertRaises(ConnectionRefusedError):
                rig.connect(new)
            for _ in range(4):
                self.assertEqual(rig.get(old), 'one')
                self.assertEqual(rig.get(kept), 'one')
            status = bal.get()
            self.assertEqual(status['frontends'][0]['max_connections'], 50)
            self.assertEqual([b['name'] for b in status['backends']], [one.address] * 2)
            self.assertEqual(status['config_number'], 1)
        self.assertGreaterEqual(nth, 8)
        self.assertEqual(verdicts, {'memory', 'watches'})
        rig.wait_until(lambda: bal.fds() <= fds + 2, 'no descriptor is left behind')

        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual((rig.get(new), rig.get(kept)), ('two', 'two'))
        self.assertEqual(bal.get()['frontends'][0]['max_connections'], 1)
        with self.assertRaises(ConnectionRefusedError):
            rig.connect(old)
        self.assert_idle(bal)


if __name__ == '__main__':
    rig.main()
