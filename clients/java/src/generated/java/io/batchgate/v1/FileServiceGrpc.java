package io.batchgate.v1;

import static io.grpc.MethodDescriptor.generateFullMethodName;

/**
 * <pre>
 * Files kept by a provider: the input of batches and their output.
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
public final class FileServiceGrpc {

  private FileServiceGrpc() {}

  public static final java.lang.String SERVICE_NAME = "batchgate.v1.FileService";

  // Static method descriptors that strictly reflect the proto.
  private static volatile io.grpc.MethodDescriptor<io.batchgate.v1.UploadFileRequest,
      io.batchgate.v1.UploadFileResponse> getUploadFileMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "UploadFile",
      requestType = io.batchgate.v1.UploadFileRequest.class,
      responseType = io.batchgate.v1.UploadFileResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.CLIENT_STREAMING)
  public static io.grpc.MethodDescriptor<io.batchgate.v1.UploadFileRequest,
      io.batchgate.v1.UploadFileResponse> getUploadFileMethod() {
    io.grpc.MethodDescriptor<io.batchgate.v1.UploadFileRequest, io.batchgate.v1.UploadFileResponse> getUploadFileMethod;
    if ((getUploadFileMethod = FileServiceGrpc.getUploadFileMethod) == null) {
      synchronized (FileServiceGrpc.class) {
        if ((getUploadFileMethod = FileServiceGrpc.getUploadFileMethod) == null) {
          FileServiceGrpc.getUploadFileMethod = getUploadFileMethod =
              io.grpc.MethodDescriptor.<io.batchgate.v1.UploadFileRequest, io.batchgate.v1.UploadFileResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.CLIENT_STREAMING)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "UploadFile"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.batchgate.v1.UploadFileRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.batchgate.v1.UploadFileResponse.getDefaultInstance()))
              .setSchemaDescriptor(new FileServiceMethodDescriptorSupplier("UploadFile"))
              .build();
        }
      }
    }
    return getUploadFileMethod;
  }

  private static volatile io.grpc.MethodDescriptor<io.batchgate.v1.GetFileRequest,
      io.batchgate.v1.GetFileResponse> getGetFileMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "GetFile",
      requestType = io.batchgate.v1.GetFileRequest.class,
      responseType = io.batchgate.v1.GetFileResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<io.batchgate.v1.GetFileRequest,
      io.batchgate.v1.GetFileResponse> getGetFileMethod() {
    io.grpc.MethodDescriptor<io.batchgate.v1.GetFileRequest, io.batchgate.v1.GetFileResponse> getGetFileMethod;
    if ((getGetFileMethod = FileServiceGrpc.getGetFileMethod) == null) {
      synchronized (FileServiceGrpc.class) {
        if ((getGetFileMethod = FileServiceGrpc.getGetFileMethod) == null) {
          FileServiceGrpc.getGetFileMethod = getGetFileMethod =
              io.grpc.MethodDescriptor.<io.batchgate.v1.GetFileRequest, io.batchgate.v1.GetFileResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "GetFile"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.batchgate.v1.GetFileRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.batchgate.v1.GetFileResponse.getDefaultInstance()))
              .setSchemaDescriptor(new FileServiceMethodDescriptorSupplier("GetFile"))
              .build();
        }
      }
    }
    return getGetFileMethod;
  }

  private static volatile io.grpc.MethodDescriptor<io.batchgate.v1.ListFilesRequest,
      io.batchgate.v1.ListFilesResponse> getListFilesMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ListFiles",
      requestType = io.batchgate.v1.ListFilesRequest.class,
      responseType = io.batchgate.v1.ListFilesResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<io.batchgate.v1.ListFilesRequest,
      io.batchgate.v1.ListFilesResponse> getListFilesMethod() {
    io.grpc.MethodDescriptor<io.batchgate.v1.ListFilesRequest, io.batchgate.v1.ListFilesResponse> getListFilesMethod;
    if ((getListFilesMethod = FileServiceGrpc.getListFilesMethod) == null) {
      synchronized (FileServiceGrpc.class) {
        if ((getListFilesMethod = FileServiceGrpc.getListFilesMethod) == null) {
          FileServiceGrpc.getListFilesMethod = getListFilesMethod =
              io.grpc.MethodDescriptor.<io.batchgate.v1.ListFilesRequest, io.batchgate.v1.ListFilesResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ListFiles"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.batchgate.v1.ListFilesRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.batchgate.v1.ListFilesResponse.getDefaultInstance()))
              .setSchemaDescriptor(new FileServiceMethodDescriptorSupplier("ListFiles"))
              .build();
        }
      }
    }
    return getListFilesMethod;
  }

  private static volatile io.grpc.MethodDescriptor<io.batchgate.v1.DeleteFileRequest,
      io.batchgate.v1.DeleteFileResponse> getDeleteFileMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "DeleteFile",
      requestType = io.batchgate.v1.DeleteFileRequest.class,
      responseType = io.batchgate.v1.DeleteFileResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<io.batchgate.v1.DeleteFileRequest,
      io.batchgate.v1.DeleteFileResponse> getDeleteFileMethod() {
    io.grpc.MethodDescriptor<io.batchgate.v1.DeleteFileRequest, io.batchgate.v1.DeleteFileResponse> getDeleteFileMethod;
    if ((getDeleteFileMethod = FileServiceGrpc.getDeleteFileMethod) == null) {
      synchronized (FileServiceGrpc.class) {
        if ((getDeleteFileMethod = FileServiceGrpc.getDeleteFileMethod) == null) {
          FileServiceGrpc.getDeleteFileMethod = getDeleteFileMethod =
              io.grpc.MethodDescriptor.<io.batchgate.v1.DeleteFileRequest, io.batchgate.v1.DeleteFileResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "DeleteFile"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.batchgate.v1.DeleteFileRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.batchgate.v1.DeleteFileResponse.getDefaultInstance()))
              .setSchemaDescriptor(new FileServiceMethodDescriptorSupplier("DeleteFile"))
              .build();
        }
      }
    }
    return getDeleteFileMethod;
  }

  private static volatile io.grpc.MethodDescriptor<io.batchgate.v1.DownloadFileRequest,
      io.batchgate.v1.DownloadFileResponse> getDownloadFileMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "DownloadFile",
      requestType = io.batchgate.v1.DownloadFileRequest.class,
      responseType = io.batchgate.v1.DownloadFileResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.SERVER_STREAMING)
  public static io.grpc.MethodDescriptor<io.batchgate.v1.DownloadFileRequest,
      io.batchgate.v1.DownloadFileResponse> getDownloadFileMethod() {
    io.grpc.MethodDescriptor<io.batchgate.v1.DownloadFileRequest, io.batchgate.v1.DownloadFileResponse> getDownloadFileMethod;
    if ((getDownloadFileMethod = FileServiceGrpc.getDownloadFileMethod) == null) {
      synchronized (FileServiceGrpc.class) {
        if ((getDownloadFileMethod = FileServiceGrpc.getDownloadFileMethod) == null) {
          FileServiceGrpc.getDownloadFileMethod = getDownloadFileMethod =
              io.grpc.MethodDescriptor.<io.batchgate.v1.DownloadFileRequest, io.batchgate.v1.DownloadFileResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.SERVER_STREAMING)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "DownloadFile"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.batchgate.v1.DownloadFileRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.batchgate.v1.DownloadFileResponse.getDefaultInstance()))
              .setSchemaDescriptor(new FileServiceMethodDescriptorSupplier("DownloadFile"))
              .build();
        }
      }
    }
    return getDownloadFileMethod;
  }

  /**
   * Creates a new async stub that supports all call types for the service
   */
  public static FileServiceStub newStub(io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<FileServiceStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<FileServiceStub>() {
        @java.lang.Override
        public FileServiceStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new FileServiceStub(channel, callOptions);
        }
      };
    return FileServiceStub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports all types of calls on the service
   */
  public static FileServiceBlockingV2Stub newBlockingV2Stub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<FileServiceBlockingV2Stub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<FileServiceBlockingV2Stub>() {
        @java.lang.Override
        public FileServiceBlockingV2Stub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new FileServiceBlockingV2Stub(channel, callOptions);
        }
      };
    return FileServiceBlockingV2Stub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports unary and streaming output calls on the service
   */
  public static FileServiceBlockingStub newBlockingStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<FileServiceBlockingStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<FileServiceBlockingStub>() {
        @java.lang.Override
        public FileServiceBlockingStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new FileServiceBlockingStub(channel, callOptions);
        }
      };
    return FileServiceBlockingStub.newStub(factory, channel);
  }

  /**
   * Creates a new ListenableFuture-style stub that supports unary calls on the service
   */
  public static FileServiceFutureStub newFutureStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<FileServiceFutureStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<FileServiceFutureStub>() {
        @java.lang.Override
        public FileServiceFutureStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new FileServiceFutureStub(channel, callOptions);
        }
      };
    return FileServiceFutureStub.newStub(factory, channel);
  }

  /**
   * <pre>
   * Files kept by a provider: the input of batches and their output.
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
     * Uploads a file while it is being received.
     * The first message carries `metadata`, every later one a `chunk`. Chunks of 256 KiB are a good
     * size; a message may not be larger than the gateway's limit (4 MiB unless configured). Nothing
     * is stored by the gateway: bytes travel on to the provider as they come. An upload that is
     * cancelled, breaks off, or differs from its `size_bytes` or `sha256` is cut off upstream before
     * its end, so that the provider keeps no file.
     * Upstream: `POST /files`.
     * Errors:
     * - INVALID_ARGUMENT/UPLOAD_PROTOCOL: no metadata, metadata twice, or no chunk at all (an empty
     *   file is sent as one empty chunk).
     * - INVALID_ARGUMENT/FILE_TOO_LARGE: over the provider's or the gateway's limit.
     * - INVALID_ARGUMENT/INVALID_JSONL: lines are not what the provider takes; no file was created. The
     *   details name each fault with its line, up to 100.
     * - DATA_LOSS/CHECKSUM_MISMATCH: the bytes differ from `size_bytes` or `sha256`; no file was
     *   created.
     * - INVALID_ARGUMENT/PROVIDER_REJECTED: the provider refuses the file, such as for its purpose.
     * - FAILED_PRECONDITION/PROVIDER_CONFLICT: with `wait_until_processed`, the provider could not
     *   process the file, or not in time; the error names the file, which remains.
     * - RESOURCE_EXHAUSTED/PROVIDER_QUOTA_EXCEEDED: the account holds too many files.
     * - UNKNOWN/OUTCOME_UNKNOWN: the whole file was sent, but the answer was lost or unclear: the
     *   provider may have it. ListFiles tells.
     * </pre>
     */
    default io.grpc.stub.StreamObserver<io.batchgate.v1.UploadFileRequest> uploadFile(
        io.grpc.stub.StreamObserver<io.batchgate.v1.UploadFileResponse> responseObserver) {
      return io.grpc.stub.ServerCalls.asyncUnimplementedStreamingCall(getUploadFileMethod(), responseObserver);
    }

    /**
     * <pre>
     * Gets what the provider says of a file.
     * Upstream: `GET /files/{id}`.
     * Errors:
     * - NOT_FOUND/PROVIDER_NOT_FOUND: the provider has no such file, or this profile may not see it.
     * </pre>
     */
    default void getFile(io.batchgate.v1.GetFileRequest request,
        io.grpc.stub.StreamObserver<io.batchgate.v1.GetFileResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getGetFileMethod(), responseObserver);
    }

    /**
     * <pre>
     * Lists files, page by page.
     * Upstream: `GET /files`. Paging works the same where the provider has none of its own (Azure
     * OpenAI api-version 2024-10-21).
     * Errors:
     * - INVALID_ARGUMENT/INVALID_FIELD: a negative `page_size`, or a `page_token` that is not one, or
     *   that came from another provider or from other filters.
     * </pre>
     */
    default void listFiles(io.batchgate.v1.ListFilesRequest request,
        io.grpc.stub.StreamObserver<io.batchgate.v1.ListFilesResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getListFilesMethod(), responseObserver);
    }

    /**
     * <pre>
     * Deletes a file. Where the answer is lost the gateway deletes again, and a file that is gone then
     * counts as deleted.
     * Upstream: `DELETE /files/{id}`.
     * Errors:
     * - NOT_FOUND/PROVIDER_NOT_FOUND: the provider has no such file.
     * - FAILED_PRECONDITION/PROVIDER_CONFLICT: its state forbids it.
     * </pre>
     */
    default void deleteFile(io.batchgate.v1.DeleteFileRequest request,
        io.grpc.stub.StreamObserver<io.batchgate.v1.DeleteFileResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getDeleteFileMethod(), responseObserver);
    }

    /**
     * <pre>
     * Downloads a file's content as a stream of chunks, in order and without gaps.
     * A stream that ends with OK is complete. Where the provider cuts the content off, the gateway asks
     * for the rest and goes on. If that fails too, the stream ends with an error, never as if it were
     * complete; read on with `read_offset` at the end of the last chunk.
     * Upstream: `GET /files/{id}/content`.
     * Errors:
     * - NOT_FOUND/PROVIDER_NOT_FOUND: the provider has no such file.
     * - INVALID_ARGUMENT/PROVIDER_REJECTED: the provider does not hand out files of that purpose.
     * - UNAVAILABLE/PROVIDER_UNAVAILABLE: the content was cut off, and could not be gone on with.
     * - INTERNAL/PROVIDER_BAD_RESPONSE: it was cut off, and the provider has another content by now;
     *   read it from its beginning.
     * </pre>
     */
    default void downloadFile(io.batchgate.v1.DownloadFileRequest request,
        io.grpc.stub.StreamObserver<io.batchgate.v1.DownloadFileResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getDownloadFileMethod(), responseObserver);
    }
  }

  /**
   * Base class for the server implementation of the service FileService.
   * <pre>
   * Files kept by a provider: the input of batches and their output.
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
  public static abstract class FileServiceImplBase
      implements io.grpc.BindableService, AsyncService {

    @java.lang.Override public final io.grpc.ServerServiceDefinition bindService() {
      return FileServiceGrpc.bindService(this);
    }
  }

  /**
   * A stub to allow clients to do asynchronous rpc calls to service FileService.
   * <pre>
   * Files kept by a provider: the input of batches and their output.
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
  public static final class FileServiceStub
      extends io.grpc.stub.AbstractAsyncStub<FileServiceStub> {
    private FileServiceStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected FileServiceStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new FileServiceStub(channel, callOptions);
    }

    /**
     * <pre>
     * Uploads a file while it is being received.
     * The first message carries `metadata`, every later one a `chunk`. Chunks of 256 KiB are a good
     * size; a message may not be larger than the gateway's limit (4 MiB unless configured). Nothing
     * is stored by the gateway: bytes travel on to the provider as they come. An upload that is
     * cancelled, breaks off, or differs from its `size_bytes` or `sha256` is cut off upstream before
     * its end, so that the provider keeps no file.
     * Upstream: `POST /files`.
     * Errors:
     * - INVALID_ARGUMENT/UPLOAD_PROTOCOL: no metadata, metadata twice, or no chunk at all (an empty
     *   file is sent as one empty chunk).
     * - INVALID_ARGUMENT/FILE_TOO_LARGE: over the provider's or the gateway's limit.
     * - INVALID_ARGUMENT/INVALID_JSONL: lines are not what the provider takes; no file was created. The
     *   details name each fault with its line, up to 100.
     * - DATA_LOSS/CHECKSUM_MISMATCH: the bytes differ from `size_bytes` or `sha256`; no file was
     *   created.
     * - INVALID_ARGUMENT/PROVIDER_REJECTED: the provider refuses the file, such as for its purpose.
     * - FAILED_PRECONDITION/PROVIDER_CONFLICT: with `wait_until_processed`, the provider could not
     *   process the file, or not in time; the error names the file, which remains.
     * - RESOURCE_EXHAUSTED/PROVIDER_QUOTA_EXCEEDED: the account holds too many files.
     * - UNKNOWN/OUTCOME_UNKNOWN: the whole file was sent, but the answer was lost or unclear: the
     *   provider may have it. ListFiles tells.
     * </pre>
     */
    public io.grpc.stub.StreamObserver<io.batchgate.v1.UploadFileRequest> uploadFile(
        io.grpc.stub.StreamObserver<io.batchgate.v1.UploadFileResponse> responseObserver) {
      return io.grpc.stub.ClientCalls.asyncClientStreamingCall(
          getChannel().newCall(getUploadFileMethod(), getCallOptions()), responseObserver);
    }

    /**
     * <pre>
     * Gets what the provider says of a file.
     * Upstream: `GET /files/{id}`.
     * Errors:
     * - NOT_FOUND/PROVIDER_NOT_FOUND: the provider has no such file, or this profile may not see it.
     * </pre>
     */
    public void getFile(io.batchgate.v1.GetFileRequest request,
        io.grpc.stub.StreamObserver<io.batchgate.v1.GetFileResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getGetFileMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Lists files, page by page.
     * Upstream: `GET /files`. Paging works the same where the provider has none of its own (Azure
     * OpenAI api-version 2024-10-21).
     * Errors:
     * - INVALID_ARGUMENT/INVALID_FIELD: a negative `page_size`, or a `page_token` that is not one, or
     *   that came from another provider or from other filters.
     * </pre>
     */
    public void listFiles(io.batchgate.v1.ListFilesRequest request,
        io.grpc.stub.StreamObserver<io.batchgate.v1.ListFilesResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getListFilesMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Deletes a file. Where the answer is lost the gateway deletes again, and a file that is gone then
     * counts as deleted.
     * Upstream: `DELETE /files/{id}`.
     * Errors:
     * - NOT_FOUND/PROVIDER_NOT_FOUND: the provider has no such file.
     * - FAILED_PRECONDITION/PROVIDER_CONFLICT: its state forbids it.
     * </pre>
     */
    public void deleteFile(io.batchgate.v1.DeleteFileRequest request,
        io.grpc.stub.StreamObserver<io.batchgate.v1.DeleteFileResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getDeleteFileMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Downloads a file's content as a stream of chunks, in order and without gaps.
     * A stream that ends with OK is complete. Where the provider cuts the content off, the gateway asks
     * for the rest and goes on. If that fails too, the stream ends with an error, never as if it were
     * complete; read on with `read_offset` at the end of the last chunk.
     * Upstream: `GET /files/{id}/content`.
     * Errors:
     * - NOT_FOUND/PROVIDER_NOT_FOUND: the provider has no such file.
     * - INVALID_ARGUMENT/PROVIDER_REJECTED: the provider does not hand out files of that purpose.
     * - UNAVAILABLE/PROVIDER_UNAVAILABLE: the content was cut off, and could not be gone on with.
     * - INTERNAL/PROVIDER_BAD_RESPONSE: it was cut off, and the provider has another content by now;
     *   read it from its beginning.
     * </pre>
     */
    public void downloadFile(io.batchgate.v1.DownloadFileRequest request,
        io.grpc.stub.StreamObserver<io.batchgate.v1.DownloadFileResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncServerStreamingCall(
          getChannel().newCall(getDownloadFileMethod(), getCallOptions()), request, responseObserver);
    }
  }

  /**
   * A stub to allow clients to do synchronous rpc calls to service FileService.
   * <pre>
   * Files kept by a provider: the input of batches and their output.
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
  public static final class FileServiceBlockingV2Stub
      extends io.grpc.stub.AbstractBlockingStub<FileServiceBlockingV2Stub> {
    private FileServiceBlockingV2Stub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected FileServiceBlockingV2Stub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new FileServiceBlockingV2Stub(channel, callOptions);
    }

    /**
     * <pre>
     * Uploads a file while it is being received.
     * The first message carries `metadata`, every later one a `chunk`. Chunks of 256 KiB are a good
     * size; a message may not be larger than the gateway's limit (4 MiB unless configured). Nothing
     * is stored by the gateway: bytes travel on to the provider as they come. An upload that is
     * cancelled, breaks off, or differs from its `size_bytes` or `sha256` is cut off upstream before
     * its end, so that the provider keeps no file.
     * Upstream: `POST /files`.
     * Errors:
     * - INVALID_ARGUMENT/UPLOAD_PROTOCOL: no metadata, metadata twice, or no chunk at all (an empty
     *   file is sent as one empty chunk).
     * - INVALID_ARGUMENT/FILE_TOO_LARGE: over the provider's or the gateway's limit.
     * - INVALID_ARGUMENT/INVALID_JSONL: lines are not what the provider takes; no file was created. The
     *   details name each fault with its line, up to 100.
     * - DATA_LOSS/CHECKSUM_MISMATCH: the bytes differ from `size_bytes` or `sha256`; no file was
     *   created.
     * - INVALID_ARGUMENT/PROVIDER_REJECTED: the provider refuses the file, such as for its purpose.
     * - FAILED_PRECONDITION/PROVIDER_CONFLICT: with `wait_until_processed`, the provider could not
     *   process the file, or not in time; the error names the file, which remains.
     * - RESOURCE_EXHAUSTED/PROVIDER_QUOTA_EXCEEDED: the account holds too many files.
     * - UNKNOWN/OUTCOME_UNKNOWN: the whole file was sent, but the answer was lost or unclear: the
     *   provider may have it. ListFiles tells.
     * </pre>
     */
    @io.grpc.ExperimentalApi("https://github.com/grpc/grpc-java/issues/10918")
    public io.grpc.stub.BlockingClientCall<io.batchgate.v1.UploadFileRequest, io.batchgate.v1.UploadFileResponse>
        uploadFile() {
      return io.grpc.stub.ClientCalls.blockingClientStreamingCall(
          getChannel(), getUploadFileMethod(), getCallOptions());
    }

    /**
     * <pre>
     * Gets what the provider says of a file.
     * Upstream: `GET /files/{id}`.
     * Errors:
     * - NOT_FOUND/PROVIDER_NOT_FOUND: the provider has no such file, or this profile may not see it.
     * </pre>
     */
    public io.batchgate.v1.GetFileResponse getFile(io.batchgate.v1.GetFileRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getGetFileMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Lists files, page by page.
     * Upstream: `GET /files`. Paging works the same where the provider has none of its own (Azure
     * OpenAI api-version 2024-10-21).
     * Errors:
     * - INVALID_ARGUMENT/INVALID_FIELD: a negative `page_size`, or a `page_token` that is not one, or
     *   that came from another provider or from other filters.
     * </pre>
     */
    public io.batchgate.v1.ListFilesResponse listFiles(io.batchgate.v1.ListFilesRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getListFilesMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Deletes a file. Where the answer is lost the gateway deletes again, and a file that is gone then
     * counts as deleted.
     * Upstream: `DELETE /files/{id}`.
     * Errors:
     * - NOT_FOUND/PROVIDER_NOT_FOUND: the provider has no such file.
     * - FAILED_PRECONDITION/PROVIDER_CONFLICT: its state forbids it.
     * </pre>
     */
    public io.batchgate.v1.DeleteFileResponse deleteFile(io.batchgate.v1.DeleteFileRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getDeleteFileMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Downloads a file's content as a stream of chunks, in order and without gaps.
     * A stream that ends with OK is complete. Where the provider cuts the content off, the gateway asks
     * for the rest and goes on. If that fails too, the stream ends with an error, never as if it were
     * complete; read on with `read_offset` at the end of the last chunk.
     * Upstream: `GET /files/{id}/content`.
     * Errors:
     * - NOT_FOUND/PROVIDER_NOT_FOUND: the provider has no such file.
     * - INVALID_ARGUMENT/PROVIDER_REJECTED: the provider does not hand out files of that purpose.
     * - UNAVAILABLE/PROVIDER_UNAVAILABLE: the content was cut off, and could not be gone on with.
     * - INTERNAL/PROVIDER_BAD_RESPONSE: it was cut off, and the provider has another content by now;
     *   read it from its beginning.
     * </pre>
     */
    @io.grpc.ExperimentalApi("https://github.com/grpc/grpc-java/issues/10918")
    public io.grpc.stub.BlockingClientCall<?, io.batchgate.v1.DownloadFileResponse>
        downloadFile(io.batchgate.v1.DownloadFileRequest request) {
      return io.grpc.stub.ClientCalls.blockingV2ServerStreamingCall(
          getChannel(), getDownloadFileMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do limited synchronous rpc calls to service FileService.
   * <pre>
   * Files kept by a provider: the input of batches and their output.
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
  public static final class FileServiceBlockingStub
      extends io.grpc.stub.AbstractBlockingStub<FileServiceBlockingStub> {
    private FileServiceBlockingStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected FileServiceBlockingStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new FileServiceBlockingStub(channel, callOptions);
    }

    /**
     * <pre>
     * Gets what the provider says of a file.
     * Upstream: `GET /files/{id}`.
     * Errors:
     * - NOT_FOUND/PROVIDER_NOT_FOUND: the provider has no such file, or this profile may not see it.
     * </pre>
     */
    public io.batchgate.v1.GetFileResponse getFile(io.batchgate.v1.GetFileRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getGetFileMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Lists files, page by page.
     * Upstream: `GET /files`. Paging works the same where the provider has none of its own (Azure
     * OpenAI api-version 2024-10-21).
     * Errors:
     * - INVALID_ARGUMENT/INVALID_FIELD: a negative `page_size`, or a `page_token` that is not one, or
     *   that came from another provider or from other filters.
     * </pre>
     */
    public io.batchgate.v1.ListFilesResponse listFiles(io.batchgate.v1.ListFilesRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getListFilesMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Deletes a file. Where the answer is lost the gateway deletes again, and a file that is gone then
     * counts as deleted.
     * Upstream: `DELETE /files/{id}`.
     * Errors:
     * - NOT_FOUND/PROVIDER_NOT_FOUND: the provider has no such file.
     * - FAILED_PRECONDITION/PROVIDER_CONFLICT: its state forbids it.
     * </pre>
     */
    public io.batchgate.v1.DeleteFileResponse deleteFile(io.batchgate.v1.DeleteFileRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getDeleteFileMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Downloads a file's content as a stream of chunks, in order and without gaps.
     * A stream that ends with OK is complete. Where the provider cuts the content off, the gateway asks
     * for the rest and goes on. If that fails too, the stream ends with an error, never as if it were
     * complete; read on with `read_offset` at the end of the last chunk.
     * Upstream: `GET /files/{id}/content`.
     * Errors:
     * - NOT_FOUND/PROVIDER_NOT_FOUND: the provider has no such file.
     * - INVALID_ARGUMENT/PROVIDER_REJECTED: the provider does not hand out files of that purpose.
     * - UNAVAILABLE/PROVIDER_UNAVAILABLE: the content was cut off, and could not be gone on with.
     * - INTERNAL/PROVIDER_BAD_RESPONSE: it was cut off, and the provider has another content by now;
     *   read it from its beginning.
     * </pre>
     */
    public java.util.Iterator<io.batchgate.v1.DownloadFileResponse> downloadFile(
        io.batchgate.v1.DownloadFileRequest request) {
      return io.grpc.stub.ClientCalls.blockingServerStreamingCall(
          getChannel(), getDownloadFileMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do ListenableFuture-style rpc calls to service FileService.
   * <pre>
   * Files kept by a provider: the input of batches and their output.
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
  public static final class FileServiceFutureStub
      extends io.grpc.stub.AbstractFutureStub<FileServiceFutureStub> {
    private FileServiceFutureStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected FileServiceFutureStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new FileServiceFutureStub(channel, callOptions);
    }

    /**
     * <pre>
     * Gets what the provider says of a file.
     * Upstream: `GET /files/{id}`.
     * Errors:
     * - NOT_FOUND/PROVIDER_NOT_FOUND: the provider has no such file, or this profile may not see it.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<io.batchgate.v1.GetFileResponse> getFile(
        io.batchgate.v1.GetFileRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getGetFileMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Lists files, page by page.
     * Upstream: `GET /files`. Paging works the same where the provider has none of its own (Azure
     * OpenAI api-version 2024-10-21).
     * Errors:
     * - INVALID_ARGUMENT/INVALID_FIELD: a negative `page_size`, or a `page_token` that is not one, or
     *   that came from another provider or from other filters.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<io.batchgate.v1.ListFilesResponse> listFiles(
        io.batchgate.v1.ListFilesRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getListFilesMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Deletes a file. Where the answer is lost the gateway deletes again, and a file that is gone then
     * counts as deleted.
     * Upstream: `DELETE /files/{id}`.
     * Errors:
     * - NOT_FOUND/PROVIDER_NOT_FOUND: the provider has no such file.
     * - FAILED_PRECONDITION/PROVIDER_CONFLICT: its state forbids it.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<io.batchgate.v1.DeleteFileResponse> deleteFile(
        io.batchgate.v1.DeleteFileRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getDeleteFileMethod(), getCallOptions()), request);
    }
  }

  private static final int METHODID_GET_FILE = 0;
  private static final int METHODID_LIST_FILES = 1;
  private static final int METHODID_DELETE_FILE = 2;
  private static final int METHODID_DOWNLOAD_FILE = 3;
  private static final int METHODID_UPLOAD_FILE = 4;

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
        case METHODID_GET_FILE:
          serviceImpl.getFile((io.batchgate.v1.GetFileRequest) request,
              (io.grpc.stub.StreamObserver<io.batchgate.v1.GetFileResponse>) responseObserver);
          break;
        case METHODID_LIST_FILES:
          serviceImpl.listFiles((io.batchgate.v1.ListFilesRequest) request,
              (io.grpc.stub.StreamObserver<io.batchgate.v1.ListFilesResponse>) responseObserver);
          break;
        case METHODID_DELETE_FILE:
          serviceImpl.deleteFile((io.batchgate.v1.DeleteFileRequest) request,
              (io.grpc.stub.StreamObserver<io.batchgate.v1.DeleteFileResponse>) responseObserver);
          break;
        case METHODID_DOWNLOAD_FILE:
          serviceImpl.downloadFile((io.batchgate.v1.DownloadFileRequest) request,
              (io.grpc.stub.StreamObserver<io.batchgate.v1.DownloadFileResponse>) responseObserver);
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
        case METHODID_UPLOAD_FILE:
          return (io.grpc.stub.StreamObserver<Req>) serviceImpl.uploadFile(
              (io.grpc.stub.StreamObserver<io.batchgate.v1.UploadFileResponse>) responseObserver);
        default:
          throw new AssertionError();
      }
    }
  }

  public static final io.grpc.ServerServiceDefinition bindService(AsyncService service) {
    return io.grpc.ServerServiceDefinition.builder(getServiceDescriptor())
        .addMethod(
          getUploadFileMethod(),
          io.grpc.stub.ServerCalls.asyncClientStreamingCall(
            new MethodHandlers<
              io.batchgate.v1.UploadFileRequest,
              io.batchgate.v1.UploadFileResponse>(
                service, METHODID_UPLOAD_FILE)))
        .addMethod(
          getGetFileMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              io.batchgate.v1.GetFileRequest,
              io.batchgate.v1.GetFileResponse>(
                service, METHODID_GET_FILE)))
        .addMethod(
          getListFilesMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              io.batchgate.v1.ListFilesRequest,
              io.batchgate.v1.ListFilesResponse>(
                service, METHODID_LIST_FILES)))
        .addMethod(
          getDeleteFileMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              io.batchgate.v1.DeleteFileRequest,
              io.batchgate.v1.DeleteFileResponse>(
                service, METHODID_DELETE_FILE)))
        .addMethod(
          getDownloadFileMethod(),
          io.grpc.stub.ServerCalls.asyncServerStreamingCall(
            new MethodHandlers<
              io.batchgate.v1.DownloadFileRequest,
              io.batchgate.v1.DownloadFileResponse>(
                service, METHODID_DOWNLOAD_FILE)))
        .build();
  }

  private static abstract class FileServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoFileDescriptorSupplier, io.grpc.protobuf.ProtoServiceDescriptorSupplier {
    FileServiceBaseDescriptorSupplier() {}

    @java.lang.Override
    public com.google.protobuf.Descriptors.FileDescriptor getFileDescriptor() {
      return io.batchgate.v1.FileServiceOuterClass.getDescriptor();
    }

    @java.lang.Override
    public com.google.protobuf.Descriptors.ServiceDescriptor getServiceDescriptor() {
      return getFileDescriptor().findServiceByName("FileService");
    }
  }

  private static final class FileServiceFileDescriptorSupplier
      extends FileServiceBaseDescriptorSupplier {
    FileServiceFileDescriptorSupplier() {}
  }

  private static final class FileServiceMethodDescriptorSupplier
      extends FileServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoMethodDescriptorSupplier {
    private final java.lang.String methodName;

    FileServiceMethodDescriptorSupplier(java.lang.String methodName) {
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
      synchronized (FileServiceGrpc.class) {
        result = serviceDescriptor;
        if (result == null) {
          serviceDescriptor = result = io.grpc.ServiceDescriptor.newBuilder(SERVICE_NAME)
              .setSchemaDescriptor(new FileServiceFileDescriptorSupplier())
              .addMethod(getUploadFileMethod())
              .addMethod(getGetFileMethod())
              .addMethod(getListFilesMethod())
              .addMethod(getDeleteFileMethod())
              .addMethod(getDownloadFileMethod())
              .build();
        }
      }
    }
    return result;
  }
}
