# SPDX-License-Identifier: MIT
"""A stage for tests under a real systemd: bal is installed into a box (box.sh), its units run there.

    class Test(box.BoxTest):
        def test_something(self):
            self.configure(box.simple(9295, [self.backend('one')]))
            self.systemctl('start', 'bal')

    box.main()

On the host main() installs bal into a temporary tree and starts itself again in a box with that; in
the box it runs the tests. Each test begins with no configuration, no drop-in and no unit of bal's
running, and the network is a loopback that nobody else has, so ports are just numbers.
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.environ.get('BAL_SOURCE', os.path.dirname(os.path.dirname(HERE)))
BUILD = os.environ.get('BAL_BUILD', '')
SAMPLE_BACKEND = os.environ.get('SAMPLE_BACKEND', '')
BAL = os.environ.get('BAL_INSTALLED', '/usr/local/bin/bal')
SKIP = 77
UNITS = ('bal.socket', 'bal-status.socket', 'bal-admin.socket', 'bal.service')
CONFIG = '/etc/bal/config.yaml'


# ---- on the host ----

def skip(why):
    print(f'skipped: {why}')
    sys.exit(SKIP)


def why_not():
    """Why these tests cannot run here, or ''."""
    if os.environ.get('BAL_SANITIZE', 'none') != 'none':
        return "the units' hardening does not let a sanitizer run"
    if not os.path.exists(os.path.join(BUILD, 'units', 'bal.service')):
        return 'the units are not built: there is no systemd.pc (package systemd), or -Dunits=disabled'
    if BAL.startswith(('/home/', '/root/', '/run/', '/tmp/', '/var/tmp/')):
        return f"the unit cannot see {BAL}: choose another prefix"
    can = subprocess.run([os.path.join(HERE, 'box.sh'), '--can'], stdout=subprocess.PIPE, text=True, timeout=60,
                         check=False)
    return can.stdout.strip() if can.returncode == SKIP else ''


def run_in_box():
    why = why_not()
    if why:
        skip(why)
    with tempfile.TemporaryDirectory(prefix='bal-tree-') as tree:
        subprocess.run(['meson', 'install', '-C', BUILD, '--no-rebuild', '--quiet', '--destdir', tree],
                       stdout=subprocess.DEVNULL, timeout=120, check=True)
        journal = os.path.join(tree, 'journal')
        done = subprocess.run([os.path.join(HERE, 'box.sh'), '-i', tree, '-j', journal, '-b', SOURCE, '-b', BUILD,
                               sys.executable, *sys.argv], check=False)
        if done.returncode and os.path.exists(journal):
            with open(journal, encoding='utf-8', errors='replace') as f:
                print('the end of the journal:\n' + ''.join(f.readlines()[-60:]), file=sys.stderr)
    sys.exit(done.returncode)


def main():
    if os.environ.get('SDBOX') != '1':
        run_in_box()
    unittest.main(verbosity=2)


# ---- in the box ----

def wait_until(condition, what, timeout=10.0, step=0.01):
    """Polls until condition() is true and returns its value; an AssertionError names what was awaited."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f'waited {timeout:.0f} s for {what}')
        time.sleep(step)


def run(*argv, timeout=30.0, **options):
    return subprocess.run(argv, capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL,
                          check=False, **options)


def simple(port, backends, head=''):
    """A file in the simple form; backends: ports."""
    lines = [f'port: {port}', *head.splitlines(), 'backends:']
    for backend in backends:
        lines += ['  - host: "127.0.0.1"', f'    port: {backend}']
    return '\n'.join(lines) + '\n'


def connect(port, timeout=10.0, host='127.0.0.1'):
    return socket.create_connection((host, port), timeout)


def answer(port, timeout=10.0, host='127.0.0.1'):
    """The name of the backend that answers; each connection is one request."""
    with connect(port, timeout, host) as s:
        s.settimeout(timeout)
        s.sendall(b'?')
        said = s.recv(100)
    if not said:
        raise ConnectionError('closed without an answer')
    return said.decode()


def listens(port, host='127.0.0.1'):
    try:
        with connect(port, 1, host):
            return True
    except OSError:
        return False


class Backend:
    """Says its name to whoever says anything, then hangs up; counts who came."""

    def __init__(self, name, port=0, hold=False, path=None):
        self.name, self.hold, self.served = name, hold, 0
        self.listener = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(path or ('127.0.0.1', port))
        self.listener.listen(1024)
        self.port = None if path else self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while True:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(s,), daemon=True).start()

    def serve(self, s):
        with s, contextlib.suppress(OSError):
            while s.recv(100):
                self.served += 1
                s.sendall(self.name.encode())
                if not self.hold:
                    break

    def close(self):
        """The thread ends first: its accept() must not meet another socket under the old number."""
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join(10)
        self.listener.close()


