# Anthropic's client library for Python, unmodified, against Penstock before providers of several dialects. Run by
# test_anthropic_sdk.py with the Python of build/python, which has the library.
import asyncio
import json
import os
import unittest
import urllib.request

import anthropic

URL, KEY = os.environ['PENSTOCK_URL'], os.environ['PENSTOCK_KEY']
HELLO = [{'role': 'user', 'content': 'Hello'}]
WEATHER = {'name': 'weather', 'input_schema': {'type': 'object', 'properties': {'city': {'type': 'string'}}}}
ARGUMENTS = {'city': 'Zürich', 'unit': '°C', 'n': 1.5}
PROVIDERS = ('claude', 'fake', 'gemini')
FAKES = {'claude': os.environ['ANTHROPIC_FAKE'], 'fake': os.environ['OPENAI_FAKE'], 'gemini': os.environ['GEMINI_FAKE']}
PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='


def text_of(message):
    return ''.join(b.text for b in message.content if b.type == 'text')


class Client(unittest.TestCase):
    def setUp(self):
        self.client = anthropic.Anthropic(base_url=URL, api_key=KEY, max_retries=0)
        self.addCleanup(self.client.close)

    def ask(self, model, **more):
        return self.client.messages.create(**{'model': model, 'max_tokens': 100, 'messages': HELLO, **more})

    def seen_by(self, provider, model):
        with urllib.request.urlopen(FAKES[provider] + '/_control/seen') as reply:
            return [s for s in json.load(reply)['seen'] if s['model'].startswith(model)]

    def test_message(self):
        for provider in PROVIDERS:
            message = self.ask(provider + '/x', system='Be brief')
            self.assertEqual(text_of(message), 'Wasser strömt durch das Tor')
            self.assertEqual(message.stop_reason, 'end_turn')
            self.assertGreater(message.usage.input_tokens, 0)
            self.assertRegex(message._request_id, '^req_')

    def test_stream(self):
        for provider in PROVIDERS:
            for options in ('x', 'x;write=1', 'x;eol=crlf'):
                with self.client.messages.stream(model=f'{provider}/{options}', max_tokens=100, messages=HELLO) as stream:
                    told = ''.join(stream.text_stream)
                    message = stream.get_final_message()
                self.assertIn(' strömt durch', told)
                self.assertEqual(text_of(message), told)
                self.assertGreater(message.usage.output_tokens, 1)

    def test_tools(self):
        for provider in PROVIDERS:
            for options, calls in (('tools', 1), ('parallel', 2)):
                model = f'{provider}/x;{options}'
                whole = self.ask(model, tools=[WEATHER])
                with self.client.messages.stream(model=model, max_tokens=100, messages=HELLO, tools=[WEATHER]) as stream:
                    streamed = stream.get_final_message()
                for message in (whole, streamed):
                    blocks = [b for b in message.content if b.type == 'tool_use']
                    self.assertEqual([(b.name, b.input) for b in blocks], [('weather', ARGUMENTS)] * calls)
                    self.assertEqual(message.stop_reason, 'tool_use')
                results = [{'type': 'tool_result', 'tool_use_id': b.id, 'content': 'rain'} for b in blocks]
                again = self.ask(f'{provider}/x', tools=[WEATHER], messages=[
                    *HELLO, {'role': 'assistant', 'content': streamed.content}, {'role': 'user', 'content': results}])
                self.assertEqual(again.stop_reason, 'end_turn')

    def test_thinking(self):
        message = self.ask('claude/x;thinking', max_tokens=2000, thinking={'type': 'enabled', 'budget_tokens': 1024})
        self.assertEqual(message.content[0].type, 'thinking')
        self.assertTrue(message.content[0].signature)

    def test_structured_output(self):
        schema = {'type': 'object', 'properties': {'tide': {'type': 'string'}}, 'additionalProperties': False}
        for provider in PROVIDERS:
            message = self.ask(provider + '/x', output_config={'format': {'type': 'json_schema', 'schema': schema}})
            self.assertEqual(text_of(message), '{"tide": "high"}')

    def test_images(self):
        image = {'type': 'image', 'source': {'type': 'base64', 'media_type': 'image/png', 'data': PNG}}
        for provider in PROVIDERS:
            message = self.ask(provider + '/seeing', messages=[
                {'role': 'user', 'content': [{'type': 'text', 'text': 'What is it?'}, image]}])
            self.assertTrue(text_of(message))
            (seen,) = self.seen_by(provider, 'seeing')
            self.assertIn(PNG, json.dumps(seen['json']))

    def test_retries(self):
        patient = self.client.with_options(max_retries=1)
        for provider in PROVIDERS:
            with self.assertRaises(anthropic.InternalServerError):
                patient.messages.create(model=f'{provider}/again;status=503;retry_after=0', max_tokens=9, messages=HELLO)
            self.assertEqual(len(self.seen_by(provider, 'again')), 2)

    def test_tokens_and_models(self):
        for provider in PROVIDERS:
            count = self.client.messages.count_tokens(model=provider + '/x', messages=HELLO)
            self.assertGreater(count.input_tokens, 3)
        self.assertIn('small', [m.id for m in self.client.models.list()])
        self.assertEqual(self.client.models.retrieve('small').id, 'small')

    def test_errors(self):
        for provider in PROVIDERS:
            with self.assertRaises(anthropic.RateLimitError) as limited:
                self.ask(provider + '/x;status=429;retry_after=1')
            self.assertEqual(limited.exception.response.headers['retry-after'], '1')
            with self.assertRaises(anthropic.BadRequestError):
                self.ask(provider + '/x;status=400')
            status = 503 if provider == 'gemini' else 529
            with self.assertRaises(anthropic.APIStatusError) as overloaded:
                self.ask(f'{provider}/x;status={status}')
            self.assertEqual(overloaded.exception.status_code, status)
            with self.assertRaises(anthropic.APIError):
                with self.client.messages.stream(model=provider + '/x;error_event', max_tokens=100, messages=HELLO) as s:
                    s.get_final_message()
        with self.assertRaises(anthropic.NotFoundError):
            self.ask('nothing')
        with self.assertRaises(anthropic.AuthenticationError):
            with anthropic.Anthropic(base_url=URL, api_key='ps-wrong', max_retries=0) as wrong:
                wrong.messages.create(model='small', max_tokens=1, messages=HELLO)

    def test_asynchronous(self):
        async def run():
            async with anthropic.AsyncAnthropic(base_url=URL, api_key=KEY, max_retries=0) as client:
                return await asyncio.gather(*(client.messages.create(
                    model=f'{PROVIDERS[i % 3]}/many-{i}', max_tokens=100, messages=HELLO) for i in range(24)))
        self.assertEqual({text_of(m) for m in asyncio.run(run())}, {'Wasser strömt durch das Tor'})


if __name__ == '__main__':
    unittest.main()
