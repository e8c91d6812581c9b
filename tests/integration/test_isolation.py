#!/usr/bin/env python3
"""Two tenants: the owner of one asks every endpoint for what is the other's, by id and by name, wherever one can stand.

Nothing of the other's appears, nothing of it changes, and each answer is what it is for an id that never was. What is
typed on the way carries the word "zebra"; what is never typed, "quagga": that one may appear nowhere at all.

With ISOLATION_IDS=1000000 in the environment, so many random ids are asked for (a quarter of an hour and more).
"""
import json
import multiprocessing
import os
import random
import re
import sqlite3
import statistics
import sys
import time
from collections import Counter
from urllib.parse import quote

from harness import Conn, Suite, chat_body, eventually, fake_provider, in_parallel, main, request_bytes
from test_permissions import GONE, OVER, Client

PASSWORD = 'quagga-Herd-of-9731'
DIGITS = '0123456789abcdefghjkmnpqrstvwxyz'
KINDS = ('tenant', 'team', 'project', 'user', 'service_account', 'role', 'grant', 'elevation', 'key', 'budget', 'model',
         'session')
PAGING = {'limit', 'cursor', 'sort', 'fields'}
MOVING = ('/audit', '/audit/export', '/audit/checkpoints', '/audit/verify', '/events')  # never twice the same


