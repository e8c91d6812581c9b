#!/usr/bin/env python3
# Clouds called as the machine, container or service account that Penstock runs as: where credentials are fetched, that they
# are renewed, and what is said when they can't be had.
import json
import os
import time

from harness import Suite, in_parallel, main  # first: it finds the fakes

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
