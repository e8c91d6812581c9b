#!/usr/bin/env python3
"""Keys on the real server: how one is recognised, where it was last used, rotation by hand and by the clock, misuse."""
import contextlib
import datetime
import json
import os
import re
import sqlite3
import tempfile
import threading
import time
import unittest
import zlib

from harness import ROOT, chat_body, eventually, main, sanitized
from test_api import Api
from test_sign_in import Person

FAKETIME = '/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1'
DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'


def checksum(body):
    """As the guide says, for scanners."""
    number, text = zlib.crc32(body.encode()), ''
    for _ in range(6):
        number, digit = divmod(number, 62)
        text = DIGITS[digit] + text
    return text


def unknown_key(fill='A'):
    body = 'ps-' + fill * 43
    return body + checksum(body)


class Recognised(Api):
    def test_form(self):
        for i in range(20):
            key = self.server.create_key('--name', f'form-{i}')['key']
            self.assertRegex(key, r'^ps-[0-9A-Za-z]{49}$')
            self.assertEqual(key[46:], checksum(key[:46]))

    def test_a_wrong_checksum_is_refused(self):
        key = self.server.create_key('--name', 'wrong')['key']
        wrong = key[:-1] + ('A' if key[-1] != 'A' else 'B')
        error = self.check_error(self.server.get('/v1/models', wrong), 401, 'invalid_api_key')
        self.assertIn('checksum', error['message'])
        self.assertNotIn(wrong[:12], error['message'])
        error = self.check_error(self.server.get('/v1/models', unknown_key()), 401, 'invalid_api_key')
        self.assertIn('not known', error['message'])

    def test_identify(self):
        made = self.make('keys', {'name': 'found me'})
        told = self.call('POST', 'keys/identify', {'key': f' {made["key"]}\n'}, status=200).json()
        self.assertEqual((told['form'], told['known'], told['key']['id'], told['key']['state']),
                         ('good', True, made['id'], 'active'))
        self.assertNotIn('key', told['key'])
        self.call('POST', f'keys/{made["id"]}/revoke', status=200)
        told = self.call('POST', 'keys/identify', {'key': made['key']}, status=200).json()
        self.assertEqual(told['key']['state'], 'revoked')
        for text, form in ((unknown_key(), 'good'), ('ps-' + 'A' * 43, 'early'), (unknown_key()[:-1] + '-', 'none'),
                           (unknown_key()[:-1] + 'x', 'damaged'), ('sk-proj-1', 'none'), ('', 'none')):
            told = self.call('POST', 'keys/identify', {'key': text}, status=200).json()
            self.assertEqual(told, {'form': form, 'known': False})
        self.problem(self.call('POST', 'keys/identify', {}), 400, 'missing_required_parameter', 'key')
        events = self.call('GET', 'audit?action=key.identify&limit=100', status=200).json()['data']
        self.assertGreaterEqual(len(events), 8)
        self.assertIn(made['id'], [e['resource']['id'] if isinstance(e.get('resource'), dict) else e.get('resource_id')
                                   for e in events])
        self.assertNotIn(made['key'][:20], json.dumps(events))

    def test_identify_is_the_tenants_own(self):
        self.tenant('elsewhere')
        theirs = self.make('keys', {'name': 'theirs'}, X_Penstock_Tenant='elsewhere')
        mine = self.make('keys', {'name': 'reader', 'scopes': ['key:read']})['key']
        told = self.call('POST', 'keys/identify', {'key': theirs['key']}, key=mine, status=200).json()
        self.assertEqual(told, {'form': 'good', 'known': False})
        told = self.call('POST', 'keys/identify', {'key': theirs['key']}, status=200).json()
        self.assertEqual((told['known'], told['key']['id']), (True, theirs['id']))

    def test_identify_by_command(self):
        made = self.server.create_key('--name', 'by command')
        done = self.server.cli('key', 'identify', stdin=made['key'] + '\n')
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(made['id'], done.stdout)
        self.assertIn('"by command", active', done.stdout)
        self.assertNotIn(made['key'], done.stdout)
        self.assertEqual(self.server.cli('key', 'identify', made['key'], '-q').returncode, 0)
        self.server.cli('key', 'revoke', made['id'])
        (told,) = [json.loads(self.server.cli('key', 'identify', '-', '--json', stdin=made['key']).stdout)]
        self.assertEqual((told['form'], told['known'], told['state']), ('good', True, 'revoked'))
        for text, code in ((unknown_key(), 4), ('ps-' + 'A' * 43, 4), (unknown_key()[:-1] + 'x', 1), ('hello', 1)):
            self.assertEqual(self.server.cli('key', 'identify', text).returncode, code, text)
        self.assertEqual(self.server.cli('key', 'identify', '--offline', unknown_key()).returncode, 0)
        self.assertEqual(self.server.cli('key', 'identify', stdin='').returncode, 2)
        self.assertEqual(self.server.cli('key', 'identify', 'x' * 5000).returncode, 2)

    def test_scan(self):
        made = self.server.create_key('--name', 'committed')
        path = f'{self.server.folder}/settings.env'
        with open(path, 'w', encoding='ascii') as f:
            f.write(f'# not keys: apps-{"A" * 49} ps-{"B" * 49} ps-short\nA=1\nKEY="{made["key"]}"\nOLD={unknown_key("C")}\n')
        done = self.server.cli('key', 'scan', path)
        self.assertEqual(done.returncode, 1, done.stderr)
        lines = done.stdout.splitlines()
        self.assertEqual(len(lines), 2, done.stdout)
        self.assertTrue(lines[0].startswith(f'{path}:3: {made["key"][:9]}… '), lines)
        self.assertIn(made['id'], lines[0])
        self.assertIn(':4: ', lines[1])
        self.assertIn('not known here', lines[1])
        self.assertNotIn(made['key'][:12], done.stdout)
        with open(path, encoding='ascii') as f:
            done = self.server.cli('key', 'scan', '--offline', '--json', stdin=f.read())
        self.assertEqual([(json.loads(line)['line'], json.loads(line)['form']) for line in done.stdout.splitlines()],
                         [(3, 'good'), (4, 'good')])
        done = self.server.cli('key', 'scan', stdin='nothing here')
        self.assertEqual((done.returncode, done.stdout), (0, ''))
        self.assertEqual(self.server.cli('key', 'scan', path + '.gone').returncode != 0, True)

    def test_the_guide(self):
        """What it says of the form is what keys have."""
        with open(f'{ROOT}/docs/guides/keys-and-usage.md', encoding='utf-8') as f:
            guide = f.read()
        (code,) = re.findall(r'```python\n(.*?)```', guide, re.S)
        space = {}
        exec(code, space)  # pylint: disable=exec-used
        key = self.server.create_key('--name', 'guide')['key']
        self.assertTrue(space['is_penstock_key'](key))
        self.assertFalse(space['is_penstock_key'](key[:-1] + ('A' if key[-1] != 'A' else 'B')))
        self.assertFalse(space['is_penstock_key']('ps-' + 'A' * 49))


