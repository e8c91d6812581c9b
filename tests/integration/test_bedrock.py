#!/usr/bin/env python3
# Amazon Bedrock behind Penstock: signed requests, Converse for clients of every dialect, the binary event stream.
import json

from harness import Suite, chat_body, main  # first: it finds the fakes

from bedrock_upstream import BedrockUpstream

CLAUDE = 'eu.anthropic.claude-3-haiku-20240307-v1:0'
WEATHER = {'type': 'function', 'function': {'name': 'weather', 'parameters': {
    'type': 'object', 'properties': {'city': {'type': 'string'}}}}}
NOW = {'type': 'function', 'function': {'name': 'now'}}


class Bedrock(Suite):
    @classmethod
    def setUpClass(cls):
        cls.aws = BedrockUpstream(token='FwoGZXIvYXdz//session==').start()
        cls.addClassCleanup(cls.aws.stop)
        cls.bearer = BedrockUpstream(bearer='bedrock-api-key-x').start()
        cls.addClassCleanup(cls.bearer.stop)
        super().setUpClass()

    @classmethod
    def config(cls):
        return {'providers': [
            {'name': 'aws', 'kind': 'bedrock', 'base_url': cls.aws.base_url, 'region': 'eu-central-1',
             'access_key_id': 'AKIDFAKE', 'api_key': 'bedrock/secret+fake', 'session_token': 'FwoGZXIvYXdz//session=='},
            {'name': 'key', 'kind': 'bedrock', 'base_url': cls.bearer.base_url, 'api_key': 'bedrock-api-key-x'}],
            'log': {'level': 'debug', 'format': 'json'}}

    def setUp(self):
        super().setUp()
        self.aws.reset()
        self.bearer.reset()

    def tearDown(self):
        super().tearDown()
        self.assertEqual(self.aws.violations + self.bearer.violations, [])

    def chunks(self, reply):
        self.assertEqual(reply.status, 200, reply)
        *events, done = reply.events()
        self.assertEqual(done, '[DONE]')
        return [json.loads(e) for e in events]

    def test_a_chat_is_signed_and_translated(self):
        reply = self.server.chat(f'aws/{CLAUDE};words=5;cached=40')
        answer = reply.json()
        self.assertEqual(reply.status, 200, reply)
        self.assertEqual(answer['choices'][0]['message']['content'], 'Wasser strömt durch das Tor')
        self.assertEqual(answer['choices'][0]['finish_reason'], 'stop')
        told = self.aws.seen[0].usage
        self.assertEqual((answer['usage']['prompt_tokens'], answer['usage']['completion_tokens'],
                          answer['usage']['prompt_tokens_details']['cached_tokens']), told[:3])
        record = self.record_of(reply.request_id)
        self.assertEqual((record['input_tokens'], record['output_tokens'], record['cached_tokens']), told[:3])

    def test_a_bearer_key(self):
        self.assertEqual(self.server.chat('key/meta.llama4').status, 200)
        self.assertIsNone(self.bearer.seen[0].header('x-amz-date'))

    def test_a_stream(self):
        body = chat_body(f'aws/{CLAUDE};words=6', stream=True, stream_options={'include_usage': True})
        chunks = self.chunks(self.server.post('/v1/chat/completions', body))
        text = ''.join(c['choices'][0]['delta'].get('content') or '' for c in chunks if c['choices'])
        self.assertEqual(text, 'Wasser strömt durch das Tor ☃')
        self.assertEqual([c['choices'][0]['finish_reason'] for c in chunks if c['choices']][-1], 'stop')
        self.assertEqual(chunks[-1]['usage']['completion_tokens'], 8)

    def test_parallel_tools_and_their_results(self):
        body = chat_body(f'aws/{CLAUDE};tools', tools=[WEATHER, NOW], stream=True)
        calls = {}
        for chunk in self.chunks(self.server.post('/v1/chat/completions', body)):
            for part in chunk['choices'][0]['delta'].get('tool_calls') or [] if chunk['choices'] else []:
                call = calls.setdefault(part['index'], {'id': '', 'name': '', 'arguments': ''})
                call['id'] += part.get('id') or ''
                call['name'] += part['function'].get('name') or ''
                call['arguments'] += part['function'].get('arguments') or ''
        self.assertEqual([c['name'] for c in calls.values()], ['weather', 'now'])
        self.assertEqual([json.loads(c['arguments']) for c in calls.values()],
                         [{'city': 'Zürich', 'unit': '°C', 'n': 1.5}, {}])
        history = [{'role': 'system', 'content': 'Be brief'}, {'role': 'user', 'content': 'q'},
                   {'role': 'assistant', 'content': None, 'tool_calls': [
                       {'id': c['id'], 'type': 'function', 'function': {'name': c['name'], 'arguments': c['arguments']}}
                       for c in calls.values()]},
                   *({'role': 'tool', 'tool_call_id': c['id'], 'content': 'r'} for c in reversed(calls.values())),
                   {'role': 'user', 'content': 'and?'}]
        for more in ({'tools': [WEATHER, NOW], 'tool_choice': 'required'}, {}):
            reply = self.server.post('/v1/chat/completions',
                                     json.dumps({'model': f'aws/{CLAUDE}', 'messages': history, **more}).encode())
            self.assertEqual(reply.status, 200, reply)
            sent = self.aws.seen[-1].json
            self.assertEqual([m['role'] for m in sent['messages']], ['user', 'assistant', 'user'])
            self.assertEqual(sent['system'], [{'text': 'Be brief'}])

    def test_thinking_goes_to_a_client_of_anthropic_and_back(self):
        def ask(messages):
            reply = self.server.post('/v1/messages', json.dumps({
                'model': 'aws/anthropic.claude-sonnet-4-20250514-v1:0;thinking', 'max_tokens': 3000, 'messages': messages,
                'thinking': {'type': 'enabled', 'budget_tokens': 1024}}).encode())
            self.assertEqual(reply.status, 200, reply)
            return reply.json()
        question = {'role': 'user', 'content': 'q'}
        answer = ask([question])
        self.assertEqual(answer['content'][0], {'type': 'thinking', 'thinking': 'The tide goes out.',
                                                'signature': 'EqQBCgIYAhIM'})
        self.assertEqual(answer['stop_reason'], 'end_turn')
        ask([question, {'role': 'assistant', 'content': answer['content']}, question])
        sent = self.aws.seen[-1].json
        self.assertEqual(sent['messages'][1]['content'][0], {'reasoningContent': {'reasoningText': {
            'text': 'The tide goes out.', 'signature': 'EqQBCgIYAhIM'}}})
        self.assertEqual(sent['additionalModelRequestFields'], {'thinking': {'type': 'enabled', 'budget_tokens': 1024}})

    def test_a_client_of_ollama(self):
        reply = self.server.post('/api/chat', json.dumps({'model': f'aws/{CLAUDE}', 'messages': [
            {'role': 'user', 'content': 'q', 'images': ['iVBORw0KGgoAAAA=']}]}).encode())
        *pieces, last = [json.loads(line) for line in reply.body.decode().split('\n') if line]
        self.assertEqual(''.join(p['message']['content'] for p in pieces), 'Wasser strömt durch das Tor')
        self.assertEqual((last['prompt_eval_count'], last['eval_count']), self.aws.seen[0].usage[:2])
        self.assertEqual(self.aws.seen[0].json['messages'][0]['content'][0]['image']['format'], 'png')

    def test_a_schema_and_what_cannot_be_said(self):
        schema = {'type': 'object', 'properties': {'a': {'type': 'integer'}}, 'required': ['a'], 'additionalProperties': False}
        reply = self.server.chat('aws/mistral.x', seed=1, logit_bias={'1': 1}, response_format={
            'type': 'json_schema', 'json_schema': {'name': 'n', 'schema': schema, 'strict': True}})
        self.assertEqual(reply.status, 200, reply)
        told = self.aws.seen[0].json['outputConfig']['textFormat']['structure']['jsonSchema']
        self.assertEqual((json.loads(told['schema']), told['name']), (schema, 'n'))
        self.assertEqual(sorted(reply.header('x-penstock-dropped-params').replace(' ', '').split(',')), ['logit_bias', 'seed'])

    def test_failures(self):
        reply = self.server.chat(f'aws/{CLAUDE};status=429;retry_after=7')
        self.assertEqual(reply.status, 429, reply)
        self.assertEqual(reply.header('retry-after'), '7')
        self.assertIn('told to fail', reply.error()['message'])
        body = chat_body(f'aws/{CLAUDE};exception=throttlingException', stream=True)
        events = self.server.post('/v1/chat/completions', body).events()
        self.assertIn('The fake broke off', json.loads(events[-1] if events[-1] != '[DONE]' else events[-2])['error']['message'])
        for fault in 'damage', 'fault=close':
            reply = self.server.post('/v1/chat/completions', chat_body(f'aws/{CLAUDE};{fault}', stream=True))
            # Nothing of it may have been sent on by then.
            self.assertTrue(reply.status == 502 or [e for e in reply.events() if '"error"' in e], reply)


if __name__ == '__main__':
    main()
