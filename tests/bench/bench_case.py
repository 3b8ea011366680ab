# SPDX-License-Identifier: MIT
"""What the tests of the measuring programs share: one is started, and must leave nothing behind."""

import ctypes
import glob
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
NEEDED = ('haproxy', 'nginx', 'wrk')
SKIP = 77
PR_SET_CHILD_SUBREAPER = 36


def children(pid='self'):
    pids = []
    for path in glob.glob(f'/proc/{pid}/task/*/children'):
        with open(path, encoding='ascii') as f:
            pids += f.read().split()
    return pids


class BenchCase(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix='bal-test-bench-')
        self.addCleanup(shutil.rmtree, self.dir)
        self.popen = None
        self.addCleanup(lambda: self.popen and self.popen.poll() is None and self.popen.kill())

    def start(self, program, *args, **env):
        self.temp = tempfile.mkdtemp(dir=self.dir)
        self.popen = subprocess.Popen([os.path.join(HERE, program), *args], stdin=subprocess.DEVNULL,
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                      env={**os.environ, 'TMPDIR': self.temp, **env})

    def finish(self):
        """(status, what it said); whatever it started has ended before it."""
        said = self.popen.communicate()[0]
        self.assertEqual(children(), [], said)
        self.assertEqual(os.listdir(self.temp), [], said)
        return self.popen.returncode, said

    def end(self, status):
        found, said = self.finish()
        self.assertEqual(found, status, said)
        return said


def main(needed=NEEDED):
    os.environ['PATH'] += ':/usr/sbin:/sbin'
    missing = [name for name in needed if not shutil.which(name)]
    if missing:
        print(f'not installed: {" ".join(missing)}')
        sys.exit(SKIP)
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    unittest.main(verbosity=2)
