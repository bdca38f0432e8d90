/** How the gateway is reached, and what goes along with each call. */

import { connect as connectSocket } from "node:net";
import type { Interceptor, Transport } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";

/** TLS to the gateway: PEM texts. `certificate` and `key` are the caller's own, for mutual TLS. */
export interface Tls {
  readonly ca?: string | Buffer;
  readonly certificate?: string | Buffer;
  readonly key?: string | Buffer;
  /** The name to look for in the gateway's certificate, where it is not the address's. */
  readonly serverName?: string;
}

/** Who calls, and which provider is meant. */
export interface Identity {
  /** The profile that calls mean which name none. */
  readonly provider?: string;
  /** Sent as `authorization: Bearer …`. */
  readonly token?: string;
  /** The caller's own key, for a profile with `caller_credentials`. */
  readonly providerKey?: string;
  /** More metadata of each call, such as `{ "x-request-id": "…" }`. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** The transport to an address, `host:port` or `unix:/path`. */
export function openTransport(
  address: string,
  tls: Tls | undefined,
  interceptors: Interceptor[] = [],
): Transport {
  const path = address.startsWith("unix:") ? address.slice("unix:".length) : undefined;
  return createGrpcTransport({
    baseUrl: `${tls ? "https" : "http"}://${path ? "localhost" : address}`,
    interceptors,
    // A watch is silent for up to 30 s; a dead connection is noticed soon after that.
    pingIntervalMs: 40_000,
    pingTimeoutMs: 20_000,
    nodeOptions: {
      ...(path ? { createConnection: () => connectSocket(path) } : {}),
      ...(tls?.ca !== undefined ? { ca: tls.ca } : {}),
      ...(tls?.certificate !== undefined ? { cert: tls.certificate } : {}),
      ...(tls?.key !== undefined ? { key: tls.key } : {}),
      ...(tls?.serverName !== undefined ? { servername: tls.serverName } : {}),
    },
  });
}

/** The headers of a call. */
export function headersOf(identity: Identity): Record<string, string> {
  return {
    ...(identity.token ? { authorization: `Bearer ${identity.token}` } : {}),
    ...(identity.providerKey ? { "x-provider-key": identity.providerKey } : {}),
    ...identity.metadata,
  };
}