class Watched(Api):
    def shown(self, key):
        return self.call('GET', f'keys/{key["id"]}', status=200).json()

    def chat(self, key, **headers):
        return self.server.request('POST', '/v1/chat/completions', chat_body('fake/well'), headers, key)

    def sql(self, text, *values):
        with contextlib.closing(sqlite3.connect(self.server.data + '/penstock.db', timeout=10, isolation_level=None)) as db:
            return db.execute(text, values).fetchall()

    def anomalies(self, key, reason):
        """Those of the key, once there are any."""
        def found():
            events = self.call('GET', 'audit?action=key.anomaly&limit=100').json()['data']
            return [e for e in events if e['reason'] == reason and (key is None or key['id'] in json.dumps(e))]
        self.assertTrue(eventually(found), reason)
        return found()

    def test_last_use(self):
        used, admin = self.make('keys', {'name': 'used'}), self.make('keys', {'name': 'api', 'scopes': ['key:read']})
        self.assertEqual((used['last_used_at'], used['last_used_address']), (None, ''))
        self.assertEqual(self.chat(used['key']).status, 200)
        self.call('GET', 'keys?limit=1', key=admin['key'], status=200)
        for key in (used, admin):
            row = eventually(lambda k=key: (lambda r: r['last_used_address'] and r)(self.shown(k)))
            self.assertTrue(row, 'it was not written')
            self.assertEqual(row['last_used_address'], '127.0.0.1')
            self.assertIsNotNone(row['last_used_at'])
            (listed,) = [r for r in self.server.cli_json('key', 'list') if r['id'] == key['id']]
            self.assertEqual(listed['last_used_address'], '127.0.0.1')
        review = self.call('GET', 'access/review', status=200).json()['data']
        (row,) = [r for r in review if r.get('id') == used['id']]
        self.assertTrue(row['last_used_at'])
        self.assertEqual(self.shown(used)['version'], used['version'])

    def test_what_it_used(self):
        key = self.make('keys', {'name': 'analysed'})
        for _ in range(3):
            self.assertEqual(self.chat(key['key']).status, 200)
        (told,) = self.server.cli_json('key', 'show', 'analysed')
        self.assertEqual((told['id'], told['usage']['requests']), (key['id'], 3))
        self.assertGreater(told['usage']['output_tokens'], 0)
        shown = self.server.cli('key', 'show', 'analysed').stdout
        self.assertRegex(shown, r'requests +3\n')
        self.make('keys', {'name': 'idle'})
        self.assertEqual(self.server.cli_json('key', 'show', 'idle')[0]['usage'], None)

    def test_ended_keys(self):
        key = self.make('keys', {'name': 'ended'})
        brief = self.make('keys', {'name': 'brief'})
        self.call('POST', f'keys/{key["id"]}/revoke', status=200)
        self.sql('UPDATE api_key SET expires_at = 1 WHERE prefix = ?', brief['prefix'])
        self.assertTrue(eventually(lambda: self.chat(brief['key']).status == 401))
        for _ in range(5):
            self.assertEqual(self.chat(key['key']).status, 401)
        self.call('GET', 'keys', key=key['key'], status=401)
        for row, reason in ((key, 'revoked_key'), (brief, 'expired_key')):
            events = self.anomalies(row, reason)
            self.assertEqual(len(events), 1)  # the rest of the minute's is told at its end
            self.assertEqual(events[0]['outcome'], 'denied')
            self.assertIn('127.0.0.1', json.dumps(events[0]))
            self.assertNotIn(row['key'][:12], json.dumps(events))

    def test_from_elsewhere(self):
        key = self.make('keys', {'name': 'bound', 'addresses': ['10.0.0.0/8']})
        page = self.make('keys', {'name': 'page', 'origins': ['https://app.example.com']})
        self.assertEqual(self.chat(key['key']).status, 403)
        self.assertEqual(self.chat(page['key'], Origin='https://evil.example').status, 403)
        self.anomalies(key, 'address_not_allowed')
        self.anomalies(page, 'origin_not_allowed')
        api = self.make('keys', {'name': 'api bound', 'addresses': ['10.0.0.0/8'], 'scopes': ['key:read']})
        self.call('GET', 'keys', key=api['key'], status=403)
        self.anomalies(api, 'address_not_allowed')

    def test_a_new_address(self):
        """Of a key that was used from one for a week; not of one that moves, or is new."""
        stable, moving, fresh = [self.make('keys', {'name': n}) for n in ('stable', 'moving', 'fresh')]
        now = time.time_ns()
        for key, since in ((stable, now - 8 * 86400 * 10**9), (moving, now - 3600 * 10**9)):
            self.sql('UPDATE api_key SET last_used_address = ?, address_since = ?, last_used_at = ? WHERE prefix = ?',
                     '203.0.113.7', since, now - 10**9, key['prefix'])
        for key in (moving, fresh, stable):
            self.assertEqual(self.chat(key['key']).status, 200)
        (event,) = self.anomalies(stable, 'new_address')
        self.assertEqual(event['outcome'], 'ok')
        self.assertIn('203.0.113.7', json.dumps(event))
        self.assertTrue(all(eventually(lambda k=k: self.shown(k)['last_used_address'] == '127.0.0.1') for k in (moving, fresh)))
        told = json.dumps(self.call('GET', 'audit?action=key.anomaly&limit=100').json())
        for key in (moving, fresh):
            self.assertNotIn(key['id'], told)

    def test_a_burst_of_unknown_keys(self):
        for _ in range(10):
            self.assertEqual(self.chat('ps-' + 'B' * 43).status, 401)  # may be no key at all
        for i in range(19):
            self.assertEqual(self.chat(unknown_key('ABCDEFGHIJKLMNOPQRSTUVWXYZ'[i])).status, 401)
        time.sleep(1.5)
        self.assertNotIn('unknown_keys', json.dumps(self.call('GET', 'audit?action=key.anomaly&limit=100').json()))
        for _ in range(5):
            self.assertEqual(self.chat(unknown_key('z')).status, 401)
        (event,) = self.anomalies(None, 'unknown_keys')
        self.assertEqual(event['outcome'], 'denied')


