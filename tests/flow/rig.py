# SPDX-License-Identifier: MIT
"""A stage for flow tests: the real bal, real servers behind it, real clients in front of it.

    class Test(rig.FlowTest):
        def test_something(self):
            port = rig.free_port()
            web = self.backend('one')
            bal = self.bal(rig.simple(port, [web.address]))
            ...

Whatever a test starts is ended when the test is over, by pid. A bal that still runs then is asked to
stop, and must exit with 0; whatever way it ended, it must have left no report of a sanitizer, and
its log must be made of valid lines. A test ends by itself when its time is up, and cleans up too.
"""

import collections
import contextlib
import ctypes
import errno
import glob
import itertools
import json
import os
import pwd
import re
import resource
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

BAL = os.environ.get('BAL_BIN', '')
SAMPLE_BACKEND = os.environ.get('SAMPLE_BACKEND', '')
TOOLS = os.environ.get('FLOW_TOOLS', '')
SOURCE = os.environ.get('BAL_SOURCE', os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
SANITIZE = os.environ.get('BAL_SANITIZE', 'none')
SLOW = {'none': 1, 'thread': 6}.get(SANITIZE, 4)  # how much more patience a sanitizer needs
FULL = os.environ.get('FLOW_FULL', '') == '1'     # the long versions, as the issue states them
SUPPRESSIONS = os.path.join(SOURCE, 'tests/flow/thread.supp')

LOG_KEYS = ['timestamp', 'level', 'message', 'module', 'event', 'fields']
READY_S = 10 * SLOW
STOP_S = 20 * SLOW
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
libc = ctypes.CDLL(None, use_errno=True)

_port_locks = []
_running = []  # tests, for a time-out


def free_port():
    """A TCP port below those that the kernel gives to clients; it stays ours while this test runs."""
    for port in range(10000 + os.getpid() * 37 % 20000, 32700):
        lock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            lock.bind(f'\0bal-test-port-{port}')  # an abstract name: goes away with this process
            for family, any_address in ((socket.AF_INET, '0.0.0.0'), (socket.AF_INET6, '::')):
                with socket.socket(family, socket.SOCK_STREAM) as probe:
                    if family == socket.AF_INET6:
                        probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                    probe.bind((any_address, port))
        except OSError:
            lock.close()
            continue
        _port_locks.append(lock)
        return port
    raise RuntimeError('no free port')


def wait_until(condition, what, timeout=10.0, step=0.01):
    """Polls until condition() is true and returns its value; an AssertionError names what was awaited."""
    deadline = time.monotonic() + timeout * SLOW
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f'waited {timeout * SLOW:.0f} s for {what}')
        time.sleep(step)


def die_with_parent():
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def connect(address, timeout=10.0, source=None):
    """A client's socket: (host, port), 'host:port', 'unix:/path'."""
    if isinstance(address, str) and address.startswith('unix:'):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(timeout * SLOW)
        s.connect(address[5:])
        return s
    if isinstance(address, int):
        address = ('127.0.0.1', address)
    if isinstance(address, str):
        host, port = address.rsplit(':', 1)
        address = (host.strip('[]'), int(port))
    s = socket.create_connection(address, timeout * SLOW, source and (source, 0))
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


def read_all(s):
    parts = []
    while True:
        part = s.recv(65536)
        if not part:
            return b''.join(parts)
        parts.append(part)


def read_exactly(s, n):
    data = b''
    while len(data) < n:
        part = s.recv(n - len(data))
        if not part:
            raise AssertionError(f'closed after {len(data)} of {n} bytes')
        data += part
    return data


