/** What a step can ask for, by the client's own methods where they give the whole answer. */

import { createHash } from "node:crypto";
import {
  type DescMessage,
  fromJson,
  type JsonValue,
  type MessageShape,
  toJson,
} from "@bufbuild/protobuf";
import type { CallOptions } from "@connectrpc/connect";
import {
  type BatchgateClient,
  BatchLineSchema,
  type BatchResult,
  BatchResultSchema,
  BatchSchema,
  BatchService,
  DownloadFileRequestSchema,
  errorOf,
  FileService,
  ProviderService,
  type ResultFilter,
  type StreamBatchResultsRequest,
  StreamBatchResultsRequestSchema,
  SubmitBatchMetadataSchema,
  SubmitBatchRequestSchema,
  SubmitBatchResponseSchema,
  UploadFileMetadataSchema,
  UploadFileRequestSchema,
  UploadFileResponseSchema,
  WatchEvent,
  WatchEventSchema,
} from "../src/index.js";

export type Json = Record<string, unknown>;

export interface Step {
  readonly step: string;
  readonly op: string;
  // biome-ignore lint/suspicious/noExplicitAny: as the scenario has them
  readonly args: any;
  readonly caller?: string;
  readonly headers?: Record<string, string>;
  readonly timeout_seconds?: number;
  readonly keep?: Record<string, string>;
  readonly expect?: unknown;
}

interface Outcome {
  readonly answer: unknown;
  readonly requestId?: string;
}

const MOST_RESULTS = 20;

function json<Desc extends DescMessage>(schema: Desc, message: MessageShape<Desc>): Json {
  return toJson(schema, message, { useProtoFieldName: true }) as Json;
}

function timeoutMs(step: Step): number {
  return (step.timeout_seconds ?? 30) * 1000;
}

/** The step's answer; rejects with what the call was rejected with. */
export async function carryOut(client: BatchgateClient, step: Step): Promise<Outcome> {
  const stream = STREAMS[step.op];
  if (stream) return { answer: await stream(client, step) };
  return await unary(client, step);
}

/** By the stub, whose trailers tell the request's id. */
async function unary(client: BatchgateClient, step: Step): Promise<Outcome> {
  const stubs = [
    [FileService, client.files],
    [BatchService, client.batches],
    [ProviderService, client.providers],
  ] as const;
  for (const [service, stub] of stubs) {
    const method = service.methods.find((one) => one.name === step.op);
    if (!method) continue;
    let requestId = "";
    const options = client.callOptions({ timeoutMs: timeoutMs(step) });
    const onTrailer = (trailers: Headers) => {
      requestId = trailers.get("x-request-id") ?? "";
    };
    const call = stub[method.localName as keyof typeof stub] as unknown as (
      request: unknown,
      options: CallOptions,
    ) => Promise<MessageShape<DescMessage>>;
    try {
      const response = await call(fromJson(method.input, step.args), { ...options, onTrailer });
      return { answer: json(method.output, response), requestId };
    } catch (failed) {
      throw errorOf(failed);
    }
  }
  throw new Error(`no such operation: ${step.op}`);
}

function contentOf({ text, base64, line, count }: Step["args"]): Buffer {
  if (base64 !== undefined) return Buffer.from(base64, "base64");
  if (line === undefined) return Buffer.from(text);
  const lines = Array.from({ length: count }, (_, n) => line.replaceAll("{n}", String(n + 1)));
  return Buffer.from(lines.join(""));
}

async function upload(client: BatchgateClient, step: Step): Promise<Json> {
  const { $typeName: _, ...given } = fromJson(UploadFileMetadataSchema, step.args.metadata);
  if (given.filename === "") {
    const pieces = [{ chunk: contentOf(step.args).toString("base64") }];
    const args = { messages: [{ metadata: step.args.metadata }, ...pieces] };
    return await uploadMessages(client, { ...step, args });
  }
  const response = await client.uploadFile(contentOf(step.args), {
    ...given,
    ...(step.args.chunk_bytes ? { chunkBytes: step.args.chunk_bytes } : {}),
    timeoutMs: timeoutMs(step),
  });
  return json(UploadFileResponseSchema, response);
}

async function* messages<Desc extends DescMessage>(schema: Desc, given: JsonValue[]) {
  for (const one of given) yield fromJson(schema, one);
}

async function uploadMessages(client: BatchgateClient, step: Step): Promise<Json> {
  const requests = messages(UploadFileRequestSchema, step.args.messages);
  const options = client.callOptions({ timeoutMs: timeoutMs(step) });
  const response = await client.files.uploadFile(requests, options).catch(rejected);
  return json(UploadFileResponseSchema, response);
}

async function submitMessages(client: BatchgateClient, step: Step): Promise<Json> {
  const requests = messages(SubmitBatchRequestSchema, step.args.messages);
  const options = client.callOptions({ timeoutMs: timeoutMs(step) });
  const response = await client.batches.submitBatch(requests, options).catch(rejected);
  return json(SubmitBatchResponseSchema, response);
}

function rejected(failed: unknown): never {
  throw errorOf(failed);
}

