package io.batchgate;

import io.grpc.Context;
import io.grpc.Deadline;
import io.grpc.Status;
import java.time.Duration;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;

/** Counts what has failed since a stream last brought something. */
final class Patience {
  private static final Duration FIRST_PAUSE = Duration.ofMillis(200);
  private static final Duration LONGEST_PAUSE = Duration.ofSeconds(10);
  // Before anything has come a wrong address is more likely than a restart.
  private static final Duration FIRST_CONTACT = Duration.ofSeconds(5);
  private static final int DOUBLINGS = 6;

  private final Duration limit;
  private final BooleanSupplier closed;
  private long began = System.nanoTime();
  private boolean contact;
  private int failures;

  /** {@code closed} tells whether no more calls can be made. */
  Patience(Duration limit, BooleanSupplier closed) {
    this.limit = limit;
    this.closed = closed;
  }

  /** Something came. */
  void progress() {
    contact = true;
    failures = 0;
  }

  /**
   * Waits before the stream is begun anew, but not beyond the end of {@code caller}.
   *
   * @throws BatchgateException where that does not help, or has been tried for long
   */
  void pause(BatchgateException error, Context caller) {
    if (!passes(error) || caller.isCancelled() || closed.getAsBoolean()) {
      throw error;
    }
    long now = System.nanoTime();
    if (failures == 0 && contact) {
      began = now;
    }
    failures++;
    Duration bound = contact || limit.compareTo(FIRST_CONTACT) < 0 ? limit : FIRST_CONTACT;
    Duration longest = FIRST_PAUSE.multipliedBy(1L << Math.min(failures - 1, DOUBLINGS));
    long most = Math.min(longest.toNanos(), LONGEST_PAUSE.toNanos());
    // Many clients of one gateway that restarts do not come back in step.
    long pause = most / 2 + ThreadLocalRandom.current().nextLong(most / 2 + 1);
    pause = Math.max(pause, error.retryAfter().map(Duration::toNanos).orElse(0L));
    if (now + pause - began > bound.toNanos()) {
      throw error;
    }
    Deadline deadline = caller.getDeadline();
    long left = deadline == null ? pause : deadline.timeRemaining(TimeUnit.NANOSECONDS);
    sleep(Math.max(Math.min(pause, left), 0));
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
   * Without a reason of the contract, what broke off is the connection or something on the way;
   * CANCELLED, which the caller was not, is a call that came in the moment of the gateway's stop.
   */
  private static boolean passes(BatchgateException error) {
    return switch (error.code()) {
      case UNAVAILABLE -> true;
      case INTERNAL, UNKNOWN, CANCELLED -> error.reason().isEmpty();
      default -> false;
    };
  }
}
