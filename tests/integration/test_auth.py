#!/usr/bin/env python3
# Who may call: missing, wrong, expired, revoked and limited keys.
import os
import threading
import time

from harness import Suite, chat_body, eventually, fake_provider, main


class Auth(Suite):
    @classmethod
    def config(cls):
        return {'providers': [fake_provider(cls.fake)],
                'models': [{'name': n, 'targets': [{'provider': 'fake', 'model': 'x'}]} for n in ('gpt-a', 'gpt-b', 'other')]}

    def call(self, key=None, headers=None, model='gpt-a'):
        return self.server.request('POST', '/v1/chat/completions', chat_body(model), headers, key)

    def refused(self, reply):
        error = self.check_error(reply, 401, 'invalid_api_key', 'invalid_request_error')
        self.assertTrue(reply.header('www-authenticate').startswith('Bearer'))
        self.assertEqual(self.fake.seen, [], 'a refused request reached the provider')
        return error['message']

    def test_no_key(self):
        self.refused(self.call())
        self.refused(self.server.get('/v1/models'))

    def test_wrong_keys(self):
        good = self.server.key
        for wrong in ('x', 'ps-', good[:-1], good + 'A', good[:-1] + ('A' if good[-1] != 'A' else 'B'), 'sk-' + good[3:],
                      'ps-' + 'A' * 43, good.upper(), 'ps-' + '\xff' * 43):
            with self.subTest(wrong):
                message = self.refused(self.call(headers={'Authorization': 'Bearer ' + wrong}))
                self.assertNotIn(good, message)

    def test_wrong_schemes(self):
        for value in (self.server.key, 'Basic ' + self.server.key, 'Bearer', 'Bearer ', 'bearerx ' + self.server.key):
            with self.subTest(value):
                self.refused(self.call(headers={'Authorization': value}))

    def test_ways_to_give_a_key(self):
        for headers in ({'Authorization': 'Bearer ' + self.server.key}, {'authorization': 'bearer   ' + self.server.key},
                        {'X-Api-Key': self.server.key}):
            self.assertEqual(self.call(headers=headers).status, 200)

    def test_the_key_is_checked_before_the_body(self):
        reply = self.server.request('POST', '/v1/chat/completions', b'{not json', key='ps-' + 'A' * 43)
        self.refused(reply)

    def test_new_key_works_at_once(self):
        self.assertEqual(self.call(self.server.key).status, 200)
        for _ in range(5):
            self.assertEqual(self.call(self.server.create_key()['key']).status, 200)

    def test_revocation_is_effective_at_once(self):
        for how in ('id', 'prefix', 'name'):
            with self.subTest(how):
                key = self.server.create_key('--name', 'doomed-' + how)
                self.fake.reset()
                # On every loop and on a connection kept alive, so that no cache is missed.
                for _ in range(8):
                    self.assertEqual(self.call(key['key']).status, 200)
                what = {'id': key['id'], 'prefix': key['key'][:9], 'name': 'doomed-' + how}[how]
                done = self.server.cli('key', 'revoke', what)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.fake.reset()
                for _ in range(8):
                    self.assertIn('revoked', self.refused(self.call(key['key'])))
        self.assertEqual(self.call(self.server.key).status, 200)

    def test_revocation_under_load(self):
        key = self.server.create_key()
        stop, wrong = threading.Event(), []

        def load():
            while not stop.is_set():
                begun = time.monotonic()
                status = self.call(key['key']).status
                if status == 200 and revoked_at and begun > revoked_at[0]:
                    wrong.append('a request that began after the revocation was served')
                if status not in (200, 401):
                    wrong.append(status)

        revoked_at = []
        threads = [threading.Thread(target=load) for _ in range(4)]
        for t in threads:
            t.start()
        time.sleep(0.3)
        self.assertEqual(self.server.cli('key', 'revoke', key['id']).returncode, 0)
        revoked_at.append(time.monotonic())
        time.sleep(0.3)
        stop.set()
        for t in threads:
            t.join()
        self.assertEqual(wrong, [])

    def test_expiry(self):
        key = self.server.create_key('--expires', '1s')
        self.assertTrue(key['expires_at'])
        self.assertEqual(self.call(key['key']).status, 200)
        self.fake.reset()
        self.assertTrue(eventually(lambda: self.call(key['key']).status == 401, every=0.1))
        self.fake.reset()
        self.assertIn('expired', self.refused(self.call(key['key'])))

    def test_allowed_models(self):
        key = self.server.create_key('--models', 'gpt-a,fake/*')['key']
        self.assertEqual(self.call(key).status, 200)
        self.assertEqual(self.call(key, model='fake/anything').status, 200)
        self.fake.reset()
        error = self.check_error(self.call(key, model='other'), 403, 'model_not_allowed', param='model')
        self.assertIn('gpt-a', error['message'])
        self.assertEqual(self.fake.seen, [])
        names = [m['id'] for m in self.server.get('/v1/models', key=key).json()['data']]
        self.assertEqual(names, ['gpt-a'])
        self.assertEqual(self.server.get('/v1/models/other', key=key).status, 404)
        pattern = self.server.create_key('--models', 'gpt-*')['key']
        self.assertEqual(self.call(pattern, model='gpt-b').status, 200)
        self.assertEqual(self.call(pattern, model='other').status, 403)

    def test_keys_are_nowhere_in_clear(self):
        self.call(self.server.key)
        secret = self.server.key[9:].encode()
        for folder, _, files in os.walk(self.server.folder):
            for name in files:
                with open(os.path.join(folder, name), 'rb') as f:
                    content = f.read()
                self.assertNotIn(secret, content, name)
                if name != 'penstock.yaml':
                    self.assertNotIn(b'sk-fake', content, name)

    def test_usage_by_key(self):
        key = self.server.create_key('--name', 'counted')
        for _ in range(3):
            self.call(key['key'])
        rows = [r for r in self.server.usage('--by', 'key') if r['key_name'] == 'counted']
        self.assertEqual([(r['key'], r['requests']) for r in rows], [(key['id'], 3)])


class NoAuth(Suite):
    @classmethod
    def config(cls):
        return {'providers': [fake_provider(cls.fake)], 'auth': {'required': False}}

    def test_calls_without_a_key(self):
        reply = self.server.request('POST', '/v1/chat/completions', chat_body('x'))
        self.assertEqual(reply.status, 200, reply)
        self.assertIsNone(self.record_of(reply.request_id)['key'])

    def test_any_text_will_do_for_a_key(self):
        self.assertEqual(self.server.request('POST', '/v1/chat/completions', chat_body('x'), key='whatever').status, 200)

    def test_a_good_key_is_still_told_apart(self):
        reply = self.server.chat('x')
        self.assertEqual(self.record_of(reply.request_id)['key_name'], 'test')


if __name__ == '__main__':
    main()