async function submit(client: BatchgateClient, step: Step): Promise<Json> {
  const { metadata, rows = [], row, count = 0 } = step.args;
  const { $typeName: _, ...given } = fromJson(SubmitBatchMetadataSchema, metadata);
  const made = Array.from({ length: count }, (_, n) =>
    JSON.parse(JSON.stringify(row).replaceAll("{n}", String(n + 1))),
  );
  const lines = [...rows, ...made].map((one) => fromJson(BatchLineSchema, one));
  const response = await client.submitBatch(lines, { ...given, timeoutMs: timeoutMs(step) });
  return json(SubmitBatchResponseSchema, response);
}

async function download(client: BatchgateClient, step: Step): Promise<Json> {
  const { provider, fileId, readOffset, readLimit } = fromJson(
    DownloadFileRequestSchema,
    step.args,
  );
  const place = { readOffset: Number(readOffset), readLimit: Number(readLimit) };
  const digest = createHash("sha256");
  let size = 0;
  const options = { provider, ...place, timeoutMs: timeoutMs(step) };
  for await (const piece of client.downloadFile(fileId, options)) {
    digest.update(piece);
    size += piece.byteLength;
  }
  return { size_bytes: size, sha256: digest.digest("hex") };
}

async function watch(client: BatchgateClient, step: Step): Promise<Json> {
  const { provider, batch_id } = step.args;
  const told: Json = {};
  for await (const news of client.watchBatch(batch_id, { provider, timeoutMs: timeoutMs(step) })) {
    told.first_event ??= WatchEventSchema.value[news.event]?.name ?? WatchEvent[news.event];
    if (news.batch) told.batch = json(BatchSchema, news.batch);
  }
  return told;
}

async function cancelWatch(client: BatchgateClient, step: Step): Promise<Json> {
  const { provider, batch_id } = step.args;
  const { signal, abort } = aborting();
  for await (const _ of client.watchBatch(batch_id, { provider, signal })) abort();
  return {};
}

function aborting() {
  const controller = new AbortController();
  return { signal: controller.signal, abort: () => controller.abort() };
}

function resultsOf(client: BatchgateClient, step: Step, resumeToken?: string) {
  const given: StreamBatchResultsRequest = fromJson(StreamBatchResultsRequestSchema, step.args);
  return client.results(given.batchId, {
    provider: given.provider,
    filter: given.filter as ResultFilter,
    waitUntilDone: given.waitUntilDone,
    resumeToken: resumeToken ?? given.resumeToken,
    timeoutMs: timeoutMs(step),
  });
}

async function results(client: BatchgateClient, step: Step): Promise<Json> {
  return summary(await collected(resultsOf(client, step)));
}

async function resumeResults(client: BatchgateClient, step: Step): Promise<Json> {
  const begun = resultsOf(client, step);
  const rows: BatchResult[] = [];
  for await (const message of begun.messages()) {
    rows.push(...message.results);
    if (rows.length > 0) break;
  }
  const rest = await collected(resultsOf(client, step, begun.resumeToken));
  return summary([...rows, ...rest]);
}

function sortedById(rows: BatchResult[]): BatchResult[] {
  return rows.toSorted((a, b) => Buffer.compare(Buffer.from(a.customId), Buffer.from(b.customId)));
}

/** For rows that are too large to print. */
async function digestResults(client: BatchgateClient, step: Step): Promise<Json> {
  const rows = sortedById(await collected(resultsOf(client, step)));
  const digest = (row: BatchResult): Json => {
    const body = Buffer.from(row.outcome.case === "response" ? row.outcome.value.bodyJson : "");
    const sha256 = createHash("sha256").update(body).digest("hex");
    return { custom_id: row.customId, size_bytes: body.byteLength, sha256 };
  };
  return { rows: rows.map(digest) };
}

/** One batch, many times at once, each to its end. */
async function watchMany(client: BatchgateClient, step: Step): Promise<Json> {
  const { count } = step.args;
  await Promise.all(Array.from({ length: count }, () => watch(client, step)));
  return { count };
}

function summary(rows: BatchResult[]): Json {
  const sorted = sortedById(rows);
  const told = { count: rows.length, succeeded: rows.filter((row) => row.succeeded).length };
  if (rows.length <= MOST_RESULTS) {
    return { ...told, results: sorted.map((row) => json(BatchResultSchema, row)) };
  }
  const ids = sorted.map((row) => `${row.customId}\n`).join("");
  return { ...told, sha256: createHash("sha256").update(ids).digest("hex") };
}

async function collected<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const all: Item[] = [];
  for await (const item of items) all.push(item);
  return all;
}

async function counted(items: AsyncIterable<{ readonly id: string }>): Promise<Json> {
  const ids = (await collected(items)).map(({ id }) => id);
  return { count: ids.length, distinct: new Set(ids).size };
}

const STREAMS: Record<string, (client: BatchgateClient, step: Step) => Promise<Json>> = {
  UploadFile: upload,
  UploadMessages: uploadMessages,
  SubmitBatch: submit,
  SubmitMessages: submitMessages,
  DownloadFile: download,
  WatchBatch: watch,
  CancelWatch: cancelWatch,
  WatchMany: watchMany,
  DigestResults: digestResults,
  StreamBatchResults: results,
  ResumeResults: resumeResults,
  ListAllFiles: (client, { args }) =>
    counted(
      client.listFiles({
        provider: args.provider,
        purpose: args.purpose,
        pageSize: args.page_size,
      }),
    ),
  ListAllBatches: (client, { args }) =>
    counted(client.listBatches({ provider: args.provider, pageSize: args.page_size })),
};
