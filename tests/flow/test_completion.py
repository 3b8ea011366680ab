#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Completion: what bash, zsh and fish offer behind a TAB is what the help says, and names come from the daemon."""

import json
import os
import re
import shlex
import shutil
import socket
import time

import rig
import scripted
import test_cli

FOLDER = os.path.join(rig.SOURCE, 'docs', 'completion')
FILES = {'bash': 'bal.bash', 'zsh': '_bal', 'fish': 'bal.fish'}
TOP = os.environ.get('BAL_TOP_BIN', '')
BREAKS = ' \t\n"\'><=;|&(:'  # of bash, as it comes
TWO_POOLS = '''
global: {{ workers: 1 }}
frontends:
  - {{ name: inside, listen: "127.0.0.1:{inside}", backend: web }}
  - {{ name: outside, listen: "127.0.0.1:{outside}", backend: api }}
backends:
  - {{ name: web, servers: [{{ address: "127.0.0.1:9" }}, {{ address: "127.0.0.1:19" }}] }}
  - {{ name: api, servers: [{{ address: "127.0.0.1:9" }}, {{ address: "[::1]:80" }}] }}
'''
NAMES = {'web/127.0.0.1:9', 'web/127.0.0.1:19', 'api/127.0.0.1:9', 'api/[::1]:80'}
# In a zsh on a terminal Ctrl-T collects what TAB would offer. What is only asked for, by -O and its
# kin, is not offered.
ZSH = r'''
autoload -Uz compinit; compinit -u -D
source {file}
compadd() {{
  if [[ "${{@[1,(i)(-|--)]}}" == *-[OAD]\ * ]]; then builtin compadd "$@"; return; fi
  local -a hits
  builtin compadd -O hits "$@"
  print -rl -- $hits >>{out}
  builtin compadd "$@"
}}
collect() {{ _main_complete; print END >>{out}; compstate[insert]= compstate[list]= }}
zle -C collect complete-word collect
bindkey '^T' collect
print -r -- "rea""dy"
'''


class CompletionTest(test_cli.CliTest):
    def setUp(self):
        super().setUp()
        self.env['PATH'] = ':'.join([os.path.dirname(rig.BAL), os.path.dirname(TOP) or '/nowhere', self.env['PATH']])

    def bash(self, lines):
        """The function called as bash calls it, which cuts words at : and =."""
        script = [f'source {FOLDER}/bal.bash', f'COMP_WORDBREAKS={shlex.quote(BREAKS)}']
        for line in lines:
            words = [part for word in line.split(' ') for part in [p for p in re.split('([:=]+)', word) if p] or ['']]
            script += [f'COMP_WORDS=({" ".join(map(shlex.quote, words))})', f'COMP_CWORD={len(words) - 1}',
                       f'_bal {shlex.quote(words[0])}', 'printf "%s\\n" "${COMPREPLY[@]}" END']
        return self.run_ok(['bash', '--norc', '-c', '\n'.join(script)], env=self.env)

    def fish(self, lines):
        script = [f'source {FOLDER}/bal.fish']
        for line in lines:
            script += [f'complete -C {shlex.quote(line)}', 'echo END']
        return re.sub(r'\t.*', '', self.run_ok(['fish', '--no-config', '-c', '\n'.join(script)], env=self.env))

    def zsh(self, lines):
        out = os.path.join(self.dir, 'offered')
        rc = self.file(ZSH.format(file=f'{FOLDER}/_bal', out=out), 'rc.zsh')
        terminal = scripted.Terminal(self, [shutil.which('zsh'), '-f', '-i'], {**self.env, 'TERM': 'dumb'}, columns=200)
        terminal.write(f'source {rc}\r')
        terminal.wait_for('ready')
        open(out, 'w', encoding='utf-8').close()

        def text():
            terminal.read(0)
            with open(out, encoding='utf-8') as f:
                return f.read()
        for n, line in enumerate(lines, 1):
            terminal.write(line + '\x14')
            rig.wait_until(lambda n=n: text().count('END\n') == n, f'what zsh offers for {line!r}')
            terminal.write('\x15')
        terminal.write('exit\r')
        return text()

    def offered(self, shell, lines):
        """For each line the set of what the shell offers at its end."""
        self.need(shell)
        answers = getattr(self, shell)(lines).split('END\n')
        self.assertEqual(len(answers), len(lines) + 1)
        return [set(answer.split('\n')) - {''} for answer in answers[:-1]]

    def help_options(self, *command):
        """All that a help lists: {'--config', '-c', ...}"""
        text = self.run_ok(list(command), env=self.env)
        return {word for pair in re.findall(r'^ +(?:(-\w), +)?(--[a-z-]+)', text, re.M) for word in pair if word}

    def commands(self):
        """From `bal help`: {'backend': ['list', ...], 'sessions': ['close'], 'start': []}; and those that need a second
        word."""
        text = re.search(r'^Commands: (.*?)^Options', self.cli('help').stdout, re.M | re.S)[1]
        found, groups = {}, set()
        for command in text.split(','):
            name, _, subs = ' '.join(command.split()).partition(' ')
            found[name] = subs.strip('[]').split('|') if subs else []
            if subs and subs[0] != '[':
                groups.add(name)
        return found, groups


