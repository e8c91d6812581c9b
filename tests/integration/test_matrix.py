#!/usr/bin/env python3
"""Every client's dialect with every provider's, feature by feature, over the gateway; what it finds is docs/compatibility.md.

UPDATE_DOCS=1 writes the page; otherwise the page must say what is found."""
import base64
import json
import os
import struct
import unittest
import urllib.parse

from harness import Suite, fake_provider, main  # first: it finds the fakes

from anthropic_upstream import AnthropicUpstream
from bedrock_upstream import BedrockUpstream
from cohere_upstream import CohereUpstream
from gemini_upstream import GeminiUpstream
from ollama_upstream import OllamaUpstream
from responses_upstream import ResponsesFake

PAGE = os.path.join(os.path.dirname(__file__), '..', '..', 'docs', 'compatibility.md')
PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='
SCHEMA = {'type': 'object', 'properties': {'city': {'type': 'string'}}, 'required': ['city'], 'additionalProperties': False}
FEATURES = ('text', 'system', 'sampling', 'image', 'tool call', 'parallel calls', 'tool result', 'structured output',
            'thinking', 'usage', 'error')
UPSTREAMS = {'openai': 'OpenAI', 'responses': 'OpenAI responses', 'anthropic': 'Anthropic', 'gemini': 'Gemini',
             'bedrock': 'Bedrock', 'cohere': 'Cohere', 'ollama': 'Ollama'}
# What the stand-in for a provider has to be told to answer in that way: options of the model's name.
SCRIPTS = {'tool call': 'tools', 'parallel calls': 'parallel', 'error': 'status=429', 'thinking': 'thinking'}
SCRIPT_OF = {('openai', 'thinking'): 'reasoning=reasoning_content', ('responses', 'thinking'): 'reasoning',
             ('responses', 'tool call'): 'tools=1'}
# Of models, where what they can is told by their names.
NAMES = {'bedrock': 'anthropic.claude-sonnet-4-20250514-v1:0', 'gemini': 'gemini-2.5-flash',
         'anthropic': 'claude-sonnet-4-20250514'}
NAME_OF = {('openai', 'thinking'): 'gpt-5'}


def script(upstream, feature):
    return SCRIPT_OF.get((upstream, feature), SCRIPTS.get(feature, 'words=4'))


def sse(text):
    return [json.loads(line[5:]) for line in text.splitlines() if line.startswith('data:') and '[DONE]' not in line]


class Answer:
    """What a client has been told, whatever its dialect."""

    def __init__(self):
        self.text, self.thinking, self.calls, self.usage, self.finish = '', '', [], None, None
        self.ids = []

    def call(self, name, args, call_id=None):
        self.calls.append((name, args if isinstance(args, dict) else json.loads(args)))
        if call_id:
            self.ids.append(call_id)


class OpenAI:
    title = 'OpenAI chat'
    features = FEATURES
    called = 'tool_calls'  # how an answer ends that calls tools

    def request(self, model, feature, stream):
        body = {'model': model, 'stream': stream, 'messages': [{'role': 'user', 'content': 'Hello'}]}
        messages = body['messages']
        if stream and feature == 'usage':
            body['stream_options'] = {'include_usage': True}
        if feature == 'system':
            messages.insert(0, {'role': 'system', 'content': 'Be terse.'})
        if feature == 'sampling':
            body |= {'temperature': 0.5, 'top_p': 0.9, 'stop': ['END'], 'max_tokens': 50}
        if feature == 'image':
            messages[0]['content'] = [{'type': 'text', 'text': 'What is it?'},
                                      {'type': 'image_url', 'image_url': {'url': 'data:image/png;base64,' + PNG}}]
        if feature in ('tool call', 'parallel calls', 'tool result'):
            body['tools'] = [{'type': 'function', 'function': {'name': 'weather', 'parameters': SCHEMA}}]
        if feature == 'tool result':
            messages += [{'role': 'assistant', 'content': None, 'tool_calls': [
                {'id': 'call_1', 'type': 'function', 'function': {'name': 'weather', 'arguments': '{"city":"Basel"}'}}]},
                {'role': 'tool', 'tool_call_id': 'call_1', 'content': 'rain in Basel'}]
        if feature == 'structured output':
            body['response_format'] = {'type': 'json_schema', 'json_schema': {'name': 'place', 'schema': SCHEMA}}
        if feature == 'thinking':
            body['reasoning_effort'] = 'low'
        return '/v1/chat/completions', body, {}

    def error(self, data):
        return data['error']['message']

    def whole(self, data):
        a = Answer()
        message = data['choices'][0]['message']
        a.text, a.thinking = message.get('content') or '', message.get('reasoning_content') or ''
        for c in message.get('tool_calls') or []:
            a.call(c['function']['name'], c['function']['arguments'], c['id'])
        a.finish, usage = data['choices'][0]['finish_reason'], data.get('usage')
        a.usage = usage and (usage['prompt_tokens'], usage['completion_tokens'])
        return a

    def stream(self, text):
        a, calls = Answer(), {}
        for event in sse(text):
            if event.get('usage'):
                a.usage = event['usage']['prompt_tokens'], event['usage']['completion_tokens']
            for choice in event['choices']:
                delta = choice['delta']
                a.text += delta.get('content') or ''
                a.thinking += delta.get('reasoning_content') or ''
                a.finish = choice.get('finish_reason') or a.finish
                for c in delta.get('tool_calls') or []:
                    got = calls.setdefault(c['index'], ['', '', ''])
                    got[0] += c['function'].get('name') or ''
                    got[1] += c['function'].get('arguments') or ''
                    got[2] += c.get('id') or ''
        for call in calls.values():
            a.call(*call)
        return a


