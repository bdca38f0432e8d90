package io.batchgate;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.batchgate.v1.BatchLine;
import io.batchgate.v1.BatchResult;
import io.batchgate.v1.BatchStatus;
import io.batchgate.v1.DownloadFileRequest;
import io.batchgate.v1.ErrorReason;
import io.batchgate.v1.File;
import io.batchgate.v1.JsonlCheck;
import io.batchgate.v1.ListFilesRequest;
import io.batchgate.v1.Provider;
import io.batchgate.v1.RetryBatchRequest;
import io.batchgate.v1.StreamBatchResultsRequest;
import io.batchgate.v1.SubmitBatchMetadata;
import io.batchgate.v1.UploadFileMetadata;
import io.batchgate.v1.UploadFileResponse;
import io.batchgate.v1.WatchBatchResponse;
import io.batchgate.v1.WatchEvent;
import io.grpc.Context;
import io.grpc.Status;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Against a gateway that can be killed and started again, by tests/polyglot. */
class BatchgateClientTest {
  private static final String ENDPOINT = "/v1/chat/completions";
  private static final String STALLED = "stalled";

  private BatchgateClient client;

  @BeforeEach
  void open() {
    String address = System.getenv("BATCHGATE_TEST_ADDRESS");
    assumeTrue(address != null, "needs a gateway: started by tests/polyglot");
    client = BatchgateClient.of(address);
  }

  @AfterEach
  void close() {
    if (client != null) {
      client.close();
    }
  }

  /** Has the gateway killed and started again. */
  private static void restart() throws Exception {
    URI control = URI.create(System.getenv("BATCHGATE_TEST_CONTROL") + "/restart");
    HttpRequest request =
        HttpRequest.newBuilder(control).POST(HttpRequest.BodyPublishers.noBody()).build();
    var answer =
        HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .build()
            .send(request, HttpResponse.BodyHandlers.discarding());
    assertEquals(204, answer.statusCode());
  }

  private String submitted(int count, String outcome) {
    Iterator<BatchLine> rows =
        IntStream.range(0, count).mapToObj(n -> row("row-" + n, "{\"messages\": []}")).iterator();
    SubmitBatchMetadata.Builder metadata =
        SubmitBatchMetadata.newBuilder().setEndpoint(ENDPOINT).setModel("gpt-4o-mini");
    if (!outcome.isEmpty()) {
      metadata.putMetadata("sandbox_outcome", outcome);
    }
    return client.submitBatch(metadata.build(), rows).getBatch().getId();
  }

  private static BatchLine row(String id, String body) {
    return BatchLine.newBuilder().setCustomId(id).setBodyJson(body).build();
  }

  private static UploadFileMetadata named(String name) {
    return UploadFileMetadata.newBuilder().setFilename(name).setPurpose("user_data").build();
  }

  private int files() {
    int count = 0;
    for (File ignored : client.listFiles(ListFilesRequest.newBuilder().setPageSize(2).build())) {
      count++;
    }
    return count;
  }

  @Test
  void aFileIsUploadedWithItsNameAndSize(@TempDir Path directory) throws IOException {
    byte[] content = new byte[1_000_000];
    Path path = Files.write(directory.resolve("notes.txt"), content);
    List<Long> told = new ArrayList<>();
    UploadFileMetadata metadata = UploadFileMetadata.newBuilder().setPurpose("user_data").build();
    UploadFileResponse response = client.uploadFile(path, metadata, told::add);
    assertEquals("notes.txt", response.getFile().getFilename());
    assertEquals(1_000_000, response.getReport().getReceivedBytes());
    assertEquals(List.of(0L, 262_144L, 524_288L, 786_432L, 1_000_000L), told);
    InputStream nothing = InputStream.nullInputStream();
    assertEquals(0, client.uploadFile(nothing, named("empty.txt")).getFile().getSizeBytes());
    UploadFileMetadata more = named("short.txt").toBuilder().setSizeBytes(5).build();
    var error =
        assertThrows(
            BatchgateException.class,
            () -> client.uploadFile(new ByteArrayInputStream(new byte[3]), more));
    assertTrue(error.is(ErrorReason.ERROR_REASON_CHECKSUM_MISMATCH));
    assertThrows(
        NoSuchFileException.class, () -> client.uploadFile(directory.resolve("none"), metadata));
  }

  @Test
  void anUploadThatTheGatewayEndsEarlySaysWhy() {
    byte[] faulty = "{\"custom_id\": \"a\"}\n".repeat(500_000).getBytes();
    UploadFileMetadata metadata = UploadFileMetadata.newBuilder().setFilename("a.jsonl").build();
    var error =
        assertThrows(
            BatchgateException.class,
            () -> client.uploadFile(new ByteArrayInputStream(faulty), metadata));
    assertEquals(Status.Code.INVALID_ARGUMENT, error.code());
    assertEquals(100, error.violations().size());
    assertTrue(error.getMessage().startsWith("INVALID_ARGUMENT INVALID_JSONL: "));
    assertFalse(error.requestId().isEmpty());
  }

