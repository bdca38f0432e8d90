/** Against a gateway that can be killed and started again, by tests/polyglot. */

import assert from "node:assert/strict";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import {
  BatchgateClient,
  BatchgateError,
  BatchStatus,
  JsonlCheck,
  WatchEvent,
} from "../src/index.js";

const ENDPOINT = "/v1/chat/completions";
const address = process.env.BATCHGATE_TEST_ADDRESS;
const control = process.env.BATCHGATE_TEST_CONTROL;
assert.ok(address && control, "a gateway is needed: tests/polyglot starts one");
const client = new BatchgateClient({ address });

// An open connection would keep the process.
after(() => client.close());

/** Has the gateway killed and started again. */
async function restart(): Promise<void> {
  const answer = await fetch(`${control}/restart`, { method: "POST" });
  assert.equal(answer.status, 204);
}

async function submitted(count: number, metadata: Record<string, string> = {}): Promise<string> {
  const rows = Array.from({ length: count }, (_, n) => ({
    customId: `row-${n}`,
    body: { messages: [] },
  }));
  const given = { endpoint: ENDPOINT, model: "gpt-4o-mini", metadata };
  const { batch } = await client.submitBatch(rows, given);
  return batch?.id as string;
}

function failing(reason: string): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof BatchgateError, String(error));
    assert.equal(error.reason, reason);
    return true;
  };
}

async function rejection(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => assert.fail("it did not fail"),
    (error: unknown) => error,
  );
}

async function all<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const found: Item[] = [];
  for await (const item of items) found.push(item);
  return found;
}

test("a file is uploaded from any source, with what is known of it", async () => {
  const content = Buffer.alloc(1_000_000, "0123456789");
  const path = join(await mkdtemp(join(tmpdir(), "batchgate-")), "notes.txt");
  await writeFile(path, content);
  async function* pieces() {
    for (let at = 0; at < content.length; at += 70_001) yield content.subarray(at, at + 70_001);
  }
  for (const source of [path, new URL(`file://${path}`), content, pieces(), [content]]) {
    const told: [number, number | undefined][] = [];
    const { file, report } = await client.uploadFile(source, {
      purpose: "user_data",
      filename: "named.txt",
      chunkBytes: 300_000,
      progress: (sent, total) => told.push([sent, total]),
    });
    const known = typeof source === "string" || source instanceof URL || source === content;
    const total = known ? 1_000_000 : undefined;
    assert.deepEqual(
      told,
      [300_000, 600_000, 900_000, 1_000_000].map((sent) => [sent, total]),
    );
    assert.equal(file?.filename, "named.txt");
    assert.equal(report?.receivedBytes, 1_000_000n);
  }
  const { file } = await client.uploadFile(path, { purpose: "user_data" });
  assert.equal(file?.filename, "notes.txt");
  const { file: empty } = await client.uploadFile(new Uint8Array(), { purpose: "user_data" });
  assert.equal(empty?.sizeBytes, 0n);
  await assert.rejects(client.uploadFile(`${path}.missing`), { code: "ENOENT" });
  await assert.rejects(client.uploadFile(tmpdir()), /is a directory/);
});

test("an upload that the gateway ends early says why", async () => {
  const faulty = Buffer.from('{"custom_id": "a"}\n'.repeat(500_000));
  const error = await rejection(client.uploadFile(faulty));
  assert.ok(error instanceof BatchgateError);
  assert.equal(error.code, "INVALID_ARGUMENT");
  assert.equal(error.violations.length, 100);
  assert.match(error.message, /^INVALID_ARGUMENT INVALID_JSONL: /);
  assert.notEqual(error.requestId, "");
});

test("what reading fails with is told, and nothing is created", async () => {
  const before = (await all(client.listFiles())).length;
  async function* broken() {
    yield Buffer.alloc(600_000);
    throw new Error("the disk is broken");
  }
  for (let time = 0; time < 20; time += 1) {
    const upload = client.uploadFile(broken(), { purpose: "user_data" });
    await assert.rejects(upload, /the disk is broken/);
  }
  async function* rows() {
    yield { customId: "a", body: { messages: [] } };
    throw new Error("the table is broken");
  }
  const submission = client.submitBatch(rows(), { endpoint: ENDPOINT, model: "m" });
  await assert.rejects(submission, /the table is broken/);
  assert.equal((await all(client.listFiles({ pageSize: 2 }))).length, before);
});

test("an upload that is aborted, or too late, creates nothing", async () => {
  const before = (await all(client.listFiles())).length;
  async function* endless() {
    yield Buffer.alloc(600_000);
    await new Promise(() => undefined);
  }
  for (let time = 0; time < 20; time += 1) {
    const controller = new AbortController();
    const { signal } = controller;
    const options = { purpose: "user_data", signal, progress: () => controller.abort() };
    const gone = await rejection(client.uploadFile(endless(), options));
    assert.equal((gone as BatchgateError).code, "CANCELLED");
  }
  const late = { purpose: "user_data", timeoutMs: 100 };
  const error = await rejection(client.uploadFile(endless(), late));
  assert.equal((error as BatchgateError).code, "DEADLINE_EXCEEDED");
  const never = { purpose: "user_data", signal: AbortSignal.abort() };
  const gone = await rejection(client.uploadFile(endless(), never));
  assert.equal((gone as BatchgateError).code, "CANCELLED");
  assert.equal((await all(client.listFiles())).length, before);
});

