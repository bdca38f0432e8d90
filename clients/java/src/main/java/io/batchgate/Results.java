package io.batchgate;

import io.batchgate.v1.BatchResult;
import io.batchgate.v1.StreamBatchResultsRequest;
import io.batchgate.v1.StreamBatchResultsResponse;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.function.Function;

/**
 * The rows of a batch. Where the gateway goes away in the middle, they go on: no row is lost or comes
 * twice. They are read once.
 */
public final class Results implements Iterator<BatchResult>, AutoCloseable {
  private final ResumingIterator<StreamBatchResultsResponse> messages;
  // Where the next call goes on.
  private String position;
  private String token;
  private List<BatchResult> rows = List.of();
  private int given;

  Results(
      StreamBatchResultsRequest request,
      Function<StreamBatchResultsRequest, Iterator<StreamBatchResultsResponse>> call,
      Patience patience) {
    position = request.getResumeToken();
    token = position;
    messages =
        new ResumingIterator<>(
            () -> call.apply(request.toBuilder().setResumeToken(position).build()), patience);
  }

  /**
   * Goes on, in another process too, after the last message whose rows have all been given out; rows
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
      StreamBatchResultsResponse message = messages.next();
      if (!message.getResumeToken().isEmpty()) {
        position = message.getResumeToken();
      }
      rows = message.getResultsList();
      given = 0;
      if (rows.isEmpty()) {
        token = position;
      }
    }
    return given < rows.size();
  }

  @Override
  public BatchResult next() {
    if (!hasNext()) {
      throw new NoSuchElementException();
    }
    BatchResult row = rows.get(given);
    given++;
    if (given == rows.size()) {
      token = position;
    }
    return row;
  }

  /** Ends the call. */
  @Override
  public void close() {
    messages.close();
  }
}