  @Test
  void whatReadingThrowsIsThrownAndNothingIsCreated() {
    int before = files();
    IOException broken = new IOException("the disk is broken");
    for (int time = 0; time < 20; time++) {
      InputStream content =
          new InputStream() {
            private int left = 600_000;

            @Override
            public int read() throws IOException {
              if (left-- <= 0) {
                throw broken;
              }
              return 0;
            }
          };
      assertSame(
          broken,
          assertThrows(IOException.class, () -> client.uploadFile(content, named("a.bin"))));
    }
    Iterator<BatchLine> rows =
        List.of(row("a", "{}")).stream()
            .<BatchLine>map(
                one -> {
                  throw new NoSuchElementException("the table is broken");
                })
            .iterator();
    SubmitBatchMetadata metadata = SubmitBatchMetadata.newBuilder().setEndpoint(ENDPOINT).build();
    assertThrows(NoSuchElementException.class, () -> client.submitBatch(metadata, rows));
    assertEquals(before, files());
  }

  @Test
  void aDownloadGoesOnAfterARestart() throws Exception {
    ByteBuffer numbers = ByteBuffer.allocate(32 << 20);
    for (long n = 0; numbers.hasRemaining(); n++) {
      numbers.putLong(n);
    }
    byte[] content = numbers.array();
    UploadFileMetadata metadata =
        UploadFileMetadata.newBuilder()
            .setFilename("numbers.jsonl")
            .setJsonlCheck(JsonlCheck.JSONL_CHECK_OFF)
            .build();
    String id =
        client.uploadFile(new ByteArrayInputStream(content), metadata).getFile().getId();
    try (InputStream reader = client.downloadFile(id)) {
      byte[] head = reader.readNBytes(1000);
      restart();
      byte[] rest = reader.readAllBytes();
      assertArrayEquals(Arrays.copyOf(content, 1000), head);
      assertArrayEquals(Arrays.copyOfRange(content, 1000, content.length), rest);
    }
    DownloadFileRequest part =
        DownloadFileRequest.newBuilder().setFileId(id).setReadOffset(16).setReadLimit(8).build();
    try (InputStream reader = client.downloadFile(part)) {
      assertEquals(2, ByteBuffer.wrap(reader.readAllBytes()).getLong());
    }
  }

  @Test
  void resultsHaveEachRowOnceAfterARestart() throws Exception {
    String id = submitted(20_000, "");
    List<String> seen = new ArrayList<>();
    StreamBatchResultsRequest all =
        StreamBatchResultsRequest.newBuilder().setBatchId(id).setWaitUntilDone(true).build();
    try (Results results = client.results(all)) {
      while (results.hasNext()) {
        BatchResult row = results.next();
        if (seen.isEmpty()) {
          restart();
        }
        seen.add(row.getCustomId());
      }
      assertFalse(results.resumeToken().isEmpty());
    }
    assertEquals(20_000, seen.size());
    assertEquals(20_000, new HashSet<>(seen).size());
  }

  @Test
  void aWatchGoesOnAfterARestart() throws Exception {
    String id = submitted(4, STALLED);
    List<WatchBatchResponse> news = new ArrayList<>();
    try (Watch watch = client.watchBatch(id)) {
      while (watch.hasNext()) {
        news.add(watch.next());
        if (news.size() == 1) {
          restart();
          client.cancelBatch(id);
        }
      }
    }
    assertEquals(
        BatchStatus.BATCH_STATUS_CANCELLED, news.get(news.size() - 1).getBatch().getStatus());
    assertEquals(
        1,
        news.stream().filter(one -> one.getEvent() == WatchEvent.WATCH_EVENT_SNAPSHOT).count());
  }

  @Test
  void whatFailedIsRetriedAndWhatIsNotFinishedIsNot() {
    String trouble = "{\"messages\": [], \"sandbox\": {\"fail\": 503, \"times\": 1}}";
    SubmitBatchMetadata metadata =
        SubmitBatchMetadata.newBuilder().setEndpoint(ENDPOINT).setModel("gpt-4o-mini").build();
    Iterator<BatchLine> rows = List.of(row("late", trouble)).iterator();
    String id = client.submitBatch(metadata, rows).getBatch().getId();
    assertTrue(client.waitBatch(id, Duration.ofSeconds(20)).getDone());
    var retried = client.retryBatch(RetryBatchRequest.newBuilder().setBatchId(id).build());
    assertEquals(1, retried.getLineCount());
    try (Results results = client.results(submitted(4, STALLED))) {
      var error = assertThrows(BatchgateException.class, results::hasNext);
      assertTrue(error.is(ErrorReason.ERROR_REASON_BATCH_NOT_FINISHED));
    }
  }

