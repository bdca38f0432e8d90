package io.batchgate;

import io.grpc.ChannelCredentials;
import io.grpc.InsecureChannelCredentials;
import io.grpc.TlsChannelCredentials;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;

/** Makes a {@link BatchgateClient}. It connects with the first call. */
public final class ClientBuilder {
  private final String address;
  private Settings settings = Settings.DEFAULT;
  private ChannelCredentials credentials = InsecureChannelCredentials.create();
  private String authority = "";

  ClientBuilder(String address) {
    this.address = address;
  }

  /** The profile that calls mean which name none. */
  public ClientBuilder provider(String name) {
    settings = settings.withProvider(name);
    return this;
  }

  /** The caller's token, sent as {@code authorization: Bearer …}. */
  public ClientBuilder token(String token) {
    settings = settings.withToken(token);
    return this;
  }

  /** The caller's own key, for a profile with {@code caller_credentials}. */
  public ClientBuilder providerKey(String key) {
    settings = settings.withProviderKey(key);
    return this;
  }

  /** Metadata of each call. */
  public ClientBuilder metadata(String key, String value) {
    settings = settings.withMetadata(key, value);
    return this;
  }

  /** Deadline of unary calls; a minute unless set. Streams have that of gRPC's Context alone. */
  public ClientBuilder timeout(Duration timeout) {
    settings = settings.withTimeout(timeout);
    return this;
  }

  /** For how long failures of a stream may follow each other; five minutes unless set. */
  public ClientBuilder patience(Duration patience) {
    settings = settings.withPatience(patience);
    return this;
  }

  /**
   * How often in a row a call or a stream is retried; 0 means never. Unless set, a call is retried four
   * times within its deadline, and a stream for as long as its patience lasts.
   */
  public ClientBuilder maxRetries(int retries) {
    settings = settings.withMaxRetries(retries);
    return this;
  }

  /** TLS with the system's authorities. */
  public ClientBuilder tls() {
    credentials = TlsChannelCredentials.create();
    return this;
  }

  /** TLS with the authorities in a PEM file. */
  public ClientBuilder tls(Path ca) throws IOException {
    credentials = TlsChannelCredentials.newBuilder().trustManager(ca.toFile()).build();
    return this;
  }

  /** Mutual TLS: the authorities, and the caller's own certificate with its key, as PEM files. */
  public ClientBuilder tls(Path ca, Path certificate, Path key) throws IOException {
    credentials =
        TlsChannelCredentials.newBuilder()
            .trustManager(ca.toFile())
            .keyManager(certificate.toFile(), key.toFile())
            .build();
    return this;
  }

  /** TLS as the environment's files say, of which each may be null. */
  ClientBuilder tlsFiles(Path ca, Path certificate, Path key) throws IOException {
    var tls = TlsChannelCredentials.newBuilder();
    if (ca != null) {
      tls.trustManager(ca.toFile());
    }
    if (certificate != null) {
      tls.keyManager(certificate.toFile(), key.toFile());
    }
    credentials = tls.build();
    return this;
  }

  /** The name to look for in the gateway's certificate, where it is not the address's. */
  public ClientBuilder serverName(String name) {
    authority = name;
    return this;
  }

  /** The client. */
  public BatchgateClient build() {
    return new BatchgateClient(new Connection(address, credentials, authority), settings);
  }
}
