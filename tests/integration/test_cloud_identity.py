#!/usr/bin/env python3
# Clouds called as the machine, container or service account that Penstock runs as: where credentials are fetched, that they
# are renewed, and what is said when they can't be had.
import json
import os
import threading
import time

from harness import Suite, chat_body, eventually, fake_provider, in_parallel, main, request_bytes  # first: it finds the fakes

from azure_upstream import AzureUpstream
from bedrock_upstream import BedrockUpstream
from cloud_identity import ROLE, CloudIdentity

OTHER = {'name': 'offline', 'kind': 'demo'}


class Identity(Suite):
    @classmethod
    def config(cls):
        return {'providers': [OTHER]}

    def setUp(self):
        super().setUp()
        self.cloud = CloudIdentity(BedrockUpstream().start(), AzureUpstream().start()).start()
        for fake in self.cloud, self.cloud.aws, self.cloud.azure:
            self.addCleanup(fake.stop)
        self.web_file = os.path.join(self.server.folder, 'web-token')
        self.write(self.web_file, self.cloud.web_token + '\n')

    def write(self, path, text):
        with open(path, 'w', encoding='ascii') as f:
            f.write(text)

    def start(self, provider, **env):
        models = [{'name': 'm', 'targets': [{'provider': 'cloud', 'model': 'meta.llama4'}]},
                  {'name': 'spare', 'targets': [{'provider': 'cloud', 'model': 'meta.llama4', 'priority': 1},
                                                {'provider': 'offline', 'model': 'demo', 'priority': 2}]}]
        return self.spawn({'providers': [{'name': 'cloud', **provider}, OTHER], 'models': models,
                           'log': {'level': 'debug', 'format': 'json'}}, env=env)

    def bedrock(self, credentials='auto', **env):
        provider = {'kind': 'bedrock', 'base_url': self.cloud.aws.base_url, 'region': 'eu-central-1'}
        return self.start({**provider, **({'credentials': credentials} if credentials else {})}, **env)

    def azure(self, credentials='auto', **env):
        return self.start({'kind': 'azure', 'base_url': self.cloud.azure.base_url, 'credentials': credentials}, **env)

    def good(self, server, times=1):
        replies = in_parallel(8, lambda i: server.chat('m', f'call {i}'))
        self.assertEqual([r.status for r in replies], [200] * 8, replies[0])
        self.assertEqual(self.cloud.count, times, self.cloud.asked)
        self.assertEqual(self.cloud.aws.violations + self.cloud.azure.violations, [])
        for secret in 'sec/ret', 'FwoG', 'entra-', self.cloud.secret, self.cloud.web_token:
            self.assertNotIn(secret, server.log())

    def at_aws(self):
        return {'AWS_EC2_METADATA_SERVICE_ENDPOINT': self.cloud.url}

    def test_the_role_of_a_machine(self):
        self.good(self.bedrock(**self.at_aws()))

    def test_the_role_of_a_container(self):
        token_file = os.path.join(self.server.folder, 'container-token')
        self.write(token_file, self.cloud.container_token)
        url = {'AWS_CONTAINER_CREDENTIALS_FULL_URI': self.cloud.url + '/v1/credentials'}
        self.good(self.bedrock(AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=token_file, **url))
        self.good(self.bedrock(None, AWS_CONTAINER_AUTHORIZATION_TOKEN=self.cloud.container_token, **url), 2)

    def service_account(self):
        return {'AWS_WEB_IDENTITY_TOKEN_FILE': self.web_file, 'AWS_ROLE_ARN': ROLE, 'AWS_ENDPOINT_URL_STS': self.cloud.url + '/'}

    def test_the_role_of_a_service_account(self):
        self.good(self.bedrock(None, **self.service_account()))

    def test_a_key_that_is_over_is_renewed(self):
        """The file's token is read anew, too."""
        server = self.bedrock(**self.service_account())
        self.good(server)
        self.cloud.web_token = 'web.token.2'
        self.write(self.web_file, self.cloud.web_token)
        self.cloud.aws.access_key = 'another'
        self.cloud.aws.problem_text = 'The security token included in the request is expired'
        self.good(server, 2)

    def test_renewed_before_its_end(self):
        self.cloud.lifetime = 3
        server = self.bedrock(**self.at_aws())
        end = time.monotonic() + 4
        while time.monotonic() < end:
            self.assertEqual(server.chat('m').status, 200)
            time.sleep(0.05)
        self.assertGreaterEqual(self.cloud.count, 2)
        self.assertEqual(self.cloud.aws.violations, [])

    def test_a_machine_without_a_role(self):
        self.cloud.role = ''
        server = self.bedrock(**self.at_aws())
        reply = server.chat('m')
        self.assertEqual(reply.status, 502, reply)
        self.assertIn('this machine has no role; give its instance profile one', reply.error()['message'])
        self.assertEqual(server.chat('spare').header('x-penstock-provider'), 'offline')

    def test_a_service_account_that_is_refused(self):
        self.cloud.web_token = 'another'
        reply = self.bedrock(**self.service_account()).chat('m')
        self.assertEqual(reply.status, 502, reply)
        self.assertIn('Not authorized to perform sts:AssumeRoleWithWebIdentity', reply.error()['message'])

    def test_an_application_of_entra(self):
        told = {'tenant_id': 'the-tenant', 'client_id': 'the-client', 'client_secret': self.cloud.secret}
        self.good(self.azure(json.dumps(told), AZURE_AUTHORITY_HOST=self.cloud.url + '/'))
        self.good(self.azure(AZURE_AUTHORITY_HOST=self.cloud.url, AZURE_TENANT_ID='the-tenant', AZURE_CLIENT_ID='the-client',
                             AZURE_CLIENT_SECRET=self.cloud.secret), 2)

    def test_a_workload(self):
        self.good(self.azure(AZURE_AUTHORITY_HOST=self.cloud.url, AZURE_TENANT_ID='the-tenant', AZURE_CLIENT_ID='the-client',
                             AZURE_FEDERATED_TOKEN_FILE=self.web_file))

    def test_managed_identities(self):
        self.good(self.azure(AZURE_POD_IDENTITY_AUTHORITY_HOST=self.cloud.url))
        self.good(self.azure(IDENTITY_ENDPOINT=self.cloud.url + '/msi/token', IDENTITY_HEADER='app-service', AZURE_CLIENT_ID='c'), 2)
        self.assertEqual(self.cloud.asked[-1][2]['client_id'], 'c')

    def test_a_token_that_is_refused_is_fetched_anew(self):
        server = self.azure(AZURE_POD_IDENTITY_AUTHORITY_HOST=self.cloud.url)
        self.good(server)
        self.cloud.azure.key, self.cloud.azure.quiet = 'another', True
        self.good(server, 2)

    def test_one_refused_right_after_another_is_no_matter_of_age(self):
        server = self.azure(AZURE_POD_IDENTITY_AUTHORITY_HOST=self.cloud.url)
        self.good(server)
        self.cloud.azure.key, self.cloud.azure.quiet, self.cloud.useless = 'another', True, True
        reply = server.chat('m')
        self.assertEqual((reply.status, self.cloud.count), (502, 2), reply)
        self.assertIn('refused the credentials', reply.error()['message'])
        self.assertEqual(server.chat('spare').header('x-penstock-provider'), 'offline')

    def test_entra_says_why_not(self):
        self.cloud.fail = 401
        server = self.azure(AZURE_POD_IDENTITY_AUTHORITY_HOST=self.cloud.url)
        reply = server.chat('m')
        self.assertEqual(reply.status, 502, reply)
        self.assertIn('AADSTS7000215: it was told to fail', reply.error()['message'])
        self.assertEqual(server.chat('spare').status, 200)

    def test_one_that_does_not_answer(self):
        """Nor ends its answer: a call gets an error that says so, another target is asked, and once it is back all is well."""
        for hang in 'silent', 'slow':
            self.cloud.hang = hang
            self.cloud.go_on.clear()
            server = self.azure(AZURE_POD_IDENTITY_AUTHORITY_HOST=self.cloud.url)
            reply, spare = in_parallel(2, lambda i: server.post('/v1/chat/completions', chat_body(('m', 'spare')[i]), timeout=60))
            self.assertEqual(reply.status, 504, reply)
            self.assertRegex(reply.error()['message'], 'provider "cloud": no credentials: .*(waiting for|reading) the answer')
            self.assertEqual(spare.header('x-penstock-provider'), 'offline', spare)
            self.cloud.hang = None
            self.cloud.go_on.set()
            self.assertTrue(eventually(lambda: server.chat('m').status == 200), server.log())

    def test_one_that_does_not_answer_delays_no_other_provider(self):
        """However many event loops wait for it: not even one whose name has to be looked up."""
        self.cloud.hang = 'silent'
        other = self.another_fake(host='127.1')  # which is looked up
        server = self.spawn({'providers': [{'name': 'cloud', 'kind': 'azure', 'base_url': self.cloud.azure.base_url, 'credentials': 'auto'},
                                           fake_provider(other)],
                             'models': [{'name': 'm', 'targets': [{'provider': 'cloud', 'model': 'x'}]},
                                        {'name': 'other', 'targets': [{'provider': 'fake', 'model': 'y'}]}]},
                            workers=24, env={'AZURE_POD_IDENTITY_AUTHORITY_HOST': self.cloud.url})
        ended = []
        waiting = [threading.Thread(target=lambda: ended.append(server.post('/v1/chat/completions', chat_body('m'), timeout=60)))
                   for _ in range(100)]
        for t in waiting:
            t.start()
        self.assertTrue(eventually(lambda: self.cloud.asked and server.metrics()['penstock_active_requests'] >= 100))
        replies = in_parallel(40, lambda i: server.chat('other', f'call {i}'))
        self.assertEqual([r.status for r in replies], [200] * 40, replies[0])
        self.assertEqual(ended, [], 'they were to wait still')
        self.assertEqual(len(self.cloud.asked), 1)
        self.cloud.hang = None
        self.cloud.go_on.set()
        for t in waiting:
            t.join()
        self.assertEqual({r.status for r in ended}, {502}, ended[0])
        self.assertTrue(eventually(lambda: server.chat('m').status == 200), server.log())
        self.assertEqual(self.cloud.count, 1)

    def test_a_stop_waits_for_none(self):
        """What is fetched for nobody any more is given up; its time is not waited for, nor is that a failure."""
        for start in (lambda: self.bedrock(**self.at_aws()), lambda: self.azure(AZURE_POD_IDENTITY_AUTHORITY_HOST=self.cloud.url)):
            self.cloud.hang = 'silent'
            asked = len(self.cloud.asked)
            server = start()
            client = server.conn()
            client.send(request_bytes('POST', '/v1/chat/completions', chat_body('m'), key=server.key))
            self.assertTrue(eventually(lambda: len(self.cloud.asked) > asked))
            client.close()
            self.assertTrue(eventually(lambda: '"status":499' in server.log()), server.log())
            server.stop()
            self.assertNotIn('could not be fetched', server.log())

    def test_wrong_configurations(self):
        for provider, words in (({'kind': 'bedrock', 'region': 'r', 'credentials': 'x'}, 'knows only `auto`'),
                                ({'kind': 'bedrock', 'region': 'r', 'credentials': 'auto', 'api_key': 'k'}, 'in the place of api_key'),
                                ({'kind': 'bedrock', 'base_url': 'http://127.0.0.1:1', 'credentials': 'auto'}, 'AWS_REGION is not set'),
                                ({'kind': 'azure', 'base_url': 'http://127.0.0.1:1', 'credentials': '{"tenant_id":"t"}'}, 'client_secret')):
            with self.assertRaises(AssertionError) as refused:
                self.start(provider)
            self.assertIn(words, str(refused.exception))


if __name__ == '__main__':
    main()
