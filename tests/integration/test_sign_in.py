#!/usr/bin/env python3
"""People sign in to the real server: cookie, cross-site requests, second factor, locks, sessions, access tokens."""

import base64
import hashlib
import hmac
import json
import struct
import time

from harness import Suite, eventually, fake_provider, main

GOOD = 'correct horse battery staple'
BETTER = 'seven blue goats ride a bike'


def totp(secret, step=0):
    """RFC 6238 by other hands than the server's."""
    key = base64.b32decode(secret)
    mac = hmac.new(key, struct.pack('>Q', int(time.time()) // 30 + step), hashlib.sha1).digest()
    at = mac[-1] & 15
    return f'{(struct.unpack(">I", mac[at:at + 4])[0] & 0x7fffffff) % 1000000:06d}'


class Person:
    """A browser: keeps the cookie and the session's token."""

    def __init__(self, suite):
        self.suite, self.cookie, self.csrf, self.set_cookie = suite, None, None, ''

    def send(self, method, path, body=None, status=200, **headers):
        fields = {name.replace('_', '-'): value for name, value in headers.items()}
        fields['Host'] = fields.pop('host', f'localhost:{self.suite.server.port}')
        if self.cookie:
            fields['cookie'] = 'theme=dark; ' + self.cookie
        if self.csrf and 'x-csrf-token' not in fields:
            fields['x-csrf-token'] = self.csrf
        reply = self.suite.server.request(method, path, body=json.dumps(body).encode() if body is not None else None,
                                          headers={k: v for k, v in fields.items() if v is not None})
        self.suite.assertEqual(reply.status, status, reply)
        self.set_cookie = reply.header('set-cookie') or ''
        if self.set_cookie:
            self.cookie = self.set_cookie.split(';')[0]
        return reply

    def sign_in(self, email, password, status=200, **more):
        reply = self.send('POST', '/api/v1/session', {'email': email, 'password': password, **more}, status)
        if status == 200:
            self.csrf = reply.json()['csrf_token']
        return reply


class SignIn(Suite):

    @classmethod
    def config(cls):
        return {'providers': [fake_provider(cls.fake)],
                'auth': {'password': {'memory': '8 MiB', 'passes': 1},
                         'sign_in': {'max_failures': 3, 'lock_base': '1s', 'lock_max': '2s',
                                     'max_address_failures': 100000}}}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.admin = cls.server.create_key('--admin', '--name', 'ops')['key']
        cls.count = 0

    def api(self, method, path, body=None, status=200, key=None, headers=None):
        reply = self.server.request(method, '/api/v1' + path, body=json.dumps(body).encode() if body is not None else None,
                                    key=key or self.admin, headers=headers)
        self.assertEqual(reply.status, status, reply)
        return reply

    def user(self, password=GOOD, must_change=False):
        """Makes a user; gives (id, e-mail address)."""
        type(self).count += 1
        email = f'person{self.count}@example.com'
        made = self.api('POST', '/users', {'email': email, 'name': 'Ada'}, status=201).json()
        self.api('POST', f'/users/{made["id"]}/password', {'password': password, 'must_change': must_change}, status=204)
        return made['id'], email

    def person(self, **more):
        user, email = self.user(**more)
        person = Person(self)
        person.sign_in(email, GOOD)
        return person, user, email

    def test_cookie(self):
        person, user, email = self.person()
        self.assertRegex(person.set_cookie, r'^penstock-session=pss-[\w-]{43}; Path=/; HttpOnly; SameSite=Strict; Max-Age=\d+$')
        shown = person.send('GET', '/api/v1/session').json()
        self.assertEqual((shown['user']['id'], shown['user']['email'], shown['due']), (user, email, None))
        self.assertEqual(shown['csrf_token'], person.csrf)
        # As seen through a proxy that ends TLS, the cookie is another one, and Secure.
        proxied = Person(self)
        proxied.send('POST', '/api/v1/session', {'email': email, 'password': GOOD}, host='ai.example.com')
        self.assertRegex(proxied.set_cookie, r'^__Host-penstock-session=.*; Secure$')
        proxied.send('GET', '/api/v1/session', host='ai.example.com')
        # A cookie is of no use under the other name, nor are two.
        for cookie in ('__Host-' + person.cookie, f'{person.cookie}; {person.cookie}', person.cookie[:-1], 'penstock-session='):
            reply = self.server.request('GET', '/api/v1/session', headers={'cookie': cookie, 'Host': 'localhost'})
            self.assertEqual(reply.status, 401, reply)
        person.send('DELETE', '/api/v1/session', status=204)
        self.assertIn('Max-Age=0', person.set_cookie)
        again = Person(self)
        again.cookie = shown and proxied.cookie.replace('__Host-', '')
        again.send('GET', '/api/v1/session')  # the other session goes on

    def test_signed_out_at_once(self):
        person, _, _ = self.person()
        kept = person.cookie
        person.send('DELETE', '/api/v1/session', status=204)
        reply = self.server.request('GET', '/api/v1/session', headers={'cookie': kept, 'Host': 'localhost'})
        self.assertEqual(reply.status, 401)

    def test_cross_site(self):
        person, _, email = self.person()
        origin = f'http://localhost:{self.server.port}'
        good = {'origin': origin, 'sec_fetch_site': 'same-origin'}
        body = {'permissions': ['model:use']}
        person.send('POST', '/api/v1/tokens', body, 201, **good)
        person.send('POST', '/api/v1/tokens', body, 201)
        token, person.csrf = person.csrf, None
        person.send('POST', '/api/v1/tokens', body, 403, **good)
        person.csrf = token[:-1] + ('A' if token[-1] != 'A' else 'B')
        person.send('POST', '/api/v1/tokens', body, 403, **good)
        person.csrf = token
        for bad in ({'origin': 'https://evil.example'}, {'origin': 'null'}, {'sec_fetch_site': 'cross-site'},
                    {'sec_fetch_site': 'same-site'}, {'origin': origin + '0'}, {**good, 'sec_fetch_site': 'cross-site'}):
            person.send('POST', '/api/v1/tokens', body, 403, **bad)
            Person(self).send('POST', '/api/v1/session', {'email': email, 'password': GOOD}, 403, **bad)
        other, _, _ = self.person()
        person.csrf = other.csrf  # another session's
        person.send('POST', '/api/v1/tokens', body, 403)

    def test_nothing_told(self):
        _, email = self.user()
        replies = []
        for who, tenant in ((email, None), ('nobody@example.com', None), (email, 'nowhere'), ('nobody@example.com', 'nowhere')):
            reply = Person(self).sign_in(who, 'wrong password 1', 401, **({'tenant': tenant} if tenant else {}))
            body = reply.json()
            body.pop('request_id', None)
            replies.append(json.dumps(body, sort_keys=True))
        self.assertEqual(len(set(replies)), 1, replies)

    def test_lock(self):
        _, email = self.user()
        for who in (email, 'stranger@example.com'):
            for _ in range(3):
                Person(self).sign_in(who, 'wrong password 1', 401)
            reply = Person(self).sign_in(who, GOOD, 429)
            self.assertIn('too many failed sign-ins', reply.json()['detail'])
            wait = int(reply.header('retry-after'))
            self.assertTrue(1 <= wait <= 2, reply)
            self.assertIn(f'try again in {wait} s', reply.json()['detail'])
        eventually(lambda: self.server.request('POST', '/api/v1/session', body=json.dumps(
            {'email': email, 'password': GOOD}).encode()).status == 200, every=0.3)

    def test_second_factor(self):
        person, _, email = self.person()
        person.send('POST', '/api/v1/session/totp', {}, 400)
        person.send('POST', '/api/v1/session/totp', {'password': 'wrong password 1'}, 403)
        shown = person.send('POST', '/api/v1/session/totp', {'password': GOOD}).json()
        self.assertIn('otpauth://totp/Penstock:', shown['uri'])
        self.assertIn(shown['secret'], shown['uri'])
        person.send('POST', '/api/v1/session/totp/confirm', {'code': '000000'}, 400)
        codes = person.send('POST', '/api/v1/session/totp/confirm', {'code': totp(shown['secret'])}).json()['recovery_codes']
        self.assertEqual(len(set(codes)), 10)
        other = Person(self)
        self.assertEqual(other.sign_in(email, GOOD, 401).json()['code'], 'second_factor_required')
        self.assertEqual(other.sign_in(email, 'wrong password 1', 401).json()['code'], 'invalid_credentials')
        other.sign_in(email, GOOD, code=totp(shown['secret'], 1))
        self.assertTrue(other.send('GET', '/api/v1/session').json()['session']['second_factor'])
        other.sign_in(email, GOOD, code=codes[0])
        Person(self).sign_in(email, GOOD, 401, code=codes[0])
        person.send('DELETE', '/api/v1/session/totp', {'password': 'wrong password 1'}, 403)
        fresh = person.send('POST', '/api/v1/session/recovery-codes', {'password': GOOD}).json()['recovery_codes']
        Person(self).sign_in(email, GOOD, 401, code=codes[1])
        Person(self).sign_in(email, GOOD, code=fresh[1])
        person.send('DELETE', '/api/v1/session/totp', {'password': GOOD}, 204)
        Person(self).sign_in(email, GOOD)

    def test_password(self):
        person, _, email = self.person()
        other = Person(self)
        other.sign_in(email, GOOD)
        before = person.cookie
        for bad in ('short', 'password1234', email, GOOD):
            person.send('POST', '/api/v1/session/password', {'password': GOOD, 'new_password': bad}, 400)
        person.send('POST', '/api/v1/session/password', {'password': 'wrong password 1', 'new_password': BETTER}, 403)
        person.send('POST', '/api/v1/session/password', {'password': GOOD, 'new_password': BETTER}, 204)
        self.assertNotEqual(person.cookie, before)
        person.send('GET', '/api/v1/session')
        other.send('GET', '/api/v1/session', status=401)
        Person(self).sign_in(email, GOOD, 401)
        Person(self).sign_in(email, BETTER)

    def test_must_change(self):
        person, user, _ = self.person(must_change=True)
        self.assertEqual(person.send('GET', '/api/v1/session').json()['due'], 'password')
        self.api('POST', '/grants', {'principal': user, 'role': 'admin'}, status=201)
        person.send('GET', '/api/v1/users', status=403)
        person.send('POST', '/api/v1/session/password', {'password': GOOD, 'new_password': BETTER}, 204)
        person.send('GET', '/api/v1/users')

    def test_rights(self):
        person, user, _ = self.person()
        person.send('GET', '/api/v1/users', status=403)
        before = person.cookie
        grant = self.api('POST', '/grants', {'principal': user, 'role': 'viewer'}, status=201).json()
        person.send('GET', '/api/v1/users')
        self.assertNotEqual(person.cookie, before)  # rights changed: another cookie
        person.send('POST', '/api/v1/teams', {'name': 'mine'}, 403)
        self.api('DELETE', f'/grants/{grant["id"]}', status=204)
        person.send('GET', '/api/v1/users', status=403)
        self.api('PATCH', f'/users/{user}', {'status': 'disabled'})
        person.send('GET', '/api/v1/session', status=401)

    def test_no_taking_over(self):
        """Whoever may change users sets the password of nobody who may do more."""
        person, helper, _ = self.person()
        _, boss, _ = self.person()
        self.api('POST', '/grants', {'principal': helper, 'permissions': ['user:read', 'user:update']}, status=201)
        self.api('POST', '/grants', {'principal': boss, 'role': 'owner'}, status=201)
        person.send('POST', f'/api/v1/users/{boss}/password', {'password': BETTER}, 403)
        peer, _ = self.user()
        person.send('POST', f'/api/v1/users/{peer}/password', {'password': BETTER}, 204)

    def test_sessions(self):
        person, user, email = self.person()
        other = Person(self)
        other.sign_in(email, GOOD)
        stranger, _, _ = self.person()
        listed = person.send('GET', '/api/v1/sessions').json()['data']
        self.assertEqual(len(listed), 2)
        self.assertEqual([s['current'] for s in listed], [False, True])
        page = person.send('GET', '/api/v1/sessions?limit=1').json()
        rest = person.send('GET', f'/api/v1/sessions?limit=1&cursor={page["next_cursor"]}').json()
        self.assertEqual([s['id'] for s in page['data'] + rest['data']], [s['id'] for s in listed])
        self.assertIsNone(rest['next_cursor'])
        person.send('GET', '/api/v1/sessions?user=all', status=403)
        stranger.send('DELETE', f'/api/v1/sessions/{listed[0]["id"]}', status=403)
        stranger.send('DELETE', '/api/v1/sessions/session_00000000000zz', status=403)
        person.send('DELETE', f'/api/v1/sessions/{listed[0]["id"]}', status=204)
        other.send('GET', '/api/v1/session', status=401)
        self.assertEqual(len(self.api('GET', f'/sessions?user={user}').json()['data']), 1)
        self.api('DELETE', f'/sessions/{listed[1]["id"]}', status=204)
        person.send('GET', '/api/v1/session', status=401)

    def test_tokens(self):
        person, user, _ = self.person()
        self.api('POST', '/grants', {'principal': user, 'role': 'admin'}, status=201)
        made = person.send('POST', '/api/v1/tokens', {'permissions': ['user:read'], 'expires_in': 60}, 201).json()
        self.assertEqual((made['token_type'], made['expires_in']), ('Bearer', 60))
        token = made['access_token']
        self.api('GET', '/users', key=token)
        self.api('POST', '/teams', {'name': 'other'}, key=token, status=403)  # beyond its scope
        self.api('POST', '/tokens', {'permissions': ['user:read']}, key=token, status=403)
        head, claims, signature = token[len('ps_at_'):].split('.')
        pad = lambda s: json.loads(base64.urlsafe_b64decode(s + '=' * (-len(s) % 4)))
        self.assertEqual(pad(head)['alg'], 'EdDSA')
        self.assertEqual(pad(claims)['sub'], user)
        keys = self.server.get('/.well-known/jwks.json').json()['keys']
        self.assertIn(pad(head)['kid'], [k['kid'] for k in keys])
        none = base64.urlsafe_b64encode(json.dumps({**pad(head), 'alg': 'none'}).encode()).decode().rstrip('=')
        for bad in (f'{none}.{claims}.', f'{none}.{claims}.{signature}', f'{head}.{claims}.', f'{head}.{claims}',
                    f'{head}.{claims}.{signature[:-4]}AAAA', f'{head}.{claims[:-4]}AAAA.{signature}', '..', '', 'a' * 9000):
            self.api('GET', '/users', key='ps_at_' + bad, status=401)
        for bad in ({}, {'permissions': []}, {'permissions': ['user:fly']}, {'permissions': 'user:read'},
                    {'permissions': ['user:read'], 'expires_in': 3601}, {'permissions': ['user:read'], 'expires_in': 0}):
            person.send('POST', '/api/v1/tokens', bad, 400)
        person.send('DELETE', '/api/v1/session', status=204)
        self.api('GET', '/users', key=token, status=401)  # it ends with the session
        self.api('POST', '/tokens', {'permissions': ['user:read']}, status=403)  # an admin key has none

    def test_token_on_the_data_plane(self):
        person, user, _ = self.person()
        body = {'model': 'fake/well', 'messages': [{'role': 'user', 'content': 'Hello'}]}

        def chat(token, status):
            reply = self.server.post('/v1/chat/completions', json.dumps(body).encode(), key=token)
            self.assertEqual(reply.status, status, reply)
            return reply

        def settled(status):
            """On each of the server's loops, which look for themselves."""
            eventually(lambda: all(self.server.post('/v1/chat/completions', json.dumps(body).encode(), key=made).status
                                   == status for _ in range(12)), every=0.1)

        made = person.send('POST', '/api/v1/tokens', {'permissions': ['model:use', 'model:read']}, 201).json()['access_token']
        chat(made, 403)  # the user may not
        grant = self.api('POST', '/grants', {'principal': user, 'permissions': ['model:use']}, status=201).json()
        settled(200)
        other = person.send('POST', '/api/v1/tokens', {'permissions': ['user:read']}, 201).json()['access_token']
        chat(other, 403)  # the token may not
        for bad in (made[:-4] + 'AAAA', made[:-1], made + '.', 'ps_at_', 'ps_at_' + 'a' * 20000):
            chat(bad, 401)
        self.api('DELETE', f'/grants/{grant["id"]}', status=204)
        settled(403)
        self.api('POST', '/grants', {'principal': user, 'permissions': ['model:use']}, status=201)
        settled(200)
        person.send('DELETE', '/api/v1/session', status=204)
        settled(401)

    def test_token_of_a_key(self):
        key = self.server.create_key('--name', 'caller')
        # By the command line: of several servers each knows it within a second.
        eventually(lambda: all(self.server.get('/api/v1/session', key['key']).status == 200 for _ in range(4)))
        made = self.api('POST', '/tokens', {'permissions': ['model:use']}, status=201, key=key['key']).json()['access_token']
        self.api('POST', '/tokens', {'permissions': ['user:read']}, status=403, key=key['key'])
        self.assertEqual(self.server.chat('fake/well', headers={'Authorization': 'Bearer ' + made}).status, 200)
        self.assertEqual(self.server.cli('key', 'revoke', key['id']).returncode, 0)
        eventually(lambda: self.server.chat('fake/well', headers={'Authorization': 'Bearer ' + made}).status == 401)

    def test_events(self):
        person, user, email = self.person()
        Person(self).sign_in(email, 'wrong password 1', 401)
        person.send('DELETE', '/api/v1/session', status=204)
        done = self.server.cli('audit', 'list', '--limit', '1000', '--json')
        self.assertEqual(done.returncode, 0, done.stderr)
        events = [(e['action'], e['outcome']) for e in map(json.loads, done.stdout.splitlines()) if email in json.dumps(e)]
        for event in (('session.sign_in', 'ok'), ('session.sign_in', 'denied'), ('session.sign_out', 'ok'),
                      ('user.reset_password', 'ok')):
            self.assertIn(event, events)

    def test_bad_input(self):
        for body in ('', '{', '[]', '{}', '{"email":1,"password":"x"}', '{"email":"a@b"}', '{"email":"a","password":"x"}',
                     '{"email":"a@b","password":"x","password":"y"}', '\xff'):
            reply = self.server.request('POST', '/api/v1/session', body=body.encode('latin-1'))
            self.assertEqual(reply.status, 400, (body, reply))
        for path in ('/api/v1/session', '/api/v1/sessions', '/api/v1/tokens'):
            self.assertEqual(self.server.request('GET' if path != '/api/v1/tokens' else 'POST', path).status, 401)
        self.check_serving()


if __name__ == '__main__':
    main()