class Coverage(CompletionTest):
    def test_syntax(self):
        for shell, name in FILES.items():
            if shutil.which(shell):
                self.run_ok([shell, '-n', os.path.join(FOLDER, name)])

    def test_printed(self):
        for shell, name in FILES.items():
            with open(os.path.join(FOLDER, name), encoding='ascii') as f:
                text = f.read()
            self.assertEqual(self.cli('completion', shell).stdout, text)
            doc = self.json('completion', shell)
            self.assertEqual((doc['kind'], doc['shell'], doc['text']), ('bal.completion', shell, text))
        done = self.cli('completion', 'bsh', code=64)
        self.assertEqual(done.stderr, "bal: unknown shell 'bsh'; did you mean 'bash'?\n")
        self.assertIn('use bash, zsh or fish', self.error('completion', 'tcsh.exe', code=64)['errors'][0])

    def test_commands(self):
        commands, groups = self.commands()
        self.assertIn('completion', commands)
        with_subs = [name for name in commands if commands[name]]
        for shell in FILES:
            lines = ['bal ', 'bal help '] + [f'bal {name} ' for name in with_subs]
            first, helped, *seconds = self.offered(shell, lines + [f'bal help {name} ' for name in with_subs])
            self.assertEqual(first, set(commands))
            self.assertEqual(helped, set(commands))
            for name, second, of_help in zip(with_subs, seconds, seconds[len(with_subs):]):
                self.assertEqual(of_help, set(commands[name]), name)
                if name in groups:
                    self.assertEqual(second, set(commands[name]))
                else:
                    self.assertLessEqual(set(commands[name]), second)

    def test_options(self):
        """Both ways: all that the help has, and nothing else."""
        commands, groups = self.commands()
        titles = [name for name in commands if name not in groups]
        titles += [f'{name} {sub}' for name, subs in commands.items() for sub in subs]
        wanted = {f'bal {title} -': self.help_options('bal', *title.split(), '-h') for title in titles}
        wanted['bal -'] = self.help_options('bal', 'help', '-h') | {'--validate'}
        # "check" takes --validate, and its help lists it
        self.assertIn('--validate', wanted['bal check -'])
        if TOP:
            wanted['bal-top -'] = self.help_options(TOP, '--help')
            wanted['bal top -- -'] = wanted['bal-top -']
        for shell in FILES:
            for line, offered in zip(wanted, self.offered(shell, list(wanted))):
                if shell == 'zsh':  # it offers the letter or the word
                    offered = {word for word in offered if word.startswith('--')}
                    self.assertEqual(offered, {w for w in wanted[line] if w.startswith('--')}, line)
                else:
                    self.assertEqual(offered, wanted[line], line)

    def test_letters_of_zsh(self):
        with open(os.path.join(FOLDER, '_bal'), encoding='ascii') as f:
            pairs = set(re.findall(r'\{(-\w)\+?,(--[a-z-]+)=?\}', f.read()))
        wanted = set()
        for command in (['bal', 'start', '-h'], [TOP, '--help']):
            if command[0]:
                wanted |= set(re.findall(r'^ +(-\w), +(--[a-z-]+)', self.run_ok(command, env=self.env), re.M))
        self.assertEqual(pairs if TOP else pairs & wanted, wanted)


