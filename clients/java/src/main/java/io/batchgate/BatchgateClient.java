package io.batchgate;

import com.google.protobuf.Duration;
import io.batchgate.v1.Batch;
import io.batchgate.v1.BatchLine;
import io.batchgate.v1.BatchServiceGrpc;
import io.batchgate.v1.BatchServiceGrpc.BatchServiceBlockingStub;
import io.batchgate.v1.CancelBatchRequest;
import io.batchgate.v1.CreateBatchRequest;
import io.batchgate.v1.DeleteFileRequest;
import io.batchgate.v1.DeleteFileResponse;
import io.batchgate.v1.DownloadFileRequest;
import io.batchgate.v1.File;
import io.batchgate.v1.FileServiceGrpc;
import io.batchgate.v1.GetBatchRequest;
import io.batchgate.v1.GetFileRequest;
import io.batchgate.v1.ListBatchesRequest;
import io.batchgate.v1.ListBatchesResponse;
import io.batchgate.v1.ListFilesRequest;
import io.batchgate.v1.ListFilesResponse;
import io.batchgate.v1.ListProvidersRequest;
import io.batchgate.v1.Provider;
import io.batchgate.v1.ProviderServiceGrpc;
import io.batchgate.v1.RetryBatchRequest;
import io.batchgate.v1.RetryBatchResponse;
import io.batchgate.v1.StreamBatchResultsRequest;
import io.batchgate.v1.SubmitBatchMetadata;
import io.batchgate.v1.SubmitBatchRequest;
import io.batchgate.v1.SubmitBatchResponse;
import io.batchgate.v1.UploadFileMetadata;
import io.batchgate.v1.UploadFileRequest;
import io.batchgate.v1.UploadFileResponse;
import io.batchgate.v1.WaitBatchRequest;
import io.batchgate.v1.WaitBatchResponse;
import io.batchgate.v1.WatchBatchRequest;
import io.grpc.Channel;
import io.grpc.Context;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.health.v1.HealthGrpc;
import io.grpc.stub.AbstractStub;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.List;
import java.util.function.Function;
import java.util.function.LongConsumer;

/**
 * A client of one gateway, for any number of calls at once, from any thread.
 *
 * <p>Methods take and give the messages of the contract and throw {@link BatchgateException}s. What is
 * safe to repeat is retried where the gateway is UNAVAILABLE or says how long to wait (RetryInfo):
 * reads, and creations with a {@code request_id}. Watches, results and downloads resume where they
 * were. A deadline or cancellation of gRPC's {@link Context} holds for every call.
 */
public final class BatchgateClient implements AutoCloseable {
  private static final java.time.Duration CREATION = java.time.Duration.ofMinutes(15);
  private static final java.time.Duration WAIT_MARGIN = java.time.Duration.ofSeconds(30);
  private static final LongConsumer UNTOLD = sent -> {};

  private final Connection connection;
  private final Settings settings;
  private final Channel channel;

  private final boolean derived;

  BatchgateClient(Connection connection, Settings settings) {
    this(connection, settings, false);
  }

  private BatchgateClient(Connection connection, Settings settings, boolean derived) {
    this.derived = derived;
    this.connection = connection;
    this.settings = settings;
    this.channel = settings.attached(connection.channel());
  }

  /** A client of the gateway at an address such as {@code 127.0.0.1:50051}, plaintext, no token. */
  public static BatchgateClient of(String address) {
    return builder(address).build();
  }

  /**
   * A client as the environment says: {@code BATCHGATE_ADDRESS}, {@code BATCHGATE_TOKEN} or {@code
   * BATCHGATE_TOKEN_FILE}, {@code BATCHGATE_PROVIDER}, {@code BATCHGATE_TLS} (1, true or on; 0, false or
   * off), {@code BATCHGATE_TLS_CA}, {@code BATCHGATE_TLS_CERT} and {@code BATCHGATE_TLS_KEY}, paths of
   * PEM files that each turn TLS on. Empty ones count as unset.
   *
   * @throws IOException a file that they name cannot be read
   * @throws IllegalArgumentException {@code BATCHGATE_TLS} is something else, or off beside one of the files
   */
  public static BatchgateClient fromEnvironment() throws IOException {
    return new Environment(System.getenv()).builder().build();
  }

