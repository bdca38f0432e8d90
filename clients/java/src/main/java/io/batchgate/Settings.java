package io.batchgate;

import io.grpc.Channel;
import io.grpc.ClientInterceptors;
import io.grpc.Metadata;
import io.grpc.stub.MetadataUtils;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.OptionalInt;

/** Who calls, and for how long. */
record Settings(
    String provider,
    String token,
    String providerKey,
    Map<String, String> metadata,
    Duration timeout,
    Duration patience,
    OptionalInt maxRetries) {

  static final Settings DEFAULT =
      new Settings(
          "", "", "", Map.of(), Duration.ofMinutes(1), Duration.ofMinutes(5), OptionalInt.empty());

  Settings withProvider(String given) {
    return new Settings(given, token, providerKey, metadata, timeout, patience, maxRetries);
  }

  Settings withToken(String given) {
    return new Settings(provider, given, providerKey, metadata, timeout, patience, maxRetries);
  }

  Settings withProviderKey(String given) {
    return new Settings(provider, token, given, metadata, timeout, patience, maxRetries);
  }

  Settings withMetadata(String key, String value) {
    Map<String, String> more = new LinkedHashMap<>(metadata);
    more.put(key, value);
    return new Settings(provider, token, providerKey, Map.copyOf(more), timeout, patience, maxRetries);
  }

  Settings withTimeout(Duration given) {
    return new Settings(provider, token, providerKey, metadata, given, patience, maxRetries);
  }

  Settings withPatience(Duration given) {
    return new Settings(provider, token, providerKey, metadata, timeout, given, maxRetries);
  }

  Settings withMaxRetries(int given) {
    if (given < 0) {
      throw new IllegalArgumentException("maxRetries is " + given + ": give at least 0");
    }
    return new Settings(
        provider, token, providerKey, metadata, timeout, patience, OptionalInt.of(given));
  }

  /** The channel whose calls carry what is known of the caller. */
  Channel attached(Channel channel) {
    Metadata headers = new Metadata();
    metadata.forEach((key, value) -> put(headers, key, value));
    if (!token.isEmpty()) {
      put(headers, "authorization", "Bearer " + token);
    }
    if (!providerKey.isEmpty()) {
      put(headers, "x-provider-key", providerKey);
    }
    return ClientInterceptors.intercept(
        channel, MetadataUtils.newAttachHeadersInterceptor(headers));
  }

  private static void put(Metadata headers, String key, String value) {
    headers.put(Metadata.Key.of(key, Metadata.ASCII_STRING_MARSHALLER), value);
  }

  /** Without secrets. */
  @Override
  public String toString() {
    return "Settings[provider=" + provider + "]";
  }
}