class Responses:
    title = 'OpenAI responses'
    features = FEATURES
    called = 'completed'  # how an answer ends that calls tools

    def request(self, model, feature, stream):
        body = {'model': model, 'stream': stream, 'store': False, 'input': [{'role': 'user', 'content': 'Hello'}]}
        if feature == 'system':
            body['instructions'] = 'Be terse.'
        if feature == 'sampling':
            body |= {'temperature': 0.5, 'top_p': 0.9, 'max_output_tokens': 50}
        if feature == 'image':
            body['input'][0]['content'] = [{'type': 'input_text', 'text': 'What is it?'},
                                           {'type': 'input_image', 'image_url': 'data:image/png;base64,' + PNG}]
        if feature in ('tool call', 'parallel calls', 'tool result'):
            body['tools'] = [{'type': 'function', 'name': 'weather', 'parameters': SCHEMA}]
        if feature == 'tool result':
            body['input'] += [{'type': 'function_call', 'call_id': 'call_1', 'name': 'weather',
                               'arguments': '{"city":"Basel"}'},
                              {'type': 'function_call_output', 'call_id': 'call_1', 'output': 'rain in Basel'}]
        if feature == 'structured output':
            body['text'] = {'format': {'type': 'json_schema', 'name': 'place', 'schema': SCHEMA}}
        if feature == 'thinking':
            body['reasoning'] = {'effort': 'low', 'summary': 'auto'}
        return '/v1/responses', body, {}

    def error(self, data):
        return data['error']['message']

    def whole(self, data):
        a = Answer()
        for item in data['output']:
            if item['type'] == 'message':
                a.text += ''.join(p.get('text', '') for p in item['content'])
            if item['type'] == 'reasoning':
                a.thinking += ''.join(p['text'] for p in item['summary'] + item.get('content', []))
            if item['type'] == 'function_call':
                a.call(item['name'], item['arguments'], item['call_id'])
        a.usage = data.get('usage') and (data['usage']['input_tokens'], data['usage']['output_tokens'])
        a.finish = data['status']
        return a

    def stream(self, text):
        events = sse(text)
        self_numbers = [e['sequence_number'] for e in events]
        assert self_numbers == list(range(len(events))), self_numbers
        done = [e for e in events if e['type'] in ('response.completed', 'response.incomplete')]
        a = self.whole(done[0]['response'])
        told = ''.join(e['delta'] for e in events if e['type'] == 'response.output_text.delta')
        assert told == a.text, (told, a.text)
        return a