  /** Makes a client with TLS, a token and others. */
  public static ClientBuilder builder(String address) {
    return new ClientBuilder(address);
  }

  /** A client on the same connection whose calls mean this profile where they name none. */
  public BatchgateClient withProvider(String provider) {
    return derived(settings.withProvider(provider));
  }

  /** A client on the same connection with another token; empty for none. */
  public BatchgateClient withToken(String token) {
    return derived(settings.withToken(token));
  }

  /** A client on the same connection whose calls carry this metadata too. */
  public BatchgateClient withMetadata(String key, String value) {
    return derived(settings.withMetadata(key, value));
  }

  /** A client on the same connection with another deadline of unary calls. */
  public BatchgateClient withTimeout(java.time.Duration timeout) {
    return derived(settings.withTimeout(timeout));
  }

  private BatchgateClient derived(Settings changed) {
    return new BatchgateClient(connection, changed, true);
  }

  /** The channel, with the client's token and metadata, for stubs of one's own. */
  public Channel channel() {
    return channel;
  }

  /**
   * Closes the connection, also for the clients that {@code withProvider} and others have made of this
   * one. On one of those it does nothing.
   */
  @Override
  public void close() {
    if (!derived) {
      connection.close();
    }
  }

  /**
   * Uploads what the stream has, while it is read. Nothing is created by an upload that fails, and it
   * is never repeated by itself. {@code purpose} is {@code batch} unless given.
   *
   * @throws IOException what reading threw
   */
  public UploadFileResponse uploadFile(InputStream content, UploadFileMetadata metadata)
      throws IOException {
    return uploadFile(content, metadata, UNTOLD);
  }

  /** The same; {@code progress} is told how many bytes are on their way. */
  public UploadFileResponse uploadFile(
      InputStream content, UploadFileMetadata metadata, LongConsumer progress) throws IOException {
    UploadFileMetadata.Builder about = metadata.toBuilder();
    if (about.getProvider().isEmpty()) {
      about.setProvider(settings.provider());
    }
    if (about.getPurpose().isEmpty()) {
      about.setPurpose("batch");
    }
    Sending<UploadFileRequest, UploadFileResponse> sending = new Sending<>();
    FileServiceGrpc.newStub(channel).uploadFile(sending);
    return sending.send(Uploads.chunks(about.build(), content, progress));
  }

  /** Uploads a file, whose size goes along and is verified. */
  public UploadFileResponse uploadFile(Path file, UploadFileMetadata metadata) throws IOException {
    return uploadFile(file, metadata, UNTOLD);
  }

  /** The same; {@code progress} is told how many bytes are on their way. */
  public UploadFileResponse uploadFile(
      Path file, UploadFileMetadata metadata, LongConsumer progress) throws IOException {
    UploadFileMetadata.Builder about = metadata.toBuilder();
    if (about.getFilename().isEmpty()) {
      about.setFilename(file.getFileName().toString());
    }
    // Of a pipe the size says nothing.
    if (!about.hasSizeBytes() && Files.isRegularFile(file)) {
      about.setSizeBytes(Files.size(file));
    }
    try (InputStream content = Files.newInputStream(file)) {
      return uploadFile(content, about.build(), progress);
    }
  }

  /** What the provider says of a file. */
  public File getFile(String fileId) {
    GetFileRequest request =
        GetFileRequest.newBuilder().setProvider(settings.provider()).setFileId(fileId).build();
    return read(FileServiceGrpc.newBlockingStub(channel), stub -> stub.getFile(request))
        .getFile();
  }