def get(address, source=None, timeout=10.0):
    """One HTTP request on its own connection; the name of the sample backend that answered."""
    with connect(address, timeout, source) as s:
        s.sendall(b'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
        answer = read_all(s)
    body = answer.partition(b'\r\n\r\n')[2].split()
    if not body:
        raise ConnectionError(f'no answer but {answer!r}')
    return body[0].decode()


def simple(port, backends, head='', runtime=None):
    """A file in the simple dialect. backends: 'host:port', 'unix:/path' or (that, {key: value})."""
    lines = [f'port: {port}']
    if 'bind_address' not in head:
        lines.append('bind_address: "127.0.0.1"')
    lines += [line for line in head.split('\n') if line.strip()]
    if runtime:
        lines.append('runtime:')
        lines += [f'  {key}: {value}' for key, value in runtime.items()]
    lines.append('backends:')
    for backend in backends:
        address, keys = backend if isinstance(backend, tuple) else (backend, {})
        if address.startswith('unix:'):
            lines.append(f'  - host: "{address}"')
        else:
            host, backend_port = address.rsplit(':', 1)
            lines += [f'  - host: "{host.strip("[]")}"', f'    port: {backend_port}']
        lines += [f'    {key}: {str(value).lower()}' for key, value in keys.items()]
    return '\n'.join(lines) + '\n'


def pool(name, port, servers, algorithm='round_robin', frontend=None, **keys):
    """A frontend on 127.0.0.1 and its pool, for document(). servers: an address, or (that, {key: value})."""
    servers = [server if isinstance(server, tuple) else (server, {}) for server in servers]
    return ({'name': name, 'listen': f'127.0.0.1:{port}', 'backend': name, 'algorithm': algorithm, **(frontend or {})},
            {'name': name, 'servers': [{'address': address, **more} for address, more in servers], **keys})


def document(*pools, **settings):
    """A file in the full dialect, as JSON, which is YAML. settings: those of the whole daemon. Metrics
    are off unless they say otherwise, so that tests that run side by side do not want one port."""
    return json.dumps({'global': {'metrics': {'enabled': False}, **settings}, 'frontends': [frontend for frontend, _ in pools],
                       'backends': [backend for _, backend in pools]}, indent=1) + '\n'


class Process:
    """Something started, with its output in a file of the test's directory."""

    def __init__(self, test, name, argv, **popen):
        self.name, self.argv = name, argv
        self.out_path = os.path.join(test.dir, f'{name}.{len(test.processes)}.out')
        self.out = open(self.out_path, 'w+b')
        stdout = popen.pop('stdout', self.out)
        self.popen = subprocess.Popen(argv, stdout=stdout, stderr=popen.pop('stderr', self.out),
                                      stdin=popen.pop('stdin', subprocess.DEVNULL),
                                      preexec_fn=popen.pop('preexec_fn', die_with_parent), **popen)
        self.pid = self.popen.pid
        test.processes.append(self)

    def alive(self):
        return self.popen.poll() is None

    def output(self):
        with open(self.out_path, encoding='utf-8', errors='replace') as f:
            return f.read()

    def wait(self, timeout=30.0):
        try:
            return self.popen.wait(timeout * SLOW)
        except subprocess.TimeoutExpired:
            raise AssertionError(f'{self.name} (pid {self.pid}) still runs after {timeout * SLOW:.0f} s:\n'
                                 f'{self.output()[-2000:]}') from None

    def send_signal(self, number):
        if self.alive():
            self.popen.send_signal(number)

    def end(self, number=signal.SIGTERM, timeout=10.0):
        self.send_signal(signal.SIGCONT)
        self.send_signal(number)
        try:
            self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
        if self.popen.stdin:
            self.popen.stdin.close()
        if self.popen.stdout:
            self.popen.stdout.close()
        self.out.close()


class Backend(Process):
    """A sample-backend; address is where it listens, as bal's configuration wants it."""

    def __init__(self, test, name, mode='http', address='127.0.0.1:0'):
        super().__init__(test, name, [SAMPLE_BACKEND, '--listen', address, '--name', name, '--mode', mode])
        said = wait_until(lambda: re.search(r'^listening (\S+)$', self.output(), re.M) or not self.alive(),
                          f'{name} to listen')
        if said is True:
            raise AssertionError(f'sample-backend {address}: {self.output()}')
        self.address = said[1]


Visit = collections.namedtuple('Visit', 'start took outcome name')  # seconds of time.monotonic()


class Visitors(Process):
    """Clients that come and go at a steady pace until end_visits(); see tools/visit.c."""

    def __init__(self, test, to, rate, at_once=0, timeout=10.0):
        to = f'127.0.0.1:{to}' if isinstance(to, int) else to
        super().__init__(test, 'visit', [os.path.join(TOOLS, 'visit'), '--to', to, '--rate', str(rate), '--timeout-ms',
                                         str(int(timeout * 1000)), *(['--at-once', str(at_once)] if at_once else [])],
                         stdin=subprocess.PIPE)

    def visits(self):
        """Those that are over so far, in the order in which they ended."""
        visits = []
        for line in self.output().split('\n')[:-1]:
            start, took, outcome, name = line.split()
            visits.append(Visit(int(start) / 1e6, int(took) / 1e6, outcome, name))
        return visits

    def end_visits(self):
        self.popen.stdin.close()
        self.popen.stdin = None
        self.wait(30)
        return self.visits()


class Crowd(threading.Thread):
    """Clients that come all at once, each from an address and port of its own (127.1.0.0/16), so that the range of
    ports for connects binds bal alone. Each asks once and waits for the end of its connection."""

    _numbers = itertools.count()

    def __init__(self, port, n, timeout=30.0):
        super().__init__(daemon=True)
        self.port, self.n, self.timeout = port, n, timeout * SLOW
        self.visits, self._answers = [], {}
        self.poll = select.epoll()
        self.start()

    def run(self):
        with self.poll:
            for i in range(self.n):
                self._begin()
                if i % 100 == 0:
                    self._look(0)
            deadline = time.monotonic() + self.timeout
            while self._answers and time.monotonic() < deadline:
                self._look(0.05)
            for fd in list(self._answers):
                self._end(fd, 'timeout')

    def _begin(self):
        i = next(self._numbers)
        s = socket.socket()
        s.setblocking(False)
        s.bind((f'127.1.{i // 250 % 250}.{1 + i % 250}', 20000 + i // 62500))
        with contextlib.suppress(BlockingIOError):
            s.connect(('127.0.0.1', self.port))
        self._answers[s.fileno()] = (s, time.monotonic(), [])
        self.poll.register(s, select.EPOLLOUT)

    def _look(self, timeout):
        for fd, _ in self.poll.poll(timeout):
            s, _, parts = self._answers[fd]
            try:
                if not parts:
                    parts.append(b'')
                    s.sendall(b'GET / HTTP/1.1\r\nHost: crowd\r\nConnection: close\r\n\r\n')
                    self.poll.modify(s, select.EPOLLIN)
                    continue
                parts.append(s.recv(4096))
            except OSError as error:
                self._end(fd, errno.errorcode[error.errno])
                continue
            if not parts[-1]:
                self._end(fd, None)

    def _end(self, fd, outcome):
        s, start, parts = self._answers.pop(fd)
        head, _, body = b''.join(parts).partition(b'\r\n\r\n')
        words, name = head.split(None, 2), (body.split() or [b'-'])[0]
        if not outcome:
            outcome = 'empty' if len(words) < 2 else 'answered' if words[1] == b'200' else words[1].decode()
        self.visits.append(Visit(start, time.monotonic() - start, outcome, name.decode()))
        self.poll.unregister(fd)  # a process that is just being started may have it, too
        s.close()

    def end(self):
        """[Visit], when all are over."""
        self.join()
        return self.visits


class Door:
    """A server on one thread that can really close its listener and open it again, answers every path
    as it is told, and remembers who came: whatever is no check is counted as traffic."""

    def __init__(self, test, name='door', address='127.0.0.1', backlog=64, port=None):
        self.name, self.host, self.backlog = name, address, backlog
        self.port = port or free_port()
        self.family = socket.AF_INET6 if ':' in address else socket.AF_INET
        self.address = f'[{address}]:{self.port}' if ':' in address else f'{address}:{self.port}'
        self.status = {}     # path: what is answered; 200 if it is not here, None: nothing, ever
        self.requests = []   # (when, path, head)
        self.connections = 0
        self.listener = self.opened_at = None
        self.lock = threading.Lock()
        test.addCleanup(self.close)
        self.open()

    def open(self):
        """Returns when it listened: the moment before the call."""
        listener = socket.socket(self.family)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((self.host, self.port))
        self.opened_at = time.monotonic()
        listener.listen(self.backlog)
        self.listener = listener
        threading.Thread(target=self._run, args=(listener,), daemon=True).start()
        return self.opened_at

    def close(self):
        """When it returns nobody can connect any more; returns the moment."""
        if self.listener:
            with contextlib.suppress(OSError):
                self.listener.shutdown(socket.SHUT_RDWR)  # wakes accept(), which would keep it open
            self.listener.close()
            self.listener = None
        return time.monotonic()

    def _run(self, listener):
        while True:
            try:
                s, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(s,), daemon=True).start()

    def _serve(self, s):
        with s, contextlib.suppress(OSError):
            with self.lock:
                self.connections += 1
            s.settimeout(60 * SLOW)
            head = b''
            while b'\r\n\r\n' not in head:
                part = s.recv(4096)
                if not part:
                    return
                head += part
            path = head.split()[1].decode()
            with self.lock:
                self.requests.append((time.monotonic(), path, head.decode()))
            status = self.status.get(path, 200)
            if status is None:
                s.recv(1)
                return
            body = f'{self.name} {path}\n'.encode()
            s.sendall(b'HTTP/1.1 %d Whatever\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s' %
                      (status, len(body), body))

    def asked(self, path):
        with self.lock:
            return [request for request in self.requests if request[1] == path]


class Bal:
    """One bal, with a runtime directory of its own. It watches its file only if told to."""

    def __init__(self, test, config, *args, env=None, files=None, wait=True, detach=False, command=None, watch=False):
        self.pid = self.popen = self.detached_status = None
        test.bals.append(self)
        self.test = test
        self.dir = os.path.join(test.dir, f'bal{len(test.bals)}')
        self.run = os.path.join(self.dir, 'run')
        os.makedirs(self.run, mode=0o700)
        self.config_path = os.path.join(self.dir, 'config.yaml')
        self.reports = os.path.join(self.dir, 'sanitizer')
        self.expected_exit = 0
        self.env = clean_env(self.reports)
        self.env.update({'RUNTIME_DIRECTORY': self.run, 'HOME': self.dir, **(env or {})})
        self.files = files
        self.stderr_path = os.path.join(self.dir, 'stderr')
        if config is not None:
            self.write(config)
        if detach:
            args = ('-d',) + args
        if not watch and '--no-watch' not in args:
            args += ('--no-watch',)
        argv = command or [BAL, 'start', *(['-c', self.config_path] if config is not None else []), *args]
        with open(self.stderr_path, 'ab') as err:
            self.popen = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=err, stderr=err, env=self.env,
                                          cwd=self.dir, preexec_fn=self.before_exec)
        self.pid = self.popen.pid
        if detach:
            self.start_status = self.popen.wait(READY_S)
            self.pid = None
            if self.start_status == 0:
                with open(os.path.join(self.run, 'bal.pid'), encoding='ascii') as f:
                    self.pid = int(f.read())
        elif wait:
            self.wait_ready()

    def before_exec(self):
        die_with_parent()  # does not reach what -d leaves behind
        if self.files:
            resource.setrlimit(resource.RLIMIT_NOFILE, (self.files, self.files))

    def write(self, config):
        """Replaces the file in one step, as an editor does."""
        with open(self.config_path + '.new', 'w', encoding='utf-8') as f:
            f.write(config)
        os.rename(self.config_path + '.new', self.config_path)

    def wait_ready(self):
        def ready():
            if self.popen.poll() is not None:
                raise AssertionError(f'bal ended with {self.popen.returncode}:\n{self.stderr()[-4000:]}')
            with contextlib.suppress(OSError, ValueError):
                return 'parameters' in self.call('io.bal.Status.Get')
            return False
        wait_until(ready, 'bal to be ready', READY_S / SLOW)

    def call(self, method, parameters=None, sock='status.sock'):
        """One Varlink call; the reply as it came."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(5 * SLOW)
            s.connect(os.path.join(self.run, sock))
            s.sendall(json.dumps({'method': method, 'parameters': parameters or {}}).encode() + b'\0')
            reply = b''
            while not reply.endswith(b'\0'):
                part = s.recv(65536)
                if not part:
                    raise ConnectionError('no reply')
                reply += part
        return json.loads(reply[:-1])

    def cli(self, *args, timeout=30.0, check=None):
        done = subprocess.run([BAL, *args], env=self.env, cwd=self.dir, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=timeout * SLOW)
        if check is not None and done.returncode != check:
            raise AssertionError(f'bal {" ".join(args)}: exit status {done.returncode}, not {check}\n'
                                 f'{done.stdout}{done.stderr}\nlog:\n{self.stderr()[-2000:]}')
        return done

    def status(self):
        return json.loads(self.cli('status', '--json', check=0).stdout)

    def get(self):
        """What status reports, by one call on the socket: quick enough to be polled."""
        return self.call('io.bal.Status.Get')['parameters']

    def backend(self, name, pool=None):
        return next(b for b in self.get()['backends'] if b['name'] == name and pool in (None, b['pool']))

    def state(self, name, pool=None):
        return self.backend(name, pool)['state']

    def wait_state(self, name, state, timeout=10.0, pool=None):
        wait_until(lambda: self.state(name, pool) == state,
                   f'{name} to be {state}, not {self.state(name, pool)}', timeout)

    def protection(self, pool=None):
        return next(p for p in self.get()['pools'] if pool in (None, p['name']))['protection']

    def reload(self, config=None, check=0):
        if config is not None:
            self.write(config)
        return self.cli('graceful', check=check)

    def stderr(self):
        with open(self.stderr_path, encoding='utf-8', errors='replace') as f:
            return f.read()

    def log(self):
        """The log so far: from stderr, or with -d from the file in the runtime directory."""
        paths = [self.stderr_path] + glob.glob(os.path.join(self.run, '*.log'))
        records = []
        for path in paths:
            with open(path, encoding='utf-8') as f:
                records += [json.loads(line) for line in f if line.startswith('{') and line.endswith('\n')]
        return records

    def events(self, event):
        return [record for record in self.log() if record['event'] == event]

    def log_wait(self, event, count=1, timeout=10.0):
        wait_until(lambda: len(self.events(event)) >= count, f'{count} x {event} in the log', timeout)
        return self.events(event)

    def fds(self):
        return len(os.listdir(f'/proc/{self.pid}/fd'))

    def pss_kib(self):
        """User-space memory: the proportional set size."""
        with open(f'/proc/{self.pid}/smaps_rollup', encoding='ascii') as f:
            return next(int(line.split()[1]) for line in f if line.startswith('Pss:'))

    def anonymous_kib(self):
        """What it has allocated: unlike pss_kib(), nothing in it depends on who shares the libraries."""
        with open(f'/proc/{self.pid}/smaps_rollup', encoding='ascii') as f:
            return next(int(line.split()[1]) for line in f if line.startswith('Anonymous:'))

    def cpu_s(self):
        with open(f'/proc/{self.pid}/stat', encoding='ascii') as f:
            fields = f.read().rsplit(')', 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')

    def cpu_ns(self):
        """The same in finer steps: what the scheduler counts, of all threads."""
        total = 0
        for tid in os.listdir(f'/proc/{self.pid}/task'):
            with open(f'/proc/{self.pid}/task/{tid}/schedstat', encoding='ascii') as f:
                total += int(f.read().split()[0])
        return total

    def alive(self):
        if self.pid is None:
            return False
        if self.popen.pid == self.pid:
            return self.popen.poll() is None
        if self.detached_status is None:
            # we are the reaper of what -d leaves behind
            with contextlib.suppress(ChildProcessError):
                pid, status = os.waitpid(self.pid, os.WNOHANG)
                if pid:
                    self.detached_status = os.waitstatus_to_exitcode(status)
        return self.detached_status is None and os.path.exists(f'/proc/{self.pid}')

    def kill(self, number):
        if self.alive():
            os.kill(self.pid, number)

    def wait(self, timeout=STOP_S):
        wait_until(lambda: not self.alive(), f'bal (pid {self.pid}) to end; its log:\n{self.stderr()[-3000:]}',
                   timeout / SLOW)
        return self.popen.returncode if self.popen.pid == self.pid else self.detached_status

    def finish(self):
        """Stops it and returns what is wrong with its end, as a list of texts."""
        problems = []
        if self.pid is not None:
            try:
                self.kill(signal.SIGTERM)
                status = self.wait()
                if status != self.expected_exit:
                    problems.append(f'bal exited with {status}, not {self.expected_exit}')
            except AssertionError as error:
                problems.append(str(error))
                self.kill(signal.SIGABRT if os.environ.get('FLOW_CORE') else signal.SIGKILL)
                self.wait()
        for path in sorted(glob.glob(self.reports + '*')):
            with open(path, encoding='utf-8', errors='replace') as f:
                problems.append(f'sanitizer report {os.path.basename(path)}:\n{f.read()[:6000]}')
        problems += self.bad_log_lines()
        if problems:
            problems.append(f'the end of its stderr:\n{self.stderr()[-3000:]}')
        return problems

    def bad_log_lines(self):
        bad = []
        for path in [self.stderr_path] + glob.glob(os.path.join(self.run, '*.log')):
            with open(path, encoding='utf-8', errors='replace') as f:
                for line in f:
                    if not line.startswith('{'):
                        continue  # bal start also speaks to people there
                    try:
                        keys = list(json.loads(line))
                    except ValueError:
                        bad.append(f'not JSON in the log: {line!r}')
                        continue
                    if [key for key in keys if key not in ('dropped', 'truncated')] != LOG_KEYS:
                        bad.append(f'keys of a log line: {keys}')
        return bad[:5]


def clean_env(reports):
    """What bal is started with: nothing of meson's that changes memory, reports where we find them."""
    env = {k: v for k, v in os.environ.items()
           if not k.startswith('MALLOC_') and k not in ('NOTIFY_SOCKET', 'JOURNAL_STREAM', 'LISTEN_FDS', 'INVOCATION_ID')}
    options = f'log_path={reports}:exitcode=99:halt_on_error=1:abort_on_error=0'
    env.update(ASAN_OPTIONS=options + ':detect_leaks=1', UBSAN_OPTIONS=options + ':print_stacktrace=1',
               TSAN_OPTIONS=f'{options}:second_deadlock_stack=1:print_suppressions=0:suppressions={SUPPRESSIONS}',
               LC_ALL='C.UTF-8')
    return env


class FlowTest(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.processes, self.bals = [], []
        self.dir = tempfile.mkdtemp(prefix='bal-')
        os.chmod(self.dir, 0o711)  # postgres runs as its own user
        _running[:] = [self]
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.addCleanup(self._finish)

    def _finish(self):
        problems = []
        for process in reversed(self.processes):  # clients first, so that nobody drains for long
            if not isinstance(process, Backend):
                process.end()
        for bal in self.bals:
            problems += bal.finish()
        for process in self.processes:
            process.end()
        if problems:
            self.fail('\n'.join(problems))

    def bal(self, config, *args, **options):
        return Bal(self, config, *args, **options)

    def backend(self, name, mode='http', address='127.0.0.1:0'):
        return Backend(self, name, mode, address)

    def echo(self, name='echo', address='127.0.0.1:0'):
        return Backend(self, name, 'echo', address)

    def start(self, name, argv, **popen):
        return Process(self, name, argv, **popen)

    def need(self, *programs):
        """Skips, by name, when a program is not installed; tests/run.sh installs them all."""
        for program in programs:
            if not shutil.which(program, path=os.environ.get('PATH', '') + ':/usr/sbin:/sbin'):
                self.skipTest(f'{program} is not installed')

    def run_ok(self, argv, timeout=60.0, **options):
        done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout * SLOW,
                              stdin=options.pop('stdin', subprocess.DEVNULL), **options)
        self.assertEqual(done.returncode, 0, f'{" ".join(argv)}:\n{done.stdout}\n{done.stderr}')
        return done.stdout

    def tool(self, name, *args, timeout=60.0, ok=True):
        done = subprocess.run([os.path.join(TOOLS, name), *map(str, args)], capture_output=True, text=True,
                              timeout=timeout * SLOW, stdin=subprocess.DEVNULL)
        if ok:
            self.assertEqual(done.returncode, 0, f'{name} {args}: {done.stdout}{done.stderr}')
        return json.loads(done.stdout)

    def knock(self, to, count=1, *args, timeout=60.0):
        return self.tool('knock', '--to', f'127.0.0.1:{to}' if isinstance(to, int) else to, '--count', count,
                         *args, timeout=timeout)

    def visit(self, to, rate=200, **how):
        return Visitors(self, to, rate, **how)

    def door(self, *args, **how):
        return Door(self, *args, **how)

    def nginx(self, port, name='nginx', backlog=4096, extra=''):
        """One process, which answers with its name; it listens when this returns."""
        self.need('nginx')
        home = os.path.join(self.dir, f'{name}.{len(self.processes)}')
        os.mkdir(home)
        with open(f'{home}/nginx.conf', 'w', encoding='ascii') as f:
            f.write(f'''daemon off; master_process off; pid {home}/nginx.pid; error_log {home}/nginx.err;
worker_rlimit_nofile 8192;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000;
  client_body_temp_path {home}/t1; proxy_temp_path {home}/t2; fastcgi_temp_path {home}/t3;
  uwsgi_temp_path {home}/t4; scgi_temp_path {home}/t5;
  server {{ listen 127.0.0.1:{port} backlog={backlog}; location / {{ return 200 "{name} says hello\\n"; }} {extra} }}
}}
''')
        server = self.start(name, ['/usr/sbin/nginx', '-p', home, '-c', f'{home}/nginx.conf', '-e', f'{home}/nginx.err'])
        server.address = f'127.0.0.1:{port}'
        server.refused_at = time.monotonic()

        def listens():
            before = time.monotonic()
            try:
                connect(port).close()
                return True
            except OSError:
                server.refused_at = before
                if not server.alive():
                    raise AssertionError(server.output()) from None
                return False
        wait_until(listens, f'{name} to listen', step=0.001)
        return server

    def hold(self, port, sessions):
        """Idle sessions through an echo backend; returns the process, with ping() on it."""
        held = self.start('hold', [os.path.join(TOOLS, 'hold'), '--to', f'127.0.0.1:{port}', '--sessions',
                                   str(sessions), '--timeout-ms', str(60000 * SLOW)],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE)

        def ask(line):
            held.popen.stdin.write(line)
            held.popen.stdin.flush()
            return int(held.popen.stdout.readline().split()[1])
        self.assertEqual(int(held.popen.stdout.readline().split()[1]), sessions, held.output())
        held.ping = lambda: ask(b'ping\n')

        def ended():
            held.popen.stdin.write(b'ended\n')
            held.popen.stdin.flush()
            return sorted(int(word) / 1000 for word in held.popen.stdout.readline().split()[2:])
        held.ended = ended  # when the other side closed one, of all those; seconds of time.monotonic()
        return held

    def assert_sessions_balance(self, bal):
        """Every session that was opened is active or was closed for one counted reason."""
        def balanced():
            status = bal.status()
            return status['connections_total'] == sum(status['closed'].values()) + status['active_connections']
        wait_until(balanced, f'opened = closed + active; the last was {bal.status()}', 3)

    def assert_idle(self, bal, timeout=5.0):
        wait_until(lambda: bal.status()['active_connections'] == 0, f'no session left: {bal.status()}', timeout)


def blackhole(test):
    """An address whose connects hang: a listener whose queue is full."""
    listener = socket.socket()
    listener.bind(('127.0.0.1', 0))
    listener.listen(0)
    test.addCleanup(listener.close)
    for _ in range(8):
        s = socket.socket()
        s.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            s.connect(listener.getsockname())
        test.addCleanup(s.close)
    time.sleep(0.05)
    return '127.0.0.1:%d' % listener.getsockname()[1]


def serve(test, handler, address=('127.0.0.1', 0), family=socket.AF_INET):
    """A scripted server: handler(socket) runs in a thread per connection. Returns 'host:port'."""
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(address)
    listener.listen(1024)

    def run_one(s):
        with s, contextlib.suppress(OSError, AssertionError):
            s.settimeout(60 * SLOW)
            handler(s)

    def run():
        while True:
            try:
                s, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=run_one, args=(s,), daemon=True).start()

    def stop():
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
    test.addCleanup(stop)
    threading.Thread(target=run, daemon=True).start()
    name = listener.getsockname()
    return f'unix:{name}' if family == socket.AF_UNIX else '%s:%d' % name[:2]


CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000
OWN_HOST, OWN_HOST6 = '10.77.0.1', 'fd77::1'


def own_namespaces():
    """This process, and all that it starts, get a network and mounts of their own, when they may; to be
    called before there are threads. lo is up, with addresses that are not just those of a loopback
    device. Returns why not, or None."""
    def run(*command):
        path = os.environ.get('PATH', '') + ':/usr/sbin:/sbin'
        done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, 'PATH': path})
        return f'{" ".join(command)}: {done.stderr.strip()}' if done.returncode else None

    # the network last: in one without lo, which is what a failure would leave, no other test can run
    if libc.unshare(CLONE_NEWNS) != 0:
        return f'no mounts of its own here: {os.strerror(ctypes.get_errno())}'
    why = run('mount', '--make-rprivate', '/')  # not in a chroot that is no mount point
    if why:
        return why
    if libc.unshare(CLONE_NEWNET) != 0:
        return f'no network of its own here: {os.strerror(ctypes.get_errno())}'
    why = run('ip', 'link', 'set', 'lo', 'up')
    run('ip', 'addr', 'add', f'{OWN_HOST}/32', 'dev', 'lo')
    run('ip', 'addr', 'add', f'{OWN_HOST6}/128', 'dev', 'lo', 'nodad')
    return why


