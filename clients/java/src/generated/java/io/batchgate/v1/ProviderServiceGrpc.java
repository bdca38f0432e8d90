package io.batchgate.v1;

import static io.grpc.MethodDescriptor.generateFullMethodName;

/**
 * <pre>
 * The provider profiles of this gateway: whom it can call, with which account.
 * </pre>
 */
@io.grpc.stub.annotations.GrpcGenerated
public final class ProviderServiceGrpc {

  private ProviderServiceGrpc() {}

  public static final java.lang.String SERVICE_NAME = "batchgate.v1.ProviderService";

  // Static method descriptors that strictly reflect the proto.
  private static volatile io.grpc.MethodDescriptor<io.batchgate.v1.ListProvidersRequest,
      io.batchgate.v1.ListProvidersResponse> getListProvidersMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ListProviders",
      requestType = io.batchgate.v1.ListProvidersRequest.class,
      responseType = io.batchgate.v1.ListProvidersResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<io.batchgate.v1.ListProvidersRequest,
      io.batchgate.v1.ListProvidersResponse> getListProvidersMethod() {
    io.grpc.MethodDescriptor<io.batchgate.v1.ListProvidersRequest, io.batchgate.v1.ListProvidersResponse> getListProvidersMethod;
    if ((getListProvidersMethod = ProviderServiceGrpc.getListProvidersMethod) == null) {
      synchronized (ProviderServiceGrpc.class) {
        if ((getListProvidersMethod = ProviderServiceGrpc.getListProvidersMethod) == null) {
          ProviderServiceGrpc.getListProvidersMethod = getListProvidersMethod =
              io.grpc.MethodDescriptor.<io.batchgate.v1.ListProvidersRequest, io.batchgate.v1.ListProvidersResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ListProviders"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.batchgate.v1.ListProvidersRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.batchgate.v1.ListProvidersResponse.getDefaultInstance()))
              .setSchemaDescriptor(new ProviderServiceMethodDescriptorSupplier("ListProviders"))
              .build();
        }
      }
    }
    return getListProvidersMethod;
  }