class Caller(threading.Thread):
    """Calls without a pause until it is told to stop, with the key that is current; counts what was not answered with 200."""

    def __init__(self, server, key):
        super().__init__(daemon=True)
        self.server, self.key, self.done, self.calls, self.failed = server, key, False, 0, []

    def run(self):
        while not self.done:
            status = self.server.get('/v1/models', self.key).status
            self.calls += 1
            if status != 200:
                self.failed.append((self.calls, status))

    def end(self):
        self.done = True
        self.join()


class Rotated(Api):
    def works(self, key):
        return self.server.get('/v1/models', key).status == 200

    def test_by_hand_without_a_failed_call(self):
        old = self.make('keys', {'name': 'busy'})
        caller = Caller(self.server, old['key'])
        caller.start()
        self.assertTrue(eventually(lambda: caller.calls > 20))
        new = self.call('POST', f'keys/{old["id"]}/rotate', {'overlap': '2s'}, status=201).json()
        self.assertTrue(self.works(old['key']) and self.works(new['key']))
        caller.key = new['key']
        before = caller.calls
        self.assertTrue(eventually(lambda: not self.works(old['key'])))
        self.assertTrue(eventually(lambda: caller.calls > before + 20))
        caller.end()
        self.assertEqual(caller.failed, [])

    def test_by_command(self):
        old = self.server.create_key('--name', 'by command')
        done = self.server.cli('key', 'rotate', 'by command', 'overlap=1h', '--json')
        self.assertEqual(done.returncode, 0, done.stderr)
        new = json.loads(done.stdout)
        self.assertTrue(self.works(old['key']) and self.works(new['key']))
        # The name means the newer one; with no overlap the other ends at once.
        last = json.loads(self.server.cli('key', 'rotate', 'by command', 'overlap=0', '--json').stdout)
        self.assertEqual(last['replaces'], new['id'])
        self.assertEqual((self.works(new['key']), self.works(last['key'])), (False, True))

    def test_nothing_to_collect(self):
        made = self.make('keys', {'name': 'shown'})
        self.problem(self.call('POST', f'keys/{made["id"]}/collect'), 409, 'already_exists')
        self.problem(self.call('POST', 'keys/key_000000000zzzz/collect'), 404, 'not_found')
        self.assertEqual(self.server.cli('key', 'collect', 'shown').returncode, 1)


