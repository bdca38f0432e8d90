package io.batchgate.conformance;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.protobuf.util.JsonFormat;
import io.batchgate.BatchgateClient;
import io.batchgate.BatchgateException;
import io.batchgate.Results;
import io.batchgate.Watch;
import io.batchgate.v1.BatchLine;
import io.batchgate.v1.BatchResult;
import io.batchgate.v1.BatchServiceGrpc;
import io.batchgate.v1.DownloadFileRequest;
import io.batchgate.v1.FileServiceGrpc;
import io.batchgate.v1.ListBatchesRequest;
import io.batchgate.v1.ListFilesRequest;
import io.batchgate.v1.ProviderServiceGrpc;
import io.batchgate.v1.StreamBatchResultsRequest;
import io.batchgate.v1.SubmitBatchMetadata;
import io.batchgate.v1.SubmitBatchRequest;
import io.batchgate.v1.UploadFileMetadata;
import io.batchgate.v1.UploadFileRequest;
import io.batchgate.v1.WatchBatchResponse;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientInterceptors;
import io.grpc.Context;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.ServiceDescriptor;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.MetadataUtils;
import io.grpc.stub.StreamObserver;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.Collections;
import java.util.HexFormat;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Function;

/** What a step can ask for, by the client's own methods where they give the whole answer. */
final class Operations {
  private static final int MOST_RESULTS = 20;
  private static final JsonFormat.Printer PRINTER =
      JsonFormat.printer().preservingProtoFieldNames().omittingInsignificantWhitespace();
  private static final List<ServiceDescriptor> SERVICES =
      List.of(
          FileServiceGrpc.getServiceDescriptor(),
          BatchServiceGrpc.getServiceDescriptor(),
          ProviderServiceGrpc.getServiceDescriptor());

  private final BatchgateClient client;
  private final String op;
  private final JsonObject args;
  private String requestId = "";

  Operations(BatchgateClient client, JsonObject step) {
    this.client = client;
    this.op = step.get("op").getAsString();
    this.args = step.getAsJsonObject("args");
  }

  /** Of the call, where its operation tells. */
  String requestId() {
    return requestId;
  }

  JsonElement carryOut() throws Exception {
    return switch (op) {
      case "UploadFile" -> upload();
      case "UploadMessages" -> uploadMessages();
      case "SubmitBatch" -> submit();
      case "SubmitMessages" -> submitMessages();
      case "DownloadFile" -> download();
      case "WatchBatch" -> watch();
      case "CancelWatch" -> cancelWatch();
      case "WatchMany" -> watchMany();
      case "DigestResults" -> digestResults();
      case "StreamBatchResults" -> results();
      case "ResumeResults" -> resumeResults();
      case "ListAllFiles" -> counted(
          client.listFiles(message(ListFilesRequest.newBuilder()).build()),
          io.batchgate.v1.File::getId);
      case "ListAllBatches" -> counted(
          client.listBatches(message(ListBatchesRequest.newBuilder()).build()),
          io.batchgate.v1.Batch::getId);
      default -> unary();
    };
  }

  private <B extends Message.Builder> B message(B builder) throws IOException {
    JsonFormat.parser().ignoringUnknownFields().merge(args.toString(), builder);
    return builder;
  }

  private static JsonElement json(Message message) throws InvalidProtocolBufferException {
    return JsonParser.parseString(PRINTER.print(message));
  }

  /** By the method's descriptor, whose trailers tell the request's id. */
  @SuppressWarnings("unchecked")
  private JsonElement unary() throws IOException {
    for (ServiceDescriptor service : SERVICES) {
      for (MethodDescriptor<?, ?> method : service.getMethods()) {
        if (op.equals(method.getBareMethodName())) {
          return unary((MethodDescriptor<Message, Message>) method);
        }
      }
    }
    throw new IOException("no such operation: " + op);
  }

  private JsonElement unary(MethodDescriptor<Message, Message> method) throws IOException {
    AtomicReference<Metadata> headers = new AtomicReference<>();
    AtomicReference<Metadata> trailers = new AtomicReference<>();
    Channel channel =
        ClientInterceptors.intercept(
            client.channel(), MetadataUtils.newCaptureMetadataInterceptor(headers, trailers));
    var marshaller =
        (MethodDescriptor.PrototypeMarshaller<Message>) method.getRequestMarshaller();
    Message.Builder request = marshaller.getMessagePrototype().newBuilderForType();
    try {
      Message answer =
          ClientCalls.blockingUnaryCall(
              channel, method, CallOptions.DEFAULT, message(request).build());
      String told = trailers.get().get(Metadata.Key.of("x-request-id", Metadata.ASCII_STRING_MARSHALLER));
      requestId = told == null ? "" : told;
      return json(answer);
    } catch (RuntimeException failed) {
      throw BatchgateException.of(failed);
    }
  }

