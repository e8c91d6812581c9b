#!/usr/bin/env python3
# The end of a tenant: refused while active, everything deleted and proven, gone on with after a kill; names and takeovers.
import base64
import json
import os
import signal
import sqlite3
import subprocess
import time

from harness import BINARY, Suite, chat_body, clean_environment, eventually, fake_provider, main, request_bytes, run_cli
from postgres import Postgres
from redis_server import RedisServer
from test_postgres import Replica

BYTES = bytes(range(256))  # of a file that is no text


def usage_rows(server, number, n):
    db = sqlite3.connect(os.path.join(server.data, 'penstock.db'), timeout=30)
    with db:
        db.execute(f'''INSERT INTO usage_dim (tenant_id, key_id, team_id, project_id, owner_kind, owner_id, provider_id,
            model_id, upstream_model_id, endpoint, status, error_id, tags_id) VALUES ({number},1,0,0,0,0,0,0,0,0,200,0,0)''')
        db.execute(f'''WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < {n})
            INSERT INTO usage SELECT {10 ** 17} + i, {number}, i, 1, 0, 1, 0, 0, 1, 0, 1, 1, 1, 0, 0, 1, 0 FROM c''')
    db.close()


class Life(Suite):
    @classmethod
    def config(cls):
        return {'providers': [fake_provider(cls.fake)], 'log': {'level': 'debug', 'format': 'json'},
                'models': [{'name': 'm', 'targets': [{'provider': 'fake', 'model': 'well'}]}], 'content_log': [{'tenant': n} for n in ('acme', 'beta')],
                'tenants': [{'name': n} for n in ('acme', 'beta')]}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.operator = cls.server.create_key('--admin')['key']

    def call(self, method, path, body=None, status=None, server=None, key=None, **headers):
        server = server or self.server
        reply = server.request(method, '/api/v1/' + path, None if body is None else json.dumps(body).encode(),
                               headers={k.replace('_', '-'): v for k, v in headers.items()}, key=key or self.operator)
        if status:
            self.assertEqual(reply.status, status, reply.body)
        return reply

    def populate(self, tenant):
        """A tenant with something in every corner; its key."""
        server, act = self.server, {'X_Penstock_Tenant': tenant}
        self.call('POST', 'tenants', {'name': tenant, 'title': 'Title of ' + tenant}, 201)
        team = self.call('POST', 'teams', {'name': 'search'}, 201, **act).json()
        project = self.call('POST', 'projects', {'name': 'site', 'team_id': team['id']}, 201, **act).json()
        user = self.call('POST', 'users', {'email': f'ada@{tenant}.example.com'}, 201, **act).json()
        self.call('POST', f'users/{user["id"]}/password', {'password': 'a long and unusual sentence'}, **act)
        self.call('PUT', f'teams/{team["id"]}/members/{user["id"]}', **act)
        self.call('POST', 'service_accounts', {'name': 'bot'}, 201, **act)
        self.call('POST', 'roles', {'name': 'own', 'permissions': ['key:read']}, 201, **act)
        grant = self.call('POST', 'grants', {'principal': user['id'], 'role': 'own'}, 201, **act).json()
        self.call('POST', 'budgets', {'name': 'monthly', 'scope': 'tenant', 'metric': 'requests', 'period': 'month',
                                      'amount': 1000}, 201, **act)
        made = self.call('POST', 'keys', {'name': 'main', 'project_id': project['id'], 'tags': {'env': 'prod'}}, 201,
                         Idempotency_Key='k-' + tenant, **act).json()
        self.assertEqual(self.server.cli('secret', 'set', 'upstream', '--tenant', tenant, stdin='sk-x').returncode, 0)
        for _ in range(3):
            reply = server.request('POST', '/v1/chat/completions', chat_body('m', f'said by {tenant}'), key=made['key'])
            self.assertEqual(reply.status, 200, reply.body)
        self.assertTrue(eventually(lambda: self.call('GET', 'content/' + reply.request_id, **act).status == 200))
        self.assertTrue(eventually(lambda: self.count('usage', tenant) == 3))
        self.assertTrue(grant['id'])
        number = self.id_of(tenant)
        events = self.all_counts(number)['audit_event']
        self.put_file(made['key'])
        # That a file and a batch were made is noted beside the data path.
        self.assertTrue(eventually(lambda: self.all_counts(number)['audit_event'] >= events + 2))
        return made['key']

    def put_file(self, key):
        """A file, and a batch that was made of it: a failed one, for it is no list of requests."""
        body = (b'--x\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
                b'--x\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n' + BYTES + b'\r\n--x--\r\n')
        reply = self.server.request('POST', '/v1/files', body, {'Content-Type': 'multipart/form-data; boundary=x'}, key)
        self.assertEqual(reply.status, 200, reply)
        wanted = {'input_file_id': reply.json()['id'], 'endpoint': '/v1/chat/completions', 'completion_window': '24h'}
        reply = self.server.request('POST', '/v1/batches', json.dumps(wanted).encode(), key=key)
        self.assertEqual(reply.status, 200, reply)
        path = '/v1/batches/' + reply.json()['id']
        self.assertTrue(eventually(lambda: self.server.get(path, key=key).json()['status'] == 'failed'))

    # The tables as the database has them.
    def rows(self, sql):
        db = sqlite3.connect(os.path.join(self.server.data, 'penstock.db'), timeout=30)
        try:
            return db.execute(sql).fetchall()
        finally:
            db.close()

    def tables(self):
        return [r[0] for r in self.rows("SELECT m.name FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE "
                                        "m.type = 'table' AND c.name = 'tenant_id' ORDER BY 1")]

    def id_of(self, tenant):
        return self.rows(f"SELECT id FROM tenant WHERE name = '{tenant}'")[0][0]

    def count(self, table, tenant):
        return self.rows(f'SELECT count(*) FROM {table} WHERE tenant_id = {self.id_of(tenant)}')[0][0]

    def all_counts(self, number):
        return {t: self.rows(f'SELECT count(*) FROM {t} WHERE tenant_id = {number}')[0][0] for t in self.tables()}

    def problem(self, reply, status, code):
        self.assertEqual(reply.status, status, reply.body)
        self.assertEqual(reply.json()['code'], code, reply.body)
        return reply.json()

    def check_proof(self, text):
        path = os.path.join(self.server.folder, 'proof.json')
        with open(path, 'w', encoding='utf-8') as f:
            f.write(text)
        return self.server.cli('tenant', 'verify-proof', path)


