#!/usr/bin/env python3
# Conversations of many short messages take many times their bytes when they are read: over every protocol, and wherever
# the server asks a second time by itself.
import json
import subprocess
import sys
from pathlib import Path

from harness import WAIT, Suite, fake_provider, main

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / 'fake'))
from anthropic_upstream import AnthropicUpstream  # noqa: E402

MESSAGES = 12001


class LongConversations(Suite):
    @classmethod
    def config(cls):
        target = {'targets': [{'provider': 'other', 'model': 'well'}]}
        return {'providers': [fake_provider(cls.fake), {'name': 'other', 'kind': 'anthropic', 'base_url': cls.other.base_url,
                                                        'api_key': cls.other.key}],
                'models': [{'name': 'told', **target},
                           {'name': 'shared', 'routing': {'coalesce': 'all'}, **target},
                           {'name': 'judged', 'strategy': 'complexity', 'targets': [
                               {'provider': 'fake', 'model': 'well', 'tiers': ['simple']}, {'provider': 'fake', 'model': 'b'}]},
                           {'name': 'steps', 'chain': [{'name': 'one', 'model': 'told', 'conversation': True}]}]}

    @classmethod
    def setUpClass(cls):
        cls.other = AnthropicUpstream().start()
        cls.addClassCleanup(cls.other.stop)
        super().setUpClass()

    def ask(self, protocol, model):
        messages = [{'role': ('user', 'assistant')[i % 2], 'content': f'Hello {i}'} for i in range(MESSAGES)]
        body = json.dumps({'model': model, 'max_tokens': 10, 'messages': messages})
        done = subprocess.run(['curl', '-sS', '--max-time', str(WAIT), protocol, '-w', '\n%{http_code}', '-d', '@-',
                               '-H', 'content-type: application/json', '-H', f'authorization: Bearer {self.server.key}',
                               f'http://127.0.0.1:{self.server.port}/v1/chat/completions'],
                              input=body, capture_output=True, text=True, check=True)
        answer, _, status = done.stdout.rpartition('\n')
        self.assertEqual(status, '200', answer[:500])

    def test_read_whole(self):
        for protocol in ('--http1.1', '--http2-prior-knowledge'):
            for model in ('told', 'shared', 'judged', 'steps'):
                with self.subTest(protocol=protocol, model=model):
                    self.ask(protocol, model)


if __name__ == '__main__':
    main()