class Anthropic:
    title = 'Anthropic messages'
    features = FEATURES
    called = 'tool_use'  # how an answer ends that calls tools

    def request(self, model, feature, stream):
        body = {'model': model, 'stream': stream, 'max_tokens': 4000, 'messages': [{'role': 'user', 'content': 'Hello'}]}
        if feature == 'system':
            body['system'] = 'Be terse.'
        if feature == 'sampling':
            body |= {'temperature': 0.5, 'top_p': 0.9, 'stop_sequences': ['END'], 'max_tokens': 50}
        if feature == 'image':
            body['messages'][0]['content'] = [{'type': 'text', 'text': 'What is it?'}, {
                'type': 'image', 'source': {'type': 'base64', 'media_type': 'image/png', 'data': PNG}}]
        if feature in ('tool call', 'parallel calls', 'tool result'):
            body['tools'] = [{'name': 'weather', 'input_schema': SCHEMA}]
        if feature == 'tool result':
            body['messages'] += [
                {'role': 'assistant', 'content': [{'type': 'tool_use', 'id': 'toolu_1', 'name': 'weather',
                                                   'input': {'city': 'Basel'}}]},
                {'role': 'user', 'content': [{'type': 'tool_result', 'tool_use_id': 'toolu_1', 'content': 'rain in Basel'}]}]
        if feature == 'structured output':
            body['output_config'] = {'format': {'type': 'json_schema', 'schema': SCHEMA}}
        if feature == 'thinking':
            body['thinking'] = {'type': 'enabled', 'budget_tokens': 2000}
        return '/v1/messages', body, {'anthropic-version': '2023-06-01'}

    def error(self, data):
        assert data['type'] == 'error', data
        return data['error']['message']

    def whole(self, data):
        a = Answer()
        for block in data['content']:
            a.text += block.get('text', '')
            a.thinking += block.get('thinking', '')
            if block['type'] == 'tool_use':
                a.call(block['name'], block['input'], block['id'])
        a.usage, a.finish = (data['usage']['input_tokens'], data['usage']['output_tokens']), data['stop_reason']
        return a

    def stream(self, text):
        a, args, tool, open_block, last = Answer(), '', None, None, None
        for e in sse(text):
            last = e['type']
            if e['type'] == 'message_start':
                tokens_in = e['message']['usage']['input_tokens']
            if e['type'] == 'content_block_start':
                assert open_block is None, e
                open_block, tool, args = e['index'], e['content_block'].get('name'), ''
                tool_id = e['content_block'].get('id')
            if e['type'] == 'content_block_delta':
                assert open_block == e['index'], e
                a.text += e['delta'].get('text', '')
                a.thinking += e['delta'].get('thinking', '')
                args += e['delta'].get('partial_json', '')
            if e['type'] == 'content_block_stop':
                open_block = None
                if tool:
                    a.call(tool, args or '{}', tool_id)
            if e['type'] == 'message_delta':
                a.finish = e['delta']['stop_reason']
                a.usage = e['usage'].get('input_tokens', tokens_in), e['usage']['output_tokens']
        assert last == 'message_stop', last
        return a


class Gemini:
    title = 'Gemini generateContent'
    features = FEATURES
    called = 'STOP'  # how an answer ends that calls tools

    def request(self, model, feature, stream):
        body = {'contents': [{'role': 'user', 'parts': [{'text': 'Hello'}]}]}
        config = body.setdefault('generationConfig', {})
        if feature == 'system':
            body['systemInstruction'] = {'parts': [{'text': 'Be terse.'}]}
        if feature == 'sampling':
            config |= {'temperature': 0.5, 'topP': 0.9, 'stopSequences': ['END'], 'maxOutputTokens': 50}
        if feature == 'image':
            body['contents'][0]['parts'].append({'inlineData': {'mimeType': 'image/png', 'data': PNG}})
        if feature in ('tool call', 'parallel calls', 'tool result'):
            body['tools'] = [{'functionDeclarations': [{'name': 'weather', 'parameters': {
                'type': 'OBJECT', 'properties': {'city': {'type': 'STRING'}}}}]}]
        if feature == 'tool result':
            body['contents'] += [
                {'role': 'model', 'parts': [{'functionCall': {'name': 'weather', 'args': {'city': 'Basel'}}}]},
                {'role': 'user', 'parts': [{'functionResponse': {'name': 'weather', 'response': {'output': 'rain in Basel'}}}]}]
        if feature == 'structured output':
            config |= {'responseMimeType': 'application/json', 'responseSchema': {
                'type': 'OBJECT', 'properties': {'city': {'type': 'STRING'}}, 'required': ['city']}}
        if feature == 'thinking':
            config['thinkingConfig'] = {'thinkingBudget': 2000, 'includeThoughts': True}
        action = 'streamGenerateContent?alt=sse' if stream else 'generateContent'
        return f'/v1beta/models/{urllib.parse.quote(model, safe="")}:{action}', body, {}

    def error(self, data):
        data = data[0] if isinstance(data, list) else data  # as Google has it for streams
        return data['error']['message']

    def parts(self, a, data):
        for c in data.get('candidates', []):
            for p in c.get('content', {}).get('parts', []):
                if p.get('thought'):
                    a.thinking += p['text']
                elif 'text' in p:
                    a.text += p['text']
                if 'functionCall' in p:
                    a.call(p['functionCall']['name'], p['functionCall'].get('args', {}))
            a.finish = c.get('finishReason') or a.finish
        usage = data.get('usageMetadata')
        if usage:
            a.usage = usage['promptTokenCount'], usage.get('candidatesTokenCount', 0) + usage.get('thoughtsTokenCount', 0)
        return a

    def whole(self, data):
        return self.parts(Answer(), data)

    def stream(self, text):
        a = Answer()
        for event in sse(text):
            self.parts(a, event)
        return a


