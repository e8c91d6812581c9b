#!/usr/bin/env python3
"""No list, report or look-up of the admin API reads a large table from end to end: every GET of the API's description is
asked with each of its parameters, filters with each order, and whatever SQL the server then runs is explained.

The statements are seen by a library that stands before SQLite's own in the server (tests/fake/sqlite_texts.c), or in the
log of PostgreSQL, so none can be forgotten here."""
import fcntl
import os
import re
import shutil
import sqlite3
import subprocess
import tempfile
import unittest
from urllib.parse import quote

from harness import ROOT, Suite, chat_body, eventually, fake_provider, main, sanitized
from test_api_postgres import OnPostgres
from test_permissions import Client

LARGE = re.compile(r'(usage|audit|content_log|app_user|api_key|session|access_grant|budget_use|team_member|recovery_code)')
# A row for each key that signs, chain or sink; and what a report has just picked for itself.
SMALL = {'audit_key', 'audit_head', 'audit_cursor', 'usage_meant', 'usage_meant_tenant'}
# A stream, and a copy of all that a tenant has, which reads its whole usage on purpose.
NO_LISTS = {'/api/v1/events', '/api/v1/tenants/{id}/export'}
DML = ('SELECT', 'WITH', 'INSERT', 'UPDATE', 'DELETE')
PASSWORD = 'a-Long-Enough-9731'
# What a parameter may want; the first that is taken is asked with.
VALUES = ('x', 'vision', 'ai.example.com', '1', '200', 'true', '2026-01-01T00:00:00Z', 'active', 'pending', 'allow', 'tokens', 'month', 'block',
          'chat', 'success', 'ok', 'denied', '192.0.2.0/24', 'tenant', 'gpt-5', 'a=b', 'model:use', 'csv', 'json', 'jsonl', 'day', 'hour',
          'req_0000000000000', 'team/team', 'project/project', 'user/ada@acme.example', 'ada@acme.example', 'role', 'key', 'all')


class Rows:
    """Stands for the function through which the server takes rows of numbers."""

    def step(self, *values):
        pass

    def finalize(self):
        return None


