#!/usr/bin/env python3
# "penstock config init --interactive" driven by expect: what is answered becomes a file that validates and boots; what
# does not work is told; Ctrl-C leaves nothing behind.
import os
import shutil
import subprocess
import tempfile
import unittest

from harness import BINARY, FakeUpstream, Penstock, clean_environment, free_port, run_cli

KEY = 'sk-fake'
INTERRUPT = '\x03'


def tcl(text):
    """A word of Tcl that means exactly this text."""
    return '"' + ''.join(f'\\u{ord(c):04x}' for c in text) + '"'


class Builder(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix='penstock-test-')
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.fake = FakeUpstream(key=KEY).start()
        self.addCleanup(self.fake.stop)
        self.port = free_port()
        self.file = os.path.join(self.folder, 'penstock.yaml')

    def talk(self, steps, code, *args, **env):
        """steps: (what is waited for, what is typed then or None); returns all that was on the screen."""
        lines = ['set timeout 20', f'spawn -noecho {tcl(BINARY)} config init -i --color=never ' + ' '.join(map(tcl, args))]
        for shown, typed in steps:
            late, early = (tcl(f'\n{why}: {shown}\n') for why in ('not seen', 'it ended before'))
            lines.append(f'expect -ex {tcl(shown)} {{}} timeout {{ puts {late}; exit 99 }} eof {{ puts {early}; exit 98 }}')
            if typed is not None:
                end = '' if typed == INTERRUPT else '\r'
                lines.append(f'send -- {tcl(typed + end)}')
        lines += ['catch {expect eof}', 'lassign [wait] pid id failed value', 'exit $value']
        done = subprocess.run(['expect', '-c', '\n'.join(lines)], cwd=self.folder, capture_output=True, timeout=100,
                              env=clean_environment(TERM='xterm', **env), check=False)
        screen = done.stdout.decode(errors='replace')
        self.assertEqual(done.returncode, code, screen + done.stderr.decode())
        return screen

    def rest(self):
        """From the storage on, with the answers that need no thought."""
        return [('Directory for', ''), ('testing the directory', None), ('ok, does not exist yet', None),
                ('Durability [group]', ''), ('Address [127.0.0.1:8080]', f'127.0.0.1:{self.port}'),
                ('Certificate for TLS', ''), ('ok, free to be listened on', None), ('Another address', ''),
                ('Must callers have a key?', 'n'), ('may spend', None), ('Level [info]', 'wa'),
                ('none for standard error', ''), ('Write penstock.yaml?', ''), ('Wrote penstock.yaml', None)]

    def boots(self):
        done = run_cli('config', 'validate', self.file, cwd=self.folder, env=clean_environment(FAKE_KEY=KEY))
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(self.file, encoding='utf-8') as f:
            text = f.read()
        server = Penstock(text, listen=False, env={'FAKE_KEY': KEY})
        self.addCleanup(server.remove)
        server.data = os.path.join(self.folder, 'data')
        server.port = self.port
        server.start()
        answer = server.request('POST', '/v1/chat/completions',
                                b'{"model":"openai/fake","messages":[{"role":"user","content":"Hi"}]}')
        self.assertEqual(answer.status, 200, answer)
        server.stop()
        self.assertEqual(self.fake.violations, [])
        return text

    def test_key_in_the_environment(self):
        screen = self.talk([
            ('Which, by number or kind', 'nonsense'), ('no provider "nonsense"', None), ('Which, by', 'openai'),
            ('Name [openai]', ''), ('Address of its API [https://api.openai.com/v1]', self.fake.base_url),
            ('[secret:openai-key]', 'sk-in-the-open'), ('version control', None), ('[secret:openai-key]', 'env:FAKE_KEY'),
            ('testing openai', None), ('ok, 1 model, ', None)] + self.rest(), 0, FAKE_KEY=KEY)
        self.assertIn('penstock serve --config penstock.yaml', screen)
        text = self.boots()
        self.assertIn('api_key: "${env:FAKE_KEY}"', text)
        self.assertIn('level: warn', text)
        self.assertNotIn('sk-', text)
        self.assertEqual(os.stat(self.file).st_mode & 0o777 & ~0o640, 0)

    def test_offers_what_it_finds(self):
        screen = self.talk([('[1]', INTERRUPT)], 130, MISTRAL_API_KEY='x')
        self.assertRegex(screen, r'1  mistral +Mistral; its key is in MISTRAL_API_KEY')

    def test_typed_key_is_sealed(self):
        screen = self.talk([
            ('Which, by', 'openai'), ('Name', ''), ('Address of its API', self.fake.base_url), ('Key', ''),
            ('(not shown)', KEY), ('ok, 1 model, ', None)] + self.rest(), 0)
        self.assertNotIn(KEY, screen)
        text = self.boots()
        self.assertIn('api_key: "${secret:openai-key}"', text)
        self.assertNotIn(KEY, text)
        listed = run_cli('secret', 'list', '--data', os.path.join(self.folder, 'data'))
        self.assertIn('openai-key', listed.stdout)

    def test_again_and_drop(self):
        nobody = f'http://127.0.0.1:{free_port()}/v1'
        self.talk([
            ('Which, by', 'openai, vllm'),
            ('Name', ''), ('Address of its API', nobody), ('Key', 'none'), ('failed, ', None), ('again, keep', ''),
            ('Name', ''), ('Address of its API [' + nobody, self.fake.base_url), ('Key', 'env:FAKE_KEY'),
            ('ok, 1 model, ', None),
            ('Name [vllm]', ''), ('Address of its API', nobody), ('Key', ''), ('failed, ', None),
            ('again, keep', 'drop')] + self.rest(), 0, FAKE_KEY=KEY)
        self.assertNotIn('vllm', self.boots())

    def test_certificate(self):
        cert, key = os.path.join(self.folder, 'cert.pem'), os.path.join(self.folder, 'key.pem')
        subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days',
                        '90', '-subj', '/CN=localhost', '-keyout', key, '-out', cert], check=True, capture_output=True)
        os.chmod(key, 0o600)
        steps = [('Which, by', 'demo'), ('Name', ''), ('answers in process', None)] + self.rest()
        at = next(i for i, step in enumerate(steps) if step[0].startswith('Certificate'))
        steps[at:at + 2] = [
            ('Certificate for TLS', cert), ('private key', cert), ('holds no private key', None), ('again, keep', ''),
            ('Address [127', ''), (f'none [{cert}]', ''), ('private key', key), ('ok, good for ', None)]
        self.talk(steps, 0)
        with open(self.file, encoding='utf-8') as f:
            self.assertIn(f'key: "{key}"', f.read())
        self.assertEqual(run_cli('config', 'validate', self.file).returncode, 0)

    def test_interrupted(self):
        before = self.rest()
        last = next(i for i, step in enumerate(before) if step[0].startswith('Write'))
        steps = [('Which, by', 'openai'), ('Name', ''), ('Address of its API', self.fake.base_url), ('Key', ''),
                 ('(not shown)', KEY), ('ok, 1 model, ', None)] + before[:last]
        for n in (1, 6, len(steps)):  # at questions
            shown = steps[n][0] if n < len(steps) else 'Write'
            screen = self.talk(steps[:n] + [(shown, INTERRUPT)], 130)
            self.assertIn('Nothing was written.', screen)
            self.assertEqual(os.listdir(self.folder), [], 'nothing is left behind')

    def test_file_in_the_way(self):
        with open(self.file, 'w', encoding='utf-8') as f:
            f.write('version: 2\n')
        self.talk([('is there already', None)], 5)
        steps = [('Which, by', 'demo'), ('Name', ''), ('answers in process', None)] + self.rest()
        self.talk(steps, 0, '--force')
        with open(self.file, encoding='utf-8') as f:
            self.assertIn('kind: demo', f.read())

    def test_no_terminal(self):
        done = run_cli('config', 'init', '-i', cwd=self.folder, stdin='openai\n')
        self.assertEqual(done.returncode, 2)
        self.assertIn('--template', done.stderr)
        self.assertEqual(os.listdir(self.folder), [])


if __name__ == '__main__':
    unittest.main()
