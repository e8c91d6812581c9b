// The JSON Schema of the configuration: it is valid, takes what is right, refuses what is wrong, and serves editors.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import Ajv2020 from 'ajv/dist/2020.js';
import { parseDocument } from 'yaml';
import { LanguageServer } from './language_server.mjs';

const ROOT = new URL('../../', import.meta.url);
const WRONG = new URL('tests/unit/conf/wrong/', ROOT);
const SCHEMA = process.env.PENSTOCK_SCHEMA ?? fileURLToPath(new URL('docs/penstock.schema.json', ROOT));
const schema = JSON.parse(readFileSync(SCHEMA, 'utf8'));
const EXTENSIONS = ['markdownDescription', 'enumDescriptions', 'deprecationMessage', 'x-since', 'x-reload', 'x-secret',
  'x-named', 'x-type', 'x-minimum', 'x-maximum'];

// Wrong files that a schema can't refuse, each with what does. A new one stands here or is refused by the schema.
const BEYOND = {
  'what is not valid YAML': `yaml-anchor-unknown yaml-bad-flow yaml-control yaml-duplicate-key
    yaml-flow-reference yaml-laughs yaml-merge-scalar yaml-second-document yaml-tab-indent yaml-unclosed-quote`,
  'YAML that other readers take': 'bool-capital yaml-not-utf8 yaml-tag',
  'the form of a name, address or amount': `listener-no-port listener-port-range model-space price-decimals
    provider-bad-name provider-header-name provider-header-ours provider-key-newline provider-key-space
    provider-proxy-https provider-url-no-host provider-url-query provider-url-scheme provider-url-user
    catalog-url-not-http prompt-control model-base-bare model-capability-unknown
    key-as-name level-bad-name tenant-bad-name tenant-pattern vault-url webhook-events webhook-name webhook-url`,
  'the range of a value with a unit': 'size-too-large vault-timeout',
  'what a reference stands for': `ref-env-empty ref-env-missing ref-file-missing ref-in-number ref-nested ref-secret-here
    ref-secret-no-name ref-unclosed ref-unknown vault-no-address vault-no-key`,
  'what a condition says': 'condition-values',
  'several values together': `cloud-credentials breaker-order chain-empty fallback-self fallback-none
    shadow-without-model tasks-unknown-model alias-circle alias-like-model alias-nowhere alias-self listener-twice model-twice
    model-unknown-provider model-unknown-provider-far model-weights-zero provider-demo-url provider-no-key
    provider-twice tls-cert-without-key tls-client-auth-without-ca tls-key-without-cert tls-sni-twice
    tls-sni-without-cert listener-overlap listener-overlap-v6 tenant-alias-circle tenant-alias-like-model
    tenant-alias-nowhere tenant-circle tenant-limit-above-general tenant-limit-above-parent tenant-model-twice
    tenant-model-unknown-provider tenant-own-parent tenant-parent-unknown tenant-timeouts tenant-too-deep tenant-twice
    level-key-team level-limit-above level-names level-project-unknown level-team-unknown level-private-when level-timeouts level-twice
    timeouts-above-total model-output-above-window price-long-prompt-empty price-long-prompt-without-above
    chain-and-targets chain-answers chain-circle chain-fallback chain-in-place chain-later-step chain-names chain-unknown-model
    chain-when model-no-targets tenant-price-long-prompt vault-approle-incomplete vault-kubernetes-no-role vault-token-missing webhook-twice`,
};
const beyond = new Set(Object.values(BEYOND).flatMap((names) => names.split(/\s+/)));

const ajv = new Ajv2020({ allErrors: true, strict: true, allowUnionTypes: true });
ajv.addVocabulary(EXTENSIONS);
ajv.addSchema(schema, 'penstock');
const validate = ajv.getSchema('penstock');

// The value of a YAML text as other readers see it; throws when it is not YAML for them.
function read(text) {
  const document = parseDocument(text, { version: '1.2', merge: true, prettyErrors: true });
  if (document.errors.length) throw document.errors[0];
  return document.toJS({ maxAliasCount: 100 });
}

function refusal(text) {
  let value;
  try {
    value = read(text);
  } catch {
    return 'yaml';
  }
  return validate(value) ? null : 'schema';
}

function checkAccepted(name, text) {
  assert.ok(validate(read(text)), `${name}: ${ajv.errorsText(validate.errors, { separator: '\n' })}`);
}

const namesIn = (folder, end = '.yaml') => (existsSync(folder) ? readdirSync(folder) : []).filter((n) => n.endsWith(end)).sort();

