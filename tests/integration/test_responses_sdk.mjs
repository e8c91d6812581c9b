// The official client library's Responses API, unmodified, against providers of several dialects. Run by
// test_responses.py, which starts what it needs.
import assert from "node:assert/strict";
import { test } from "node:test";
import OpenAI from "openai";

const { PENSTOCK_URL: baseURL, PENSTOCK_KEY: apiKey, TARGETS } = process.env;
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
const targets = TARGETS.split(",");
const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"], additionalProperties: false };
const WEATHER = { type: "function", name: "weather", description: "The weather", parameters, strict: false };
const PNG = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const rejected = (promise, kind) => promise.then(() => assert.fail("it was answered"), (e) => {
  assert.ok(e instanceof kind, `${e?.constructor?.name}: ${e?.message}`);
  return e;
});
const said = (response) => response.output.flatMap((item) => item.content ?? []).map((part) => part.text ?? "").join("");
const gathered = async (params) => {
  const stream = client.responses.stream(params);
  const kinds = [];
  stream.on("event", (event) => kinds.push(event.type));
  const response = await stream.finalResponse();
  return { kinds, response };
};

for (const target of targets) {
  const tools = target === "own" ? "tools=1" : "tools";

  test(`${target}: an answer`, async () => {
    const response = await client.responses.create({ model: `${target}/x`, input: "Hello", instructions: "Be brief", max_output_tokens: 500 });
    assert.equal(response.status, "completed");
    assert.ok(response.output_text.length > 3);
    assert.ok(response.usage.input_tokens > 0 && response.usage.output_tokens > 0);
    assert.equal(response.instructions, "Be brief");
  });

  test(`${target}: a stream`, async () => {
    const { kinds, response } = await gathered({ model: `${target}/x`, input: "Hello" });
    assert.deepEqual(kinds.slice(0, 4), ["response.created", "response.in_progress", "response.output_item.added", "response.content_part.added"]);
    assert.equal(kinds.at(-1), "response.completed");
    assert.ok(said(response).length > 3);
    let text = "", last = -1;
    for await (const event of await client.responses.create({ model: `${target}/x`, input: "Hello", stream: true })) {
      assert.equal(event.sequence_number, ++last);
      if (event.type === "response.output_text.delta") text += event.delta;
    }
    assert.equal(text, said(response));
  });

  test(`${target}: a loop of tools`, async () => {
    const first = await client.responses.create({ model: `${target}/x;${tools}`, input: "The weather?", tools: [WEATHER] });
    const call = first.output.find((item) => item.type === "function_call");
    assert.equal(call.name, "weather");
    assert.equal(JSON.parse(call.arguments).city, "Zürich");
    const output = { type: "function_call_output", call_id: call.call_id, output: "rain ☔" };
    const second = await client.responses.create({ model: `${target}/x`, previous_response_id: first.id, input: [output], tools: [WEATHER] });
    assert.ok(second.output_text);
    // And without what is kept: the client sends the items back itself.
    const third = await client.responses.create({
      model: `${target}/x`, store: false, tools: [WEATHER], input: [{ role: "user", content: "The weather?" }, ...first.output, output],
    });
    assert.ok(third.output_text);
  });

  test(`${target}: streamed calls`, async () => {
    const { kinds, response } = await gathered({ model: `${target}/x;${tools}`, input: "The weather?", tools: [WEATHER] });
    const call = response.output.find((item) => item.type === "function_call");
    assert.equal(JSON.parse(call.arguments).city, "Zürich");
    assert.ok(kinds.includes("response.function_call_arguments.delta") && kinds.includes("response.function_call_arguments.done"));
  });

  test(`${target}: several calls at once`, async () => {
    const asked = { model: `${target}/x;parallel`, input: "The weather?", tools: [WEATHER] };
    for (const response of [await client.responses.create(asked), (await gathered(asked)).response]) {
      const calls = response.output.filter((item) => item.type === "function_call");
      assert.deepEqual(calls.map((c) => [c.name, JSON.parse(c.arguments).city]), Array(2).fill(["weather", "Zürich"]));
      assert.equal(new Set(calls.map((c) => c.call_id)).size, 2);
      const input = calls.map((c) => ({ type: "function_call_output", call_id: c.call_id, output: "rain" }));
      assert.ok((await client.responses.create({ model: `${target}/x`, previous_response_id: response.id, input, tools: [WEATHER] })).output_text);
    }
  });

  test(`${target}: a conversation, read again and deleted`, async () => {
    const first = await client.responses.create({ model: `${target}/x`, input: "My name is Ada" });
    const second = await client.responses.create({ model: `${target}/x`, input: "Who am I?", previous_response_id: first.id });
    const kept = await client.responses.retrieve(second.id);
    assert.equal(said(kept), second.output_text);
    const items = [];
    for await (const item of client.responses.inputItems.list(second.id, { order: "asc", limit: 2 })) items.push(item);
    assert.deepEqual(items.map((i) => i.role), ["user", "assistant", "user"]);
    await client.responses.delete(first.id);
    await rejected(client.responses.retrieve(first.id), OpenAI.NotFoundError);
    const gone = await rejected(client.responses.create({ model: `${target}/x`, input: "?", previous_response_id: first.id }), OpenAI.BadRequestError);
    assert.equal(gone.code, "previous_response_not_found");
  });

  test(`${target}: images and files`, async () => {
    const response = await client.responses.create({
      model: `${target}/x`, input: [{ role: "user", content: [{ type: "input_text", text: "What is it?" }, { type: "input_image", image_url: PNG, detail: "low" }] }],
    });
    assert.ok(response.output_text);
  });

  test(`${target}: errors`, async () => {
    const limited = await rejected(client.responses.create({ model: `${target}/x;status=429`, input: "Hello" }), OpenAI.RateLimitError);
    assert.equal(limited.status, 429);
    await rejected(client.responses.create({ model: `${target}/x;status=500`, input: "Hello", stream: true }), OpenAI.InternalServerError);
    let tries = 0;
    const counting = (...request) => (tries++, fetch(...request));
    const patient = new OpenAI({ baseURL, apiKey, maxRetries: 1, fetch: counting });
    await rejected(patient.responses.create({ model: `${target}/x;status=503;retry_after=0`, input: "Hello" }), OpenAI.InternalServerError);
    assert.equal(tries, 2);
  });

  if (target === "chat") continue; // its stand-in knows no schema, and does not think

  test(`${target}: structured output`, async () => {
    const schema = { type: "object", properties: { city: { type: "string" } }, required: ["city"], additionalProperties: false };
    const response = await client.responses.parse({
      model: `${target}/x`, input: "Where?", text: { format: { type: "json_schema", name: "place", schema, strict: true } },
    });
    assert.equal(typeof JSON.parse(response.output_text), "object");
  });

  test(`${target}: thoughts go back sealed`, async () => {
    const thinking = target === "own" ? "reasoning" : "thinking";
    const asked = { reasoning: { effort: "medium" }, include: ["reasoning.encrypted_content"], max_output_tokens: 20000 };
    for (const streamed of [false, true]) {
      const params = { model: `${target}/x;${thinking}`, input: "Think", ...asked };
      const first = streamed ? (await gathered(params)).response : await client.responses.create(params);
      const thought = first.output.find((item) => item.type === "reasoning");
      assert.ok(thought.summary[0].text.length > 3);
      assert.ok(first.output.some((item) => item.encrypted_content) || target === "gemini");
      const second = await client.responses.create({
        model: `${target}/x`, store: false, ...asked, input: [{ role: "user", content: "Think" }, ...first.output, { role: "user", content: "And?" }],
      });
      assert.ok(second.output_text);
    }
  });
}

