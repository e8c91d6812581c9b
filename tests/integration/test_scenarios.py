#!/usr/bin/env python3
"""The written scenarios of who may do what (tests/unit/access/scenarios.txt), asked through what users touch.

The world they describe is made through the admin API of a running server. Then each question is asked by
POST /api/v1/access/check, of the endpoint itself that the action is about, as the person with a key of theirs, and of
`penstock access explain`, on the data directory and with --server. GraphQL and WebSocket are to join when they are there.
"""
import json
import os
import time
from datetime import datetime, timezone

from harness import ROOT, Suite, clean_environment, fake_provider, main, run_cli

PATH = os.path.join(ROOT, 'tests', 'unit', 'access', 'scenarios.txt')
NOW = int(time.time())
GONE = {'If-Match': '"999999"'}  # a version that no row has: refused only after the permission was asked for
OVER = '2020-01-01T00:00:00Z'
# Grants whose giver does not have what they give. The engine is asked about them as they stand in the file; the API does
# not let them come to be, with the same answers after.
NOT_THEIRS_TO_GIVE = {'too-much', 'no-longer'}
MODELS = ('gpt-5', 'gpt-5-mini', 'claude-sonnet', 'secret-1', 'm')


def moment(seconds):
    return datetime.fromtimestamp(NOW + int(seconds), timezone.utc).isoformat().replace('+00:00', 'Z')


class Question:
    def __init__(self, line, words):
        self.line, (self.answer, self.who, self.permission, place, name) = line, words[:5]
        self.name = None if name == '-' else name
        self.tenant, self.team, self.project = ([None if p == '-' else p for p in place.split('/')] + [None, None])[:3]
        self.more = dict(word.split('=', 1) for word in words[5:])
        self.kind, self.action = self.permission.split(':')

    def __repr__(self):
        return f'line {self.line}: {self.who} {self.permission}'


