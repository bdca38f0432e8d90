package io.batchgate;

import io.grpc.ChannelCredentials;
import io.grpc.Grpc;
import io.grpc.ManagedChannel;
import java.util.concurrent.TimeUnit;

/** The channel to a gateway. */
final class Connection implements AutoCloseable {
  private static final int MAX_MESSAGE_BYTES = 16 << 20;
  private static final int KEEPALIVE_SECONDS = 40;
  private static final int KEEPALIVE_TIMEOUT_SECONDS = 20;
  private static final int CLOSE_SECONDS = 5;

  private final ManagedChannel channel;

  Connection(String address, ChannelCredentials credentials, String authority) {
    var builder =
        Grpc.newChannelBuilder(address, credentials)
            .maxInboundMessageSize(MAX_MESSAGE_BYTES)
            // A watch is silent for up to 30 s; a dead connection is noticed soon after that.
            .keepAliveTime(KEEPALIVE_SECONDS, TimeUnit.SECONDS)
            .keepAliveTimeout(KEEPALIVE_TIMEOUT_SECONDS, TimeUnit.SECONDS);
    if (!authority.isEmpty()) {
      builder.overrideAuthority(authority);
    }
    channel = builder.build();
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
