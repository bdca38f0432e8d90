/** Messages as JSON: their int64 fields are BigInts, which JSON.stringify refuses. */

import { createRegistry, type JsonValue, type Message, toJson as write } from "@bufbuild/protobuf";
import {
  file_google_protobuf_duration,
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
} from "@bufbuild/protobuf/wkt";
import type { Interceptor } from "@connectrpc/connect";
import { file_batchgate_v1_batch } from "./gen/batchgate/v1/batch_pb.js";
import { file_batchgate_v1_batch_service } from "./gen/batchgate/v1/batch_service_pb.js";
import { file_batchgate_v1_file } from "./gen/batchgate/v1/file_pb.js";
import { file_batchgate_v1_file_service } from "./gen/batchgate/v1/file_service_pb.js";
import { file_batchgate_v1_provider_service } from "./gen/batchgate/v1/provider_service_pb.js";

const REGISTRY = createRegistry(
  file_batchgate_v1_batch,
  file_batchgate_v1_batch_service,
  file_batchgate_v1_file,
  file_batchgate_v1_file_service,
  file_batchgate_v1_provider_service,
  file_google_protobuf_duration,
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
);

/** A message of the contract as protobuf's JSON, in which an int64 is a string of digits. */
export function toJson(message: Message): JsonValue {
  const schema = REGISTRY.getMessage(message.$typeName);
  if (!schema) throw new TypeError(`${message.$typeName} is not a message of batchgate.v1`);
  return write(schema, message);
}

/** Lets JSON.stringify write the messages of all responses, and those within them. */
export const withJson: Interceptor = (next) => async (request) => {
  const response = await next(request);
  if (!response.stream) {
    makeWritable(response.message);
    return response;
  }
  return { ...response, message: eachWritable(response.message) };
};

async function* eachWritable<M extends Message>(messages: AsyncIterable<M>): AsyncIterable<M> {
  for await (const message of messages) {
    makeWritable(message);
    yield message;
  }
}

function asJson(this: Message): JsonValue {
  return toJson(this);
}

function makeWritable(value: unknown): void {
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return;
  for (const member of Object.values(value)) makeWritable(member);
  if ("$typeName" in value && REGISTRY.getMessage(String(value.$typeName))) {
    Object.defineProperty(value, "toJSON", { value: asJson, configurable: true });
  }
}
