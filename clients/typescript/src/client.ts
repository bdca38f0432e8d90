/** The client: all services over one connection. */

import { create, equals, type MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { type CallOptions, type Client, createClient } from "@connectrpc/connect";
import { Calls, CREATION_TIMEOUT_MS, type Options, PATIENCE_MS, TIMEOUT_MS } from "./calls.js";
import { Connection, type Identity, type Tls } from "./connection.js";
import { environmentOptions } from "./environment.js";
import { type Batch, BatchSchema } from "./gen/batchgate/v1/batch_pb.js";
import {
  BatchService,
  type CreateBatchRequestSchema,
  type RetryBatchRequestSchema,
  type RetryBatchResponse,
  type StreamBatchResultsRequestSchema,
  type SubmitBatchMetadataSchema,
  SubmitBatchRequestSchema,
  type SubmitBatchResponse,
  type WaitBatchResponse,
  type WatchBatchResponse,
  WatchEvent,
} from "./gen/batchgate/v1/batch_service_pb.js";
import type { File } from "./gen/batchgate/v1/file_pb.js";
import {
  type DeleteFileResponse,
  FileService,
  type ListFilesRequestSchema,
  type UploadFileMetadataSchema,
  type UploadFileRequest,
  UploadFileRequestSchema,
  type UploadFileResponse,
} from "./gen/batchgate/v1/file_service_pb.js";
import { type Provider, ProviderService } from "./gen/batchgate/v1/provider_service_pb.js";
import { Health, HealthCheckResponse_ServingStatus } from "./gen/grpc_health/v1/health_pb.js";
import { Results } from "./results.js";
import { type Rows, submission } from "./rows.js";
import { opened, regrouped, type Source } from "./sources.js";

const CHUNK_BYTES = 256 * 1024;
const WAIT_MS = 60_000;
const WAIT_MARGIN_MS = 30_000;

/** How a client is made. */
export interface ClientOptions extends Identity {
  /** Of the gateway, `host:port` or `unix:/path`. */
  readonly address?: string;
  /** Absent for plaintext. */
  readonly tls?: Tls;
  /** Of a unary call; streams and uploads have no deadline unless they are given one. */
  readonly timeoutMs?: number;
  /** For how long failures of a stream may follow each other before the last one ends it. */
  readonly patienceMs?: number;
  /**
   * How often in a row a call or a stream is retried; 0 means never. By default a call is retried
   * four times within its deadline, and a stream for as long as its patience lasts.
   */
  readonly maxRetries?: number;
}

/** Of an upload: its metadata, and how it is sent. */
export type UploadOptions = Omit<MessageInitShape<typeof UploadFileMetadataSchema>, "$typeName"> &
  Options & {
    readonly chunkBytes?: number;
    /** Told how many bytes are on their way and, where it is known, their whole number. */
    readonly progress?: (sent: number, total: number | undefined) => void;
  };

type Init<Schema extends Parameters<typeof create>[0], Given extends string = never> = Omit<
  MessageInitShape<Schema>,
  "$typeName" | Given
> &
  Options;

/**
 * Calls one gateway, any number of calls at once. Methods give the contract's messages and are
 * rejected with `BatchgateError`s. What is safe to repeat is retried where the gateway is UNAVAILABLE or
 * says how long to wait (RetryInfo): reads, and creations with a `requestId`.
 */
export class BatchgateClient {
  /** The stub of FileService, for what the methods do not offer. */
  readonly files: Client<typeof FileService>;
  /** The stub of BatchService. */
  readonly batches: Client<typeof BatchService>;
  /** The stub of ProviderService. */
  readonly providers: Client<typeof ProviderService>;
  readonly #connection: Connection;
  readonly #calls: Calls;
  readonly #derived: boolean;

  /** It connects with the first call. `connection` is for `using`. */
  constructor(options: ClientOptions = {}, connection?: Connection) {
    const { address = "127.0.0.1:50051", tls, ...identity } = options;
    if (!((identity.maxRetries ?? 0) >= 0)) {
      throw new RangeError(`maxRetries is ${identity.maxRetries}: give at least 0`);
    }
    this.#derived = connection !== undefined;
    this.#connection = connection ?? new Connection(address, tls);
    const { transport, closing } = this.#connection;
    const settings = { timeoutMs: TIMEOUT_MS, patienceMs: PATIENCE_MS, ...identity };
    this.#calls = new Calls(settings, closing);
    this.files = createClient(FileService, transport);
    this.batches = createClient(BatchService, transport);
    this.providers = createClient(ProviderService, transport);
  }

  /**
   * A client as the environment says, but for what `options` have: `BATCHGATE_ADDRESS`,
   * `BATCHGATE_TOKEN` or `BATCHGATE_TOKEN_FILE`, `BATCHGATE_PROVIDER`, `BATCHGATE_TLS` (1, true or on; 0,
   * false or off), `BATCHGATE_TLS_CA`, `BATCHGATE_TLS_CERT` and `BATCHGATE_TLS_KEY`, paths of PEM files
   * that each turn TLS on. Empty ones count as unset; anything else in `BATCHGATE_TLS` is an error, and
   * so is off beside one of the files.
   */
  static fromEnvironment(options: ClientOptions = {}): BatchgateClient {
    return new BatchgateClient({ ...environmentOptions(process.env), ...options });
  }

  /**
   * A client on the same connection in which these settings count instead. Closing it does nothing:
   * the connection is closed with the first client.
   */
  using(changes: Omit<ClientOptions, "address" | "tls">): BatchgateClient {
    return new BatchgateClient({ ...this.#calls.settings, ...changes }, this.#connection);
  }

  /**
   * Closes the connection, also for clients made by `using`: calls that run, and all later ones, are
   * rejected. An open connection keeps the process for up to 15 idle minutes. On a client made by
   * `using` it does nothing.
   */
  close(): void {
    if (!this.#derived) this.#connection.close();
  }

  /** For calls of the stubs: the client's headers and deadline. `errorOf` makes their errors ours. */
  callOptions(options?: Options): CallOptions {
    return this.#calls.options(options, this.#calls.settings.timeoutMs);
  }

  /**
   * Uploads a file while it is read. The size of a path or of bytes goes along and is verified;
   * `purpose` is `batch` unless given. Nothing is created by an upload that fails, and it is never
   * repeated by itself.
   */
  async uploadFile(source: Source, options: UploadOptions = {}): Promise<UploadFileResponse> {
    const { chunkBytes = CHUNK_BYTES, progress, timeoutMs, signal, ...metadata } = options;
    if (!(chunkBytes >= 1)) throw new RangeError(`chunkBytes is ${chunkBytes}: give at least 1`);
    const { filename, sizeBytes, pieces } = await opened(source);
    const about = {
      filename: filename || "upload.jsonl",
      purpose: "batch",
      ...(sizeBytes === undefined ? {} : { sizeBytes }),
      ...metadata,
      provider: this.#calls.provider(options),
    };
    const total = about.sizeBytes === undefined ? undefined : Number(about.sizeBytes);
    const first = create(UploadFileRequestSchema, { payload: { case: "metadata", value: about } });
    async function* requests(): AsyncGenerator<UploadFileRequest> {
      yield first;
      let sent = 0;
      for await (const chunk of regrouped(pieces, chunkBytes)) {
        yield create(UploadFileRequestSchema, { payload: { case: "chunk", value: chunk } });
        sent += chunk.byteLength;
        progress?.(sent, total);
      }
    }
    const call = { ...(timeoutMs ? { timeoutMs } : {}), ...(signal ? { signal } : {}) };
    // Metadata that comes again is refused.
    return await this.#calls.sent(this.files.uploadFile, requests(), first, call);
  }

  /** What the provider says of a file. */
  async getFile(fileId: string, options?: Options): Promise<File> {
    const request = { provider: this.#calls.provider(options), fileId };
    const response = await this.#calls.unary((o) => this.files.getFile(request, o), options, true);
    return response.file as File;
  }

  /** All files, page after page as they are asked for. */
  async *listFiles(
    options: Init<typeof ListFilesRequestSchema, "pageToken"> = {},
  ): AsyncGenerator<File, void, undefined> {
    const { timeoutMs: _, signal: __, ...wanted } = options;
    let pageToken = "";
    do {
      const request = { ...wanted, provider: this.#calls.provider(options), pageToken };
      const page = await this.#calls.unary((o) => this.files.listFiles(request, o), options, true);
      yield* page.files;
      pageToken = page.nextPageToken;
    } while (pageToken);
  }

  /** Deletes a file. */
  async deleteFile(fileId: string, options?: Options): Promise<DeleteFileResponse> {
    const request = { provider: this.#calls.provider(options), fileId };
    return await this.#calls.unary((o) => this.files.deleteFile(request, o), options, false);
  }

  /**
   * A file's content in pieces, from `readOffset` on, at most `readLimit` bytes (0: all). Where the
   * gateway goes away in the middle, it goes on from there once one is back.
   */
  async *downloadFile(
    fileId: string,
    options: Options & { readonly readOffset?: number; readonly readLimit?: number } = {},
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const { readOffset = 0, readLimit = 0 } = options;
    const end = readOffset + readLimit;
    let position = readOffset;
    const pieces = this.#calls.received((o) => {
      if (readLimit > 0 && position >= end) return undefined;
      const place = {
        readOffset: BigInt(position),
        readLimit: BigInt(readLimit && end - position),
      };
      const request = { provider: this.#calls.provider(options), fileId, ...place };
      return this.files.downloadFile(request, o);
    }, options);
    for await (const piece of pieces) {
      position = Number(piece.offset) + piece.chunk.byteLength;
      yield piece.chunk;
    }
  }

  /** Makes a batch of an uploaded file. With a `requestId` it is safe to repeat. */
  async createBatch(options: Init<typeof CreateBatchRequestSchema>): Promise<Batch> {
    const { timeoutMs: _, signal: __, ...wanted } = options;
    const request = { ...wanted, provider: this.#calls.provider(options) };
    const safe = Boolean(options.requestId);
    const create = (o: object) => this.batches.createBatch(request, o);
    const response = await this.#calls.unary(create, options, safe, CREATION_TIMEOUT_MS);
    return response.batch as Batch;
  }

  /** A batch as it is now. */
  async getBatch(batchId: string, options?: Options): Promise<Batch> {
    const request = { provider: this.#calls.provider(options), batchId };
    const response = await this.#calls.unary(
      (o) => this.batches.getBatch(request, o),
      options,
      true,
    );
    return response.batch as Batch;
  }

  /** All batches, newest first, page after page as they are asked for. */
  async *listBatches(
    options: Options & { readonly pageSize?: number } = {},
  ): AsyncGenerator<Batch, void, undefined> {
    let pageToken = "";
    do {
      const page = { pageSize: options.pageSize ?? 0, pageToken };
      const request = { provider: this.#calls.provider(options), ...page };
      const given = await this.#calls.unary(
        (o) => this.batches.listBatches(request, o),
        options,
        true,
      );
      yield* given.batches;
      pageToken = given.nextPageToken;
    } while (pageToken);
  }

  /** Asks for a batch's end; what is answered already stays. */
  async cancelBatch(batchId: string, options?: Options): Promise<Batch> {
    const request = { provider: this.#calls.provider(options), batchId };
    const response = await this.#calls.unary(
      (o) => this.batches.cancelBatch(request, o),
      options,
      false,
    );
    return response.batch as Batch;
  }

  /**
   * What happens to a batch, from a snapshot at once to its end. Where the gateway goes away, the
   * watch goes on with another; what changed meanwhile comes as a CHANGE.
   */
  async *watchBatch(
    batchId: string,
    options?: Options,
  ): AsyncGenerator<WatchBatchResponse, void, undefined> {
    const request = { provider: this.#calls.provider(options), batchId };
    let seen: Batch | undefined;
    const messages = this.#calls.received((o) => this.batches.watchBatch(request, o), options);
    for await (const news of messages) {
      const batch = news.batch as Batch;
      const again = news.event === WatchEvent.SNAPSHOT && seen !== undefined;
      if (again && equals(BatchSchema, batch, seen as Batch)) continue;
      if (again) news.event = WatchEvent.CHANGE;
      seen = batch;
      yield news;
    }
  }

  /** A batch once it has ended, or as it is after `waitMs` (a minute, at most five); `done` tells. */
  async waitBatch(
    batchId: string,
    options: Options & { readonly waitMs?: number } = {},
  ): Promise<WaitBatchResponse> {
    const { waitMs = WAIT_MS } = options;
    const timeout = durationFromMs(waitMs);
    const request = { provider: this.#calls.provider(options), batchId, timeout };
    const wait = (o: object) => this.batches.waitBatch(request, o);
    return await this.#calls.unary(wait, options, true, waitMs + WAIT_MARGIN_MS);
  }

  /**
   * Makes a batch of rows, without a file of one's own. `model` is filled in where a body has none.
   * With a `requestId` it is safe to repeat. Where rows throw, nothing is created.
   */
  async submitBatch(
    rows: Rows,
    options: Init<typeof SubmitBatchMetadataSchema>,
  ): Promise<SubmitBatchResponse> {
    const { timeoutMs: _, signal: __, ...wanted } = options;
    const metadata = { ...wanted, provider: this.#calls.provider(options) };
    const first = create(SubmitBatchRequestSchema, {
      payload: { case: "metadata", value: metadata },
    });
    const requests = submission(first, rows);
    // Metadata that comes again is refused.
    return await this.#calls.sent(this.batches.submitBatch, requests, first, options);
  }

  /** A batch's results, row by row. Without `waitUntilDone` a batch that has not ended is an error. */
  results(
    batchId: string,
    options: Init<typeof StreamBatchResultsRequestSchema, "batchId"> = {},
  ): Results {
    const { timeoutMs: _, signal: __, resumeToken = "", ...wanted } = options;
    const request = { ...wanted, provider: this.#calls.provider(options), batchId };
    return new Results(resumeToken, (token) =>
      this.#calls.received(
        (o) => this.batches.streamBatchResults({ ...request, resumeToken: token() }, o),
        options,
      ),
    );
  }

  /** A new batch of the lines without success. With a `requestId` it is safe to repeat. */
  async retryBatch(
    batchId: string,
    options: Init<typeof RetryBatchRequestSchema, "batchId"> = {},
  ): Promise<RetryBatchResponse> {
    const { timeoutMs: _, signal: __, ...wanted } = options;
    const request = { ...wanted, provider: this.#calls.provider(options), batchId };
    const safe = Boolean(options.requestId);
    const retry = (o: object) => this.batches.retryBatch(request, o);
    return await this.#calls.unary(retry, options, safe, CREATION_TIMEOUT_MS);
  }

  /** The profiles that the caller may use; with `checkHealth` each provider is asked now. */
  async listProviders(
    options: Options & { readonly checkHealth?: boolean } = {},
  ): Promise<Provider[]> {
    const request = { checkHealth: options.checkHealth ?? false };
    const list = (o: object) => this.providers.listProviders(request, o);
    return (await this.#calls.unary(list, options, true)).providers;
  }

  /** Whether the gateway serves, or one service of it. */
  async health(service = "", options?: Options): Promise<boolean> {
    const check = createClient(Health, this.#connection.transport).check;
    const response = await this.#calls.unary((o) => check({ service }, o), options, false);
    return response.status === HealthCheckResponse_ServingStatus.SERVING;
  }
}
