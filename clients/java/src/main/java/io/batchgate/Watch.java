package io.batchgate;

import io.batchgate.v1.Batch;
import io.batchgate.v1.WatchBatchResponse;
import io.batchgate.v1.WatchEvent;
import java.util.Iterator;
import java.util.NoSuchElementException;

/** What happens to a batch, to its end. */
public final class Watch implements Iterator<WatchBatchResponse>, AutoCloseable {
  private final ResumingIterator<WatchBatchResponse> messages;
  private Batch seen;
  private WatchBatchResponse next;

  Watch(ResumingIterator<WatchBatchResponse> messages) {
    this.messages = messages;
  }

  /**
   * Whether more happens; waits for it.
   *
   * @throws BatchgateException the watch failed, and going on does not help
   */
  @Override
  public boolean hasNext() {
    while (next == null && messages.hasNext()) {
      WatchBatchResponse news = messages.next();
      boolean again = seen != null && news.getEvent() == WatchEvent.WATCH_EVENT_SNAPSHOT;
      if (again && news.getBatch().equals(seen)) {
        continue;
      }
      seen = news.getBatch();
      next = again ? news.toBuilder().setEvent(WatchEvent.WATCH_EVENT_CHANGE).build() : news;
    }
    return next != null;
  }

  @Override
  public WatchBatchResponse next() {
    if (!hasNext()) {
      throw new NoSuchElementException();
    }
    WatchBatchResponse given = next;
    next = null;
    return given;
  }

  /** Ends the call. */
  @Override
  public void close() {
    messages.close();
  }
}
