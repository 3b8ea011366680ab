# SPDX-License-Identifier: MIT
"""What a measurement starts and ends, and what /proc says of it.

    with stage.Stage() as s:
        proxy = s.start('haproxy', ['haproxy', '-db', '-f', path])
        before = proxy.cpu()

Leaving the block ends everything, by pid, whatever happened; so do SIGINT, SIGTERM and SIGHUP, which
become exceptions (see catch_signals()).
"""

import contextlib
import ctypes
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'flow'))
from rig import free_port  # noqa: E402,F401  (it is ours while this process runs)

TICK_S = 1 / os.sysconf('SC_CLK_TCK')
END_S = 10
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
libc = ctypes.CDLL(None, use_errno=True)


class Failure(Exception):
    """Something that was started does not do its work; the text is for people."""


class Interrupted(KeyboardInterrupt):
    """A signal wants this to end; no row shall take it for a failure of its own, nor asyncio for one of a task."""


class Signals:
    """SIGINT, SIGTERM and SIGHUP become Interrupted; while they are held, only when that is over: what has
    been started must be on the list of what is to be ended before anything else happens."""
    NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    held = False
    pending = None

    @classmethod
    def on_signal(cls, number, frame):
        if cls.held:
            cls.pending = number
            return
        for other in cls.NUMBERS:
            signal.signal(other, signal.SIG_IGN)  # cleaning up takes a moment, and is not to be interrupted
        raise Interrupted(signal.Signals(number).name)

    @classmethod
    @contextlib.contextmanager
    def hold(cls):
        cls.held = True
        try:
            yield
        finally:
            cls.held = False
        if cls.pending:
            cls.on_signal(cls.pending, None)


def catch_signals():
    for number in Signals.NUMBERS:
        signal.signal(number, Signals.on_signal)
    # a worker whose master is gone must still be ours to end
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def run(name, work):
    """The exit status of a program whose work is work(): what that returns, 0 for None; 1 when it fails, 130 when
    a signal ends it, and stderr says so."""
    catch_signals()
    try:
        return work() or 0
    except Interrupted as e:
        print(f'ended by {e}', file=sys.stderr)
        return 130
    except (Failure, OSError) as e:
        print(f'{name}: {e}', file=sys.stderr)
        return 1


def raise_limit():
    """As many descriptors as we may have; what is started inherits it. Returns how many."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def wait_until(condition, what, timeout=10.0, step=0.01):
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Failure(f'waited {timeout:.0f} s for {what}')
        time.sleep(step)


# ---- /proc ----

def read(path):
    with open(path, encoding='ascii', errors='replace') as f:
        return f.read()


def children(pid):
    """pid and all below it."""
    pids = [pid]
    with contextlib.suppress(OSError):
        for thread in os.listdir(f'/proc/{pid}/task'):
            for child in read(f'/proc/{pid}/task/{thread}/children').split():
                pids += children(int(child))
    return pids


def cpu_s(pids):
    """(user, system) seconds of all threads of these, those that have ended included."""
    user = system = 0
    for pid in pids:
        fields = read(f'/proc/{pid}/stat').rpartition(')')[2].split()
        user += int(fields[11])
        system += int(fields[12])
    return user * TICK_S, system * TICK_S


def machine_cpu_s():
    """Seconds that all CPUs together were not idle."""
    user, nice, system, _, _, irq, softirq, steal = (int(n) for n in read('/proc/stat').split()[1:9])
    return (user + nice + system + irq + softirq + steal) * TICK_S


def anonymous_kib(pids):
    """What nobody shares with them: PSS without files, whose share changes with who else maps them."""
    return sum(int(line.split()[1]) for pid in pids for line in read(f'/proc/{pid}/smaps_rollup').splitlines()
               if line.startswith(('Pss_Anon:', 'Pss_Shmem:')))


def rss_kib(pids):
    return sum(next(int(line.split()[1]) for line in read(f'/proc/{pid}/status').splitlines()
                    if line.startswith('VmRSS')) for pid in pids)


def n_fds(pids):
    return sum(len(os.listdir(f'/proc/{pid}/fd')) for pid in pids)


def threads(pid):
    """{name of the thread: its id}"""
    return {read(f'/proc/{pid}/task/{thread}/comm').strip(): int(thread) for thread in os.listdir(f'/proc/{pid}/task')}


def busy_share(seconds=1.0):
    """What part of the machine others use now, 0 to 1."""
    before, began = machine_cpu_s(), time.monotonic()
    time.sleep(seconds)
    return (machine_cpu_s() - before) / (time.monotonic() - began) / os.cpu_count()


# ---- processes ----

def die_with_parent():
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


class Process:
    """Its output is in a file, unless popen says otherwise."""

    def __init__(self, name, argv, out_path, **popen):
        self.name, self.out_path = name, out_path
        with open(out_path, 'wb') as out:
            popen.setdefault('stdin', subprocess.DEVNULL)
            popen.setdefault('stdout', out)
            self.popen = subprocess.Popen(argv, stderr=out, preexec_fn=die_with_parent, **popen)
        self.pid = self.popen.pid

    def alive(self):
        return self.popen.poll() is None

    def pids(self):
        return children(self.pid)

    def cpu(self):
        return cpu_s(self.pids())

    def output(self):
        with open(self.out_path, encoding='utf-8', errors='replace') as f:
            return f.read()

    def end(self, number=signal.SIGTERM):
        pids = self.pids()
        with contextlib.suppress(OSError):
            if self.popen.stdin:
                self.popen.stdin.close()
        if self.alive():
            self.popen.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.popen.wait(END_S)
        if self.alive():
            self.popen.kill()
            self.popen.wait()
            for pid in pids[1:]:  # without their master they would stay
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
        for pid in pids[1:]:  # ours now, see catch_signals()
            with contextlib.suppress(OSError):
                os.waitpid(pid, 0)
        if self.popen.stdout:
            self.popen.stdout.close()


class Stage:
    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix='bal-bench-')
        self.processes = []
        self.serial = 0

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        for process in reversed(self.processes):
            process.end()
        shutil.rmtree(self.dir, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.dir, name)

    def name_for(self, name):
        """The same with a number, as several are started."""
        self.serial += 1
        return f'{name}.{self.serial}'

    def write(self, name, text):
        with open(self.path(name), 'w', encoding='utf-8') as f:
            f.write(text)
        return self.path(name)

    def start(self, name, argv, **popen):
        with Signals.hold():
            process = Process(name, argv, self.path(self.name_for(name) + '.out'), **popen)
            self.processes.append(process)
        return process

    def run(self, name, argv, timeout):
        """Runs a program to its end and returns what it wrote to stdout."""
        process = self.start(name, argv, stdout=subprocess.PIPE)
        try:
            said = process.popen.communicate(timeout=timeout)[0].decode(errors='replace')
        except subprocess.TimeoutExpired:
            raise Failure(f'{name} did not end within {timeout:.0f} s') from None
        finally:
            self.end(process)
        if process.popen.returncode:
            raise Failure(f'{name} ended with {process.popen.returncode}: {process.last_words}')
        return said

    def end(self, process):
        process.end()
        self.processes.remove(process)
        process.last_words = process.output().strip()[-500:]
        os.unlink(process.out_path)
