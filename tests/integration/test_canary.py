#!/usr/bin/env python3
"""Planted secrets are found nowhere: not in logs, answers, metrics, the configuration as shown, the history, the audit trail
and what it is exported to, webhooks, core dumps, or any file of the data directory and the database."""
import base64
import contextlib
import json
import os
import re
import resource
import secrets
import signal
import subprocess
import time
import unittest
import urllib.parse

from harness import FakeUpstream, Penstock, clean_environment, eventually, main, run_cli, sanitized
from postgres import PASSWORD, PASSWORD_PLAIN, Postgres
from redis_server import RedisError, RedisServer
from test_admin_api import Receiver
from test_sign_in import Person, totp
from vault_server import FakeVault


def canary(what):
    return f'sk-canary-{what}-{secrets.token_hex(12)}'


class Guarded(RedisServer):
    """One that asks for a password."""

    def ask(self, *words):
        with contextlib.suppress(RedisError):  # NOAUTH: it is up
            return super().ask(*words)
        return None


class Commanded(Penstock):
    """Its commands know its configuration and environment."""

    def cli(self, *args, **more):
        return run_cli(*args, '--data', self.data, *(['--config', self.config_path] if self.has_config else []),
                       cwd=self.folder, env=clean_environment(**self.env), **more)


class Canaries(unittest.TestCase):
    maxDiff = 400

    def setUp(self):
        self.canaries, self.told = {}, []
        self.fake = FakeUpstream(key=self.plant('provider')).start()
        self.addCleanup(self.fake.stop)
        self.receiver = Receiver()
        self.addCleanup(self.receiver.stop)

    def plant(self, what, text=None):
        self.canaries[what] = text or canary(what.replace(' ', '-'))
        return self.canaries[what]

    def tell(self, text):
        """What somebody gets to see."""
        self.told.append(text if isinstance(text, bytes) else text.encode())
        return text

    def config(self, **more):
        provider = {'kind': 'openai', 'base_url': self.fake.base_url}
        hook = {'name': 'hook', 'url': self.receiver.url, 'secret': '${env:HOOK}',
                'events': ['config.*', 'audit.*', 'key.*', 'budget.*']}
        return {'providers': [{**provider, 'name': 'env', 'api_key': '${env:PROVIDER}'},
                              {**provider, 'name': 'sealed', 'api_key': '${secret:llm/key}'},
                              {**provider, 'name': 'refused', 'api_key': '${env:REFUSED}'}],
                'log': {'level': 'trace', 'format': 'json'}, 'webhooks': [hook],
                'auth': {'password': {'memory': '8 MiB', 'passes': 1}},
                'audit': {'sinks': [{'name': 'file', 'type': 'file', 'path': self.sink}]}, **more}

    def environment(self):
        self.plant('webhook', 'whsec_' + base64.b64encode(secrets.token_bytes(24)).decode())
        return {'PROVIDER': self.canaries['provider'], 'REFUSED': self.plant('refused provider'),
                'HOOK': self.canaries['webhook']}

    def spawn(self, config, env):
        server = Commanded(lambda s: self.with_sink(s, config), env=env)
        self.addCleanup(server.remove)
        self.plant('key', server.key)
        self.command(server, 'secret', 'set', 'llm/key', stdin=self.plant('sealed', self.canaries['provider']) + '\n')
        self.command(server, 'secret', 'set', 'unused', stdin=self.plant('sealed and not used') + '\n')
        return server.start()

    def with_sink(self, server, config):
        self.sink = os.path.join(server.folder, 'audit.jsonl')
        return config()

    def command(self, server, *args, code=0, **more):
        done = server.cli(*args, **more)
        if code is not None:
            self.assertEqual(done.returncode, code, f'{args}: {done.stdout}{done.stderr}')
        self.tell(done.stdout + done.stderr)
        return done

    def api(self, server, method, path, body=None, status=None, key=None, shown=False, **headers):
        """shown: the answer is where a secret is to be seen."""
        body = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        reply = server.request(method, path if path.startswith('/') and not path.startswith('//') else path, body=body,
                               key=key or self.admin, headers={k.replace('_', '-'): v for k, v in headers.items()})
        if status:
            self.assertEqual(reply.status, status, reply)
        if not shown:
            self.tell(repr(reply.headers) + reply.body.decode('utf-8', 'replace'))
        return reply

    # --- what is done ---

    def calls(self, server):
        """Good ones and bad ones."""
        prompt = self.plant('prompt')
        for model in ('env/well', 'sealed/well', 'env/x;status=500;echo', 'env/x;status=400;echo', 'sealed/x;status=429;echo',
                      'refused/well', 'refused/x;status=401;echo', 'env/x;fault=reset', 'env/x;body=invalid', 'env/x;html;status=502',
                      'nowhere/model', 'env/x;status=404;echo'):
            for stream in (False, True):
                body = {'model': model, 'stream': stream, 'messages': [{'role': 'user', 'content': prompt}]}
                self.api(server, 'POST', '/v1/chat/completions', body, key=server.key)
        key, mistyped = server.key, server.key[:-1] + ('A' if server.key[-1] != 'A' else 'B')
        self.plant('mistyped key', mistyped)
        for wrong in (mistyped, self.canaries['provider'], 'ps-' + 'C' * 43):
            self.api(server, 'GET', '/v1/models', key=wrong, status=401)
        # Where a key does not belong.
        quoted = urllib.parse.quote(key)
        self.api(server, 'GET', f'/v1/models?api_key={quoted}', key='none', status=401)
        self.api(server, 'GET', f'/nowhere/{quoted}?key={quoted}', key='none', status=404)
        self.api(server, 'POST', '/v1/chat/completions', b'{"model": "env/well", "messages": "' + prompt.encode() + b'"}', key=key)
        self.api(server, 'POST', '/v1/chat/completions', b'{"messages": ["' + prompt.encode(), key=key)
        self.api(server, 'GET', '/api/v1/config', key=key, status=403)
        basic = base64.b64encode(f'penstock:{key}'.encode()).decode()
        self.api(server, 'GET', '/v1/models', key='none', status=401, Cookie=f'key={key}', X_Key=key, Referer=f'http://x/{key}')
        with server.conn() as c:
            c.send(f'GET /v1/models HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {basic}\r\nConnection: close\r\n\r\n'.encode())
            self.tell(c.everything())
        with server.conn() as c:
            c.send(f'GET /v1/models HTTP/1.1\r\nHost: x\r\nAuthorization Bearer {key}\r\n\r\n'.encode())
            self.tell(c.everything())

    def keys(self, server):
        admin = self.admin
        made = self.api(server, 'POST', '/api/v1/keys', {'name': 'made'}, 201, shown=True, Idempotency_Key='once').json()
        self.plant('made key', made['key'])
        new = self.api(server, 'POST', f'/api/v1/keys/{made["id"]}/rotate', {'overlap': '1h'}, 201, shown=True).json()
        self.plant('rotated key', new['key'])
        self.api(server, 'GET', f'/api/v1/keys/{new["id"]}', status=200)
        self.api(server, 'POST', '/api/v1/keys/identify', {'key': made['key']}, 200)
        self.api(server, 'POST', '/api/v1/keys/identify', {'key': made['key'], 'no': 1})
        self.api(server, 'POST', '/api/v1/keys', {'name': 'bad', 'hash': admin})
        self.api(server, 'GET', f'/api/v1/keys/{new["key"]}', status=404)
        self.command(server, 'key', 'identify', stdin=new['key'])
        self.command(server, 'key', 'scan', stdin=f'KEY={new["key"]}', code=1)
        self.api(server, 'POST', f'/api/v1/keys/{new["id"]}/revoke', status=200)
        self.api(server, 'GET', '/v1/models', key=new['key'], status=401)
        self.plant('command key', json.loads(server.cli('key', 'create', '--name', 'c', '--json').stdout)['key'])

    def people(self, server):
        self.server = server
        self.make_person(server)
        person = Person(self)
        told = lambda reply: self.tell(reply.body)  # noqa: E731
        told(person.sign_in('ada@example.com', self.plant('wrong password', 'canary wrong horse staple'), 401))
        told(person.sign_in('nobody@example.com', self.canaries['password'], 401))
        person.sign_in('ada@example.com', self.canaries['password'])
        self.plant('session', person.cookie.split('=', 1)[1])
        token = person.send('POST', '/api/v1/tokens', {'permissions': ['model:use']}, 201).json()['access_token']
        self.plant('token', token)
        self.api(server, 'GET', '/v1/models', key=token, status=200)
        self.api(server, 'GET', '/v1/models', key=token[:-4] + 'AAAA', status=401)
        shown = person.send('POST', '/api/v1/session/totp', {'password': self.canaries['password']}).json()
        self.plant('totp', shown['secret'])
        told(person.send('POST', '/api/v1/session/totp/confirm', {'code': '000000'}, 400))
        codes = person.send('POST', '/api/v1/session/totp/confirm', {'code': totp(shown['secret'])}).json()['recovery_codes']
        self.plant('recovery code', codes[0])
        told(Person(self).sign_in('ada@example.com', self.canaries['password'], 401))
        Person(self).sign_in('ada@example.com', self.canaries['password'], code=codes[1])
        told(person.send('PUT', '/api/v1/session/password', {'password': self.canaries['password'], 'new_password': 'short'},
                         None))
        told(person.send('GET', '/api/v1/session'))
        told(person.send('GET', '/api/v1/sessions?user=all', None, None))
        told(person.send('DELETE', '/api/v1/session', status=204))

    def assertEqual(self, first, second, msg=None):  # Person compares the status, of which None means any
        if second is not None:
            super().assertEqual(first, second, msg)

    def make_person(self, server):
        user = self.api(server, 'POST', '/api/v1/users', {'email': 'ada@example.com'}, 201).json()
        self.api(server, 'POST', '/api/v1/grants', {'principal': user['id'], 'role': 'admin'}, 201)
        body = {'password': self.plant('password', 'canary battery horse staple'), 'must_change': False}
        self.api(server, 'POST', f'/api/v1/users/{user["id"]}/password', body, 204)
        self.api(server, 'POST', f'/api/v1/users/{user["id"]}/password', {**body, 'no': body['password']})

    def configuration(self, server):
        merge = {'Content_Type': 'application/merge-patch+json'}
        live = self.plant('live')
        self.api(server, 'PATCH', '/api/v1/config', {'providers': {'refused': {'api_key': live}}}, 200, **merge)
        for bad in ({'providers': {'refused': {'api_key': [live]}}}, {'providers': {'refused': {'api_kye': live}}},
                    {'webhooks': {'hook': {'secret': live}}, 'providers': live}):
            self.api(server, 'PATCH', '/api/v1/config', bad, None, **merge)
        for text in (f'providers: [{{name: a, kind: openai, api_key: {live}, api_key: {live}}}]', f'providers: {{api_key: "{live}'):
            for what in ('validate', 'diff'):
                self.api(server, 'POST', f'/api/v1/config/{what}', text.encode(), None, Content_Type='application/yaml')
        for path in ('config', 'config?view=defaults', 'config?sources=1', 'config/history', 'config/schema', 'keys', 'users', 'sessions',
                     'audit?limit=1000', 'access/review', 'access/review?format=csv', 'usage', 'usage/sums?by=key', 'events?after=0'):
            if not path.startswith('events'):
                self.api(server, 'GET', '/api/v1/' + path)
        for form in ('jsonl', 'csv', 'cef', 'ocsf'):
            self.api(server, 'GET', f'/api/v1/audit/export?format={form}', status=200)
        for path in ('/metrics', '/readyz', '/healthz', '/version', '/v1/models', '/debug/pprof', '/api/openapi.json'):
            self.api(server, 'GET', path)
        version = self.api(server, 'GET', '/api/v1/config/history').json()['versions'][0]['version']
        self.api(server, 'GET', f'/api/v1/config/history/{version}')
        self.commands(server)

    def commands(self, server):
        shows = (['config', 'show'], ['config', 'show', '--effective', '--sources'], ['config', 'show', '--changed'],
                 ['config', 'show', '--json', '--effective'], ['config', 'show', 'providers', '--json'], ['config', 'history', '--json'],
                 ['config', 'trace', 'providers.env.api_key'], ['config', 'explain', 'providers'], ['config', 'validate', '--json'],
                 ['config', 'diff'], ['config', 'test', '--json'], ['config', 'docs', '--env-reference'], ['config', 'migrate'],
                 ['secret', 'list', '--json'], ['secret', 'rekey', '--json'], ['key', 'list', '--json'], ['key', 'show', 'made', '--json'],
                 ['usage', '--json'], ['audit', 'list', '--json'], ['audit', 'export'], ['audit', 'verify', '--json'],
                 ['user', 'list', '--json'], ['user', 'show', 'ada@example.com'], ['access', 'matrix'],
                 ['audit', 'export', '--format', 'cef'], ['audit', 'export', '--format', 'csv'])
        for args in shows:
            self.command(server, *args, code=None, stdin='')

    def everything(self, server):
        self.admin = self.plant('admin key', json.loads(server.cli('key', 'create', '--admin', '--json').stdout)['key'])
        self.calls(server)
        self.keys(server)
        self.people(server)
        self.configuration(server)

    # --- what is looked at ---

    @staticmethod
    def forms(text):
        raw = text.encode()
        yield raw
        yield raw.hex().encode()
        yield urllib.parse.quote(text, safe='').encode()
        for lead in range(3):  # wherever it stands in what was encoded; the characters at the ends depend on others
            yield base64.b64encode(b'\0' * lead + raw)[lead and 4:-4]

    def look(self, where, content):
        for what, text in self.canaries.items():
            for form in self.forms(text):
                at = content.find(form)
                if at >= 0:
                    around = content[max(0, at - 200):at + len(form) + 60]
                    self.fail(f'the {what} is in {where}: …{around!r}…')

    def look_in_files(self, folder, skip=()):
        n = 0
        for directory, _, names in os.walk(folder):
            for name in names:
                path = os.path.join(directory, name)
                if not os.path.isfile(path) or name in skip:
                    continue
                with open(path, 'rb') as f:
                    self.look(path, f.read())
                n += 1
        return n

    def look_at_all(self, server):
        for text in self.told:
            self.look('an answer or what a command printed', text)
        n = 0
        while not self.receiver.posts.empty():
            path, headers, body = self.receiver.posts.get()
            self.look('a webhook', body + path.encode() + repr(dict(headers)).encode())
            n += 1
        self.assertGreater(n, 3)
        self.assertGreater(os.path.getsize(self.sink), 1000)
        self.look('the log', server.log().encode())
        self.look_in_files(server.folder)
        self.look('the command line', open(f'/proc/{server.process.pid}/cmdline', 'rb').read())

    def look_at_core(self, server):
        """However much somebody wants one."""
        pid = server.process.pid
        with open(f'/proc/{pid}/coredump_filter', encoding='ascii') as f:
            self.assertEqual(int(f.read(), 16), 0x10)
        with open('/proc/sys/kernel/core_pattern', encoding='ascii') as f:
            pattern = f.read().strip()
        soft, hard = resource.prlimit(pid, resource.RLIMIT_CORE)
        self.assertEqual(soft, 0)
        if pattern != 'core' or hard == 0:
            server.stop()
            return
        resource.prlimit(pid, resource.RLIMIT_CORE, (hard, hard))
        server.signal(signal.SIGABRT)
        server.process.wait(20)
        cores = [n for n in os.listdir(server.folder) if n.startswith('core')]
        self.assertTrue(cores or hard < 1 << 20, 'no core file was written, so none was looked at')


