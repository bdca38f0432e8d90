package io.batchgate;

import com.google.protobuf.Any;
import com.google.protobuf.Duration;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import io.batchgate.v1.Batch;
import io.batchgate.v1.BatchServiceGrpc;
import io.batchgate.v1.CreateBatchRequest;
import io.batchgate.v1.CreateBatchResponse;
import io.batchgate.v1.GetBatchRequest;
import io.batchgate.v1.GetBatchResponse;
import io.batchgate.v1.StreamBatchResultsRequest;
import io.batchgate.v1.StreamBatchResultsResponse;
import io.batchgate.v1.WatchBatchRequest;
import io.batchgate.v1.WatchBatchResponse;
import io.grpc.Grpc;
import io.grpc.InsecureServerCredentials;
import io.grpc.Server;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;

/** A gateway in this process, made for one test. */
final class FakeGateway extends BatchServiceGrpc.BatchServiceImplBase implements AutoCloseable {
  final AtomicInteger calls = new AtomicInteger();
  final List<String> tokens = new ArrayList<>();
  private final int refusals;
  private final StatusRuntimeException refused;
  private final List<List<StreamBatchResultsResponse>> results;
  private final Server server;

  /** It refuses the first calls. */
  FakeGateway(int refusals, StatusRuntimeException refused) throws IOException {
    this(refusals, refused, List.of());
  }

  /** Each call of StreamBatchResults gives the next messages; where there is none it breaks off. */
  FakeGateway(List<List<StreamBatchResultsResponse>> results) throws IOException {
    this(0, refusal(Status.UNAVAILABLE, "SERVER_DRAINING", -1), results);
  }

  private FakeGateway(
      int refusals, StatusRuntimeException refused, List<List<StreamBatchResultsResponse>> results)
      throws IOException {
    this.refusals = refusals;
    this.refused = refused;
    this.results = results;
    server =
        Grpc.newServerBuilderForPort(0, InsecureServerCredentials.create())
            .addService(this)
            .build()
            .start();
  }

  /** A status with a reason of the contract; with a RetryInfo unless the seconds are negative. */
  static StatusRuntimeException refusal(Status status, String reason, int retrySeconds) {
    var info = ErrorInfo.newBuilder().setReason(reason).setDomain("batchgate").build();
    var told =
        com.google.rpc.Status.newBuilder()
            .setCode(status.getCode().value())
            .setMessage("not now")
            .addDetails(Any.pack(info));
    if (retrySeconds >= 0) {
      var delay = Duration.newBuilder().setSeconds(retrySeconds);
      told.addDetails(Any.pack(RetryInfo.newBuilder().setRetryDelay(delay).build()));
    }
    return StatusProto.toStatusRuntimeException(told.build());
  }

  String address() {
    return "127.0.0.1:" + server.getPort();
  }

  private <T> void answer(StreamObserver<T> observer, T answer) {
    if (calls.incrementAndGet() <= refusals) {
      observer.onError(refused);
      return;
    }
    observer.onNext(answer);
    observer.onCompleted();
  }

  private static Batch batch() {
    return Batch.newBuilder().setId("batch_a").build();
  }

  @Override
  public void getBatch(GetBatchRequest request, StreamObserver<GetBatchResponse> observer) {
    answer(observer, GetBatchResponse.newBuilder().setBatch(batch()).build());
  }

  @Override
  public void createBatch(
      CreateBatchRequest request, StreamObserver<CreateBatchResponse> observer) {
    answer(observer, CreateBatchResponse.newBuilder().setBatch(batch()).build());
  }

  @Override
  public void watchBatch(WatchBatchRequest request, StreamObserver<WatchBatchResponse> observer) {
    answer(observer, WatchBatchResponse.newBuilder().setBatch(batch()).build());
  }

  @Override
  public void streamBatchResults(
      StreamBatchResultsRequest request, StreamObserver<StreamBatchResultsResponse> observer) {
    List<StreamBatchResultsResponse> messages = results.get(tokens.size());
    tokens.add(request.getResumeToken());
    messages.forEach(observer::onNext);
    if (tokens.size() < results.size()) {
      observer.onError(refused);
    } else {
      observer.onCompleted();
    }
  }

  @Override
  public void close() {
    server.shutdownNow();
  }
}
