// Reads /api/openapi.json and makes of it a page to read the operations and to try them.
'use strict';

const byId = (id) => document.getElementById(id);
let spec;

// An element with attributes and children; text is never read as markup.
function el(name, attributes, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (key === 'on') for (const [event, listener] of Object.entries(value)) node.addEventListener(event, listener);
    else if (value === true) node.setAttribute(key, '');
    else if (value !== false && value !== undefined && value !== null) node.setAttribute(key, value);
  }
  for (const child of children.flat()) if (child !== null && child !== undefined) node.append(child);
  return node;
}

function resolve(thing) {
  if (!thing || !thing.$ref) return thing;
  return thing.$ref.slice(2).split('/').reduce((at, part) => at[part], spec);
}
const refName = (thing) => (thing && thing.$ref ? thing.$ref.split('/').pop() : null);

// --- schemas ---

function typeOf(schema) {
  schema = resolve(schema);
  if (!schema) return '';
  if (schema.enum) return schema.enum.join(' | ');
  const type = Array.isArray(schema.type) ? schema.type.join(' | ') : schema.type || 'any';
  if (schema.type === 'array' || (Array.isArray(schema.type) && schema.type.includes('array')))
    return type.replace('array', `array of ${refName(schema.items) || typeOf(schema.items)}`);
  return schema.format ? `${type} (${schema.format})` : type;
}

function schemaTable(schema) {
  const name = refName(schema);
  schema = resolve(schema);
  if (!schema || !schema.properties) return el('p', { class: 'what' }, name || typeOf(schema));
  const required = new Set(schema.required || []);
  const rows = Object.entries(schema.properties).map(([key, value]) => el('tr', {},
    el('td', {}, el('code', {}, key), required.has(key) ? el('span', { class: 'required', title: 'required' }, ' *') : null),
    el('td', {}, el('code', {}, refName(value) || typeOf(value))),
    el('td', {}, resolve(value).description || '')));
  return el('table', {}, el('thead', {}, el('tr', {}, ...['Field', 'Type', 'What it is'].map((h) => el('th', { scope: 'col' }, h)))),
    el('tbody', {}, rows));
}

function exampleOf(schema) {
  schema = resolve(schema);
  const out = {};
  for (const [key, value] of Object.entries((schema && schema.properties) || {})) {
    const wanted = (schema.required || []).includes(key);
    const field = resolve(value);
    if (field.examples && (wanted || Object.keys(out).length < 3)) out[key] = field.examples[0];
    else if (wanted) out[key] = field.enum ? field.enum[0] : field.type === 'integer' || field.type === 'number' ? 1 : '';
  }
  return JSON.stringify(out, null, 2);
}

// --- trying ---

function urlOf(path, inputs) {
  const query = new URLSearchParams();
  for (const { parameter, input } of inputs) {
    const value = input.value.trim();
    if (parameter.in === 'path') path = path.replace(`{${parameter.name}}`, encodeURIComponent(value));
    else if (parameter.in === 'query' && value) query.set(parameter.name, value);
  }
  const text = query.toString();
  return text ? `${path}?${text}` : path;
}

function headersOf(inputs, body) {
  const headers = {};
  if (byId('key').value.trim()) headers.Authorization = `Bearer ${byId('key').value.trim()}`;
  if (byId('tenant').value.trim()) headers['X-Penstock-Tenant'] = byId('tenant').value.trim();
  for (const { parameter, input } of inputs)
    if (parameter.in === 'header' && input.value.trim()) headers[parameter.name] = input.value.trim();
  if (body) headers['Content-Type'] = 'application/json';
  return headers;
}

async function send(operation, inputs, body, output) {
  output.hidden = false;
  output.replaceChildren(el('p', {}, 'Asking…'));
  const url = urlOf(operation.path, inputs);
  const text = body ? body.value : '';
  try {
    const started = performance.now();
    const reply = await fetch(url, { method: operation.verb.toUpperCase(), headers: headersOf(inputs, text), body: text || undefined });
    const answer = await reply.text();
    let shown = answer;
    try { shown = JSON.stringify(JSON.parse(answer), null, 2); } catch { /* not JSON: shown as it is */ }
    const etag = reply.headers.get('etag');
    output.replaceChildren(
      el('p', { class: reply.ok ? 'good' : 'bad' }, `${reply.status} ${reply.statusText} in ${Math.round(performance.now() - started)} ms`,
        etag ? ` · ETag ${etag}` : ''),
      el('p', {}, el('code', {}, `${operation.verb.toUpperCase()} ${url}`)),
      shown ? el('pre', { tabindex: '0' }, shown) : '');
  } catch (error) {
    output.replaceChildren(el('p', { class: 'bad' }, String(error)));
  }
}

