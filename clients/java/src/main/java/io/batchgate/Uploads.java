package io.batchgate;

import com.google.protobuf.ByteString;
import com.google.protobuf.UnsafeByteOperations;
import io.batchgate.v1.BatchLine;
import io.batchgate.v1.BatchLines;
import io.batchgate.v1.SubmitBatchMetadata;
import io.batchgate.v1.SubmitBatchRequest;
import io.batchgate.v1.UploadFileMetadata;
import io.batchgate.v1.UploadFileRequest;
import java.io.IOException;
import java.io.InputStream;
import java.util.Iterator;
import java.util.function.LongConsumer;

/** The requests of calls whose caller streams. */
final class Uploads {
  private static final int CHUNK_BYTES = 256 * 1024;
  // Messages of this size carry many rows at once, and stay far below gRPC's limit of 4 MiB.
  private static final int MESSAGE_BYTES = 256 * 1024;

  private Uploads() {}

  /** The metadata, then what {@code content} has, in chunks. */
  static Sending.Requests<UploadFileRequest> chunks(
      UploadFileMetadata metadata, InputStream content, LongConsumer progress) {
    return new Sending.Requests<>() {
      private boolean begun;
      private boolean ended;
      private long sent;

      @Override
      public UploadFileRequest next() throws IOException {
        if (!begun) {
          begun = true;
          return UploadFileRequest.newBuilder().setMetadata(metadata).build();
        }
        progress.accept(sent);
        if (ended) {
          return null;
        }
        byte[] piece = content.readNBytes(CHUNK_BYTES);
        ended = piece.length < CHUNK_BYTES;
        // An empty file is one empty chunk.
        if (piece.length == 0 && sent > 0) {
          return null;
        }
        sent += piece.length;
        ByteString chunk = UnsafeByteOperations.unsafeWrap(piece);
        return UploadFileRequest.newBuilder().setChunk(chunk).build();
      }
    };
  }

  /** The metadata, then the rows, many in a message. */
  static Sending.Requests<SubmitBatchRequest> rows(
      SubmitBatchMetadata metadata, Iterator<BatchLine> rows) {
    return new Sending.Requests<>() {
      private boolean begun;

      @Override
      public SubmitBatchRequest next() {
        if (!begun) {
          begun = true;
          return SubmitBatchRequest.newBuilder().setMetadata(metadata).build();
        }
        BatchLines.Builder lines = BatchLines.newBuilder();
        for (int bytes = 0; bytes < MESSAGE_BYTES && rows.hasNext(); ) {
          BatchLine row = rows.next();
          lines.addLines(row);
          bytes += row.getSerializedSize();
        }
        if (lines.getLinesCount() == 0) {
          return null;
        }
        return SubmitBatchRequest.newBuilder().setLines(lines).build();
      }
    };
  }
}
