#!/usr/bin/env python3
"""`penstock login`, `logout` and `whoami` against a real server: on a terminal, by standard input, with a key."""
import glob
import json
import os
import pty
import select
import signal
import subprocess
import tempfile
import termios
import time

from harness import BINARY, WAIT, Suite, clean_environment, main
from test_sign_in import BETTER, GOOD, totp


class Terminal:
    """A command on a terminal of its own, and somebody who types."""

    def __init__(self, *args, env):
        self.master, self.slave = pty.openpty()
        self.process = subprocess.Popen([BINARY, *args], stdin=self.slave, stdout=self.slave, stderr=self.slave, env=env,
                                        preexec_fn=os.setsid)
        self.seen, self.at = '', 0

    def until(self, text):
        end = time.monotonic() + WAIT
        while text not in self.seen[self.at:]:
            if time.monotonic() > end or (self.process.poll() is not None and not self.readable()):
                raise AssertionError(f'{text!r} did not come: {self.seen!r}')
            if self.readable():
                self.seen += os.read(self.master, 4096).decode()
        self.at = self.seen.index(text, self.at) + len(text)
        return self

    def readable(self):
        return bool(select.select([self.master], [], [], 0.05)[0])

    def type(self, text):
        os.write(self.master, text.encode())
        return self

    def echoes(self):
        return bool(termios.tcgetattr(self.slave)[3] & termios.ECHO)

    def end(self):
        code = self.process.wait(WAIT)
        while self.readable():
            self.seen += os.read(self.master, 4096).decode()
        os.close(self.master)
        os.close(self.slave)
        return code


class Signing(Suite):
    @classmethod
    def config(cls):
        return {**super().config(), 'auth': {'password': {'memory': '8 MiB', 'passes': 1}, 'tokens': {'lifetime': '1m'}}}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.url = f'http://127.0.0.1:{cls.server.port}'
        cls.count = 0

    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.home = folder.name
        self.env = clean_environment(HOME='/nonexistent', XDG_CONFIG_HOME=self.home, PENSTOCK_SERVER=self.url)

    def user(self, *grant, password=GOOD, keep=True):
        type(self).count += 1
        email = f'login{self.count}@example.com'
        self.ok('user', 'create', f'email={email}')
        done = self.server.cli('user', 'passwd', email, *(['--keep'] if keep else []), stdin=password + '\n')
        self.assertEqual(done.returncode, 0, done.stderr)
        if grant:
            self.ok('grant', 'create', f'principal=user/{email}', *grant)
        return email

    def ok(self, *args):
        done = self.server.cli(*args)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def run_as(self, *args, stdin='', code=0):
        done = subprocess.run([BINARY, *args], env=self.env, input=stdin, text=True, capture_output=True, timeout=WAIT)
        self.assertEqual(done.returncode, code, f'{args}: {done.stdout}{done.stderr}')
        return done

    def kept(self):
        return glob.glob(self.home + '/penstock/credentials/*')

    def whoami(self):
        return json.loads(self.run_as('whoami', '--json').stdout)