class Values(CompletionTest):
    def test_choices(self):
        levels = {'error', 'warn', 'info'}
        lines = {'bal --color ': {'auto', 'always', 'never'},
                 'bal start --log-level ': levels | {'debug', 'trace'},
                 'bal events --level ': levels,
                 'bal sessions --sort ': {'age', 'idle', 'bytes', 'rtt', 'retransmits'},
                 'bal sessions --sort r': {'rtt', 'retransmits'},
                 'bal -c /nowhere --json completion ': {'bash', 'zsh', 'fish'},
                 'bal-top --chars ': {'auto', 'ascii', 'block', 'braille'},
                 'bal-top --once --color al': {'always'},
                 'bal graceful --wait ': set(), 'bal stop ': set(), 'bal start --no-watch ': set()}
        for shell in FILES:
            for line, offered in zip(lines, self.offered(shell, list(lines))):
                # zsh offers options where there is no operand
                self.assertEqual({word for word in offered if word[0] != '-'}, lines[line], f'{shell}: {line}')

    def test_behind_the_sign(self):
        """--color=al: bash is given what stands behind the sign, as it cuts there; fish the whole word."""
        for shell in FILES:
            colors, level, checks = self.offered(shell, ['bal --color=a', 'bal events --level=w',
                                                         'bal doctor --only=bind,con'])
            self.assertEqual({word.rpartition('=')[2] for word in colors}, {'auto', 'always'})
            self.assertEqual({word.rpartition('=')[2] for word in level}, {'warn'})
            self.assertEqual({re.split('[=,]', word)[-1] for word in checks}, {'config', 'conntrack'})

    def test_tables(self):
        """Words of bal's own tables: codes, events, checks."""
        doctor = re.search(r'commas: (.*?)\.$', self.cli('doctor', '-h').stdout, re.M | re.S)[1].split()
        self.assertEqual(self.cli('__complete', 'check').stdout.split(), doctor)
        for shell in FILES:
            codes, events, checks = self.offered(shell, ['bal explain ', 'bal events --event ', 'bal doctor --skip '])
            self.assertIn('E014', codes)
            self.assertIn('backend_state', events)
            self.assertEqual(checks, set(doctor))

    def test_names(self):
        bal = self.bal(TWO_POOLS.format(inside=rig.free_port(), outside=rig.free_port()))
        path = os.path.join(bal.run, 'status.sock')
        # 50 ms may be too few for this machine now and then
        rig.wait_until(lambda: set(self.cli('__complete', 'backend', '--socket', path).stdout.split()) == NAMES,
                       'names', timeout=30)
        state = {f'state:{word}' for word in ('up', 'cool', 'down', 'drain', 'maint')}
        for shell in FILES:
            for line, wanted in ((f'bal --socket={path} backend drain ', NAMES),
                                 (f'bal backend maint --socket {path} web', {'web/127.0.0.1:9', 'web/127.0.0.1:19'}),
                                 (f'bal --socket={path} backend weight api/127.0.0.1:9 web/', {
                                     'web/127.0.0.1:9', 'web/127.0.0.1:19'}),
                                 (f'bal --socket={path} doctor --backend ', NAMES),
                                 (f'bal-top --socket={path} --filter ', {'web', 'api'}),
                                 (f'bal --socket={path} sessions pool:', {'web', 'api'}),
                                 (f'bal --socket={path} sessions close frontend:', {'inside', 'outside'}),
                                 (f'bal --socket={path} sessions backend:api', {'api/127.0.0.1:9', 'api/[::1]:80'}),
                                 (f'bal --socket={path} backend list state:', state)):
                # bash and zsh are given what stands behind the last colon that is there already
                wanted = {word.removeprefix('state:') for word in wanted}

                def right(line=line, wanted=wanted, shell=shell):
                    offered = self.offered(shell, [line])[0]
                    return {re.sub(r'^(state|pool|frontend|backend):', '', word) for word in offered} - {''} == wanted
                rig.wait_until(right, f'{shell}: {line}', timeout=30)
            rig.wait_until(lambda shell=shell: {'web', 'api'} | NAMES <= self.offered(shell, [
                f'bal --socket={path} backend list '])[0], f'{shell}: pools', timeout=30)
        # bash puts it in the place of what is behind the colon alone
        rig.wait_until(lambda: self.offered('bash', [f'bal --socket={path} backend drain web/127.0.0.1:'])[0] ==
                       {'9', '19'}, 'the ports', timeout=30)
        for shell, wanted in (('bash', {'127.0.0.1:9', '127.0.0.1:19'}), ('zsh', {'127.0.0.1:9', '127.0.0.1:19'}),
                              ('fish', NAMES - {'api/[::1]:80'})):  # without the pool; fish puts it there
            rig.wait_until(lambda shell=shell, wanted=wanted: self.offered(shell, [
                f'bal --socket={path} backend drain 127.'])[0] == wanted, shell, timeout=30)

    def test_typed(self):
        """On a terminal: what becomes of the line."""
        bal = self.bal(TWO_POOLS.format(inside=rig.free_port(), outside=rig.free_port()))
        for argv, load in ((['bash', '--norc', '-i'], f'source {FOLDER}/bal.bash'),
                           (['zsh', '-f', '-i'], f'fpath=({FOLDER} $fpath); autoload -Uz compinit; compinit -u -D')):
            self.need(argv[0])
            terminal = scripted.Terminal(self, [shutil.which(argv[0]), *argv[1:]], {
                **self.env, 'TERM': 'dumb', 'RUNTIME_DIRECTORY': bal.run}, columns=200)
            terminal.write(f'{load}; echo rea""dy\r')
            terminal.wait_for('ready')
            for typed, answer in (('bal help back\tdra\t\r', 'Usage: bal backend drain'),
                                  ('bal --color=ne\tbackend list --bri\tweb/127.0.0.1:1\t\r', ':19 weight='),
                                  ('bal backend list sta\tdo\t; echo "<$?>"\r', '<0>'),
                                  ('bal sessions frontend:in\t--lim\t7 --json; echo "<$?>"\r', 'bal.sessions')):
                for last in (False, False, True):  # names come within 50 ms, or not at all
                    terminal.write(typed)
                    try:
                        terminal.wait_for(answer, timeout=5)
                        break
                    except AssertionError:
                        if last:
                            raise
            terminal.write('exit\r')