class Walk:
    """Asks the API everything it can be asked."""

    @classmethod
    def config(cls):
        return {'providers': [fake_provider(cls.fake)], 'tenants': [{'name': 'acme'}], 'content_log': [{'tenant': 'acme'}]}

    @classmethod
    def prepare(cls):
        cls.operator = cls.server.create_key('--admin')['key']
        cls.client = Client(cls.server)
        cls.addClassCleanup(cls.client.close)
        cls.spec = cls.server.request('GET', '/api/openapi.json').json()
        cls.populate()

    @classmethod
    def ask(cls, method, path, body=None, key=None):
        return cls.client.ask(method, '/api/v1/' + path, body, {'X-Penstock-Tenant': 'acme'} if key is None else {},
                              key or cls.operator)

    @classmethod
    def populate(cls):
        """Two of what lists show, so that there is a second page."""
        cls.ids = {}
        assert cls.client.ask('POST', '/api/v1/tenants', {'name': 'acme'}, {}, cls.operator).status == 201
        for n in ('', '2'):
            for kind, body in (('teams', {'name': 'team' + n, 'tags': {'a': 'b'}}), ('projects', {'name': 'project' + n}),
                               ('users', {'email': f'ada{n}@acme.example'}), ('service_accounts', {'name': 'bot' + n}),
                               ('roles', {'name': 'role' + n, 'permissions': ['model:use']}),
                               ('grants', {'principal': 'user/ada@acme.example', 'role': 'developer', 'reason': n}),
                               ('keys', {'name': 'key' + n, 'owner': 'user/ada@acme.example', 'project_id': 'project'}),
                               ('budgets', {'name': 'budget' + n, 'metric': 'tokens', 'amount': 10 ** 9})):
                reply = cls.ask('POST', kind, body)
                assert reply.status == 201, reply
                cls.ids.setdefault(kind, []).append(reply.json()['id'])
                if kind == 'keys':
                    key = reply.json()['key']
            cls.ask('PUT', f'teams/team/members/{cls.ids["users"][-1]}')
            reply = cls.server.request('POST', '/v1/chat/completions', chat_body('fake/gpt-5', 'hello'), key=key)
            assert reply.status == 200, reply
        cls.ids['request'] = [reply.request_id]
        assert eventually(lambda: cls.ask('GET', 'content/' + reply.request_id).status == 200)
        cls.ask('POST', f'users/{cls.ids["users"][0]}/password', {'password': PASSWORD, 'must_change': False})
        for _ in range(2):
            done = cls.client.ask('POST', '/api/v1/session', {'email': 'ada@acme.example', 'password': PASSWORD, 'tenant': 'acme'},
                                  {}, '')
            assert done.status == 200, done
        cls.ids['tenants'] = [cls.client.ask('GET', '/api/v1/tenants/acme', None, {}, cls.operator).json()['id']]

    # --- every question ---

    @classmethod
    def try_values(cls, path, name, schema):
        for value in [*schema.get('enum', []), *VALUES, *(ids[0] for ids in cls.ids.values())]:
            query = f'{name}={quote(str(value), safe="")}'
            reply = cls.ask('GET', f'{path}{"&" if "?" in path else "?"}{query}')
            if reply.status == 200:
                return query
        return None

    @classmethod
    def orders(cls, path):
        """Each order that the list has: its rows' members, tried."""
        rows = cls.ask('GET', path).json().get('data') or [{}]
        for name in [n for n in rows[0] if isinstance(n, str)]:
            for order in (name, '-' + name):
                if cls.ask('GET', f'{path}?sort={order}').status == 200:
                    yield f'sort={order}'

    @classmethod
    def walk(cls, path, operation):
        """Asks one GET endpoint; returns the parameters that took none of the values."""
        kind = path.split('/')[0]
        where = path.replace('{request_id}', cls.ids['request'][0]).replace('{seq}', '1').replace('{version}', '1')
        where = where.replace('{id}', cls.ids.get(kind, ['1'])[0])
        queries = {p['name']: p.get('schema', {}) for p in operation.get('parameters', []) if p.get('in') == 'query'}
        if path == 'access/explain':
            where += '?principal=user/ada@acme.example&action=key:read'
        cls.ask('GET', where)
        orders = list(cls.orders(where)) if 'sort' in queries else []
        filters = {name: cls.try_values(where, name, schema) for name, schema in queries.items()
                   if name not in ('limit', 'cursor', 'sort', 'fields', 'by')}
        if 'by' in queries:
            orders = [f'by={by}' for by in cls.sums_by(where)]
        if '?' in where:
            return [n for n, q in filters.items() if q is None]
        for query in ['', *filter(None, filters.values())]:
            for order in ['', *orders]:
                page = f'{where}?{query}&{order}&limit=1'.replace('?&', '?').replace('&&', '&')
                reply = cls.ask('GET', page)
                if reply.status != 200:
                    continue
                cursor = reply.json().get('next_cursor') if reply.body[:1] == b'{' else None
                if cursor:
                    reply = cls.ask('GET', f'{page}&cursor={quote(cursor, safe="")}')
                    assert reply.status == 200, f'{page}: {reply}'
        return [n for n, q in filters.items() if q is None]

    @classmethod
    def sums_by(cls, where):
        text = cls.ask('GET', where + '?by=nothing').json().get('detail', '')
        return [by for by in re.findall(r'[a-z_]+', text) if cls.ask('GET', f'{where}?by={by}').status == 200]

    @classmethod
    def walk_all(cls):
        cls.untaken = {}
        for path, verbs in cls.spec['paths'].items():
            if 'get' not in verbs or not path.startswith('/api/v1/') or path in NO_LISTS:
                continue
            untaken = cls.walk(path.removeprefix('/api/v1/'), verbs['get'])
            if untaken and path not in ('/api/v1/access/explain', '/api/v1/config'):  # no lists
                cls.untaken[path] = untaken

    # --- the plans ---

    @staticmethod
    def tables(text):
        """What each name of a plan stands for."""
        out = {}
        for table, alias in re.findall(r'(?:FROM|JOIN)\s+(\w+)(?:\s+(?:AS\s+)?(\w+))?', text):
            out[table] = table
            if alias and alias.upper() not in ('WHERE', 'ORDER', 'GROUP', 'LEFT', 'JOIN', 'ON', 'LIMIT', 'INDEXED', 'UNION', 'NOT'):
                out[alias] = table
        return out

    def is_large(self, table):
        return bool(LARGE.match(table)) and table not in SMALL

    def test_what_was_asked(self):
        """The walk went everywhere: all parameters were taken, and the large tables were asked."""
        self.assertEqual(self.untaken, {})
        asked = {table for text in self.texts if text.startswith(('SELECT', 'WITH')) for table in self.tables(text).values()}
        for table in ('usage', 'usage_hour', 'audit_event', 'audit_text', 'app_user', 'api_key', 'session', 'access_grant',
                      'content_log', 'team_member'):
            self.assertIn(table, asked)
        self.assertGreater(len(self.texts), 100)

    def test_plans(self):
        faults = self.faults_in(self.texts)
        self.assertEqual(len(faults), 0, f'{len(faults)} full scans:\n' + '\n'.join(faults))

    def test_a_full_scan_is_found(self):
        for text in ("SELECT id FROM app_user WHERE tags = 'x'", 'SELECT sum(cost_nano) FROM usage u WHERE u.flags = 0',
                     "SELECT count(*) FROM audit_event WHERE reason = 'x' OR id = 5"):
            self.assertEqual(len(self.faults_in([text])), 1, text)