  /** All files that a request asks for, page after page as they are asked for. */
  public Iterable<File> listFiles(ListFilesRequest request) {
    ListFilesRequest.Builder asked = request.toBuilder();
    if (asked.getProvider().isEmpty()) {
      asked.setProvider(settings.provider());
    }
    return () ->
        new Pages<>(
            token -> {
              ListFilesRequest page = asked.setPageToken(token).build();
              return read(FileServiceGrpc.newBlockingStub(channel), stub -> stub.listFiles(page));
            },
            ListFilesResponse::getFilesList,
            ListFilesResponse::getNextPageToken);
  }

  /** Deletes a file. */
  public DeleteFileResponse deleteFile(String fileId) {
    DeleteFileRequest request =
        DeleteFileRequest.newBuilder().setProvider(settings.provider()).setFileId(fileId).build();
    return once(FileServiceGrpc.newBlockingStub(channel), stub -> stub.deleteFile(request));
  }

  /** A file's content. Where the gateway goes away in the middle, it goes on. */
  public InputStream downloadFile(String fileId) {
    return downloadFile(DownloadFileRequest.newBuilder().setFileId(fileId).build());
  }

  /** The same, or a part of it. */
  public InputStream downloadFile(DownloadFileRequest request) {
    DownloadFileRequest.Builder asked = request.toBuilder();
    if (asked.getProvider().isEmpty()) {
      asked.setProvider(settings.provider());
    }
    return new Download(
        asked.build(), FileServiceGrpc.newBlockingStub(channel)::downloadFile, patience());
  }

  /**
   * Makes a batch of an uploaded file. With a {@code request_id} it is safe to repeat. The deadline is
   * 15 minutes, as the file may have to be processed first.
   */
  public Batch createBatch(CreateBatchRequest request) {
    CreateBatchRequest.Builder asked = request.toBuilder();
    if (asked.getProvider().isEmpty()) {
      asked.setProvider(settings.provider());
    }
    return created(asked.getRequestId(), stub -> stub.createBatch(asked.build()))
        .getBatch();
  }

  /** A batch as it is now. */
  public Batch getBatch(String batchId) {
    GetBatchRequest request =
        GetBatchRequest.newBuilder().setProvider(settings.provider()).setBatchId(batchId).build();
    return read(BatchServiceGrpc.newBlockingStub(channel), stub -> stub.getBatch(request))
        .getBatch();
  }

  /** All batches, newest first, page after page as they are asked for. */
  public Iterable<Batch> listBatches(ListBatchesRequest request) {
    ListBatchesRequest.Builder asked = request.toBuilder();
    if (asked.getProvider().isEmpty()) {
      asked.setProvider(settings.provider());
    }
    return () ->
        new Pages<>(
            token -> {
              ListBatchesRequest page = asked.setPageToken(token).build();
              return read(BatchServiceGrpc.newBlockingStub(channel), stub -> stub.listBatches(page));
            },
            ListBatchesResponse::getBatchesList,
            ListBatchesResponse::getNextPageToken);
  }

  /** Asks for a batch's end; what is answered already stays. */
  public Batch cancelBatch(String batchId) {
    CancelBatchRequest request =
        CancelBatchRequest.newBuilder()
            .setProvider(settings.provider())
            .setBatchId(batchId)
            .build();
    return once(BatchServiceGrpc.newBlockingStub(channel), stub -> stub.cancelBatch(request))
        .getBatch();
  }

  /**
   * What happens to a batch, from a snapshot at once to its end. Where the gateway goes away, the
   * watch goes on with another; what changed meanwhile comes as a CHANGE.
   */
  public Watch watchBatch(String batchId) {
    WatchBatchRequest request =
        WatchBatchRequest.newBuilder()
            .setProvider(settings.provider())
            .setBatchId(batchId)
            .build();
    return new Watch(
        new ResumingIterator<>(
            () -> BatchServiceGrpc.newBlockingStub(channel).watchBatch(request), patience()));
  }