class Hidden(CompletionTest):
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
        rig.wait_until(self.quick, 'an end in 50 ms', timeout=30)

    def test_nobody_accepts(self):
        with socket.socket(socket.AF_UNIX) as server:
            path = os.path.join(self.run_dir, 'status.sock')
            server.bind(path)
            server.listen(0)
            with socket.socket(socket.AF_UNIX) as first:
                first.connect(path)
                rig.wait_until(self.quick, 'an end in 50 ms', timeout=30)

    def test_names_of_strangers(self):
        """What a shell could take for more than a word is left out."""
        names = ['$(touch here):80', 'a b:80', '`id`:80', 'x;y:80', "it's:80", '-x', '\x1b[2J:80', 'line\nfeed:80',
                 '~root:80', 'fine.example:80', scripted.HANGUL, 'unix:/run/app.sock']
        scripted.Daemon(self, self.run_dir, Get=scripted.status([scripted.backend('web', name) for name in names]))
        wanted = [f'web/{name}' for name in names[-3:]]
        rig.wait_until(lambda: self.cli('__complete', 'backend').stdout.splitlines() == wanted, 'three names',
                       timeout=30)

    def test_many(self):
        """Longer than a buffer, and all of it."""
        names = [f'10.1.{i // 250}.{i % 250}:8080' for i in range(300)]
        document = scripted.status([scripted.backend('web', name) for name in names])
        self.fake(json.dumps({'parameters': document}).encode() + b'\0')
        rig.wait_until(lambda: self.cli('__complete', 'backend').stdout.splitlines() == [f'web/{n}' for n in names],
                       '300 names', timeout=30)

    def test_hidden(self):
        self.assertNotIn('__complete', self.cli('help').stdout)
        self.assertNotIn('did you mean', self.cli('__complet', code=64).stderr)


if __name__ == '__main__':
    rig.main()
