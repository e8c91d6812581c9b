// Files and batches through the official client library, unmodified. Run by test_batches_sdk.py, which starts what it needs.
import assert from "node:assert/strict";
import { test } from "node:test";
import OpenAI, { toFile } from "openai";

const { PENSTOCK_URL: baseURL, PENSTOCK_KEY: apiKey } = process.env;
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
const rejected = (promise, kind) => promise.then(() => assert.fail("it was answered"), (e) => {
  assert.ok(e instanceof kind, `${e?.constructor?.name}: ${e?.message}`);
  return e;
});
const line = (custom_id, model = "small", url = "/v1/chat/completions") => ({
  custom_id, method: "POST", url, body: { model, messages: [{ role: "user", content: `say ${custom_id}` }] },
});
const jsonl = (lines) => lines.map((x) => JSON.stringify(x) + "\n").join("");
const put = async (lines) => client.files.create({ file: await toFile(Buffer.from(jsonl(lines)), "requests.jsonl"), purpose: "batch" });
const make = async (lines, more = {}) => client.batches.create({
  input_file_id: (await put(lines)).id, endpoint: "/v1/chat/completions", completion_window: "24h", ...more,
});
const ended = async ({ id }) => {
  for (let end = Date.now() + 30000; Date.now() < end;) {
    const batch = await client.batches.retrieve(id);
    if (["completed", "failed", "expired", "cancelled"].includes(batch.status)) return batch;
    await new Promise((done) => setTimeout(done, 20));
  }
  assert.fail("the batch did not end");
};
const linesOf = async (file) => (await (await client.files.content(file)).text()).trim().split("\n").map((x) => JSON.parse(x));

test("a file", async () => {
  const file = await client.files.create({
    file: await toFile(Buffer.from("hello"), "a.txt"), purpose: "user_data",
    expires_after: { anchor: "created_at", seconds: 7200 },
  });
  assert.deepEqual([file.object, file.bytes, file.filename, file.purpose, file.status],
    ["file", 5, "a.txt", "user_data", "processed"]);
  assert.equal(file.expires_at, file.created_at + 7200);
  assert.deepEqual(await client.files.retrieve(file.id), file);
  assert.equal(await (await client.files.content(file.id)).text(), "hello");
  assert.deepEqual(await client.files.delete(file.id), { id: file.id, object: "file", deleted: true });
  assert.equal((await rejected(client.files.retrieve(file.id), OpenAI.NotFoundError)).status, 404);
  assert.deepEqual((await client.files.waitForProcessing((await put([line("a")])).id)).status, "processed");
});

test("files are listed page by page", async () => {
  const ids = [];
  for (let i = 0; i < 5; i++) ids.unshift((await client.files.create({ file: await toFile(Buffer.from("x"), "x"), purpose: "evals" })).id);
  const seen = [];
  for await (const file of client.files.list({ limit: 2, purpose: "evals" })) seen.push(file.id);
  assert.deepEqual(seen, ids);
});

test("a batch", async () => {
  const made = await make([line("one"), line("two"), line("bad", "fake/x;status=400")], { metadata: { run: "7" } });
  assert.equal(made.object, "batch");
  assert.equal(made.status, "validating");
  const batch = await ended(made);
  assert.equal(batch.status, "completed");
  assert.deepEqual(batch.request_counts, { total: 3, completed: 2, failed: 1 });
  assert.deepEqual(batch.metadata, { run: "7" });
  const out = await linesOf(batch.output_file_id);
  assert.deepEqual(out.map((x) => [x.custom_id, x.response.status_code, x.error]), [["one", 200, null], ["two", 200, null]]);
  assert.ok(out[0].response.body.choices[0].message.content);
  const [bad] = await linesOf(batch.error_file_id);
  assert.deepEqual([bad.custom_id, bad.response.status_code], ["bad", 400]);
});

test("a batch whose lines are wrong", async () => {
  const batch = await ended(await make([line("a"), line("a"), line("b", "small", "/v1/embeddings")]));
  assert.equal(batch.status, "failed");
  assert.deepEqual(batch.errors.data.map((e) => [e.code, e.line]), [["duplicate_custom_id", 2], ["mismatched_url", 3]]);
});

test("batches are listed page by page, and cancelled", async () => {
  const batch = await make(Array.from({ length: 200 }, (_, i) => line(`${i}`, "fake/x;delay=200")));
  const cancelling = await client.batches.cancel(batch.id);
  assert.equal(cancelling.status, "cancelling");
  assert.equal((await ended(batch)).status, "cancelled");
  const seen = [];
  for await (const b of client.batches.list({ limit: 1 })) seen.push(b.id);
  assert.ok(seen.length >= 3 && seen[0] === batch.id);
  assert.equal((await rejected(client.batches.cancel(batch.id), OpenAI.ConflictError)).status, 409);
  await rejected(client.batches.retrieve("batch_0000000000zzz"), OpenAI.NotFoundError);
});

// The server is killed three times meanwhile, by whoever started this.
test("each line once, across crashes", async () => {
  const n = Number(process.env.PENSTOCK_BATCH_LINES);
  const patient = new OpenAI({ baseURL, apiKey, maxRetries: 20 });
  const made = await make(Array.from({ length: n }, (_, i) => line(`line-${i}`, "fake/gpt-small;delay=5")), { metadata: { crashes: "3" } });
  let batch;
  do {
    await new Promise((done) => setTimeout(done, 50));
    batch = await patient.batches.retrieve(made.id);
  } while (["validating", "in_progress", "finalizing"].includes(batch.status));
  assert.equal(batch.status, "completed");
  assert.deepEqual(batch.request_counts, { total: n, completed: n, failed: 0 });
  assert.deepEqual((await linesOf(batch.output_file_id)).map((x) => x.custom_id), Array.from({ length: n }, (_, i) => `line-${i}`));
});