class Isolation(Suite):
    part = 1.0  # of all requests, taken at random

    @classmethod
    def config(cls):
        return {'providers': [fake_provider(cls.fake)], 'log': {'level': 'info', 'format': 'json'},
                'tenants': [{'name': 'apple'}, {'name': 'zebra'}], 'content_log': [{'tenant': 'zebra'}]}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.operator = cls.server.create_key('--admin')['key']
        cls.prepare()

    @classmethod
    def prepare(cls):
        spec = cls.server.request('GET', '/api/openapi.json').json()
        cls.schemas = spec['components']['schemas']
        cls.endpoints = {(verb.upper(), path): op for path, verbs in spec['paths'].items() for verb, op in verbs.items()
                         if op.get('security') != []}
        cls.own = cls.populate('apple', 'apple')
        cls.other = cls.populate('zebra', 'quagga')
        cls.key = cls.own.pop('owner key')
        cls.other.pop('owner key')
        cls.names = cls.identifiers()
        # Requests of the other's: usage and kept contents, and somebody who is signed in.
        reply = cls.server.request('POST', '/v1/chat/completions', chat_body('fake/quagga', 'quagga'), key=cls.other['key text'],
                                   headers={'User-Agent': 'quagga'})
        assert reply.status == 200, reply
        cls.names.append((reply.request_id, 'req_0zzzzzzzzzzzz'))
        assert eventually(lambda: cls.ask('GET', 'content/' + reply.request_id, tenant='zebra').status == 200)
        cls.call('POST', f'users/{cls.other["users"][0]}/password', {'password': PASSWORD, 'must_change': False}, 'zebra')
        done = cls.ask('POST', 'session', {'email': 'ada@zebra.example', 'password': PASSWORD, 'tenant': 'zebra'}, key='',
                       headers={'User-Agent': 'quagga'})
        assert done.status == 200, done
        cls.names.append((done.json()['session']['id'], 'session_00000000zzzzz'))

    @classmethod
    def ask(cls, method, path, body=None, tenant=None, key=None, headers=None):
        headers = {**({'X-Penstock-Tenant': tenant} if tenant else {}), **(headers or {})}
        return cls.server.request(method, '/api/v1/' + path, body=None if body is None else json.dumps(body).encode(),
                                  key=cls.operator if key is None else key, headers=headers)

    @classmethod
    def call(cls, method, path, body=None, tenant=None, **more):
        reply = cls.ask(method, path, body, tenant, **more)
        assert reply.status in (200, 201, 204), f'{method} {path}: {reply}'
        return reply.json() if reply.body else None

    @classmethod
    def populate(cls, tenant, word):
        """One row of each kind: {kind: (id, name)}; an owner with a key, whose rows are all the other ones."""
        rows = {}

        def make(kind, called, key=None, **body):
            row = cls.call('POST', kind, body, None if kind == 'tenants' or key else tenant, key=key)
            rows.setdefault(kind, (row['id'], called))
            return row

        make('tenants', tenant, name=tenant, title=word)
        make('teams', f'{tenant}-team', name=f'{tenant}-team', title=word, tags={'x': word})
        make('projects', f'{tenant}-project', name=f'{tenant}-project', team_id=f'{tenant}-team', title=word)
        make('users', f'ada@{tenant}.example', email=f'ada@{tenant}.example', name=word)
        make('service_accounts', f'{tenant}-bot', name=f'{tenant}-bot', title=word)
        make('roles', f'{tenant}-role', name=f'{tenant}-role', title=word, permissions=['model:use'])
        make('domains', f'{tenant}.example', name=f'{tenant}.example')
        make('grants', None, principal=f'user/ada@{tenant}.example', role='viewer', reason=word)
        key = make('keys', None, name=word, project_id=f'{tenant}-project', tags={'x': word})
        rows['key text'] = key['key']
        rows['keys'] = (key['id'], key['prefix'])
        make('budgets', f'{tenant}-budget', name=f'{tenant}-budget', metric='tokens', amount=10 ** 9,
             scope=f'project/{tenant}-project')
        owner = make('users', None, email=f'owner@{tenant}.example', name=word)
        make('grants', None, principal=owner['id'], role='owner')
        rows['owner key'] = make('keys', None, owner=owner['id'], scopes=['*'], name=word)['key']
        make('elevations', None, key=rows['owner key'], role='viewer', duration='1h', reason=word, scope=f'team/{tenant}-team')
        cls.call('PUT', f'teams/{tenant}-team/members/{rows["users"][0]}', tenant=tenant)
        return rows

    @classmethod
    def identifiers(cls):
        """(what is the other's, the like that never was) for each of its ids and names."""
        out = []
        for kind, row in cls.other.items():
            if kind == 'key text':
                continue
            ident, name = row
            out.append((ident, ident[:-5] + 'zzzzz'))
            if name:
                never = name.replace('zebra', 'never') if 'zebra' in name else name[:-3] + cls.turn(name[-3:])
                out += [(name, never), (f'{kind[:-1]}/{name}', f'{kind[:-1]}/{never}')]
        return out

    @staticmethod
    def turn(text):
        """Another text of the same look: the prefix of a key that there is not."""
        for letters in ('0123456789', 'abcdefghijklmnopqrstuvwxyz', 'ABCDEFGHIJKLMNOPQRSTUVWXYZ'):
            text = text.translate(str.maketrans(letters, letters[1:] + letters[0]))
        return text

    # --- the requests ---

    def requests(self):
        """(endpoint, path, body, headers) with "@@" where an id or name is to stand."""
        for (method, path), op in self.endpoints.items():
            body = self.base_body(method, path)
            headers = {} if method == 'GET' else GONE
            if path.endswith(('/suspend', '/resume', '/members/{principal}')):
                headers = {}
            for where in self.fill(path):
                yield (method, path), where, body, headers
            query = [p['name'] for p in op.get('parameters', []) if p.get('in') == 'query' and p['name'] not in PAGING]
            mine = self.fill(path, own=True)
            base = 'action=key:read&' if path.endswith('/explain') else ''
            for name in query:
                yield (method, path), f'{mine}?{base}{name}=@@', body, headers
            if path.endswith('/explain'):
                for kind in KINDS:
                    yield (method, path), f'{mine}?action={kind}:read&resource=@@', body, headers
            for name in self.properties(op):
                if body is None or method == 'DELETE':
                    continue
                yield (method, path), mine, {**body, name: '@@'}, headers
                if self.is_list(op, name):
                    yield (method, path), mine, {**body, name: ['@@']}, headers
            if '/access/check' in path:
                for kind in KINDS:
                    yield (method, path), mine, {'action': kind + ':read', 'resource': '@@'}, headers
            yield (method, path), mine, body, {**headers, 'X-Penstock-Tenant': '@@'}

    def fill(self, path, own=False):
        """The path with an id of one's own in each place, or with "@@" in one or all of them."""
        places = re.findall(r'\{(\w+)\}', path)
        kind = path.removeprefix('/api/v1/').split('/')[0]
        mine = {'id': self.own.get(kind, ('1', ''))[0], 'principal': self.own['users'][0]}

        def put(what):
            return re.sub(r'\{(\w+)\}', lambda m: what.get(m.group(1), 'none'), path)
        if own:
            return put(mine)
        return [put({**mine, p: '@@'}) for p in places] + ([put({p: '@@' for p in places})] if len(places) > 1 else [])

    def base_body(self, method, path):
        """One that is in order but for the last of what is looked at: nothing is made."""
        kind = path.removeprefix('/api/v1/')
        if method == 'PATCH':
            return {'amount': 5} if kind.startswith('budgets') else {'name': 'n'} if kind[:4] in ('user', 'keys') else {'title': 't'}
        if method != 'POST' or kind in ('tenants',):
            return {} if method == 'POST' else None
        name = self.own.get(kind, (None, None))[1]
        return {'teams': {'name': name}, 'projects': {'name': name}, 'users': {'email': name}, 'roles': {'name': name},
                'service_accounts': {'name': name}, 'keys': {'expires_at': OVER}, 'keys/identify': {'key': 'ps-none'},
                'grants': {'principal': 'user/ada@apple.example', 'permissions': ['event:read'], 'expires_at': OVER},
                'elevations': {'role': 'no-such', 'duration': '1h', 'reason': 'x'},
                'budgets': {'name': name, 'metric': 'tokens', 'amount': 1}, 'access/check': {'action': 'key:read'},
                'users/{id}/password': {'password': 'x'}, 'audit/verify': {'since': 0},
                'tokens': {'permissions': []}}.get(kind, {})

    def properties(self, op):
        schema = op.get('requestBody', {}).get('content', {}).get('application/json', {}).get('schema', {})
        schema = self.schemas[schema['$ref'].rsplit('/', 1)[-1]] if '$ref' in schema else schema
        # One's own texts name nothing; those that must be one's own alone are another test's.
        texts = ('name', 'title', 'email', 'reason', 'password')
        return {n: p for n, p in schema.get('properties', {}).items() if not p.get('readOnly') and n not in texts}

    def is_list(self, op, name):
        return 'array' in json.dumps(self.properties(op)[name].get('type', ''))

    @staticmethod
    def put(text, path, body, headers):
        """The request with this where "@@" stands."""
        body = None if body is None else json.dumps(body).replace('@@', text).encode()
        return path.replace('@@', quote(text, safe='')), body, {k: v.replace('@@', text) for k, v in headers.items()}

    @staticmethod
    def told(reply, typed):
        """The answer without its request id, its times, and what was typed."""
        text = reply.body.decode()
        for form in (typed, quote(typed, safe=''), typed.rsplit('/', 1)[-1]):
            text = text.replace(form, '@@')
        text = re.sub(r'"request_id":"[^"]*"', '', text)
        return reply.status, re.sub(r'\d{4}-\d\d-\d\dT[\d:.]+Z|"at":\d+', '', text)

    def leaks(self, reply, typed, path):
        body = reply.body.decode()
        for header, value in reply.headers:
            body += f'\n{header}: {value}'
        if 'quagga' in body:
            return 'quagga'
        if '/audit' in path or path.endswith('/export'):  # one's own trail tells what was typed before
            return None
        for form in (typed, quote(typed, safe=''), typed.rsplit('/', 1)[-1]):
            body = body.replace(form, '')
        found = [ident for ident, _ in self.names if ident in body and ident not in typed]
        return found[0] if found else 'zebra' if 'zebra' in body else None

    def everything_of(self, tenant):
        out = {}
        for kind in ('teams', 'projects', 'users', 'service_accounts', 'roles', 'grants', 'elevations', 'keys', 'budgets'):
            out[kind] = self.call('GET', kind + '?limit=1000', tenant=tenant)
        for key in out['keys']['data']:  # when it was last used is written some seconds later
            del key['last_used_at'], key['last_used_address']
        for budget in out['budgets']['data']:  # and who counts it
            del budget['counted']
        out['tenant'] = self.call('GET', 'tenants/' + tenant)
        out['members'] = self.call('GET', f'teams/{tenant}-team/members', tenant=tenant)
        out['sessions'] = self.call('GET', 'sessions?user=all', tenant=tenant)
        out['usage'] = self.call('GET', 'usage', tenant=tenant)
        out['audit'] = self.call('GET', 'audit/checkpoints', tenant=tenant)['head']['seq']
        return out

    # --- the tests ---

    def test_a_lists_are_ones_own(self):
        client = Client(self.server)
        for (method, path), op in self.endpoints.items():
            if method != 'GET' or '{' in path:
                continue
            reply = client.ask('GET', path, None, {}, self.key)
            self.assertIsNone(self.leaks(reply, '@@', path), path)
            if reply.status != 200 or path.endswith(('/sums', '/session', '/export')):
                continue
            page = reply.json()
            if 'total' in page:
                self.assertEqual(page['total'], len(page['data']), path)
            for row in page.get('data') or []:
                if isinstance(row, dict) and row.get('tenant_id'):
                    self.assertEqual(row['tenant_id'], self.own['tenants'][0], path)
        for kind in ('teams', 'projects', 'service_accounts', 'budgets', 'elevations'):
            self.assertEqual(client.ask('GET', '/api/v1/' + kind, None, {}, self.key).json()['total'], 1, kind)
        self.assertEqual(client.ask('GET', '/api/v1/usage', None, {}, self.key).json()['data'], [])
        self.assertEqual(client.ask('GET', '/api/v1/usage/sums', None, {}, self.key).json()['data'], [])
        # A page of the other's goes on with one's own.
        for kind in ('keys', 'users', 'grants', 'usage', 'audit'):
            theirs = self.call('GET', kind + '?limit=1', tenant='zebra')['next_cursor']
            reply = client.ask('GET', f'/api/v1/{kind}?cursor={theirs}', None, {}, self.key)
            self.assertIsNone(self.leaks(reply, theirs or '@@', kind), reply)
        client.close()

    def test_b_what_is_anothers_is_as_if_it_were_not(self):
        before = self.everything_of('zebra')
        cases = [(case, pair) for case in self.requests() for pair in self.names]
        cases = random.Random(1).sample(cases, int(len(cases) * self.part))
        self.assertEqual({c[0] for c, _ in cases}, set(self.endpoints))

        def work(n):
            client, faults = Client(self.server), []
            for (endpoint, path, body, headers), pair in cases[n::4]:
                replies = [client.ask(endpoint[0], *self.put(text, path, body, headers), self.key) for text in pair]
                leak = self.leaks(replies[0], pair[0], path)
                if leak:
                    faults.append(f'{endpoint} {path} {body} {headers}, {pair[0]}: tells of {leak}: {replies[0]}')
                if path.removeprefix('/api/v1').split('?')[0] in MOVING or path.endswith('/export'):
                    continue
                told = [self.told(reply, text) for reply, text in zip(replies, pair)]
                if told[0] != told[1]:
                    faults.append(f'{endpoint} {path} {body} {headers}, {pair[0]}: {told[0]}\n      in place of {told[1]}')
                if replies[0].status >= 500:
                    faults.append(f'{endpoint} {path}, {pair[0]}: {replies[0]}')
            client.close()
            return faults

        faults = sum(in_parallel(4, work), [])
        self.assertEqual(len(faults), 0, f'{len(faults)} of {len(cases)}, the first:\n' + '\n'.join(faults[:40]))
        self.assertEqual(self.everything_of('zebra'), before)

    def test_c_any_id(self):
        """All ids that there are, and random ones, on every path that takes one: only one's own are there."""
        before = self.everything_of('zebra')
        mine = {row['id'] for kind in ('teams', 'projects', 'users', 'service_accounts', 'roles', 'grants', 'elevations',
                                       'keys', 'budgets', 'tenants', 'domains')
                for row in self.call('GET', kind + '?limit=1000', key=self.key)['data'] if row['id']}
        rng = random.Random(4)
        prefixes = sorted({ident.rsplit('_', 1)[0] + '_' for ident, _ in self.names if re.search(r'_[0-9a-z]{13}$', ident)})
        paths = [(m, p) for m, p in self.endpoints if '{' in p and '/audit/' not in p and not p.endswith('/export')]
        jobs = []
        for method, path in paths:
            kind = path.removeprefix('/api/v1/').split('/')[0]
            own = [p for p in prefixes if kind in self.other and self.other[kind][0].startswith(p)]
            for n in range(48):
                text = (own or ['session_'])[0] + '0' * 11 + DIGITS[n // 32] + DIGITS[n % 32]
                if text not in mine or not path.endswith('/revoke'):  # the key in use stays
                    jobs.append((method, path, text))
            for _ in range(32):
                jobs.append((method, path, rng.choice(prefixes) + ''.join(rng.choices(DIGITS, k=rng.choice((12, 13, 13, 14))))))
            for text in ("x' OR '1'='1", '%', '_', '..', '*', '0', '-1', '9' * 30, 'z' * 2000, '\x00', 'é', 'null', '{id}'):
                jobs.append((method, path, text))
        jobs = rng.sample(jobs, int(len(jobs) * self.part))

        def work(n):
            client, faults, seen = Client(self.server), [], Counter()
            for method, path, text in jobs[n::4]:
                where = re.sub(r'\{(id|request_id|version)\}', lambda _: quote(text, safe=''), path)
                where = where.replace('{principal}', self.own['users'][0])
                headers = {} if method in ('GET', 'PUT') else GONE
                body = self.base_body(method, path)
                reply = client.ask(method, where, json.dumps(body).encode() if body is not None else None, headers, self.key)
                seen[reply.status] += 1
                leak = self.leaks(reply, text, path)
                wrong = reply.status < 400 and text not in mine or reply.status >= 500
                if leak or wrong:
                    faults.append(f'{method} {where}: {leak}: {reply}')
            client.close()
            return faults, seen

        results = in_parallel(4, work)
        faults = sum((f for f, _ in results), [])
        seen = sum((s for _, s in results), Counter())
        self.assertEqual(len(faults), 0, f'{len(faults)} of {len(jobs)}, the first:\n' + '\n'.join(faults[:20]))
        self.assertGreater(seen[404], 1000 * self.part)
        self.assertGreater(seen[200], 4 * self.part)
        self.assertEqual(self.everything_of('zebra'), before)

    # --- random ids, as many as are wanted ---

    IDS, BATCH = int(os.environ.get('ISOLATION_IDS', '2000')), 40
    TABLES = {'users': 'app_user', 'teams': 'team', 'projects': 'project', 'service_accounts': 'service_account',
              'keys': 'api_key', 'budgets': 'budget', 'roles': 'role'}

    def ids_of_the_other(self):
        """Prefix -> texts of ids that are there and are the other's; on SQLite with some hundred more rows of each kind."""
        zebra = 'SELECT id FROM tenant WHERE name = \'zebra\''
        rows = {'app_user': 'created_at, updated_at, email) SELECT ({z}), 0, 0, \'q\' || i || \'@x.y\'',
                'team': 'created_at, updated_at, name) SELECT ({z}), 0, 0, \'q\' || i',
                'project': 'created_at, updated_at, name) SELECT ({z}), 0, 0, \'q\' || i',
                'service_account': 'created_at, updated_at, name) SELECT ({z}), 0, 0, \'q\' || i',
                'role': 'created_at, updated_at, name) SELECT ({z}), 0, 0, \'q\' || i',
                'api_key': 'hash, prefix, created_at) SELECT ({z}), randomblob(32), \'ps-\' || i, 1',
                'budget': 'created_at, updated_at, name, scope_kind, metric, period, amount) SELECT ({z}), 0, 0, \'q\' || i,'
                          ' \'tenant\', \'tokens\', \'day\', 1000000'}
        out = {}
        db = sqlite3.connect(os.path.join(self.server.data, 'penstock.db'), timeout=30, isolation_level=None)
        for kind, table in self.TABLES.items():
            db.execute(f'INSERT INTO {table} (tenant_id, {rows[table].format(z=zebra)} FROM (WITH RECURSIVE n(i) AS (SELECT 1'
                       ' UNION ALL SELECT i + 1 FROM n WHERE i < 300) SELECT i FROM n)')
            found = [i for (i,) in db.execute(f'SELECT id FROM {table} WHERE tenant_id = ({zebra})')]
            prefix = self.other[kind][0][:-13]
            out[prefix] = [prefix + self.digits(i) for i in found]
        db.close()
        for kind, row in self.other.items():
            if kind not in self.TABLES and kind != 'key text' and len(row[0]) > 13 and row[0][-14] == '_':
                out.setdefault(row[0][:-13], []).append(row[0])
        return out

    @staticmethod
    def digits(number):
        return ''.join(DIGITS[number >> 5 * place & 31] for place in range(12, -1, -1))

    def random_ids(self, seed, count, others):
        """Asks `count` times; returns (answers that differ, leaks, kinds of answers)."""
        rng, faults, seen, expected = random.Random(seed), [], Counter(), {}
        paths = [(m, p) for m, p in self.endpoints if '{id}' in p or '{principal}' in p]
        looks = [(m, p) for m, p in paths if m == 'GET']
        looking = 0.9 if count > 10000 else 0  # what would change something is noted in the audit trail, on the disk
        conn = Conn(self.server.port)
        held = []
        for start in range(0, count, self.BATCH):
            if start and start % 100000 == 0:
                print(f'{start:,} ids, {len(faults)} wrong', file=sys.stderr, flush=True)
            jobs = []
            for _ in range(min(self.BATCH, count - start)):
                prefix = rng.choice(list(others))
                theirs = rng.random() < 0.5
                text = rng.choice(others[prefix]) if theirs else prefix + self.digits(rng.randrange(10 ** 6, 2 ** 62))
                method = rng.choice(looks if rng.random() < looking else paths)
                jobs.append((*method, prefix, theirs, text))
            sent = []
            for method, path, _, _, text in jobs:
                body = self.base_body(method, path)
                body = None if body is None else json.dumps(body).encode()
                headers = {} if method in ('GET', 'PUT') else GONE
                sent.append(request_bytes(method, re.sub(r'\{\w+\}', text, path), body, headers, self.key))
            conn.send(b''.join(sent))
            for method, path, prefix, theirs, text in jobs:
                reply = conn.read()
                told, group = self.told(reply, text), (method, path, prefix)
                seen[reply.status] += 1
                if reply.status < 400 or reply.status >= 500 or b'quagga' in reply.body or b'zebra' in reply.body:
                    faults.append(f'{method} {path} {text}: {reply}')
                if not theirs:
                    expected.setdefault(group, told)
                held.append((group, text, told))
            # Each is answered as an id of its look that never was.
            faults += [f'{group} {text}: {told}\n      in place of {expected[group]}' for group, text, told in held
                       if group in expected and told != expected[group]]
            held = [one for one in held if one[0] not in expected]
        conn.close()
        return faults[:20], len(faults), seen

    def test_e_random_ids(self):
        if not os.path.exists(os.path.join(self.server.data, 'penstock.db')):
            self.skipTest('rows are put into SQLite by hand')
        others = self.ids_of_the_other()
        # The server has taken the budgets over that were put there.
        self.assertTrue(eventually(lambda: b'"ledger"' not in self.ask('GET', 'budgets?limit=1000', tenant='zebra').body))
        before = self.everything_of('zebra')
        fork = multiprocessing.get_context('fork')
        done = fork.Queue()
        clients = [fork.Process(target=lambda seed=seed: done.put(self.random_ids(seed, self.IDS // 2, others)), daemon=True)
                   for seed in range(2)]
        for client in clients:
            client.start()
        results = [done.get(timeout=60 + self.IDS / 100) for _ in clients]
        for client in clients:
            client.join()
        faults, wrong = sum((f for f, _, _ in results), []), sum(n for _, n, _ in results)
        seen = sum((s for _, _, s in results), Counter())
        print(f'\n{sum(seen.values()):,} random ids on {len(self.endpoints)} endpoints: {wrong} wrong; '
              + ', '.join(f'{n:,} x {status}' for status, n in seen.most_common()), file=sys.stderr)
        self.assertEqual(wrong, 0, '\n'.join(faults[:20]))
        self.assertGreater(seen[404], sum(seen.values()) // 2)
        self.assertEqual(self.everything_of('zebra'), before)

    def test_f_how_long_it_takes(self):
        """Told, not judged: whether an answer takes longer for an id that is another's than for one that never was."""
        client, theirs, never = Client(self.server), [], []
        prefix = self.other['users'][0][:-13]
        for n in range(600):
            for text, times in ((self.other['users'][0], theirs), (prefix + self.digits(10 ** 9 + n), never)):
                began = time.perf_counter()
                reply = client.ask('GET', '/api/v1/users/' + text, None, {}, self.key)
                times.append(time.perf_counter() - began)
                self.assertEqual(reply.status, 404)
        client.close()
        slower = sum((a > b) + (a == b) / 2 for a in theirs for b in never) / len(theirs) / len(never)
        print(f'\nan id of another tenant: {statistics.median(theirs) * 1e6:.0f} us, one that never was: '
              f'{statistics.median(never) * 1e6:.0f} us (medians); the first is the slower one in {slower:.1%} of pairs',
              file=sys.stderr)

    def test_g_files(self):
        """What lies on the disk is the server's own, for all tenants; of one alone there is nothing outside the database,
        whose rows carry the tenant. Whoever adds such files gives each tenant a folder of its own, by its id."""
        found = {os.path.relpath(os.path.join(folder, name), self.server.data)
                 for folder, _, names in os.walk(self.server.data) for name in names}
        own = re.compile(r'penstock\.db(-wal|-shm)?|secret\.key|(keys|config)\.gen|penstock\.lock|directory\.id|wal/\d+\.wal|tenants/\d+/.*')
        self.assertEqual([name for name in found if not own.fullmatch(name)], [])
        for tenant in ('apple', 'zebra'):
            self.assertEqual([name for name in found if tenant in name], [])

    def test_d_names_are_each_tenants_own(self):
        """What the other has taken is free here."""
        for kind, field in (('teams', 'name'), ('projects', 'name'), ('users', 'email'), ('roles', 'name'),
                            ('service_accounts', 'name'), ('budgets', 'name')):
            more = {'metric': 'tokens', 'amount': 1} if kind == 'budgets' else {}
            for name in (self.other[kind][1], self.other[kind][1].replace('zebra', 'never')):
                reply = self.ask('POST', kind, {field: name, **more}, key=self.key)
                self.assertEqual(reply.status, 201, f'{kind} {name}: {reply}')
                self.assertEqual(reply.json()['tenant_id'], self.own['tenants'][0])
        problems = []
        for name in ('zebra', 'never'):
            problem = self.ask('POST', 'tenants', {'name': name}, key=self.key).json()
            problem.pop('request_id')
            problems.append(problem)
        self.assertEqual(problems[0], problems[1])
        self.assertEqual(problems[0]['status'], 403)


if __name__ == '__main__':
    main()