  private byte[] content() {
    if (args.has("base64")) {
      return Base64.getDecoder().decode(args.get("base64").getAsString());
    }
    if (!args.has("line")) {
      return args.get("text").getAsString().getBytes(StandardCharsets.UTF_8);
    }
    String line = args.get("line").getAsString();
    StringBuilder lines = new StringBuilder();
    for (int n = 1; n <= args.get("count").getAsInt(); n++) {
      lines.append(line.replace("{n}", Integer.toString(n)));
    }
    return lines.toString().getBytes(StandardCharsets.UTF_8);
  }

  private JsonElement upload() throws IOException {
    UploadFileMetadata metadata = message(UploadFileRequest.newBuilder()).getMetadata();
    return json(client.uploadFile(new ByteArrayInputStream(content()), metadata));
  }

  private JsonElement uploadMessages() throws Exception {
    CompletableFuture<Message> answer = new CompletableFuture<>();
    StreamObserver<UploadFileRequest> call =
        FileServiceGrpc.newStub(client.channel()).uploadFile(observer(answer));
    for (JsonElement one : args.getAsJsonArray("messages")) {
      UploadFileRequest.Builder request = UploadFileRequest.newBuilder();
      JsonFormat.parser().merge(one.toString(), request);
      call.onNext(request.build());
    }
    call.onCompleted();
    return json(awaited(answer));
  }

  private JsonElement submitMessages() throws Exception {
    CompletableFuture<Message> answer = new CompletableFuture<>();
    StreamObserver<SubmitBatchRequest> call =
        BatchServiceGrpc.newStub(client.channel()).submitBatch(observer(answer));
    for (JsonElement one : args.getAsJsonArray("messages")) {
      SubmitBatchRequest.Builder request = SubmitBatchRequest.newBuilder();
      JsonFormat.parser().merge(one.toString(), request);
      call.onNext(request.build());
    }
    call.onCompleted();
    return json(awaited(answer));
  }

  private static <R extends Message> StreamObserver<R> observer(CompletableFuture<Message> answer) {
    return new StreamObserver<>() {
      @Override
      public void onNext(R response) {
        answer.complete(response);
      }

      @Override
      public void onError(Throwable failed) {
        answer.completeExceptionally(failed);
      }

      @Override
      public void onCompleted() {}
    };
  }

  private static Message awaited(CompletableFuture<Message> answer) throws Exception {
    try {
      return answer.get();
    } catch (ExecutionException failed) {
      throw BatchgateException.of(failed.getCause());
    }
  }

  private JsonElement submit() throws IOException {
    SubmitBatchMetadata metadata = message(SubmitBatchRequest.newBuilder()).getMetadata();
    List<BatchLine> rows = new ArrayList<>();
    if (args.has("rows")) {
      for (JsonElement one : args.getAsJsonArray("rows")) {
        rows.add(row(one.toString()));
      }
    } else {
      for (int n = 1; n <= args.get("count").getAsInt(); n++) {
        rows.add(row(args.get("row").toString().replace("{n}", Integer.toString(n))));
      }
    }
    return json(client.submitBatch(metadata, rows.iterator()));
  }

  private static BatchLine row(String text) throws IOException {
    BatchLine.Builder line = BatchLine.newBuilder();
    JsonFormat.parser().merge(text, line);
    return line.build();
  }

  private JsonElement download() throws IOException, NoSuchAlgorithmException {
    MessageDigest digest = MessageDigest.getInstance("SHA-256");
    long size = 0;
    byte[] buffer = new byte[1 << 16];
    try (InputStream content =
        client.downloadFile(message(DownloadFileRequest.newBuilder()).build())) {
      for (int read = content.read(buffer); read >= 0; read = content.read(buffer)) {
        digest.update(buffer, 0, read);
        size += read;
      }
    }
    JsonObject answer = new JsonObject();
    answer.addProperty("size_bytes", size);
    answer.addProperty("sha256", HexFormat.of().formatHex(digest.digest()));
    return answer;
  }

  private Watch watching() {
    return client
        .withProvider(args.get("provider").getAsString())
        .watchBatch(args.get("batch_id").getAsString());
  }

