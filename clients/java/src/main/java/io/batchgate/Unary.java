package io.batchgate;

import io.grpc.Context;
import io.grpc.Deadline;
import io.grpc.stub.AbstractStub;
import java.time.Duration;
import java.util.OptionalInt;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;

/** A unary call within its timeout, and retried within it if {@code safe}. */
record Unary(Connection connection, Settings settings, Duration timeout, boolean safe) {
  /**
   * Makes the call.
   *
   * @throws BatchgateException it failed, and retrying is not safe or has not helped
   */
  <S extends AbstractStub<S>, R> R call(S stub, Function<S, R> call) {
    // A nearer deadline of the context counts by itself.
    Deadline own = Deadline.after(timeout.toNanos(), TimeUnit.NANOSECONDS);
    Context caller = Context.current();
    Deadline deadline =
        caller.getDeadline() == null ? own : own.minimum(caller.getDeadline());
    Duration left = Duration.ofNanos(deadline.timeRemaining(TimeUnit.NANOSECONDS));
    OptionalInt retries = safe ? settings.maxRetries() : OptionalInt.of(0);
    Patience patience = Patience.ofCall(left, retries, connection);
    while (true) {
      try {
        return call.apply(stub.withDeadline(own));
      } catch (RuntimeException failed) {
        RuntimeException error = BatchgateException.of(failed);
        if (!(error instanceof BatchgateException told)) {
          throw error;
        }
        patience.pause(told, caller);
      }
    }
  }
}