class BoxTest(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.clean_up()
        self.addCleanup(self.clean_up)
        self.since = time.time()

    def clean_up(self):
        run('systemctl', 'stop', *UNITS)
        run('systemctl', 'reset-failed')
        for path in ('/etc/bal', '/etc/systemd/system/bal.service.d', '/etc/systemd/system/bal.socket.d'):
            shutil.rmtree(path, ignore_errors=True)
        for name in os.listdir('/etc/systemd/system'):
            if name.startswith('bal') and not name.startswith('balbox'):
                path = os.path.join('/etc/systemd/system', name)
                shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
        run('systemctl', 'daemon-reload')

    # ---- what there is ----

    def configure(self, text, path=CONFIG):
        """Replaces the file in one step, as an editor does."""
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path + '.new', 'w', encoding='utf-8') as f:
            f.write(text)
        os.chmod(path + '.new', 0o644)
        os.rename(path + '.new', path)

    def drop_in(self, text, unit='bal.service'):
        folder = f'/etc/systemd/system/{unit}.d'
        os.makedirs(folder, exist_ok=True)
        with open(f'{folder}/{len(os.listdir(folder))}.conf', 'w', encoding='utf-8') as f:
            f.write(text)
        self.systemctl('daemon-reload')

    def unit(self, name, text):
        with open(f'/etc/systemd/system/{name}', 'w', encoding='utf-8') as f:
            f.write(text)
        self.systemctl('daemon-reload')

    def backend(self, name, port=0, hold=False):
        """A server of its own; returns its port."""
        backend = Backend(name, port, hold)
        self.addCleanup(backend.close)
        return backend.port

    # ---- what is done ----

    def systemctl(self, *args, status=0, timeout=60.0):
        """status: the exit status it must have; None: any."""
        done = run('systemctl', *args, timeout=timeout)
        if status is not None and done.returncode != status:
            self.fail(f'systemctl {" ".join(args)}: {done.returncode}, not {status}\n{done.stdout}{done.stderr}\n' +
                      run('systemctl', 'status', '--no-pager', '--full', args[-1]).stdout)
        return done

    def bal(self, *args, status=0, user=None, groups=(), env=None):
        argv = [BAL, *args]
        if user:
            argv = ['setpriv', '--reuid', user, '--regid', user,
                    *(['--groups', ','.join(groups)] if groups else ['--clear-groups']), *argv]
        done = run(*argv, env={'PATH': os.environ['PATH'], 'LC_ALL': 'C.UTF-8', 'HOME': '/nonexistent', **(env or {})})
        if status is not None:
            self.assertEqual(done.returncode, status, f'bal {" ".join(args)}\n{done.stdout}{done.stderr}')
        return done

    # ---- what is seen ----

    def show(self, what, unit='bal.service'):
        return run('systemctl', 'show', unit, '--property', what, '--value').stdout.strip()

    def pid(self, unit='bal.service'):
        return int(self.show('MainPID', unit))

    def journal(self, unit='bal.service'):
        """The messages of this test so far, systemd's about the unit among them."""
        run('journalctl', '--sync')
        lines = run('journalctl', '-u', unit, '-o', 'json', '--all', f'--since=@{self.since:.6f}').stdout.splitlines()
        return [json.loads(line) for line in lines]

    def messages(self, unit='bal.service'):
        return [str(entry.get('MESSAGE')) for entry in self.journal(unit)]

    def events(self, event, unit='bal.service'):
        """bal's own records with that event."""
        found = []
        for message in self.messages(unit):
            with contextlib.suppress(ValueError):
                record = json.loads(message)
                if isinstance(record, dict) and record.get('event') == event:
                    found.append(record)
        return found

    def starts(self, unit='bal.service'):
        return len([m for m in self.messages(unit) if m.startswith('Starting ')])


def kill(pid, number):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def threads(pid):
    """name -> thread id."""
    found = {}
    for tid in os.listdir(f'/proc/{pid}/task'):
        with open(f'/proc/{pid}/task/{tid}/comm', encoding='ascii') as f:
            found[f.read().strip()] = int(tid)
    return found


STOP, CONT, ABRT = signal.SIGSTOP, signal.SIGCONT, signal.SIGABRT