class Deletion(Life):
    def test_all_of_it(self):
        key, other = self.populate('acme'), self.populate('beta')
        user = [u for u in self.call('GET', 'users', X_Penstock_Tenant='acme').json()['data']][0]
        # Somebody of acme has a right at beta.
        foreign = self.call('POST', 'grants', {'principal': user['id'], 'role': 'viewer'}, 201, X_Penstock_Tenant='beta').json()
        tenant = self.call('GET', 'tenants/acme', status=200).json()
        number, left = self.id_of('acme'), self.id_of('beta')
        # What is used of budgets is saved every ten seconds.
        self.assertTrue(eventually(lambda: self.count('budget_use', 'acme') and self.count('budget_use', 'beta'), 30))
        before = self.all_counts(number)
        for table in ('app_user', 'api_key', 'usage', 'usage_dim', 'usage_hour', 'content_log', 'audit_event', 'data_key',
                      'sealed_secret', 'idempotency', 'budget', 'budget_use', 'team_member', 'access_grant', 'role', 'project'):
            self.assertGreater(before[table], 0, table)

        wish = {'confirm': 'acme', 'reason': 'contract ended'}
        self.problem(self.call('DELETE', 'tenants/acme', wish), 409, 'wrong_state')
        self.problem(self.call('DELETE', 'tenants/default', {'confirm': 'default'}), 409, 'wrong_state')
        self.call('POST', 'tenants/acme/suspend', status=200)
        self.assertEqual(self.server.get('/v1/models', key=key).status, 403)
        for body in (None, {}, {'confirm': 'Acme'}, {'confirm': 'beta'}):
            self.assertEqual(self.problem(self.call('DELETE', 'tenants/acme', body), 400, 'invalid_value')['field'], 'confirm')
        self.assertEqual(self.call('GET', 'tenants/acme').json()['status'], 'suspended')
        self.problem(self.call('GET', 'tenants/acme/proof'), 404, 'not_found')

        kept = self.all_counts(left)
        reply = self.call('DELETE', 'tenants/acme', wish, 200)
        proof = reply.json()['proof']
        self.assertEqual({t: n for t, n in self.all_counts(number).items() if n}, {})
        self.assertEqual(self.rows(f'SELECT count(*) FROM tenant WHERE id = {number}'), [(0,)])
        now = self.all_counts(left)
        self.assertEqual({t: n for t, n in now.items() if n != kept[t]}, {})
        for table, n in before.items():
            if table not in ('audit_event', 'audit_text', 'idempotency', 'audit_cursor'):
                # A record of the refused request may have come in between.
                more = table.startswith('usage')
                (self.assertGreaterEqual if more else self.assertEqual)(proof['rows'][table], n, table)
        self.assertEqual(proof['tenant'], {'id': tenant['id'], 'name': 'acme', 'title': 'Title of acme'})
        self.assertEqual(proof['reason'], 'contract ended')
        self.assertEqual(proof['requested_by']['kind'], 'operator')
        self.assertEqual(proof['audit_trail']['events'], proof['rows']['audit_event'])
        self.assertEqual(len(proof['data_keys_destroyed']), 1)

        # Its people, keys and grants are gone everywhere; others go on.
        self.assertEqual(self.server.get('/v1/models', key=key).status, 401)
        self.assertEqual(self.server.get('/v1/models', key=other).status, 200)
        grant = self.call('GET', 'grants/' + foreign['id'], X_Penstock_Tenant='beta').json()
        self.assertIsNotNone(grant['revoked_at'])
        self.problem(self.call('GET', 'tenants/acme'), 404, 'not_found')
        self.problem(self.call('GET', 'teams', X_Penstock_Tenant='acme'), 404, 'not_found')

        # The proof is kept, by id and by name, and holds; a changed one does not.
        for what in ('acme', tenant['id']):
            self.assertEqual(self.call('GET', f'tenants/{what}/proof', status=200).json(), reply.json())
        done = self.check_proof(self.server.cli('tenant', 'proof', 'acme').stdout)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("the audit trail's keys", done.stdout)
        done = self.check_proof(json.dumps(reply.json(), indent=2))
        self.assertEqual(done.returncode, 0, done.stderr)
        forged = json.loads(json.dumps(reply.json()))
        forged['proof']['rows']['usage'] = 0
        self.assertNotEqual(self.check_proof(json.dumps(forged)).returncode, 0)
        other_key = run_cli('tenant', 'verify-proof', os.path.join(self.server.folder, 'proof.json'), '--key', '0' * 64)
        self.assertNotEqual(other_key.returncode, 0)
        verified = self.server.cli('audit', 'verify')
        self.assertEqual(verified.returncode, 0, verified.stderr)
        event = self.call('GET', 'audit?action=tenant.delete').json()['data'][0]
        self.assertEqual((event['resource_id'], event['resource_name'], event['reason']), (tenant['id'], 'acme', 'contract ended'))

        # The name may be given again, the number never is.
        again = self.call('POST', 'tenants', {'name': 'acme'}, 201).json()
        self.assertGreater(again['id'], tenant['id'])
        self.assertEqual(self.call('GET', 'teams', X_Penstock_Tenant='acme').json()['data'], [])
        self.call('POST', 'tenants/acme/suspend', status=200)
        second = self.call('DELETE', f'tenants/{again["id"]}', {'confirm': 'acme'}, 200).json()
        self.assertEqual(self.call('GET', 'tenants/acme/proof').json(), second)
        self.assertEqual(self.call('GET', f'tenants/{tenant["id"]}/proof').json(), reply.json())

    def test_only_the_platform_deletes(self):
        self.call('POST', 'tenants', {'name': 'castle'}, 201)
        act = {'X_Penstock_Tenant': 'castle'}
        owner = self.call('POST', 'users', {'email': 'o@castle.example.com'}, 201, **act).json()
        self.call('POST', 'grants', {'principal': owner['id'], 'role': 'owner'}, 201, **act)
        key = self.call('POST', 'keys', {'name': 'o', 'owner': owner['id'], 'scopes': ['*']}, 201, **act).json()['key']
        self.problem(self.call('DELETE', 'tenants/castle', {'confirm': 'castle'}, key=key), 403, 'permission_denied')
        self.problem(self.call('DELETE', 'tenants/default', {'confirm': 'default'}, key=key), 403, 'permission_denied')
        self.problem(self.call('GET', 'tenants/castle/proof', key=key), 403, 'permission_denied')