// Each subschema, with its JSON pointer.
function* subschemas(node, pointer = '') {
  if (node === null || typeof node !== 'object') return;
  if (!Array.isArray(node)) yield [pointer, node];
  for (const [key, value] of Object.entries(node)) {
    if (['default', 'examples', 'enum'].includes(key)) continue;
    yield* subschemas(value, `${pointer}/${encodeURIComponent(key.replaceAll('~', '~0').replaceAll('/', '~1'))}`);
  }
}

describe('the schema itself', () => {
  test('is a valid schema of its dialect', () => {
    assert.equal(schema.$schema, 'https://json-schema.org/draft/2020-12/schema');
    assert.ok(ajv.validateSchema(schema), ajv.errorsText(ajv.errors));
    assert.equal(typeof validate, 'function');
  });

  test('accepts the defaults and examples that it gives', () => {
    let checked = 0;
    for (const [pointer, node] of subschemas(schema)) {
      const values = [...('default' in node ? [node.default] : []), ...(node.examples ?? [])];
      if (!values.length || /\/(properties|\$defs)$/.test(pointer)) continue;
      const check = ajv.getSchema(`penstock#${pointer}`);
      for (const value of values) assert.ok(check(value), `${pointer}: ${JSON.stringify(value)}: ${ajv.errorsText(check.errors)}`);
      checked += values.length;
    }
    assert.ok(checked > 40, `${checked} values`);
  });

  test('describes every option', () => {
    let options = 0;
    for (const [pointer, node] of subschemas(schema)) {
      if (!/\/properties\/[^/]+$/.test(pointer)) continue;
      assert.ok(node.title && node.description && node.markdownDescription && node['x-since'], pointer);
      assert.match(node['x-reload'] ?? 'live', /^(live|drain|restart)$/, pointer);
      options++;
    }
    assert.ok(options > 90, `${options} options`);
  });

  test('knows secrets', () => {
    const provider = schema.$defs.providers.properties;
    assert.equal(provider.api_key['x-secret'], true);
    assert.equal(provider.headers['x-secret'], true);
    assert.equal(provider.base_url['x-secret'], undefined);
  });

  test('requires nothing in a profile', () => {
    for (const [pointer, node] of subschemas(schema.$defs)) {
      if (pointer.startsWith('/profile')) assert.equal(node.required instanceof Array, false, pointer);
    }
    const { properties } = schema.$defs.profile;
    for (const name of ['version', 'include', 'profiles']) assert.ok(!(name in properties) && name in schema.properties, name);
  });
});

describe('what is right', () => {
  const good = new URL('tests/unit/conf/good/', ROOT);
  const templates = new URL('src/conf/templates/', ROOT);
  for (const folder of [good, templates]) {
    for (const name of namesIn(folder)) test(name, () => checkAccepted(name, readFileSync(new URL(name, folder), 'utf8')));
  }
  test('there are samples', () => assert.ok(namesIn(good).length >= 5));

  // Other programs' files in our guides.
  const others = /^(scrape_configs:| +authorization:|services:|apiVersion:|groups:)/;
  const guides = new URL('docs/guides/', ROOT);
  const pages = [new URL('README.md', ROOT), ...namesIn(guides, '.md').map((name) => new URL(name, guides))];
  for (const page of pages) {
    const blocks = [...readFileSync(page, 'utf8').matchAll(/^```ya?ml\n(.*?)^```/gms)].map((m) => m[1]);
    for (const [i, block] of blocks.entries()) {
      if (others.test(block)) continue;
      const name = `${page.pathname.split('/').at(-1)}, block ${i + 1}`;
      test(name, () => checkAccepted(name, block));
    }
  }
});

