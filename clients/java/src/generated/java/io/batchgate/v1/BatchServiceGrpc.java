package io.batchgate.v1;

import static io.grpc.MethodDescriptor.generateFullMethodName;

/**
 * <pre>
 * Batches of a provider.
 * Any RPC may fail as follows, besides what its own `Errors:` list says:
 * - UNAUTHENTICATED/CALLER_UNAUTHENTICATED, PERMISSION_DENIED/CALLER_NOT_PERMITTED: the gateway knows
 *   its callers and this is none, or it may not do that, or not with that provider or model.
 * - RESOURCE_EXHAUSTED/CALLER_LIMIT: the caller is over a limit that the gateway sets for it.
 * - INVALID_ARGUMENT/PROVIDER_REQUIRED: `provider` is empty and there is no default.
 * - NOT_FOUND/PROVIDER_UNKNOWN: no profile has that name.
 * - INVALID_ARGUMENT/INVALID_FIELD: a field is not as its comment says.
 * - FAILED_PRECONDITION/PROVIDER_CREDENTIAL_REJECTED: the gateway's own credential was refused.
 * - PERMISSION_DENIED/PROVIDER_FORBIDDEN, RESOURCE_EXHAUSTED/PROVIDER_RATE_LIMITED,
 *   UNAVAILABLE/PROVIDER_UNAVAILABLE, UNAVAILABLE/PROVIDER_UNREACHABLE,
 *   UNAVAILABLE/PROVIDER_TIMEOUT, INTERNAL/PROVIDER_BAD_RESPONSE: see ErrorReason. The gateway has
 *   tried again by then what could be tried again.
 * - RESOURCE_EXHAUSTED/GATEWAY_OVERLOADED: all of the gateway's connections to the provider are in
 *   use, or it has too much to do otherwise.
 * - DEADLINE_EXCEEDED/CALL_TIMEOUT, DEADLINE_EXCEEDED/CALLER_IDLE: a call without a deadline took too
 *   long, or the caller of a stream neither sent nor read.
 * - UNAVAILABLE/AUDIT_UNAVAILABLE: the gateway cannot record what is to be changed, and changes
 *   nothing.
 * - UNAVAILABLE/SERVER_DRAINING: this gateway is shutting down; another replica will answer.
 * </pre>
 */
@io.grpc.stub.annotations.GrpcGenerated
public final class BatchServiceGrpc {

  private BatchServiceGrpc() {}

  public static final java.lang.String SERVICE_NAME = "batchgate.v1.BatchService";