test("a download goes on after a restart", async () => {
  const content = Buffer.alloc(32 << 20);
  for (let n = 0; n < content.length / 8; n += 1) content.writeBigUInt64BE(BigInt(n), n * 8);
  const options = { filename: "numbers.jsonl", jsonlCheck: JsonlCheck.OFF };
  const { file } = await client.uploadFile(content, options);
  const pieces: Uint8Array[] = [];
  for await (const piece of client.downloadFile(file?.id as string, { readOffset: 8 })) {
    if (pieces.length === 0) await restart();
    pieces.push(piece);
  }
  assert.equal(Buffer.compare(Buffer.concat(pieces), content.subarray(8)), 0);
  const place = { readOffset: 16, readLimit: 8 };
  const part = Buffer.concat(await all(client.downloadFile(file?.id as string, place)));
  assert.equal(part.readBigUInt64BE(), 2n);
});

test("results have each row once after a restart", async () => {
  const id = await submitted(20_000);
  const seen: string[] = [];
  const results = client.results(id, { waitUntilDone: true });
  for await (const row of results) {
    if (seen.length === 0) await restart();
    seen.push(row.customId);
  }
  assert.equal(seen.length, 20_000);
  assert.equal(new Set(seen).size, 20_000);
  assert.notEqual(results.resumeToken, "");
  const first = client.results(id);
  for await (const _ of first.messages()) break;
  const rest = await all(client.results(id, { resumeToken: first.resumeToken }));
  assert.ok(rest.length > 0 && rest.length < 20_000);
});

test("a watch goes on after a restart", async () => {
  const id = await submitted(4, { sandbox_outcome: "stalled" });
  const news = [];
  for await (const one of client.watchBatch(id)) {
    if (news.length === 0) {
      await restart();
      await client.cancelBatch(id);
    }
    news.push(one);
  }
  assert.equal(news.at(-1)?.batch?.status, BatchStatus.CANCELLED);
  assert.equal(news.filter(({ event }) => event === WatchEvent.SNAPSHOT).length, 1);
});

test("what failed is retried, and what is not finished is not", async () => {
  const late = { messages: [], sandbox: { fail: 503, times: 1 } };
  const given = { endpoint: ENDPOINT, model: "gpt-4o-mini" };
  const { batch } = await client.submitBatch([{ customId: "late", body: late }], given);
  const waited = await client.waitBatch(batch?.id as string, { waitMs: 20_000 });
  assert.ok(waited.done);
  const retried = await client.retryBatch(batch?.id as string);
  assert.equal(retried.lineCount, 1n);
  const stalled = await submitted(4, { sandbox_outcome: "stalled" });
  await assert.rejects(all(client.results(stalled)), failing("BATCH_NOT_FINISHED"));
});

test("deadlines and cancellations", async () => {
  const id = await submitted(4, { sandbox_outcome: "stalled" });
  const late = await rejection(all(client.watchBatch(id, { timeoutMs: 300 })));
  assert.equal((late as BatchgateError).code, "DEADLINE_EXCEEDED");
  const gone = await rejection(client.getBatch(id, { signal: AbortSignal.abort() }));
  assert.equal((gone as BatchgateError).code, "CANCELLED");
  // A watch that is left ends its call.
  for await (const _ of client.watchBatch(id)) break;
});

test("nobody at the address", async () => {
  const nowhere = new BatchgateClient({ address: "127.0.0.1:1", patienceMs: 1000 });
  for (const call of [nowhere.deleteFile("file-a"), all(nowhere.watchBatch("batch_a"))]) {
    assert.equal(((await rejection(call)) as BatchgateError).code, "UNAVAILABLE");
  }
});

test("providers, metadata and health", async () => {
  const elsewhere = client.using({ provider: "elsewhere" });
  await assert.rejects(elsewhere.getFile("file-a"), failing("PROVIDER_UNKNOWN"));
  const mine = elsewhere.using({ provider: "openai", metadata: { "x-request-id": "mine" } });
  const error = (await rejection(mine.getFile("file-none"))) as BatchgateError;
  assert.deepEqual([error.reason, error.requestId], ["PROVIDER_NOT_FOUND", "mine"]);
  const providers = await client.listProviders({ checkHealth: true });
  assert.deepEqual(
    providers.map(({ name }) => name),
    ["openai"],
  );
  assert.ok(await client.health("batchgate.v1.BatchService"));
});

test("a source that is not read to its end is closed", async () => {
  let closed = false;
  async function* lines(): AsyncGenerator<Uint8Array> {
    try {
      for (;;) yield Buffer.from("no json\n".repeat(10_000));
    } finally {
      closed = true;
    }
  }
  await assert.rejects(client.uploadFile(lines()), failing("INVALID_JSONL"));
  await new Promise(setImmediate);
  assert.ok(closed);
  await assert.rejects(client.uploadFile(lines(), { chunkBytes: 0 }), RangeError);
});

test("a closed client makes no calls", async () => {
  const id = await submitted(4, { sandbox_outcome: "stalled" });
  const other = new BatchgateClient({ address });
  const seen: WatchEvent[] = [];
  const watching = (async () => {
    for await (const news of other.watchBatch(id)) {
      seen.push(news.event);
      other.close();
    }
  })();
  const ended = await rejection(watching);
  assert.ok(ended instanceof BatchgateError && ended.code === "CANCELLED", String(ended));
  assert.deepEqual(seen, [WatchEvent.SNAPSHOT]);
  const late = await rejection(other.getBatch(id));
  assert.ok(late instanceof BatchgateError && late.code === "CANCELLED", String(late));
});

test("waiting for a gateway ends with the caller's signal", async () => {
  const nowhere = new BatchgateClient({ address: "127.0.0.1:1" });
  const aborting = new AbortController();
  const reading = all(nowhere.watchBatch("batch_a", { signal: aborting.signal }));
  setTimeout(() => aborting.abort(), 300);
  const error = await rejection(reading);
  assert.ok(error instanceof BatchgateError && error.code === "CANCELLED", String(error));
});
