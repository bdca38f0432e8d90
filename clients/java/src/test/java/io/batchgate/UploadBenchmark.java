package io.batchgate;

import io.batchgate.v1.UploadFileMetadata;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Uploads a file some times, and prints the seconds that each took: ADDRESS FILE TIMES. */
public final class UploadBenchmark {
  private UploadBenchmark() {}

  public static void main(String[] arguments) throws IOException {
    UploadFileMetadata about = UploadFileMetadata.newBuilder().setPurpose("user_data").build();
    List<Double> seconds = new ArrayList<>();
    try (BatchgateClient client = BatchgateClient.of(arguments[0])) {
      for (int n = 0; n < Integer.parseInt(arguments[2]); n++) {
        long began = System.nanoTime();
        client.uploadFile(Path.of(arguments[1]), about);
        seconds.add((System.nanoTime() - began) / 1e9);
      }
    }
    System.out.println(seconds);
  }
}
