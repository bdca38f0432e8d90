package io.batchgate;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.batchgate.v1.BatchResult;
import io.batchgate.v1.BatchResultResponse;
import io.batchgate.v1.StreamBatchResultsResponse;
import io.grpc.Status;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Rows that are cut over several messages, against a gateway made for each test. */
class RowsTest {
  /** A row of which more follows if its text ends with "~". */
  private static BatchResult part(String id, long line, String text) {
    boolean continues = text.endsWith("~");
    String body = continues ? text.substring(0, text.length() - 1) : text;
    return BatchResult.newBuilder()
        .setCustomId(id)
        .setLine(line)
        .setBodyContinues(continues)
        .setResponse(BatchResultResponse.newBuilder().setStatusCode(200).setBodyJson(body))
        .build();
  }

  private static StreamBatchResultsResponse rows(String token, BatchResult... rows) {
    return StreamBatchResultsResponse.newBuilder()
        .addAllResults(List.of(rows))
        .setResumeToken(token)
        .build();
  }

  @Test
  void aRowThatIsCutOverMessagesIsOneRow() throws Exception {
    // Each list ends with a break, but the last: what was whole does not come again, the rest does.
    var calls =
        List.of(
            List.of(
                rows("", part("a", 1, "1"), part("b", 2, "é~")),
                rows("", part("b", 2, "行~")),
                rows("after b", part("b", 2, "🚀")),
                rows("after b", part("c", 3, "3"), part("d", 4, "4~"))),
            List.of(
                rows("after b", part("c", 3, "3"), part("d", 4, "4~")),
                rows("after b", part("d", 4, "5~"))),
            List.of(
                rows("after b", part("c", 3, "3"), part("d", 4, "45~")),
                rows("after d", part("d", 4, "6")),
                rows("after e", part("e", 5, "7"))));
    List<String> seen = new ArrayList<>();
    List<String> tokens = new ArrayList<>();
    try (FakeGateway gateway = new FakeGateway(calls);
        BatchgateClient client = BatchgateClient.of(gateway.address());
        Results results = client.results("batch_a")) {
      while (results.hasNext()) {
        BatchResult row = results.next();
        assertFalse(row.getBodyContinues());
        seen.add(row.getCustomId() + row.getResponse().getBodyJson());
        tokens.add(results.resumeToken());
      }
      assertEquals(List.of("a1", "bé行🚀", "c3", "d456", "e7"), seen);
      assertEquals(List.of("", "after b", "after b", "after d", "after e"), tokens);
      assertEquals(List.of("", "after b", "after b"), gateway.tokens);
    }
  }

  @Test
  void aLargeRowIsJoinedAndOneWithoutBoundIsNot() throws Exception {
    String longText = "x".repeat((1 << 20) - 1);
    List<StreamBatchResultsResponse> parts = new ArrayList<>();
    for (int n = 0; n < 60; n++) {
      parts.add(rows("", part("a", 1, n % 10 + longText + "~")));
    }
    var end = rows("end", part("a", 1, "!"));
    List<StreamBatchResultsResponse> whole = new ArrayList<>(parts);
    whole.add(end);
    try (FakeGateway gateway = new FakeGateway(List.of(whole));
        BatchgateClient client = BatchgateClient.of(gateway.address());
        Results results = client.results("batch_a")) {
      String body = results.next().getResponse().getBodyJson();
      assertEquals(60 * (1 << 20) + 1, body.length());
      assertEquals('1', body.charAt(11 << 20));
      assertTrue(body.endsWith("x!"));
      assertFalse(results.hasNext());
    }
    List<StreamBatchResultsResponse> without = new ArrayList<>(parts);
    without.addAll(parts.subList(0, 6));
    refused(without, "over 64 MiB");
    refused(List.of(parts.get(0), rows("", part("b", 2, "!"))), "next part");
    refused(List.of(parts.get(0)), "last part");
  }

  private static void refused(List<StreamBatchResultsResponse> messages, String why)
      throws Exception {
    try (FakeGateway gateway = new FakeGateway(List.of(messages));
        BatchgateClient client = BatchgateClient.of(gateway.address());
        Results results = client.results("batch_a")) {
      var error =
          assertThrows(BatchgateException.class, () -> results.forEachRemaining(row -> {}));
      assertEquals(Status.Code.DATA_LOSS, error.code());
      assertTrue(error.getMessage().contains(why), error.getMessage());
    }
  }
}
