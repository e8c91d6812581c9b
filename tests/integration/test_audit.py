#!/usr/bin/env python3
# The audit trail of a running server: what is told, proven, exported, found when it was tampered with.
import json
import os
import resource
import sqlite3
import subprocess
from unittest import mock

from harness import Suite, chat_body, clean_environment, eventually, fake_provider, main, run_cli


class Audit(Suite):
    @classmethod
    def config(cls):
        return {'providers': [fake_provider(cls.fake)],
                'models': [{'name': 'gpt-a', 'targets': [{'provider': 'fake', 'model': 'x'}]}]}

    def trail(self, *filters):
        return self.server.cli_json('audit', 'list', '--limit', '0', *filters)

    def verify(self, *args):
        done = self.server.cli('audit', 'verify', *args)
        return done.returncode, done.stdout + done.stderr

    def test_the_server_and_its_configuration(self):
        started = self.trail('action=server.*')
        self.assertEqual([e['action'] for e in started], ['server.start'])
        change = self.trail('action=config.change')[-1]
        self.assertEqual(change['after']['version'], 1)
        before = len(self.trail('action=config.change'))
        done = self.server.cli('config', 'set', 'log.level=warn')
        self.assertEqual(done.returncode, 0, done.stderr)
        changes = self.trail('action=config.change')
        self.assertEqual(len(changes), before + 1)
        self.assertEqual(changes[0]['after']['changes'][0]['key'], 'log.level')
        self.assertEqual(self.verify()[0], 0)

    def test_denials_are_told_once(self):
        for _ in range(30):
            self.server.request('POST', '/v1/chat/completions', chat_body('gpt-a'), key='ps-' + 'A' * 43)
        eventually(lambda: self.trail('outcome=denied', 'action=model.use'))
        told = self.trail('outcome=denied', 'action=model.use')
        self.assertLessEqual(len(told), 2)
        self.assertEqual(told[0]['reason'], 'invalid_api_key')
        self.assertEqual(told[0]['address'], '127.0.0.1')

    def test_denials_of_administration_are_folded(self):
        """A key that is refused again and again fills no trail: the first are told one by one, the rest by their number."""
        operator = self.server.create_key('--admin')['key']
        user = self.call('POST', 'users', {'email': 'again@example.com'}, key=operator, status=201).json()['id']
        key = self.call('POST', 'keys', {'owner': user, 'scopes': ['*']}, key=operator, status=201).json()['key']
        for i in range(800):
            self.call('POST', 'teams', {'name': f'again{i}'}, key=key, status=403)
        told = self.trail('outcome=denied', 'action=team.create')
        self.assertGreaterEqual(len(told), 600)
        self.assertLess(len(told), 800)

    def test_export_and_proof(self):
        key = self.server.cli('audit', 'key').stdout.split()[0]
        path = os.path.join(self.server.folder, 'trail.jsonl')
        self.assertEqual(self.server.cli('audit', 'export', '--output', path).returncode, 0)
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        self.assertEqual(self.verify('--file', path, '--key', key)[0], 0)
        self.assertEqual(self.verify('--file', path, '--key', '0' * 64)[0], 1)
        with open(path) as f:
            lines = f.readlines()
        kinds = [json.loads(line)['type'] for line in lines]
        self.assertEqual(kinds[0], 'export')
        self.assertEqual(kinds[-1], 'head')
        first = kinds.index('event')
        with open(path, 'w') as f:
            f.writelines(lines[:first] + lines[first + 1:])
        code, said = self.verify('--file', path)
        self.assertEqual(code, 1)
        self.assertIn('event 1 is missing', said)
        for form in ('csv', 'cef', 'ocsf'):
            text = self.server.cli('audit', 'export', '--format', form).stdout
            self.assertGreater(len(text.splitlines()), 1, form)

    def test_tampering_is_found(self):
        self.assertEqual(self.verify()[0], 0)
        db = sqlite3.connect(os.path.join(self.server.data, 'penstock.db'), isolation_level=None, timeout=20)
        with self.assertRaises(sqlite3.Error):
            db.execute("UPDATE audit_event SET reason = 'x'")
        text = db.execute("SELECT sql FROM sqlite_schema WHERE name = 'audit_event_updated'").fetchone()[0]
        agent = db.execute('SELECT agent FROM audit_event WHERE seq = 1').fetchone()[0]
        db.execute('DROP TRIGGER audit_event_updated')
        try:
            db.execute("UPDATE audit_event SET agent = agent || 'x' WHERE seq = 1")
            code, said = self.verify()
            self.assertEqual(code, 1)
            self.assertIn('event 1 does not match', said)
        finally:
            db.execute('UPDATE audit_event SET agent = ? WHERE seq = 1', (agent,))
            db.execute(text)
            db.close()
        self.assertEqual(self.verify()[0], 0)

    def test_tail(self):
        tail = subprocess.Popen([os.environ['PENSTOCK_BIN'], 'audit', 'tail', '--json', '--limit', '0', '--data', self.server.data],
                                stdout=subprocess.PIPE, text=True)
        try:
            first = json.loads(tail.stdout.readline())
            self.assertEqual(first['seq'], 1)
            self.server.cli('audit', 'export', 'action=none.*')
            while json.loads(tail.stdout.readline())['action'] != 'audit.export':
                pass
        finally:
            tail.terminate()
            tail.wait()
            tail.stdout.close()

    def test_commands_on_the_data_directory(self):
        server = self.spawn({'providers': [fake_provider(self.fake)]}, start=False)
        server.create_key('--name', 'told')
        self.assertEqual(server.cli('key', 'revoke', 'told').returncode, 0)
        self.assertEqual(server.cli('secret', 'set', 's', stdin='x').returncode, 0)
        self.assertEqual(server.cli('secret', 'delete', 's').returncode, 0)
        told = [(e['action'], e['resource_name'] or e['resource_id']) for e in server.cli_json('audit', 'list')]
        self.assertEqual(told[:4], [('secret.delete', 's'), ('secret.create', 's'), ('key.revoke', 'told'),
                                    ('key.create', 'told')])

    # --- the API ---

    def call(self, method, path, body=None, key=None, status=200):
        reply = self.server.request(method, '/api/v1/' + path, body=None if body is None else json.dumps(body).encode(),
                                    key=key or self.operator)
        self.assertEqual(reply.status, status, reply)
        return reply

    def test_commands_on_a_server(self):
        key = self.server.create_key('--admin')['key']
        env = clean_environment(PENSTOCK_API_KEY=key, PENSTOCK_SERVER=f'http://127.0.0.1:{self.server.port}')
        for name in ('there', 'there-too'):
            self.assertEqual(self.server.cli('team', 'create', f'name={name}').returncode, 0)
        done = run_cli('audit', 'list', 'action=team.*', '--limit', '2', env=env)
        self.assertEqual((done.returncode, done.stdout.split()[:4]), (0, ['SEQ', 'TIME', 'ACTOR', 'ACTION']), done.stderr)
        self.assertEqual(len(done.stdout.rstrip().split('\n')), 3)
        there = [json.loads(line) for line in run_cli('audit', 'list', '--json', '--limit', '0', env=env).stdout.split('\n') if line]
        here = self.trail()
        self.assertEqual([e['hash'] for e in there], [e['hash'] for e in here if e['seq'] <= there[0]['seq']])
        path = os.path.join(self.server.folder, 'from-server.jsonl')
        done = run_cli('audit', 'export', '--output', path, env=env)
        self.assertEqual((done.returncode, os.stat(path).st_mode & 0o777), (0, 0o600), done.stderr)
        self.assertEqual(self.verify('--file', path)[0], 0)
        self.assertEqual(run_cli('audit', 'verify', env=env).returncode, 0)
        self.assertNotEqual(run_cli('audit', 'verify', '--key', '0' * 64, env=env).returncode, 0)
        env['PENSTOCK_API_KEY'] = self.server.key
        for command in ('list', 'export', 'verify'):
            self.assertEqual(run_cli('audit', command, env=env).returncode, 5, command)

    def test_api(self):
        self.operator = self.server.create_key('--admin')['key']
        made = self.call('POST', 'teams', {'name': 'audited'}, status=201).json()
        self.call('PATCH', 'teams/audited', {'title': 'New'})
        found = self.call('GET', f'audit?resource={made["id"]}').json()
        self.assertEqual([e['action'] for e in found['data']], ['team.update', 'team.create'])
        self.assertEqual(found['data'][0]['before']['title'], '')
        self.assertEqual(found['data'][0]['after']['title'], 'New')
        self.assertEqual(found['data'][0]['address'], '127.0.0.1')
        self.assertTrue(found['data'][0]['request_id'])
        self.assertIsNone(found['next_cursor'])
        one = self.call('GET', f'audit/{found["data"][0]["seq"]}').json()
        self.assertEqual(one, found['data'][0])
        self.call('GET', 'audit/999999', status=404)
        self.call('GET', 'audit?address=nonsense', status=400)
        first = self.call('GET', 'audit?limit=1').json()
        second = self.call('GET', 'audit?limit=1&cursor=' + first['next_cursor']).json()
        self.assertEqual(second['data'][0]['seq'], first['data'][0]['seq'] - 1)
        self.assertEqual(self.call('GET', 'audit?q=audited').json()['data'][0]['resource_id'], made['id'])
        self.assertTrue(self.call('POST', 'audit/verify', {}).json()['sound'])
        proof = self.call('GET', 'audit/checkpoints').json()
        self.assertEqual(proof['data'][-1]['seq'], 1)
        export = self.call('GET', 'audit/export?format=jsonl')
        path = os.path.join(self.server.folder, 'api.jsonl')
        with open(path, 'wb') as f:
            f.write(export.body)
        self.assertEqual(self.verify('--file', path, '--key', proof['keys'][-1]['public_key']), (0, mock.ANY))
        self.assertEqual(self.call('GET', 'audit?limit=1').json()['data'][0]['action'], 'audit.export')
        csv = self.call('GET', 'audit/export?format=csv&action=team.*')
        self.assertTrue(csv.header('content-type').startswith('text/csv'))
        self.assertEqual(len(csv.body.decode().strip().split('\r\n')), 1 + 2)

    def test_access_review(self):
        self.operator = self.server.create_key('--admin')['key']
        self.call('POST', 'users', {'email': 'grace@example.com'}, status=201)
        self.call('POST', 'grants', {'principal': 'user/grace@example.com', 'role': 'auditor'}, status=201)
        rows = self.call('GET', 'access/review').json()['data']
        (grace,) = [r for r in rows if r['name'] == 'grace@example.com']
        self.assertIn('auditor (tenant)', grace['rights'])
        self.assertEqual(grace['age_days'], 0)
        self.assertIn('key', {r['kind'] for r in rows})
        csv = self.call('GET', 'access/review?format=csv').body.decode()
        self.assertIn('"grace@example.com"', csv)

    def test_who_may_read_it(self):
        self.operator = self.server.create_key('--admin')['key']
        reader = self.call('POST', 'keys', {'name': 'r', 'scopes': ['audit:read']}, status=201).json()['key']
        before = len(self.call('GET', 'audit?action=audit.export&outcome=denied').json()['data'])
        self.call('GET', 'audit', key=reader)
        self.call('GET', 'audit/export', key=reader, status=403)
        self.call('GET', 'audit', key=self.server.key, status=403)
        denied = self.call('GET', 'audit?action=audit.export&outcome=denied').json()['data']
        self.assertEqual(len(denied), before + 1)


