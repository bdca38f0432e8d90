package io.batchgate;

import io.grpc.Status;
import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.ClientResponseObserver;
import java.io.IOException;

/** A call whose caller streams, as fast as the gateway takes it. */
final class Sending<Q, R> implements ClientResponseObserver<Q, R> {
  /** Gives the requests one by one; null at the end. */
  @FunctionalInterface
  interface Requests<Q> {
    Q next() throws IOException;
  }

  private ClientCallStreamObserver<Q> call;
  private R response;
  private Throwable failure;
  private boolean done;

  @Override
  public void beforeStart(ClientCallStreamObserver<Q> started) {
    call = started;
    call.setOnReadyHandler(this::wake);
  }

  /**
   * Sends all requests, and waits for the response. Nothing comes of the call where reading fails.
   *
   * @throws IOException what reading the requests threw
   * @throws BatchgateException the call failed
   */
  R send(Requests<Q> requests) throws IOException {
    boolean whole = false;
    try {
      for (Q request = requests.next(); request != null; request = requests.next()) {
        // The gateway may have ended the call already; why, its answer says.
        if (!ready()) {
          break;
        }
        call.onNext(request);
      }
      whole = true;
    } finally {
      if (!whole) {
        call.cancel("the source of the upload failed", null);
      }
    }
    synchronized (this) {
      if (!done) {
        call.onCompleted();
      }
    }
    return awaited();
  }

  private synchronized boolean ready() {
    while (!done && !call.isReady()) {
      pause();
    }
    return !done;
  }

  private synchronized R awaited() {
    while (!done) {
      pause();
    }
    if (failure != null) {
      throw BatchgateException.of(failure);
    }
    return response;
  }

  private void pause() {
    try {
      wait();
    } catch (InterruptedException interrupted) {
      call.cancel("interrupted", interrupted);
      Thread.currentThread().interrupt();
      throw BatchgateException.of(
          Status.CANCELLED.withDescription("interrupted").asRuntimeException());
    }
  }

  private synchronized void wake() {
    notifyAll();
  }

  @Override
  public synchronized void onNext(R given) {
    response = given;
  }

  @Override
  public synchronized void onError(Throwable failed) {
    failure = failed;
    done = true;
    notifyAll();
  }

  @Override
  public synchronized void onCompleted() {
    done = true;
    notifyAll();
  }
}