class Ollama:
    title = 'Ollama chat'
    features = FEATURES
    called = 'stop'  # how an answer ends that calls tools

    def request(self, model, feature, stream):
        body = {'model': model, 'stream': stream, 'messages': [{'role': 'user', 'content': 'Hello'}]}
        messages = body['messages']
        if feature == 'system':
            messages.insert(0, {'role': 'system', 'content': 'Be terse.'})
        if feature == 'sampling':
            body['options'] = {'temperature': 0.5, 'top_p': 0.9, 'stop': ['END'], 'num_predict': 50}
        if feature == 'image':
            messages[0]['images'] = [PNG]
        if feature in ('tool call', 'parallel calls', 'tool result'):
            body['tools'] = [{'type': 'function', 'function': {'name': 'weather', 'parameters': SCHEMA}}]
        if feature == 'tool result':
            messages += [{'role': 'assistant', 'content': '', 'tool_calls': [
                {'function': {'name': 'weather', 'arguments': {'city': 'Basel'}}}]},
                {'role': 'tool', 'tool_name': 'weather', 'content': 'rain in Basel'}]
        if feature == 'structured output':
            body['format'] = SCHEMA
        if feature == 'thinking':
            body['think'] = True
        return '/api/chat', body, {}

    def error(self, data):
        return data['error']

    def add(self, a, data):
        message = data['message']
        a.text += message.get('content') or ''
        a.thinking += message.get('thinking') or ''
        for c in message.get('tool_calls') or []:
            a.call(c['function']['name'], c['function']['arguments'], c['id'])
        if data['done']:
            a.finish, a.usage = data['done_reason'], (data.get('prompt_eval_count', 0), data.get('eval_count', 0))
        return a

    def whole(self, data):
        return self.add(Answer(), data)

    def stream(self, text):
        a = Answer()
        for line in text.splitlines():
            self.add(a, json.loads(line))
        return a


class Completions:
    title = 'OpenAI completions'
    features = ('text', 'sampling', 'usage', 'error')

    def request(self, model, feature, stream):
        body = {'model': model, 'stream': stream, 'prompt': 'Hello'}
        if feature == 'sampling':
            body |= {'temperature': 0.5, 'top_p': 0.9, 'stop': ['END'], 'max_tokens': 50}
        if stream and feature == 'usage':
            body['stream_options'] = {'include_usage': True}
        return '/v1/completions', body, {}

    def error(self, data):
        return data['error']['message']

    def add(self, a, data):
        for choice in data['choices']:
            a.text += choice['text']
            a.finish = choice['finish_reason'] or a.finish
        if data.get('usage'):
            a.usage = data['usage']['prompt_tokens'], data['usage']['completion_tokens']
        return a

    def whole(self, data):
        return self.add(Answer(), data)

    def stream(self, text):
        a = Answer()
        for event in sse(text):
            self.add(a, event)
        return a


class OllamaGenerate(Ollama):
    title = 'Ollama generate'
    features = ('text', 'system', 'sampling', 'image', 'structured output', 'thinking', 'usage', 'error')

    def request(self, model, feature, stream):
        _, body, headers = super().request(model, feature, stream)
        (*_, message) = body.pop('messages')
        body |= {'prompt': message['content']}
        if 'images' in message:
            body['images'] = message['images']
        if feature == 'system':
            body['system'] = 'Be terse.'
        return '/api/generate', body, headers

    def add(self, a, data):
        message = {'content': data['response'], 'thinking': data.get('thinking')}
        return super().add(a, {**data, 'message': message})


