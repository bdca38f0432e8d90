package io.batchgate;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import com.google.rpc.QuotaFailure;
import com.google.rpc.RetryInfo;
import io.batchgate.v1.ErrorReason;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusException;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** A call failed. */
public final class BatchgateException extends RuntimeException {
  private static final long serialVersionUID = 1L;
  private static final Metadata.Key<String> REQUEST_ID = key("x-request-id");
  private static final Metadata.Key<String> PROVIDER_REQUEST_ID = key("x-provider-request-id");

  /**
   * One thing that is wrong with a request, or one quota that is used up.
   *
   * @param field the field, such as {@code metadata.filename}; of a quota its subject
   * @param description what is wrong, for people
   */
  public record Violation(String field, String description) {}

  private final transient Status status;
  private final transient Metadata trailers;
  private final transient ErrorInfo info;
  private final transient List<Any> details;

  private BatchgateException(Throwable cause, Status status, Metadata trailers) {
    this(cause, status, trailers, detailsOf(cause));
  }

  private BatchgateException(
      Throwable cause, Status status, Metadata trailers, List<Any> details) {
    super(line(status, find(details, ErrorInfo.getDefaultInstance())), cause);
    this.status = status;
    this.trailers = trailers;
    this.details = details;
    this.info = find(details, ErrorInfo.getDefaultInstance());
  }

  /** The exception for what a stub threw; what is none of a call stays as it is. */
  public static RuntimeException of(Throwable failed) {
    Metadata trailers = null;
    if (failed instanceof StatusRuntimeException unchecked) {
      trailers = unchecked.getTrailers();
    } else if (failed instanceof StatusException checked) {
      trailers = checked.getTrailers();
    } else if (failed instanceof RuntimeException other) {
      return other;
    }
    return new BatchgateException(
        failed, Status.fromThrowable(failed), trailers == null ? new Metadata() : trailers);
  }

  /** gRPC's status. */
  public Status.Code code() {
    return status.getCode();
  }

  /** The contract's word, such as {@code PROVIDER_NOT_FOUND}; empty where no gateway has answered. */
  public String reason() {
    return info.getReason();
  }

  /** Whether that is the reason. */
  public boolean is(ErrorReason reason) {
    return reason.name().equals("ERROR_REASON_" + reason());
  }

  /** That of the reason, {@code batchgate}. */
  public String domain() {
    return info.getDomain();
  }

  /** {@code provider}, {@code http_status}, {@code provider_code} and others, where known. */
  public Map<String, String> metadata() {
    return info.getMetadataMap();
  }

  /** After what time to try again, where waiting helps. */
  public Optional<Duration> retryAfter() {
    return details.stream()
        .filter(one -> one.is(RetryInfo.class))
        .map(one -> unpack(one, RetryInfo.getDefaultInstance()).getRetryDelay())
        .map(delay -> Duration.ofSeconds(delay.getSeconds(), delay.getNanos()))
        .findFirst();
  }

  /** The fields, or the lines of a file, that are wrong. */
  public List<Violation> violations() {
    return find(details, BadRequest.getDefaultInstance()).getFieldViolationsList().stream()
        .map(one -> new Violation(one.getField(), one.getDescription()))
        .toList();
  }

  /** The quotas that are used up. */
  public List<Violation> quotas() {
    return find(details, QuotaFailure.getDefaultInstance()).getViolationsList().stream()
        .map(one -> new Violation(one.getSubject(), one.getDescription()))
        .toList();
  }

  /** The call's {@code x-request-id}, by which the gateway's log has it; or empty. */
  public String requestId() {
    return Optional.ofNullable(trailers.get(REQUEST_ID)).orElse("");
  }

  /** The provider's own, or empty. */
  public String providerRequestId() {
    return Optional.ofNullable(trailers.get(PROVIDER_REQUEST_ID)).orElse("");
  }

  private static String line(Status status, ErrorInfo info) {
    String words = (status.getCode() + " " + info.getReason()).strip();
    return words + ": " + status.getDescription();
  }

  private static List<Any> detailsOf(Throwable failed) {
    com.google.rpc.Status told = StatusProto.fromThrowable(failed);
    return told == null ? List.of() : told.getDetailsList();
  }

  private static <M extends Message> M find(List<Any> details, M kind) {
    return details.stream()
        .filter(one -> one.is(kind.getClass()))
        .map(one -> unpack(one, kind))
        .findFirst()
        .orElse(kind);
  }

  @SuppressWarnings("unchecked")
  private static <M extends Message> M unpack(Any detail, M kind) {
    try {
      return (M) detail.unpack(kind.getClass());
    } catch (InvalidProtocolBufferException broken) {
      // A status without details is told rather than none.
      return kind;
    }
  }

  private static Metadata.Key<String> key(String name) {
    return Metadata.Key.of(name, Metadata.ASCII_STRING_MARSHALLER);
  }
}
