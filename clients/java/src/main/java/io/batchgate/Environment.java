package io.batchgate;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;

/** A client's settings in environment variables, the same as those of all other clients. */
final class Environment {
  private static final String PREFIX = "BATCHGATE_";
  private static final String DEFAULT_ADDRESS = "127.0.0.1:50051";

  private final Map<String, String> variables;

  Environment(Map<String, String> variables) {
    this.variables = variables;
  }

  /**
   * A builder with what the variables say.
   *
   * @throws IOException a file that they name cannot be read
   * @throws IllegalArgumentException they make no sense
   */
  ClientBuilder builder() throws IOException {
    String address = given("ADDRESS");
    ClientBuilder builder = new ClientBuilder(address.isEmpty() ? DEFAULT_ADDRESS : address);
    builder.provider(given("PROVIDER")).token(token());
    if (tls()) {
      String certificate = given("TLS_CERT");
      String key = given("TLS_KEY");
      if (certificate.isEmpty() != key.isEmpty()) {
        throw new IllegalArgumentException(
            "BATCHGATE_TLS_CERT and BATCHGATE_TLS_KEY go together: give both, or neither");
      }
      builder.tlsFiles(path("TLS_CA"), path("TLS_CERT"), path("TLS_KEY"));
    }
    return builder;
  }

  private String given(String name) {
    return variables.getOrDefault(PREFIX + name, "");
  }

  private Path path(String name) {
    return given(name).isEmpty() ? null : Path.of(given(name));
  }

  private String token() throws IOException {
    Path file = path("TOKEN_FILE");
    if (!given("TOKEN").isEmpty() || file == null) {
      return given("TOKEN");
    }
    return Files.readString(file).strip();
  }

  private boolean tls() {
    boolean files =
        !(given("TLS_CA").isEmpty() && given("TLS_CERT").isEmpty() && given("TLS_KEY").isEmpty());
    return switch (given("TLS").toLowerCase(Locale.ROOT)) {
      case "" -> files;
      case "1", "true", "on" -> true;
      case "0", "false", "off" -> {
        if (files) {
          // Plaintext by mistake would show the token.
          throw new IllegalArgumentException(
              "BATCHGATE_TLS is off, and a file of BATCHGATE_TLS_* asks for TLS: unset one of them");
        }
        yield false;
      }
      default -> throw new IllegalArgumentException(
          "BATCHGATE_TLS is \"" + given("TLS") + "\": give 1, true or on, or 0, false or off");
    };
  }
}
