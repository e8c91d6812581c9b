#!/usr/bin/env python3
"""Two tenants: the owner of one asks every endpoint for what is the other's, by id and by name, wherever one can stand.

Nothing of the other's appears, nothing of it changes, and each answer is what it is for an id that never was. What is
typed on the way carries the word "zebra"; what is never typed, "quagga": that one may appear nowhere at all.
"""
import json
import random
import re
from collections import Counter
from urllib.parse import quote

from harness import Suite, chat_body, eventually, fake_provider, in_parallel, main
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
                                       'keys', 'budgets', 'tenants')
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