@unittest.skipIf(sanitized(), 'a sanitizer has its own ways to end')
class Alone(Canaries):
    """With the embedded database, Vault, and Redis."""

    def test_nowhere(self):
        redis_password = self.plant('redis')
        redis = Guarded('--requirepass', redis_password)
        self.addCleanup(redis.remove)
        redis.start()
        vault = FakeVault(root=self.plant('vault token', 'hvs.canary' + secrets.token_hex(10))).start()
        self.addCleanup(vault.stop)
        vault.put('secret/llm', {'api_key': self.plant('of the vault')})
        env = {**self.environment(), 'VAULT': vault.root, 'REDIS': f'redis://:{redis_password}@127.0.0.1:{redis.port}/0'}

        def config():
            c = self.config(vault={'address': vault.address, 'token': '${env:VAULT}', 'poll_interval': '1s'},
                            redis={'url': '${env:REDIS}'}, quota={'mode': 'exact'})
            c['providers'].append({'name': 'vault', 'kind': 'openai', 'base_url': self.fake.base_url,
                                   'api_key': '${vault:secret/llm#api_key}'})
            return c
        server = self.spawn(config, env)
        self.everything(server)
        self.api(server, 'POST', '/v1/chat/completions', {'model': 'vault/x', 'messages': []}, key=server.key)
        # Where something is not there any more.
        vault.down()
        redis.kill()
        self.assertTrue(eventually(lambda: 'vault' in server.log() and 'cannot be read from Vault' in server.log()))
        self.api(server, 'GET', '/readyz')
        self.command(server, 'config', 'test', '--json', code=None)
        server.signal(signal.SIGHUP)
        time.sleep(0.5)
        self.look_at_all(server)
        self.look_at_core(server)
        with open(os.path.join(server.data, 'secret.key'), 'rb') as f:
            self.plant('master key', base64.b64encode(f.read()).decode())
        self.look_in_files(server.folder, skip=('secret.key',))

    def test_a_core_is_looked_at(self):
        """That a memory's canaries would be found: where the filter is lifted, they are."""
        with open('/proc/sys/kernel/core_pattern', encoding='ascii') as f:
            if f.read().strip() != 'core' or resource.getrlimit(resource.RLIMIT_CORE)[1] == 0:
                self.skipTest('no core files here')
        server = self.spawn(self.config_plain, self.environment())
        with open(f'/proc/{server.process.pid}/coredump_filter', 'w', encoding='ascii') as f:
            f.write('0x33')
        hard = resource.prlimit(server.process.pid, resource.RLIMIT_CORE)[1]
        resource.prlimit(server.process.pid, resource.RLIMIT_CORE, (hard, hard))
        server.signal(signal.SIGABRT)
        server.process.wait(20)
        with self.assertRaises(AssertionError):
            self.look_in_files(server.folder)

    def config_plain(self):
        return self.config()


@unittest.skipIf(sanitized(), 'a sanitizer has its own ways to end')
class Together(Canaries):
    """With PostgreSQL, whose files are looked at too."""

    def test_nowhere(self):
        postgres = Postgres().start()
        self.addCleanup(postgres.__exit__)
        env = {**self.environment(), 'PENSTOCK_STORAGE__URL': postgres.url('canary')}
        self.plant('database password', PASSWORD)
        server = self.spawn(self.config, env)
        self.everything(server)
        postgres.stop()
        self.api(server, 'GET', '/readyz')
        self.command(server, 'config', 'test', '--json', code=None)
        self.command(server, 'key', 'list', code=None)
        self.canaries.pop('database password')  # too short to be sought in pages of numbers
        self.look_at_all(server)
        for text in (PASSWORD.encode(), PASSWORD_PLAIN.encode()):
            self.assertNotIn(text, server.log().encode() + b''.join(self.told))
        self.look_at_core(server)
        self.assertGreater(self.look_in_files(postgres.dir), 100)


if __name__ == '__main__':
    main()
