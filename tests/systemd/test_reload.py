#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`systemctl reload bal` returns with the verdict, and a bad file changes nothing."""

import os
import time

import box


class Reload(box.BoxTest):
    def setUp(self):
        super().setUp()
        self.one, self.two = self.backend('one'), self.backend('two')
        # a file that changes by itself would be one more reload; one test is about that
        self.configure(self.file(self.one))
        self.systemctl('start', 'bal')

    def file(self, backend, more=''):
        return box.simple(9295, [backend], 'watch: false\n' + more)

    def test_good(self):
        self.assertEqual(box.answer(9295), 'one')
        pid = self.pid()
        self.configure(self.file(self.two))
        self.systemctl('reload', 'bal')
        self.assertEqual(box.answer(9295), 'two')  # it serves when reload returns, not some time later
        self.assertEqual((self.pid(), self.show('NRestarts')), (pid, '0'))

    def test_bad(self):
        self.configure(self.file(self.two, 'prot: 1'))
        done = self.systemctl('reload', 'bal', status=1)
        self.assertIn('failed', done.stderr)
        said = box.run('systemctl', 'status', '--no-pager', '--full', 'bal').stdout
        self.assertIn("config.yaml:3:1: error[E014]: unknown key 'prot'", said)
        self.assertIn('the old configuration goes on serving', said)
        box.wait_until(lambda: 'the last reload failed' in self.show('StatusText'), 'the line to say so', 3)
        self.assertEqual(self.show('ActiveState'), 'active')
        self.assertEqual(box.answer(9295), 'one')

        self.configure(self.file(self.two))
        self.systemctl('reload', 'bal')
        self.assertEqual(box.answer(9295), 'two')
        box.wait_until(lambda: 'failed' not in self.show('StatusText'), 'the line to say nothing of it any more', 3)

    def test_no_file(self):
        os.unlink(box.CONFIG)
        self.systemctl('reload', 'bal', status=1)
        self.assertEqual(box.answer(9295), 'one')
        self.configure(self.file(self.two))
        self.systemctl('reload', 'bal')
        self.assertEqual(box.answer(9295), 'two')

    def test_a_taken_port(self):
        self.configure(self.file(self.two).replace('9295', '9296'))
        blocker = box.Backend('blocker', 9296)
        self.addCleanup(blocker.close)
        self.systemctl('reload', 'bal', status=1)
        self.assertIn('cannot listen on 0.0.0.0:9296', '\n'.join(self.messages()))
        self.assertEqual(box.answer(9295), 'one')

    def test_fifty_in_a_row(self):
        pid = self.pid()
        slowest = 0.0
        for i in range(50):
            backend, name = [(self.one, 'one'), (self.two, 'two')][i % 2]
            bad = i % 5 == 4
            self.configure(self.file(backend, f'prot: {i}' if bad else ''))
            began = time.monotonic()
            self.systemctl('reload', 'bal', status=1 if bad else 0, timeout=10)
            slowest = max(slowest, time.monotonic() - began)
            if not bad:
                self.assertEqual(box.answer(9295), name, i)
        self.assertEqual((self.pid(), self.show('NRestarts'), self.show('ActiveState')), (pid, '0', 'active'))
        self.assertLess(slowest, 2)
        print(f'the slowest of 50 reloads: {slowest * 1000:.0f} ms', end=' ')

    def test_signals_in_a_row(self):
        """kill -HUP has no verdict, but systemd sees each reload begin and end, and is not left waiting."""
        for i in range(20):
            self.configure(self.file(self.two if i % 2 else self.one))
            self.systemctl('kill', '--signal=HUP', '--kill-who=main', 'bal')
        box.wait_until(lambda: box.answer(9295) == 'two', 'the last file')
        box.wait_until(lambda: self.show('SubState') == 'running', 'the end of the last reload')
        self.systemctl('reload', 'bal')

    def test_watched_and_told(self):
        """Who edits the file and reloads at once meets the reload of the watch, and does not notice."""
        self.configure(box.simple(9295, [self.one]))
        self.systemctl('reload', 'bal')
        for i in range(30):
            backend, name = [(self.one, 'one'), (self.two, 'two')][i % 2]
            self.configure(box.simple(9295, [backend]))
            time.sleep(i % 10 * 0.03)
            self.systemctl('reload', 'bal')
            self.assertEqual(box.answer(9295), name)

    def test_the_file_is_watched(self):
        """Without a word to anybody; systemd hears of it all the same."""
        self.configure(box.simple(9295, [self.one]))
        self.systemctl('reload', 'bal')
        self.configure(box.simple(9295, [self.two]))
        box.wait_until(lambda: box.answer(9295) == 'two', 'the new file')
        self.configure(box.simple(9295, [self.two], 'prot: 1'))
        box.wait_until(lambda: 'the last reload failed' in self.show('StatusText'), 'the line to say so', 5)
        box.wait_until(lambda: self.show('SubState') == 'running', 'the end of the reload')
        self.assertEqual(box.answer(9295), 'two')


box.main()