class Export(Life):
    def lines(self, text):
        return [json.loads(line) for line in text.splitlines()]

    def check_whole(self, lines, number):
        head, rows, end = lines[0], lines[1:-1], lines[-1]
        self.assertEqual((head['type'], head['format'], head['tenant']['name']), ('export', 1, 'acme'))
        self.assertEqual(end['type'], 'end')
        counted = {}
        for row in rows:
            counted[row['table']] = counted.get(row['table'], 0) + 1
        self.assertEqual({t: n for t, n in end['rows'].items() if n}, counted)
        stored = {t: n for t, n in self.all_counts(number).items() if n and t != 'audit_text'}
        return counted, stored

    def test_everything_but_secrets(self):
        key = self.populate('acme')
        self.populate('beta')
        number = self.id_of('acme')
        reply = self.call('GET', 'tenants/acme/export', status=200)
        self.assertEqual(reply.header('content-type'), 'application/x-ndjson')
        lines = self.lines(reply.body.decode())
        counted, stored = self.check_whole(lines, number)
        self.assertEqual(counted, stored)
        rows = {t: [r['row'] for r in lines[1:-1] if r['table'] == t] for t in counted}
        self.assertEqual(rows['app_user'][0]['email'], 'ada@acme.example.com')
        self.assertEqual(rows['api_key'][0]['tags'], {'env': 'prod'})
        self.assertEqual(sorted(r['model'] for r in rows['usage_dim']), ['m'])
        self.assertIn('said by acme', rows['content_log'][0]['request'])
        self.assertEqual(base64.b64decode(rows['stored_file_piece'][0]['bytes']), BYTES)
        self.assertEqual(rows['batch'][0]['status'], 'failed')
        self.assertEqual(rows['audit_event'][-1]['action'], 'tenant.export')
        text = reply.body.decode()
        for secret in (key, 'sk-x', 'password_hash', '"hash":null', 'totp_secret', 'beta', '$argon2'):
            self.assertNotIn(secret, text)
        event = self.call('GET', 'audit?action=tenant.export', X_Penstock_Tenant='acme').json()['data'][0]
        self.assertEqual(event['resource_name'], 'acme')

        # From the command line, on the data and from the server.
        path = os.path.join(self.server.folder, 'acme.jsonl')
        done = self.server.cli('tenant', 'export', 'acme', '--output', path)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        with open(path, encoding='utf-8') as f:
            counted, stored = self.check_whole(self.lines(f.read()), number)
        self.assertEqual(counted, stored)
        done = run_cli('tenant', 'export', 'acme', '--server', f'http://127.0.0.1:{self.server.port}',
                       env={**os.environ, 'PENSTOCK_API_KEY': self.operator})
        self.assertEqual(done.returncode, 0, done.stderr)
        self.check_whole(self.lines(done.stdout), number)
        self.assertEqual(self.server.cli('tenant', 'export', 'nobody').returncode, 4)
        # A right of its own, also to one's own tenant.
        plain = self.call('POST', 'keys', {'name': 'plain', 'scopes': ['tenant:read']}, 201, X_Penstock_Tenant='acme').json()
        self.problem(self.call('GET', 'tenants/acme/export', key=plain['key']), 403, 'permission_denied')
        self.problem(self.call('GET', 'tenants/beta/export', key=plain['key']), 404, 'not_found')


