#!/usr/bin/env python3
"""Every endpoint x every role x every scope: what is answered is what the permission matrix and the scope say.

The endpoints and the permission of each come from the server's own description, the rights of a role from its printed
matrix. Callers are people with one grant each and a key of theirs. Requests are made so that they fail, if at all, only
after the permission was asked for: with names that are taken, versions that are gone, times that are over.
"""
import itertools
import json
import re
import threading
from collections import Counter

from harness import Conn, Incomplete, Suite, in_parallel, main, request_bytes

ROLES = ('owner', 'admin', 'developer', 'analyst', 'auditor', 'billing', 'viewer', 'service')
OVER = '2020-01-01T00:00:00Z'
GONE = {'If-Match': '"999999"'}  # a version that no row has
ACTING = {'X-Penstock-Tenant': 'beta'}


class Place:
    """Where a row lies; also: what a scope covers. The platform's: no tenant."""

    def __init__(self, tenant=None, team=None, project=None):
        self.tenant, self.team, self.project = tenant, team, project

    def __repr__(self):
        return '/'.join(p or '-' for p in (self.tenant, self.team, self.project))


A, T1, T2 = Place('alpha'), Place('alpha', 't1'), Place('alpha', 't2')
P1, P2 = Place('alpha', 't1', 'p1'), Place('alpha', 't2', 'p2')
B, PLATFORM = Place('beta'), Place()
SCOPES = {'platform': lambda p: True, 'tenant': lambda p: p.tenant == 'alpha', 'team/t1': lambda p: p.team == 't1',
          'project/p1': lambda p: p.project == 'p1', 'none': lambda p: False}


class Caller:
    def __init__(self, name, scope, rights, key, person=True):
        self.name, self.scope, self.rights, self.key, self.person = name, scope, rights, key, person

    def may(self, permission, place):
        if permission == 'grant:read' and place is PLATFORM:  # to be read, it is the tenant's as others are
            place = A
        return permission in self.rights and SCOPES[self.scope](place)

    def __repr__(self):
        return f'{self.name}@{self.scope}'


class Case:
    """A request that asks for one permission at one place."""

    def __init__(self, endpoint, path, place, permission=None, body=None, headers=None, row=None, people_only=False):
        self.endpoint, self.path, self.place, self.permission = endpoint, path, place, permission
        self.body, self.headers, self.row, self.people_only = body, headers or {}, row, people_only
        self.anywhere = False  # the permission is enough, wherever it holds
        self.lists = None  # {id: place} of rows that a list is to show to who may read them

    def __repr__(self):
        return f'{self.endpoint[0]} {self.path} ({self.permission} at {self.place})'


class Client:
    """A connection that is kept, for one thread."""

    def __init__(self, server):
        self.server, self.conn = server, None

    def ask(self, method, path, body, headers, key, stream=False):
        body = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        for attempt in (1, 2):
            try:
                self.conn = self.conn or self.server.conn()
                self.conn.send(request_bytes(method, path, body, headers, key))
                reply = self.conn.read_head() if stream else self.conn.read()
            except (Incomplete, ConnectionError):
                self.close()
                if attempt == 2:
                    raise
                continue
            if stream or reply.header('connection') == 'close':
                self.close()
            return reply
        return None

    def close(self):
        if self.conn:
            self.conn.close()
        self.conn = None


