#!/usr/bin/env python3
"""Keys on the real server: how one is recognised, where it was last used, rotation by hand and by the clock, misuse."""
import json
import re
import zlib

from harness import ROOT, main
from test_api import Api

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


if __name__ == '__main__':
    main()