class ExportLarge(Life):
    N = 150_000

    def test_memory_is_bounded(self):
        self.call('POST', 'tenants', {'name': 'big'}, 201)
        number = self.id_of('big')
        usage_rows(self.server, number, self.N)
        before = self.server.rss()
        conn = self.server.conn(rcvbuf=65536, timeout=120)
        conn.send(request_bytes('GET', '/api/v1/tenants/big/export', key=self.operator))
        reply = conn.read_head()
        self.assertEqual(reply.status, 200)
        total = rows = 0
        most = 0
        for i, piece in enumerate(conn.pieces(reply)):
            total += len(piece)
            rows += piece.count(b'"table":"usage",')
            if i % 50 == 0:
                most = max(most, self.server.rss())
        conn.close()
        self.assertGreater(total, 20_000_000)
        self.assertLess(most - before, 24_000_000)
        self.check_serving()
        # A client that leaves in the middle takes nothing along.
        conn = self.server.conn()
        conn.send(request_bytes('GET', '/api/v1/tenants/big/export', key=self.operator))
        conn.read_head()
        conn.reset()
        self.check_serving()
        self.call('GET', 'tenants/big', status=200)


class Interrupted(Life):
    def test_kill_9(self):
        self.call('POST', 'tenants', {'name': 'big'}, 201)
        self.call('POST', 'teams', {'name': 't'}, 201, X_Penstock_Tenant='big')
        self.call('POST', 'tenants/big/suspend', status=200)
        number = self.id_of('big')
        self.server.stop()
        usage_rows(self.server, number, 200_000)
        command = subprocess.Popen([BINARY, 'tenant', 'delete', 'big', '--confirm', 'big', '--data', self.server.data],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=clean_environment())
        deleted = lambda: self.rows("SELECT coalesce(sum(deleted), 0) FROM tenant_deletion_rows WHERE name = 'usage'")[0][0]  # noqa: E731
        while command.poll() is None and deleted() < 10_000:
            time.sleep(0.002)
        command.send_signal(signal.SIGKILL)
        command.wait()
        state = self.rows('SELECT finished_at FROM tenant_deletion')
        self.assertEqual(state, [(0,)], 'it was killed in the middle')
        self.assertGreater(self.rows(f'SELECT count(*) FROM usage WHERE tenant_id = {number}')[0][0], 0)
        # Nothing can be done with it any more, and what is left is sound.
        for words in (('resume',), ('suspend',)):
            self.assertNotEqual(self.server.cli('tenant', *words, 'big').returncode, 0)
        self.assertNotEqual(self.server.cli('key', 'create', '--tenant', 'big').returncode, 0)
        self.assertEqual(self.server.cli('audit', 'verify').returncode, 0)
        self.server.start()
        self.assertTrue(eventually(lambda: self.rows('SELECT finished_at FROM tenant_deletion')[0][0] > 0, 60))
        self.assertEqual({t: n for t, n in self.all_counts(number).items() if n}, {})
        proof = json.loads(self.server.cli('tenant', 'proof', 'big').stdout)
        self.assertEqual(proof['proof']['rows']['usage'], 200_000)
        self.assertEqual(proof['proof']['rows']['team'], 1)
        self.assertEqual(self.check_proof(json.dumps(proof)).returncode, 0)
        self.assertEqual(self.server.cli('audit', 'verify').returncode, 0)


