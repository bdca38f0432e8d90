/** The conformance program of the TypeScript client: see clients/conformance. Its argument is the run's file. */

import { readFileSync } from "node:fs";
import { BatchgateClient, BatchgateError } from "../src/index.js";
import { carryOut, type Json, type Step } from "./operations.js";

interface Run {
  readonly address?: string;
  readonly variables: Record<string, string>;
  readonly steps: Step[];
}

function filled<Value>(value: Value, variables: Record<string, string>): Value {
  // A variable's text needs no escape within JSON.
  const text = JSON.stringify(value).replace(/\$\{(\w+)\}/g, (_, name) => variables[name] ?? "");
  return JSON.parse(text) as Value;
}

function errorLine(error: BatchgateError): Json {
  const named = { violations: error.violations, quotas: error.quotas };
  const found = Object.entries(named)
    .filter(([, all]) => all.length > 0)
    .map(([name, all]) => [name, all.map(({ field }) => field)]);
  return {
    reason: error.reason,
    domain: error.domain,
    metadata: error.metadata,
    retry: error.retryAfterMs !== undefined,
    ...Object.fromEntries(found),
  };
}

async function lineOf(client: BatchgateClient, step: Step): Promise<Json> {
  try {
    const { answer, requestId } = await carryOut(client, step);
    return { code: "OK", answer, requestId };
  } catch (error) {
    if (!(error instanceof BatchgateError)) throw error;
    return { code: error.code, error: errorLine(error), requestId: error.requestId };
  }
}

function at(answer: unknown, path: string): string {
  const value = path
    .split(".")
    .reduce<unknown>((found, name) => (found as Json | undefined)?.[name], answer);
  return String(value ?? "");
}

function clientOf({ address }: Run): BatchgateClient {
  try {
    return address ? new BatchgateClient({ address }) : BatchgateClient.fromEnvironment();
  } catch (error) {
    console.error(String(error));
    process.exit(2);
  }
}

const run = JSON.parse(readFileSync(process.argv[2] as string, "utf8")) as Run;
const variables = { ...run.variables };
const client = clientOf(run);
for (const given of run.steps) {
  const { keep = {}, expect: _, ...rest } = given;
  const step = filled(rest, variables);
  const { caller = "token", headers = {} } = step;
  const token = variables[caller] ? { token: variables[caller] } : {};
  const { requestId, ...line } = await lineOf(client.using({ ...token, metadata: headers }), step);
  const told = "x-request-id" in headers && requestId ? { request_id: requestId } : {};
  console.log(JSON.stringify({ step: step.step, ...line, ...told }));
  for (const [name, path] of Object.entries(keep)) variables[name] = at(line.answer, path);
}
// The connection would keep the process.
process.exit(0);
