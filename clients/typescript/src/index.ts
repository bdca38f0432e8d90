/** The TypeScript client of batchgate. */

export type { Options } from "./calls.js";
export { BatchgateClient, type ClientOptions, type UploadOptions } from "./client.js";
export type { Identity, Tls } from "./connection.js";
export { BatchgateError, errorOf, type Violation } from "./errors.js";
export * from "./gen/batchgate/v1/batch_pb.js";
export * from "./gen/batchgate/v1/batch_service_pb.js";
export * from "./gen/batchgate/v1/error_reason_pb.js";
export * from "./gen/batchgate/v1/file_pb.js";
export * from "./gen/batchgate/v1/file_service_pb.js";
export * from "./gen/batchgate/v1/provider_service_pb.js";
export { toJson } from "./json.js";
export { Results } from "./results.js";
export type { Row, Rows } from "./rows.js";
export type { Source } from "./sources.js";