describe('what is wrong', () => {
  for (const file of namesIn(WRONG)) {
    const name = file.replace('.yaml', '');
    test(name, () => {
      const by = refusal(readFileSync(new URL(file, WRONG), 'utf8'));
      if (beyond.has(name)) assert.notEqual(by, 'schema', 'the schema refuses it: take it off the list');
      else assert.equal(by, 'schema', 'the schema does not refuse it: it should, or the list says what does');
    });
  }
  test('the list names files that are there', () => {
    for (const name of beyond) assert.ok(existsSync(new URL(`${name}.yaml`, WRONG)), name);
  });

  const cases = {
    'a number past its range': 'limits: {max_headers: 7}',
    'a size as a number past its range': 'limits: {max_header_bytes: 2000000}',
    'a list for text': 'log: {file: [a]}',
    'a name that is none of those possible': 'log: {level: loud}',
    'an empty required text': 'providers: [{name: ""}]',
    'a text that is too long': `providers: [{name: ${'a'.repeat(65)}}]`,
    'too many entries': `providers: [{name: a, headers: {${[...Array(65).keys()].map((i) => `h${i}: x`).join(', ')}}}]`,
    'null for a required option': 'providers: [{name: null}]',
    'an item that is null': 'providers: [null]',
    'an unknown key in a profile': 'profiles: {a: {lgo: {}}}',
    'a profile that includes': 'profiles: {a: {include: [x.yaml]}}',
    'profiles in a profile': 'profiles: {a: {profiles: {}}}',
    'a value past its range in a profile': 'profiles: {a: {models: [{name: m, targets: [{weight: -1}]}]}}',
    'an escaped reference for a number': 'server: {workers: "$${env:N}"}',
    'a duration without its unit': 'timeouts: {idle: "5"}',
  };
  for (const [name, text] of Object.entries(cases)) test(name, () => assert.equal(refusal(text), 'schema'));
});

describe('an editor with a YAML language server', { timeout: 60000 }, () => {
  let server;
  let documents = 0;
  before(async () => (server = await LanguageServer.start()));
  after(() => server.stop());

  // "|" in the text is the cursor.
  async function open(marked) {
    const text = `# yaml-language-server: $schema=${pathToFileURL(SCHEMA)}\n${marked}`;
    const at = text.indexOf('|');
    const before = text.slice(0, Math.max(at, 0)).split('\n');
    const uri = `file:///test-${++documents}/penstock.yaml`;
    const problems = await server.open(uri, text.replace('|', ''));
    return { uri, problems, position: { line: before.length - 1, character: before.at(-1).length } };
  }
  async function completions(marked) {
    const { uri, position } = await open(marked);
    return server.complete(uri, position);
  }
  const labels = (items) => items.map((item) => item.label);
  function checkHas(items, ...names) {
    for (const name of names) assert.ok(labels(items).includes(name), `${name} among ${labels(items)}`);
  }

  test('completes the sections', async () => {
    const items = await completions('|');
    checkHas(items, 'listeners', 'providers', 'limits', 'profiles');
    const providers = items.find((item) => item.label === 'providers');
    assert.match(JSON.stringify(providers.documentation), /Services that answer model calls/);
  });

  test('completes the keys of a list’s item', async () => {
    const items = await completions('providers:\n  - name: openai\n    |');
    checkHas(items, 'api_key', 'kind', 'base_url');
    assert.ok(!labels(items).includes('name'), 'what is there is not offered again');
    assert.ok(!labels(items).includes('listeners'));
  });

  test('completes names of a kind', async () => {
    checkHas(await completions('providers:\n  - name: a\n    kind: |'), 'openai', 'anthropic', 'ollama', 'demo');
    checkHas(await completions('log:\n  level: |'), 'debug', 'info', 'warn');
  });

  test('completes booleans and defaults', async () => {
    checkHas(await completions('auth:\n  required: |'), 'true', 'false');
    checkHas(await completions('limits:\n  max_body: |'), '32 MiB');
  });

  test('completes within a profile', async () => {
    checkHas(await completions('profiles:\n  staging:\n    log:\n      |'), 'level', 'format');
  });

  test('shows help where the cursor is', async () => {
    const { uri, position } = await open('limits:\n  max_b|ody: 1 MiB\n');
    const help = await server.hover(uri, position);
    assert.match(help, /largest request body/);
    assert.match(help, /Default: `32 MiB`/);
    assert.match(help, /1 KiB to 1 GiB/);
    assert.match(help, /applies at once/);
  });

  test('has nothing against a good file', async () => {
    for (const name of namesIn(new URL('tests/unit/conf/good/', ROOT))) {
      const { problems } = await open(readFileSync(new URL(`tests/unit/conf/good/${name}`, ROOT), 'utf8'));
      assert.deepEqual(problems, [], name);
    }
  });

  test('tells of an unknown key, where it stands', async () => {
    const { problems } = await open('log:\n  levl: info\n');
    assert.equal(problems.length, 1);
    assert.match(problems[0].message, /levl/);
    assert.deepEqual(problems[0].range.start, { line: 2, character: 2 });
  });

  test('tells of a wrong value', async () => {
    const { problems } = await open('log:\n  level: inof\n');
    assert.equal(problems.length, 1);
    assert.match(problems[0].message, /trace|Value is not accepted/);
    assert.equal(problems[0].range.start.line, 2);
  });
});
