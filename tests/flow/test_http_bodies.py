#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A big file through protocol http, each way, by length and in chunks: what arrives is what was sent."""

import hashlib
import random
import subprocess

import rig
import web

BIG = (1 << 30) if rig.FULL else (256 << 20) if rig.SANITIZE == 'none' else (16 << 20)


def big_file(path, size=BIG):
    """A file of that size which costs little to make: random blocks here and there, holes between them.
    Returns its sha256."""
    rng = random.Random(size)
    with open(path, 'wb') as f:
        f.truncate(size)
        for _ in range(64):
            f.seek(rng.randrange(size - 70000))
            f.write(rng.randbytes(rng.randrange(1, 70000)))
        f.seek(size - 10)
        f.write(b'end of it\n')
    return sha256(path)


def sha256(path):
    with open(path, 'rb') as f:
        digest = hashlib.sha256()
        while part := f.read(1 << 20):
            digest.update(part)
    return digest.hexdigest()


class Bodies(rig.FlowTest):
    """What arrives is hashed on the way, so nothing is kept."""

    def setUp(self):
        super().setUp()
        self.need('curl', 'node', 'sha256sum')
        self.file = f'{self.dir}/big'
        self.digest = big_file(self.file)
        self.node = web.Node(self, file=self.file)
        self.port = rig.free_port()
        self.bal_ = self.bal(web.config(self.port, [self.node.address]))

    def upload(self, *args, stdin=None):
        answer = web.Curl(self, f'http://127.0.0.1:{self.port}/sum', '-H', 'Expect:', *args, timeout=150, stdin=stdin)
        self.assertEqual((answer.status, answer.json()['n'], answer.json()['sha256']), (200, BIG, self.digest))

    def download(self, target):
        curl = subprocess.Popen(['curl', '-sSf', '--max-time', str(150 * rig.SLOW),
                                 f'http://127.0.0.1:{self.port}{target}'], stdout=subprocess.PIPE)
        digest = self.run_ok(['sha256sum'], stdin=curl.stdout, timeout=150).split()[0]
        curl.stdout.close()
        self.assertEqual((curl.wait(), digest), (0, self.digest))

    def tearDown(self):
        self.assert_idle(self.bal_)
        self.assert_sessions_balance(self.bal_)

    def test_upload_in_chunks(self):
        with open(self.file, 'rb') as f:
            self.upload('-T', '-', stdin=f)

    def test_upload_by_length(self):
        self.upload('-T', self.file)

    def test_download_in_chunks(self):
        self.download('/file')

    def test_download_by_length(self):
        self.download('/file?length')


if __name__ == '__main__':
    rig.main()
