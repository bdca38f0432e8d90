/** What all calls share: deadlines, headers, what is tried again, and how a failure comes out. */

import { type CallOptions, ConnectError } from "@connectrpc/connect";
import { headersOf, type Identity } from "./connection.js";
import { errorOf } from "./errors.js";
import { type Limits, Patience, repeated } from "./patience.js";
import { Stop } from "./stop.js";

/** For one call. */
export interface Options {
  /** The profile, in place of the client's. */
  readonly provider?: string;
  /** Its deadline, in place of the default. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

export const TIMEOUT_MS = 60_000;
export const CREATION_TIMEOUT_MS = 900_000;
export const PATIENCE_MS = 300_000;

export interface Settings extends Identity, Limits {
  readonly timeoutMs: number;
}

/** Makes calls as one caller. */
export class Calls {
  /** `closing` is aborted once no more calls are to be made. */
  constructor(
    readonly settings: Settings,
    readonly closing: AbortSignal,
  ) {}

  provider(options: Options | undefined): string {
    return options?.provider ?? this.settings.provider ?? "";
  }

  options(options: Options | undefined, timeoutMs: number | undefined): CallOptions {
    const bound = options?.timeoutMs ?? timeoutMs;
    return {
      headers: headersOf(this.settings),
      ...(bound !== undefined && Number.isFinite(bound)
        ? { timeoutMs: Math.max(Math.ceil(bound), 1) }
        : {}),
      ...(options?.signal ? { signal: options.signal } : {}),
    };
  }

  /** One call, which is retried if `safe`: it changes nothing, or has a request id. */
  async unary<Response>(
    call: (options: CallOptions) => Promise<Response>,
    options: Options | undefined,
    safe: boolean,
    timeoutMs: number = this.settings.timeoutMs,
  ): Promise<Response> {
    const once = async (left: number): Promise<Response> => {
      try {
        return await call(this.options({ ...options, timeoutMs: left }, undefined));
      } catch (failed) {
        throw errorOf(failed);
      }
    };
    const bound = options?.timeoutMs ?? timeoutMs;
    return await (safe ? repeated(once, bound, this.settings, this.#ended(options)) : once(bound));
  }

  /**
   * One call whose caller streams. What fails while reading the caller's own source is thrown as it
   * is, and nothing comes of the call: Node ends a stream that it breaks off as if it were whole, so
   * that a last message, `spoil`, has the gateway refuse what has come.
   */
  async sent<Request, Response>(
    call: (requests: AsyncIterable<Request>, options: CallOptions) => Promise<Response>,
    requests: AsyncIterable<Request>,
    spoil: Request,
    options: Options = {},
  ): Promise<Response> {
    const { timeoutMs, signal, ...rest } = options;
    const stop = new Stop(signal, timeoutMs);
    const source = requests[Symbol.asyncIterator]();
    let broken: { readonly failure: unknown } | undefined;
    async function* whole(): AsyncGenerator<Request> {
      try {
        for (;;) {
          const next = await stop.first(source.next());
          if (next.done) return;
          yield next.value;
        }
      } catch (failure) {
        // What the transport throws in here, once nobody reads any more, is not the source's.
        if (failure instanceof ConnectError && failure !== stop.reason) throw failure;
        broken = { failure };
        yield spoil;
      }
    }
    try {
      return await call(whole(), this.options({ ...rest, signal: stop.blocked }, undefined));
    } catch (failed) {
      throw errorOf(broken ? broken.failure : (stop.reason ?? failed));
    } finally {
      stop.clear();
      // Where not all was read: a file is to be closed.
      source.return?.().catch(() => undefined);
    }
  }

  /**
   * The messages of a stream that is restarted where it disconnects. `following` makes the call that
   * resumes after the messages so far; undefined where nothing is left.
   */
  async *received<Message>(
    following: (options: CallOptions) => AsyncIterable<Message> | undefined,
    options?: Options,
  ): AsyncGenerator<Message, void, undefined> {
    const patience = new Patience(this.settings);
    const until = performance.now() + (options?.timeoutMs ?? Infinity);
    for (;;) {
      const left = { ...options, timeoutMs: until - performance.now() };
      const messages = following(this.options(left, undefined));
      if (messages === undefined) return;
      try {
        for await (const message of messages) {
          patience.progress();
          yield message;
        }
        return;
      } catch (failed) {
        await patience.pause(errorOf(failed), this.#ended(options), until);
      }
    }
  }

  /** Aborted once the caller wants no more. */
  #ended(options: Options | undefined): AbortSignal {
    return options?.signal ? AbortSignal.any([options.signal, this.closing]) : this.closing;
  }
}
