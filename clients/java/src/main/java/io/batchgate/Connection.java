package io.batchgate;

import io.grpc.ChannelCredentials;
import io.grpc.Grpc;
import io.grpc.ManagedChannel;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** The channel to a gateway. */
final class Connection implements AutoCloseable {
  private static final int MAX_MESSAGE_BYTES = 16 << 20;
  private static final int KEEPALIVE_SECONDS = 40;
  private static final int KEEPALIVE_TIMEOUT_SECONDS = 20;
  private static final int CLOSE_SECONDS = 5;

  // Calls that change nothing: what a gateway in a restart does not answer is asked again. One that
  // comes in the moment of its stop is CANCELLED by gRPC, unread.
  private static final Map<String, List<String>> READS =
      Map.of(
          "batchgate.v1.FileService", List.of("GetFile", "ListFiles"),
          "batchgate.v1.BatchService", List.of("GetBatch", "ListBatches", "WaitBatch"),
          "batchgate.v1.ProviderService", List.of("ListProviders"));
  private static final Map<String, Object> RETRY_POLICY =
      Map.of(
          "maxAttempts", 4.0,
          "initialBackoff", "0.2s",
          "maxBackoff", "3s",
          "backoffMultiplier", 3.0,
          "retryableStatusCodes", List.of("UNAVAILABLE", "CANCELLED"));

  private final ManagedChannel channel;

  Connection(String address, ChannelCredentials credentials, String authority) {
    var builder =
        Grpc.newChannelBuilder(address, credentials)
            .defaultServiceConfig(serviceConfig())
            .enableRetry()
            .maxInboundMessageSize(MAX_MESSAGE_BYTES)
            // A watch is silent for up to 30 s; a dead connection is noticed soon after that.
            .keepAliveTime(KEEPALIVE_SECONDS, TimeUnit.SECONDS)
            .keepAliveTimeout(KEEPALIVE_TIMEOUT_SECONDS, TimeUnit.SECONDS);
    if (!authority.isEmpty()) {
      builder.overrideAuthority(authority);
    }
    channel = builder.build();
  }

  private static Map<String, Object> serviceConfig() {
    List<Map<String, String>> names =
        READS.entrySet().stream()
            .flatMap(
                service ->
                    service.getValue().stream()
                        .map(method -> Map.of("service", service.getKey(), "method", method)))
            .toList();
    return Map.of("methodConfig", List.of(Map.of("name", names, "retryPolicy", RETRY_POLICY)));
  }

  ManagedChannel channel() {
    return channel;
  }

  boolean closed() {
    return channel.isShutdown();
  }

  @Override
  public void close() {
    channel.shutdown();
    try {
      if (!channel.awaitTermination(CLOSE_SECONDS, TimeUnit.SECONDS)) {
        channel.shutdownNow();
      }
    } catch (InterruptedException interrupted) {
      channel.shutdownNow();
      Thread.currentThread().interrupt();
    }
  }
}
