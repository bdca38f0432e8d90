/** The settings of a client in environment variables, the same as those of all other clients. */

import { readFileSync } from "node:fs";
import type { Identity, Tls } from "./connection.js";

const ON = new Set(["1", "true", "on"]);
const OFF = new Set(["0", "false", "off"]);

type Environment = Readonly<Record<string, string | undefined>>;

/** What `BATCHGATE_*` say; throws where they make no sense, or name a file that cannot be read. */
export function environmentOptions(
  environment: Environment,
): Identity & { readonly address?: string; readonly tls?: Tls } {
  const given = (name: string) => environment[`BATCHGATE_${name}`] || undefined;
  const address = given("ADDRESS");
  const provider = given("PROVIDER");
  const token = given("TOKEN") ?? contentOf("TOKEN_FILE", given("TOKEN_FILE"))?.trim();
  const tls = tlsOf(given);
  return {
    ...(address ? { address } : {}),
    ...(provider ? { provider } : {}),
    ...(token ? { token } : {}),
    ...(tls ? { tls } : {}),
  };
}

function tlsOf(given: (name: string) => string | undefined): Tls | undefined {
  const [ca, certificate, key] = [given("TLS_CA"), given("TLS_CERT"), given("TLS_KEY")];
  const wanted = given("TLS");
  const files = [ca, certificate, key].some(Boolean);
  const word = wanted?.toLowerCase() ?? (files ? "on" : "off");
  if (OFF.has(word)) {
    if (!files) return undefined;
    // Plaintext by mistake would show the token.
    throw new Error("BATCHGATE_TLS is off, and a file of BATCHGATE_TLS_* asks for TLS: unset one");
  }
  if (!ON.has(word)) {
    throw new Error(`BATCHGATE_TLS is "${wanted}": give 1, true or on, or 0, false or off`);
  }
  if (Boolean(certificate) !== Boolean(key)) {
    throw new Error("BATCHGATE_TLS_CERT and BATCHGATE_TLS_KEY go together: give both, or neither");
  }
  const paths = { ca, certificate, key };
  const names = { ca: "TLS_CA", certificate: "TLS_CERT", key: "TLS_KEY" };
  const texts = Object.entries(paths)
    .filter(([, path]) => path)
    .map(([name, path]) => [name, contentOf(names[name as keyof typeof names], path)]);
  return Object.fromEntries(texts) as Tls;
}

function contentOf(name: string, path: string | undefined): string | undefined {
  if (!path) return undefined;
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new Error(`BATCHGATE_${name}: ${(cause as Error).message}`, { cause });
  }
}
