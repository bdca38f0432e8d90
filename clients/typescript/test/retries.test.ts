/** What is retried, against a gateway made for each test. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { ConnectError } from "@connectrpc/connect";
import { BatchgateClient, BatchgateError, type ClientOptions } from "../src/index.js";
import { ResourceExhausted, refusal, served, Unavailable, Unknown } from "./fake.js";

/** A gateway that refuses the first calls. */
function limited(refusals: number, refused: ConnectError) {
  const gateway = { calls: 0 };
  const begin = () => {
    gateway.calls += 1;
    if (gateway.calls <= refusals) throw refused;
  };
  const answer = () => {
    begin();
    return { batch: { id: "batch_a", requestCounts: { total: 2n } } };
  };
  const service = {
    getBatch: answer,
    createBatch: answer,
    async *watchBatch() {
      yield answer();
    },
  };
  return { gateway, service };
}

type Call = (client: BatchgateClient) => Promise<unknown>;
const get: Call = (client) => client.getBatch("batch_a");
const create = (requestId: string): Call => {
  return (client) => client.createBatch({ inputFileId: "file-a", endpoint: "/v1/x", requestId });
};
const watch: Call = async (client) => {
  for await (const _ of client.watchBatch("batch_a"));
};
const limit = refusal(ResourceExhausted, "CALLER_LIMIT", 0);
const used = refusal(ResourceExhausted, "PROVIDER_QUOTA_EXCEEDED");
const draining = refusal(Unavailable, "SERVER_DRAINING");
const unknown = refusal(Unknown, "OUTCOME_UNKNOWN", 0);

const CASES: [string, Call, ConnectError, ClientOptions, number, string][] = [
  ["a watch over a limit", watch, limit, {}, 4, "OK"],
  ["a read over a limit", get, limit, {}, 4, "OK"],
  ["a read of a gateway that stops", get, draining, {}, 4, "OK"],
  ["a creation with a request id", create("mine"), limit, {}, 4, "OK"],
  ["a creation without", create(""), limit, {}, 1, "RESOURCE_EXHAUSTED"],
  ["a creation that may have been", create("mine"), unknown, {}, 1, "UNKNOWN"],
  ["a watch with a used-up quota", watch, used, {}, 1, "RESOURCE_EXHAUSTED"],
  ["a read with a used-up quota", get, used, {}, 1, "RESOURCE_EXHAUSTED"],
  ["a watch that is never retried", watch, limit, { maxRetries: 0 }, 1, "RESOURCE_EXHAUSTED"],
  ["a watch that is retried twice", watch, limit, { maxRetries: 2 }, 3, "RESOURCE_EXHAUSTED"],
  ["a read that is never retried", get, draining, { maxRetries: 0 }, 1, "UNAVAILABLE"],
];

for (const [name, call, refused, options, calls, code] of CASES) {
  test(name, async (t) => {
    const { gateway, service } = limited(3, refused);
    const client = await served(t, service, options);
    const outcome = await call(client).then(
      () => "OK",
      (error: unknown) => (error as BatchgateError).code,
    );
    assert.deepEqual([outcome, gateway.calls], [code, calls]);
  });
}

test("what the deadline leaves no time for is told at once", async (t) => {
  const { service } = limited(9, refusal(ResourceExhausted, "CALLER_LIMIT", 3_600_000));
  const client = await served(t, service);
  const refused = (error: unknown) =>
    error instanceof BatchgateError && error.reason === "CALLER_LIMIT";
  await assert.rejects(get(client), refused);
  await assert.rejects(watch(client), refused);
});

test("a wait for a retry ends with the stream's deadline", async (t) => {
  const { service } = limited(9, refusal(ResourceExhausted, "CALLER_LIMIT", 60_000));
  const client = await served(t, service);
  const late = async () => {
    for await (const _ of client.watchBatch("batch_a", { timeoutMs: 300 }));
  };
  await assert.rejects(
    late(),
    (error) => error instanceof BatchgateError && error.code === "DEADLINE_EXCEEDED",
  );
});

test("closing a client that uses another's connection leaves it open", async (t) => {
  const client = await served(t, limited(0, limit).service);
  client.using({ provider: "azure" }).close();
  assert.equal((await client.getBatch("batch_a")).id, "batch_a");
});

test("messages can be written as JSON", async (t) => {
  const client = await served(t, limited(0, limit).service);
  const batch = await client.getBatch("batch_a");
  const written = { id: "batch_a", requestCounts: { total: "2" } };
  assert.deepEqual(JSON.parse(JSON.stringify({ batch })), { batch: written });
  for await (const news of client.watchBatch("batch_a")) {
    assert.deepEqual(JSON.parse(JSON.stringify(news.batch)), written);
  }
});

test("retries are no negative number", () => {
  assert.throws(() => new BatchgateClient({ maxRetries: -1 }), RangeError);
});
