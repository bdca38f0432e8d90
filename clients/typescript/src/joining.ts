/** Whole rows out of those that are cut over several messages. */

import { Code, ConnectError } from "@connectrpc/connect";
import { errorOf } from "./errors.js";
import type {
  BatchResult,
  StreamBatchResultsResponse,
} from "./gen/batchgate/v1/batch_service_pb.js";

/** In UTF-16 units; more than any row's body has: the contract ends rows at 64 MiB. */
const MAX_BODY_LENGTH = 65 * 2 ** 20;

/**
 * Knows where to resume: at the token of the last message that ended with a whole row, past the rows
 * that came since.
 */
export class RowJoiner {
  token: string;
  /** Whole rows since the token; those of them that are to come again after a restart. */
  #since = 0;
  #skip = 0;
  #parts: BatchResult[] = [];
  #length = 0;

  constructor(token: string) {
    this.token = token;
  }

  /** For a call that resumes at the token: a partial row comes anew. */
  restart(): void {
    this.#skip = this.#since;
    this.#clear();
  }

  /** Takes the next message, and leaves in it the rows that are whole now and not given out before. */
  add(message: StreamBatchResultsResponse): void {
    const whole: BatchResult[] = [];
    for (const row of message.results) {
      this.#append(row);
      if (row.bodyContinues) continue;
      this.#join(row);
      if (this.#skip > 0) {
        this.#skip -= 1;
        continue;
      }
      this.#since += 1;
      whole.push(row);
    }
    if (this.#parts.length === 0 && message.resumeToken) {
      this.token = message.resumeToken;
      this.#since = 0;
      this.#skip = 0;
    }
    message.results = whole;
    message.resumeToken = this.token;
  }

  /** Throws where a row lacks its last part. */
  end(): void {
    const [first] = this.#parts;
    if (first) throw broken(first, "its last part is missing");
  }

  #append(row: BatchResult): void {
    const [first] = this.#parts;
    if (first && (first.customId !== row.customId || first.line !== row.line)) {
      throw broken(first, "its next part is missing");
    }
    this.#parts.push(row);
    this.#length += bodyOf(row).length;
    if (this.#length > MAX_BODY_LENGTH) throw broken(row, "its body is over 64 MiB");
  }

  /** The last of the parts becomes the row. */
  #join(last: BatchResult): void {
    if (this.#parts.length > 1 && last.outcome.case === "response") {
      last.outcome.value.bodyJson = this.#parts.map(bodyOf).join("");
    }
    this.#clear();
  }

  #clear(): void {
    this.#parts = [];
    this.#length = 0;
  }
}

function bodyOf(row: BatchResult): string {
  return row.outcome.case === "response" ? row.outcome.value.bodyJson : "";
}

function broken(row: BatchResult, what: string): unknown {
  const message = `row "${row.customId}", line ${row.line}: ${what}`;
  return errorOf(new ConnectError(message, Code.DataLoss));
}