function tryForm(operation, parameters) {
  const inputs = parameters.filter((p) => p.name !== 'X-Penstock-Tenant').map((parameter) => ({
    parameter, input: el('input', { type: 'text', 'aria-label': parameter.name, required: parameter.required, autocomplete: 'off' }),
  }));
  const content = operation.requestBody && operation.requestBody.content['application/json'];
  const body = content ? el('textarea', { 'aria-label': 'Body, JSON', spellcheck: 'false' }) : null;
  if (body) body.value = exampleOf(content.schema);
  const output = el('div', { role: 'status', hidden: true });
  const rows = inputs.map(({ parameter, input }) => el('tr', {},
    el('td', {}, el('code', {}, parameter.name), parameter.required ? el('span', { class: 'required' }, ' *') : null),
    el('td', {}, parameter.in), el('td', {}, input), el('td', {}, parameter.description || '')));
  return el('form', { on: { submit: (event) => { event.preventDefault(); send(operation, inputs, body, output); } } },
    rows.length ? el('table', {}, el('thead', {}, el('tr', {}, ...['Parameter', 'In', 'Value', 'What it is'].map((h) => el('th', { scope: 'col' }, h)))),
      el('tbody', {}, rows)) : null,
    body ? [el('h3', {}, 'Body'), body, el('details', {}, el('summary', {}, 'Fields of the body'), schemaTable(content.schema))] : null,
    el('div', { class: 'row' }, el('button', { type: 'submit' }, 'Try it')), output);
}

// --- the page ---

function fillOperation(box, operation) {
  const parameters = (operation.parameters || []).map(resolve);
  const answers = Object.entries(operation.responses).map(([status, response]) => {
    response = resolve(response);
    const content = Object.values(response.content || {})[0];
    return el('tr', {}, el('td', {}, el('code', {}, status)), el('td', {}, response.description),
      el('td', {}, content ? refName(content.schema) || typeOf(content.schema) : ''));
  });
  const good = Object.keys(operation.responses).find((s) => s[0] === '2');
  const success = resolve(operation.responses[good]);
  const content = success && Object.values(success.content || {})[0];
  box.append(el('div', { class: 'inside' }, el('p', {}, (operation.description || '').split('`').map((part, i) => (i % 2 ? el('code', {}, part) : part))), tryForm(operation, parameters),
    el('h3', {}, 'Answers'),
    el('table', {}, el('thead', {}, el('tr', {}, ...['Status', 'Means', 'Body'].map((h) => el('th', { scope: 'col' }, h)))), el('tbody', {}, answers)),
    content && resolve(content.schema).properties ? el('details', {}, el('summary', {}, 'Fields of the answer'), schemaTable(content.schema)) : null));
}

function operationBox(operation) {
  const box = el('details', { class: 'op', id: operation.operationId },
    el('summary', {}, el('span', { class: `verb ${operation.verb}` }, operation.verb.toUpperCase()),
      el('span', { class: 'path' }, operation.path), el('span', { class: 'what' }, operation.summary)));
  let filled = false;
  box.addEventListener('toggle', () => {
    if (box.open && !filled) {
      filled = true;
      fillOperation(box, operation);
    }
  });
  box.dataset.text = `${operation.verb} ${operation.path} ${operation.summary} ${operation.tags}`.toLowerCase();
  return box;
}

function show() {
  const groups = new Map(spec.tags.map((tag) => [tag.name, []]));
  for (const [path, verbs] of Object.entries(spec.paths))
    for (const [verb, operation] of Object.entries(verbs)) groups.get(operation.tags[0]).push({ ...operation, path, verb });
  const main = byId('main');
  main.replaceChildren();
  for (const [name, operations] of groups) {
    const id = `group-${name.toLowerCase().replace(/[^a-z]+/g, '-')}`;
    byId('nav').append(el('a', { href: `#${id}` }, name));
    main.append(el('section', { 'aria-labelledby': id }, el('h2', { id }, name), operations.map(operationBox)));
  }
  const wanted = location.hash && byId(decodeURIComponent(location.hash.slice(1)));
  if (wanted && wanted.tagName === 'DETAILS') {
    wanted.open = true;
    wanted.scrollIntoView();
  }
}

function find() {
  const words = byId('find').value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const box of document.querySelectorAll('details.op')) box.hidden = !words.every((word) => box.dataset.text.includes(word));
  for (const section of document.querySelectorAll('main section'))
    section.hidden = !section.querySelector('details.op:not([hidden])');
}

byId('find').addEventListener('input', find);
byId('access').addEventListener('submit', (event) => event.preventDefault());
fetch('/api/openapi.json').then((reply) => reply.json()).then((json) => {
  spec = json;
  show();
}).catch((error) => { byId('status').textContent = `The description could not be read: ${error}`; });