CLIENTS = (OpenAI(), Responses(), Completions(), Anthropic(), Gemini(), Ollama(), OllamaGenerate())

# --- embeddings ---

EMBEDDERS = {'openai': 'OpenAI', 'gemini': 'Gemini', 'cohere': 'Cohere', 'ollama': 'Ollama', 'anthropic': 'Anthropic',
             'bedrock': 'Bedrock'}
NO_EMBEDDINGS = ('anthropic', 'bedrock')
EMBED_FEATURES = ('one text', 'many texts', 'dimensions', 'purpose', 'base64', 'token numbers', 'usage', 'error')
TEXTS = {'one text': ['one']}


def unpacked(vector):
    return list(struct.unpack(f'<{len(base64.b64decode(vector)) // 4}f', base64.b64decode(vector)))


class OpenAIEmbeddings:
    title = 'OpenAI embeddings'
    features = tuple(f for f in EMBED_FEATURES if f != 'purpose')

    def request(self, model, feature):
        texts = TEXTS.get(feature, ['a', 'bb', 'ccc'])
        body = {'model': model, 'input': texts[0] if len(texts) == 1 else texts}
        if feature == 'dimensions':
            body['dimensions'] = 4
        if feature == 'base64':
            body['encoding_format'] = 'base64'
        if feature == 'token numbers':
            body['input'] = [[9906], [1917, 11], [30]]
        return '/v1/embeddings', body

    def error(self, data):
        return data['error']['message']

    def vectors(self, data, feature):
        assert [d['index'] for d in data['data']] == list(range(len(data['data']))), data
        return [unpacked(d['embedding']) if feature == 'base64' else d['embedding'] for d in data['data']]

    def usage(self, data):
        return data['usage']['prompt_tokens']


class GeminiEmbeddings:
    title = 'Gemini embedContent, batchEmbedContents'
    features = ('one text', 'many texts', 'dimensions', 'purpose', 'error')

    def request(self, model, feature):
        asked = [{'model': 'models/' + model, 'content': {'parts': [{'text': t}]}} for t in TEXTS.get(feature, ['a', 'bb', 'ccc'])]
        for one in asked:
            if feature == 'dimensions':
                one['outputDimensionality'] = 4
            if feature == 'purpose':
                one['taskType'] = 'RETRIEVAL_QUERY'
        path = '/v1beta/models/' + urllib.parse.quote(model, safe='')
        return (path + ':embedContent', asked[0]) if len(asked) == 1 else (path + ':batchEmbedContents', {'requests': asked})

    def error(self, data):
        return data['error']['message']

    def vectors(self, data, feature):
        return [e['values'] for e in ([data['embedding']] if feature == 'one text' else data['embeddings'])]


class OllamaEmbed:
    title = 'Ollama embed'
    features = ('one text', 'many texts', 'dimensions', 'usage', 'error')

    def request(self, model, feature):
        texts = TEXTS.get(feature, ['a', 'bb', 'ccc'])
        body = {'model': model, 'input': texts[0] if len(texts) == 1 else texts}
        if feature == 'dimensions':
            body['dimensions'] = 4
        return '/api/embed', body

    def error(self, data):
        return data['error']

    def vectors(self, data, feature):
        return data['embeddings']

    def usage(self, data):
        return data['prompt_eval_count']


class OllamaEmbeddings(OllamaEmbed):
    title = 'Ollama embeddings'
    features = ('one text', 'error')

    def request(self, model, feature):
        return '/api/embeddings', {'model': model, 'prompt': 'one'}

    def vectors(self, data, feature):
        return [data['embedding']]


EMBED_CLIENTS = (OpenAIEmbeddings(), GeminiEmbeddings(), OllamaEmbed(), OllamaEmbeddings())

# --- rerankings ---

RERANKERS = {'cohere': 'Cohere', 'vllm': 'vLLM'}
RERANK_FEATURES = ('texts', 'the best only', 'texts given back', 'error')
DOCUMENTS = ['a', 'a long one', 'longer']


