package io.batchgate;

import io.grpc.Context;
import java.util.Iterator;
import java.util.NoSuchElementException;
import java.util.function.Supplier;

/**
 * The messages of a stream that is begun anew where it breaks off. Closing it ends the call; reading
 * to its end does too.
 *
 * @param <T> what it gives
 */
public class ResumingIterator<T> implements Iterator<T>, AutoCloseable {
  /** Makes the call that goes on where the messages so far have ended; null where nothing is left. */
  private final Supplier<Iterator<T>> following;

  private final Patience patience;
  // The deadline and the cancellation of whoever asked for the stream hold for all its calls.
  private final Context caller = Context.current();
  private Context.CancellableContext call;
  private Iterator<T> messages;
  private T next;
  private boolean ended;

  ResumingIterator(Supplier<Iterator<T>> following, Patience patience) {
    this.following = following;
    this.patience = patience;
  }

  /**
   * Whether another message comes; waits for it.
   *
   * @throws BatchgateException the stream failed, and going on does not help
   */
  @Override
  public boolean hasNext() {
    while (next == null && !ended) {
      try {
        read();
      } catch (RuntimeException failed) {
        stop();
        RuntimeException error = BatchgateException.of(failed);
        if (!(error instanceof BatchgateException told)) {
          ended = true;
          throw error;
        }
        pause(told);
      }
    }
    return next != null;
  }

  private void pause(BatchgateException error) {
    try {
      patience.pause(error, caller);
    } catch (BatchgateException last) {
      ended = true;
      throw last;
    }
  }

  private void read() {
    if (messages == null) {
      call = caller.withCancellation();
      Context before = call.attach();
      try {
        messages = following.get();
      } finally {
        call.detach(before);
      }
    }
    if (messages == null || !messages.hasNext()) {
      close();
      return;
    }
    next = messages.next();
    patience.progress();
  }

  @Override
  public T next() {
    if (!hasNext()) {
      throw new NoSuchElementException();
    }
    T given = next;
    next = null;
    return given;
  }

  private void stop() {
    if (call != null) {
      call.cancel(null);
    }
    call = null;
    messages = null;
  }

  /** Ends the call. */
  @Override
  public void close() {
    ended = true;
    next = null;
    stop();
  }
}
