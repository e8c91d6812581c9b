#!/usr/bin/env python3
# Runs Ollama's own client library (test_ollama_sdk.mjs) against a server in front of providers of several dialects, one
# of them Ollama's own, which a second server plays.
import json
import os
import subprocess
import sys

from harness import HERE, Suite, clean_environment, fake_provider, main  # first: it finds the fakes

from anthropic_upstream import AnthropicUpstream
from bedrock_upstream import BedrockUpstream
from cohere_upstream import CohereUpstream
from gemini_upstream import GeminiUpstream

CLAUDE = 'anthropic.claude-sonnet-4-20250514-v1:0'


class OllamaSdk(Suite):
    @classmethod
    def setUpClass(cls):
        cls.aws, cls.claude, cls.google = BedrockUpstream().start(), AnthropicUpstream().start(), GeminiUpstream().start()
        cls.co = CohereUpstream().start()
        for other in cls.aws, cls.claude, cls.google, cls.co:
            cls.addClassCleanup(other.stop)
        super().setUpClass()

    @classmethod
    def config(cls):
        def named(name, model):
            return {'name': name, 'targets': [{'provider': 'fake', 'model': model}]}
        return {'providers': [fake_provider(cls.fake),
                              {'name': 'aws', 'kind': 'bedrock', 'base_url': cls.aws.base_url, 'region': 'eu-central-1',
                               'access_key_id': 'AKIDFAKE', 'api_key': 'bedrock/secret+fake'},
                              {'name': 'claude', 'kind': 'anthropic', 'base_url': cls.claude.base_url,
                               'api_key': 'sk-ant-fake'},
                              {'name': 'google', 'kind': 'gemini', 'base_url': cls.google.base_url, 'api_key': 'AIza-fake'},
                              {'name': 'co', 'kind': 'cohere', 'base_url': cls.co.base_url, 'api_key': 'co-fake'}],
                'models': [named('vectors', 'embed'), named('broken', 'gpt;error_event')]}

    def setUp(self):
        super().setUp()
        self.front = self.spawn({'providers': [
            {'name': 'own', 'kind': 'ollama', 'dialect': 'ollama', 'base_url': f'http://127.0.0.1:{self.server.port}',
             'headers': {'Authorization': 'Bearer ' + self.server.key}}]})

    def run_suite(self, server, models):
        self.assertTrue(os.path.isdir(os.path.join(HERE, 'node_modules', 'ollama')), 'npm ci was not run in ' + HERE)
        env = clean_environment(PENSTOCK_URL=f'http://127.0.0.1:{server.port}', PENSTOCK_KEY=server.key,
                                MODELS=json.dumps(models),
                                EMBEDDERS=json.dumps(['fake/embed', 'google/text-embedding-004', 'co/embed-v4.0']))
        done = subprocess.run(['node', '--test', 'test_ollama_sdk.mjs'], cwd=HERE, env=env, stdout=sys.stderr, timeout=120)
        self.assertEqual(done.returncode, 0)
        for other in self.aws, self.claude, self.google, self.co:
            self.assertEqual(other.violations, [])

    def test_suite(self):
        self.run_suite(self.server, [
            ('openai', 'fake/gpt;events=6', 'fake/gpt;tools'),
            ('anthropic', 'claude/claude-sonnet-4-20250514;events=6', 'claude/claude-sonnet-4-20250514;tools'),
            ('gemini', 'google/gemini-2.5-flash;events=6', 'google/gemini-2.5-flash;tools'),
            ('bedrock', f'aws/{CLAUDE}', f'aws/{CLAUDE};tools;words=0'),
            ('cohere', 'co/x', 'co/x;tools')])

    def test_ollama_behind_it(self):
        """Passed through as it is, and translated for a client of another dialect."""
        body = json.dumps({'model': 'own/fake/gpt;tools', 'messages': [{'role': 'user', 'content': 'x'}],
                           'options': {'mirostat': 1}, 'tools': [{'type': 'function', 'function': {'name': 'f'}}]}).encode()
        reply = self.front.post('/api/chat', body)
        lines = [json.loads(line) for line in reply.body.decode().split('\n') if line]
        self.assertEqual(lines[-1]['done_reason'], 'stop', reply)
        self.assertIsNone(reply.header('x-penstock-dropped-params'))  # by this server: all of it went on
        (record,) = [r for r in self.front.usage() if r['request_id'] == reply.request_id]
        self.assertEqual((record['input_tokens'], record['output_tokens']),
                         (lines[-1]['prompt_eval_count'], lines[-1]['eval_count']))
        # A template has no place in other dialects.
        reply = self.front.post('/api/generate', json.dumps({'model': 'own/fake/gpt', 'prompt': 'x', 'raw': True,
                                                             'stream': False}).encode())
        self.assertEqual(reply.json()['response'], 'Wasser strömt durch das Tor')
        self.assertIsNone(reply.header('x-penstock-dropped-params'))
        reply = self.front.post('/api/embeddings', json.dumps({'model': 'own/vectors', 'prompt': 'x'}).encode())
        self.assertEqual(reply.json(), {'embedding': [0.25, -1.5, 0, 3]})
        for stream in False, True:
            more = {'stream': True, 'stream_options': {'include_usage': True}} if stream else {}
            answer = self.front.chat('own/fake/gpt;tools', tools=[{'type': 'function', 'function': {'name': 'f'}}], **more)
            self.assertEqual(answer.status, 200, answer)
            self.assertIn('Zürich', answer.body.decode())
            self.assertIn('tool_calls', answer.body.decode())
        reply = self.front.post('/v1/embeddings', json.dumps({'model': 'own/vectors', 'input': ['a', 'b']}).encode())
        self.assertEqual([d['embedding'] for d in reply.json()['data']], [[0.25, -1.5, 0, 3], [0.5, -1.5, 0, 3]])
        missing = self.front.chat('own/gone;here')
        self.assertEqual(missing.status, 404, missing)


if __name__ == '__main__':
    main()