  private JsonElement watch() throws IOException {
    JsonObject answer = new JsonObject();
    try (Watch watch = watching()) {
      while (watch.hasNext()) {
        WatchBatchResponse news = watch.next();
        if (!answer.has("first_event")) {
          answer.addProperty("first_event", news.getEvent().name());
        }
        answer.add("batch", json(news.getBatch()));
      }
    }
    return answer;
  }

  private JsonElement cancelWatch() throws Exception {
    try (Context.CancellableContext context = Context.current().withCancellation()) {
      return context.call(
          () -> {
            Watch watch = watching();
            while (watch.hasNext()) {
              watch.next();
              context.cancel(null);
            }
            return new JsonObject();
          });
    }
  }

  private JsonElement watchMany() throws Exception {
    int count = args.get("count").getAsInt();
    ExecutorService threads = Executors.newFixedThreadPool(count);
    try {
      var each = Collections.nCopies(count, Context.current().wrap((Callable<JsonElement>) this::watch));
      for (Future<JsonElement> watched : threads.invokeAll(each)) {
        watched.get();
      }
    } catch (ExecutionException failed) {
      throw BatchgateException.of(failed.getCause());
    } finally {
      threads.shutdownNow();
    }
    JsonObject answer = new JsonObject();
    answer.addProperty("count", count);
    return answer;
  }

  private JsonElement digestResults() throws Exception {
    Map<String, JsonObject> rows = new TreeMap<>();
    try (Results results = client.results(wanted())) {
      while (results.hasNext()) {
        BatchResult row = results.next();
        byte[] body = row.getResponse().getBodyJsonBytes().toByteArray();
        JsonObject told = new JsonObject();
        told.addProperty("custom_id", row.getCustomId());
        told.addProperty("size_bytes", body.length);
        byte[] digest = MessageDigest.getInstance("SHA-256").digest(body);
        told.addProperty("sha256", HexFormat.of().formatHex(digest));
        rows.put(row.getCustomId(), told);
      }
    }
    JsonArray all = new JsonArray();
    rows.values().forEach(all::add);
    JsonObject answer = new JsonObject();
    answer.add("rows", all);
    return answer;
  }

  private StreamBatchResultsRequest wanted() throws IOException {
    return message(StreamBatchResultsRequest.newBuilder()).build();
  }

  private JsonElement results() throws Exception {
    List<BatchResult> rows = new ArrayList<>();
    try (Results results = client.results(wanted())) {
      results.forEachRemaining(rows::add);
    }
    return summary(rows);
  }

  private JsonElement resumeResults() throws Exception {
    List<BatchResult> rows = new ArrayList<>();
    String token;
    try (Results begun = client.results(wanted())) {
      // The token changes with the last row of a message.
      do {
        rows.add(begun.next());
      } while (begun.resumeToken().isEmpty());
      token = begun.resumeToken();
    }
    try (Results rest = client.results(wanted().toBuilder().setResumeToken(token).build())) {
      rest.forEachRemaining(rows::add);
    }
    return summary(rows);
  }

  private static JsonElement summary(List<BatchResult> rows)
      throws IOException, NoSuchAlgorithmException {
    // By code points, which is the order of UTF-8's bytes.
    rows.sort(
        (one, other) ->
            Arrays.compareUnsigned(
                one.getCustomIdBytes().toByteArray(), other.getCustomIdBytes().toByteArray()));
    JsonObject answer = new JsonObject();
    answer.addProperty("count", rows.size());
    answer.addProperty("succeeded", rows.stream().filter(BatchResult::getSucceeded).count());
    if (rows.size() <= MOST_RESULTS) {
      JsonArray shown = new JsonArray();
      for (BatchResult row : rows) {
        shown.add(json(row));
      }
      answer.add("results", shown);
      return answer;
    }
    MessageDigest digest = MessageDigest.getInstance("SHA-256");
    rows.forEach(row -> digest.update((row.getCustomId() + "\n").getBytes(StandardCharsets.UTF_8)));
    answer.addProperty("sha256", HexFormat.of().formatHex(digest.digest()));
    return answer;
  }

  private static <T> JsonElement counted(Iterable<T> items, Function<T, String> id) {
    List<String> ids = new ArrayList<>();
    Iterator<T> each = items.iterator();
    each.forEachRemaining(item -> ids.add(id.apply(item)));
    JsonObject answer = new JsonObject();
    answer.addProperty("count", ids.size());
    answer.addProperty("distinct", ids.stream().distinct().count());
    return answer;
  }
}
