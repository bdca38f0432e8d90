package io.batchgate;

import com.google.protobuf.ByteString;
import io.batchgate.v1.BatchResult;
import io.batchgate.v1.StreamBatchResultsResponse;
import io.grpc.Status;
import java.util.ArrayList;
import java.util.List;

/**
 * Makes whole rows of those that are cut over several messages, and knows where to resume: at the token
 * of the last message that ended with a whole row, past the rows that came since.
 */
final class RowJoiner {
  // More than any row's body has: the contract ends rows at 64 MiB.
  private static final long MAX_BODY_BYTES = 65L << 20;

  private String token;
  // Whole rows since the token; those of them that are to come again after a restart.
  private int since;
  private int skip;
  private final List<BatchResult> parts = new ArrayList<>();
  private long bytes;

  RowJoiner(String token) {
    this.token = token;
  }

  String token() {
    return token;
  }

  /** For a call that resumes at the token: a partial row comes anew. */
  void restart() {
    skip = since;
    clear();
  }

  /** The rows of the next message that are whole now and were not given out before. */
  List<BatchResult> add(StreamBatchResultsResponse message) {
    List<BatchResult> whole = new ArrayList<>(message.getResultsCount());
    for (BatchResult row : message.getResultsList()) {
      append(row);
      if (row.getBodyContinues()) {
        continue;
      }
      BatchResult joined = joined(row);
      if (skip > 0) {
        skip--;
      } else {
        since++;
        whole.add(joined);
      }
    }
    if (parts.isEmpty() && !message.getResumeToken().isEmpty()) {
      token = message.getResumeToken();
      since = 0;
      skip = 0;
    }
    return whole;
  }

  /** Fails where a row lacks its last part. */
  void end() {
    if (!parts.isEmpty()) {
      throw broken(parts.get(0), "its last part is missing");
    }
  }

  private void append(BatchResult row) {
    if (!parts.isEmpty()) {
      BatchResult first = parts.get(0);
      if (!row.getCustomId().equals(first.getCustomId()) || row.getLine() != first.getLine()) {
        throw broken(first, "its next part is missing");
      }
    }
    parts.add(row);
    bytes += row.getResponse().getBodyJsonBytes().size();
    if (bytes > MAX_BODY_BYTES) {
      throw broken(row, "its body is over 64 MiB");
    }
  }

  private BatchResult joined(BatchResult last) {
    BatchResult whole = last;
    if (parts.size() > 1) {
      List<ByteString> bodies =
          parts.stream().map(part -> part.getResponse().getBodyJsonBytes()).toList();
      BatchResult.Builder builder = last.toBuilder();
      builder.getResponseBuilder().setBodyJsonBytes(ByteString.copyFrom(bodies));
      whole = builder.build();
    }
    clear();
    return whole;
  }

  private void clear() {
    parts.clear();
    bytes = 0;
  }

  private static RuntimeException broken(BatchResult row, String what) {
    String message = "row \"%s\", line %d: %s".formatted(row.getCustomId(), row.getLine(), what);
    return BatchgateException.of(
        Status.DATA_LOSS.withDescription(message).asRuntimeException());
  }
}
