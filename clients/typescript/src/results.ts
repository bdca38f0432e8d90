/** The results of a batch, and where to resume them. */

import type {
  BatchResult,
  StreamBatchResultsResponse,
} from "./gen/batchgate/v1/batch_service_pb.js";
import { RowJoiner } from "./joining.js";

type Messages = AsyncGenerator<StreamBatchResultsResponse, void, undefined>;

/**
 * Iterates over the rows. Where the gateway goes away, they resume: no row is lost or comes twice.
 * Rows are read once, by iterating or by `messages()`.
 */
export class Results implements AsyncIterable<BatchResult> {
  #token: string;
  readonly #received: Messages;

  /** `begin` makes the stream; what it is given is called for each of its calls, and says where to resume. */
  constructor(resumeToken: string, begin: (token: () => string) => Messages) {
    this.#token = resumeToken;
    const rows = new RowJoiner(resumeToken);
    const messages = begin(() => {
      rows.restart();
      return rows.token;
    });
    this.#received = (async function* () {
      for await (const message of messages) {
        rows.add(message);
        yield message;
      }
      rows.end();
    })();
  }

  /**
   * Resumes, in another process too, after the last message whose rows have all been given out; rows
   * given out since then come again.
   */
  get resumeToken(): string {
    return this.#token;
  }

  /**
   * The rows by messages, some hundred rows each; a row that is cut over several messages is joined
   * before.
   */
  async *messages(): Messages {
    for await (const message of this.#received) {
      this.#token = message.resumeToken;
      yield message;
    }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<BatchResult, void, undefined> {
    for await (const message of this.#received) {
      const last = message.results.length - 1;
      if (last < 0) this.#token = message.resumeToken;
      for (const [index, row] of message.results.entries()) {
        if (index === last) this.#token = message.resumeToken;
        yield row;
      }
    }
  }
}