GOOD, BETTER = 'correct horse battery staple', 'seven blue goats ride a bike'
# What is counted or kept besides acts: failed sign-ins, usage, the trail itself, the keys that tokens are signed with.
NO_ACTS = ('audit_', 'usage', 'wal_', 'name', 'sqlite_', 'sign_in_failure', 'lease', 'schema', 'token_key')


class NoTrail(Suite):
    """Vault's rule: what cannot be told of does not happen. The trail's table refuses every event, as a full disk would."""

    def open(self, allow=False):
        self.server = self.spawn({'providers': [fake_provider(self.fake)], 'log': {'format': 'json'},
                                  'auth': {'password': {'memory': '8 MiB', 'passes': 1}},
                                  'audit': {'on_failure': 'allow' if allow else 'refuse'}})
        self.key = self.server.create_key('--admin')['key']
        self.db = sqlite3.connect(os.path.join(self.server.data, 'penstock.db'), isolation_level=None, timeout=20)
        self.addCleanup(self.db.close)
        user = self.ask('POST', 'users', {'email': 'ada@example.com'}).json()['id']
        self.user = user
        self.ask('POST', f'users/{user}/password', {'password': GOOD, 'must_change': False})
        self.ask('POST', 'teams', {'name': 'there', 'title': '1'})
        self.kept = self.ask('POST', 'keys', {'name': 'there'}).json()
        self.grant = self.ask('POST', 'grants', {'principal': user, 'role': 'viewer'}).json()['id']
        self.host = {'Host': f'localhost:{self.server.port}'}
        reply = self.sign_in()
        self.session = {**self.host, 'Cookie': reply.header('set-cookie').split(';')[0],
                        'X-CSRF-Token': reply.json()['csrf_token']}

    def ask(self, method, path, body=None, key=None, **headers):
        key = key or (None if 'Cookie' in headers or path == 'session' else self.key)
        return self.server.request(method, '/api/v1/' + path, body=None if body is None else json.dumps(body).encode(),
                                   key=key, headers=headers)

    def sign_in(self, password=GOOD):
        return self.ask('POST', 'session', {'email': 'ada@example.com', 'password': password}, **self.host)

    def break_it(self):
        self.db.execute("CREATE TRIGGER full BEFORE INSERT ON audit_event BEGIN SELECT RAISE(ABORT, 'full'); END")

    def mend(self):
        self.db.execute('DROP TRIGGER full')

    def content(self):
        out = {}
        for (table,) in self.db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            if not table.startswith(NO_ACTS):
                columns = [c[1] for c in self.db.execute(f'PRAGMA table_info({table})')
                           if c[1] not in ('seen_at', 'last_used_at', 'last_used_address', 'address_since', 'edits')]
                out[table] = sorted(map(repr, self.db.execute(f'SELECT {", ".join(columns)} FROM {table}').fetchall()))
        return out

    def acts(self):
        """One of each kind, each of which would be carried out."""
        return [('POST', 'tenants', {'name': 'new'}, {}), ('PATCH', 'teams/there', {'title': '2'}, {}),
                ('POST', 'teams', {'name': 'new'}, {}), ('PUT', f'teams/there/members/{self.user}', None, {}),
                ('POST', 'projects', {'name': 'new'}, {}), ('POST', 'users', {'email': 'new@example.com'}, {}),
                ('POST', f'users/{self.user}/password', {'password': BETTER, 'must_change': False}, {}),
                ('POST', 'service_accounts', {'name': 'new'}, {}), ('POST', 'roles', {'name': 'new'}, {}),
                ('POST', 'grants', {'principal': self.user, 'role': 'admin'}, {}), ('DELETE', f'grants/{self.grant}', None, {}),
                ('POST', 'keys', {'name': 'new'}, {}), ('PATCH', f'keys/{self.kept["id"]}', {'name': 'other'}, {}),
                ('POST', f'keys/{self.kept["id"]}/rotate', {'overlap': '1h'}, {}),
                ('POST', f'keys/{self.kept["id"]}/revoke', {}, {}),
                ('POST', 'budgets', {'name': 'new', 'metric': 'tokens', 'amount': 5}, {}),
                ('PATCH', 'config', {'log': {'level': 'warn'}}, {}), ('DELETE', 'teams/there', None, {})]

    def persons_acts(self):
        return [('POST', 'elevations', {'role': 'admin', 'duration': '1h', 'reason': 'x'}, self.session),
                ('POST', 'tokens', {'permissions': ['user:read']}, self.session),
                ('POST', 'session/totp', {'password': GOOD}, self.session),
                ('DELETE', 'session', None, self.session)]

    def test_nothing_happens(self):
        self.open()
        self.break_it()
        before = self.content()
        for method, path, body, headers in self.acts() + self.persons_acts():
            with self.subTest(f'{method} {path}'):
                reply = self.ask(method, path, body, **headers)
                self.assertEqual(reply.status, 500, reply)
                self.assertEqual(self.content(), before)
        # Signing in, rightly or not, is told of too; and so is what is denied, which is a fault then.
        self.assertEqual((self.sign_in().status, self.sign_in('wrong password').status), (500, 500))
        viewer = self.ask('POST', 'teams', {'name': 'by-viewer'}, **self.session)
        self.assertEqual(viewer.status, 500, viewer)
        # A look at what one may see is no event, and so are calls of models.
        self.assertEqual(self.ask('GET', 'teams').status, 200)
        self.assertEqual(self.server.chat('fake/well').status, 200)
        # What is denied there stays so, and is told when the trail takes events again.
        wrong = {'Authorization': 'Bearer ps-' + 'A' * 43}
        self.assertEqual(self.server.chat('fake/well', headers=wrong).status, 401)
        self.assertTrue(eventually(lambda: 'the audit trail takes no events' in self.server.log()))
        # Commands on the data directory go by the same rule.
        done = self.server.cli('team', 'create', 'name=by-command')
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertEqual(self.content(), before)
        self.mend()
        self.assertTrue(eventually(lambda: self.server.cli_json('audit', 'list', 'action=model.use', 'outcome=denied')))
        for method, path, body, headers in self.persons_acts()[:3] + self.acts():
            reply = self.ask(method, path, body, **headers)
            self.assertLess(reply.status, 300, f'{method} {path}: {reply}')
        self.assertNotEqual(self.content(), before)
        self.assertEqual(self.server.cli('audit', 'verify').returncode, 0)

    def test_or_it_happens_and_the_log_tells(self):
        self.open(allow=True)
        self.break_it()
        for method, path, body, headers in self.persons_acts()[:3] + self.acts()[:6]:
            reply = self.ask(method, path, body, **headers)
            self.assertLess(reply.status, 300, f'{method} {path}: {reply}')
        self.assertEqual((self.sign_in().status, self.sign_in('wrong password').status), (200, 401))
        self.assertEqual(self.ask('DELETE', 'session', **self.session).status, 204)
        lost = [line['action'] for line in self.server.log_lines() if line.get('msg') == 'an event of the audit trail is lost']
        for action in ('team.create', 'user.create', 'session.sign_in', 'token.create', 'elevation.create'):
            self.assertIn(action, lost)
        self.mend()
        self.assertEqual(self.ask('POST', 'teams', {'name': 'after'}).status, 201)
        self.assertEqual(self.server.cli('audit', 'verify').returncode, 0)

    def test_a_disk_that_is_full(self):
        """A file that may not grow: as with the trigger, all or nothing, and it goes on when there is room."""
        self.open()
        pages = self.db.execute('PRAGMA page_count').fetchone()[0]
        size = pages * self.db.execute('PRAGMA page_size').fetchone()[0]
        limit = max(size, os.path.getsize(self.db_path('-wal'))) + 8192
        resource.prlimit(self.server.process.pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        made, refused = [], 0
        for i in range(2000):
            reply = self.ask('POST', 'teams', {'name': f'full-{i}', 'title': 'x' * 200})
            if reply.status == 201:
                made.append(f'full-{i}')
            else:
                refused += 1
                self.assertGreaterEqual(reply.status, 500, reply)
            if refused == 5:
                break
        self.assertEqual(refused, 5)
        resource.prlimit(self.server.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        there = [r[0] for r in self.db.execute("SELECT name FROM team WHERE name LIKE 'full-%' ORDER BY id")]
        self.assertEqual(there, made)
        told = {e['resource_name'] for e in self.server.cli_json('audit', 'list', '--limit', '0', 'action=team.create')}
        self.assertEqual({n for n in told if n.startswith('full-')}, set(made))
        self.assertEqual(self.ask('POST', 'teams', {'name': 'room-again'}).status, 201)
        self.assertEqual(self.server.cli('audit', 'verify').returncode, 0)

    def db_path(self, more=''):
        return os.path.join(self.server.data, 'penstock.db' + more)


if __name__ == '__main__':
    main()