def moment(text):
    return int(datetime.datetime.strptime(text, '%Y-%m-%d %H:%M:%S').replace(tzinfo=datetime.timezone.utc).timestamp())


@unittest.skipUnless(os.path.exists(FAKETIME) and not sanitized(), 'there is no libfaketime here, or a sanitizer is')
class Scheduled(Api):
    """Under a clock that is set, of the server and its commands."""

    @classmethod
    def config(cls):
        return {**super().config(), 'auth': {'password': {'memory': '8 MiB', 'passes': 1}}}

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.clock_path = os.path.join(folder.name, 'clock')
        cls.clock('2027-01-01 00:00:00')
        cls.extra_env = {'LD_PRELOAD': FAKETIME, 'FAKETIME_TIMESTAMP_FILE': cls.clock_path, 'FAKETIME_NO_CACHE': '1',
                         'DONT_FAKE_MONOTONIC': '1'}
        super().setUpClass()

    @classmethod
    def clock(cls, text):
        with open(cls.clock_path + '.new', 'w', encoding='ascii') as f:
            f.write(f'+{moment(text) - int(time.time())}\n')
        os.replace(cls.clock_path + '.new', cls.clock_path)

    def setUp(self):
        super().setUp()
        self.clock('2027-01-01 00:00:00')

    def works(self, key):
        return self.server.get('/v1/models', key).status == 200

    def shown(self, key):
        return self.call('GET', f'keys/{key["id"]}', status=200).json()

    def due(self, key):
        """After its replacement was made: the old one's row and the new one's."""
        row = eventually(lambda: (lambda r: r['replaced_by'] and r)(self.shown(key)))
        self.assertTrue(row, 'it was not rotated')
        return row, self.shown({'id': row['replaced_by']})

    def test_collected(self):
        old = self.make('keys', {'name': 'monthly', 'rotate_every': '30d', 'rotate_overlap': '7d', 'tags': {'a': 'b'}})
        self.assertEqual(old['rotate_at'][:10], '2027-01-31')
        caller = Caller(self.server, old['key'])
        caller.start()
        self.clock('2027-01-30 23:00:00')
        time.sleep(2.5)  # more than a look
        self.assertIsNone(self.shown(old)['replaced_by'])
        self.clock('2027-01-31 00:01:00')
        was, new = self.due(old)
        self.assertEqual((was['state'], was['expires_at'][:10]), ('replaced', '2027-03-02'))
        self.assertEqual((new['name'], new['tags'], new['replaces'], new['rotate_at']), ('monthly', {'a': 'b'}, old['id'], None))
        self.assertEqual(new['uncollected_since'][:10], '2027-01-31')
        self.assertNotIn('key', new)
        # It is not rotated again while nobody has it.
        self.clock('2027-02-10 00:00:00')
        self.problem(self.call('POST', f'keys/{old["id"]}/collect', If_Match='"999"'), 412, 'version_conflict')
        got = self.call('POST', f'keys/{old["id"]}/collect', status=200).json()
        self.assertEqual((got['id'], got['uncollected_since'], got['rotate_at'][:10]), (new['id'], None, '2027-03-12'))
        self.assertTrue(self.works(got['key']) and self.works(old['key']))
        self.assertEqual(self.shown(old)['expires_at'][:10], '2027-02-17')
        caller.key = got['key']
        for what in (old, new):
            self.problem(self.call('POST', f'keys/{what["id"]}/collect'), 409, 'already_exists')
        self.clock('2027-02-16 23:00:00')
        self.assertTrue(self.works(old['key']))
        self.clock('2027-02-17 00:01:00')
        self.assertFalse(self.works(old['key']))
        self.assertTrue(self.works(got['key']))
        caller.end()
        self.assertEqual((caller.failed, caller.calls > 50), ([], True))
        # And the next one, once.
        self.clock('2027-03-12 00:01:00')
        _, third = self.due(got)
        self.assertEqual(third['replaces'], got['id'])
        rows = self.call('GET', 'keys?name=monthly').json()['data']
        self.assertEqual(len(rows), 3)
        events = self.call('GET', 'audit?action=key.rotate&limit=100').json()['data']
        mine = [e for e in events if old['id'] in json.dumps(e) or got['id'] in json.dumps(e)]
        self.assertEqual(len(mine), 2, mine)
        events = self.call('GET', 'audit?action=key.collect&limit=100').json()['data']
        self.assertEqual(sum(e['outcome'] == 'ok' for e in events), 1)
        self.assertNotIn(got['key'][:20], json.dumps(events) + self.server.log())

    def test_not_collected(self):
        """The old key ends when the next rotation would have been due; the new one still waits."""
        old = self.make('keys', {'name': 'forgotten', 'rotate_every': '30d', 'rotate_overlap': '1d'})
        self.clock('2027-01-31 00:01:00')
        _, new = self.due(old)
        self.clock('2027-03-02 00:00:00')
        self.assertTrue(self.works(old['key']))
        self.clock('2027-03-02 00:02:00')
        self.assertFalse(self.works(old['key']))
        self.server.kill()
        self.server.start()
        done = self.server.cli('key', 'collect', 'forgotten', '--json', env={**os.environ, **self.extra_env})
        self.assertEqual(done.returncode, 0, done.stderr)
        got = json.loads(done.stdout)
        self.assertEqual(got['id'], new['id'])
        self.assertTrue(self.works(got['key']))

    def test_without_an_overlap(self):
        old = self.make('keys', {'name': 'hard', 'rotate_every': '1h'})
        self.clock('2027-01-01 01:00:30')
        self.due(old)
        self.assertTrue(self.works(old['key']))
        got = self.call('POST', f'keys/{old["id"]}/collect', status=200).json()
        self.assertEqual((self.works(old['key']), self.works(got['key'])), (False, True))

    def test_who_may_collect(self):
        user = self.make('users', {'email': 'owner@example.com'})
        self.make('grants', {'principal': user['id'], 'permissions': ['key:read', 'key:rotate', 'model:use', 'model:read']})
        old = self.make('keys', {'name': 'owned', 'owner': user['id'], 'rotate_every': '1h', 'scopes': ['model:use']})
        whole = self.make('keys', {'owner': user['id'], 'scopes': ['*']})['key']
        reader = self.make('keys', {'scopes': ['key:read']})['key']
        self.clock('2027-01-01 01:00:30')
        self.due(old)
        path = f'keys/{old["id"]}/collect'
        # Not by the key itself, which may have leaked, nor by who may only read.
        self.problem(self.call('POST', path, key=old['key']), 404, 'not_found')
        self.problem(self.call('POST', path, key=reader), 403, 'permission_denied')
        self.assertTrue(self.works(self.call('POST', path, key=whole, status=200).json()['key']))

    def test_its_owner_collects(self):
        """Signed in, without a permission on keys; nobody else."""
        password = 'correct horse battery staple'
        people = {}
        for name in ('owner', 'other'):
            user = self.make('users', {'email': f'{name}@signs.example'})
            self.call('POST', f'users/{user["id"]}/password', {'password': password, 'must_change': False}, status=204)
            people[name] = (user, Person(self))
        owner, person = people['owner']
        self.make('grants', {'principal': owner['id'], 'permissions': ['model:use', 'model:read']})
        old = self.make('keys', {'name': 'mine', 'owner': owner['id'], 'rotate_every': '1h', 'scopes': ['model:read']})
        self.clock('2027-01-01 01:00:30')
        self.due(old)
        for _, who in people.values():
            who.sign_in(f'{"owner" if who is person else "other"}@signs.example', password)
        path = f'/api/v1/keys/{old["id"]}/collect'
        people['other'][1].send('POST', path, status=404)
        # A token of the owner's, with fewer rights, is not the owner.
        token = person.send('POST', '/api/v1/tokens', {'permissions': ['model:read']}, 201).json()['access_token']
        self.problem(self.call('POST', f'keys/{old["id"]}/collect', key=token), 404, 'not_found')
        got = person.send('POST', path).json()
        self.assertTrue(self.works(got['key']))
        person.send('POST', path, status=409)

    def test_revoked_ones_are_left_alone(self):
        old = self.make('keys', {'name': 'over', 'rotate_every': '1h'})
        brief = self.make('keys', {'name': 'brief', 'rotate_every': '1h', 'expires_at': '2027-01-01T00:30:00Z'})
        live = self.make('keys', {'name': 'live', 'rotate_every': '1h'})
        self.call('POST', f'keys/{old["id"]}/revoke', status=200)
        self.clock('2027-01-01 01:00:30')
        self.due(live)
        for row in (old, brief):
            self.assertIsNone(self.shown(row)['replaced_by'])


if __name__ == '__main__':
    main()
