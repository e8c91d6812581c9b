// OpenAI's client library, unmodified, against Penstock before providers of several dialects. Run by
// test_openai_upstreams_sdk.py, which starts what it needs.
import assert from "node:assert/strict";
import { test } from "node:test";
import OpenAI from "openai";

const { PENSTOCK_URL: baseURL, PENSTOCK_KEY: apiKey } = process.env;
const fakes = JSON.parse(process.env.FAKES);
const seenBy = async (name) => (await (await fetch(new URL("/_control/seen", fakes[name]))).json()).seen;
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
const messages = [{ role: "user", content: "Hello" }];
const tools = ["weather", "time"].map((name) => ({
  type: "function",
  function: { name, description: name, parameters: { type: "object", properties: { city: { type: "string" } } } },
}));
const ARGUMENTS = { city: "Zürich", unit: "°C", n: 1.5 };
const PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const rejected = (promise, kind) => Promise.resolve(promise).then(() => assert.fail("it was answered"), (e) => {
  assert.ok(e instanceof kind, `${e?.constructor?.name}: ${e?.message}`);
  return e;
});
const create = (body) => client.chat.completions.create({ messages, ...body });
const stream = (body) => client.chat.completions.stream({ messages, ...body }).finalChatCompletion();

for (const provider of ["fake", "claude", "google", "co"]) {
  const of = (options) => `${provider}/x${options ? ";" + options : ""}`;

  test(`${provider}: a chat`, async () => {
    const { data, request_id } = await create({
      model: of(), max_tokens: 50, temperature: 0.5,
      messages: [{ role: "developer", content: "Be brief" }, ...messages, { role: "assistant", content: "Yes?" }, ...messages],
    }).withResponse();
    assert.equal(data.object, "chat.completion");
    assert.equal(data.choices[0].message.content, "Wasser strömt durch das Tor");
    assert.equal(data.choices[0].finish_reason, "stop");
    assert.ok(data.usage.prompt_tokens > 0 && data.usage.completion_tokens > 0);
    assert.equal(data.usage.total_tokens, data.usage.prompt_tokens + data.usage.completion_tokens);
    assert.match(request_id, /^req_/);
  });

  test(`${provider}: a stream`, async () => {
    let text = "", finish, usage, chunks = 0, last;
    const answer = await create({ model: of(), stream: true, stream_options: { include_usage: true } });
    for await (const chunk of answer) {
      assert.equal(chunk.object, "chat.completion.chunk");
      text += chunk.choices[0]?.delta.content ?? "";
      finish = chunk.choices[0]?.finish_reason ?? finish;
      usage = chunk.usage ?? usage;
      last = chunk;
      chunks++;
    }
    assert.ok(text.includes(" strömt durch") && chunks > 4, text);
    assert.equal(finish, "stop");
    assert.ok(usage.prompt_tokens > 0 && usage.completion_tokens > 0);
    assert.equal(last.choices.length, 0);
    for await (const chunk of await create({ model: of(), stream: true })) assert.ok(chunk.choices.length, "usage was not asked for");
  });

  test(`${provider}: tools`, async () => {
    for (const ask of [create, stream]) {
      const { message, finish_reason } = (await ask({ model: of("tools"), tools, tool_choice: "auto" })).choices[0];
      assert.equal(finish_reason, "tool_calls");
      assert.equal(message.tool_calls[0].function.name, "weather");
      assert.deepEqual(JSON.parse(message.tool_calls[0].function.arguments), ARGUMENTS);
      // And on, with the result.
      const next = await create({
        model: of(), tools,
        messages: [...messages, message, ...message.tool_calls.map((call) => ({ role: "tool", tool_call_id: call.id, content: "rain ☔" }))],
      });
      assert.equal(next.choices[0].finish_reason, "stop");
    }
  });

  const parallel = provider === "fake" ? "tools=3;interleaved" : "parallel";
  test(`${provider}: several tools at once`, async () => {
    const counts = [];
    for (const ask of [create, stream]) {
      const { message } = (await ask({ model: of(parallel), tools })).choices[0];
      assert.ok(message.tool_calls.length > 1, JSON.stringify(message));
      for (const call of message.tool_calls) JSON.parse(call.function.arguments);
      assert.equal(new Set(message.tool_calls.map((call) => call.id)).size, message.tool_calls.length);
      counts.push(message.tool_calls.map((call) => [call.function.name, JSON.parse(call.function.arguments)]));
      await create({
        model: of(), tools,
        messages: [...messages, message, ...message.tool_calls.map((call) => ({ role: "tool", tool_call_id: call.id, content: "x" }))],
      });
    }
    assert.deepEqual(counts[0], counts[1]);
  });

  test(`${provider}: thoughts`, async () => {
    const model = of(provider === "fake" ? "reasoning=reasoning_content" : "thinking");
    const whole = (await create({ model, reasoning_effort: "low", max_tokens: 9000 })).choices[0].message;
    assert.ok(whole.reasoning_content.length > 5, JSON.stringify(whole));
    let told = "", text = "";
    for await (const chunk of await create({ model, reasoning_effort: "low", max_tokens: 9000, stream: true })) {
      told += chunk.choices[0]?.delta.reasoning_content ?? "";
      text += chunk.choices[0]?.delta.content ?? "";
    }
    assert.ok(told.length > 5 && text.length > 5);
    // The answer goes back as it came.
    if (provider !== "fake") await create({ model: of(), messages: [...messages, whole, ...messages] });
  });

  test(`${provider}: an answer in the form of a schema`, async () => {
    const schema = { type: "object", properties: { tide: { type: "string" } }, required: ["tide"], additionalProperties: false };
    const asked = { model: of(), messages, response_format: { type: "json_schema", json_schema: { name: "tide", strict: true, schema } } };
    for (const ask of [create, stream])
      assert.deepEqual(JSON.parse((await ask(asked)).choices[0].message.content), { tide: "high" });
  });

  test(`${provider}: a picture`, async () => {
    const content = [{ type: "text", text: "What is it?" }, { type: "image_url", image_url: { url: `data:image/png;base64,${PNG}` } }];
    assert.ok((await create({ model: of(), messages: [{ role: "user", content }] })).choices[0].message.content);
    assert.ok(JSON.stringify((await seenBy(provider)).at(-1).json).includes(PNG));
  });

  if (provider !== "claude")
    test(`${provider}: embeddings`, async () => {
      // Asked for as the library likes them, in base64, and as numbers.
      for (const more of [{}, { encoding_format: "float" }]) {
        const { data, usage } = await client.embeddings.create({ model: `${provider}/embed`, input: ["a", "bb"], dimensions: 4, ...more });
        assert.deepEqual(data.map((d) => [d.index, [...d.embedding].slice(1)]), [[0, [-1.5, 0, 3]], [1, [-1.5, 0, 3]]]);
        assert.ok(usage.prompt_tokens > 0);
      }
    });

  test(`${provider}: errors`, async () => {
    const limited = await rejected(create({ model: of("status=429;retry_after=7") }), OpenAI.RateLimitError);
    if (provider !== "co") assert.equal(limited.headers.get("retry-after"), "7");
    await rejected(create({ model: of("status=400") }), OpenAI.BadRequestError);
    await rejected(create({ model: of("status=500") }), OpenAI.InternalServerError);
    if (provider !== "fake") {
      const wrong = await rejected(create({ model: of(), messages: [{ role: "user", content: [{ type: "smell" }] }] }), OpenAI.BadRequestError);
      assert.equal(wrong.param, "messages[0].content[0].type");
    }
  });

  test(`${provider}: the library's own retries`, async () => {
    const retrying = new OpenAI({ baseURL, apiKey, maxRetries: 1 });
    const before = (await seenBy(provider)).length;
    await rejected(retrying.chat.completions.create({ model: of("status=503;retry_after=0"), messages }), OpenAI.InternalServerError);
    assert.equal((await seenBy(provider)).length - before, 2);
  });

  // Where nothing of the answer came before it, it has a status of its own.
  test(`${provider}: an error in the middle of a stream`, async () => {
    await rejected((async () => {
      for await (const chunk of await create({ model: of("error_event"), stream: true })) assert.ok(chunk);
    })(), OpenAI.APIError);
  });
}