def _system(*command, text=None):
    path = shutil.which(command[0], path=os.environ.get('PATH', '') + ':/usr/sbin:/sbin')
    if not path:
        raise unittest.SkipTest(f'{command[0]} is not installed')
    done = subprocess.run([path, *command[1:]], input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f'{" ".join(command)}: {done.stderr.strip().splitlines()[0]}')
    return done.stdout


def ip(*args):
    """For a test in own_namespaces(); OSError says why not."""
    return _system('ip', *args)


def nft(*rules, objects=()):
    """The only rules for packets that arrive at this host, with own_namespaces(); they stay until the next call.
    objects: declarations of counters and sets that they name."""
    named = ''.join(f'    {one}\n' for one in objects)
    chain = ''.join(f'        {rule}\n' for rule in rules)
    _system('nft', '-f', '-', text=f'''
table inet bal_test
delete table inet bal_test
table inet bal_test {{
{named}    chain input {{
        type filter hook input priority 0
{chain}    }}
}}
''')


def nft_counts():
    """{name: packets} of the counters of nft()."""
    objects = json.loads(_system('nft', '-j', 'list', 'counters', 'table', 'inet', 'bal_test'))['nftables']
    return {o['counter']['name']: o['counter']['packets'] for o in objects if 'counter' in o}


def why_no_nft():
    """Whether nft() works here: a reason, or None."""
    try:
        nft('tcp dport 1 numgen random mod 2 < 1 quota until 60 bytes drop')
        nft()
    except (OSError, unittest.SkipTest) as error:
        return str(error)
    return None


def unprivileged_user():
    """For servers that refuse to run as root; None: we are not root."""
    if os.geteuid() != 0:
        return None
    for name in ('postgres', 'nobody'):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    return None


def main():
    def on_term(number, frame):
        """Meson's time-out: a second is left until it kills us."""
        for test in _running:
            alive = [p for p in test.processes if p.alive()] + [b for b in test.bals if b.alive()]
            for pid in (process.pid for process in alive):
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            shutil.rmtree(test.dir, ignore_errors=True)
        print(f'ended by signal {number}', file=sys.stderr, flush=True)
        os._exit(1)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, on_term)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    if not BAL or not os.access(BAL, os.X_OK):
        sys.exit(f'BAL_BIN={BAL!r} is no program: run this by `meson test --suite flow`')
    program = unittest.main(verbosity=2, exit=False)
    for lock in _port_locks:
        lock.close()
    sys.exit(0 if program.result.wasSuccessful() else 1)
