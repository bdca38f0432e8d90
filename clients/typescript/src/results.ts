/** The results of a batch, and where to go on with them. */

import type {
  BatchResult,
  StreamBatchResultsResponse,
} from "./gen/batchgate/v1/batch_service_pb.js";

/**
 * Iterates over the rows. Where the gateway goes away, it goes on: no row is lost or comes twice.
 * Rows are read once, by iterating or by `messages()`.
 */
export class Results implements AsyncIterable<BatchResult> {
  #token: string;
  readonly #received: AsyncGenerator<StreamBatchResultsResponse, void, undefined>;

  /** `begin` makes the stream; what it is given always tells where to go on. */
  constructor(
    resumeToken: string,
    begin: (token: () => string) => AsyncGenerator<StreamBatchResultsResponse, void, undefined>,
  ) {
    this.#token = resumeToken;
    let next = resumeToken;
    const messages = begin(() => next);
    this.#received = (async function* () {
      for await (const message of messages) {
        // Before anything else: what breaks off now must not bring these rows again.
        next = message.resumeToken || next;
        yield message;
      }
    })();
  }

  /**
   * Goes on, in another process too, after the last message whose rows have all been given out; rows
   * given out since then come again.
   */
  get resumeToken(): string {
    return this.#token;
  }

  /** The messages as they come, some hundred rows each. */
  async *messages(): AsyncGenerator<StreamBatchResultsResponse, void, undefined> {
    for await (const message of this.#received) {
      this.#token = message.resumeToken || this.#token;
      yield message;
    }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<BatchResult, void, undefined> {
    for await (const message of this.#received) {
      for (const [index, row] of message.results.entries()) {
        if (index === message.results.length - 1) this.#token = message.resumeToken || this.#token;
        yield row;
      }
    }
  }
}