class Permissions(Suite):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.operator = cls.server.create_key('--admin')['key']
        spec = cls.server.request('GET', '/api/openapi.json').json()
        cls.endpoints, cls.open = {}, set()
        for path, verbs in spec['paths'].items():
            for verb, operation in verbs.items():
                needs = re.search(r'`([a-z_]+:[a-z_]+)`', operation.get('description', ''))
                cls.endpoints[verb.upper(), path] = needs.group(1) if needs else None
                if operation.get('security') == []:
                    cls.open.add((verb.upper(), path))
        matrix = cls.call('GET', 'access/matrix')
        cls.matrix = {r['name']: {f'{kind}:{a}' for kind, actions in r['permissions'].items() for a in actions}
                      for r in matrix['roles']}
        cls.everything = {f'{r["type"]}:{a}' for r in matrix['resources'] for a in r['actions']}
        cls.rows = {}
        for tenant in ('alpha', 'beta'):
            cls.make('tenants', B if tenant == 'beta' else A, name=tenant)
            cls.populate(tenant)
        cls.make_callers()
        cls.make_cases()

    @classmethod
    def widen(cls, text):
        kind, action = text.split(':')
        return {p for p in cls.everything if (kind in ('*', p.split(':')[0])) and (action in ('*', p.split(':')[1]))}

    @classmethod
    def call(cls, method, path, body=None, key=None, expect=(200, 201, 204), **headers):
        body = None if body is None else json.dumps(body).encode()
        reply = cls.server.request(method, '/api/v1/' + path, body=body, key=key or cls.operator,
                                   headers={k.replace('_', '-'): v for k, v in headers.items()})
        assert reply.status in expect, f'{method} {path}: {reply}'
        return reply.json() if reply.body else None

    @classmethod
    def make(cls, kind, place, tenant=None, **body):
        """A row, remembered with where it lies: rows[kind] = {id: place}."""
        headers = {} if kind == 'tenants' else {'X_Penstock_Tenant': tenant or place.tenant}
        row = cls.call('POST', kind, body, **headers)
        cls.rows.setdefault(kind, {})[row['id']] = place
        return row

    @classmethod
    def populate(cls, tenant):
        def at(team=None, project=None):
            return next(p for p in (A, T1, T2, P1, P2, B) if (p.tenant, p.team, p.project) == (tenant, team, project)) \
                if tenant == 'alpha' else B
        for n in '12':
            cls.make('teams', at('t' + n), name='t' + n)
            cls.make('projects', at('t' + n, 'p' + n), name='p' + n, team_id='t' + n)
        cls.make('users', at(), email=f'bystander@{tenant}.example')
        cls.make('service_accounts', at(), name='bot')
        cls.make('roles', at(), name='custom')
        cls.make('domains', at(), name=f'{tenant}.example')
        asker = cls.person(f'asker@{tenant}.example', tenant, role='viewer')
        spots = (('tenant', {}, at()), ('team/t1', {'team_id': 't1'}, at('t1')),
                 ('project/p1', {'project_id': 'p1'}, at('t1', 'p1')),
                 ('project/p2', {'project_id': 'p2'}, at('t2', 'p2')))
        for scope, where, place in spots:
            cls.make('budgets', place, name='b-' + scope.replace('/', '-'), scope=scope, metric='tokens', amount=1000000)
            cls.make('grants', place, principal=f'user/bystander@{tenant}.example', permissions=['event:read'],
                     scope=scope)
            key = cls.make('keys', place, **where)
            cls.call('POST', f'keys/{key["id"]}/revoke', X_Penstock_Tenant=tenant)
            row = cls.call('POST', 'elevations', {'role': 'service', 'scope': scope, 'duration': '1h', 'reason': 'x'}, key=asker)
            cls.rows.setdefault('elevations', {})[row['id']] = place

    @classmethod
    def person(cls, email, tenant, **grant):
        """The key of somebody with this grant."""
        place = A if tenant == 'alpha' else B
        user = cls.make('users', place, email=email)
        if grant:
            at = {'platform': PLATFORM, 'team/t1': T1, 'project/p1': P1}.get(grant.get('scope'), place)
            cls.make('grants', at, tenant, principal=user['id'], **grant)
        return cls.make('keys', place, owner=user['id'], scopes=['*'])['key']

    @classmethod
    def make_callers(cls):
        cls.callers = [Caller('nobody', 'none', set(), None)]
        for role, scope in itertools.product(ROLES, ('platform', 'tenant', 'team/t1', 'project/p1')):
            email = f'{role}-{scope.replace("/", "-")}@alpha.example'
            cls.callers.append(Caller(role, scope, cls.matrix[role], cls.person(email, 'alpha', role=role, scope=scope)))
        cls.callers.append(Caller('no grant', 'none', set(), cls.person('plain@alpha.example', 'alpha')))
        plain = cls.make('keys', A)['key']
        cls.callers.append(Caller('plain key', 'tenant', {'model:use', 'model:read'}, plain, person=False))
        reads = cls.make('keys', A, scopes=['*:read'])['key']
        cls.callers.append(Caller('key of its own', 'tenant', cls.widen('*:read'), reads, person=False))

    # --- the requests ---

    @classmethod
    def make_cases(cls):
        cls.cases = []
        for endpoint, permission in cls.endpoints.items():
            if endpoint in cls.open:
                continue
            own = list(cls.cases_of(endpoint, permission))
            cls.cases += own + [cls.elsewhere(case) for case in own[:1]]

    @classmethod
    def elsewhere(cls, case):
        """The like on behalf of the other tenant."""
        kind, row, path = case.path.removeprefix('/api/v1/').split('/')[0].split('?')[0], case.row, case.path
        if row and kind != 'tenants':
            row = next(i for i, p in cls.rows[kind].items() if p is B)
            path = path.replace(case.row, row)
        place = case.place if case.place is PLATFORM or kind == 'tenants' else B
        body = json.loads(json.dumps(case.body).replace('@alpha', '@beta')) if isinstance(case.body, dict) else case.body
        out = Case(case.endpoint, path.replace('%40alpha', '%40beta'), place, case.permission, body,
                   {**case.headers, **ACTING}, row, case.people_only)
        out.lists, out.anywhere = case.lists, case.anywhere
        return out

    @classmethod
    def cases_of(cls, endpoint, permission):
        method, path = endpoint
        kind, _, rest = path.removeprefix('/api/v1/').partition('/')
        special = cls.special(endpoint, permission)
        if special is not None:
            yield from special
        elif not rest and method == 'GET':
            case = Case(endpoint, path + '?limit=1000', A, permission)
            case.lists = dict(cls.rows[kind])
            yield case
            if kind != 'tenants':
                yield cls.wrong_query(endpoint, permission)
        elif not rest and method == 'POST':
            yield from cls.creations(endpoint, kind, permission)
        else:
            for row, place in cls.some_rows(kind):
                yield cls.on_row(endpoint, kind, permission, row, place)

    @staticmethod
    def wrong_query(endpoint, permission):
        """What is wrong is told to those alone who may read something of the kind."""
        case = Case(endpoint, endpoint[1] + ('?status=x' if 'usage' in endpoint[1] else '?limit=0'), A, permission)
        case.anywhere = True
        return case

    @classmethod
    def some_rows(cls, kind):
        """One of each place, and the two tenants themselves."""
        seen = set()
        for row, place in cls.rows[kind].items():
            if (place.tenant == 'beta' and kind != 'tenants') or place in seen:
                continue
            seen.add(place)
            yield row, place

    @classmethod
    def on_row(cls, endpoint, kind, permission, row, place):
        method, path = endpoint
        bodies = {'users': {'name': 'N'}, 'keys': {'name': 'n'}, 'budgets': {'amount': 5}}
        body = {'PATCH': bodies.get(kind, {'title': 'T'})}.get(method)
        if path.endswith('/password'):
            body = {'password': 'x'}
        member = next(iter(cls.rows['users']))
        path = path.replace('{id}', row).replace('{principal}', member)
        return Case(endpoint, path, place, permission, body, {} if method in ('GET', 'PUT') else GONE, row=row)

    @classmethod
    def creations(cls, endpoint, kind, permission):
        spots = (('tenant', {}, A), ('team/t1', {'team_id': 't1'}, T1), ('project/p1', {'project_id': 'p1'}, P1),
                 ('project/p2', {'project_id': 'p2'}, P2), ('team/t2', {'team_id': 't2'}, T2))
        body = {'teams': {'name': 't1'}, 'users': {'email': 'bystander@alpha.example'}, 'service_accounts': {'name': 'bot'},
                'roles': {'name': 'custom'}, 'tenants': {'name': 'beta'}}.get(kind)
        if body:
            yield Case(endpoint, endpoint[1], PLATFORM if kind == 'tenants' else A, permission, body)
            return
        parent = next(i for i, p in cls.rows['grants'].items() if p is A)
        for scope, where, place in spots:
            if kind == 'projects' and 'project_id' not in where:
                yield Case(endpoint, endpoint[1], place, permission, {'name': 'p1', **where})
            if kind == 'keys':
                yield Case(endpoint, endpoint[1], place, permission, {'expires_at': OVER, **where})
            if kind == 'budgets':
                yield Case(endpoint, endpoint[1], place, permission,
                           {'name': 'b-tenant', 'scope': scope, 'metric': 'tokens', 'amount': 1})
            if kind == 'elevations':
                yield Case(endpoint, endpoint[1], place, permission,
                           {'role': 'no-such', 'scope': scope, 'duration': '1h', 'reason': 'x'}, people_only=True)
            if kind == 'grants':
                body = {'principal': 'user/bystander@alpha.example', 'permissions': ['event:read'], 'scope': scope,
                        'expires_at': OVER}
                yield Case(endpoint, endpoint[1], place, permission, body)
                yield Case(endpoint, endpoint[1], place, 'grant:delegate', {**body, 'parent_id': parent})

    @classmethod
    def special(cls, endpoint, permission):
        """Endpoints that are no list, no creation and not about a row by its id."""
        method, path = endpoint
        rest = path.removeprefix('/api/v1/')
        if rest in ('usage', 'usage/sums'):
            all_there_is = Case(endpoint, path, A, permission)
            all_there_is.anywhere = True  # of all, what may be seen
            return [all_there_is] + [Case(endpoint, path + query, place, permission) for query, place in
                                     (('?team=t1', T1), ('?project=p1', P1), ('?project=p2', P2))] + \
                [cls.wrong_query(endpoint, permission)]
        if rest == 'session' or rest.startswith('session/'):
            return [Case(endpoint, path, A, None, {}, people_only=endpoint != ('GET', '/api/v1/session'))]
        if rest == 'tokens':
            return [Case(endpoint, path, A, None, {'permissions': []})]
        other = 'user/bystander@alpha.example'
        plain = {
            'sessions': Case(endpoint, path + '?user=all', A, 'session:read'),
            'sessions/{id}': Case(endpoint, path.replace('{id}', 'session_000000000zzzz'), A, 'session:delete'),
            'access/check': Case(endpoint, path, A, 'grant:read', {'action': 'key:read', 'principal': other}),
            'access/explain': Case(endpoint, f'{path}?action=key:read&principal=user/no-such%40alpha.example', A,
                                   'grant:read'),
            'keys/identify': Case(endpoint, path, A, permission, {'key': 'ps-none'}),
            'quality': Case(endpoint, path, A, permission),
            'access/matrix': Case(endpoint, path, A, permission),
            'access/review': Case(endpoint, path, A, permission),
            'audit': Case(endpoint, path + '?limit=1', A, permission),
            'audit/{seq}': Case(endpoint, path.replace('{seq}', '1'), A, permission),
            'audit/export': Case(endpoint, path + '?request_id=none', A, permission),
            'audit/checkpoints': Case(endpoint, path, A, permission),
            'audit/verify': Case(endpoint, path, A, permission, {'since': 0}),
            'content/{request_id}': Case(endpoint, path.replace('{request_id}', 'req_' + '0' * 13), A, permission),
            'tenants/{id}/proof': Case(endpoint, path.replace('{id}', 'no-such'), PLATFORM, permission),
            'events': Case(endpoint, path, PLATFORM, permission),
            'models/catalog': Case(endpoint, path + '?q=gpt-4o-mini', A, permission),
            'targets': Case(endpoint, path, PLATFORM, permission),
            'canaries': Case(endpoint, path, PLATFORM, permission),
            'shadows': Case(endpoint, path, PLATFORM, permission),
            'experiments': Case(endpoint, path, PLATFORM, permission),
            **{f'canaries/{{model}}/{verb}': Case(endpoint, path.replace('{model}', 'tried'), PLATFORM, permission)
               for verb in ('pause', 'resume', 'promote', 'rollback', 'restart')},
            'models/catalog/refresh': Case(endpoint, path + '?dry_run=true', PLATFORM, permission),
        }
        if rest.startswith('domains') and method != 'GET':
            return [Case(endpoint, path.replace('{id}', 'no-such'), PLATFORM, permission, {'name': 'alpha.example'})]
        if endpoint == ('DELETE', '/api/v1/tenants/{id}'):
            return [Case(endpoint, path.replace('{id}', 'no-such'), PLATFORM, permission, {'confirm': ''})]
        if rest in plain:
            return [plain[rest]]
        if rest == 'config' or rest.startswith('config/'):
            query = '' if method == 'GET' else '?dry_run=true' if rest not in ('config/validate', 'config/diff') else ''
            if rest == 'config/live':
                query += '&key=nothing'
            return [Case(endpoint, path.replace('{version}', '999999') + query, PLATFORM, permission,
                         None if method in ('GET', 'DELETE') else b'{')]
        return None

    # --- what is to come of them ---

    @staticmethod
    def expect(caller, case):
        """(whether it is allowed, the status if not, the events then)"""
        if caller.key is None:
            return False, 401, 0
        if ACTING.items() <= case.headers.items() and not caller.may('tenant:act_as', B):
            return False, 403, 1
        if case.permission is None:
            return (False, 403, 0) if case.people_only else (True, None, 0)
        if case.endpoint == ('GET', '/api/v1/tenants'):  # a list of what there may be elsewhere, too: never refused
            return True, None, 0
        if case.lists is not None or case.anywhere:
            return case.permission in caller.rights and caller.scope != 'none', 403, 1
        allowed = caller.may(case.permission, case.place)
        if allowed and case.people_only and not caller.person:
            return False, 403, 0
        reads = caller.may(case.permission.split(':')[0] + ':read', case.place)
        return allowed, 403 if reads or not case.row else 404, 1

    @staticmethod
    def told(reply):
        return f'{reply.status} {reply.body[:60]!r}' if reply.status < 400 else f'{reply.status} {reply.json().get("detail")}'

    def judge(self, caller, case, reply, faults):
        allowed, status, _ = self.expect(caller, case)
        if not allowed:
            if reply.status != status:
                faults.append(f'{caller}: {case}: {status} was expected: {self.told(reply)}')
        elif reply.status in (401, 403) or reply.status >= 500 or \
                (reply.status == 404 and case.row and b'not found' in reply.body):
            faults.append(f'{caller}: {case}: it should have been let through: {self.told(reply)}')
        elif case.lists is not None:
            page = reply.json()
            shown = {r['id'] for r in page['data']}
            tenant = 'beta' if 'X-Penstock-Tenant' in case.headers else 'alpha'
            want = {i for i, p in case.lists.items() if caller.may(case.permission, p) and
                    (case.permission == 'tenant:read' or (p.tenant or 'alpha') == tenant)}
            seen = shown & set(case.lists)
            if seen != want or page['total'] != len(shown):
                faults.append(f'{caller}: {case}: not the rows that may be read: {seen ^ want} of {page["total"]}')
        elif reply.status < 300 and 'If-Match' in case.headers and case.endpoint[0] != 'GET' and \
                not case.path.endswith('/revoke') and '/members/' not in case.path:
            faults.append(f'{caller}: {case}: was not to be carried out: {self.told(reply)}')

    def test_every_endpoint_role_and_scope(self):
        faults, asked, lock = [], [], threading.Lock()
        covered = {c.endpoint for c in self.cases}
        self.assertEqual(set(self.endpoints) - self.open - covered, set(), 'endpoints that no request is made to')
        self.assertEqual(self.open, {('POST', '/api/v1/session'), ('GET', '/.well-known/jwks.json'), ('GET', '/branding.json'), ('GET', '/branding/logo'),
                                     ('GET', '/api/openapi.json'), ('GET', '/docs'), ('GET', '/docs/page.js'),
                                     ('GET', '/docs/page.css')})
        self.assertEqual(set(self.matrix) - {'custom'}, set(ROLES))

        def work(n):
            client, mine, wrong = Client(self.server), [], []
            for caller in self.callers[n::4]:
                for case in self.cases:
                    reply = client.ask(case.endpoint[0], case.path, case.body, case.headers, caller.key,
                                       stream=case.endpoint[1] == '/api/v1/events')
                    mine.append((caller, case, reply))
                    self.judge(caller, case, reply, wrong)
            client.close()
            with lock:
                asked.extend(mine)
                faults.extend(wrong)

        in_parallel(4, work)
        self.check_trail(asked, faults)
        self.assertEqual(len(faults), 0, f'{len(faults)} differences, the first:\n' + '\n'.join(faults[:40]))

    def check_trail(self, asked, faults):
        """One event for each request that was denied or that changed something, none for the others."""
        events, outcome = self.trail()
        for caller, case, reply in asked:
            allowed, _, want = self.expect(caller, case)
            if allowed:
                reads = case.endpoint[0] == 'GET' or case.permission in ('grant:read', 'config:read', 'audit:verify')
                told = case.permission in ('audit:export', 'content:read', 'tenant:export')  # though nothing changes
                want = int(reply.status < 300 and 'dry_run' not in case.path and (told or not reads))
            n = events[reply.request_id]
            if allowed and case.permission == 'content:read' and reply.status == 404 and n == 1:
                continue  # a look at what is not there may be told, too
            if n != want or (want and not allowed and outcome[reply.request_id] != 'denied'):
                faults.append(f'{caller}: {case}: {n} events in place of {want}: {self.told(reply)}')

    def trail(self):
        """How many events there are of each request, and the outcome in the last of them."""
        events, outcome = Counter(), {}
        for tenant in ('alpha', 'beta', 'default'):
            cursor = ''
            while cursor is not None:
                page = self.call('GET', f'audit?limit=1000&cursor={cursor}', X_Penstock_Tenant=tenant)
                for event in page['data']:
                    events[event['request_id']] += 1
                    outcome[event['request_id']] = event['outcome']
                cursor = page['next_cursor']
        return events, outcome

    def test_what_was_done_is_told_once(self):
        """Each kind is made, changed and deleted by an owner: an event for each, with what was before and after."""
        owner = next(c.key for c in self.callers if (c.name, c.scope) == ('owner', 'tenant'))
        client, done = Client(self.server), []
        for kind, body, change in (
                ('teams', {'name': 'once'}, {'title': 'x'}), ('projects', {'name': 'once'}, {'title': 'x'}),
                ('users', {'email': 'once@alpha.example'}, {'name': 'x'}), ('roles', {'name': 'once'}, {'title': 'x'}),
                ('service_accounts', {'name': 'once'}, {'status': 'disabled'}), ('keys', {'name': 'once'}, {'name': 'x'}),
                ('budgets', {'name': 'once', 'metric': 'tokens', 'amount': 1}, {'amount': 2}),
                ('grants', {'principal': 'user/bystander@alpha.example', 'role': 'viewer'}, None)):
            made = client.ask('POST', f'/api/v1/{kind}', body, {}, owner)
            self.assertEqual(made.status, 201, made)
            path = f'/api/v1/{kind}/{made.json()["id"]}'
            again = client.ask('PATCH', path, change, {}, owner) if change else None
            gone = client.ask('DELETE', path, None, {}, owner)
            self.assertEqual(gone.status, 204, gone)
            done += [(f'{kind}: {what}', reply) for what, reply in (('made', made), ('changed', again), ('deleted', gone))
                     if reply]
        client.close()
        events, outcome = self.trail()
        for what, reply in done:
            self.assertEqual((events[reply.request_id], outcome.get(reply.request_id)), (1, 'ok'), what)


if __name__ == '__main__':
    main()
