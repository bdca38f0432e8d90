/** How a call whose caller streams is stopped by its signal or its deadline. */

import { Code, ConnectError } from "@connectrpc/connect";

// A message that cannot be sent for so long waits for the gateway: then the stream can be broken off.
const BLOCKED_MS = 1000;

/** Stops the source at once, and the call where the source's end does not come through. */
export class Stop {
  /** Why it was stopped, once it was. */
  reason: ConnectError | undefined;
  readonly #blocked = new AbortController();
  readonly #signal: AbortSignal | undefined;
  readonly #aborted = () => this.#stop(new ConnectError("the call was aborted", Code.Canceled));
  readonly #deadline: NodeJS.Timeout | undefined;
  #last: NodeJS.Timeout | undefined;
  #stopped: (reason: ConnectError) => void = () => undefined;
  readonly #whenStopped: Promise<never>;

  constructor(signal: AbortSignal | undefined, timeoutMs: number | undefined) {
    this.#whenStopped = new Promise((_, reject) => {
      this.#stopped = reject;
    });
    // Whoever waits is told; where nobody does, that is no unhandled rejection.
    this.#whenStopped.catch(() => undefined);
    this.#signal = signal;
    signal?.addEventListener("abort", this.#aborted);
    if (signal?.aborted) this.#aborted();
    if (timeoutMs !== undefined && Number.isFinite(timeoutMs)) {
      const late = () =>
        this.#stop(new ConnectError("the call's deadline is over", Code.DeadlineExceeded));
      this.#deadline = setTimeout(late, timeoutMs);
    }
  }

  /** For the call itself: aborted where no message can be sent. */
  get blocked(): AbortSignal {
    return this.#blocked.signal;
  }

  /** What the source gives, unless the call is stopped first. */
  async first<Item>(given: Promise<Item>): Promise<Item> {
    // It may fail after the stop, when nobody waits for it.
    given.catch(() => undefined);
    return await Promise.race([this.#whenStopped, given]);
  }

  /** The call is over. */
  clear(): void {
    this.#signal?.removeEventListener("abort", this.#aborted);
    clearTimeout(this.#deadline);
    clearTimeout(this.#last);
  }

  #stop(reason: ConnectError): void {
    if (this.reason) return;
    this.reason = reason;
    this.#stopped(reason);
    this.#last = setTimeout(() => this.#blocked.abort(), BLOCKED_MS);
  }
}