class Rerank:
    def __init__(self, title, path, features, error):
        self.title, self.path, self.features, self.error = title, path, features, error

    def request(self, model, feature):
        body = {'model': model, 'query': 'long?', 'documents': DOCUMENTS}
        if feature == 'the best only':
            body['top_n'] = 2
        if feature == 'texts given back':
            body['return_documents'] = True
        return self.path, body


RERANK_CLIENTS = (Rerank('Rerank, as Jina has it', '/v1/rerank', RERANK_FEATURES, lambda data: data['error']['message']),
                  Rerank('Rerank, as Cohere has it', '/v2/rerank', ('texts', 'the best only', 'error'),
                         lambda data: data['message']))
LEGEND = """# Compatibility

What a client of each dialect gets from providers of each, as the tests find it; of chats, whole and streamed.

✓ works; a name is what the provider cannot be told (told to the client in `x-penstock-dropped-params`); *refused*: the
client is told that this provider cannot do it.
"""


class Matrix(Suite):
    @classmethod
    def setUpClass(cls):
        cls.fakes = {'anthropic': AnthropicUpstream().start(), 'gemini': GeminiUpstream().start(),
                     'bedrock': BedrockUpstream(token='FwoGZXIvYXdz//session==').start(), 'cohere': CohereUpstream().start(),
                     'responses': ResponsesFake().start(), 'ollama': OllamaUpstream().start()}
        for fake in cls.fakes.values():
            cls.addClassCleanup(fake.stop)
        super().setUpClass()
        cls.fakes |= {'openai': cls.fake, 'vllm': cls.fake}

    @classmethod
    def config(cls):
        more = {'anthropic': {'api_key': 'sk-ant-fake'}, 'cohere': {'api_key': 'co-fake'},
                'bedrock': {'region': 'eu-central-1', 'access_key_id': 'AKIDFAKE', 'api_key': 'bedrock/secret+fake',
                            'session_token': 'FwoGZXIvYXdz//session=='},
                'gemini': {'api_key': cls.fakes['gemini'].key}, 'responses': {'kind': 'openai', 'dialect': 'responses'},
                'ollama': {'api_key': 'ol-fake', 'dialect': 'ollama'}}
        return {'providers': [fake_provider(cls.fake, 'openai'), fake_provider(cls.fake, 'vllm', kind='vllm'),
                              *({'name': name, 'kind': name, 'base_url': fake.base_url, 'api_key': 'sk-fake'} | more.get(name, {})
                                for name, fake in cls.fakes.items())]}

    def post(self, upstream, path, body, headers=None):
        self.fakes[upstream].reset()
        return self.server.post(path, json.dumps(body).encode(), headers)

    def told(self, upstream):
        """All that the provider has been sent."""
        sent = json.dumps(self.fakes[upstream].seen[-1], default=lambda v: v.decode() if isinstance(v, bytes) else str(vars(v)))
        return sent.encode().decode('unicode_escape', 'replace')

    def check_refused(self, client, reply, status):
        self.assertEqual(reply.status, status, reply)
        self.assertTrue(client.error(json.loads(reply.body)))

    def check(self, client, feature, answer, sent):
        """The answer has what was asked for, and the provider was asked for it."""
        self.assertTrue(answer.finish)
        if feature == 'thinking':
            self.assertTrue(answer.thinking)
        elif feature in ('tool call', 'parallel calls'):
            count = 2 if feature == 'parallel calls' else 1
            self.assertEqual([name for name, _ in answer.calls], ['weather'] * count)
            self.assertEqual([args['city'] for _, args in answer.calls], ['Zürich'] * count)
            self.assertEqual(len(set(answer.ids)), len(answer.ids))
            self.assertIn(len(answer.ids), (0, count))
            self.assertEqual(answer.finish, client.called)
        else:
            self.assertTrue(answer.text)
        if feature == 'structured output':
            self.assertIsInstance(json.loads(answer.text), dict)
        if feature == 'usage':
            self.assertGreater(min(answer.usage), 0)
        told = {'image': PNG, 'system': 'Be terse.', 'tool result': 'rain in Basel', 'sampling': '0.9'}.get(feature)
        if told:
            self.assertIn(told, sent)

    def ask(self, client, upstream, feature, stream):
        """The cell: what could not be told, or '' for all of it."""
        name = NAME_OF.get((upstream, feature)) or NAMES.get(upstream, 'x')
        model = f'{upstream}/{name};{script(upstream, feature)}'
        reply = self.post(upstream, *client.request(model, feature, stream))
        if feature == 'error':
            self.check_refused(client, reply, 429)
            return ''
        self.assertEqual(reply.status, 200, reply)
        text = reply.body.decode()
        answer = client.stream(text) if stream else client.whole(json.loads(text))
        dropped = reply.header('x-penstock-dropped-params') or ''
        self.check(client, feature, answer, self.told(upstream) + (' 0.9' if 'top' in dropped else ''))
        return dropped

    def ask_vectors(self, client, upstream, feature):
        model = f'{upstream}/{"text-embedding-004" if upstream == "gemini" else "embed"}'
        reply = self.post(upstream, *client.request(model + (';status=429' if feature == 'error' else ''), feature))
        if feature == 'error':
            self.check_refused(client, reply, 400 if upstream in NO_EMBEDDINGS else 429)
            return ''
        if upstream in NO_EMBEDDINGS or (feature == 'token numbers' and upstream != 'openai'):
            self.check_refused(client, reply, 400)
            return 'refused'
        self.assertEqual(reply.status, 200, reply)
        data = json.loads(reply.body)
        vectors = client.vectors(data, feature)
        self.assertEqual(len(vectors), 1 if feature == 'one text' else 3)
        for vector in vectors:
            self.assertEqual((len(vector), vector[1:]), (4, [-1.5, 0, 3]))
        self.assertEqual([v[0] for v in vectors], sorted(v[0] for v in vectors))  # in their order
        if feature == 'usage':
            self.assertGreater(client.usage(data), 0)
        dropped = reply.header('x-penstock-dropped-params') or ''
        if feature == 'purpose' and not dropped:
            self.assertIn('query', self.told(upstream).lower())
        return dropped

    def ask_order(self, client, upstream, feature):
        reply = self.post(upstream, *client.request(f'{upstream}/x' + (';status=429' if feature == 'error' else ''), feature))
        if feature == 'error':
            self.check_refused(client, reply, 429)
            return ''
        self.assertEqual(reply.status, 200, reply)
        results = reply.json()['results']
        self.assertEqual([r['index'] for r in results], [1, 2] if feature == 'the best only' else [1, 2, 0])
        self.assertTrue(all(0 < r['relevance_score'] < 1 for r in results))
        if feature == 'texts given back':
            self.assertEqual([r['document']['text'] for r in results], [DOCUMENTS[r['index']] for r in results])
        return reply.header('x-penstock-dropped-params') or ''

    def every(self, clients, upstreams, features, ask):
        """The section of the page that comes of all these."""
        lines = []
        for client in clients:
            lines += [f'## {client.title}', '', '| | ' + ' | '.join(upstreams.values()) + ' |', '|---|' + '---|' * len(upstreams)]
            for feature in (f for f in features if f in client.features):
                row = []
                for upstream in upstreams:
                    cell = '✗'
                    with self.subTest(f'{client.title} → {upstream}: {feature}'):
                        dropped = ask(client, upstream, feature)
                        cell = {'': '✓', 'refused': 'refused'}.get(dropped, f'✓ but `{dropped}`')
                    row.append(cell)
                lines.append(f'| {feature} | ' + ' | '.join(row) + ' |')
            lines.append('')
        for fake in self.fakes.values():
            self.assertEqual(getattr(fake, 'violations', []), [])
        return lines

    def ask_both(self, client, upstream, feature):
        whole = self.ask(client, upstream, feature, False)
        streamed = self.ask(client, upstream, feature, True)
        self.assertEqual(whole, streamed)
        return whole

    def test_every_cell(self):
        lines = self.every(CLIENTS, UPSTREAMS, FEATURES, self.ask_both)
        lines += self.every(EMBED_CLIENTS, EMBEDDERS, EMBED_FEATURES, self.ask_vectors)
        lines += self.every(RERANK_CLIENTS, RERANKERS, RERANK_FEATURES, self.ask_order)
        text = '\n'.join([LEGEND, *lines])
        if os.environ.get('UPDATE_DOCS'):
            with open(PAGE, 'w', encoding='utf-8') as f:
                f.write(text)
        with open(PAGE, encoding='utf-8') as f:
            self.assertEqual(f.read(), text, 'run it with UPDATE_DOCS=1')


if __name__ == '__main__':
    main()
