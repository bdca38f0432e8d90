/** How the gateway is reached, and what goes along with each call. */

import { connect as connectSocket } from "node:net";
import { Code, ConnectError, type Interceptor, type Transport } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { withJson } from "./json.js";

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

/** The way to an address, `host:port` or `unix:/path`. It is opened by the first call. */
export class Connection {
  readonly transport: Transport;
  readonly #sessions: Http2SessionManager;
  readonly #closing = new AbortController();

  constructor(address: string, tls: Tls | undefined) {
    const path = address.startsWith("unix:") ? address.slice("unix:".length) : undefined;
    const baseUrl = `${tls ? "https" : "http"}://${path ? "localhost" : address}`;
    this.#sessions = new Http2SessionManager(
      baseUrl,
      // A watch is silent for up to 30 s; a dead connection is noticed soon after that.
      { pingIntervalMs: 40_000, pingTimeoutMs: 20_000 },
      {
        ...(path ? { createConnection: () => connectSocket(path) } : {}),
        ...(tls?.ca !== undefined ? { ca: tls.ca } : {}),
        ...(tls?.certificate !== undefined ? { cert: tls.certificate } : {}),
        ...(tls?.key !== undefined ? { key: tls.key } : {}),
        ...(tls?.serverName !== undefined ? { servername: tls.serverName } : {}),
      },
    );
    const whileOpen: Interceptor = (next) => async (request) => {
      if (this.closing.aborted) throw new ConnectError("the client is closed", Code.Canceled);
      return await next(request);
    };
    this.transport = createGrpcTransport({
      baseUrl,
      interceptors: [whileOpen, withJson],
      sessionManager: this.#sessions,
    });
  }

  /** Aborted once it is closed. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  /** Ends the calls that run, and refuses others. */
  close(): void {
    this.#closing.abort();
    this.#sessions.abort(new ConnectError("the client is closed", Code.Canceled));
  }
}

/** The headers of a call. */
export function headersOf(identity: Identity): Record<string, string> {
  return {
    ...(identity.token ? { authorization: `Bearer ${identity.token}` } : {}),
    ...(identity.providerKey ? { "x-provider-key": identity.providerKey } : {}),
    ...identity.metadata,
  };
}
