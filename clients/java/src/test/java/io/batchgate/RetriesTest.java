package io.batchgate;

import static io.batchgate.FakeGateway.refusal;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.batchgate.v1.CreateBatchRequest;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.time.Duration;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** What is retried, against a gateway made for each test. */
class RetriesTest {
  private static final int BY_DEFAULT = -1;

  static Stream<Arguments> cases() {
    Consumer<BatchgateClient> get = client -> client.getBatch("batch_a");
    Consumer<BatchgateClient> watch =
        client -> client.watchBatch("batch_a").forEachRemaining(news -> {});
    var limit = refusal(Status.RESOURCE_EXHAUSTED, "CALLER_LIMIT", 0);
    var used = refusal(Status.RESOURCE_EXHAUSTED, "PROVIDER_QUOTA_EXCEEDED", -1);
    var draining = refusal(Status.UNAVAILABLE, "SERVER_DRAINING", -1);
    var unknown = refusal(Status.UNKNOWN, "OUTCOME_UNKNOWN", 0);
    return Stream.of(
        Arguments.of("a watch over a limit", watch, limit, BY_DEFAULT, 4, "OK"),
        Arguments.of("a read over a limit", get, limit, BY_DEFAULT, 4, "OK"),
        Arguments.of("a read of a gateway that stops", get, draining, BY_DEFAULT, 4, "OK"),
        Arguments.of("with a request id", creation("mine"), limit, BY_DEFAULT, 4, "OK"),
        Arguments.of("without", creation(""), limit, BY_DEFAULT, 1, "RESOURCE_EXHAUSTED"),
        Arguments.of("may have been", creation("mine"), unknown, BY_DEFAULT, 1, "UNKNOWN"),
        Arguments.of("a used-up quota", watch, used, BY_DEFAULT, 1, "RESOURCE_EXHAUSTED"),
        Arguments.of("a used-up quota, read", get, used, BY_DEFAULT, 1, "RESOURCE_EXHAUSTED"),
        Arguments.of("a watch that is never retried", watch, limit, 0, 1, "RESOURCE_EXHAUSTED"),
        Arguments.of("a watch that is retried twice", watch, limit, 2, 3, "RESOURCE_EXHAUSTED"),
        Arguments.of("a read that is never retried", get, draining, 0, 1, "UNAVAILABLE"));
  }

  private static Consumer<BatchgateClient> creation(String requestId) {
    var request = CreateBatchRequest.newBuilder().setRequestId(requestId).build();
    return client -> client.createBatch(request);
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("cases")
  void whatTheGatewaySaysPassesIsRetriedAndNothingElse(
      String name,
      Consumer<BatchgateClient> call,
      StatusRuntimeException refused,
      int maxRetries,
      int calls,
      String code)
      throws Exception {
    try (FakeGateway gateway = new FakeGateway(3, refused)) {
      ClientBuilder builder = BatchgateClient.builder(gateway.address());
      if (maxRetries != BY_DEFAULT) {
        builder.maxRetries(maxRetries);
      }
      try (BatchgateClient client = builder.build()) {
        String outcome = "OK";
        try {
          call.accept(client);
        } catch (BatchgateException failed) {
          outcome = failed.code().name();
        }
        assertEquals(code, outcome);
        assertEquals(calls, gateway.calls.get());
      }
    }
  }

  @Test
  void whatTheDeadlineLeavesNoTimeForIsToldAtOnce() throws Exception {
    var refused = refusal(Status.RESOURCE_EXHAUSTED, "CALLER_LIMIT", 3600);
    try (FakeGateway gateway = new FakeGateway(9, refused);
        BatchgateClient client = BatchgateClient.of(gateway.address())) {
      var error = assertThrows(BatchgateException.class, () -> client.getBatch("batch_a"));
      assertEquals("CALLER_LIMIT", error.reason());
      var brief = client.withTimeout(Duration.ofSeconds(3));
      error = assertThrows(BatchgateException.class, () -> brief.getBatch("batch_a"));
      assertEquals("CALLER_LIMIT", error.reason());
      Watch watch = client.watchBatch("batch_a");
      assertEquals(
          "CALLER_LIMIT", assertThrows(BatchgateException.class, watch::hasNext).reason());
    }
  }

  @Test
  void closingAClientThatUsesAnothersConnectionLeavesItOpen() throws Exception {
    try (FakeGateway gateway = new FakeGateway(0, null);
        BatchgateClient client = BatchgateClient.of(gateway.address())) {
      client.withProvider("azure").close();
      assertEquals("batch_a", client.getBatch("batch_a").getId());
    }
  }

  @Test
  void retriesAreNoNegativeNumber() {
    ClientBuilder builder = BatchgateClient.builder("127.0.0.1:1");
    assertThrows(IllegalArgumentException.class, () -> builder.maxRetries(-1));
  }
}