  @Test
  void deadlinesAndCancellations() throws Exception {
    String id = submitted(4, STALLED);
    ScheduledExecutorService deadlines = Executors.newSingleThreadScheduledExecutor();
    try (Context.CancellableContext context =
        Context.current().withDeadlineAfter(300, TimeUnit.MILLISECONDS, deadlines)) {
      BatchgateException late = context.call(() -> failureOf(client.watchBatch(id)));
      assertEquals(Status.Code.DEADLINE_EXCEEDED, late.code());
    } finally {
      deadlines.shutdownNow();
    }
    Context.CancellableContext gone = Context.current().withCancellation();
    gone.cancel(null);
    gone.run(
        () -> {
          var error = assertThrows(BatchgateException.class, () -> client.getBatch(id));
          assertEquals(Status.Code.CANCELLED, error.code());
        });
    Thread.currentThread().interrupt();
    var error = assertThrows(BatchgateException.class, () -> client.getBatch(id));
    assertEquals(Status.Code.CANCELLED, error.code());
    assertTrue(Thread.interrupted());
  }

  private static BatchgateException failureOf(Watch watch) {
    return assertThrows(BatchgateException.class, () -> watch.forEachRemaining(news -> {}));
  }

  @Test
  void nobodyAtTheAddress() {
    try (BatchgateClient nowhere =
        BatchgateClient.builder("127.0.0.1:1").patience(Duration.ofSeconds(1)).build()) {
      var error = assertThrows(BatchgateException.class, () -> nowhere.deleteFile("file-a"));
      assertEquals(Status.Code.UNAVAILABLE, error.code());
      assertEquals(Status.Code.UNAVAILABLE, failureOf(nowhere.watchBatch("batch_a")).code());
    }
  }

  @Test
  void aClosedDownloadHasNoEnd() throws IOException {
    byte[] content = new byte[1_000_000];
    UploadFileMetadata metadata =
        UploadFileMetadata.newBuilder()
            .setFilename("zeros.jsonl")
            .setJsonlCheck(JsonlCheck.JSONL_CHECK_OFF)
            .build();
    UploadFileResponse uploaded =
        client.uploadFile(new ByteArrayInputStream(content), metadata);
    InputStream download = client.downloadFile(uploaded.getFile().getId());
    assertEquals(0, download.read());
    download.close();
    assertThrows(IOException.class, download::read);
  }

  @Test
  void aClosedClientBeginsNothingAnew() {
    String id = submitted(4, STALLED);
    BatchgateClient other = BatchgateClient.of(System.getenv("BATCHGATE_TEST_ADDRESS"));
    Watch watch = other.watchBatch(id);
    watch.next();
    // It waits for calls that run, and ends this one.
    other.close();
    long began = System.nanoTime();
    assertThrows(BatchgateException.class, () -> watch.forEachRemaining(news -> {}));
    assertThrows(BatchgateException.class, () -> other.watchBatch(id).hasNext());
    assertTrue(System.nanoTime() - began < TimeUnit.SECONDS.toNanos(2));
  }

  @Test
  void waitingForAGatewayEndsWithTheDeadline() throws Exception {
    try (BatchgateClient nowhere = BatchgateClient.of("127.0.0.1:1")) {
      ScheduledExecutorService timer = Executors.newSingleThreadScheduledExecutor();
      Context context = Context.current().withDeadlineAfter(1, TimeUnit.SECONDS, timer);
      long began = System.nanoTime();
      BatchgateException failed =
          context.call(
              () ->
                  assertThrows(
                      BatchgateException.class, () -> nowhere.watchBatch("batch_a").hasNext()));
      assertEquals(Status.Code.DEADLINE_EXCEEDED, failed.code());
      assertTrue(System.nanoTime() - began < TimeUnit.SECONDS.toNanos(2));
      timer.shutdown();
    }
  }

  @Test
  void providersMetadataAndHealth() {
    BatchgateClient elsewhere = client.withProvider("elsewhere");
    var unknown = assertThrows(BatchgateException.class, () -> elsewhere.getFile("file-a"));
    assertTrue(unknown.is(ErrorReason.ERROR_REASON_PROVIDER_UNKNOWN));
    BatchgateClient mine = client.withProvider("openai").withMetadata("x-request-id", "mine");
    var missing = assertThrows(BatchgateException.class, () -> mine.getFile("file-none"));
    assertEquals("PROVIDER_NOT_FOUND", missing.reason());
    assertEquals("mine", missing.requestId());
    assertEquals(
        List.of("openai"), client.listProviders(true).stream().map(Provider::getName).toList());
    assertTrue(client.health("batchgate.v1.BatchService"));
  }
}
