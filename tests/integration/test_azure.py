#!/usr/bin/env python3
# Azure OpenAI behind Penstock: both kinds of addresses, its key, and what its content filter adds.
import json

from harness import Suite, chat_body, main  # first: it finds the fakes

from azure_upstream import AzureUpstream


class Azure(Suite):
    @classmethod
    def setUpClass(cls):
        cls.older, cls.newer = AzureUpstream(version='2024-10-21').start(), AzureUpstream().start()
        cls.addClassCleanup(cls.older.stop)
        cls.addClassCleanup(cls.newer.stop)
        super().setUpClass()

    @classmethod
    def config(cls):
        return {'providers': [
            {'name': 'older', 'kind': 'azure', 'base_url': cls.older.base_url, 'api_key': 'az-fake', 'api_version': '2024-10-21'},
            {'name': 'newer', 'kind': 'azure', 'base_url': cls.newer.base_url + '/openai/v1', 'api_key': 'az-fake'},
            {'name': 'entra', 'kind': 'azure', 'base_url': cls.newer.base_url,
             'headers': {'Authorization': 'Bearer az-fake'}}],
            'log': {'level': 'debug', 'format': 'json'}}

    def setUp(self):
        super().setUp()
        self.older.reset()
        self.newer.reset()

    def tearDown(self):
        super().tearDown()
        self.assertEqual(self.older.violations + self.newer.violations, [])

    def test_a_chat_at_every_address(self):
        for provider, fake in ('older', self.older), ('newer', self.newer), ('entra', self.newer):
            fake.reset()
            reply = self.server.chat(f'{provider}/my deployment')
            self.assertEqual(reply.status, 200, reply)
            answer = reply.json()
            self.assertEqual(answer['choices'][0]['message']['content'], 'Wasser strömt durch das Tor')
            self.assertIn('prompt_filter_results', answer)  # bytes are passed on
            self.assertEqual(fake.seen[0].model, 'my deployment')
            record = self.record_of(reply.request_id)
            self.assertEqual((record['input_tokens'], record['output_tokens']), fake.seen[0].usage[:2])

    def test_a_stream(self):
        reply = self.server.post('/v1/chat/completions', chat_body('older/gpt', stream=True))
        *events, done = reply.events()
        self.assertEqual((reply.status, done), (200, '[DONE]'))
        self.assertEqual(''.join(c['delta'].get('content') or '' for e in events for c in json.loads(e)['choices']),
                         ' strömt durch das')
        record = self.record_of(reply.request_id)
        self.assertEqual(record['output_tokens'], self.older.seen[0].usage[1])

    def test_clients_of_other_dialects(self):
        """An event without choices comes first."""
        body = {'model': 'newer/gpt;cut_by_filter', 'messages': [{'role': 'user', 'content': 'q'}]}
        lines = self.server.post('/api/chat', json.dumps(body).encode()).body.decode().split('\n')
        *pieces, last = [json.loads(line) for line in lines if line]
        self.assertEqual(''.join(p['message']['content'] for p in pieces), ' strömt durch das')
        self.assertEqual(last['done_reason'], 'content_filter')
        reply = self.server.post('/v1/messages', json.dumps({**body, 'max_tokens': 9, 'stream': True}).encode())
        events = [json.loads(e) for e in reply.events()]
        self.assertEqual([e['delta']['stop_reason'] for e in events if e['type'] == 'message_delta'], ['refusal'])

    def test_a_prompt_that_is_filtered(self):
        reply = self.server.chat('older/gpt;filtered')
        self.assertEqual(reply.status, 400, reply)
        self.assertEqual(reply.error()['code'], 'content_filter')
        reply = self.server.post('/v1/messages', chat_body('older/gpt;filtered', max_tokens=9))
        self.assertEqual(reply.status, 400, reply)
        self.assertIn('content management policy', reply.json()['error']['message'])

    def test_embeddings(self):
        reply = self.server.post('/v1/embeddings', json.dumps({'model': 'older/ada', 'input': ['a', 'b']}).encode())
        self.assertEqual(reply.status, 200, reply)
        self.assertEqual(len(reply.json()['data']), 2)


if __name__ == '__main__':
    main()
