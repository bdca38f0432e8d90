/** What is retried, and how long is waited before. */

import { setTimeout as sleep } from "node:timers/promises";
import { Code, ConnectError } from "@connectrpc/connect";
import { BatchgateError, errorOf } from "./errors.js";

const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 10_000;
// Before a gateway has answered, a wrong address is more likely than a restart.
const FIRST_CONTACT_MS = 5_000;
const CALL_RETRIES = 4;
// Without a reason of the contract the connection was lost, or something on the way. Node ends the
// streams of a connection that breaks as if this side had cancelled them.
const BROKEN = new Set(["INTERNAL", "UNKNOWN", "ABORTED", "CANCELLED"]);

/** How often, and for how long. */
export interface Limits {
  readonly patienceMs: number;
  readonly maxRetries?: number;
}

/**
 * Whether a failure may be gone when tried again: where the gateway says when (RetryInfo), or somebody
 * is UNAVAILABLE, or the connection was lost.
 */
function passes(error: BatchgateError): boolean {
  if (error.reason === "OUTCOME_UNKNOWN") return false;
  if (error.retryAfterMs !== undefined || error.code === "UNAVAILABLE") return true;
  return error.reason === "" && BROKEN.has(error.code);
}

/**
 * How long to wait after so many failures in a row: random, so that the many clients of one gateway do
 * not come back in step. Throws `error` where less time is left than that takes.
 */
function pauseAfter(error: BatchgateError, failures: number, leftMs: number): number {
  const longest = Math.min(FIRST_PAUSE_MS * 2 ** (failures - 1), LONGEST_PAUSE_MS);
  const least = error.retryAfterMs;
  if (least === undefined) {
    const pause = longest / 2 + (Math.random() * longest) / 2;
    if (pause > leftMs) throw error;
    return pause;
  }
  if (least > leftMs) throw error;
  return Math.min(least + Math.random() * Math.max(longest, least / 2), leftMs);
}

async function wait(pauseMs: number, signal: AbortSignal): Promise<void> {
  await sleep(pauseMs, undefined, { signal }).catch(() => {
    throw errorOf(new ConnectError("the call was aborted", Code.Canceled));
  });
}

/** Counts what has failed since a stream last brought something. */
export class Patience {
  #began = performance.now();
  #contact = false;
  #failures = 0;
  readonly #limits: Limits;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** Something came. */
  progress(): void {
    this.#contact = true;
    this.#failures = 0;
  }

  /** Waits before the stream is restarted, until `until` at most; throws `error` where it is not to be. */
  async pause(error: unknown, signal: AbortSignal, until = Infinity): Promise<void> {
    if (!(error instanceof BatchgateError) || !passes(error) || signal.aborted) throw error;
    const now = performance.now();
    if (this.#failures === 0 && this.#contact) this.#began = now;
    this.#failures += 1;
    if (this.#failures > (this.#limits.maxRetries ?? Infinity)) throw error;
    const { patienceMs } = this.#limits;
    // A reason of the contract shows that the address is a gateway's.
    const known = this.#contact || error.reason !== "";
    const limit = known ? patienceMs : Math.min(patienceMs, FIRST_CONTACT_MS);
    const pause = pauseAfter(error, this.#failures, this.#began + limit - now);
    await wait(Math.max(Math.min(pause, until - now), 0), signal);
  }
}

/**
 * Makes a call that is safe to repeat until it succeeds, or its failure is not one that passes. `call`
 * is given the time that is left; where that is less than the next pause, the failure is thrown at once.
 */
export async function repeated<Response>(
  call: (timeoutMs: number) => Promise<Response>,
  timeoutMs: number,
  limits: Limits,
  signal: AbortSignal,
): Promise<Response> {
  const until = performance.now() + timeoutMs;
  for (let failures = 1; ; failures += 1) {
    try {
      return await call(until - performance.now());
    } catch (error) {
      const again = error instanceof BatchgateError && passes(error) && !signal.aborted;
      if (!again || failures > (limits.maxRetries ?? CALL_RETRIES)) throw error;
      await wait(pauseAfter(error, failures, until - performance.now()), signal);
    }
  }
}
