# OpenAI's client library for Python and its Responses API, unmodified, against Penstock before providers of several
# dialects. Run by test_responses.py with the Python of build/python, which has the library.
import json
import os
import unittest

import openai
import pydantic

URL, KEY = os.environ['PENSTOCK_URL'], os.environ['PENSTOCK_KEY']
TARGETS = os.environ['TARGETS'].split(',')
WEATHER = {'type': 'function', 'name': 'weather', 'description': 'The weather', 'strict': False,
           'parameters': {'type': 'object', 'properties': {'city': {'type': 'string'}}}}


class Place(pydantic.BaseModel):
    city: str


class Client(unittest.TestCase):
    def setUp(self):
        self.client = openai.OpenAI(base_url=URL, api_key=KEY, max_retries=0)
        self.addCleanup(self.client.close)

    def ask(self, model, input='Hello', **more):
        return self.client.responses.create(model=model, input=input, **more)

    def test_answer(self):
        for target in TARGETS:
            response = self.ask(target + '/x', instructions='Be brief')
            self.assertEqual(response.status, 'completed')
            self.assertGreater(len(response.output_text), 3)
            self.assertGreater(response.usage.total_tokens, 0)

    def test_stream(self):
        for target in TARGETS:
            with self.client.responses.stream(model=target + '/x', input='Hello') as stream:
                kinds = [event.type for event in stream]
                response = stream.get_final_response()
            self.assertEqual((kinds[0], kinds[-1]), ('response.created', 'response.completed'))
            self.assertGreater(len(response.output_text), 3)

    def test_tools_and_going_on(self):
        for target in TARGETS:
            first = self.ask(target + ('/x;tools=1' if target == 'own' else '/x;tools'), tools=[WEATHER])
            call = next(item for item in first.output if item.type == 'function_call')
            self.assertEqual(json.loads(call.arguments)['city'], 'Zürich')
            output = {'type': 'function_call_output', 'call_id': call.call_id, 'output': 'rain'}
            second = self.ask(target + '/x', [output], previous_response_id=first.id, tools=[WEATHER])
            self.assertTrue(second.output_text)
            self.assertEqual(self.client.responses.retrieve(second.id).output_text, second.output_text)
            items = list(self.client.responses.input_items.list(second.id, order='asc'))
            self.assertEqual([items[0].type, items[-1].type], ['message', 'function_call_output'])
            self.client.responses.delete(second.id)
            with self.assertRaises(openai.NotFoundError):
                self.client.responses.retrieve(second.id)

    def test_structured(self):
        response = self.client.responses.parse(model='own/x', input='Where?', text_format=Place)
        self.assertEqual(response.output_parsed.city, 'Zürich')

    def test_errors(self):
        with self.assertRaises(openai.RateLimitError):
            self.ask('own/x;status=429')
        with self.assertRaises(openai.BadRequestError) as caught:
            self.ask('own/x', previous_response_id='resp_nothing')
        self.assertEqual(caught.exception.code, 'previous_response_not_found')
        with self.assertRaises(openai.APIError) as caught:
            list(self.ask('own/x;words=12;fault=reset', stream=True))
        self.assertEqual(caught.exception.code, 'upstream_reset')


if __name__ == '__main__':
    unittest.main()