class Scenarios(Suite):
    @classmethod
    def config(cls):
        return {'providers': [fake_provider(cls.fake)], 'log': {'format': 'json'},
                'models': [{'name': n, 'targets': [{'provider': 'fake', 'model': 'up'}]} for n in MODELS]}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.operator = cls.server.create_key('--admin')['key']
        cls.home, cls.ids, cls.grants, cls.keys, cls.rows = {}, {}, {}, {}, {}
        cls.refused, cls.to_suspend, cls.questions = set(), [], []
        with open(PATH, encoding='utf-8') as f:
            lines = [(i, line.split()) for i, line in enumerate(f, 1)]
        for number, words in lines:
            if words and words[0] == 'ask':
                cls.questions.append(Question(number, words[1:]))
            elif words and not words[0].startswith('#'):
                getattr(cls, 'make_' + words[0])(*words[1:])
        cls.make_user('gina', 'acme')  # of whom the file knows nothing else
        for q in cls.questions:
            cls.make_row(q)
        for kind, name, body, tenant in cls.to_suspend:
            cls.call(*((('POST', f'tenants/{name}/suspend', {})) if kind == 'tenant' else
                       ('PATCH', f'users/{cls.ids[name]}', body)), tenant=tenant)

    @classmethod
    def call(cls, method, path, body=None, tenant=None, key=None, expect=(200, 201, 204), **headers):
        if tenant:
            headers['X-Penstock-Tenant'] = tenant
        reply = cls.server.request(method, '/api/v1/' + path, body=None if body is None else json.dumps(body).encode(),
                                   key=key or cls.operator, headers=headers)
        assert expect is None or reply.status in expect, f'{method} {path} {body}: {reply}'
        return reply if expect is None else reply.json() if reply.body else None

    # --- the world ---

    @classmethod
    def make_tenant(cls, name, suspended=None):
        cls.ids[name] = cls.call('POST', 'tenants', {'name': name})['id']
        if suspended:
            cls.to_suspend.append(('tenant', name, None, None))

    @classmethod
    def make_team(cls, name, tenant):
        cls.call('POST', 'teams', {'name': name}, tenant)

    @classmethod
    def make_project(cls, name, tenant, team=None):
        cls.call('POST', 'projects', {'name': name, 'team_id': team}, tenant)

    @classmethod
    def make_user(cls, name, tenant, suspended=None):
        cls.home[name] = tenant
        cls.ids[name] = cls.call('POST', 'users', {'email': f'{name}@{tenant}.example'}, tenant)['id']
        if suspended:
            cls.to_suspend.append(('user', name, {'status': 'disabled'}, tenant))

    @classmethod
    def make_account(cls, name, tenant):
        cls.home[name] = tenant
        cls.ids[name] = cls.call('POST', 'service_accounts', {'name': name}, tenant)['id']

    @classmethod
    def make_member(cls, team, who):
        cls.call('PUT', f'teams/{team}/members/{cls.ids[who]}', tenant=cls.home[who])

    @classmethod
    def make_role(cls, tenant, name, parents, gives):
        parents, gives = (text.split('=')[1] for text in (parents, gives))
        cls.call('POST', 'roles', {'name': name, 'parents': [] if parents == '-' else parents.split(','),
                                   'permissions': gives.split(',')}, tenant)

    @classmethod
    def principal(cls, who, tenant):
        if who.startswith('everybody:'):
            return 'tenant'
        if who.startswith('team:'):
            return who.replace(':', '/')
        if cls.home[who] != tenant:
            return cls.ids[who]  # a guest is named by the id
        return f'service_account/{who}' if cls.ids[who].startswith('sa_') else f'user/{who}@{tenant}.example'

    @classmethod
    def make_grant(cls, name, tenant, who, what, scope, *more):
        kind, value = what.split('=')
        body = {'principal': cls.principal(who, tenant), 'scope': scope.replace(':', '/'),
                **({'role': value} if kind == 'role' else {'permissions': value.split(',')})}
        giver = None
        for word in more:
            option, _, value = word.partition('=')
            if option == 'deny':
                body['effect'] = 'deny'
            elif option == 'by':
                giver = value
            elif option != 'revoked':
                field = {'on': 'resource', 'if': 'condition', 'from': 'not_before', 'until': 'expires_at', 'of': 'parent_id'}
                body[field[option]] = cls.grants[value] if option == 'of' else moment(value) if option in ('from', 'until') \
                    else value
        if giver:
            cls.may_delegate(giver)
        expect = (403,) if name in NOT_THEIRS_TO_GIVE else (201,)
        made = cls.call('POST', 'grants', body, None if giver else tenant, key=giver and cls.key_of(giver), expect=expect)
        cls.grants[name] = made.get('id')
        if 'revoked' in more:
            cls.call('DELETE', f'grants/{made["id"]}', tenant=tenant)

    @classmethod
    def may_delegate(cls, who):
        """To hand on what one has is a permission of its own, which the file does not speak of."""
        if ('delegates', who) not in cls.keys:
            cls.call('POST', 'grants', {'principal': cls.ids[who], 'permissions': ['grant:delegate']}, cls.home[who])
            cls.keys['delegates', who] = True

    @classmethod
    def key_of(cls, who, scopes=('*',), team=None, project=None):
        """A key of theirs: what it may do is what they may do."""
        at = (who, tuple(scopes), team, project)
        if at not in cls.keys:
            body = {'owner': cls.ids[who], 'scopes': list(scopes), 'team_id': team, 'project_id': project}
            cls.keys[at] = cls.call('POST', 'keys', body, cls.home[who])['key']
        return cls.keys[at]

    @classmethod
    def make_row(cls, q):
        """What the question is about, where it is a row that is to be there already; and the keys to ask with."""
        cls.key_of(q.who)
        if q.kind == 'model' and cls.home[q.who] == q.tenant:
            cls.key_of(q.who, team=q.team, project=q.project)
        if q.name is None or q.action == 'create' or q.kind not in ('key', 'budget'):
            return
        at = (q.kind, q.name, q.tenant, q.team, q.project)
        if at not in cls.rows:
            body = {'name': q.name, 'team_id': q.team, 'project_id': q.project}
            if q.kind == 'budget':
                body = {'name': q.name, 'metric': 'tokens', 'amount': 1000}
            cls.rows[at] = cls.call('POST', q.kind + 's', body, q.tenant)['id']

    @classmethod
    def resource(cls, q):
        return cls.rows.get((q.kind, q.name, q.tenant, q.team, q.project), q.name)

    # --- the questions ---

    def each(self, ask):
        faults = []
        for q in self.questions:
            told = ask(q)
            if told is not None and told != q.answer:
                faults.append(f'{q}: {q.answer} was expected, {told} came')
        self.assertEqual(faults, [], '\n'.join(faults))
        self.assertGreaterEqual(len(self.questions), 50)

    def test_check(self):
        def ask(q):
            body = {'principal': self.principal(q.who, q.tenant or self.home[q.who]), 'action': q.permission,
                    'resource': self.resource(q), 'team': q.team, 'project': q.project}
            if 'tags' in q.more:
                body['tags'] = dict(t.split('=') for t in q.more['tags'].split(','))
            if 'at' in q.more:
                body['at'] = moment(q.more['at'])
            if 'scopes' in q.more:
                body['scopes'] = q.more['scopes'].split(',')
            answer = self.call('POST', 'access/check', body, q.tenant or self.home[q.who])
            self.assertEqual(answer['allowed'], answer['reason'] == 'granted', q)
            self.assertEqual(answer['grant_id'] is not None, answer['reason'] in ('granted', 'denied'), q)
            return answer['reason']
        self.each(ask)

    def explain(self, q, run):
        at = {'at': moment(q.more['at'])} if 'at' in q.more else {}
        words = {'team': q.team, 'project': q.project, **q.more, **at}
        done = run('access', 'explain', self.principal(q.who, q.tenant or self.home[q.who]), q.permission,
                   *([self.resource(q)] if q.name else []), *(f'{k}={v}' for k, v in words.items() if v), '--json',
                   '--tenant', q.tenant or self.home[q.who])
        self.assertIn(done.returncode, (0, 5), f'{q}: {done.stderr}')
        answer = json.loads(done.stdout)
        self.assertEqual((done.returncode == 0, bool(answer['chain'])),
                         (answer['allowed'], answer['reason'] in ('granted', 'denied')), q)
        return answer['reason']

    def test_explain_on_the_data_directory(self):
        self.each(lambda q: self.explain(q, self.server.cli))

    def test_explain_of_a_server(self):
        env = clean_environment(PENSTOCK_API_KEY=self.operator, HOME='/nonexistent')
        self.each(lambda q: self.explain(
            q, lambda *a: run_cli(*a, '--server', f'http://127.0.0.1:{self.server.port}', env=env)))

    # --- the acts themselves ---

    def request(self, q):
        """What the endpoint of the action is asked, or None: (method, path, body, headers)."""
        row = self.resource(q)
        over = {'expires_at': OVER, 'team_id': q.team, 'project_id': q.project}
        return {
            'tenant:create': ('POST', 'tenants', {'name': 'beta'}, {}),  # taken
            'tenant:suspend': ('POST', f'tenants/{q.tenant}/suspend', {}, GONE),
            'tenant:read': ('GET', f'tenants/{self.ids.get(q.tenant)}', None, {}),
            'role:create': ('POST', 'roles', {'name': 'tester'}, {}),  # taken
            'key:read': ('GET', f'keys/{row}', None, {}),
            'key:create': ('POST', 'keys', over, {}),
            'key:rotate': ('POST', f'keys/{row}/rotate', {}, GONE),
            'key:delete': ('DELETE', f'keys/{row}', None, GONE),
            'budget:create': ('POST', 'budgets', {'name': q.name, 'metric': 'apples', 'amount': 1}, {}),
            'budget:delete': ('DELETE', f'budgets/{row}', None, GONE),
            'audit:read': ('GET', 'audit?limit=1', None, {}),
        }.get(q.permission)

    def of_the_endpoint(self, q):
        """Whether the act is let through; None when it cannot be tried as the scenario has it."""
        if q.more.keys() & {'at', 'tags'} or (q.tenant not in (None, self.home[q.who]) and q.permission != 'tenant:read'):
            return None  # not now, not tagged, or of a guest, who needs tenant:act_as for other than models
        scopes = q.more['scopes'].split(',') if 'scopes' in q.more else ('*',)
        if q.permission == 'model:use':
            body = {'model': q.name, 'messages': [{'role': 'user', 'content': 'x'}]}
            reply = self.server.request('POST', '/v1/chat/completions', body=json.dumps(body).encode(),
                                        key=self.key_of(q.who, scopes, q.team, q.project))
            return reply.status == 200
        asked = self.request(q)
        if not asked:
            return None
        method, path, body, headers = asked
        reply = self.call(method, path, body, key=self.key_of(q.who, scopes), expect=None, **headers)
        type(self).last = reply
        self.assertLess(reply.status, 500, q)
        return reply.status not in (401, 403, 404)

    def test_the_endpoints_do_as_they_say(self):
        asked, faults = 0, []
        for q in self.questions:
            done = self.of_the_endpoint(q)
            asked += done is not None
            if done is not None and done != (q.answer == 'granted'):
                faults.append(f'{q}: {q.answer}, and the endpoint {"did" if done else "did not do"} it: {self.last}')
        self.assertEqual(faults, [], '\n'.join(faults))
        self.assertGreaterEqual(asked, 35)


if __name__ == '__main__':
    main()
