#!/usr/bin/env python3
"""The admin API's resources on the real server: making, reading, changing, deleting, paging, rights, other tenants."""
import json
import subprocess
import tempfile

from harness import HERE, Suite, clean_environment, main


class Api(Suite):
    """What every case needs: an operator's key, requests in JSON, keys with rights."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.operator = cls.server.create_key('--admin')['key']

    def call(self, method, path, body=None, key=None, status=None, **headers):
        headers = {name.replace('_', '-'): value for name, value in headers.items()}
        body = None if body is None else json.dumps(body).encode()
        reply = self.server.request(method, '/api/v1/' + path, body=body, key=key or self.operator, headers=headers)
        if status is not None:
            self.assertEqual(reply.status, status, f'{method} {path}: {reply}')
        return reply

    def make(self, path, body, **more):
        return self.call('POST', path, body, status=201, **more).json()

    def problem(self, reply, status, code, field=None):
        self.assertEqual(reply.status, status, reply)
        self.assertEqual(reply.header('content-type'), 'application/problem+json')
        problem = reply.json()
        self.assertEqual((problem['status'], problem['code']), (status, code), problem)
        for member in ('type', 'title', 'detail', 'request_id'):
            self.assertTrue(problem[member], problem)
        if field:
            self.assertEqual(problem.get('field'), field, problem)
        return problem

    def tenant(self, name):
        return self.make('tenants', {'name': name})


class Resources(Api):
    def test_each_is_made_read_changed_and_deleted(self):
        self.make('teams', {'name': 'crud-team'})
        self.make('projects', {'name': 'crud-project', 'team_id': 'crud-team'})
        cases = [
            ('teams', {'name': 'red', 'title': 'Red', 'tags': {'env': 'prod'}}, {'title': 'Scarlet'}, 204),
            ('projects', {'name': 'p1', 'team_id': 'crud-team'}, {'title': 'One', 'team_id': None}, 204),
            ('users', {'email': 'Ada@Example.com', 'name': 'Ada'}, {'name': 'Ada L.'}, 204),
            ('service_accounts', {'name': 'bot'}, {'title': 'A bot'}, 204),
            ('roles', {'name': 'rotator', 'permissions': ['key:rotate'], 'parents': ['viewer']},
             {'permissions': ['key:rotate', 'key:read']}, 204),
            ('keys', {'name': 'k', 'project_id': 'crud-project', 'scopes': ['model:use', 'usage:read']},
             {'name': 'k2', 'addresses': ['10.0.0.0/8']}, 204),
            ('budgets', {'name': 'b', 'scope': 'project/crud-project', 'metric': 'cost', 'amount': 12.5},
             {'amount': 20}, 204),
        ]
        for path, body, change, gone in cases:
            with self.subTest(path):
                made = self.call('POST', path, body, status=201)
                row = made.json()
                self.assertEqual(made.header('location'), f'/api/v1/{path}/{row["id"]}')
                self.assertEqual(made.header('etag'), '"1"')
                read = self.call('GET', f'{path}/{row["id"]}', status=200)
                # A new budget is counted by the ledger until the server has it.
                apart = ('key', 'counted')
                self.assertEqual({k: v for k, v in read.json().items() if k not in apart},
                                 {k: v for k, v in row.items() if k not in apart})
                changed = self.call('PATCH', f'{path}/{row["id"]}', change, status=200)
                self.assertEqual(changed.json()['version'], 2)
                for field, value in change.items():
                    self.assertEqual(changed.json()[field], value)
                self.assertIn(row['id'], [r['id'] for r in self.call('GET', f'{path}?limit=1000').json()['data']])
                self.assertEqual(self.call('DELETE', f'{path}/{row["id"]}').status, gone)
                if path != 'keys':
                    self.problem(self.call('GET', f'{path}/{row["id"]}'), 404, 'not_found')

    def test_names_serve_as_ids(self):
        team = self.make('teams', {'name': 'named'})
        self.assertEqual(self.call('GET', 'teams/named', status=200).json(), team)
        user = self.make('users', {'email': 'grace@example.com'})
        self.assertEqual(self.call('GET', 'users/grace%40example.com', status=200).json(), user)

    def test_wrong_bodies(self):
        self.problem(self.call('POST', 'teams', {}), 400, 'missing_required_parameter', 'name')
        near = self.problem(self.call('POST', 'teams', {'name': 'x', 'titel': 'y'}), 400, 'invalid_value', 'titel')
        self.assertEqual(near['near'], 'title')
        self.problem(self.call('POST', 'teams', {'name': 'Not a name'}), 400, 'invalid_value', 'name')
        self.make('teams', {'name': 'twice'})
        self.problem(self.call('POST', 'teams', {'name': 'twice'}), 409, 'already_exists', 'name')
        self.problem(self.call('POST', 'projects', {'name': 'x', 'team_id': 'nobody'}), 400, 'invalid_value', 'team_id')
        self.problem(self.call('POST', 'roles', {'name': 'owner'}), 400, 'invalid_value')
        self.problem(self.call('POST', 'roles', {'name': 'r', 'permissions': ['kee:read']}), 400, 'invalid_value')
        self.problem(self.call('POST', 'keys', {'scopes': ['everything']}), 400, 'invalid_value', 'scopes')
        self.problem(self.call('GET', 'teams?colour=red'), 400, 'invalid_value')
        self.problem(self.call('GET', 'teams?limit=0'), 400, 'invalid_value', 'limit')
        self.problem(self.call('GET', 'teams?sort=tags'), 400, 'invalid_value', 'sort')
        self.problem(self.call('GET', 'teams?fields=nam'), 400, 'invalid_value', 'fields')
        self.problem(self.call('GET', 'teams?cursor=AAAA'), 400, 'invalid_value', 'cursor')
        reply = self.server.request('POST', '/api/v1/teams', body=b'{"name":', key=self.operator)
        self.problem(reply, 400, 'invalid_json')

    def test_pages(self):
        for i in range(7):
            self.make('teams', {'name': f'page-{i}', 'title': f'{i % 2}'})
        for sort in ('', '&sort=name', '&sort=-name', '&sort=-title', '&sort=created_at'):
            with self.subTest(sort):
                whole = self.call('GET', f'teams?name.contains=page-&limit=100{sort}').json()
                self.assertEqual((whole['total'], whole['next_cursor']), (7, None))
                seen, cursor = [], ''
                while cursor is not None:
                    page = self.call('GET', f'teams?name.contains=page-&limit=3{sort}&cursor={cursor}', status=200).json()
                    self.assertEqual(page['total'], 7)
                    seen += page['data']
                    cursor = page['next_cursor']
                self.assertEqual(seen, whole['data'])
        names = [t['name'] for t in self.call('GET', 'teams?name.contains=page-&sort=-name').json()['data']]
        self.assertEqual(names, sorted(names, reverse=True))

    def test_a_page_survives_what_comes_and_goes(self):
        rows = [self.make('teams', {'name': f'moving-{i}'}) for i in range(4)]
        page = self.call('GET', 'teams?name.contains=moving-&limit=2').json()
        self.call('DELETE', f'teams/{rows[1]["id"]}', status=204)
        self.make('teams', {'name': 'moving-9'})
        rest = self.call('GET', f'teams?name.contains=moving-&limit=9&cursor={page["next_cursor"]}').json()
        self.assertEqual([r['name'] for r in rest['data']], ['moving-2', 'moving-3', 'moving-9'])

    def test_filters_and_fields(self):
        self.make('users', {'email': 'f1@example.com', 'name': 'First'})
        self.make('users', {'email': 'f2@example.com', 'name': 'Second', 'status': 'disabled'})
        rows = self.call('GET', 'users?status=disabled&fields=id,email').json()['data']
        self.assertEqual([r['email'] for r in rows], ['f2@example.com'])
        self.assertEqual(set(rows[0]), {'id', 'email'})
        self.assertEqual(self.call('GET', 'users?q=FIRST').json()['total'], 1)
        self.assertEqual(self.call('GET', 'users?created_at.lt=2020-01-01').json()['total'], 0)
        self.problem(self.call('GET', 'users?password_hash=x'), 400, 'invalid_value')

    def test_versions(self):
        team = self.make('teams', {'name': 'versioned'})
        path = f'teams/{team["id"]}'
        self.call('PATCH', path, {'title': 'a'}, status=200, If_Match='"1"')
        self.problem(self.call('PATCH', path, {'title': 'b'}, If_Match='"1"'), 412, 'version_conflict')
        self.problem(self.call('DELETE', path, If_Match='"1"'), 412, 'version_conflict')
        self.problem(self.call('PATCH', path, {'title': 'b'}, If_Match='1'), 400, 'invalid_value', 'If-Match')
        self.assertEqual(self.call('GET', path).json()['title'], 'a')
        self.call('DELETE', path, status=204, If_Match='"2"')

    def test_idempotency_keys(self):
        body = {'name': 'once'}
        first = self.call('POST', 'keys', body, status=201, Idempotency_Key='abc-1')
        again = self.call('POST', 'keys', body, status=201, Idempotency_Key='abc-1')
        self.assertEqual(first.json(), again.json())
        self.assertEqual(first.json()['key'], again.json()['key'])
        self.assertEqual(first.header('location'), again.header('location'))
        self.assertIsNone(first.header('idempotency-replayed'))
        self.assertEqual(again.header('idempotency-replayed'), 'true')
        self.assertEqual(self.call('GET', 'keys?name=once').json()['total'], 1)
        self.problem(self.call('POST', 'keys', {'name': 'other'}, Idempotency_Key='abc-1'), 409, 'invalid_value',
                     'Idempotency-Key')
        self.problem(self.call('POST', 'teams', {'name': 'Bad Name'}, Idempotency_Key='abc-2'), 400, 'invalid_value')
        self.call('POST', 'teams', {'name': 'good-name'}, status=201, Idempotency_Key='abc-2')
        self.problem(self.call('POST', 'teams', {'name': 'x'}, Idempotency_Key='k' * 256), 400, 'invalid_value')

    def test_built_in_roles(self):
        names = [r['name'] for r in self.call('GET', 'roles?limit=1000').json()['data']]
        for name in ('owner', 'admin', 'developer', 'analyst', 'auditor', 'billing', 'viewer', 'service'):
            self.assertIn(name, names)
        self.assertTrue(self.call('GET', 'roles/owner', status=200).json()['built_in'])
        self.problem(self.call('PATCH', 'roles/owner', {'title': 'x'}), 404, 'not_found')
        for i in range(3):
            self.make('roles', {'name': f'paged-{i}'})
        seen, cursor, total = [], '', None
        while cursor is not None:
            page = self.call('GET', f'roles?limit=3&cursor={cursor}', status=200).json()
            seen += [r['name'] for r in page['data']]
            self.assertLessEqual(len(page['data']), 3)
            total, cursor = page['total'], page['next_cursor']
        self.assertEqual(len(seen), len(set(seen)))
        self.assertEqual(len(seen), total)
        self.make('users', {'email': 'roleholder@example.com'})
        self.make('grants', {'principal': 'user/roleholder@example.com', 'role': 'paged-0'})
        self.problem(self.call('DELETE', 'roles/paged-0'), 409, 'already_exists')

    def test_team_members(self):
        self.make('teams', {'name': 'crew'})
        user = self.make('users', {'email': 'm@example.com'})
        bot = self.make('service_accounts', {'name': 'm-bot'})
        self.call('PUT', f'teams/crew/members/{user["id"]}', status=204)
        self.call('PUT', f'teams/crew/members/{user["id"]}', status=204)
        self.call('PUT', f'teams/crew/members/{bot["id"]}', status=204)
        members = self.call('GET', 'teams/crew/members', status=200).json()
        self.assertEqual([m['name'] for m in members['data']], ['m@example.com', 'm-bot'])
        self.call('DELETE', f'teams/crew/members/{user["id"]}', status=204)
        self.problem(self.call('DELETE', f'teams/crew/members/{user["id"]}'), 404, 'not_found')
        self.problem(self.call('PUT', 'teams/crew/members/user_0000000000000'), 404, 'not_found')

    def test_what_is_still_needed_is_not_deleted(self):
        self.make('teams', {'name': 'needed'})
        self.make('projects', {'name': 'needing', 'team_id': 'needed'})
        problem = self.problem(self.call('DELETE', 'teams/needed'), 409, 'already_exists')
        self.assertIn('projects', problem['detail'])


class Keys(Api):
    def works(self, key):
        return self.server.get('/v1/models', key=key).status == 200

    def test_a_key_works_until_it_is_revoked(self):
        made = self.make('keys', {'name': 'life'})
        self.assertTrue(made['key'].startswith(made['prefix']))
        self.assertTrue(self.works(made['key']))
        shown = self.call('GET', f'keys/{made["prefix"]}', status=200).json()
        self.assertNotIn('key', shown)
        self.assertNotIn('hash', shown)
        self.assertEqual(self.call('POST', f'keys/{made["id"]}/revoke', status=200).json()['state'], 'revoked')
        self.assertFalse(self.works(made['key']))
        self.problem(self.call('PATCH', f'keys/{made["id"]}', {'allowed_models': None}), 409, 'already_exists')

    def test_rotation_with_an_overlap(self):
        old = self.make('keys', {'name': 'turning', 'rotate_every': '90d'})
        new = self.call('POST', f'keys/{old["id"]}/rotate', {'overlap': '1h'}, status=201).json()
        self.assertTrue(self.works(old['key']) and self.works(new['key']))
        self.assertEqual((new['replaces'], new['name'], new['rotate_every']), (old['id'], 'turning', '90d'))
        shown = self.call('GET', f'keys/{old["id"]}').json()
        self.assertEqual((shown['replaced_by'], shown['state']), (new['id'], 'replaced'))
        self.assertIsNotNone(shown['expires_at'])
        self.problem(self.call('POST', f'keys/{old["id"]}/rotate'), 409, 'already_exists')
        last = self.call('POST', f'keys/{new["id"]}/rotate', {'overlap': 0}, status=201).json()
        self.assertFalse(self.works(new['key']))
        self.assertTrue(self.works(last['key']))
        self.problem(self.call('POST', f'keys/{last["id"]}/rotate', {'overlap': 'soon'}), 400, 'invalid_value', 'overlap')

    def test_a_deleted_owners_keys_end(self):
        user = self.make('users', {'email': 'leaving@example.com'})
        self.make('grants', {'principal': user['id'], 'role': 'developer'})
        key = self.make('keys', {'owner': user['id']})['key']
        self.assertTrue(self.works(key))
        self.call('DELETE', f'users/{user["id"]}', status=204)
        self.assertFalse(self.works(key))

    def test_a_project_gives_its_team(self):
        self.make('teams', {'name': 'kt'})
        self.make('projects', {'name': 'kp', 'team_id': 'kt'})
        key = self.make('keys', {'project_id': 'kp'})
        self.assertEqual(key['team_id'], self.call('GET', 'teams/kt').json()['id'])
        self.make('teams', {'name': 'kt2'})
        self.problem(self.call('POST', 'keys', {'project_id': 'kp', 'team_id': 'kt2'}), 400, 'invalid_value', 'team_id')
        self.call('PATCH', 'projects/kp', {'team_id': 'kt2'}, status=200)
        self.assertEqual(self.call('GET', f'keys/{key["id"]}').json()['team_id'],
                         self.call('GET', 'teams/kt2').json()['id'])


class Rights(Api):
    """Callers who are not operators."""

    def person(self, email, *grants, tenant=None, scopes=('*',)):
        """A person with these grants, and a key of theirs."""
        headers = {'X_Penstock_Tenant': tenant} if tenant else {}
        user = self.make('users', {'email': email}, **headers)
        for grant in grants:
            self.make('grants', {'principal': user['id'], **grant}, **headers)
        return user, self.make('keys', {'owner': user['id'], 'scopes': list(scopes)}, **headers)['key']

    def test_no_key_and_no_right(self):
        reply = self.server.request('GET', '/api/v1/teams')
        self.problem(reply, 401, 'invalid_api_key')
        plain = self.server.create_key()['key']
        for method, path, body in (('GET', 'teams', None), ('POST', 'teams', {'name': 'no'}), ('GET', 'keys', None),
                                   ('POST', 'keys', {'name': 'no'}), ('GET', 'access/matrix', None)):
            self.problem(self.call(method, path, body, key=plain), 403, 'permission_denied')
        self.assertEqual(self.call('GET', 'config', key=plain).status, 403)
        self.assertEqual(self.call('GET', 'teams?name=no').json()['total'], 0)

    def test_roles_and_their_bounds(self):
        _, viewer = self.person('viewer@example.com', {'role': 'viewer'})
        self.call('GET', 'teams', key=viewer, status=200)
        self.problem(self.call('POST', 'teams', {'name': 'v'}, key=viewer), 403, 'permission_denied')
        _, admin = self.person('admin@example.com', {'role': 'admin'})
        self.call('POST', 'teams', {'name': 'made-by-admin'}, key=admin, status=201)
        self.problem(self.call('POST', 'grants', {'principal': 'user/viewer@example.com', 'role': 'owner'}, key=admin), 403,
                     'permission_denied')
        self.problem(self.call('POST', 'keys', {'is_admin': True}, key=admin), 403, 'permission_denied')
        self.problem(self.call('POST', 'tenants', {'name': 'mine'}, key=admin), 403, 'permission_denied')
        self.problem(self.call('POST', 'grants', {'principal': 'user/viewer@example.com', 'role': 'viewer',
                                                  'scope': 'platform'}, key=admin), 403, 'permission_denied')

    def test_scopes_bound_a_key(self):
        user, _ = self.person('scoped@example.com', {'role': 'admin'})
        key = self.make('keys', {'owner': user['id'], 'scopes': ['team:read', 'key:create']})['key']
        self.call('GET', 'teams', key=key, status=200)
        self.problem(self.call('POST', 'teams', {'name': 's'}, key=key), 403, 'permission_denied')
        self.problem(self.call('POST', 'keys', {'scopes': ['team:create']}, key=key), 403, 'permission_denied')

    def test_lists_show_what_may_be_seen(self):
        for i in range(3):
            self.make('projects', {'name': f'seen-{i}'})
        _, key = self.person('narrow@example.com', {'role': 'viewer', 'scope': 'project/seen-1'})
        page = self.call('GET', 'projects', key=key, status=200).json()
        self.assertEqual(([p['name'] for p in page['data']], page['total']), (['seen-1'], 1))
        self.call('GET', 'projects/seen-1', key=key, status=200)
        hidden = self.problem(self.call('GET', 'projects/seen-2', key=key), 404, 'not_found')
        nobody = self.problem(self.call('GET', 'projects/nobody', key=key), 404, 'not_found')
        hidden.pop('request_id'), nobody.pop('request_id')
        self.assertEqual(hidden, nobody)
        self.problem(self.call('PATCH', 'projects/seen-1', {'title': 'x'}, key=key), 403, 'permission_denied')
        self.problem(self.call('PATCH', 'projects/seen-2', {'title': 'x'}, key=key), 404, 'not_found')

    def test_delegation_and_its_end(self):
        giver, giver_key = self.person('giver@example.com', {'role': 'developer'})
        held = self.call('GET', f'grants?principal={giver["id"]}').json()['data'][0]
        taker, taker_key = self.person('taker@example.com')
        self.problem(self.call('GET', 'keys', key=taker_key), 403, 'permission_denied')
        lent = self.call('POST', 'grants', {'principal': taker['id'], 'permissions': ['key:read'],
                                            'parent_id': held['id']}, key=giver_key, status=201).json()
        self.assertEqual(lent['granted_by'], giver['id'])
        self.call('GET', 'keys', key=taker_key, status=200)
        self.problem(self.call('POST', 'grants', {'principal': taker['id'], 'permissions': ['user:delete'],
                                                  'parent_id': held['id']}, key=giver_key), 403, 'permission_denied')
        self.assertGreater(self.call('GET', 'keys', key=taker_key).json()['total'], 0)
        self.call('DELETE', f'grants/{held["id"]}', status=204)
        self.assertEqual(self.call('GET', 'keys', key=taker_key).json()['total'], 0)

    def test_elevation_needs_a_second_person(self):
        asker, asker_key = self.person('asker@example.com', {'role': 'viewer'})
        _, boss_key = self.person('boss@example.com', {'role': 'owner'})
        request = self.call('POST', 'elevations', {'role': 'admin', 'duration': '1h', 'reason': 'release'}, key=asker_key,
                            status=201).json()
        self.assertEqual((request['status'], request['user_id']), ('pending', asker['id']))
        path = f'elevations/{request["id"]}'
        self.problem(self.call('POST', f'{path}/approve', key=asker_key), 403, 'permission_denied')
        self.problem(self.call('POST', 'teams', {'name': 'early'}, key=asker_key), 403, 'permission_denied')
        done = self.call('POST', f'{path}/approve', key=boss_key, status=200).json()
        self.assertEqual(done['status'], 'approved')
        self.call('POST', 'teams', {'name': 'elevated'}, key=asker_key, status=201)
        self.problem(self.call('POST', f'{path}/approve', key=boss_key), 409, 'already_exists')
        self.call('DELETE', f'grants/{done["grant_id"]}', status=204)
        self.problem(self.call('POST', 'teams', {'name': 'late'}, key=asker_key), 403, 'permission_denied')
        other = self.call('POST', 'elevations', {'role': 'admin', 'duration': '1h', 'reason': 'x'}, key=asker_key).json()
        self.assertEqual(self.call('POST', f'elevations/{other["id"]}/refuse', key=boss_key).json()['status'], 'refused')

    def test_questions_about_rights(self):
        user, key = self.person('asked@example.com', {'role': 'developer'})
        yes = self.call('POST', 'access/check', {'action': 'key:create'}, key=key, status=200).json()
        self.assertEqual((yes['allowed'], yes['reason']), (True, 'granted'))
        self.assertTrue(yes['grant_id'].startswith('grant_'))
        no = self.call('POST', 'access/check', {'action': 'tenant:delete', 'principal': user['id']}, status=200).json()
        self.assertEqual((no['allowed'], no['reason'], no['grant_id']), (False, 'no_grant', None))
        why = self.call('GET', f'access/explain?principal={user["id"]}&action=key:create', status=200).json()
        self.assertTrue(why['allowed'] and why['chain'])
        self.problem(self.call('POST', 'access/check', {'action': 'key:fly'}), 400, 'invalid_value', 'action')
        plain, plain_key = self.person('plain@example.com')
        self.problem(self.call('POST', 'access/check', {'action': 'key:read', 'principal': user['id']}, key=plain_key), 403,
                     'permission_denied')
        self.problem(self.call('POST', 'access/check', {'action': 'key:read', 'at': 'soon'}), 400, 'invalid_value', 'at')
        self.problem(self.call('POST', 'access/check', {'action': 'key:read', 'scopes': ['key:fly']}), 400, 'invalid_value',
                     'scopes')
        matrix = self.call('GET', 'access/matrix', status=200).json()
        self.assertIn('owner', [r['name'] for r in matrix['roles']])

    def test_questions_about_keys(self):
        user, _ = self.person('keyholder@example.com', {'role': 'developer'})
        key = self.make('keys', {'owner': user['id'], 'scopes': ['model:use', 'key:read'], 'allowed_models': ['gpt-*'],
                                 'expires_at': '2090-01-01T00:00:00Z', 'name': 'asked'})

        def ask(action, resource=None, **more):
            answer = self.call('POST', 'access/check', {'principal': key['id'], 'action': action, 'resource': resource,
                                                        **more}, status=200).json()
            why = self.call('GET', f'access/explain?principal=key/{key["prefix"]}&action={action}' +
                            (f'&resource={resource}' if resource else '') + (f'&at={more["at"]}' if more else ''),
                            status=200).json()
            self.assertEqual((why['allowed'], why['reason']), (answer['allowed'], answer['reason']), why)
            return answer['reason']

        self.assertEqual(ask('model:use', 'gpt-5'), 'granted')
        self.assertEqual(ask('model:use', 'other'), 'key_models')
        self.assertEqual(ask('key:create'), 'beyond_scopes')
        self.assertEqual(ask('key:read', at='2090-01-01T00:00:00Z'), 'expired')
        self.assertEqual(ask('key:read', at='2089-12-31T23:59:59Z'), 'granted')
        # Its owner's rights bound it; of a key without an owner the scopes are the rights.
        self.call('PATCH', f'users/{user["id"]}', {'status': 'disabled'}, status=200)
        self.assertEqual(ask('model:use', 'gpt-5'), 'suspended')
        self.call('POST', f'keys/{key["id"]}/revoke', status=200)
        self.assertEqual(ask('model:use', 'gpt-5'), 'revoked')
        alone = self.make('keys', {'scopes': ['model:use']})
        answer = self.call('POST', 'access/check', {'principal': alone['id'], 'action': 'model:use', 'resource': 'x'}).json()
        self.assertEqual((answer['allowed'], answer['reason']), (True, 'by_scopes'))
        operator = self.server.create_key('--admin')['key']
        row = next(k for k in self.call('GET', 'keys?is_admin=true').json()['data'] if operator.startswith(k['prefix'][:9]))
        answer = self.call('POST', 'access/check', {'principal': row['id'], 'action': 'tenant:delete'}).json()
        self.assertEqual((answer['allowed'], answer['reason']), (True, 'operator'))
        # Who may not ask about others is told nothing, nor is there a key of another tenant.
        _, plain_key = self.person('asks@example.com')
        self.problem(self.call('POST', 'access/check', {'action': 'model:use', 'principal': key['id']}, key=plain_key), 403,
                     'permission_denied')
        self.tenant('keyless')
        for unknown in (key['id'], 'key_000000000zzzz'):
            self.problem(self.call('POST', 'access/check', {'action': 'model:use', 'principal': unknown},
                                   X_Penstock_Tenant='keyless'), 400, 'invalid_value', 'principal')

    def test_circles_of_roles_are_refused(self):
        for name, parents in (('c1', []), ('c2', ['c1']), ('c3', ['c2', 'viewer'])):
            self.make('roles', {'name': name, 'parents': parents, 'permissions': ['budget:read']})
        for name, parents in (('c1', ['c1']), ('c1', ['c2']), ('c1', ['viewer', 'c3']), ('c2', ['c3'])):
            problem = self.problem(self.call('PATCH', f'roles/{name}', {'parents': parents}), 400, 'invalid_value')
            self.assertIn(f'role "{name}" cannot inherit from "{parents[-1]}", which leads back to it', problem['detail'])
        self.problem(self.call('POST', 'roles', {'name': 'c4', 'parents': ['c4']}), 400, 'invalid_value')
        self.problem(self.call('POST', 'roles', {'name': 'c4', 'parents': ['nobody']}), 400, 'invalid_value')
        # What is given is followed through all of them, at once.
        _, key = self.person('circle@example.com', {'role': 'c3'})
        self.assertEqual(self.call('GET', 'audit', key=key).status, 403)
        self.call('PATCH', 'roles/c1', {'permissions': ['audit:read']}, status=200)
        self.assertEqual(self.call('GET', 'audit', key=key).status, 200)
        self.call('PATCH', 'roles/c2', {'parents': []}, status=200)
        self.assertEqual(self.call('GET', 'audit', key=key).status, 403)
        self.problem(self.call('DELETE', 'roles/c2'), 409, 'already_exists')

    def test_a_role_inherits_from_the_tenants_own(self):
        self.tenant('inheriting')
        at = {'X_Penstock_Tenant': 'inheriting'}
        self.make('roles', {'name': 'base', 'permissions': ['key:read']}, **at)
        self.make('roles', {'name': 'more', 'parents': ['base'], 'permissions': ['key:create']}, **at)
        matrix = self.call('GET', 'access/matrix', status=200, **at).json()
        (more,) = [r for r in matrix['roles'] if r['name'] == 'more']
        self.assertEqual(more['permissions'], {'key': ['read', 'create']})


class Tenants(Api):
    def test_the_header_is_for_those_who_may(self):
        self.tenant('acme')
        made = self.make('teams', {'name': 'inside'}, X_Penstock_Tenant='acme')
        self.assertEqual(self.call('GET', 'teams?name=inside').json()['total'], 0)
        self.assertEqual(self.call('GET', 'teams', X_Penstock_Tenant='acme').json()['data'], [made])
        self.problem(self.call('GET', 'teams', X_Penstock_Tenant='nobody'), 404, 'not_found')
        user = self.make('users', {'email': 'u@acme.example'}, X_Penstock_Tenant='acme')
        self.make('grants', {'principal': user['id'], 'role': 'owner'}, X_Penstock_Tenant='acme')
        key = self.make('keys', {'owner': user['id'], 'scopes': ['*']}, X_Penstock_Tenant='acme')['key']
        self.assertEqual(self.call('GET', 'teams', key=key).json()['data'], [made])
        self.call('GET', 'teams', key=key, status=200, X_Penstock_Tenant='acme')
        self.tenant('globex')
        bodies = []
        for other in ('globex', 'default', 'nobody'):
            problem = self.problem(self.call('GET', 'teams', key=key, X_Penstock_Tenant=other), 403, 'permission_denied')
            problem.pop('request_id')
            bodies.append(problem)
        self.assertEqual(bodies[0], bodies[1])
        self.assertEqual(bodies[0], bodies[2])

    def test_another_tenants_ids_are_as_if_they_were_none(self):
        self.tenant('north'), self.tenant('south')
        north, south = {'X_Penstock_Tenant': 'north'}, {'X_Penstock_Tenant': 'south'}
        made = {
            'teams': self.make('teams', {'name': 't'}, **north),
            'projects': self.make('projects', {'name': 'p'}, **north),
            'users': self.make('users', {'email': 'u@n.example'}, **north),
            'service_accounts': self.make('service_accounts', {'name': 's'}, **north),
            'roles': self.make('roles', {'name': 'r'}, **north),
            'keys': self.make('keys', {'name': 'k'}, **north),
            'budgets': self.make('budgets', {'name': 'b', 'metric': 'tokens', 'amount': 1}, **north),
        }
        made['grants'] = self.make('grants', {'principal': made['users']['id'], 'role': 'viewer'}, **north)
        owner = self.make('users', {'email': 'o@s.example'}, **south)
        self.make('grants', {'principal': owner['id'], 'role': 'owner'}, **south)
        key = self.make('keys', {'owner': owner['id'], 'scopes': ['*']}, **south)['key']
        for path, row in made.items():
            absent = row['id'][:-4] + 'zzzz'
            for method, body, suffix in (('GET', None, ''), ('PATCH', {}, ''), ('DELETE', None, '')):
                if path == 'grants' and method == 'PATCH':
                    continue
                with self.subTest(f'{method} {path}'):
                    there = self.call(method, f'{path}/{row["id"]}{suffix}', body, key=key)
                    none = self.call(method, f'{path}/{absent}{suffix}', body, key=key)
                    a, b = self.problem(there, 404, 'not_found'), self.problem(none, 404, 'not_found')
                    a.pop('request_id'), b.pop('request_id')
                    self.assertEqual(a, b)
            self.assertNotIn(row['id'], [r['id'] for r in self.call('GET', path, key=key).json()['data']])
        for path, body, field in (('projects', {'name': 'x', 'team_id': made['teams']['id']}, 'team_id'),
                                  ('keys', {'project_id': made['projects']['id']}, 'project_id'),
                                  ('keys', {'owner': made['users']['id']}, 'owner'),
                                  ('grants', {'principal': made['users']['id'], 'role': 'viewer'}, 'principal'),
                                  ('grants', {'principal': owner['id'], 'role': 'r'}, 'role')):
            self.problem(self.call('POST', path, body, key=key), 400, 'invalid_value', field)
        for action in ('revoke', 'rotate'):
            self.problem(self.call('POST', f'keys/{made["keys"]["id"]}/{action}', key=key), 404, 'not_found')
        self.problem(self.call('PUT', f'teams/{made["teams"]["id"]}/members/{owner["id"]}', key=key), 404, 'not_found')
        self.assertEqual([t['name'] for t in self.call('GET', 'tenants', key=key).json()['data']], ['south'])

    def test_suspension(self):
        self.tenant('halted')
        user = self.make('users', {'email': 'x@halted.example'}, X_Penstock_Tenant='halted')
        self.make('grants', {'principal': user['id'], 'role': 'owner'}, X_Penstock_Tenant='halted')
        key = self.make('keys', {'owner': user['id'], 'scopes': ['*']}, X_Penstock_Tenant='halted')['key']
        self.call('GET', 'teams', key=key, status=200)
        done = self.call('POST', 'tenants/halted/suspend', {'reason': 'unpaid'}, status=200).json()
        self.assertEqual((done['status'], done['status_reason']), ('suspended', 'unpaid'))
        self.assertIn(self.call('GET', 'teams', key=key).status, (401, 403))
        self.assertEqual(self.call('POST', 'tenants/halted/resume', status=200).json()['status'], 'active')
        self.call('GET', 'teams', key=key, status=200)
        first = self.call('GET', 'tenants?sort=id&limit=1').json()['data'][0]
        self.problem(self.call('POST', f'tenants/{first["id"]}/suspend'), 409, 'already_exists')


class Description(Api):
    def test_the_description_is_open_and_holds_every_path(self):
        reply = self.server.request('GET', '/api/openapi.json')
        self.assertEqual((reply.status, reply.header('content-type')), (200, 'application/json'))
        spec = reply.json()
        self.assertEqual(spec['openapi'], '3.1.0')
        for path in ('/api/v1/teams', '/api/v1/keys/{id}/rotate', '/api/v1/access/check', '/api/v1/config'):
            self.assertIn(path, spec['paths'])
        ids = [o['operationId'] for verbs in spec['paths'].values() for o in verbs.values()]
        self.assertEqual(len(ids), len(set(ids)))

    def test_a_validator_takes_the_description(self):
        with tempfile.NamedTemporaryFile(suffix='.json') as file:
            file.write(self.server.request('GET', '/api/openapi.json').body)
            file.flush()
            script = ("import('@apidevtools/swagger-parser').then(m => m.default.validate(process.argv[1]))"
                      ".then(a => console.log(a.openapi)).catch(e => { console.error(e); process.exit(1) })")
            done = subprocess.run(['node', '-e', script, file.name], cwd=HERE, env=clean_environment(),
                                  capture_output=True, text=True, timeout=60)
        self.assertEqual((done.returncode, done.stdout.strip(), done.stderr), (0, '3.1.0', ''))

    def test_every_operation_refuses_who_shows_no_key(self):
        spec = self.server.request('GET', '/api/openapi.json').json()
        for path, verbs in spec['paths'].items():
            for verb, operation in verbs.items():
                reply = self.server.request(verb.upper(), path.replace('{', '').replace('}', ''))
                with self.subTest(f'{verb} {path}'):
                    if operation.get('security') == []:
                        # Nobody has put a logo there.
                        self.assertIn(reply.status, (404,) if path == '/branding/logo' else (200, 400), reply)
                    else:
                        self.assertEqual(reply.status, 401, reply)

    def test_the_page_takes_nothing_from_elsewhere(self):
        page = self.server.request('GET', '/docs')
        self.assertEqual((page.status, page.header('content-type')), (200, 'text/html; charset=utf-8'))
        policy = page.header('content-security-policy')
        self.assertIn("default-src 'none'", policy)
        self.assertNotIn('unsafe', policy)
        self.assertNotIn(b'http://', page.body)
        self.assertNotIn(b'https://', page.body)
        for path, kind in (('/docs/page.js', 'text/javascript'), ('/docs/page.css', 'text/css')):
            part = self.server.request('GET', path)
            self.assertEqual((part.status, part.header('content-type').split(';')[0]), (200, kind))


if __name__ == '__main__':
    main()