  // Static method descriptors that strictly reflect the proto.
  private static volatile io.grpc.MethodDescriptor<io.batchgate.v1.CreateBatchRequest,
      io.batchgate.v1.CreateBatchResponse> getCreateBatchMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "CreateBatch",
      requestType = io.batchgate.v1.CreateBatchRequest.class,
      responseType = io.batchgate.v1.CreateBatchResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<io.batchgate.v1.CreateBatchRequest,
      io.batchgate.v1.CreateBatchResponse> getCreateBatchMethod() {
    io.grpc.MethodDescriptor<io.batchgate.v1.CreateBatchRequest, io.batchgate.v1.CreateBatchResponse> getCreateBatchMethod;
    if ((getCreateBatchMethod = BatchServiceGrpc.getCreateBatchMethod) == null) {
      synchronized (BatchServiceGrpc.class) {
        if ((getCreateBatchMethod = BatchServiceGrpc.getCreateBatchMethod) == null) {
          BatchServiceGrpc.getCreateBatchMethod = getCreateBatchMethod =
              io.grpc.MethodDescriptor.<io.batchgate.v1.CreateBatchRequest, io.batchgate.v1.CreateBatchResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "CreateBatch"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.batchgate.v1.CreateBatchRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.batchgate.v1.CreateBatchResponse.getDefaultInstance()))
              .setSchemaDescriptor(new BatchServiceMethodDescriptorSupplier("CreateBatch"))
              .build();
        }
      }
    }
    return getCreateBatchMethod;
  }

  private static volatile io.grpc.MethodDescriptor<io.batchgate.v1.GetBatchRequest,
      io.batchgate.v1.GetBatchResponse> getGetBatchMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "GetBatch",
      requestType = io.batchgate.v1.GetBatchRequest.class,
      responseType = io.batchgate.v1.GetBatchResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<io.batchgate.v1.GetBatchRequest,
      io.batchgate.v1.GetBatchResponse> getGetBatchMethod() {
    io.grpc.MethodDescriptor<io.batchgate.v1.GetBatchRequest, io.batchgate.v1.GetBatchResponse> getGetBatchMethod;
    if ((getGetBatchMethod = BatchServiceGrpc.getGetBatchMethod) == null) {
      synchronized (BatchServiceGrpc.class) {
        if ((getGetBatchMethod = BatchServiceGrpc.getGetBatchMethod) == null) {
          BatchServiceGrpc.getGetBatchMethod = getGetBatchMethod =
              io.grpc.MethodDescriptor.<io.batchgate.v1.GetBatchRequest, io.batchgate.v1.GetBatchResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "GetBatch"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.batchgate.v1.GetBatchRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.batchgate.v1.GetBatchResponse.getDefaultInstance()))
              .setSchemaDescriptor(new BatchServiceMethodDescriptorSupplier("GetBatch"))
              .build();
        }
      }
    }
    return getGetBatchMethod;
  }

  private static volatile io.grpc.MethodDescriptor<io.batchgate.v1.ListBatchesRequest,
      io.batchgate.v1.ListBatchesResponse> getListBatchesMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ListBatches",
      requestType = io.batchgate.v1.ListBatchesRequest.class,
      responseType = io.batchgate.v1.ListBatchesResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<io.batchgate.v1.ListBatchesRequest,
      io.batchgate.v1.ListBatchesResponse> getListBatchesMethod() {
    io.grpc.MethodDescriptor<io.batchgate.v1.ListBatchesRequest, io.batchgate.v1.ListBatchesResponse> getListBatchesMethod;
    if ((getListBatchesMethod = BatchServiceGrpc.getListBatchesMethod) == null) {
      synchronized (BatchServiceGrpc.class) {
        if ((getListBatchesMethod = BatchServiceGrpc.getListBatchesMethod) == null) {
          BatchServiceGrpc.getListBatchesMethod = getListBatchesMethod =
              io.grpc.MethodDescriptor.<io.batchgate.v1.ListBatchesRequest, io.batchgate.v1.ListBatchesResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ListBatches"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.batchgate.v1.ListBatchesRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.batchgate.v1.ListBatchesResponse.getDefaultInstance()))
              .setSchemaDescriptor(new BatchServiceMethodDescriptorSupplier("ListBatches"))
              .build();
        }
      }
    }
    return getListBatchesMethod;
  }

  private static volatile io.grpc.MethodDescriptor<io.batchgate.v1.CancelBatchRequest,
      io.batchgate.v1.CancelBatchResponse> getCancelBatchMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "CancelBatch",
      requestType = io.batchgate.v1.CancelBatchRequest.class,
      responseType = io.batchgate.v1.CancelBatchResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<io.batchgate.v1.CancelBatchRequest,
      io.batchgate.v1.CancelBatchResponse> getCancelBatchMethod() {
    io.grpc.MethodDescriptor<io.batchgate.v1.CancelBatchRequest, io.batchgate.v1.CancelBatchResponse> getCancelBatchMethod;
    if ((getCancelBatchMethod = BatchServiceGrpc.getCancelBatchMethod) == null) {
      synchronized (BatchServiceGrpc.class) {
        if ((getCancelBatchMethod = BatchServiceGrpc.getCancelBatchMethod) == null) {
          BatchServiceGrpc.getCancelBatchMethod = getCancelBatchMethod =
              io.grpc.MethodDescriptor.<io.batchgate.v1.CancelBatchRequest, io.batchgate.v1.CancelBatchResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "CancelBatch"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.batchgate.v1.CancelBatchRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.batchgate.v1.CancelBatchResponse.getDefaultInstance()))
              .setSchemaDescriptor(new BatchServiceMethodDescriptorSupplier("CancelBatch"))
              .build();
        }
      }
    }
    return getCancelBatchMethod;
  }

  private static volatile io.grpc.MethodDescriptor<io.batchgate.v1.WatchBatchRequest,
      io.batchgate.v1.WatchBatchResponse> getWatchBatchMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "WatchBatch",
      requestType = io.batchgate.v1.WatchBatchRequest.class,
      responseType = io.batchgate.v1.WatchBatchResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.SERVER_STREAMING)
  public static io.grpc.MethodDescriptor<io.batchgate.v1.WatchBatchRequest,
      io.batchgate.v1.WatchBatchResponse> getWatchBatchMethod() {
    io.grpc.MethodDescriptor<io.batchgate.v1.WatchBatchRequest, io.batchgate.v1.WatchBatchResponse> getWatchBatchMethod;
    if ((getWatchBatchMethod = BatchServiceGrpc.getWatchBatchMethod) == null) {
      synchronized (BatchServiceGrpc.class) {
        if ((getWatchBatchMethod = BatchServiceGrpc.getWatchBatchMethod) == null) {
          BatchServiceGrpc.getWatchBatchMethod = getWatchBatchMethod =
              io.grpc.MethodDescriptor.<io.batchgate.v1.WatchBatchRequest, io.batchgate.v1.WatchBatchResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.SERVER_STREAMING)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "WatchBatch"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.batchgate.v1.WatchBatchRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.batchgate.v1.WatchBatchResponse.getDefaultInstance()))
              .setSchemaDescriptor(new BatchServiceMethodDescriptorSupplier("WatchBatch"))
              .build();
        }
      }
    }
    return getWatchBatchMethod;
  }

  private static volatile io.grpc.MethodDescriptor<io.batchgate.v1.WaitBatchRequest,
      io.batchgate.v1.WaitBatchResponse> getWaitBatchMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "WaitBatch",
      requestType = io.batchgate.v1.WaitBatchRequest.class,
      responseType = io.batchgate.v1.WaitBatchResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<io.batchgate.v1.WaitBatchRequest,
      io.batchgate.v1.WaitBatchResponse> getWaitBatchMethod() {
    io.grpc.MethodDescriptor<io.batchgate.v1.WaitBatchRequest, io.batchgate.v1.WaitBatchResponse> getWaitBatchMethod;
    if ((getWaitBatchMethod = BatchServiceGrpc.getWaitBatchMethod) == null) {
      synchronized (BatchServiceGrpc.class) {
        if ((getWaitBatchMethod = BatchServiceGrpc.getWaitBatchMethod) == null) {
          BatchServiceGrpc.getWaitBatchMethod = getWaitBatchMethod =
              io.grpc.MethodDescriptor.<io.batchgate.v1.WaitBatchRequest, io.batchgate.v1.WaitBatchResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "WaitBatch"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.batchgate.v1.WaitBatchRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.batchgate.v1.WaitBatchResponse.getDefaultInstance()))
              .setSchemaDescriptor(new BatchServiceMethodDescriptorSupplier("WaitBatch"))
              .build();
        }
      }
    }
    return getWaitBatchMethod;
  }

  private static volatile io.grpc.MethodDescriptor<io.batchgate.v1.SubmitBatchRequest,
      io.batchgate.v1.SubmitBatchResponse> getSubmitBatchMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "SubmitBatch",
      requestType = io.batchgate.v1.SubmitBatchRequest.class,
      responseType = io.batchgate.v1.SubmitBatchResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.CLIENT_STREAMING)
  public static io.grpc.MethodDescriptor<io.batchgate.v1.SubmitBatchRequest,
      io.batchgate.v1.SubmitBatchResponse> getSubmitBatchMethod() {
    io.grpc.MethodDescriptor<io.batchgate.v1.SubmitBatchRequest, io.batchgate.v1.SubmitBatchResponse> getSubmitBatchMethod;
    if ((getSubmitBatchMethod = BatchServiceGrpc.getSubmitBatchMethod) == null) {
      synchronized (BatchServiceGrpc.class) {
        if ((getSubmitBatchMethod = BatchServiceGrpc.getSubmitBatchMethod) == null) {
          BatchServiceGrpc.getSubmitBatchMethod = getSubmitBatchMethod =
              io.grpc.MethodDescriptor.<io.batchgate.v1.SubmitBatchRequest, io.batchgate.v1.SubmitBatchResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.CLIENT_STREAMING)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "SubmitBatch"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.batchgate.v1.SubmitBatchRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.batchgate.v1.SubmitBatchResponse.getDefaultInstance()))
              .setSchemaDescriptor(new BatchServiceMethodDescriptorSupplier("SubmitBatch"))
              .build();
        }
      }
    }
    return getSubmitBatchMethod;
  }

  private static volatile io.grpc.MethodDescriptor<io.batchgate.v1.StreamBatchResultsRequest,
      io.batchgate.v1.StreamBatchResultsResponse> getStreamBatchResultsMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "StreamBatchResults",
      requestType = io.batchgate.v1.StreamBatchResultsRequest.class,
      responseType = io.batchgate.v1.StreamBatchResultsResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.SERVER_STREAMING)
  public static io.grpc.MethodDescriptor<io.batchgate.v1.StreamBatchResultsRequest,
      io.batchgate.v1.StreamBatchResultsResponse> getStreamBatchResultsMethod() {
    io.grpc.MethodDescriptor<io.batchgate.v1.StreamBatchResultsRequest, io.batchgate.v1.StreamBatchResultsResponse> getStreamBatchResultsMethod;
    if ((getStreamBatchResultsMethod = BatchServiceGrpc.getStreamBatchResultsMethod) == null) {
      synchronized (BatchServiceGrpc.class) {
        if ((getStreamBatchResultsMethod = BatchServiceGrpc.getStreamBatchResultsMethod) == null) {
          BatchServiceGrpc.getStreamBatchResultsMethod = getStreamBatchResultsMethod =
              io.grpc.MethodDescriptor.<io.batchgate.v1.StreamBatchResultsRequest, io.batchgate.v1.StreamBatchResultsResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.SERVER_STREAMING)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "StreamBatchResults"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.batchgate.v1.StreamBatchResultsRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.batchgate.v1.StreamBatchResultsResponse.getDefaultInstance()))
              .setSchemaDescriptor(new BatchServiceMethodDescriptorSupplier("StreamBatchResults"))
              .build();
        }
      }
    }
    return getStreamBatchResultsMethod;
  }

  private static volatile io.grpc.MethodDescriptor<io.batchgate.v1.RetryBatchRequest,
      io.batchgate.v1.RetryBatchResponse> getRetryBatchMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "RetryBatch",
      requestType = io.batchgate.v1.RetryBatchRequest.class,
      responseType = io.batchgate.v1.RetryBatchResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<io.batchgate.v1.RetryBatchRequest,
      io.batchgate.v1.RetryBatchResponse> getRetryBatchMethod() {
    io.grpc.MethodDescriptor<io.batchgate.v1.RetryBatchRequest, io.batchgate.v1.RetryBatchResponse> getRetryBatchMethod;
    if ((getRetryBatchMethod = BatchServiceGrpc.getRetryBatchMethod) == null) {
      synchronized (BatchServiceGrpc.class) {
        if ((getRetryBatchMethod = BatchServiceGrpc.getRetryBatchMethod) == null) {
          BatchServiceGrpc.getRetryBatchMethod = getRetryBatchMethod =
              io.grpc.MethodDescriptor.<io.batchgate.v1.RetryBatchRequest, io.batchgate.v1.RetryBatchResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "RetryBatch"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.batchgate.v1.RetryBatchRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.batchgate.v1.RetryBatchResponse.getDefaultInstance()))
              .setSchemaDescriptor(new BatchServiceMethodDescriptorSupplier("RetryBatch"))
              .build();
        }
      }
    }
    return getRetryBatchMethod;
  }

  /**
   * Creates a new async stub that supports all call types for the service
   */
  public static BatchServiceStub newStub(io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<BatchServiceStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<BatchServiceStub>() {
        @java.lang.Override
        public BatchServiceStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new BatchServiceStub(channel, callOptions);
        }
      };
    return BatchServiceStub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports all types of calls on the service
   */
  public static BatchServiceBlockingV2Stub newBlockingV2Stub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<BatchServiceBlockingV2Stub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<BatchServiceBlockingV2Stub>() {
        @java.lang.Override
        public BatchServiceBlockingV2Stub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new BatchServiceBlockingV2Stub(channel, callOptions);
        }
      };
    return BatchServiceBlockingV2Stub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports unary and streaming output calls on the service
   */
  public static BatchServiceBlockingStub newBlockingStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<BatchServiceBlockingStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<BatchServiceBlockingStub>() {
        @java.lang.Override
        public BatchServiceBlockingStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new BatchServiceBlockingStub(channel, callOptions);
        }
      };
    return BatchServiceBlockingStub.newStub(factory, channel);
  }

  /**
   * Creates a new ListenableFuture-style stub that supports unary calls on the service
   */
  public static BatchServiceFutureStub newFutureStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<BatchServiceFutureStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<BatchServiceFutureStub>() {
        @java.lang.Override
        public BatchServiceFutureStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new BatchServiceFutureStub(channel, callOptions);
        }
      };
    return BatchServiceFutureStub.newStub(factory, channel);
  }

  /**
   * <pre>
   * Batches of a provider.
   * Any RPC may fail as follows, besides what its own `Errors:` list says:
   * - UNAUTHENTICATED/CALLER_UNAUTHENTICATED, PERMISSION_DENIED/CALLER_NOT_PERMITTED: the gateway knows
   *   its callers and this is none, or it may not do that, or not with that provider or model.
   * - RESOURCE_EXHAUSTED/CALLER_LIMIT: the caller is over a limit that the gateway sets for it.
   * - INVALID_ARGUMENT/PROVIDER_REQUIRED: `provider` is empty and there is no default.
   * - NOT_FOUND/PROVIDER_UNKNOWN: no profile has that name.
   * - INVALID_ARGUMENT/INVALID_FIELD: a field is not as its comment says.
   * - FAILED_PRECONDITION/PROVIDER_CREDENTIAL_REJECTED: the gateway's own credential was refused.
   * - PERMISSION_DENIED/PROVIDER_FORBIDDEN, RESOURCE_EXHAUSTED/PROVIDER_RATE_LIMITED,
   *   UNAVAILABLE/PROVIDER_UNAVAILABLE, UNAVAILABLE/PROVIDER_UNREACHABLE,
   *   UNAVAILABLE/PROVIDER_TIMEOUT, INTERNAL/PROVIDER_BAD_RESPONSE: see ErrorReason. The gateway has
   *   tried again by then what could be tried again.
   * - RESOURCE_EXHAUSTED/GATEWAY_OVERLOADED: all of the gateway's connections to the provider are in
   *   use, or it has too much to do otherwise.
   * - DEADLINE_EXCEEDED/CALL_TIMEOUT, DEADLINE_EXCEEDED/CALLER_IDLE: a call without a deadline took too
   *   long, or the caller of a stream neither sent nor read.
   * - UNAVAILABLE/AUDIT_UNAVAILABLE: the gateway cannot record what is to be changed, and changes
   *   nothing.
   * - UNAVAILABLE/SERVER_DRAINING: this gateway is shutting down; another replica will answer.
   * </pre>
   */
  public interface AsyncService {

    /**
     * <pre>
     * Creates a batch from an uploaded file.
     * Most faults of the file are found later: the batch then becomes FAILED, with `errors`. If the
     * file was uploaded just now and is not ready yet, the call waits for it, within its deadline.
     * Upstream: `POST /batches`, after `GET /files/{id}` where the provider processes files first
     * (Azure OpenAI), and after `GET /files/{id}/content` for a caller who may use but some models.
     * Errors:
     * - INVALID_ARGUMENT/PROVIDER_REJECTED: the provider refuses it; the details name the field.
     * - NOT_FOUND/PROVIDER_NOT_FOUND: no such file.
     * - FAILED_PRECONDITION/PROVIDER_CONFLICT: the provider could not process the input file.
     * - RESOURCE_EXHAUSTED/PROVIDER_QUOTA_EXCEEDED: the account's means are used up.
     * - RESOURCE_EXHAUSTED/PROVIDER_TOKEN_LIMIT: too many tokens are waiting already; try later.
     * - UNKNOWN/OUTCOME_UNKNOWN: the answer was lost or unclear: the batch may exist. ListBatches
     *   tells. Not UNAVAILABLE, since clients repeat that by themselves and would pay twice. With a
     *   `request_id` the gateway has looked for the batch already, unless it was shutting down; repeat
     *   the call, which finds the batch if the provider has it by then.
     * - ALREADY_EXISTS/IDEMPOTENCY_KEY_REUSED: the `request_id` was used for another request; nothing was
     *   sent. `batch_id` in the details is what exists.
     * </pre>
     */
    default void createBatch(io.batchgate.v1.CreateBatchRequest request,
        io.grpc.stub.StreamObserver<io.batchgate.v1.CreateBatchResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getCreateBatchMethod(), responseObserver);
    }

    /**
     * <pre>
     * Gets a batch.
     * Upstream: `GET /batches/{id}`.
     * Errors:
     * - NOT_FOUND/PROVIDER_NOT_FOUND: the provider has no such batch, or this profile may not see it.
     * </pre>
     */
    default void getBatch(io.batchgate.v1.GetBatchRequest request,
        io.grpc.stub.StreamObserver<io.batchgate.v1.GetBatchResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getGetBatchMethod(), responseObserver);
    }

    /**
     * <pre>
     * Lists batches, newest first, page by page.
     * Upstream: `GET /batches`.
     * Errors:
     * - INVALID_ARGUMENT/INVALID_FIELD: a negative `page_size`, or a `page_token` that is not one, or
     *   that came from another provider.
     * </pre>
     */
    default void listBatches(io.batchgate.v1.ListBatchesRequest request,
        io.grpc.stub.StreamObserver<io.batchgate.v1.ListBatchesResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getListBatchesMethod(), responseObserver);
    }

    /**
     * <pre>
     * Cancels a batch. The answer mostly says CANCELLING; up to 10 minutes later it is CANCELLED, and
     * what was done until then is in its output file. Where the answer is lost the gateway cancels
     * again, and a batch that is cancelled by then is no error.
     * Upstream: `POST /batches/{id}/cancel`.
     * Errors:
     * - NOT_FOUND/PROVIDER_NOT_FOUND: the provider has no such batch.
     * - FAILED_PRECONDITION/PROVIDER_CONFLICT: it is finished already, and unchanged.
     * </pre>
     */
    default void cancelBatch(io.batchgate.v1.CancelBatchRequest request,
        io.grpc.stub.StreamObserver<io.batchgate.v1.CancelBatchResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getCancelBatchMethod(), responseObserver);
    }

    /**
     * <pre>
     * Watches a batch: a SNAPSHOT at once, a CHANGE whenever its status, counts or file ids change, a
     * HEARTBEAT at least every `watch.heartbeat_seconds` (30 by default), and OK after a terminal state.
     * All watchers and waiters of one batch share one upstream poll. A passing fault of the provider
     * does not end a watch. A reader that is slow gets the newest state, not each one.
     * Upstream: `GET /batches/{id}` now and then, or one `GET /batches` for many batches.
     * Errors:
     * - NOT_FOUND/PROVIDER_NOT_FOUND: the provider has no such batch.
     * - UNAVAILABLE/SERVER_DRAINING: the gateway is shutting down, or the watch has lasted for
     *   `server.connection_age_grace_seconds` (an hour); watch again, on another replica.
     * </pre>
     */
    default void watchBatch(io.batchgate.v1.WatchBatchRequest request,
        io.grpc.stub.StreamObserver<io.batchgate.v1.WatchBatchResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getWatchBatchMethod(), responseObserver);
    }

    /**
     * <pre>
     * Waits until a batch is terminal, or the timeout is over: a long poll for callers that cannot
     * stream. Shares the polls of WatchBatch.
     * Upstream: as WatchBatch.
     * Errors:
     * - NOT_FOUND/PROVIDER_NOT_FOUND: the provider has no such batch.
     * </pre>
     */
    default void waitBatch(io.batchgate.v1.WaitBatchRequest request,
        io.grpc.stub.StreamObserver<io.batchgate.v1.WaitBatchResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getWaitBatchMethod(), responseObserver);
    }

    /**
     * <pre>
     * Creates a batch from rows: builds the JSONL, uploads it and creates the batch, in one call.
     * The first message carries `metadata`, all later ones `lines`. If creating fails for certain, or
     * the caller goes away before it begins, the uploaded file is deleted again; the error says so.
     * Upstream: `POST /files`, then as CreateBatch.
     * Errors: those of UploadFile and CreateBatch, above all
     * - INVALID_ARGUMENT/INVALID_JSONL: faulty rows, each with a violation such as
     *   "lines[7].body_json" (counted from 0 over all messages). No file was created.
     * </pre>
     */
    default io.grpc.stub.StreamObserver<io.batchgate.v1.SubmitBatchRequest> submitBatch(
        io.grpc.stub.StreamObserver<io.batchgate.v1.SubmitBatchResponse> responseObserver) {
      return io.grpc.stub.ServerCalls.asyncUnimplementedStreamingCall(getSubmitBatchMethod(), responseObserver);
    }

    /**
     * <pre>
     * Streams the results of a batch: its output file, then its error file, row by row, many rows a
     * message. Ends with OK and no rows where there are none.
     * OK means that every request of a COMPLETED batch has a row. A request that is in neither file is
     * named by a row of its own, after all others, with the error code `missing_result`; for that the
     * input file is read. Where a batch has only just ended and its counts say more than its files can
     * hold, the gateway polls again for a while before it fails with RESULTS_MISSING.
     * A message has about 256 KiB, and never more than 2 MiB: a longer body is cut over several messages
     * (see `BatchResult.body_continues`). A line that cannot be read (no JSON object, not UTF-8, over
     * 64 MiB) is a row with the error code `unreadable_line`; DownloadFile returns it unchanged.
     * To go on after a break, send the `resume_token` of the last message that arrived: the rows after
     * that message follow, on any replica.
     * Upstream: `GET /batches/{id}`, `GET /files/{id}/content` for one file or two, and for the input
     * file where results are missing.
     * Errors:
     * - NOT_FOUND/PROVIDER_NOT_FOUND: the provider has no such batch, or the results are deleted.
     * - FAILED_PRECONDITION/BATCH_NOT_FINISHED: it is not terminal; see `wait_until_done`.
     * - FAILED_PRECONDITION/RESULTS_MISSING: the batch's counts say more than its files hold, and what is
     *   missing cannot be named. All rows that there are have been sent.
     * - UNAVAILABLE/PROVIDER_UNAVAILABLE: the content was cut off; go on with the `resume_token`.
     * </pre>
     */
    default void streamBatchResults(io.batchgate.v1.StreamBatchResultsRequest request,
        io.grpc.stub.StreamObserver<io.batchgate.v1.StreamBatchResultsResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getStreamBatchResultsMethod(), responseObserver);
    }

    /**
     * <pre>
     * Tries again what has no success: reads which rows those are, and creates a new batch of them.
     * The rows are passed on as they are, in a new file "retry-of-BATCH_ID.jsonl". If creating fails for
     * certain, that file is deleted again. The old batch's id is kept as `batchgate_retry_of` in the new
     * one's metadata at the provider, if one of its 16 pairs is free, and not shown to callers.
     * Upstream: as StreamBatchResults and SubmitBatch.
     * Errors:
     * - FAILED_PRECONDITION/BATCH_NOT_FINISHED: the batch is not terminal.
     * - FAILED_PRECONDITION/RESULTS_MISSING: the batch's counts say more than its files can hold, so that
     *   what succeeded is not known and would be paid twice; nothing was created.
     * - FAILED_PRECONDITION/PROVIDER_CONFLICT: nothing is left to retry; nothing was created.
     * - NOT_FOUND/PROVIDER_NOT_FOUND: no such batch, or its input file or its results are gone.
     * - INVALID_ARGUMENT/INVALID_FIELD: also a `request_id` for which the old batch's 16 labels leave no
     *   room: give `metadata` then.
     * - Those of SubmitBatch.
     * </pre>
     */
    default void retryBatch(io.batchgate.v1.RetryBatchRequest request,
        io.grpc.stub.StreamObserver<io.batchgate.v1.RetryBatchResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getRetryBatchMethod(), responseObserver);
    }
  }

  /**
   * Base class for the server implementation of the service BatchService.
   * <pre>
   * Batches of a provider.
   * Any RPC may fail as follows, besides what its own `Errors:` list says:
   * - UNAUTHENTICATED/CALLER_UNAUTHENTICATED, PERMISSION_DENIED/CALLER_NOT_PERMITTED: the gateway knows
   *   its callers and this is none, or it may not do that, or not with that provider or model.
   * - RESOURCE_EXHAUSTED/CALLER_LIMIT: the caller is over a limit that the gateway sets for it.
   * - INVALID_ARGUMENT/PROVIDER_REQUIRED: `provider` is empty and there is no default.
   * - NOT_FOUND/PROVIDER_UNKNOWN: no profile has that name.
   * - INVALID_ARGUMENT/INVALID_FIELD: a field is not as its comment says.
   * - FAILED_PRECONDITION/PROVIDER_CREDENTIAL_REJECTED: the gateway's own credential was refused.
   * - PERMISSION_DENIED/PROVIDER_FORBIDDEN, RESOURCE_EXHAUSTED/PROVIDER_RATE_LIMITED,
   *   UNAVAILABLE/PROVIDER_UNAVAILABLE, UNAVAILABLE/PROVIDER_UNREACHABLE,
   *   UNAVAILABLE/PROVIDER_TIMEOUT, INTERNAL/PROVIDER_BAD_RESPONSE: see ErrorReason. The gateway has
   *   tried again by then what could be tried again.
   * - RESOURCE_EXHAUSTED/GATEWAY_OVERLOADED: all of the gateway's connections to the provider are in
   *   use, or it has too much to do otherwise.
   * - DEADLINE_EXCEEDED/CALL_TIMEOUT, DEADLINE_EXCEEDED/CALLER_IDLE: a call without a deadline took too
   *   long, or the caller of a stream neither sent nor read.
   * - UNAVAILABLE/AUDIT_UNAVAILABLE: the gateway cannot record what is to be changed, and changes
   *   nothing.
   * - UNAVAILABLE/SERVER_DRAINING: this gateway is shutting down; another replica will answer.
   * </pre>
   */
  public static abstract class BatchServiceImplBase
      implements io.grpc.BindableService, AsyncService {

    @java.lang.Override public final io.grpc.ServerServiceDefinition bindService() {
      return BatchServiceGrpc.bindService(this);
    }
  }

  /**
   * A stub to allow clients to do asynchronous rpc calls to service BatchService.
   * <pre>
   * Batches of a provider.
   * Any RPC may fail as follows, besides what its own `Errors:` list says:
   * - UNAUTHENTICATED/CALLER_UNAUTHENTICATED, PERMISSION_DENIED/CALLER_NOT_PERMITTED: the gateway knows
   *   its callers and this is none, or it may not do that, or not with that provider or model.
   * - RESOURCE_EXHAUSTED/CALLER_LIMIT: the caller is over a limit that the gateway sets for it.
   * - INVALID_ARGUMENT/PROVIDER_REQUIRED: `provider` is empty and there is no default.
   * - NOT_FOUND/PROVIDER_UNKNOWN: no profile has that name.
   * - INVALID_ARGUMENT/INVALID_FIELD: a field is not as its comment says.
   * - FAILED_PRECONDITION/PROVIDER_CREDENTIAL_REJECTED: the gateway's own credential was refused.
   * - PERMISSION_DENIED/PROVIDER_FORBIDDEN, RESOURCE_EXHAUSTED/PROVIDER_RATE_LIMITED,
   *   UNAVAILABLE/PROVIDER_UNAVAILABLE, UNAVAILABLE/PROVIDER_UNREACHABLE,
   *   UNAVAILABLE/PROVIDER_TIMEOUT, INTERNAL/PROVIDER_BAD_RESPONSE: see ErrorReason. The gateway has
   *   tried again by then what could be tried again.
   * - RESOURCE_EXHAUSTED/GATEWAY_OVERLOADED: all of the gateway's connections to the provider are in
   *   use, or it has too much to do otherwise.
   * - DEADLINE_EXCEEDED/CALL_TIMEOUT, DEADLINE_EXCEEDED/CALLER_IDLE: a call without a deadline took too
   *   long, or the caller of a stream neither sent nor read.
   * - UNAVAILABLE/AUDIT_UNAVAILABLE: the gateway cannot record what is to be changed, and changes
   *   nothing.
   * - UNAVAILABLE/SERVER_DRAINING: this gateway is shutting down; another replica will answer.
   * </pre>
   */
  public static final class BatchServiceStub
      extends io.grpc.stub.AbstractAsyncStub<BatchServiceStub> {
    private BatchServiceStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected BatchServiceStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new BatchServiceStub(channel, callOptions);
    }

    /**
     * <pre>
     * Creates a batch from an uploaded file.
     * Most faults of the file are found later: the batch then becomes FAILED, with `errors`. If the
     * file was uploaded just now and is not ready yet, the call waits for it, within its deadline.
     * Upstream: `POST /batches`, after `GET /files/{id}` where the provider processes files first
     * (Azure OpenAI), and after `GET /files/{id}/content` for a caller who may use but some models.
     * Errors:
     * - INVALID_ARGUMENT/PROVIDER_REJECTED: the provider refuses it; the details name the field.
     * - NOT_FOUND/PROVIDER_NOT_FOUND: no such file.
     * - FAILED_PRECONDITION/PROVIDER_CONFLICT: the provider could not process the input file.
     * - RESOURCE_EXHAUSTED/PROVIDER_QUOTA_EXCEEDED: the account's means are used up.
     * - RESOURCE_EXHAUSTED/PROVIDER_TOKEN_LIMIT: too many tokens are waiting already; try later.
     * - UNKNOWN/OUTCOME_UNKNOWN: the answer was lost or unclear: the batch may exist. ListBatches
     *   tells. Not UNAVAILABLE, since clients repeat that by themselves and would pay twice. With a
     *   `request_id` the gateway has looked for the batch already, unless it was shutting down; repeat
     *   the call, which finds the batch if the provider has it by then.
     * - ALREADY_EXISTS/IDEMPOTENCY_KEY_REUSED: the `request_id` was used for another request; nothing was
     *   sent. `batch_id` in the details is what exists.
     * </pre>
     */
    public void createBatch(io.batchgate.v1.CreateBatchRequest request,
        io.grpc.stub.StreamObserver<io.batchgate.v1.CreateBatchResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getCreateBatchMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Gets a batch.
     * Upstream: `GET /batches/{id}`.
     * Errors:
     * - NOT_FOUND/PROVIDER_NOT_FOUND: the provider has no such batch, or this profile may not see it.
     * </pre>
     */
    public void getBatch(io.batchgate.v1.GetBatchRequest request,
        io.grpc.stub.StreamObserver<io.batchgate.v1.GetBatchResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getGetBatchMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Lists batches, newest first, page by page.
     * Upstream: `GET /batches`.
     * Errors:
     * - INVALID_ARGUMENT/INVALID_FIELD: a negative `page_size`, or a `page_token` that is not one, or
     *   that came from another provider.
     * </pre>
     */
    public void listBatches(io.batchgate.v1.ListBatchesRequest request,
        io.grpc.stub.StreamObserver<io.batchgate.v1.ListBatchesResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getListBatchesMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Cancels a batch. The answer mostly says CANCELLING; up to 10 minutes later it is CANCELLED, and
     * what was done until then is in its output file. Where the answer is lost the gateway cancels
     * again, and a batch that is cancelled by then is no error.
     * Upstream: `POST /batches/{id}/cancel`.
     * Errors:
     * - NOT_FOUND/PROVIDER_NOT_FOUND: the provider has no such batch.
     * - FAILED_PRECONDITION/PROVIDER_CONFLICT: it is finished already, and unchanged.
     * </pre>
     */
    public void cancelBatch(io.batchgate.v1.CancelBatchRequest request,
        io.grpc.stub.StreamObserver<io.batchgate.v1.CancelBatchResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getCancelBatchMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Watches a batch: a SNAPSHOT at once, a CHANGE whenever its status, counts or file ids change, a
     * HEARTBEAT at least every `watch.heartbeat_seconds` (30 by default), and OK after a terminal state.
     * All watchers and waiters of one batch share one upstream poll. A passing fault of the provider
     * does not end a watch. A reader that is slow gets the newest state, not each one.
     * Upstream: `GET /batches/{id}` now and then, or one `GET /batches` for many batches.
     * Errors:
     * - NOT_FOUND/PROVIDER_NOT_FOUND: the provider has no such batch.
     * - UNAVAILABLE/SERVER_DRAINING: the gateway is shutting down, or the watch has lasted for
     *   `server.connection_age_grace_seconds` (an hour); watch again, on another replica.
     * </pre>
     */
    public void watchBatch(io.batchgate.v1.WatchBatchRequest request,
        io.grpc.stub.StreamObserver<io.batchgate.v1.WatchBatchResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncServerStreamingCall(
          getChannel().newCall(getWatchBatchMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Waits until a batch is terminal, or the timeout is over: a long poll for callers that cannot
     * stream. Shares the polls of WatchBatch.
     * Upstream: as WatchBatch.
     * Errors:
     * - NOT_FOUND/PROVIDER_NOT_FOUND: the provider has no such batch.
     * </pre>
     */
    public void waitBatch(io.batchgate.v1.WaitBatchRequest request,
        io.grpc.stub.StreamObserver<io.batchgate.v1.WaitBatchResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getWaitBatchMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Creates a batch from rows: builds the JSONL, uploads it and creates the batch, in one call.
     * The first message carries `metadata`, all later ones `lines`. If creating fails for certain, or
     * the caller goes away before it begins, the uploaded file is deleted again; the error says so.
     * Upstream: `POST /files`, then as CreateBatch.
     * Errors: those of UploadFile and CreateBatch, above all
     * - INVALID_ARGUMENT/INVALID_JSONL: faulty rows, each with a violation such as
     *   "lines[7].body_json" (counted from 0 over all messages). No file was created.
     * </pre>
     */
    public io.grpc.stub.StreamObserver<io.batchgate.v1.SubmitBatchRequest> submitBatch(
        io.grpc.stub.StreamObserver<io.batchgate.v1.SubmitBatchResponse> responseObserver) {
      return io.grpc.stub.ClientCalls.asyncClientStreamingCall(
          getChannel().newCall(getSubmitBatchMethod(), getCallOptions()), responseObserver);
    }

    /**
     * <pre>
     * Streams the results of a batch: its output file, then its error file, row by row, many rows a
     * message. Ends with OK and no rows where there are none.
     * OK means that every request of a COMPLETED batch has a row. A request that is in neither file is
     * named by a row of its own, after all others, with the error code `missing_result`; for that the
     * input file is read. Where a batch has only just ended and its counts say more than its files can
     * hold, the gateway polls again for a while before it fails with RESULTS_MISSING.
     * A message has about 256 KiB, and never more than 2 MiB: a longer body is cut over several messages
     * (see `BatchResult.body_continues`). A line that cannot be read (no JSON object, not UTF-8, over
     * 64 MiB) is a row with the error code `unreadable_line`; DownloadFile returns it unchanged.
     * To go on after a break, send the `resume_token` of the last message that arrived: the rows after
     * that message follow, on any replica.
     * Upstream: `GET /batches/{id}`, `GET /files/{id}/content` for one file or two, and for the input
     * file where results are missing.
     * Errors:
     * - NOT_FOUND/PROVIDER_NOT_FOUND: the provider has no such batch, or the results are deleted.
     * - FAILED_PRECONDITION/BATCH_NOT_FINISHED: it is not terminal; see `wait_until_done`.
     * - FAILED_PRECONDITION/RESULTS_MISSING: the batch's counts say more than its files hold, and what is
     *   missing cannot be named. All rows that there are have been sent.
     * - UNAVAILABLE/PROVIDER_UNAVAILABLE: the content was cut off; go on with the `resume_token`.
     * </pre>
     */
    public void streamBatchResults(io.batchgate.v1.StreamBatchResultsRequest request,
        io.grpc.stub.StreamObserver<io.batchgate.v1.StreamBatchResultsResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncServerStreamingCall(
          getChannel().newCall(getStreamBatchResultsMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Tries again what has no success: reads which rows those are, and creates a new batch of them.
     * The rows are passed on as they are, in a new file "retry-of-BATCH_ID.jsonl". If creating fails for
     * certain, that file is deleted again. The old batch's id is kept as `batchgate_retry_of` in the new
     * one's metadata at the provider, if one of its 16 pairs is free, and not shown to callers.
     * Upstream: as StreamBatchResults and SubmitBatch.
     * Errors:
     * - FAILED_PRECONDITION/BATCH_NOT_FINISHED: the batch is not terminal.
     * - FAILED_PRECONDITION/RESULTS_MISSING: the batch's counts say more than its files can hold, so that
     *   what succeeded is not known and would be paid twice; nothing was created.
     * - FAILED_PRECONDITION/PROVIDER_CONFLICT: nothing is left to retry; nothing was created.
     * - NOT_FOUND/PROVIDER_NOT_FOUND: no such batch, or its input file or its results are gone.
     * - INVALID_ARGUMENT/INVALID_FIELD: also a `request_id` for which the old batch's 16 labels leave no
     *   room: give `metadata` then.
     * - Those of SubmitBatch.
     * </pre>
     */
    public void retryBatch(io.batchgate.v1.RetryBatchRequest request,
        io.grpc.stub.StreamObserver<io.batchgate.v1.RetryBatchResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getRetryBatchMethod(), getCallOptions()), request, responseObserver);
    }
  }

  /**
   * A stub to allow clients to do synchronous rpc calls to service BatchService.
   * <pre>
   * Batches of a provider.
   * Any RPC may fail as follows, besides what its own `Errors:` list says:
   * - UNAUTHENTICATED/CALLER_UNAUTHENTICATED, PERMISSION_DENIED/CALLER_NOT_PERMITTED: the gateway knows
   *   its callers and this is none, or it may not do that, or not with that provider or model.
   * - RESOURCE_EXHAUSTED/CALLER_LIMIT: the caller is over a limit that the gateway sets for it.
   * - INVALID_ARGUMENT/PROVIDER_REQUIRED: `provider` is empty and there is no default.
   * - NOT_FOUND/PROVIDER_UNKNOWN: no profile has that name.
   * - INVALID_ARGUMENT/INVALID_FIELD: a field is not as its comment says.
   * - FAILED_PRECONDITION/PROVIDER_CREDENTIAL_REJECTED: the gateway's own credential was refused.
   * - PERMISSION_DENIED/PROVIDER_FORBIDDEN, RESOURCE_EXHAUSTED/PROVIDER_RATE_LIMITED,
   *   UNAVAILABLE/PROVIDER_UNAVAILABLE, UNAVAILABLE/PROVIDER_UNREACHABLE,
   *   UNAVAILABLE/PROVIDER_TIMEOUT, INTERNAL/PROVIDER_BAD_RESPONSE: see ErrorReason. The gateway has
   *   tried again by then what could be tried again.
   * - RESOURCE_EXHAUSTED/GATEWAY_OVERLOADED: all of the gateway's connections to the provider are in
   *   use, or it has too much to do otherwise.
   * - DEADLINE_EXCEEDED/CALL_TIMEOUT, DEADLINE_EXCEEDED/CALLER_IDLE: a call without a deadline took too
   *   long, or the caller of a stream neither sent nor read.
   * - UNAVAILABLE/AUDIT_UNAVAILABLE: the gateway cannot record what is to be changed, and changes
   *   nothing.
   * - UNAVAILABLE/SERVER_DRAINING: this gateway is shutting down; another replica will answer.
   * </pre>
   */
  public static final class BatchServiceBlockingV2Stub
      extends io.grpc.stub.AbstractBlockingStub<BatchServiceBlockingV2Stub> {
    private BatchServiceBlockingV2Stub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected BatchServiceBlockingV2Stub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new BatchServiceBlockingV2Stub(channel, callOptions);
    }

    /**
     * <pre>
     * Creates a batch from an uploaded file.
     * Most faults of the file are found later: the batch then becomes FAILED, with `errors`. If the
     * file was uploaded just now and is not ready yet, the call waits for it, within its deadline.
     * Upstream: `POST /batches`, after `GET /files/{id}` where the provider processes files first
     * (Azure OpenAI), and after `GET /files/{id}/content` for a caller who may use but some models.
     * Errors:
     * - INVALID_ARGUMENT/PROVIDER_REJECTED: the provider refuses it; the details name the field.
     * - NOT_FOUND/PROVIDER_NOT_FOUND: no such file.
     * - FAILED_PRECONDITION/PROVIDER_CONFLICT: the provider could not process the input file.
     * - RESOURCE_EXHAUSTED/PROVIDER_QUOTA_EXCEEDED: the account's means are used up.
     * - RESOURCE_EXHAUSTED/PROVIDER_TOKEN_LIMIT: too many tokens are waiting already; try later.
     * - UNKNOWN/OUTCOME_UNKNOWN: the answer was lost or unclear: the batch may exist. ListBatches
     *   tells. Not UNAVAILABLE, since clients repeat that by themselves and would pay twice. With a
     *   `request_id` the gateway has looked for the batch already, unless it was shutting down; repeat
     *   the call, which finds the batch if the provider has it by then.
     * - ALREADY_EXISTS/IDEMPOTENCY_KEY_REUSED: the `request_id` was used for another request; nothing was
     *   sent. `batch_id` in the details is what exists.
     * </pre>
     */
    public io.batchgate.v1.CreateBatchResponse createBatch(io.batchgate.v1.CreateBatchRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getCreateBatchMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Gets a batch.
     * Upstream: `GET /batches/{id}`.
     * Errors:
     * - NOT_FOUND/PROVIDER_NOT_FOUND: the provider has no such batch, or this profile may not see it.
     * </pre>
     */
    public io.batchgate.v1.GetBatchResponse getBatch(io.batchgate.v1.GetBatchRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getGetBatchMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Lists batches, newest first, page by page.
     * Upstream: `GET /batches`.
     * Errors:
     * - INVALID_ARGUMENT/INVALID_FIELD: a negative `page_size`, or a `page_token` that is not one, or
     *   that came from another provider.
     * </pre>
     */
    public io.batchgate.v1.ListBatchesResponse listBatches(io.batchgate.v1.ListBatchesRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getListBatchesMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Cancels a batch. The answer mostly says CANCELLING; up to 10 minutes later it is CANCELLED, and
     * what was done until then is in its output file. Where the answer is lost the gateway cancels
     * again, and a batch that is cancelled by then is no error.
     * Upstream: `POST /batches/{id}/cancel`.
     * Errors:
     * - NOT_FOUND/PROVIDER_NOT_FOUND: the provider has no such batch.
     * - FAILED_PRECONDITION/PROVIDER_CONFLICT: it is finished already, and unchanged.
     * </pre>
     */
    public io.batchgate.v1.CancelBatchResponse cancelBatch(io.batchgate.v1.CancelBatchRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getCancelBatchMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Watches a batch: a SNAPSHOT at once, a CHANGE whenever its status, counts or file ids change, a
     * HEARTBEAT at least every `watch.heartbeat_seconds` (30 by default), and OK after a terminal state.
     * All watchers and waiters of one batch share one upstream poll. A passing fault of the provider
     * does not end a watch. A reader that is slow gets the newest state, not each one.
     * Upstream: `GET /batches/{id}` now and then, or one `GET /batches` for many batches.
     * Errors:
     * - NOT_FOUND/PROVIDER_NOT_FOUND: the provider has no such batch.
     * - UNAVAILABLE/SERVER_DRAINING: the gateway is shutting down, or the watch has lasted for
     *   `server.connection_age_grace_seconds` (an hour); watch again, on another replica.
     * </pre>
     */
    @io.grpc.ExperimentalApi("https://github.com/grpc/grpc-java/issues/10918")
    public io.grpc.stub.BlockingClientCall<?, io.batchgate.v1.WatchBatchResponse>
        watchBatch(io.batchgate.v1.WatchBatchRequest request) {
      return io.grpc.stub.ClientCalls.blockingV2ServerStreamingCall(
          getChannel(), getWatchBatchMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Waits until a batch is terminal, or the timeout is over: a long poll for callers that cannot
     * stream. Shares the polls of WatchBatch.
     * Upstream: as WatchBatch.
     * Errors:
     * - NOT_FOUND/PROVIDER_NOT_FOUND: the provider has no such batch.
     * </pre>
     */
    public io.batchgate.v1.WaitBatchResponse waitBatch(io.batchgate.v1.WaitBatchRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getWaitBatchMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Creates a batch from rows: builds the JSONL, uploads it and creates the batch, in one call.
     * The first message carries `metadata`, all later ones `lines`. If creating fails for certain, or
     * the caller goes away before it begins, the uploaded file is deleted again; the error says so.
     * Upstream: `POST /files`, then as CreateBatch.
     * Errors: those of UploadFile and CreateBatch, above all
     * - INVALID_ARGUMENT/INVALID_JSONL: faulty rows, each with a violation such as
     *   "lines[7].body_json" (counted from 0 over all messages). No file was created.
     * </pre>
     */
    @io.grpc.ExperimentalApi("https://github.com/grpc/grpc-java/issues/10918")
    public io.grpc.stub.BlockingClientCall<io.batchgate.v1.SubmitBatchRequest, io.batchgate.v1.SubmitBatchResponse>
        submitBatch() {
      return io.grpc.stub.ClientCalls.blockingClientStreamingCall(
          getChannel(), getSubmitBatchMethod(), getCallOptions());
    }

    /**
     * <pre>
     * Streams the results of a batch: its output file, then its error file, row by row, many rows a
     * message. Ends with OK and no rows where there are none.
     * OK means that every request of a COMPLETED batch has a row. A request that is in neither file is
     * named by a row of its own, after all others, with the error code `missing_result`; for that the
     * input file is read. Where a batch has only just ended and its counts say more than its files can
     * hold, the gateway polls again for a while before it fails with RESULTS_MISSING.
     * A message has about 256 KiB, and never more than 2 MiB: a longer body is cut over several messages
     * (see `BatchResult.body_continues`). A line that cannot be read (no JSON object, not UTF-8, over
     * 64 MiB) is a row with the error code `unreadable_line`; DownloadFile returns it unchanged.
     * To go on after a break, send the `resume_token` of the last message that arrived: the rows after
     * that message follow, on any replica.
     * Upstream: `GET /batches/{id}`, `GET /files/{id}/content` for one file or two, and for the input
     * file where results are missing.
     * Errors:
     * - NOT_FOUND/PROVIDER_NOT_FOUND: the provider has no such batch, or the results are deleted.
     * - FAILED_PRECONDITION/BATCH_NOT_FINISHED: it is not terminal; see `wait_until_done`.
     * - FAILED_PRECONDITION/RESULTS_MISSING: the batch's counts say more than its files hold, and what is
     *   missing cannot be named. All rows that there are have been sent.
     * - UNAVAILABLE/PROVIDER_UNAVAILABLE: the content was cut off; go on with the `resume_token`.
     * </pre>
     */
    @io.grpc.ExperimentalApi("https://github.com/grpc/grpc-java/issues/10918")
    public io.grpc.stub.BlockingClientCall<?, io.batchgate.v1.StreamBatchResultsResponse>
        streamBatchResults(io.batchgate.v1.StreamBatchResultsRequest request) {
      return io.grpc.stub.ClientCalls.blockingV2ServerStreamingCall(
          getChannel(), getStreamBatchResultsMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Tries again what has no success: reads which rows those are, and creates a new batch of them.
     * The rows are passed on as they are, in a new file "retry-of-BATCH_ID.jsonl". If creating fails for
     * certain, that file is deleted again. The old batch's id is kept as `batchgate_retry_of` in the new
     * one's metadata at the provider, if one of its 16 pairs is free, and not shown to callers.
     * Upstream: as StreamBatchResults and SubmitBatch.
     * Errors:
     * - FAILED_PRECONDITION/BATCH_NOT_FINISHED: the batch is not terminal.
     * - FAILED_PRECONDITION/RESULTS_MISSING: the batch's counts say more than its files can hold, so that
     *   what succeeded is not known and would be paid twice; nothing was created.
     * - FAILED_PRECONDITION/PROVIDER_CONFLICT: nothing is left to retry; nothing was created.
     * - NOT_FOUND/PROVIDER_NOT_FOUND: no such batch, or its input file or its results are gone.
     * - INVALID_ARGUMENT/INVALID_FIELD: also a `request_id` for which the old batch's 16 labels leave no
     *   room: give `metadata` then.
     * - Those of SubmitBatch.
     * </pre>
     */
    public io.batchgate.v1.RetryBatchResponse retryBatch(io.batchgate.v1.RetryBatchRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getRetryBatchMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do limited synchronous rpc calls to service BatchService.
   * <pre>
   * Batches of a provider.
   * Any RPC may fail as follows, besides what its own `Errors:` list says:
   * - UNAUTHENTICATED/CALLER_UNAUTHENTICATED, PERMISSION_DENIED/CALLER_NOT_PERMITTED: the gateway knows
   *   its callers and this is none, or it may not do that, or not with that provider or model.
   * - RESOURCE_EXHAUSTED/CALLER_LIMIT: the caller is over a limit that the gateway sets for it.
   * - INVALID_ARGUMENT/PROVIDER_REQUIRED: `provider` is empty and there is no default.
   * - NOT_FOUND/PROVIDER_UNKNOWN: no profile has that name.
   * - INVALID_ARGUMENT/INVALID_FIELD: a field is not as its comment says.
   * - FAILED_PRECONDITION/PROVIDER_CREDENTIAL_REJECTED: the gateway's own credential was refused.
   * - PERMISSION_DENIED/PROVIDER_FORBIDDEN, RESOURCE_EXHAUSTED/PROVIDER_RATE_LIMITED,
   *   UNAVAILABLE/PROVIDER_UNAVAILABLE, UNAVAILABLE/PROVIDER_UNREACHABLE,
   *   UNAVAILABLE/PROVIDER_TIMEOUT, INTERNAL/PROVIDER_BAD_RESPONSE: see ErrorReason. The gateway has
   *   tried again by then what could be tried again.
   * - RESOURCE_EXHAUSTED/GATEWAY_OVERLOADED: all of the gateway's connections to the provider are in
   *   use, or it has too much to do otherwise.
   * - DEADLINE_EXCEEDED/CALL_TIMEOUT, DEADLINE_EXCEEDED/CALLER_IDLE: a call without a deadline took too
   *   long, or the caller of a stream neither sent nor read.
   * - UNAVAILABLE/AUDIT_UNAVAILABLE: the gateway cannot record what is to be changed, and changes
   *   nothing.
   * - UNAVAILABLE/SERVER_DRAINING: this gateway is shutting down; another replica will answer.
   * </pre>
   */
  public static final class BatchServiceBlockingStub
      extends io.grpc.stub.AbstractBlockingStub<BatchServiceBlockingStub> {
    private BatchServiceBlockingStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected BatchServiceBlockingStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new BatchServiceBlockingStub(channel, callOptions);
    }

    /**
     * <pre>
     * Creates a batch from an uploaded file.
     * Most faults of the file are found later: the batch then becomes FAILED, with `errors`. If the
     * file was uploaded just now and is not ready yet, the call waits for it, within its deadline.
     * Upstream: `POST /batches`, after `GET /files/{id}` where the provider processes files first
     * (Azure OpenAI), and after `GET /files/{id}/content` for a caller who may use but some models.
     * Errors:
     * - INVALID_ARGUMENT/PROVIDER_REJECTED: the provider refuses it; the details name the field.
     * - NOT_FOUND/PROVIDER_NOT_FOUND: no such file.
     * - FAILED_PRECONDITION/PROVIDER_CONFLICT: the provider could not process the input file.
     * - RESOURCE_EXHAUSTED/PROVIDER_QUOTA_EXCEEDED: the account's means are used up.
     * - RESOURCE_EXHAUSTED/PROVIDER_TOKEN_LIMIT: too many tokens are waiting already; try later.
     * - UNKNOWN/OUTCOME_UNKNOWN: the answer was lost or unclear: the batch may exist. ListBatches
     *   tells. Not UNAVAILABLE, since clients repeat that by themselves and would pay twice. With a
     *   `request_id` the gateway has looked for the batch already, unless it was shutting down; repeat
     *   the call, which finds the batch if the provider has it by then.
     * - ALREADY_EXISTS/IDEMPOTENCY_KEY_REUSED: the `request_id` was used for another request; nothing was
     *   sent. `batch_id` in the details is what exists.
     * </pre>
     */
    public io.batchgate.v1.CreateBatchResponse createBatch(io.batchgate.v1.CreateBatchRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getCreateBatchMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Gets a batch.
     * Upstream: `GET /batches/{id}`.
     * Errors:
     * - NOT_FOUND/PROVIDER_NOT_FOUND: the provider has no such batch, or this profile may not see it.
     * </pre>
     */
    public io.batchgate.v1.GetBatchResponse getBatch(io.batchgate.v1.GetBatchRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getGetBatchMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Lists batches, newest first, page by page.
     * Upstream: `GET /batches`.
     * Errors:
     * - INVALID_ARGUMENT/INVALID_FIELD: a negative `page_size`, or a `page_token` that is not one, or
     *   that came from another provider.
     * </pre>
     */
    public io.batchgate.v1.ListBatchesResponse listBatches(io.batchgate.v1.ListBatchesRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getListBatchesMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Cancels a batch. The answer mostly says CANCELLING; up to 10 minutes later it is CANCELLED, and
     * what was done until then is in its output file. Where the answer is lost the gateway cancels
     * again, and a batch that is cancelled by then is no error.
     * Upstream: `POST /batches/{id}/cancel`.
     * Errors:
     * - NOT_FOUND/PROVIDER_NOT_FOUND: the provider has no such batch.
     * - FAILED_PRECONDITION/PROVIDER_CONFLICT: it is finished already, and unchanged.
     * </pre>
     */
    public io.batchgate.v1.CancelBatchResponse cancelBatch(io.batchgate.v1.CancelBatchRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getCancelBatchMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Watches a batch: a SNAPSHOT at once, a CHANGE whenever its status, counts or file ids change, a
     * HEARTBEAT at least every `watch.heartbeat_seconds` (30 by default), and OK after a terminal state.
     * All watchers and waiters of one batch share one upstream poll. A passing fault of the provider
     * does not end a watch. A reader that is slow gets the newest state, not each one.
     * Upstream: `GET /batches/{id}` now and then, or one `GET /batches` for many batches.
     * Errors:
     * - NOT_FOUND/PROVIDER_NOT_FOUND: the provider has no such batch.
     * - UNAVAILABLE/SERVER_DRAINING: the gateway is shutting down, or the watch has lasted for
     *   `server.connection_age_grace_seconds` (an hour); watch again, on another replica.
     * </pre>
     */
    public java.util.Iterator<io.batchgate.v1.WatchBatchResponse> watchBatch(
        io.batchgate.v1.WatchBatchRequest request) {
      return io.grpc.stub.ClientCalls.blockingServerStreamingCall(
          getChannel(), getWatchBatchMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Waits until a batch is terminal, or the timeout is over: a long poll for callers that cannot
     * stream. Shares the polls of WatchBatch.
     * Upstream: as WatchBatch.
     * Errors:
     * - NOT_FOUND/PROVIDER_NOT_FOUND: the provider has no such batch.
     * </pre>
     */
    public io.batchgate.v1.WaitBatchResponse waitBatch(io.batchgate.v1.WaitBatchRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getWaitBatchMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Streams the results of a batch: its output file, then its error file, row by row, many rows a
     * message. Ends with OK and no rows where there are none.
     * OK means that every request of a COMPLETED batch has a row. A request that is in neither file is
     * named by a row of its own, after all others, with the error code `missing_result`; for that the
     * input file is read. Where a batch has only just ended and its counts say more than its files can
     * hold, the gateway polls again for a while before it fails with RESULTS_MISSING.
     * A message has about 256 KiB, and never more than 2 MiB: a longer body is cut over several messages
     * (see `BatchResult.body_continues`). A line that cannot be read (no JSON object, not UTF-8, over
     * 64 MiB) is a row with the error code `unreadable_line`; DownloadFile returns it unchanged.
     * To go on after a break, send the `resume_token` of the last message that arrived: the rows after
     * that message follow, on any replica.
     * Upstream: `GET /batches/{id}`, `GET /files/{id}/content` for one file or two, and for the input
     * file where results are missing.
     * Errors:
     * - NOT_FOUND/PROVIDER_NOT_FOUND: the provider has no such batch, or the results are deleted.
     * - FAILED_PRECONDITION/BATCH_NOT_FINISHED: it is not terminal; see `wait_until_done`.
     * - FAILED_PRECONDITION/RESULTS_MISSING: the batch's counts say more than its files hold, and what is
     *   missing cannot be named. All rows that there are have been sent.
     * - UNAVAILABLE/PROVIDER_UNAVAILABLE: the content was cut off; go on with the `resume_token`.
     * </pre>
     */
    public java.util.Iterator<io.batchgate.v1.StreamBatchResultsResponse> streamBatchResults(
        io.batchgate.v1.StreamBatchResultsRequest request) {
      return io.grpc.stub.ClientCalls.blockingServerStreamingCall(
          getChannel(), getStreamBatchResultsMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Tries again what has no success: reads which rows those are, and creates a new batch of them.
     * The rows are passed on as they are, in a new file "retry-of-BATCH_ID.jsonl". If creating fails for
     * certain, that file is deleted again. The old batch's id is kept as `batchgate_retry_of` in the new
     * one's metadata at the provider, if one of its 16 pairs is free, and not shown to callers.
     * Upstream: as StreamBatchResults and SubmitBatch.
     * Errors:
     * - FAILED_PRECONDITION/BATCH_NOT_FINISHED: the batch is not terminal.
     * - FAILED_PRECONDITION/RESULTS_MISSING: the batch's counts say more than its files can hold, so that
     *   what succeeded is not known and would be paid twice; nothing was created.
     * - FAILED_PRECONDITION/PROVIDER_CONFLICT: nothing is left to retry; nothing was created.
     * - NOT_FOUND/PROVIDER_NOT_FOUND: no such batch, or its input file or its results are gone.
     * - INVALID_ARGUMENT/INVALID_FIELD: also a `request_id` for which the old batch's 16 labels leave no
     *   room: give `metadata` then.
     * - Those of SubmitBatch.
     * </pre>
     */
    public io.batchgate.v1.RetryBatchResponse retryBatch(io.batchgate.v1.RetryBatchRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getRetryBatchMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do ListenableFuture-style rpc calls to service BatchService.
   * <pre>
   * Batches of a provider.
   * Any RPC may fail as follows, besides what its own `Errors:` list says:
   * - UNAUTHENTICATED/CALLER_UNAUTHENTICATED, PERMISSION_DENIED/CALLER_NOT_PERMITTED: the gateway knows
   *   its callers and this is none, or it may not do that, or not with that provider or model.
   * - RESOURCE_EXHAUSTED/CALLER_LIMIT: the caller is over a limit that the gateway sets for it.
   * - INVALID_ARGUMENT/PROVIDER_REQUIRED: `provider` is empty and there is no default.
   * - NOT_FOUND/PROVIDER_UNKNOWN: no profile has that name.
   * - INVALID_ARGUMENT/INVALID_FIELD: a field is not as its comment says.
   * - FAILED_PRECONDITION/PROVIDER_CREDENTIAL_REJECTED: the gateway's own credential was refused.
   * - PERMISSION_DENIED/PROVIDER_FORBIDDEN, RESOURCE_EXHAUSTED/PROVIDER_RATE_LIMITED,
   *   UNAVAILABLE/PROVIDER_UNAVAILABLE, UNAVAILABLE/PROVIDER_UNREACHABLE,
   *   UNAVAILABLE/PROVIDER_TIMEOUT, INTERNAL/PROVIDER_BAD_RESPONSE: see ErrorReason. The gateway has
   *   tried again by then what could be tried again.
   * - RESOURCE_EXHAUSTED/GATEWAY_OVERLOADED: all of the gateway's connections to the provider are in
   *   use, or it has too much to do otherwise.
   * - DEADLINE_EXCEEDED/CALL_TIMEOUT, DEADLINE_EXCEEDED/CALLER_IDLE: a call without a deadline took too
   *   long, or the caller of a stream neither sent nor read.
   * - UNAVAILABLE/AUDIT_UNAVAILABLE: the gateway cannot record what is to be changed, and changes
   *   nothing.
   * - UNAVAILABLE/SERVER_DRAINING: this gateway is shutting down; another replica will answer.
   * </pre>
   */
  public static final class BatchServiceFutureStub
      extends io.grpc.stub.AbstractFutureStub<BatchServiceFutureStub> {
    private BatchServiceFutureStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected BatchServiceFutureStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new BatchServiceFutureStub(channel, callOptions);
    }

    /**
     * <pre>
     * Creates a batch from an uploaded file.
     * Most faults of the file are found later: the batch then becomes FAILED, with `errors`. If the
     * file was uploaded just now and is not ready yet, the call waits for it, within its deadline.
     * Upstream: `POST /batches`, after `GET /files/{id}` where the provider processes files first
     * (Azure OpenAI), and after `GET /files/{id}/content` for a caller who may use but some models.
     * Errors:
     * - INVALID_ARGUMENT/PROVIDER_REJECTED: the provider refuses it; the details name the field.
     * - NOT_FOUND/PROVIDER_NOT_FOUND: no such file.
     * - FAILED_PRECONDITION/PROVIDER_CONFLICT: the provider could not process the input file.
     * - RESOURCE_EXHAUSTED/PROVIDER_QUOTA_EXCEEDED: the account's means are used up.
     * - RESOURCE_EXHAUSTED/PROVIDER_TOKEN_LIMIT: too many tokens are waiting already; try later.
     * - UNKNOWN/OUTCOME_UNKNOWN: the answer was lost or unclear: the batch may exist. ListBatches
     *   tells. Not UNAVAILABLE, since clients repeat that by themselves and would pay twice. With a
     *   `request_id` the gateway has looked for the batch already, unless it was shutting down; repeat
     *   the call, which finds the batch if the provider has it by then.
     * - ALREADY_EXISTS/IDEMPOTENCY_KEY_REUSED: the `request_id` was used for another request; nothing was
     *   sent. `batch_id` in the details is what exists.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<io.batchgate.v1.CreateBatchResponse> createBatch(
        io.batchgate.v1.CreateBatchRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getCreateBatchMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Gets a batch.
     * Upstream: `GET /batches/{id}`.
     * Errors:
     * - NOT_FOUND/PROVIDER_NOT_FOUND: the provider has no such batch, or this profile may not see it.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<io.batchgate.v1.GetBatchResponse> getBatch(
        io.batchgate.v1.GetBatchRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getGetBatchMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Lists batches, newest first, page by page.
     * Upstream: `GET /batches`.
     * Errors:
     * - INVALID_ARGUMENT/INVALID_FIELD: a negative `page_size`, or a `page_token` that is not one, or
     *   that came from another provider.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<io.batchgate.v1.ListBatchesResponse> listBatches(
        io.batchgate.v1.ListBatchesRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getListBatchesMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Cancels a batch. The answer mostly says CANCELLING; up to 10 minutes later it is CANCELLED, and
     * what was done until then is in its output file. Where the answer is lost the gateway cancels
     * again, and a batch that is cancelled by then is no error.
     * Upstream: `POST /batches/{id}/cancel`.
     * Errors:
     * - NOT_FOUND/PROVIDER_NOT_FOUND: the provider has no such batch.
     * - FAILED_PRECONDITION/PROVIDER_CONFLICT: it is finished already, and unchanged.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<io.batchgate.v1.CancelBatchResponse> cancelBatch(
        io.batchgate.v1.CancelBatchRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getCancelBatchMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Waits until a batch is terminal, or the timeout is over: a long poll for callers that cannot
     * stream. Shares the polls of WatchBatch.
     * Upstream: as WatchBatch.
     * Errors:
     * - NOT_FOUND/PROVIDER_NOT_FOUND: the provider has no such batch.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<io.batchgate.v1.WaitBatchResponse> waitBatch(
        io.batchgate.v1.WaitBatchRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getWaitBatchMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Tries again what has no success: reads which rows those are, and creates a new batch of them.
     * The rows are passed on as they are, in a new file "retry-of-BATCH_ID.jsonl". If creating fails for
     * certain, that file is deleted again. The old batch's id is kept as `batchgate_retry_of` in the new
     * one's metadata at the provider, if one of its 16 pairs is free, and not shown to callers.
     * Upstream: as StreamBatchResults and SubmitBatch.
     * Errors:
     * - FAILED_PRECONDITION/BATCH_NOT_FINISHED: the batch is not terminal.
     * - FAILED_PRECONDITION/RESULTS_MISSING: the batch's counts say more than its files can hold, so that
     *   what succeeded is not known and would be paid twice; nothing was created.
     * - FAILED_PRECONDITION/PROVIDER_CONFLICT: nothing is left to retry; nothing was created.
     * - NOT_FOUND/PROVIDER_NOT_FOUND: no such batch, or its input file or its results are gone.
     * - INVALID_ARGUMENT/INVALID_FIELD: also a `request_id` for which the old batch's 16 labels leave no
     *   room: give `metadata` then.
     * - Those of SubmitBatch.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<io.batchgate.v1.RetryBatchResponse> retryBatch(
        io.batchgate.v1.RetryBatchRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getRetryBatchMethod(), getCallOptions()), request);
    }
  }

  private static final int METHODID_CREATE_BATCH = 0;
  private static final int METHODID_GET_BATCH = 1;
  private static final int METHODID_LIST_BATCHES = 2;
  private static final int METHODID_CANCEL_BATCH = 3;
  private static final int METHODID_WATCH_BATCH = 4;
  private static final int METHODID_WAIT_BATCH = 5;
  private static final int METHODID_STREAM_BATCH_RESULTS = 6;
  private static final int METHODID_RETRY_BATCH = 7;
  private static final int METHODID_SUBMIT_BATCH = 8;

  private static final class MethodHandlers<Req, Resp> implements
      io.grpc.stub.ServerCalls.UnaryMethod<Req, Resp>,
      io.grpc.stub.ServerCalls.ServerStreamingMethod<Req, Resp>,
      io.grpc.stub.ServerCalls.ClientStreamingMethod<Req, Resp>,
      io.grpc.stub.ServerCalls.BidiStreamingMethod<Req, Resp> {
    private final AsyncService serviceImpl;
    private final int methodId;

    MethodHandlers(AsyncService serviceImpl, int methodId) {
      this.serviceImpl = serviceImpl;
      this.methodId = methodId;
    }

    @java.lang.Override
    @java.lang.SuppressWarnings("unchecked")
    public void invoke(Req request, io.grpc.stub.StreamObserver<Resp> responseObserver) {
      switch (methodId) {
        case METHODID_CREATE_BATCH:
          serviceImpl.createBatch((io.batchgate.v1.CreateBatchRequest) request,
              (io.grpc.stub.StreamObserver<io.batchgate.v1.CreateBatchResponse>) responseObserver);
          break;
        case METHODID_GET_BATCH:
          serviceImpl.getBatch((io.batchgate.v1.GetBatchRequest) request,
              (io.grpc.stub.StreamObserver<io.batchgate.v1.GetBatchResponse>) responseObserver);
          break;
        case METHODID_LIST_BATCHES:
          serviceImpl.listBatches((io.batchgate.v1.ListBatchesRequest) request,
              (io.grpc.stub.StreamObserver<io.batchgate.v1.ListBatchesResponse>) responseObserver);
          break;
        case METHODID_CANCEL_BATCH:
          serviceImpl.cancelBatch((io.batchgate.v1.CancelBatchRequest) request,
              (io.grpc.stub.StreamObserver<io.batchgate.v1.CancelBatchResponse>) responseObserver);
          break;
        case METHODID_WATCH_BATCH:
          serviceImpl.watchBatch((io.batchgate.v1.WatchBatchRequest) request,
              (io.grpc.stub.StreamObserver<io.batchgate.v1.WatchBatchResponse>) responseObserver);
          break;
        case METHODID_WAIT_BATCH:
          serviceImpl.waitBatch((io.batchgate.v1.WaitBatchRequest) request,
              (io.grpc.stub.StreamObserver<io.batchgate.v1.WaitBatchResponse>) responseObserver);
          break;
        case METHODID_STREAM_BATCH_RESULTS:
          serviceImpl.streamBatchResults((io.batchgate.v1.StreamBatchResultsRequest) request,
              (io.grpc.stub.StreamObserver<io.batchgate.v1.StreamBatchResultsResponse>) responseObserver);
          break;
        case METHODID_RETRY_BATCH:
          serviceImpl.retryBatch((io.batchgate.v1.RetryBatchRequest) request,
              (io.grpc.stub.StreamObserver<io.batchgate.v1.RetryBatchResponse>) responseObserver);
          break;
        default:
          throw new AssertionError();
      }
    }

    @java.lang.Override
    @java.lang.SuppressWarnings("unchecked")
    public io.grpc.stub.StreamObserver<Req> invoke(
        io.grpc.stub.StreamObserver<Resp> responseObserver) {
      switch (methodId) {
        case METHODID_SUBMIT_BATCH:
          return (io.grpc.stub.StreamObserver<Req>) serviceImpl.submitBatch(
              (io.grpc.stub.StreamObserver<io.batchgate.v1.SubmitBatchResponse>) responseObserver);
        default:
          throw new AssertionError();
      }
    }
  }

  public static final io.grpc.ServerServiceDefinition bindService(AsyncService service) {
    return io.grpc.ServerServiceDefinition.builder(getServiceDescriptor())
        .addMethod(
          getCreateBatchMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              io.batchgate.v1.CreateBatchRequest,
              io.batchgate.v1.CreateBatchResponse>(
                service, METHODID_CREATE_BATCH)))
        .addMethod(
          getGetBatchMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              io.batchgate.v1.GetBatchRequest,
              io.batchgate.v1.GetBatchResponse>(
                service, METHODID_GET_BATCH)))
        .addMethod(
          getListBatchesMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              io.batchgate.v1.ListBatchesRequest,
              io.batchgate.v1.ListBatchesResponse>(
                service, METHODID_LIST_BATCHES)))
        .addMethod(
          getCancelBatchMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              io.batchgate.v1.CancelBatchRequest,
              io.batchgate.v1.CancelBatchResponse>(
                service, METHODID_CANCEL_BATCH)))
        .addMethod(
          getWatchBatchMethod(),
          io.grpc.stub.ServerCalls.asyncServerStreamingCall(
            new MethodHandlers<
              io.batchgate.v1.WatchBatchRequest,
              io.batchgate.v1.WatchBatchResponse>(
                service, METHODID_WATCH_BATCH)))
        .addMethod(
          getWaitBatchMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              io.batchgate.v1.WaitBatchRequest,
              io.batchgate.v1.WaitBatchResponse>(
                service, METHODID_WAIT_BATCH)))
        .addMethod(
          getSubmitBatchMethod(),
          io.grpc.stub.ServerCalls.asyncClientStreamingCall(
            new MethodHandlers<
              io.batchgate.v1.SubmitBatchRequest,
              io.batchgate.v1.SubmitBatchResponse>(
                service, METHODID_SUBMIT_BATCH)))
        .addMethod(
          getStreamBatchResultsMethod(),
          io.grpc.stub.ServerCalls.asyncServerStreamingCall(
            new MethodHandlers<
              io.batchgate.v1.StreamBatchResultsRequest,
              io.batchgate.v1.StreamBatchResultsResponse>(
                service, METHODID_STREAM_BATCH_RESULTS)))
        .addMethod(
          getRetryBatchMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              io.batchgate.v1.RetryBatchRequest,
              io.batchgate.v1.RetryBatchResponse>(
                service, METHODID_RETRY_BATCH)))
        .build();
  }

  private static abstract class BatchServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoFileDescriptorSupplier, io.grpc.protobuf.ProtoServiceDescriptorSupplier {
    BatchServiceBaseDescriptorSupplier() {}

    @java.lang.Override
    public com.google.protobuf.Descriptors.FileDescriptor getFileDescriptor() {
      return io.batchgate.v1.BatchServiceOuterClass.getDescriptor();
    }

    @java.lang.Override
    public com.google.protobuf.Descriptors.ServiceDescriptor getServiceDescriptor() {
      return getFileDescriptor().findServiceByName("BatchService");
    }
  }

  private static final class BatchServiceFileDescriptorSupplier
      extends BatchServiceBaseDescriptorSupplier {
    BatchServiceFileDescriptorSupplier() {}
  }

  private static final class BatchServiceMethodDescriptorSupplier
      extends BatchServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoMethodDescriptorSupplier {
    private final java.lang.String methodName;

    BatchServiceMethodDescriptorSupplier(java.lang.String methodName) {
      this.methodName = methodName;
    }

    @java.lang.Override
    public com.google.protobuf.Descriptors.MethodDescriptor getMethodDescriptor() {
      return getServiceDescriptor().findMethodByName(methodName);
    }
  }

  private static volatile io.grpc.ServiceDescriptor serviceDescriptor;

  public static io.grpc.ServiceDescriptor getServiceDescriptor() {
    io.grpc.ServiceDescriptor result = serviceDescriptor;
    if (result == null) {
      synchronized (BatchServiceGrpc.class) {
        result = serviceDescriptor;
        if (result == null) {
          serviceDescriptor = result = io.grpc.ServiceDescriptor.newBuilder(SERVICE_NAME)
              .setSchemaDescriptor(new BatchServiceFileDescriptorSupplier())
              .addMethod(getCreateBatchMethod())
              .addMethod(getGetBatchMethod())
              .addMethod(getListBatchesMethod())
              .addMethod(getCancelBatchMethod())
              .addMethod(getWatchBatchMethod())
              .addMethod(getWaitBatchMethod())
              .addMethod(getSubmitBatchMethod())
              .addMethod(getStreamBatchResultsMethod())
              .addMethod(getRetryBatchMethod())
              .build();
        }
      }
    }
    return result;
  }
}