  /**
   * Creates a new async stub that supports all call types for the service
   */
  public static ProviderServiceStub newStub(io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<ProviderServiceStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<ProviderServiceStub>() {
        @java.lang.Override
        public ProviderServiceStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new ProviderServiceStub(channel, callOptions);
        }
      };
    return ProviderServiceStub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports all types of calls on the service
   */
  public static ProviderServiceBlockingV2Stub newBlockingV2Stub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<ProviderServiceBlockingV2Stub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<ProviderServiceBlockingV2Stub>() {
        @java.lang.Override
        public ProviderServiceBlockingV2Stub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new ProviderServiceBlockingV2Stub(channel, callOptions);
        }
      };
    return ProviderServiceBlockingV2Stub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports unary and streaming output calls on the service
   */
  public static ProviderServiceBlockingStub newBlockingStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<ProviderServiceBlockingStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<ProviderServiceBlockingStub>() {
        @java.lang.Override
        public ProviderServiceBlockingStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new ProviderServiceBlockingStub(channel, callOptions);
        }
      };
    return ProviderServiceBlockingStub.newStub(factory, channel);
  }

  /**
   * Creates a new ListenableFuture-style stub that supports unary calls on the service
   */
  public static ProviderServiceFutureStub newFutureStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<ProviderServiceFutureStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<ProviderServiceFutureStub>() {
        @java.lang.Override
        public ProviderServiceFutureStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new ProviderServiceFutureStub(channel, callOptions);
        }
      };
    return ProviderServiceFutureStub.newStub(factory, channel);
  }

  /**
   * <pre>
   * The provider profiles of this gateway: whom it can call, with which account.
   * </pre>
   */
  public interface AsyncService {

    /**
     * <pre>
     * Lists the profiles that the caller may use. Nothing in the answer is secret.
     * Upstream: none, or `GET /batches?limit=1` per profile with `check_health`.
     * Errors:
     * - UNAUTHENTICATED/CALLER_UNAUTHENTICATED: the gateway knows its callers, and this is none.
     * - RESOURCE_EXHAUSTED/CALLER_LIMIT, RESOURCE_EXHAUSTED/GATEWAY_OVERLOADED: the caller, or all
     *   together, ask for too much.
     * - DEADLINE_EXCEEDED/CALL_TIMEOUT: the call has no deadline and took too long.
     * - UNAVAILABLE/SERVER_DRAINING: this gateway is shutting down; another replica will answer.
     * </pre>
     */
    default void listProviders(io.batchgate.v1.ListProvidersRequest request,
        io.grpc.stub.StreamObserver<io.batchgate.v1.ListProvidersResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getListProvidersMethod(), responseObserver);
    }
  }

  /**
   * Base class for the server implementation of the service ProviderService.
   * <pre>
   * The provider profiles of this gateway: whom it can call, with which account.
   * </pre>
   */
  public static abstract class ProviderServiceImplBase
      implements io.grpc.BindableService, AsyncService {

    @java.lang.Override public final io.grpc.ServerServiceDefinition bindService() {
      return ProviderServiceGrpc.bindService(this);
    }
  }

  /**
   * A stub to allow clients to do asynchronous rpc calls to service ProviderService.
   * <pre>
   * The provider profiles of this gateway: whom it can call, with which account.
   * </pre>
   */
  public static final class ProviderServiceStub
      extends io.grpc.stub.AbstractAsyncStub<ProviderServiceStub> {
    private ProviderServiceStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected ProviderServiceStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new ProviderServiceStub(channel, callOptions);
    }

    /**
     * <pre>
     * Lists the profiles that the caller may use. Nothing in the answer is secret.
     * Upstream: none, or `GET /batches?limit=1` per profile with `check_health`.
     * Errors:
     * - UNAUTHENTICATED/CALLER_UNAUTHENTICATED: the gateway knows its callers, and this is none.
     * - RESOURCE_EXHAUSTED/CALLER_LIMIT, RESOURCE_EXHAUSTED/GATEWAY_OVERLOADED: the caller, or all
     *   together, ask for too much.
     * - DEADLINE_EXCEEDED/CALL_TIMEOUT: the call has no deadline and took too long.
     * - UNAVAILABLE/SERVER_DRAINING: this gateway is shutting down; another replica will answer.
     * </pre>
     */
    public void listProviders(io.batchgate.v1.ListProvidersRequest request,
        io.grpc.stub.StreamObserver<io.batchgate.v1.ListProvidersResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getListProvidersMethod(), getCallOptions()), request, responseObserver);
    }
  }

  /**
   * A stub to allow clients to do synchronous rpc calls to service ProviderService.
   * <pre>
   * The provider profiles of this gateway: whom it can call, with which account.
   * </pre>
   */
  public static final class ProviderServiceBlockingV2Stub
      extends io.grpc.stub.AbstractBlockingStub<ProviderServiceBlockingV2Stub> {
    private ProviderServiceBlockingV2Stub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected ProviderServiceBlockingV2Stub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new ProviderServiceBlockingV2Stub(channel, callOptions);
    }

    /**
     * <pre>
     * Lists the profiles that the caller may use. Nothing in the answer is secret.
     * Upstream: none, or `GET /batches?limit=1` per profile with `check_health`.
     * Errors:
     * - UNAUTHENTICATED/CALLER_UNAUTHENTICATED: the gateway knows its callers, and this is none.
     * - RESOURCE_EXHAUSTED/CALLER_LIMIT, RESOURCE_EXHAUSTED/GATEWAY_OVERLOADED: the caller, or all
     *   together, ask for too much.
     * - DEADLINE_EXCEEDED/CALL_TIMEOUT: the call has no deadline and took too long.
     * - UNAVAILABLE/SERVER_DRAINING: this gateway is shutting down; another replica will answer.
     * </pre>
     */
    public io.batchgate.v1.ListProvidersResponse listProviders(io.batchgate.v1.ListProvidersRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getListProvidersMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do limited synchronous rpc calls to service ProviderService.
   * <pre>
   * The provider profiles of this gateway: whom it can call, with which account.
   * </pre>
   */
  public static final class ProviderServiceBlockingStub
      extends io.grpc.stub.AbstractBlockingStub<ProviderServiceBlockingStub> {
    private ProviderServiceBlockingStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected ProviderServiceBlockingStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new ProviderServiceBlockingStub(channel, callOptions);
    }

    /**
     * <pre>
     * Lists the profiles that the caller may use. Nothing in the answer is secret.
     * Upstream: none, or `GET /batches?limit=1` per profile with `check_health`.
     * Errors:
     * - UNAUTHENTICATED/CALLER_UNAUTHENTICATED: the gateway knows its callers, and this is none.
     * - RESOURCE_EXHAUSTED/CALLER_LIMIT, RESOURCE_EXHAUSTED/GATEWAY_OVERLOADED: the caller, or all
     *   together, ask for too much.
     * - DEADLINE_EXCEEDED/CALL_TIMEOUT: the call has no deadline and took too long.
     * - UNAVAILABLE/SERVER_DRAINING: this gateway is shutting down; another replica will answer.
     * </pre>
     */
    public io.batchgate.v1.ListProvidersResponse listProviders(io.batchgate.v1.ListProvidersRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getListProvidersMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do ListenableFuture-style rpc calls to service ProviderService.
   * <pre>
   * The provider profiles of this gateway: whom it can call, with which account.
   * </pre>
   */
  public static final class ProviderServiceFutureStub
      extends io.grpc.stub.AbstractFutureStub<ProviderServiceFutureStub> {
    private ProviderServiceFutureStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected ProviderServiceFutureStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new ProviderServiceFutureStub(channel, callOptions);
    }

    /**
     * <pre>
     * Lists the profiles that the caller may use. Nothing in the answer is secret.
     * Upstream: none, or `GET /batches?limit=1` per profile with `check_health`.
     * Errors:
     * - UNAUTHENTICATED/CALLER_UNAUTHENTICATED: the gateway knows its callers, and this is none.
     * - RESOURCE_EXHAUSTED/CALLER_LIMIT, RESOURCE_EXHAUSTED/GATEWAY_OVERLOADED: the caller, or all
     *   together, ask for too much.
     * - DEADLINE_EXCEEDED/CALL_TIMEOUT: the call has no deadline and took too long.
     * - UNAVAILABLE/SERVER_DRAINING: this gateway is shutting down; another replica will answer.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<io.batchgate.v1.ListProvidersResponse> listProviders(
        io.batchgate.v1.ListProvidersRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getListProvidersMethod(), getCallOptions()), request);
    }
  }

  private static final int METHODID_LIST_PROVIDERS = 0;

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
        case METHODID_LIST_PROVIDERS:
          serviceImpl.listProviders((io.batchgate.v1.ListProvidersRequest) request,
              (io.grpc.stub.StreamObserver<io.batchgate.v1.ListProvidersResponse>) responseObserver);
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
        default:
          throw new AssertionError();
      }
    }
  }

  public static final io.grpc.ServerServiceDefinition bindService(AsyncService service) {
    return io.grpc.ServerServiceDefinition.builder(getServiceDescriptor())
        .addMethod(
          getListProvidersMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              io.batchgate.v1.ListProvidersRequest,
              io.batchgate.v1.ListProvidersResponse>(
                service, METHODID_LIST_PROVIDERS)))
        .build();
  }

  private static abstract class ProviderServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoFileDescriptorSupplier, io.grpc.protobuf.ProtoServiceDescriptorSupplier {
    ProviderServiceBaseDescriptorSupplier() {}

    @java.lang.Override
    public com.google.protobuf.Descriptors.FileDescriptor getFileDescriptor() {
      return io.batchgate.v1.ProviderServiceOuterClass.getDescriptor();
    }

    @java.lang.Override
    public com.google.protobuf.Descriptors.ServiceDescriptor getServiceDescriptor() {
      return getFileDescriptor().findServiceByName("ProviderService");
    }
  }

  private static final class ProviderServiceFileDescriptorSupplier
      extends ProviderServiceBaseDescriptorSupplier {
    ProviderServiceFileDescriptorSupplier() {}
  }

  private static final class ProviderServiceMethodDescriptorSupplier
      extends ProviderServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoMethodDescriptorSupplier {
    private final java.lang.String methodName;

    ProviderServiceMethodDescriptorSupplier(java.lang.String methodName) {
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
      synchronized (ProviderServiceGrpc.class) {
        result = serviceDescriptor;
        if (result == null) {
          serviceDescriptor = result = io.grpc.ServiceDescriptor.newBuilder(SERVICE_NAME)
              .setSchemaDescriptor(new ProviderServiceFileDescriptorSupplier())
              .addMethod(getListProvidersMethod())
              .build();
        }
      }
    }
    return result;
  }
}
