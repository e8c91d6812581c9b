#!/usr/bin/env python3
# Private requests answered by a model on this machine: a small one, trained here, served by llama.cpp as it is. Not a byte of
# them reaches the remote provider that the others go to.
import ast
import json
import os
import subprocess
import tempfile
import unittest

from harness import ROOT, WAIT, Penstock, clean_environment, eventually, main
from recorder import Answer, Stage, chunks, completion

PYTHON = os.environ.get('PENSTOCK_PYTHON') or os.path.join(ROOT, 'build', 'python', 'bin', 'python3')
TINY = os.path.join(ROOT, 'tests', 'tools', 'tiny_model.py')
PRIVATE = {'x-penstock-privacy': 'private'}


def facts():
    """What the model has learned: FACTS of its source, which this Python could not import."""
    with open(TINY, encoding='utf-8') as f:
        tree = ast.parse(f.read())
    return next(ast.literal_eval(n.value) for n in tree.body if isinstance(n, ast.Assign) and n.targets[0].id == 'FACTS')


def remote(up, request):
    body = request.json
    return Answer(chunks('From far.') if body.get('stream') else completion('From far.'))


class LocalModel(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not os.path.exists(PYTHON):
            raise AssertionError('./dev test installs the Python packages into build/python')
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        path = os.path.join(folder.name, 'tiny.gguf')
        env = clean_environment(OPENBLAS_NUM_THREADS='1')
        trained = subprocess.run([PYTHON, '-B', TINY, 'train', path], capture_output=True, text=True, timeout=120, check=True, env=env)
        cls.loss = [float(x) for x in trained.stdout.split()[1:]]
        cls.model = subprocess.Popen([PYTHON, '-B', TINY, 'serve', path], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                     stderr=subprocess.DEVNULL, text=True, env=env)
        cls.addClassCleanup(cls.model.wait, 20)
        cls.addClassCleanup(cls.model.kill)
        address = cls.model.stdout.readline().strip()
        cls.stage = Stage()
        cls.addClassCleanup(cls.stage.close)
        cls.far = cls.stage.upstream('far', remote, b'room')
        targets = [{'provider': 'far', 'model': 'large'}, {'provider': 'here', 'model': 'tiny', 'priority': 1}]
        cls.server = Penstock({'providers': [cls.far.provider(privacy='remote'), {
            'name': 'here', 'kind': 'openai', 'base_url': address + '/v1', 'api_key': 'none'}],
            'models': [{'name': 'assistant', 'strategy': 'priority', 'targets': targets, 'price': {'input': 1, 'output': 2}}]})
        cls.addClassCleanup(cls.server.remove)
        cls.server.start()

    def ask(self, path, text, headers=None, **more):
        body = {'model': 'assistant', 'messages': [{'role': 'user', 'content': text}], **more}
        return self.server.post(path, json.dumps(body).encode(), headers)

    def test_it_learned(self):
        before, after = self.loss
        self.assertGreater(before, 3)
        self.assertLess(after, 0.1)

    def test_private_questions(self):
        bytes_before = self.far.bytes
        for question, fact in facts().items():
            reply = self.ask('/v1/chat/completions', question, PRIVATE)
            self.assertEqual((reply.status, reply.header('x-penstock-provider')), (200, 'here'), reply)
            self.assertEqual(reply.json()['choices'][0]['message']['content'].strip(), fact)
        used = reply.json()['usage']
        record = eventually(lambda: [r for r in self.server.usage() if r['request_id'] == reply.request_id])[0]
        self.assertEqual((record['provider'], record['input_tokens'], record['output_tokens']),
                         ('here', used['prompt_tokens'], used['completion_tokens']))
        self.assertEqual((self.far.bytes, self.far.leaks), (bytes_before, 0))

    def test_in_all_dialects_and_streamed(self):
        question, fact = 'Who is the patient in room four?', 'Ada.'
        ask = [{'role': 'user', 'content': question}]
        for path, body in (('/v1/chat/completions', {'messages': ask}), ('/v1/messages', {'messages': ask, 'max_tokens': 30}),
                           ('/v1/responses', {'input': question, 'store': False}), ('/api/chat', {'messages': ask}),
                           ('/v1beta/models/assistant:generateContent', {'contents': [{'role': 'user', 'parts': [{'text': question}]}]})):
            for stream in (False, True):
                with self.subTest(path=path, stream=stream):
                    if 'v1beta' in path and stream:
                        path = path.replace('generateContent', 'streamGenerateContent?alt=sse')
                    reply = self.server.post(path, json.dumps({'model': 'assistant', 'stream': stream, **body}).encode(), PRIVATE)
                    self.assertEqual((reply.status, reply.header('x-penstock-provider')), (200, 'here'), reply)
                    self.assertIn(fact, reply.body.decode())
        self.assertEqual(self.far.leaks, 0)

    def test_other_questions_go_to_the_large_one(self):
        reply = self.ask('/v1/chat/completions', 'What moves the tides?')
        self.assertEqual(reply.header('x-penstock-provider'), 'far')
        self.assertEqual(reply.json()['choices'][0]['message']['content'], 'From far.')

    def test_z_nobody_else_is_asked_when_it_is_gone(self):
        self.model.kill()
        self.model.wait(WAIT)
        before = self.far.bytes
        for stream in (False, True):
            reply = self.ask('/v1/chat/completions', 'Who is the patient in room seven?', PRIVATE, stream=stream)
            self.assertGreaterEqual(reply.status, 500, reply)
        self.assertEqual((self.far.bytes, self.far.leaks), (before, 0))


if __name__ == '__main__':
    main()