  /** A batch once it has ended, or as it is after that time, at most five minutes; {@code done} tells. */
  public WaitBatchResponse waitBatch(String batchId, java.time.Duration timeout) {
    WaitBatchRequest request =
        WaitBatchRequest.newBuilder()
            .setProvider(settings.provider())
            .setBatchId(batchId)
            .setTimeout(
                Duration.newBuilder().setSeconds(timeout.getSeconds()).setNanos(timeout.getNano()))
            .build();
    return new Unary(connection, settings, timeout.plus(WAIT_MARGIN), true)
        .call(BatchServiceGrpc.newBlockingStub(channel), stub -> stub.waitBatch(request));
  }

  /**
   * Makes a batch of rows, without a file of one's own. With a {@code request_id} it is safe to repeat.
   * Where the iterator throws, nothing is created.
   */
  public SubmitBatchResponse submitBatch(SubmitBatchMetadata metadata, Iterator<BatchLine> rows) {
    SubmitBatchMetadata.Builder about = metadata.toBuilder();
    if (about.getProvider().isEmpty()) {
      about.setProvider(settings.provider());
    }
    Sending<SubmitBatchRequest, SubmitBatchResponse> sending = new Sending<>();
    BatchServiceGrpc.newStub(channel).submitBatch(sending);
    try {
      return sending.send(Uploads.rows(about.build(), rows));
    } catch (IOException impossible) {
      throw new UncheckedIOException(impossible);
    }
  }

  /** A batch's results. Without {@code wait_until_done} a batch that has not ended is an error. */
  public Results results(StreamBatchResultsRequest request) {
    StreamBatchResultsRequest.Builder asked = request.toBuilder();
    if (asked.getProvider().isEmpty()) {
      asked.setProvider(settings.provider());
    }
    return new Results(
        asked.build(), BatchServiceGrpc.newBlockingStub(channel)::streamBatchResults, patience());
  }

  /** A batch's results; one that has not ended is an error. */
  public Results results(String batchId) {
    return results(StreamBatchResultsRequest.newBuilder().setBatchId(batchId).build());
  }

  /** A new batch of the lines without success. With a {@code request_id} it is safe to repeat. */
  public RetryBatchResponse retryBatch(RetryBatchRequest request) {
    RetryBatchRequest.Builder asked = request.toBuilder();
    if (asked.getProvider().isEmpty()) {
      asked.setProvider(settings.provider());
    }
    return created(asked.getRequestId(), stub -> stub.retryBatch(asked.build()));
  }

  /** The profiles that the caller may use; with {@code checkHealth} each provider is asked now. */
  public List<Provider> listProviders(boolean checkHealth) {
    ListProvidersRequest request =
        ListProvidersRequest.newBuilder().setCheckHealth(checkHealth).build();
    return read(ProviderServiceGrpc.newBlockingStub(channel), stub -> stub.listProviders(request))
        .getProvidersList();
  }

  /** Whether the gateway serves, or one service of it; empty for the whole. */
  public boolean health(String service) {
    HealthCheckRequest request = HealthCheckRequest.newBuilder().setService(service).build();
    return once(HealthGrpc.newBlockingStub(channel), stub -> stub.check(request)).getStatus()
        == ServingStatus.SERVING;
  }

  private Patience patience() {
    return Patience.ofStream(settings.patience(), settings.maxRetries(), connection);
  }

  /** A call that changes nothing: it is retried. */
  private <S extends AbstractStub<S>, R> R read(S stub, Function<S, R> call) {
    return new Unary(connection, settings, settings.timeout(), true).call(stub, call);
  }

  /** A call that changes something, and is made once. */
  private <S extends AbstractStub<S>, R> R once(S stub, Function<S, R> call) {
    return new Unary(connection, settings, settings.timeout(), false).call(stub, call);
  }

  /** A creation: with a request id it is retried. */
  private <R> R created(String requestId, Function<BatchServiceBlockingStub, R> call) {
    return new Unary(connection, settings, CREATION, !requestId.isEmpty())
        .call(BatchServiceGrpc.newBlockingStub(channel), call);
  }
}
