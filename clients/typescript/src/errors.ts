/** What calls are rejected with. */

import { Code, ConnectError } from "@connectrpc/connect";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  QuotaFailureSchema,
  RetryInfoSchema,
} from "./gen/google/rpc/error_details_pb.js";

/** One thing that is wrong with a request, or one quota that is used up. */
export interface Violation {
  /** The field, such as `metadata.filename`; of a quota its subject. */
  readonly field: string;
  readonly description: string;
}

/** A call failed. */
export class BatchgateError extends Error {
  override readonly name = "BatchgateError";
  /** gRPC's name of the status, such as `NOT_FOUND`. */
  readonly code: string;
  /** The contract's word, such as `PROVIDER_NOT_FOUND`; empty where no gateway has answered. */
  readonly reason: string;
  /** That of the reason, `batchgate`. */
  readonly domain: string;
  /** `provider`, `http_status`, `provider_code` and others, where known. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Milliseconds after which to try again, where waiting helps. */
  readonly retryAfterMs: number | undefined;
  /** The fields, or the lines of a file, that are wrong. */
  readonly violations: readonly Violation[];
  /** Those that are used up. */
  readonly quotas: readonly Violation[];
  /** The call's `x-request-id`, by which the gateway's log has it. */
  readonly requestId: string;
  /** The provider's own. */
  readonly providerRequestId: string;

  constructor(cause: ConnectError) {
    const [info] = cause.findDetails(ErrorInfoSchema);
    const [retry] = cause.findDetails(RetryInfoSchema);
    const reason = info?.reason ?? "";
    const code = codeName(cause.code);
    super(`${[code, reason].filter(Boolean).join(" ")}: ${cause.rawMessage}`, { cause });
    this.code = code;
    this.reason = reason;
    this.domain = info?.domain ?? "";
    this.metadata = info?.metadata ?? {};
    const delay = retry?.retryDelay;
    this.retryAfterMs = retry && Number(delay?.seconds ?? 0) * 1000 + (delay?.nanos ?? 0) / 1e6;
    this.violations = cause
      .findDetails(BadRequestSchema)
      .flatMap((one) => one.fieldViolations)
      .map(({ field, description }) => ({ field, description }));
    this.quotas = cause
      .findDetails(QuotaFailureSchema)
      .flatMap((one) => one.violations)
      .map(({ subject, description }) => ({ field: subject, description }));
    this.requestId = cause.metadata.get("x-request-id") ?? "";
    this.providerRequestId = cause.metadata.get("x-provider-request-id") ?? "";
  }
}

/** The error for what a call was rejected with; what is none of a call stays as it is. */
export function errorOf(failed: unknown): unknown {
  return failed instanceof ConnectError ? new BatchgateError(failed) : failed;
}

function codeName(code: Code): string {
  if (code === Code.Canceled) return "CANCELLED";
  return Code[code].replace(/(?<!^)([A-Z])/g, "_$1").toUpperCase();
}