class Login(Signing):
    def test_by_standard_input(self):
        email = self.user('role=viewer')
        self.run_as('team', 'list', code=5)  # nobody is signed in
        done = self.run_as('login', email, stdin=GOOD + '\n')
        self.assertIn(f'Signed in to {self.url} as {email}.', done.stderr)
        (file,) = self.kept()
        self.assertEqual(os.stat(file).st_mode & 0o777, 0o600)
        self.assertEqual(os.stat(os.path.dirname(file)).st_mode & 0o777, 0o700)
        self.assertNotIn(GOOD, open(file, encoding='utf-8').read())
        who = self.whoami()
        self.assertEqual((who['kind'], who['name']), ('user', email))
        self.run_as('user', 'list')
        self.run_as('team', 'create', 'name=x', code=5)  # with their rights, no more
        # What was kept is bound to the server, and a key in the environment goes before it.
        self.run_as('user', 'list', '--server', 'http://127.0.0.1:1', code=5)
        self.env['PENSTOCK_API_KEY'] = self.server.create_key('--admin')['key']
        self.assertEqual(self.whoami()['kind'], 'operator')
        del self.env['PENSTOCK_API_KEY']
        self.run_as('logout')
        self.assertEqual(self.kept(), [])
        self.run_as('whoami', code=5)
        self.run_as('logout', code=4)

    def test_the_session_ends_with_logout(self):
        self.run_as('login', self.user('role=viewer'), stdin=GOOD + '\n')
        self.whoami()
        with open(self.kept()[0], encoding='utf-8') as f:
            kept = json.load(f)
        for headers, key in (({'Cookie': kept['cookie'], 'Host': self.url[7:]}, None), ({}, kept['token'])):
            self.assertEqual(self.server.request('GET', '/api/v1/session', headers=headers, key=key).status, 200)
        self.run_as('logout')
        for headers, key in (({'Cookie': kept['cookie'], 'Host': self.url[7:]}, None), ({}, kept['token'])):
            reply = self.server.request('GET', '/api/v1/session', headers=headers, key=key)
            self.assertEqual(reply.status, 401, reply)

    def test_signing_in_anew_ends_the_session_before(self):
        email = self.user()
        for _ in range(3):
            self.run_as('login', email, stdin=GOOD + '\n')
        user = json.loads(self.ok('user', 'show', email, '--json'))['id']
        operator = self.server.create_key('--admin')['key']
        reply = self.server.request('GET', f'/api/v1/sessions?user={user}', key=operator)
        self.assertEqual(len(reply.json()['data']), 1, reply)

    def test_changed_rights_and_due_tokens(self):
        """Neither another cookie nor a token that is over is noticed."""
        email = self.user('role=viewer')
        self.run_as('login', email, stdin=GOOD + '\n')
        self.run_as('team', 'create', 'name=later', code=5)
        self.ok('grant', 'create', f'principal=user/{email}', 'role=admin')
        self.run_as('team', 'create', 'name=later')
        cookies = set()
        for role in ('developer', 'billing', 'analyst'):
            self.ok('grant', 'create', f'principal=user/{email}', f'role={role}')
            (file,) = self.kept()
            with open(file, encoding='utf-8') as f:
                kept = json.load(f)
            cookies.add(kept['cookie'])
            with open(file, 'w', encoding='utf-8') as f:
                json.dump({**kept, 'token_until': '2020-01-01T00:00:00Z'}, f)
            self.run_as('team', 'list')
        self.assertEqual(len(cookies), 3)

    def test_over(self):
        email = self.user('role=viewer')
        self.run_as('login', email, stdin=GOOD + '\n')
        self.run_as('user', 'list')
        operator = self.server.create_key('--admin')['key']
        user = json.loads(self.ok('user', 'show', email, '--json'))['id']
        for session in self.server.request('GET', f'/api/v1/sessions?user={user}', key=operator).json()['data']:
            self.server.request('DELETE', '/api/v1/sessions/' + session['id'], key=operator)
        done = self.run_as('user', 'list', code=5)
        self.assertIn(f'penstock login --server {self.url}', done.stderr)

    def test_wrong(self):
        email = self.user()
        done = self.run_as('login', email, stdin='not it at all\n', code=5)
        self.assertIn('password', done.stderr)
        self.run_as('login', email, code=2)  # no password on standard input
        self.run_as('login', email, '--server', 'ftp://x', stdin=GOOD + '\n', code=2)
        self.run_as('login', email, '--server', 'http://127.0.0.1:1', stdin=GOOD + '\n', code=6)
        self.assertEqual(self.kept(), [])
        self.run_as('login', email, stdin=GOOD + '\n')
        os.chmod(self.kept()[0], 0o644)
        self.assertIn('chmod 600', self.run_as('user', 'list', code=5).stderr)
        os.chmod(self.kept()[0], 0o600)
        with open(self.kept()[0], 'w', encoding='utf-8') as f:
            f.write('{"cookie": ')
        self.assertIn('damaged', self.run_as('user', 'list', code=2).stderr)

    def test_nowhere_to_keep_it(self):
        email = self.user()
        self.env = clean_environment(HOME='', PENSTOCK_SERVER=self.url)
        self.assertIn('HOME', self.run_as('login', email, stdin=GOOD + '\n', code=4).stderr)

    def test_with_a_key(self):
        key = self.server.create_key('--admin', '--name', 'ops')['key']
        self.run_as('login', '--with-key', stdin=key + '\n')
        self.assertEqual(self.whoami()['kind'], 'operator')
        self.run_as('team', 'list')
        self.run_as('logout')
        self.run_as('login', '--with-key', stdin='ps-' + 'A' * 43 + '\n', code=5)
        self.run_as('login', '--with-key', stdin='\n', code=2)
        self.assertEqual(self.kept(), [])

    def test_whoami_on_the_data_directory(self):
        self.assertEqual(json.loads(self.ok('whoami', '--json')), {'kind': 'operator', 'data': self.server.data})

    # --- on a terminal ---

    def test_prompts(self):
        email = self.user('role=viewer')
        t = Terminal('login', env=self.env)
        t.until('E-mail address: ').type(email + '\n')
        t.until('Password (it is not shown): ').type(GOOD + '\r').until('Signed in to')
        self.assertEqual(t.end(), 0)
        self.assertNotIn(GOOD, t.seen)
        self.assertEqual(self.whoami()['name'], email)

    def test_a_password_that_somebody_else_set(self):
        email = self.user('role=viewer', keep=False)
        t = Terminal('login', email, env=self.env)
        t.until('Password (it is not shown): ').type(GOOD + '\r')
        t.until('choose your own').until('New password (it is not shown): ').type(BETTER + '\r')
        t.until('Once more: ').type(BETTER + '\r').until('Signed in to')
        self.assertEqual(t.end(), 0)
        self.run_as('user', 'list')
        self.run_as('login', email, stdin=BETTER + '\n')

    def test_second_factor(self):
        email = self.user('role=viewer')
        self.run_as('login', email, stdin=GOOD + '\n')
        with open(self.kept()[0], encoding='utf-8') as f:
            kept = json.load(f)
        headers = {'Cookie': kept['cookie'], 'X-CSRF-Token': kept['csrf'], 'Host': self.url[7:]}
        secret = self.server.request('POST', '/api/v1/session/totp', headers=headers,
                                     body=json.dumps({'password': GOOD}).encode()).json()['secret']
        reply = self.server.request('POST', '/api/v1/session/totp/confirm', headers=headers,
                                    body=json.dumps({'code': totp(secret)}).encode())
        self.assertEqual(reply.status, 200, reply)
        t = Terminal('login', email, env=self.env)
        t.until('Password (it is not shown): ').type(GOOD + '\r')
        t.until('Code of the second factor: ').type(totp(secret, 1) + '\r').until('Signed in to')
        self.assertEqual(t.end(), 0)
        self.run_as('login', email, stdin=f'{GOOD}\n{reply.json()["recovery_codes"][0]}\n')
        self.run_as('login', email, stdin=f'{GOOD}\n000000\n', code=5)

    def test_interrupted(self):
        """Ctrl-C, and signals that end it, at a hidden prompt: the terminal shows what is typed again."""
        email = self.user()
        t = Terminal('login', email, env=self.env)
        t.until('Password (it is not shown): ')
        self.assertFalse(t.echoes())
        t.type('half\x03')
        self.assertEqual(t.process.wait(WAIT), 130)
        self.assertTrue(t.echoes())
        t.end()
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            t = Terminal('login', email, env=self.env)
            t.until('Password (it is not shown): ').type('half')
            self.assertFalse(t.echoes())
            t.process.send_signal(number)
            self.assertEqual(t.process.wait(WAIT), -number)
            self.assertTrue(t.echoes())
            t.end()
        self.assertEqual(self.kept(), [])


class Required(Signing):
    """A server that asks everybody for a second factor."""

    @classmethod
    def config(cls):
        config = super().config()
        config['auth']['sign_in'] = {'second_factor': 'required'}
        return config

    def set_up(self, t):
        t.until('A second factor is required').until('\n  ').until('\n')
        secret = t.seen[:t.at].rstrip().rsplit('\n', 1)[-1].strip()
        t.until('Code that the app shows: ').type(totp(secret) + '\r').until('Recovery codes').until('Signed in to')
        self.assertEqual(t.end(), 0)
        self.run_as('user', 'list')

    def test_set_up(self):
        email = self.user('role=viewer')
        t = Terminal('login', email, env=self.env)
        self.set_up(t.until('Password (it is not shown): ').type(GOOD + '\r'))

    def test_set_up_after_another_password(self):
        """The second factor is set up by the password that was chosen a moment ago."""
        email = self.user('role=viewer', keep=False)
        t = Terminal('login', email, env=self.env)
        t.until('Password (it is not shown): ').type(GOOD + '\r')
        t.until('New password (it is not shown): ').type(BETTER + '\r')
        self.set_up(t.until('Once more: ').type(BETTER + '\r'))


if __name__ == '__main__':
    main()
