package io.batchgate.conformance;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.batchgate.BatchgateClient;
import io.batchgate.BatchgateException;
import io.batchgate.BatchgateException.Violation;
import io.grpc.Context;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The conformance program of the Java client: see clients/conformance. Its argument is the run's file. */
public final class Main {
  private static final Pattern NAMED = Pattern.compile("\\$\\{(\\w+)}");
  private static final Gson GSON = new GsonBuilder().disableHtmlEscaping().create();
  private static final double SECONDS = 30;

  private final Map<String, String> variables = new TreeMap<>();
  private final PrintStream output = new PrintStream(System.out, true, StandardCharsets.UTF_8);
  private final ScheduledExecutorService deadlines = Executors.newSingleThreadScheduledExecutor();

  private Main() {}

  public static void main(String[] arguments) throws Exception {
    JsonObject run = JsonParser.parseString(Files.readString(Path.of(arguments[0]))).getAsJsonObject();
    try {
      new Main().carryOut(run);
    } catch (Exception failed) {
      System.err.println(failed);
      System.exit(2);
    }
    System.exit(0);
  }

  private void carryOut(JsonObject run) throws Exception {
    run.getAsJsonObject("variables")
        .asMap()
        .forEach((name, value) -> variables.put(name, value.getAsString()));
    try (BatchgateClient client = client(run)) {
      for (JsonElement given : run.getAsJsonArray("steps")) {
        JsonObject step = filled(given).getAsJsonObject();
        JsonObject line = carryOut(client, step);
        output.println(GSON.toJson(line));
        keep(step, line);
      }
    }
  }

  private static BatchgateClient client(JsonObject run) throws IOException {
    return run.has("address")
        ? BatchgateClient.of(run.get("address").getAsString())
        : BatchgateClient.fromEnvironment();
  }

  private JsonElement filled(JsonElement value) {
    // Within JSON a variable's text needs no escape.
    Matcher found = NAMED.matcher(GSON.toJson(value));
    return JsonParser.parseString(
        found.replaceAll(
            one -> Matcher.quoteReplacement(variables.getOrDefault(one.group(1), ""))));
  }

  private JsonObject carryOut(BatchgateClient client, JsonObject step) throws Exception {
    String name = step.has("caller") ? step.get("caller").getAsString() : "token";
    JsonObject headers = step.has("headers") ? step.getAsJsonObject("headers") : new JsonObject();
    String token = variables.getOrDefault(name, "");
    BatchgateClient caller = token.isEmpty() ? client : client.withToken(token);
    for (Map.Entry<String, JsonElement> header : headers.entrySet()) {
      caller = caller.withMetadata(header.getKey(), header.getValue().getAsString());
    }
    double seconds =
        step.has("timeout_seconds") ? step.get("timeout_seconds").getAsDouble() : SECONDS;
    Operations operations = new Operations(caller, step);
    JsonObject line = new JsonObject();
    line.add("step", step.get("step"));
    String requestId;
    try (Context.CancellableContext context =
        Context.current()
            .withDeadlineAfter((long) (seconds * 1000), TimeUnit.MILLISECONDS, deadlines)) {
      JsonElement answer = context.call(operations::carryOut);
      line.addProperty("code", "OK");
      line.add("answer", answer);
      requestId = operations.requestId();
    } catch (BatchgateException failed) {
      line.addProperty("code", failed.code().name());
      line.add("error", error(failed));
      requestId = failed.requestId();
    }
    if (headers.has("x-request-id") && !requestId.isEmpty()) {
      line.addProperty("request_id", requestId);
    }
    return line;
  }

  private static JsonObject error(BatchgateException failed) {
    JsonObject told = new JsonObject();
    told.addProperty("reason", failed.reason());
    told.addProperty("domain", failed.domain());
    told.add("metadata", GSON.toJsonTree(failed.metadata()));
    told.addProperty("retry", failed.retryAfter().isPresent());
    add(told, "violations", failed.violations());
    add(told, "quotas", failed.quotas());
    return told;
  }

  private static void add(JsonObject told, String name, List<Violation> violations) {
    if (!violations.isEmpty()) {
      JsonArray fields = new JsonArray();
      violations.forEach(one -> fields.add(one.field()));
      told.add(name, fields);
    }
  }

  private void keep(JsonObject step, JsonObject line) {
    if (!step.has("keep")) {
      return;
    }
    step.getAsJsonObject("keep")
        .asMap()
        .forEach((name, path) -> variables.put(name, at(line.get("answer"), path.getAsString())));
  }

  private static String at(JsonElement answer, String path) {
    JsonElement value = answer;
    for (String part : path.split("\\.")) {
      value = value == null ? null : value.getAsJsonObject().get(part);
    }
    return value == null ? "" : value.getAsString();
  }
}