class Counters(Life):
    @classmethod
    def setUpClass(cls):
        cls.redis = RedisServer().start()
        cls.addClassCleanup(cls.redis.remove)
        super().setUpClass()

    @classmethod
    def config(cls):
        return {**super().config(), 'redis': {'url': cls.redis.url, 'key_prefix': 'a*b?:'}, 'quota': {'mode': 'exact'}}

    def test_none_is_left_in_redis(self):
        self.populate('acme')
        number = self.id_of('acme')
        keys = lambda: [k for k in self.redis.ask('KEYS', '*') if f'quota:{{{number}}}' in k]  # noqa: E731
        self.assertTrue(eventually(lambda: keys()), self.redis.ask('KEYS', '*'))
        self.redis.ask('SET', f'axxb?:quota:{{{number}}}:1', 'of another')
        self.call('POST', 'tenants/acme/suspend', status=200)
        self.call('DELETE', 'tenants/acme', {'confirm': 'acme'}, 200)
        self.server.stop()
        db = sqlite3.connect(os.path.join(self.server.data, 'penstock.db'), timeout=30)
        with db:
            db.execute('UPDATE tenant_deletion SET finished_at = 1')
        db.close()
        self.server.start()
        self.assertTrue(eventually(lambda: self.rows('SELECT counters_at FROM tenant_deletion')[0][0] > 0))
        self.assertEqual(keys(), [f'axxb?:quota:{{{number}}}:1'])


