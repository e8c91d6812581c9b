#!/usr/bin/env python3
# What keys may do on a running server: the rights of their owners, scopes, explicit denies, suspension, allowed addresses
# and pages. Everything is changed in the database behind the server's back, which must notice by itself.
import json
import os
import sqlite3

from harness import WAIT, Suite, chat_body, eventually, fake_provider, main

MODELS = [{'name': n, 'targets': [{'provider': 'fake', 'model': 'x'}]} for n in ('gpt-a', 'gpt-b', 'secret-1')]


class KeyRights(Suite):
    @classmethod
    def config(cls):
        return {'providers': [fake_provider(cls.fake)], 'models': MODELS, 'passthrough_models': False}

    def setUp(self):
        super().setUp()
        self.sql('DELETE FROM access_grant')

    def sql(self, text, *values):
        db = sqlite3.connect(os.path.join(self.server.data, 'penstock.db'), timeout=WAIT, isolation_level=None)
        try:
            return db.execute(text, values).fetchall()
        finally:
            db.close()

    def insert(self, table, **columns):
        columns = {'tenant_id': 1, 'created_at': 0, 'updated_at': 0, **columns}
        marks = ', '.join('?' * len(columns))
        return self.sql(f'INSERT INTO {table} ({", ".join(columns)}) VALUES ({marks}) RETURNING id', *columns.values())[0][0]

    def person(self, email):
        return self.insert('app_user', email=email)

    def grant(self, kind, number, **columns):
        return self.insert('access_grant', principal_kind=kind, principal_id=number, **columns)

    def key(self, **columns):
        made = self.server.create_key()
        number = self.sql('SELECT max(id) FROM api_key')[0][0]
        for name, value in columns.items():
            self.sql(f'UPDATE api_key SET {name} = ? WHERE id = ?', value, number)
        return made['key'], number

    def call(self, key, model='gpt-a', headers=None):
        return self.server.request('POST', '/v1/chat/completions', chat_body(model), headers, key)

    def becomes(self, status, key, model='gpt-a', headers=None):
        eventually(lambda: self.call(key, model, headers).status == status)
        return self.call(key, model, headers)

    def test_keys_without_an_owner_use_models(self):
        key, _ = self.key()
        self.assertEqual(self.call(key).status, 200)

    def test_owners_rights_are_followed(self):
        user = self.person('ann@example.com')
        key, _ = self.key(owner_kind='user', owner_id=user)
        reply = self.becomes(403, key)
        error = self.check_error(reply, 403, 'model_not_allowed', 'invalid_request_error', 'model')
        self.assertIn('no grant gives its owner (a user) model:use', error['message'])
        self.assertEqual(self.server.get('/v1/models', key).json()['data'], [])
        number = self.grant('user', user, role='developer', resource='model/gpt-*')
        self.becomes(200, key)
        self.assertEqual(self.call(key, 'secret-1').status, 403)
        self.assertEqual([m['id'] for m in self.server.get('/v1/models', key).json()['data']], ['gpt-a', 'gpt-b'])
        self.sql('UPDATE access_grant SET revoked_at = 1 WHERE id = ?', number)
        self.becomes(403, key)

    def test_team(self):
        account = self.insert('service_account', name='robot')
        team = self.insert('team', name='red')
        key, _ = self.key(owner_kind='service_account', owner_id=account, team_id=team)
        self.grant('team', team, role='service', scope_kind='team', scope_id=team)
        self.becomes(403, key)
        self.sql('INSERT INTO team_member VALUES (1, ?, ?, ?, 0)', team, 'service_account', account)
        self.becomes(200, key)
        self.sql('DELETE FROM team_member')
        self.becomes(403, key)

    def test_deny_for_everybody(self):
        key, _ = self.key()
        number = self.grant('tenant', 1, permissions='["model:*"]', effect='deny', resource='model/secret-*')
        self.assertIn('denied', self.becomes(403, key, 'secret-1').error()['message'])
        self.assertEqual(self.call(key).status, 200)
        self.sql('UPDATE access_grant SET revoked_at = 1 WHERE id = ?', number)
        self.becomes(200, key, 'secret-1')

    def test_a_name_with_a_tag_is_the_models(self):
        def ask(key, model):
            body = json.dumps({'model': model, 'stream': False, 'messages': [{'role': 'user', 'content': 'x'}]}).encode()
            return self.server.request('POST', '/api/chat', body, key=key)
        key, _ = self.key()
        self.grant('tenant', 1, permissions='["model:*"]', effect='deny', resource='model/secret-1')
        # On each loop: all of eight connections.
        self.assertTrue(eventually(lambda: all(self.call(key, 'secret-1').status == 403 for _ in range(8))))
        self.assertEqual({ask(key, 'secret-1:latest').status for _ in range(8)}, {403})
        self.assertEqual(ask(key, 'gpt-a:latest').status, 200)
        narrow = self.server.create_key('--models', 'gpt-a')['key']
        self.assertEqual(ask(narrow, 'gpt-a:latest').status, 200)
        self.assertEqual(ask(narrow, 'gpt-b:latest').status, 403)

    def test_scopes(self):
        key, _ = self.key(scopes='["usage:read"]')
        self.assertIn('scopes', self.becomes(403, key).error()['message'])

    def test_suspended_owner(self):
        user = self.person('bob@example.com')
        key, _ = self.key(owner_kind='user', owner_id=user)
        self.grant('user', user, role='service')
        self.becomes(200, key)
        self.sql("UPDATE app_user SET status = 'suspended' WHERE id = ?", user)
        error = self.check_error(self.becomes(403, key), 403, 'permission_denied')
        self.assertIn('suspended', error['message'])
        self.sql("UPDATE app_user SET status = 'active' WHERE id = ?", user)
        self.becomes(200, key)

    def test_addresses(self):
        key, number = self.key(addresses=json.dumps(['10.0.0.0/8']))
        error = self.check_error(self.becomes(403, key), 403, 'permission_denied')
        self.assertIn('127.0.0.1', error['message'])
        self.sql('UPDATE api_key SET addresses = ? WHERE id = ?', json.dumps(['10.0.0.0/8', '127.0.0.0/8']), number)
        self.becomes(200, key)
        self.sql('UPDATE api_key SET addresses = ? WHERE id = ?', '["127.0.0.1/8"', number)  # cannot be read
        self.becomes(403, key)

    def test_origins(self):
        key, _ = self.key(origins=json.dumps(['https://*.example.com']))
        self.becomes(403, key)
        self.assertEqual(self.call(key, headers={'Origin': 'https://app.example.com'}).status, 200)
        self.assertEqual(self.call(key, headers={'Origin': 'https://example.com.evil.org'}).status, 403)


if __name__ == '__main__':
    main()
