/** Rows that are cut over several messages, against a gateway made for each test. */

import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { BatchgateError, type Results } from "../src/index.js";
import { refusal, served, Unavailable } from "./fake.js";

/** A row of which more follows if its text ends with "~". */
function part(customId: string, line: bigint, text: string) {
  const bodyContinues = text.endsWith("~");
  const bodyJson = bodyContinues ? text.slice(0, -1) : text;
  const outcome = { case: "response" as const, value: { statusCode: 200, bodyJson } };
  return { customId, line, bodyContinues, outcome, succeeded: true };
}

type Message = { results: ReturnType<typeof part>[]; resumeToken: string };

function rows(resumeToken: string, ...results: ReturnType<typeof part>[]): Message {
  return { results, resumeToken };
}

/** Streams messages, and breaks off where there is none; each call takes the next ones. */
async function cut(t: TestContext, calls: (Message | undefined)[][]) {
  const tokens: string[] = [];
  const service = {
    async *streamBatchResults({ resumeToken }: { resumeToken: string }) {
      const messages = calls[tokens.length] ?? [];
      tokens.push(resumeToken);
      for (const message of messages) {
        if (!message) throw refusal(Unavailable, "SERVER_DRAINING");
        yield message;
      }
    },
  };
  return { client: await served(t, service), tokens };
}

async function bodies(results: Results): Promise<[string, string][]> {
  const seen: [string, string][] = [];
  for await (const row of results) {
    assert.equal(row.bodyContinues, false);
    assert.equal(row.outcome.case, "response");
    const body = row.outcome.case === "response" ? row.outcome.value.bodyJson : "";
    seen.push([row.customId + body, results.resumeToken]);
  }
  return seen;
}

test("a row that is cut over messages is one row", async (t) => {
  const { client, tokens } = await cut(t, [
    [
      rows("", part("a", 1n, "1"), part("b", 2n, "é~")),
      rows("", part("b", 2n, "行~")),
      rows("after b", part("b", 2n, "🚀")),
      rows("after b", part("c", 3n, "3"), part("d", 4n, "4~")),
      // It breaks off: what was whole does not come again, the rest does.
      undefined,
    ],
    [
      rows("after b", part("c", 3n, "3"), part("d", 4n, "4~")),
      rows("after b", part("d", 4n, "5~")),
      undefined,
    ],
    [
      rows("after b", part("c", 3n, "3"), part("d", 4n, "45~")),
      rows("after d", part("d", 4n, "6")),
      rows("after e", part("e", 5n, "7")),
    ],
  ]);
  assert.deepEqual(await bodies(client.results("batch_a")), [
    ["a1", ""],
    ["bé行🚀", "after b"],
    ["c3", "after b"],
    ["d456", "after d"],
    ["e7", "after e"],
  ]);
  assert.deepEqual(tokens, ["", "after b", "after b"]);
});

test("a large row is joined, and one without bound is not", async (t) => {
  const long = "x".repeat(2 ** 20 - 1);
  const parts = Array.from({ length: 60 }, (_, n) => rows("", part("a", 1n, `${n % 10}${long}~`)));
  const end = rows("end", part("a", 1n, "!"));
  const { client } = await cut(t, [[...parts, end]]);
  const [[body = ""] = []] = await bodies(client.results("batch_a"));
  assert.equal(body.length, 60 * 2 ** 20 + 2);
  assert.equal(body[1 + 11 * 2 ** 20], "1");
  assert.ok(body.endsWith("x!"));
  const wrong: [string, Message[]][] = [
    ["over 64 MiB", [...parts, ...parts, end]],
    ["next part", [...parts.slice(0, 1), rows("", part("b", 2n, "!"))]],
    ["last part", parts.slice(0, 1)],
  ];
  for (const [why, messages] of wrong) {
    const { client } = await cut(t, [messages]);
    await assert.rejects(bodies(client.results("batch_a")), (error) => {
      assert.ok(error instanceof BatchgateError && error.code === "DATA_LOSS", String(error));
      return error.message.includes(why);
    });
  }
});
