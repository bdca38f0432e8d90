/** Rows of a submitted batch: made of what callers have, and packed into messages. */

import { create, type JsonObject, toBinary } from "@bufbuild/protobuf";
import {
  type BatchLine,
  BatchLineSchema,
  type SubmitBatchRequest,
  SubmitBatchRequestSchema,
} from "./gen/batchgate/v1/batch_service_pb.js";

/** A `BatchLine`, or an id and the request's own body: an object, or its JSON text. */
export type Row = BatchLine | { readonly customId: string; readonly body: object | string };

export type Rows = Iterable<Row> | AsyncIterable<Row>;

// Messages of this size carry many rows at once, and stay far below gRPC's limit of 4 MiB.
const MESSAGE_BYTES = 256 * 1024;

function batchLine(row: Row): BatchLine {
  if ("$typeName" in row) return row;
  const text = typeof row.body === "string" ? row.body : JSON.stringify(row.body as JsonObject);
  return create(BatchLineSchema, {
    customId: row.customId,
    body: { case: "bodyJson", value: text },
  });
}

/** The messages of a submission, whose `first` is its metadata. */
export async function* submission(
  first: SubmitBatchRequest,
  rows: Rows,
): AsyncGenerator<SubmitBatchRequest> {
  yield first;
  let lines: BatchLine[] = [];
  let bytes = 0;
  const packed = (): SubmitBatchRequest =>
    create(SubmitBatchRequestSchema, { payload: { case: "lines", value: { lines } } });
  for await (const row of rows) {
    const line = batchLine(row);
    lines.push(line);
    bytes += toBinary(BatchLineSchema, line).byteLength;
    if (bytes >= MESSAGE_BYTES) {
      yield packed();
      lines = [];
      bytes = 0;
    }
  }
  if (lines.length > 0) yield packed();
}