class Sqlite(Walk, Suite):
    @classmethod
    def setUpClass(cls):
        if sanitized() or not shutil.which('cc'):
            raise unittest.SkipTest('a sanitizer, or no compiler, is here')
        folder = tempfile.mkdtemp(prefix='penstock-test-')
        cls.addClassCleanup(shutil.rmtree, folder)
        texts, library = os.path.join(folder, 'texts'), os.path.join(folder, 'texts.so')
        subprocess.run(['cc', '-D_GNU_SOURCE', '-shared', '-fPIC', '-O1', '-o', library,
                        os.path.join(ROOT, 'tests', 'fake', 'sqlite_texts.c')], check=True)
        cls.extra_env = {'LD_PRELOAD': library, 'SQLITE_TEXTS': texts}
        super().setUpClass()
        cls.prepare()
        with open(texts, 'ab') as f:
            fcntl.flock(f, fcntl.LOCK_EX)  # else a text on its way would stand in the empty file
            f.truncate(0)
        cls.walk_all()
        with open(texts, 'rb') as f:
            cls.texts = sorted({text.strip() for text in f.read().decode().split('\0')} - {''})

    def faults_in(self, texts):
        db = sqlite3.connect(f'file:{self.server.data}/penstock.db?mode=ro', uri=True)
        db.create_aggregate('penstock_rows', -1, Rows)
        db.create_function('penstock_wants', 1, bool)
        faults = []
        for text in self.texts:
            if text.startswith('CREATE TEMP'):
                db.execute(text)
        for text in texts:
            if not text.startswith(DML):
                continue
            names = self.tables(text)
            values = [None] * (max([0, *map(int, re.findall(r'\?(\d+)', text))]) or text.count('?'))
            for *_, step in db.execute('EXPLAIN QUERY PLAN ' + text, values):
                found = re.match(r'SCAN (\w+)', step)
                searched = re.search(r'VIRTUAL TABLE INDEX \d+:[=M]', step)  # full text, or a row by its number
                if found and not searched and self.is_large(names.get(found[1], found[1])):
                    faults.append(f'{step}\n    in {text}')
        db.close()
        return faults


class Postgresql(Walk, OnPostgres, Suite):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.prepare()
        cls.postgres.psql('postgres', "ALTER SYSTEM SET log_line_prefix = '~~'")
        cls.postgres.psql('postgres', "ALTER SYSTEM SET log_statement = 'all'")
        cls.postgres.psql('postgres', 'SELECT pg_reload_conf()')
        log = os.path.join(cls.postgres.dir, 'log')
        assert eventually(lambda: b'~~' in open(log, 'rb').read())
        begin = os.path.getsize(log)
        cls.walk_all()
        with open(log, encoding='utf-8') as f:
            f.seek(begin)
            entries = [e.rstrip('\n').replace('\n\t', '\n') for e in f.read().split('~~')]
        cls.texts = sorted({m[1] for e in entries if (m := re.match(r'LOG:  (?:execute [^:]*|statement): (.*)', e, re.S))})

    def faults_in(self, texts):
        script = ['SET enable_seqscan = off', 'SET plan_cache_mode = force_generic_plan']
        script += [text for text in self.texts if text.startswith('CREATE TEMP')]
        asked = [text for text in texts if text.startswith(DML)]
        for n, text in enumerate(asked):
            count = max([0, *map(int, re.findall(r'\$(\d+)', text))])
            script.append(f'PREPARE p{n} AS {text}')
            script.append(f"EXPLAIN EXECUTE p{n}{'(' + ', '.join(['NULL'] * count) + ')' if count else ''}")
            script.append(f"SELECT '~~{n}'")
        path = os.path.join(self.postgres.dir, 'script.sql')
        with open(path, 'w', encoding='utf-8') as f:
            f.write(';\n'.join(script) + ';\n')
        os.chmod(path, 0o644)
        faults, plan = [], []
        for line in self.postgres.psql_file(type(self).__name__.lower(), path).split('\n'):
            if not line.startswith('~~'):
                plan.append(line)
                continue
            for step in plan:
                found = re.search(r'(?:Parallel )?Seq Scan on (\w+)', step)
                if found and self.is_large(found[1]):
                    faults.append(f'{step.strip()}\n    in {asked[int(line[2:])]}')
            plan = []
        return faults


if __name__ == '__main__':
    main()
