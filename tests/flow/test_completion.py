#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`bal __complete`: names for the completion of shells."""

import os
import socket
import time

import rig
import scripted
import test_cli


class Hidden(test_cli.CliTest):
    def test_silent(self):
        """Nobody there, nobody answers, garbage, nonsense: nothing, at once, and all is well."""
        for args in (['backend'], ['pool'], ['frontend'], ['nosuch'], [], ['backend', 'pool'], ['backend', '']):
            done = self.cli('__complete', *args)
            self.assertEqual((done.stdout, done.stderr), ('', ''))
        self.fake(b'{"parameters": {"backends": [7, {}, {"name": 5}, {"name": "", "pool": "a"}]}}\0')
        self.assertEqual(self.cli('__complete', 'backend').stdout, '')

    def quick(self):
        start = time.monotonic()
        done = self.cli('__complete', 'backend')
        took = time.monotonic() - start
        self.assertEqual((done.stdout, done.stderr), ('', ''))
        self.assertGreater(took, 0.04)
        return took < 0.2 * rig.SLOW  # 50 ms, and the start of a program

    def test_quick(self):
        self.fake(None)
        rig.wait_until(self.quick, 'an end in 50 ms')

    def test_nobody_accepts(self):
        with socket.socket(socket.AF_UNIX) as server:
            path = os.path.join(self.run_dir, 'status.sock')
            server.bind(path)
            server.listen(0)
            with socket.socket(socket.AF_UNIX) as first:
                first.connect(path)
                rig.wait_until(self.quick, 'an end in 50 ms')

    def test_names_of_strangers(self):
        """What a shell could take for more than a word is left out."""
        names = ['$(touch here):80', 'a b:80', '`id`:80', 'x;y:80', "it's:80", '-x', '\x1b[2J:80', 'line\nfeed:80',
                 '~root:80', 'fine.example:80', scripted.HANGUL, 'unix:/run/app.sock']
        scripted.Daemon(self, self.run_dir, Get=scripted.status([scripted.backend('web', name) for name in names]))
        wanted = [f'web/{name}' for name in names[-3:]]
        rig.wait_until(lambda: self.cli('__complete', 'backend').stdout.splitlines() == wanted, 'three names')

    def test_many(self):
        """Longer than a buffer, and all of it."""
        names = [f'10.1.{i // 250}.{i % 250}:8080' for i in range(500)]
        scripted.Daemon(self, self.run_dir, Get=scripted.status([scripted.backend('web', name) for name in names]))
        rig.wait_until(lambda: len(self.cli('__complete', 'backend').stdout.splitlines()) == 500, '500 names')

    def test_hidden(self):
        self.assertNotIn('__complete', self.cli('help').stdout)
        self.assertNotIn('did you mean', self.cli('__complet', code=64).stderr)


if __name__ == '__main__':
    rig.main()
