#!/usr/bin/env python3
"""Lists show the rows that may be seen, and count them; what may be seen follows grants and memberships at once.

Grants mean rows by id, by the beginning of a name, by tags; denies take away. Each list is walked page by page, and each
row is asked for by itself, so that list, total and row agree.
"""
import json
from datetime import datetime, timezone

from harness import Suite, fake_provider, main

MODELS = ('gpt-5', 'gpt-5-mini', 'gpt-secret', 'claude')


class Rows(Suite):
    @classmethod
    def config(cls):
        return {'providers': [fake_provider(cls.fake)], 'log': {'format': 'json'},
                'auth': {'password': {'memory': '8 MiB', 'passes': 1}},
                'models': [{'name': n, 'targets': [{'provider': 'fake', 'model': 'up'}]} for n in MODELS]}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.operator = cls.server.create_key('--admin')['key']
        cls.count, cls.rows, cls.texts = 0, {}, {}
        cls.rows['keys'] = {r['id']: {**r, 'called': r['name'] or r['prefix']} for r in cls.call('GET', 'keys')['data']}
        for team in ('red', 'blue'):
            cls.make('teams', team, name=team, tags={'env': 'prod' if team == 'red' else 'test'})
        for project, team in (('web', 'red'), ('lab', 'blue'), ('solo', None)):
            cls.make('projects', project, name=project, team_id=team, tags={'env': 'prod' if project == 'web' else 'test'})
        for i in range(12):
            project = (None, 'web', 'lab', 'solo')[i % 4]
            name = f'{"app" if i < 7 else "job"}-{i}'
            made = cls.make('keys', name, name=name, project_id=project, tags={'env': 'prod' if i % 3 else 'test'})
            cls.texts[project] = made['key']
            cls.make('budgets', name, name=name, scope=f'project/{project}' if project else 'tenant', metric='tokens',
                     amount=10 ** 9)
            cls.make('users', f'{name}@a.example', email=f'{name}@a.example', tags={'env': 'prod' if i % 3 else 'test'})

    @classmethod
    def call(cls, method, path, body=None, key=None, expect=(200, 201, 204), **headers):
        reply = cls.server.request(method, '/api/v1/' + path, body=None if body is None else json.dumps(body).encode(),
                                   key=key or cls.operator, headers=headers)
        assert expect is None or reply.status in expect, f'{method} {path} {body}: {reply}'
        return reply if expect is None else reply.json() if reply.body else None

    @classmethod
    def make(cls, kind, called, **body):
        row = cls.call('POST', kind, body)
        cls.rows.setdefault(kind, {})[row['id']] = {**row, 'called': called}
        return row

    def person(self, *grants, scopes=('*',), **place):
        """The key of somebody with these grants, and who it is."""
        type(self).count += 1
        # A tenant of users' own would not hold them: they are listed too, so their names sort apart.
        user = self.make('users', 'zz', email=f'zz-{self.count}@a.example')
        for grant in grants:
            self.call('POST', 'grants', {'principal': user['id'], **grant})
        key = self.make('keys', 'zz', owner=user['id'], scopes=list(scopes), name=f'zz-{self.count}', **place)
        return key['key'], user['id']

    def walk(self, kind, key, query='', limit=5):
        """The ids that a list shows page by page, each of which must tell the same total."""
        seen, cursor, totals = [], '', set()
        while cursor is not None:
            page = self.call('GET', f'{kind}?limit={limit}&cursor={cursor}{query}', key=key)
            seen += [r['id'] for r in page['data']]
            totals.add(page['total'])
            cursor = page['next_cursor']
        self.assertEqual(totals, {len(seen)}, f'{kind}{query}')
        self.assertEqual(len(set(seen)), len(seen))
        return set(seen)

    def check(self, kind, want, *grants):
        """That list, total, filters and single rows are those of which want says so."""
        singular = kind[:-1]
        key, _ = self.person(*({'permissions': [f'{singular}:read'], **g} for g in grants))
        expected = {i for i, row in self.rows[kind].items() if want(row)}
        self.assertGreater(len(expected), 0, 'a test that expects nothing shows nothing')
        self.assertLess(len(expected), len(self.rows[kind]))
        self.assertEqual(self.walk(kind, key), expected)
        self.assertEqual(self.walk(kind, key, limit=1), expected)
        found = self.walk(kind, key, '&q=app')
        self.assertEqual(found, {i for i in expected if i in self.walk(kind, self.operator, '&q=app', 200)})
        for ident, row in self.rows[kind].items():
            reply = self.call('GET', f'{kind}/{ident}', key=key, expect=None)
            self.assertEqual(reply.status, 200 if ident in expected else 404, (row['called'], reply))

    def test_by_id(self):
        for kind, rows in self.rows.items():
            one = next(iter(rows))
            with self.subTest(kind):
                self.check(kind, lambda r, one=one: r['id'] == one, {'resource': f'{kind[:-1]}/{one}'})

    def test_by_name_and_prefix(self):
        for kind, begin, exact in (('keys', 'app-', 'job-8'), ('budgets', 'app-', 'job-8'), ('users', 'app-', 'job-8@a.example'),
                                   ('projects', 'we', 'lab'), ('teams', 're', 'blue')):
            with self.subTest(kind):
                self.check(kind, lambda r, b=begin: r['called'].startswith(b), {'resource': f'{kind[:-1]}/{begin}*'})
                self.check(kind, lambda r, e=exact: r['called'] == e, {'resource': f'{kind[:-1]}/{exact}'})

    def test_by_tags(self):
        for kind in ('keys', 'users', 'projects', 'teams'):
            with self.subTest(kind):
                self.check(kind, lambda r: r['tags'].get('env') == 'prod', {'condition': 'env=prod'})
                self.check(kind, lambda r: r['tags'].get('env') != 'prod', {'condition': 'env!=prod'})

    def test_by_place(self):
        web = next(i for i, r in self.rows['projects'].items() if r['called'] == 'web')
        self.check('keys', lambda r: r['project_id'] == web, {'scope': 'project/web'})
        self.check('keys', lambda r: r['project_id'] == web, {'scope': 'team/red'})
        self.check('projects', lambda r: r['called'] == 'web', {'scope': 'team/red'})
        self.check('teams', lambda r: r['called'] == 'red', {'scope': 'team/red'})

    def test_what_is_denied_is_not_there(self):
        everything = {}
        for kind, begin in (('keys', 'app-'), ('budgets', 'app-'), ('users', 'app-'), ('projects', 'we'), ('teams', 're')):
            one = next(i for i, r in self.rows[kind].items() if r['called'].startswith(begin))
            with self.subTest(kind):
                self.check(kind, lambda r, b=begin: not r['called'].startswith(b), everything,
                           {'effect': 'deny', 'resource': f'{kind[:-1]}/{begin}*'})
                self.check(kind, lambda r, one=one: r['id'] != one, everything,
                           {'effect': 'deny', 'resource': f'{kind[:-1]}/{one}'})
                if kind in ('keys', 'budgets', 'users'):
                    self.check(kind, lambda r, b=begin, one=one: r['called'].startswith(b) and r['id'] != one,
                               {'resource': f'{kind[:-1]}/{begin}*'}, {'effect': 'deny', 'resource': f'{kind[:-1]}/{one}'})
        for kind in ('keys', 'users', 'projects', 'teams'):
            with self.subTest(kind):
                self.check(kind, lambda r: r['tags'].get('env') != 'prod', everything,
                           {'effect': 'deny', 'condition': 'env=prod'})

    # --- usage ---

    def use(self):
        for project, n in ((None, 1), ('web', 2), ('lab', 3), ('solo', 4)):
            for _ in range(n):
                reply = self.server.request('POST', '/v1/chat/completions', key=self.texts[project],
                                            body=json.dumps({'model': 'gpt-5', 'messages': [{'role': 'user', 'content': 'x'}]}).encode())
                self.assertEqual(reply.status, 200, reply)

    def test_usage(self):
        """Of the whole tenant, what may be seen; records and sums agree; of a place, all or nothing."""
        since = datetime.now(timezone.utc).isoformat(timespec='milliseconds').replace('+00:00', 'Z')
        self.use()
        mine = {None: 1, 'web': 2, 'lab': 3, 'solo': 4}
        ids = {r['called']: i for i, r in self.rows['projects'].items()}
        read = {'permissions': ['usage:read']}
        deny = {'permissions': ['usage:*'], 'effect': 'deny'}
        for grants, places in (
                ([read], mine), ([{**read, 'scope': 'project/web'}], {'web'}), ([{**read, 'scope': 'team/blue'}], {'lab'}),
                ([{**read, 'scope': 'project/web'}, {**read, 'scope': 'project/solo'}], {'web', 'solo'}),
                ([read, {**deny, 'scope': 'project/lab'}], {None, 'web', 'solo'}),
                ([read, {**deny, 'scope': 'team/red'}], {None, 'lab', 'solo'}),
                ([{**read, 'scope': 'team/red'}, {**deny, 'scope': 'project/web'}], set())):
            key, _ = self.person(*grants)
            want = sum(mine[p] for p in places)

            def counted(key=key):
                rows = self.call('GET', f'usage?limit=1000&since={since}', key=key)['data']
                sums = self.call('GET', f'usage/sums?by=project&since={since}', key=key)['data']
                days = self.call('GET', f'usage/sums?by=day&since={since}', key=key)['data']
                per = {r['project']: r['requests'] for r in sums}
                self.assertEqual(sum(per.values()), sum(r['requests'] for r in days))
                self.assertLessEqual({r['project'] for r in rows}, {ids.get(p) for p in places})
                return len(rows), per

            with self.subTest(grants):
                self.assertEqual(counted(), (want, {ids.get(p): mine[p] for p in places}))
                for project in ('web', 'lab', 'solo'):
                    reply = self.call('GET', f'usage?project={project}&since={since}', key=key, expect=None)
                    self.assertEqual(reply.status, 200 if project in places else 403, reply)
                    if project in places:
                        self.assertEqual(len(reply.json()['data']), mine[project])

    # --- models ---

    def chat(self, key, model):
        body = json.dumps({'model': model, 'messages': [{'role': 'user', 'content': 'x'}]}).encode()
        return self.server.request('POST', '/v1/chat/completions', body=body, key=key).status

    def test_models(self):
        use = {'permissions': ['model:*']}
        for grants, want in (([], ()), ([use], MODELS), ([{**use, 'resource': 'model/gpt-*'}], MODELS[:3]),
                             ([{**use, 'resource': 'model/gpt-5'}], MODELS[:1]),
                             ([use, {**use, 'effect': 'deny', 'resource': 'model/gpt-*'}], MODELS[3:]),
                             ([{**use, 'resource': 'model/gpt-*'}, {**use, 'effect': 'deny', 'resource': 'model/gpt-secret'}],
                              MODELS[:2]), ([{**use, 'scope': 'project/web'}], ())):
            key, _ = self.person(*grants)
            with self.subTest(grants):
                self.assertEqual([m['id'] for m in self.server.get('/v1/models', key).json()['data']], list(want))
                for model in MODELS:
                    self.assertEqual(self.chat(key, model), 200 if model in want else 403, model)
                    self.assertEqual(self.server.get('/v1/models/' + model, key).status, 200 if model in want else 404)
        key, _ = self.person({**use, 'scope': 'project/web'}, project_id='web')
        self.assertEqual(self.chat(key, 'gpt-5'), 200)

    # --- moved ---

    def test_a_moved_user(self):
        """The same person, other teams: what one team gave is gone at once, for keys, tokens and sessions alike."""
        for team, role in (('red', 'developer'), ('blue', 'viewer')):
            self.call('POST', 'grants', {'principal': f'team/{team}', 'role': role, 'scope': f'team/{team}'})
        key, user = self.person()
        caller, _ = self.person(project_id='web')  # another key of hers, for models, in the project
        work = self.make('keys', 'zz', owner=user, scopes=['*'], name='zz-work', project_id='web')['key']
        email = next(r['email'] for r in self.rows['users'].values() if r['id'] == user)
        self.call('POST', f'users/{user}/password', {'password': 'seven blue goats ride', 'must_change': False})
        host = {'Host': f'localhost:{self.server.port}'}
        session = self.server.request('POST', '/api/v1/session', headers=host,
                                      body=json.dumps({'email': email, 'password': 'seven blue goats ride'}).encode())
        cookie = session.header('set-cookie').split(';')[0]
        token = self.server.request('POST', '/api/v1/tokens', body=b'{"permissions":["*"]}',
                                    headers={**host, 'Cookie': cookie, 'X-CSRF-Token': session.json()['csrf_token']}).json()
        self.assertEqual(self.chat(caller, 'gpt-5'), 403)  # somebody else's, who is in no team

        def may(team):
            """(sees the project, may make a key there) by each of what she has."""
            project = {'red': 'web', 'blue': 'lab'}[team]
            out = set()
            for have in ({'key': key}, {'key': token['access_token']}, {'headers': {**host, 'Cookie': cookie}}):
                out.add(self.server.request('GET', f'/api/v1/projects/{project}', **have).status == 200)
            return out, self.call('POST', 'keys', {'project_id': project, 'expires_at': '2020-01-01T00:00:00Z'}, key=key,
                                  expect=None).status == 400

        self.assertEqual((may('red'), may('blue')), (({False}, False), ({False}, False)))
        self.call('PUT', f'teams/red/members/{user}')
        self.assertEqual((may('red'), may('blue')), (({True}, True), ({False}, False)))
        self.assertEqual(self.chat(work, 'gpt-5'), 200)
        self.call('DELETE', f'teams/red/members/{user}')
        self.call('PUT', f'teams/blue/members/{user}')
        self.assertEqual((may('red'), may('blue')), (({False}, False), ({True}, False)))
        self.assertEqual(self.chat(work, 'gpt-5'), 403)
        # The project goes to another team: with it, who may do what there.
        lab = self.call('PATCH', 'projects/web', {'team_id': 'blue'})
        self.assertEqual(may('red')[0], {True}, lab)
        self.call('PATCH', 'projects/web', {'team_id': 'red'})
        self.assertEqual(may('red')[0], {False})
        self.call('DELETE', f'teams/blue/members/{user}')
        self.assertEqual((may('red'), may('blue')), (({False}, False), ({False}, False)))

    def test_other_roles_in_other_projects(self):
        key, _ = self.person({'role': 'developer', 'scope': 'project/web'}, {'role': 'viewer', 'scope': 'project/lab'})
        tried = {'expires_at': '2020-01-01T00:00:00Z'}
        for project, status in (('web', 400), ('lab', 403), ('solo', 403)):
            self.assertEqual(self.call('POST', 'keys', {**tried, 'project_id': project}, key=key, expect=None).status, status)
        ids = {r['called']: i for i, r in self.rows['projects'].items()}
        self.assertEqual(self.walk('projects', key), {ids['web'], ids['lab']})


if __name__ == '__main__':
    main()
