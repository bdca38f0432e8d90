package io.batchgate;

import io.grpc.Context;
import io.grpc.Deadline;
import io.grpc.Status;
import java.time.Duration;
import java.util.OptionalInt;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;

/** Counts what has failed since a call last brought something, and says what is retried. */
final class Patience {
  private static final Duration FIRST_PAUSE = Duration.ofMillis(200);
  private static final Duration LONGEST_PAUSE = Duration.ofSeconds(10);
  // Before a gateway has answered, a wrong address is more likely than a restart.
  private static final Duration FIRST_CONTACT = Duration.ofSeconds(5);
  private static final int DOUBLINGS = 6;
  private static final int CALL_RETRIES = 4;

  private final Duration limit;
  private final int maxRetries;
  private final Duration firstContact;
  private final Connection connection;
  private long began = System.nanoTime();
  private boolean contact;
  private int failures;

  private Patience(
      Duration limit, int maxRetries, Duration firstContact, Connection connection) {
    this.limit = limit;
    this.maxRetries = maxRetries;
    this.firstContact = firstContact;
    this.connection = connection;
  }

  /** For a stream: {@code limit} is how long failures may follow each other. */
  static Patience ofStream(Duration limit, OptionalInt maxRetries, Connection connection) {
    return new Patience(
        limit, maxRetries.orElse(Integer.MAX_VALUE), FIRST_CONTACT, connection);
  }

  /** For a unary call that is safe to repeat, within its deadline. */
  static Patience ofCall(Duration timeout, OptionalInt maxRetries, Connection connection) {
    return new Patience(timeout, maxRetries.orElse(CALL_RETRIES), timeout, connection);
  }

  /** Something came. */
  void progress() {
    contact = true;
    failures = 0;
  }

  /**
   * Waits before the call is made again, but not beyond the end of {@code caller}.
   *
   * @throws BatchgateException where that does not help, or has been tried for long
   */
  void pause(BatchgateException error, Context caller) {
    if (!passes(error) || caller.isCancelled() || connection.closed()) {
      throw error;
    }
    long now = System.nanoTime();
    if (failures == 0 && contact) {
      began = now;
    }
    failures++;
    if (failures > maxRetries) {
      throw error;
    }
    // A reason of the contract shows that the address is a gateway's.
    boolean known = contact || !error.reason().isEmpty();
    Duration bound = known || limit.compareTo(firstContact) < 0 ? limit : firstContact;
    long pause = pauseAfter(error, began + bound.toNanos() - now);
    Deadline deadline = caller.getDeadline();
    long left = deadline == null ? pause : deadline.timeRemaining(TimeUnit.NANOSECONDS);
    sleep(Math.max(Math.min(pause, left), 0));
    // gRPC would wait longer and longer before it tries the address again.
    connection.channel().resetConnectBackoff();
  }

  /** Random, so that the many clients of one gateway do not come back in step. */
  private long pauseAfter(BatchgateException error, long left) {
    Duration growing = FIRST_PAUSE.multipliedBy(1L << Math.min(failures - 1, DOUBLINGS));
    long longest = Math.min(growing.toNanos(), LONGEST_PAUSE.toNanos());
    ThreadLocalRandom random = ThreadLocalRandom.current();
    if (error.retryAfter().isEmpty()) {
      long pause = longest / 2 + random.nextLong(longest / 2 + 1);
      if (pause > left) {
        throw error;
      }
      return pause;
    }
    long least = error.retryAfter().get().toNanos();
    if (least > left) {
      throw error;
    }
    return Math.min(least + random.nextLong(Math.max(longest, least / 2) + 1), left);
  }

  private static void sleep(long nanos) {
    try {
      Thread.sleep(nanos / 1_000_000, (int) (nanos % 1_000_000));
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
      throw BatchgateException.of(
          Status.CANCELLED.withDescription("interrupted").asRuntimeException());
    }
  }

  /**
   * Whether the failure may be gone when tried again: where the gateway says when (RetryInfo), or
   * somebody is UNAVAILABLE. Without a reason of the contract the connection was lost, or something on
   * the way; CANCELLED, which the caller was not, is a call that arrived while the gateway stopped.
   */
  private static boolean passes(BatchgateException error) {
    if (error.reason().equals("OUTCOME_UNKNOWN")) {
      return false;
    }
    if (error.retryAfter().isPresent()) {
      return true;
    }
    return switch (error.code()) {
      case UNAVAILABLE -> true;
      case INTERNAL, UNKNOWN, CANCELLED -> error.reason().isEmpty();
      default -> false;
    };
  }
}