class Names(Life):
    def test_default_has_a_name(self):
        rows = {t['name']: t for t in self.call('GET', 'tenants').json()['data']}
        self.assertIn('default', rows)
        self.assertEqual(self.call('GET', 'tenants/default').json()['id'], rows['default']['id'])
        self.assertEqual([t['id'] for t in self.call('GET', 'tenants?name=default').json()['data']], [rows['default']['id']])
        self.assertRegex(self.server.cli('tenant', 'list').stdout, r'(?m)^default +active ')
        self.assertIn('default', self.server.cli('tenant', 'show', 'default').stdout)
        self.problem(self.call('POST', 'tenants', {'name': 'default'}), 400, 'invalid_value')
        # It is no other tenant's name for a key either.
        key = self.server.create_key('--tenant', 'default')['key']
        self.assertEqual(self.server.get('/v1/models', key=key).status, 200)
        self.assertEqual(len([t for t in self.call('GET', 'tenants').json()['data'] if t['name'] == 'default']), 1)

    def test_one_that_a_key_named_is_taken_over(self):
        key = self.server.create_key('--tenant', 'later')
        bare = self.call('GET', 'tenants/later').json()
        self.assertIsNone(bare['created_at'])
        self.problem(self.call('POST', 'tenants', {'name': 'later', 'time_zone': 'Nowhere/At all'}), 400, 'invalid_value')
        made = self.call('POST', 'tenants', {'name': 'later', 'title': 'Later Ltd', 'time_zone': 'Europe/Vienna'}, 201).json()
        self.assertEqual((made['id'], made['title'], made['time_zone']), (bare['id'], 'Later Ltd', 'Europe/Vienna'))
        self.assertIsNotNone(made['created_at'])
        self.problem(self.call('POST', 'tenants', {'name': 'later'}), 409, 'already_exists')
        self.assertEqual(self.server.get('/v1/models', key=key['key']).status, 200)


class OnPostgres:
    """In front of a suite: its server's database is a PostgreSQL of its own."""

    @classmethod
    def setUpClass(cls):
        cls.postgres = Postgres().start()
        cls.addClassCleanup(cls.postgres.__exit__)
        cls.url = cls.postgres.url(cls.__name__.lower())
        cls.fake = cls.make_fake()
        cls.addClassCleanup(cls.fake.stop)
        cls.server = Replica(cls.config(), cls.url)
        cls.addClassCleanup(cls.server.remove)
        cls.server.start()
        cls.operator = cls.server.create_key('--admin')['key']

    @staticmethod
    def make_fake():
        from harness import FakeUpstream
        return FakeUpstream().start()

    def rows(self, sql):
        done = self.postgres.psql(type(self).__name__.lower(), sql)  # as the superuser, who sees all rows
        return [tuple(int(v) if v.lstrip('-').isdigit() else v for v in line.split('|')) for line in done.split('\n') if line]

    def tables(self):
        return [r[0] for r in self.rows("SELECT table_name FROM information_schema.columns WHERE column_name = 'tenant_id' "
                                        "AND table_schema = current_schema() ORDER BY 1")]


class DeletionOnPostgres(OnPostgres, Deletion):
    pass


class ExportOnPostgres(OnPostgres, Export):
    pass


class NamesOnPostgres(OnPostgres, Names):
    pass


if __name__ == '__main__':
    main()
