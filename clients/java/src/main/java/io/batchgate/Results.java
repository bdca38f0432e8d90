package io.batchgate;

import io.batchgate.v1.BatchResult;
import io.batchgate.v1.StreamBatchResultsRequest;
import io.batchgate.v1.StreamBatchResultsResponse;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.function.Function;

/**
 * The rows of a batch. Where the gateway goes away in the middle, they resume: no row is lost or comes
 * twice, and one that is cut over several messages is one row. They are read once.
 */
public final class Results implements Iterator<BatchResult>, AutoCloseable {
  private final ResumingIterator<StreamBatchResultsResponse> messages;
  private final RowJoiner joiner;
  private String token;
  private List<BatchResult> rows = List.of();
  private int given;

  Results(
      StreamBatchResultsRequest request,
      Function<StreamBatchResultsRequest, Iterator<StreamBatchResultsResponse>> call,
      Patience patience) {
    token = request.getResumeToken();
    joiner = new RowJoiner(token);
    messages =
        new ResumingIterator<>(
            () -> {
              joiner.restart();
              return call.apply(request.toBuilder().setResumeToken(joiner.token()).build());
            },
            patience);
  }

  /**
   * Resumes, in another process too, after the last message whose rows have all been given out; rows
   * given out since then come again.
   */
  public String resumeToken() {
    return token;
  }

  /**
   * Whether another row comes; waits for it.
   *
   * @throws BatchgateException {@code BATCH_NOT_FINISHED} among others
   */
  @Override
  public boolean hasNext() {
    while (given == rows.size() && messages.hasNext()) {
      rows = joined(messages.next());
      given = 0;
      if (rows.isEmpty()) {
        token = joiner.token();
      }
    }
    if (given == rows.size()) {
      joiner.end();
    }
    return given < rows.size();
  }

  private List<BatchResult> joined(StreamBatchResultsResponse message) {
    try {
      return joiner.add(message);
    } catch (BatchgateException broken) {
      close();
      throw broken;
    }
  }

  @Override
  public BatchResult next() {
    if (!hasNext()) {
      throw new NoSuchElementException();
    }
    BatchResult row = rows.get(given);
    given++;
    if (given == rows.size()) {
      token = joiner.token();
    }
    return row;
  }

  /** Ends the call. */
  @Override
  public void close() {
    joiner.restart();
    messages.close();
  }
}
