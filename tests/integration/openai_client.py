# OpenAI's client library for Python, unmodified, against Penstock before providers of several dialects. Run by
# test_openai_upstreams_sdk.py.
import json
import os
import unittest
import urllib.request

import openai
import pydantic

CLIENT = openai.OpenAI(base_url=os.environ['PENSTOCK_URL'], api_key=os.environ['PENSTOCK_KEY'], max_retries=0)
MESSAGES = [{'role': 'user', 'content': 'Hello'}]
TOOLS = [{'type': 'function', 'function': {'name': 'weather', 'parameters': {'type': 'object', 'properties': {
    'city': {'type': 'string'}}}}}]
FAKES = json.loads(os.environ['FAKES'])
PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='
PROVIDERS = ('fake', 'claude', 'google', 'co')


class Tide(pydantic.BaseModel):
    tide: str


class OpenAIClient(unittest.TestCase):
    def each(self):
        for provider in PROVIDERS:
            with self.subTest(provider):
                yield provider

    def test_chat(self):
        for provider in self.each():
            answer = CLIENT.chat.completions.create(model=provider + '/x', messages=MESSAGES)
            self.assertEqual(answer.choices[0].message.content, 'Wasser strömt durch das Tor')
            self.assertEqual(answer.choices[0].finish_reason, 'stop')
            self.assertGreater(answer.usage.total_tokens, 0)

    def test_stream(self):
        for provider in self.each():
            chunks = list(CLIENT.chat.completions.create(model=provider + '/x', messages=MESSAGES, stream=True,
                                                         stream_options={'include_usage': True}))
            text = ''.join(c.choices[0].delta.content or '' for c in chunks if c.choices)
            self.assertIn(' strömt durch', text)
            self.assertGreater(chunks[-1].usage.completion_tokens, 0)

    def test_tools(self):
        for provider in self.each():
            message = CLIENT.chat.completions.create(model=provider + '/x;tools', messages=MESSAGES,
                                                     tools=TOOLS).choices[0].message
            self.assertEqual(json.loads(message.tool_calls[0].function.arguments)['city'], 'Zürich')
            results = [{'role': 'tool', 'tool_call_id': c.id, 'content': 'rain'} for c in message.tool_calls]
            CLIENT.chat.completions.create(model=provider + '/x', messages=[*MESSAGES, message, *results], tools=TOOLS)
            with CLIENT.chat.completions.stream(model=provider + '/x;tools', messages=MESSAGES, tools=TOOLS) as stream:
                streamed = stream.get_final_completion().choices[0].message
            self.assertEqual(json.loads(streamed.tool_calls[0].function.arguments)['city'], 'Zürich')

    def test_several_tools_at_once(self):
        for provider in self.each():
            ask = {'model': provider + '/x;parallel', 'messages': MESSAGES, 'tools': TOOLS}
            with CLIENT.chat.completions.stream(**ask) as stream:
                streamed = stream.get_final_completion().choices[0].message
            for message in CLIENT.chat.completions.create(**ask).choices[0].message, streamed:
                self.assertEqual([(c.function.name, json.loads(c.function.arguments)['city']) for c in message.tool_calls],
                                 [('weather', 'Zürich')] * 2)
                self.assertEqual(len({c.id for c in message.tool_calls}), 2)

    def test_the_older_functions(self):
        for provider in ('claude', 'google', 'co'):
            ask = {'model': provider + '/x;parallel', 'messages': MESSAGES, 'functions': [TOOLS[0]['function']],
                   'function_call': 'auto'}
            choice = CLIENT.chat.completions.create(**ask).choices[0]
            self.assertEqual(choice.finish_reason, 'function_call')
            self.assertIsNone(choice.message.tool_calls)
            called = choice.message.function_call
            self.assertEqual((called.name, json.loads(called.arguments)['city']), ('weather', 'Zürich'))
            chunks = [c.choices[0] for c in CLIENT.chat.completions.create(**ask, stream=True)]
            deltas = [c.delta.function_call for c in chunks if c.delta.function_call]
            self.assertEqual([d.name for d in deltas if d.name], ['weather'])
            self.assertEqual(json.loads(''.join(d.arguments or '' for d in deltas))['city'], 'Zürich')
            self.assertEqual(chunks[-1].finish_reason, 'function_call')
            result = {'role': 'function', 'name': 'weather', 'content': 'rain'}
            ask |= {'model': provider + '/x', 'messages': [*MESSAGES, choice.message.model_dump(exclude_none=True), result]}
            self.assertEqual(CLIENT.chat.completions.create(**ask).choices[0].finish_reason, 'stop')

    def test_structured_output(self):
        for provider in self.each():
            answer = CLIENT.chat.completions.parse(model=provider + '/x', messages=MESSAGES, response_format=Tide)
            self.assertEqual(answer.choices[0].message.parsed, Tide(tide='high'))

    def test_images(self):
        content = [{'type': 'text', 'text': 'What is it?'},
                   {'type': 'image_url', 'image_url': {'url': 'data:image/png;base64,' + PNG}}]
        for provider in self.each():
            answer = CLIENT.chat.completions.create(model=provider + '/x', messages=[{'role': 'user', 'content': content}])
            self.assertTrue(answer.choices[0].message.content)

    def test_retries(self):
        patient = CLIENT.with_options(max_retries=1)
        for provider in self.each():
            with self.assertRaises(openai.InternalServerError):
                patient.chat.completions.create(model=provider + '/again;status=503;retry_after=0', messages=MESSAGES)
            with urllib.request.urlopen(FAKES[provider] + '_control/seen') as reply:
                seen = json.load(reply)['seen']
            self.assertEqual(len([s for s in seen if s['model'].startswith('again')]), 2)

    def test_errors(self):
        for provider in self.each():
            with self.assertRaises(openai.RateLimitError):
                CLIENT.chat.completions.create(model=provider + '/x;status=429', messages=MESSAGES)
            with self.assertRaises(openai.BadRequestError):
                CLIENT.chat.completions.create(model=provider + '/x;status=400', messages=MESSAGES)

    def test_completions(self):
        for provider in ('claude', 'google', 'co'):
            answer = CLIENT.completions.create(model=provider + '/x', prompt='Once')
            self.assertEqual(answer.choices[0].text, 'Wasser strömt durch das Tor')
            pieces = CLIENT.completions.create(model=provider + '/x', prompt='Once', stream=True)
            self.assertIn(' strömt', ''.join(p.choices[0].text for p in pieces))

    def test_embeddings(self):
        for provider in ('fake', 'google', 'co'):
            answer = CLIENT.embeddings.create(model=provider + '/embed', input=['a', 'b'])
            self.assertEqual([len(d.embedding) for d in answer.data], [len(answer.data[0].embedding)] * 2)
            self.assertTrue(all(isinstance(v, float) for v in answer.data[0].embedding))


if __name__ == '__main__':
    unittest.main()
