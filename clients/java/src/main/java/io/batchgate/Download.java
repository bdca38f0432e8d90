package io.batchgate;

import com.google.protobuf.ByteString;
import io.batchgate.v1.DownloadFileRequest;
import io.batchgate.v1.DownloadFileResponse;
import java.io.IOException;
import java.io.InputStream;
import java.util.Iterator;
import java.util.function.Function;

/** A file's content, which goes on where it broke off. */
final class Download extends InputStream {
  private final ResumingIterator<DownloadFileResponse> pieces;
  private final DownloadFileRequest request;
  private long position;
  private ByteString rest = ByteString.EMPTY;
  private boolean closed;

  Download(
      DownloadFileRequest request,
      Function<DownloadFileRequest, Iterator<DownloadFileResponse>> call,
      Patience patience) {
    this.request = request;
    position = request.getReadOffset();
    pieces =
        new ResumingIterator<>(
            () -> {
              DownloadFileRequest next = following();
              return next == null ? null : call.apply(next);
            },
            patience);
  }

  private DownloadFileRequest following() {
    DownloadFileRequest.Builder next = request.toBuilder().setReadOffset(position);
    if (request.getReadLimit() > 0) {
      long left = request.getReadOffset() + request.getReadLimit() - position;
      if (left == 0) {
        return null;
      }
      next.setReadLimit(left);
    }
    return next.build();
  }

  private boolean fill() throws IOException {
    if (closed) {
      // The end would be taken for the file's.
      throw new IOException("the download is closed");
    }
    while (rest.isEmpty() && pieces.hasNext()) {
      DownloadFileResponse piece = pieces.next();
      rest = piece.getChunk();
      position = piece.getOffset() + rest.size();
    }
    return !rest.isEmpty();
  }

  @Override
  public int read() throws IOException {
    byte[] one = new byte[1];
    return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
  }

  @Override
  public int read(byte[] into, int offset, int length) throws IOException {
    if (length == 0) {
      return 0;
    }
    if (!fill()) {
      return -1;
    }
    int size = Math.min(length, rest.size());
    rest.copyTo(into, 0, offset, size);
    rest = rest.substring(size);
    return size;
  }

  @Override
  public void close() {
    closed = true;
    pieces.close();
  }
}
