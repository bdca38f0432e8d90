/** How long a stream that broke off is begun anew. */

import { setTimeout as sleep } from "node:timers/promises";
import { Code, ConnectError } from "@connectrpc/connect";
import { BatchgateError, errorOf } from "./errors.js";

const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 10_000;
// Before anything has come a wrong address is more likely than a restart.
const FIRST_CONTACT_MS = 5_000;
// Without a reason of the contract, what broke off is the connection or something on the way. Node ends
// the streams of a connection that breaks as if this side had cancelled them.
const BROKEN = new Set(["INTERNAL", "UNKNOWN", "ABORTED", "CANCELLED"]);

/** Counts what has failed since a stream last brought something. */
export class Patience {
  #began = performance.now();
  #contact = false;
  #failures = 0;
  readonly #limitMs: number;

  constructor(limitMs: number) {
    this.#limitMs = limitMs;
  }

  /** Something came. */
  progress(): void {
    this.#contact = true;
    this.#failures = 0;
  }

  /** Waits before the stream is begun anew; throws `error` where that is not to be done. */
  async pause(error: unknown, signal: AbortSignal): Promise<void> {
    if (!(error instanceof BatchgateError) || !passes(error, signal)) throw error;
    const now = performance.now();
    if (this.#failures === 0 && this.#contact) this.#began = now;
    this.#failures += 1;
    const limit = this.#contact ? this.#limitMs : Math.min(this.#limitMs, FIRST_CONTACT_MS);
    const longest = Math.min(FIRST_PAUSE_MS * 2 ** (this.#failures - 1), LONGEST_PAUSE_MS);
    // Many clients of one gateway that restarts do not come back in step.
    const pause = Math.max(longest / 2 + (Math.random() * longest) / 2, error.retryAfterMs ?? 0);
    if (now + pause - this.#began > limit) throw error;
    await sleep(pause, undefined, { signal }).catch(() => {
      throw errorOf(new ConnectError("the call was aborted", Code.Canceled));
    });
  }
}

/** Whether a failure may be gone when tried again. */
export function passes(error: BatchgateError, signal: AbortSignal | undefined): boolean {
  if (error.code === "UNAVAILABLE") return true;
  return error.reason === "" && BROKEN.has(error.code) && !signal?.aborted;
}
