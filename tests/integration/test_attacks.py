#!/usr/bin/env python3
"""What somebody with a foot in the door tries next: each of these ways to more rights, or to what others have, is shut."""

import json
import os
import socket
import sqlite3
import threading
import time

from harness import fake_provider, main, request_bytes
from test_sign_in import BETTER, GOOD, Person, SignIn

SignIn_api = SignIn.api
for name in list(vars(SignIn)):  # its helpers alone
    if name.startswith('test_'):
        delattr(SignIn, name)


class Attacks(SignIn):

    def make(self, kind, key=None, headers=None, **body):
        return self.api('POST', '/' + kind, body, 201, key, headers).json()

    def owned_key(self, user, *scopes, **more):
        return self.make('keys', owner=user, scopes=list(scopes), **more)['key']

    # --- sessions and tokens ---

    def test_no_token_before_what_is_due_is_done(self):
        user, email = self.user(must_change=True)
        self.make('grants', principal=user, role='owner')
        person = Person(self)
        person.sign_in(email, GOOD)
        self.assertEqual(person.send('GET', '/api/v1/users', status=403).json()['code'], 'permission_denied')
        person.send('POST', '/api/v1/tokens', {'permissions': ['*']}, 403)

    def test_a_cookie_of_before_ends_with_the_password(self):
        _, email = self.user()
        person, thief = Person(self), Person(self)
        person.sign_in(email, GOOD)
        thief.cookie = person.cookie
        thief.send('GET', '/api/v1/session')
        person.send('POST', '/api/v1/session/password', {'password': GOOD, 'new_password': BETTER}, 204)
        thief.send('GET', '/api/v1/session', status=401)
        person.send('GET', '/api/v1/session')

    def test_nobody_elsewhere_locks_a_person_out(self):
        _, email = self.user()
        Person(self).sign_in(email, GOOD)

        def elsewhere(password):
            body = json.dumps({'email': email, 'password': password}).encode()
            with socket.create_connection(('127.0.0.1', self.server.port), source_address=('127.0.0.2', 0)) as s:
                s.sendall(request_bytes('POST', '/api/v1/session', body, {'Connection': 'close', 'Host': 'localhost'}))
                return int(s.makefile('rb').readline().split()[1])
        statuses = [elsewhere('wrong') for _ in range(5)]
        self.assertEqual(statuses, [401] * 3 + [429] * 2)
        self.assertEqual(elsewhere(GOOD), 429)
        Person(self).sign_in(email, GOOD)
        # Who guesses from there is locked, too.
        statuses = [Person(self).sign_in(email, 'wrong', status).status for status in (401, 401, 401, 429)]
        self.assertEqual(len(statuses), 4)

    def test_no_session_begins_by_a_password_that_is_changed_meanwhile(self):
        slow = {'providers': [fake_provider(self.fake)], 'auth': {'password': {'memory': '64 MiB', 'passes': 12}}}
        server = self.spawn(slow)
        own = type('Own', (), {'server': server, 'admin': server.create_key('--admin')['key'], 'count': 0,
                               'assertEqual': self.assertEqual, 'api': SignIn_api})()
        user = own.api('POST', '/users', {'email': 'eve@example.com'}, 201).json()['id']
        change = lambda text: own.api('POST', f'/users/{user}/password',  # noqa: E731
                                      {'password': text, 'must_change': False}, 204)
        change(GOOD)
        changing = threading.Thread(target=change, args=(BETTER,))
        changing.start()
        time.sleep(0.1)  # both passwords are being hashed now
        person = Person(own)
        body = json.dumps({'email': 'eve@example.com', 'password': GOOD}).encode()
        reply = server.request('POST', '/api/v1/session', body, {'Host': f'localhost:{server.port}'})
        changing.join()
        person.cookie = (reply.header('set-cookie') or '').split(';')[0]
        person.send('GET', '/api/v1/session', status=401)

    def test_a_keys_scopes_bound_what_it_does_with_its_owners_sessions(self):
        user, email = self.user()
        self.make('grants', principal=user, role='owner')
        person = Person(self)
        session = person.sign_in(email, GOOD).json()['session']['id']
        narrow, wide = self.owned_key(user, 'model:use'), self.owned_key(user, 'session:*')
        self.api('GET', '/sessions', key=narrow, status=403)
        self.api('DELETE', f'/sessions/{session}', key=narrow, status=403)
        person.send('GET', '/api/v1/session')
        listed = self.api('GET', '/sessions', key=wide).json()['data']
        self.assertEqual([s['id'] for s in listed], [session])
        self.api('DELETE', f'/sessions/{session}', key=wide, status=204)
        person.send('GET', '/api/v1/session', status=401)

    def test_a_keys_places_bind_it_here_too(self):
        user, _ = self.user()
        self.make('grants', principal=user, role='owner')
        away = self.owned_key(user, '*', addresses=['192.0.2.0/24'])
        self.assertEqual(self.api('GET', '/teams', key=away, status=403).json()['code'], 'permission_denied')
        self.api('POST', '/tokens', {'permissions': ['team:read']}, 403, key=away)
        page = self.owned_key(user, '*', origins=['https://app.example.com'])
        here = {'Origin': 'https://app.example.com'}
        self.api('GET', '/teams', key=page, status=403)
        self.api('GET', '/teams', key=page, headers=here)
        token = self.api('POST', '/tokens', {'permissions': ['team:read', 'model:use']}, 201, key=page,
                         headers=here).json()['access_token']
        self.api('GET', '/teams', key=token, headers=here)
        self.api('GET', '/teams', key=token, status=403)

    def test_a_token_is_not_answered_what_its_maker_was(self):
        user, _ = self.user()
        self.make('grants', principal=user, role='owner')
        mine, once = self.owned_key(user, '*'), {'Idempotency-Key': 'one'}
        token = self.api('POST', '/tokens', {'permissions': ['team:read']}, 201, key=mine).json()['access_token']
        made = self.api('POST', '/keys', {'name': 'x'}, 201, key=mine, headers=once)
        self.assertEqual(self.api('POST', '/keys', {'name': 'x'}, 201, key=mine, headers=once).json(), made.json())
        self.api('POST', '/keys', {'name': 'x'}, 403, key=token, headers=once)

    def test_what_nobody_signed_needs_no_database(self):
        server = self.spawn({'providers': [fake_provider(self.fake)]})
        reply = server.request('POST', '/api/v1/tokens', b'{"permissions":["model:use","model:read"]}', key=server.key)
        token = reply.json()['access_token']
        self.assertEqual(server.get('/v1/models', token).status, 200)
        db = sqlite3.connect(os.path.join(server.data, 'penstock.db'), isolation_level=None, timeout=20)
        db.execute('DROP TABLE token_key')
        db.close()
        head, claims, _ = token.split('.')
        for forged in (f'{head}.{claims}.' + 'A' * 86, token[:-20] + 'A' * 20, 'ps_at_x'):
            self.assertEqual(server.get('/v1/models', forged).status, 401)

    def test_acting_for_a_tenant_ends_with_the_right_to(self):
        name = f'zoo{self._testMethodName[-3:]}'
        tenant = self.make('tenants', name=name)['id']
        user, _ = self.user()
        there = {'X-Penstock-Tenant': name}
        self.make('grants', headers=there, principal=user, role='viewer')
        act = self.make('grants', headers=there, principal=user, permissions=['tenant:act_as'])
        key = self.owned_key(user, '*')
        token = self.api('POST', '/tokens', {'permissions': ['team:read', 'tenant:act_as']}, 201, key=key,
                         headers=there).json()['access_token']
        bare = self.api('POST', '/tokens', {'permissions': ['team:read']}, 201, key=key, headers=there).json()['access_token']
        for it in (token, bare):
            self.assertEqual(self.api('GET', '/session', key=it).json()['tenant'], tenant)
            self.api('GET', '/teams', key=it)
        # It is for that tenant: not silently for it when another one is named.
        self.api('GET', '/teams', key=token, headers={'X-Penstock-Tenant': 'default'}, status=403)
        self.api('DELETE', f'/grants/{act["id"]}', headers=there, status=204)
        for it in (token, bare):
            self.api('GET', '/teams', key=it, status=403)

    # --- where things lie ---

    def test_a_key_is_not_moved_into_a_project_that_is_not_ones_own(self):
        for name in ('red', 'blue'):
            self.make('teams', name=name)
            self.make('projects', name=f'{name}-project', team_id=name)
        user, _ = self.user()
        self.make('grants', principal=user, role='admin', scope='team/red')
        mine = self.owned_key(user, '*')
        key = self.make('keys', key=mine, owner=user, team_id='red', scopes=['model:use'])['id']
        self.api('PATCH', f'/keys/{key}', {'project_id': 'blue-project'}, 404, key=mine)  # it would be out of sight
        self.assertIsNone(self.api('GET', f'/keys/{key}').json()['project_id'])
        self.api('PATCH', f'/keys/{key}', {'project_id': 'red-project'}, key=mine)

    def test_another_name_or_tag_gives_nobody_more(self):
        user, _ = self.user()
        self.make('grants', principal=user, permissions=['key:read', 'key:update'])
        self.make('grants', principal=user, permissions=['key:delete'], condition='env=dev')
        self.make('grants', principal=user, permissions=['key:delete'], resource='key/mine-*')
        mine = self.owned_key(user, '*')
        key = self.make('keys', name='prod', tags={'env': 'prod'}, scopes=['model:use'])['id']
        self.api('DELETE', f'/keys/{key}', key=mine, status=403)
        self.api('PATCH', f'/keys/{key}', {'tags': {'env': 'dev'}}, 403, key=mine)
        self.api('PATCH', f'/keys/{key}', {'name': 'mine-now'}, 403, key=mine)
        self.api('PATCH', f'/keys/{key}', {'name': 'other', 'tags': {'env': 'prod', 'x': 'y'}}, key=mine)

    def test_a_project_is_not_taken_to_where_one_may_do_more(self):
        for name in ('north', 'south'):
            self.make('teams', name=name)
        self.make('projects', name='prize', team_id='north')
        user, _ = self.user()
        self.make('grants', principal=user, role='developer', scope='team/north')
        self.make('grants', principal=user, role='admin', scope='team/south')
        mine = self.owned_key(user, '*')
        self.api('PATCH', '/projects/prize', {'title': 'Mine'}, key=mine)
        self.api('PATCH', '/projects/prize', {'team_id': 'south'}, 403, key=mine)
        self.assertEqual(self.api('GET', '/projects/prize').json()['title'], 'Mine')
        # Nor away from what is denied there.
        other, _ = self.user()
        self.make('grants', principal=other, role='admin')
        self.make('grants', principal=other, effect='deny', permissions=['key:*'], scope='team/north')
        theirs = self.owned_key(other, '*')
        self.api('PATCH', '/projects/prize', {'team_id': None}, 403, key=theirs)
        self.api('PATCH', '/projects/prize', {'team_id': 'south'})  # who has all of it, may

    # --- what there is ---

    def test_which_tenants_there_are_is_not_in_ones_own_trail(self):
        self.make('tenants', name='hidden')
        user, _ = self.user()
        self.make('grants', principal=user, role='owner')
        mine = self.owned_key(user, '*')
        seen = []
        for name in ('hidden', 'nobody'):
            reply = self.api('GET', f'/tenants/{name}', key=mine, status=404)
            mark = reply.header('x-request-id')
            events = self.api('GET', f'/audit?request_id={mark}').json()['data']
            seen.append((reply.json()['detail'], [(e['action'], e['outcome'], e['reason']) for e in events]))
        self.assertEqual(seen[0], seen[1])

    def test_which_teams_there_are_is_not_told_by_questions(self):
        self.make('teams', name='quiet')
        self.make('projects', name='quiet-project')
        key = self.owned_key(self.user()[0], 'model:use')
        for field in ('team', 'project'):
            answers = [self.api('POST', '/access/check', {'action': 'key:create', field: name}, 400, key=key).json()['detail']
                       for name in ('quiet' if field == 'team' else 'quiet-project', 'nobody')]
            self.assertEqual(answers[0].replace('quiet-project', 'X').replace('quiet', 'X'), answers[1].replace('nobody', 'X'))

    def test_how_the_server_is_built_is_not_in_its_faults(self):
        user, email = self.user()
        self.make('grants', principal=user, role='owner')
        mine = self.owned_key(user, '*')
        db = sqlite3.connect(os.path.join(self.server.data, 'penstock.db'), isolation_level=None, timeout=20)
        db.execute("CREATE TRIGGER fault BEFORE INSERT ON audit_event BEGIN SELECT RAISE(ABORT, 'innards'); END")
        try:
            for reply in (self.api('POST', '/teams', {'name': 'never'}, 500, key=mine),
                          self.api('POST', '/session', {'email': email, 'password': GOOD}, 500, key='-'),
                          self.api('GET', '/config', status=500, key=mine)):
                self.assertEqual(reply.error()['code'] if 'error' in reply.json() else reply.json()['code'], 'storage_error')
                self.assertNotIn('innards', reply.body.decode())
                self.assertNotIn(self.server.folder, reply.body.decode())
            self.assertIn('innards', self.api('POST', '/teams', {'name': 'never'}, 500).json()['detail'])
        finally:
            db.execute('DROP TRIGGER fault')
            db.close()
        self.assertEqual(self.server.log().count('innards'), 3)


del SignIn

if __name__ == '__main__':
    main()