test("a conversation goes from provider to provider", async () => {
  let previous_response_id;
  for (const target of [...targets, ...targets.toReversed()]) {
    const response = await client.responses.create({ model: `${target}/x`, input: `Hello ${target}`, previous_response_id });
    assert.ok(response.output_text);
    previous_response_id = response.id;
  }
  const items = [];
  for await (const item of client.responses.inputItems.list(previous_response_id)) items.push(item);
  assert.equal(items.length, 4 * targets.length - 1);
});

test("errors have the library's own classes", async () => {
  const wrong = new OpenAI({ baseURL, apiKey: "ps-wrong", maxRetries: 0 });
  await rejected(wrong.responses.create({ model: "own/x", input: "Hello" }), OpenAI.AuthenticationError);
  await rejected(client.responses.create({ model: "nothing", input: "Hello" }), OpenAI.NotFoundError);
  await rejected(client.responses.create({ model: "own/x", input: "Hello", background: true }), OpenAI.BadRequestError);
  await rejected(client.responses.retrieve("resp_nothing"), OpenAI.NotFoundError);
  const made = await client.responses.create({ model: "own/x", input: "Hello" });
  await rejected(client.responses.cancel(made.id), OpenAI.BadRequestError);
});

test("counted tokens", async () => {
  const short = await client.responses.inputTokens.count({ model: "own/gpt-4o", input: "Hello" });
  assert.equal(short.object, "response.input_tokens");
  const first = await client.responses.create({ model: "own/gpt-4o", input: "Hello, there are more words here" });
  const long = await client.responses.inputTokens.count({ model: "own/gpt-4o", input: "Hello", previous_response_id: first.id });
  assert.ok(short.input_tokens > 0 && long.input_tokens > short.input_tokens + 6);
});

test("an error in the middle of a stream", async () => {
  for (const model of ["own/x;words=12;fault=reset", "chat/x;events=9;fault=reset;when=body"]) {
    const stream = await client.responses.create({ model, input: "Hello", stream: true });
    let n = 0;
    const error = await rejected((async () => { for await (const _ of stream) n++; })(), OpenAI.APIError);
    assert.ok(n >= 1);
    assert.match(error.code, /^upstream_/);
  }
});
