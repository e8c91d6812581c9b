#!/usr/bin/env python3
"""Handing on what one has, over HTTP and from the command line: chains, bounds, times, ends; and more rights for a time,
which a second person approves."""
import json
import os
import subprocess
import tempfile
import time
from datetime import datetime, timedelta, timezone

from harness import BINARY, WAIT, Suite, clean_environment, eventually, main

GOOD = 'correct horse battery staple'


def when(seconds):
    at = datetime.now(timezone.utc) + timedelta(seconds=seconds)
    return at.isoformat(timespec='milliseconds').replace('+00:00', 'Z')


class Delegation(Suite):
    @classmethod
    def config(cls):
        return {**super().config(), 'auth': {'password': {'memory': '8 MiB', 'passes': 1}}}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.operator = cls.server.create_key('--admin')['key']
        cls.count = 0
        for team in ('red', 'blue'):
            cls.call('POST', 'teams', {'name': team})
        cls.call('POST', 'projects', {'name': 'web', 'team_id': 'red'})

    @classmethod
    def call(cls, method, path, body=None, key=None, status=None):
        reply = cls.server.request(method, '/api/v1/' + path, body=None if body is None else json.dumps(body).encode(),
                                   key=key or cls.operator)
        assert status is None or reply.status == status, f'{method} {path} {body}: {reply}'
        return reply if status is None else reply.json() if reply.body else None

    def person(self, *grants):
        """(id, key, the grants)"""
        type(self).count += 1
        user = self.call('POST', 'users', {'email': f'd{self.count}@example.com'}, status=201)['id']
        made = [self.call('POST', 'grants', {'principal': user, **g}, status=201)['id'] for g in grants]
        return user, self.call('POST', 'keys', {'owner': user, 'scopes': ['*']}, status=201)['key'], made

    def lend(self, key, to, parent, status=201, **more):
        return self.call('POST', 'grants', {'principal': to, 'parent_id': parent, **more}, key=key, status=status)

    def may(self, user, action, **more):
        return self.call('POST', 'access/check', {'principal': user, 'action': action, **more}, status=200)['allowed']

    def chain_of(self, user, action):
        why = self.call('GET', f'access/explain?principal={user}&action={action}', status=200)
        return [g['id'] for g in why['chain']]

    def three(self):
        """A developer lends to a second, who lends to a third; each may lend on."""
        _, first_key, (root,) = self.person({'role': 'developer'})
        second, second_key, _ = self.person()
        third, third_key, _ = self.person()
        gives = ['key:*', 'model:*', 'grant:delegate']
        lent = self.lend(first_key, second, root, permissions=gives)['id']
        on = self.lend(second_key, third, lent, permissions=['key:create', 'key:read', 'grant:delegate'])['id']
        return (first_key, root), (second, second_key, lent), (third, third_key, on)

    def tries(self, key):
        return self.call('POST', 'keys', {'expires_at': '2020-01-01T00:00:00Z', 'scopes': ['key:read']}, key=key).status

    def test_the_chain_is_shown(self):
        (_, root), (second, _, lent), (third, third_key, on) = self.three()
        self.assertEqual(self.chain_of(second, 'key:delete'), [lent, root])
        self.assertEqual(self.chain_of(third, 'key:create'), [on, lent, root])
        self.assertFalse(self.may(third, 'key:delete'))
        self.call('GET', 'keys', key=third_key, status=200)
        row = self.call('GET', f'grants/{on}', status=200)
        self.assertEqual((row['parent_id'], row['granted_by']), (lent, second))

    def test_an_end_anywhere_ends_all_below(self):
        def revoked(first, second, third):
            self.call('DELETE', f'grants/{second[2]}', key=first[0], status=204)  # by who gave it

        def root_revoked(first, second, third):
            self.call('DELETE', f'grants/{first[1]}', status=204)

        def giver_disabled(first, second, third):
            self.call('PATCH', f'users/{second[0]}', {'status': 'disabled'}, status=200)

        def giver_denied(first, second, third):
            self.call('POST', 'grants', {'principal': second[0], 'effect': 'deny', 'permissions': ['key:*']}, status=201)

        def giver_deleted(first, second, third):
            self.call('DELETE', f'users/{second[0]}', status=204)

        for end in (revoked, root_revoked, giver_disabled, giver_denied, giver_deleted):
            with self.subTest(end.__name__):
                first, second, third = self.three()
                self.assertEqual((self.call('GET', 'keys', key=third[1]).status, self.may(third[0], 'key:create')), (200, True))
                end(first, second, third)
                self.assertFalse(self.may(third[0], 'key:create'))
                reply = self.call('GET', 'keys', key=third[1])
                self.assertTrue(reply.status == 403 or reply.json()['total'] == 0, reply)
                self.assertFalse(self.may(second[0], 'key:create') if end is not giver_deleted else False)

    def test_an_end_of_membership(self):
        """What somebody lent of a team's rights ends when they leave it."""
        self.call('POST', 'grants', {'principal': 'team/red', 'role': 'developer', 'scope': 'team/red'}, status=201)
        parent = self.call('GET', 'grants?role=developer&limit=1000', status=200)['data'][-1]['id']
        member, key, _ = self.person()
        other, _, _ = self.person()
        self.lend(key, other, parent, 403, permissions=['key:read'], scope='team/red')  # not hers to lend
        self.call('PUT', f'teams/red/members/{member}', status=204)
        self.lend(key, other, parent, permissions=['key:read'], scope='team/red')
        self.assertTrue(self.may(other, 'key:read', team='red'))
        self.call('DELETE', f'teams/red/members/{member}', status=204)
        self.assertFalse(self.may(other, 'key:read', team='red'))

    def test_never_more_than_one_has(self):
        _, key, (root, narrow) = self.person({'permissions': ['key:read', 'key:create', 'grant:delegate'], 'expires_at': when(3600)},
                                             {'permissions': ['model:use', 'grant:delegate'], 'scope': 'team/red',
                                              'resource': 'model/gpt-*'})
        taker, taker_key, _ = self.person()
        for body in ({'permissions': ['key:delete']}, {'permissions': ['key:*']}, {'permissions': ['*']}, {'role': 'viewer'},
                     {'role': 'owner'}, {'permissions': ['key:read'], 'scope': 'platform'},
                     {'permissions': ['key:read'], 'expires_at': when(7200)},
                     {'permissions': ['grant:create']}, {'permissions': ['key:read', 'user:read']}):
            self.lend(key, taker, root, 403, **body)
        for body in ({'permissions': ['model:use'], 'scope': 'tenant'}, {'permissions': ['model:use'], 'scope': 'team/blue'},
                     {'permissions': ['model:use'], 'scope': 'team/red'},
                     {'permissions': ['model:use'], 'scope': 'team/red', 'resource': 'model/*'},
                     {'permissions': ['model:use'], 'scope': 'team/red', 'resource': 'model/g*'}):
            self.lend(key, taker, narrow, 403, **body)
        for action in ('key:read', 'key:delete', 'model:use', 'grant:create'):
            self.assertFalse(self.may(taker, action, team='red'), action)
        # Narrower is good; without an end of its own it ends with what it came from.
        lent = self.lend(key, taker, narrow, permissions=['model:use'], scope='project/web', resource='model/gpt-5')
        self.assertTrue(self.may(taker, 'model:use', project='web', resource='gpt-5'))
        self.assertFalse(self.may(taker, 'model:use', project='web', resource='gpt-4'))
        # Neither a grant of another, nor one without a parent, nor lending what one may not lend on.
        self.lend(taker_key, taker, narrow, 403, permissions=['model:use'], scope='team/red', resource='model/gpt-*')
        self.assertEqual(self.call('POST', 'grants', {'principal': taker, 'permissions': ['key:read']}, key=key).status, 403)
        self.lend(taker_key, taker, lent['id'], 403, permissions=['model:use'], scope='project/web', resource='model/gpt-5')
        boss, _, _ = self.person({'role': 'admin'})
        # Nor by way of a key of more, a role, a team, or another's password.
        for path, body in (('keys', {'scopes': ['key:delete']}), ('keys', {'owner': boss, 'scopes': ['*']}),
                           ('roles', {'name': 'mine', 'permissions': ['*']}), (f'users/{boss}/password', {'password': GOOD})):
            self.assertIn(self.call('POST', path, body, key=key).status, (403, 404), path)
        self.assertIn(self.call('PUT', f'teams/blue/members/{taker}', key=key).status, (403, 404))

    def test_the_lesser_is_not_rid_of_the_greater(self):
        admin, admin_key, _ = self.person({'role': 'admin'})
        owner, owner_key, _ = self.person({'role': 'owner'})
        for method, body in (('PATCH', {'status': 'disabled'}), ('PATCH', {'email': 'mine@example.com'}), ('DELETE', None)):
            reply = self.call(method, f'users/{owner}', body, key=admin_key)
            self.assertEqual(reply.status, 403, f'{method} {body}: {reply}')
        self.assertEqual(self.call('GET', f'users/{owner}', status=200)['status'], 'active')
        self.call('GET', 'users', key=owner_key, status=200)
        lesser, _, _ = self.person({'role': 'viewer'})
        self.call('DELETE', f'users/{lesser}', key=admin_key, status=204)
        self.call('PATCH', f'users/{admin}', {'status': 'disabled'}, key=owner_key, status=200)
        self.call('DELETE', f'users/{admin}', key=owner_key, status=204)

    def test_chains_have_an_end(self):
        user, key, (grant,) = self.person({'permissions': ['key:read', 'grant:delegate']})
        for depth in range(1, 20):
            taker, taker_key, _ = self.person()
            reply = self.call('POST', 'grants', {'principal': taker, 'parent_id': grant,
                                                 'permissions': ['key:read', 'grant:delegate']}, key=key)
            if reply.status != 201:
                break
            key, grant = taker_key, reply.json()['id']
            self.assertTrue(self.may(taker, 'key:read'))
        self.assertIn(reply.status, (400, 403), reply)
        self.assertEqual(depth, 17)

    def test_for_a_time(self):
        _, key, (root,) = self.person({'permissions': ['key:read', 'grant:delegate']})
        taker, taker_key, _ = self.person()
        end, begin = when(1.5), when(0.7)
        self.lend(key, taker, root, permissions=['key:read'], not_before=begin, expires_at=end)
        self.assertFalse(self.may(taker, 'key:read', at=when(-1)))
        self.assertTrue(self.may(taker, 'key:read', at=begin))
        self.assertFalse(self.may(taker, 'key:read', at=end))
        self.assertEqual(self.call('GET', 'keys', key=taker_key).status, 403)
        self.assertTrue(eventually(lambda: self.call('GET', 'keys', key=taker_key).status == 200))
        self.assertTrue(eventually(lambda: self.call('GET', 'keys', key=taker_key).status == 403))
        self.assertGreaterEqual(when(0), end)
        for wrong in ({'expires_at': when(-1)}, {'not_before': when(60), 'expires_at': when(30)}):
            self.assertEqual(self.call('POST', 'grants', {'principal': taker, 'permissions': ['key:read'], **wrong}).status, 400)

    # --- four eyes ---

    def test_elevation_is_for_a_time_and_for_two(self):
        asker, asker_key, _ = self.person({'role': 'viewer'})
        peer, peer_key, _ = self.person({'role': 'admin'})
        low, low_key, _ = self.person({'permissions': ['elevation:read', 'elevation:approve']})
        ask = {'role': 'admin', 'duration': '1m', 'reason': 'incident 17'}
        for wrong in ({'duration': '30s'}, {'duration': '25h'}, {'role': 'no-such'}, {'reason': ''}):
            self.assertEqual(self.call('POST', 'elevations', {**ask, **wrong}, key=asker_key).status, 400, wrong)
        request = self.call('POST', 'elevations', ask, key=asker_key, status=201)
        path = f'elevations/{request["id"]}'
        # Not oneself, also not by a second key, nor who could not give the role, nor who does not ask as a person.
        second = self.call('POST', 'keys', {'owner': asker, 'scopes': ['*']}, status=201)['key']
        robot = self.call('POST', 'keys', {'scopes': ['*']})
        for key in (asker_key, second, low_key, *([robot.json()['key']] if robot.status == 201 else [])):
            self.assertIn(self.call('POST', f'{path}/approve', key=key).status, (403, 404))
        self.assertFalse(self.may(asker, 'team:create'))
        done = self.call('POST', f'{path}/approve', key=peer_key, status=200)
        self.assertEqual((done['status'], done['decided_by']), ('approved', peer))
        self.assertTrue(self.may(asker, 'team:create'))
        self.assertFalse(self.may(asker, 'team:create', at=when(61)))
        lasts = datetime.fromisoformat(done['expires_at'].replace('Z', '+00:00')).timestamp() - time.time()
        self.assertTrue(0 < lasts <= 60, lasts)
        # What is held for a time is not given for good, and is lent on only with it.
        self.assertEqual(self.call('POST', 'grants', {'principal': low, 'permissions': ['team:create']}, key=asker_key).status, 403)
        lent = self.lend(asker_key, low, done['grant_id'], permissions=['team:create'])
        self.assertTrue(self.may(low, 'team:create'))
        self.assertEqual(self.chain_of(low, 'team:create'), [lent['id'], done['grant_id']])
        self.call('DELETE', f'grants/{done["grant_id"]}', key=peer_key, status=204)
        self.assertEqual((self.may(asker, 'team:create'), self.may(low, 'team:create')), (False, False))
        # A request that was decided is decided; one's own may be withdrawn.
        self.assertEqual(self.call('POST', f'{path}/refuse', key=peer_key).status, 409)
        other = self.call('POST', 'elevations', ask, key=asker_key, status=201)
        self.assertEqual(self.call('POST', f'elevations/{other["id"]}/refuse', key=asker_key, status=200)['status'], 'ended')
        events = {e['action'] for e in self.call('GET', f'audit?q={request["id"]}&limit=100', status=200)['data']}
        self.assertLessEqual({'elevation.create', 'elevation.approve'}, events)

    def test_elevation_from_the_command_line(self):
        """Two people, each signed in at a place of their own."""
        env = {}
        for name, role in (('ada', 'viewer'), ('bob', 'admin')):
            folder = tempfile.TemporaryDirectory()
            self.addCleanup(folder.cleanup)
            email = f'{name}-cli@example.com'
            for args, text in ((('user', 'create', f'email={email}'), None), (('user', 'passwd', email, '--keep'), GOOD + '\n'),
                               (('grant', 'create', f'principal=user/{email}', f'role={role}'), None)):
                self.assertEqual(self.server.cli(*args, stdin=text).returncode, 0)
            env[name] = clean_environment(HOME=folder.name, PENSTOCK_SERVER=f'http://127.0.0.1:{self.server.port}')
            self.run_as(env[name], 'login', email, stdin=GOOD + '\n')
        self.run_as(env['ada'], 'team', 'create', 'name=by-ada', code=5)
        made = json.loads(self.run_as(env['ada'], 'elevation', 'create', 'role=admin', 'duration=1h', 'reason=incident 17',
                                      '--json').stdout)
        self.assertIn('incident 17', self.run_as(env['bob'], 'elevation', 'list', 'status=pending').stdout)
        self.run_as(env['ada'], 'elevation', 'approve', made['id'], code=5)
        self.run_as(env['bob'], 'elevation', 'approve', made['id'])
        self.run_as(env['ada'], 'team', 'create', 'name=by-ada')
        explained = self.run_as(env['ada'], 'access', 'explain', 'user/ada-cli@example.com', 'team:create').stdout
        self.assertIn('gives the role admin', explained)
        self.assertIn(' until ', explained)
        self.run_as(env['bob'], 'elevation', 'refuse', made['id'], code=1)
        # The operator is nobody: four eyes are those of two people.
        done = self.server.cli('elevation', 'create', 'role=admin', 'duration=1h', 'reason=x')
        self.assertEqual(done.returncode, 5, done.stderr)
        self.assertIn('only people', done.stderr)

    def run_as(self, env, *args, stdin='', code=0):
        done = subprocess.run([BINARY, *args], env=env, input=stdin, text=True, capture_output=True, timeout=WAIT,
                              cwd=os.path.dirname(self.server.data))
        self.assertEqual(done.returncode, code, f'{args}: {done.stdout}{done.stderr}')
        return done


if __name__ == '__main__':
    main()
