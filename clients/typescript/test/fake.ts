/** A BatchService made for one test, and a client of it. */

import { createServer } from "node:http2";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { ErrorInfoSchema, RetryInfoSchema } from "../src/gen/google/rpc/error_details_pb.js";
import { BatchgateClient, BatchService, type ClientOptions } from "../src/index.js";

export async function served(
  t: TestContext,
  service: Partial<ServiceImpl<typeof BatchService>>,
  options: ClientOptions = {},
): Promise<BatchgateClient> {
  const routes = connectNodeAdapter({ routes: (router) => router.service(BatchService, service) });
  const server = createServer(routes);
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as AddressInfo;
  const client = new BatchgateClient({ address: `127.0.0.1:${port}`, ...options });
  t.after(() => {
    client.close();
    server.close();
  });
  return client;
}

/** A status with a reason of the contract, and a RetryInfo where waiting helps. */
export function refusal(code: Code, reason: string, retryMs?: number): ConnectError {
  const info = { desc: ErrorInfoSchema, value: { reason, domain: "batchgate" } };
  const retryDelay = durationFromMs(retryMs ?? 0);
  const retry = { desc: RetryInfoSchema, value: create(RetryInfoSchema, { retryDelay }) };
  const details = retryMs === undefined ? [info] : [info, retry];
  return new ConnectError("not now", code, undefined, reason ? details : []);
}

export const { ResourceExhausted, Unavailable, Unknown } = Code;
