/** What an upload reads from. */

import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";

/** A path, bytes, or anything that gives bytes: a stream, a Blob's stream, a generator. */
export type Source = string | URL | Uint8Array | AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

/** A source that can be read: its name and size, where they are known. */
export interface Opened {
  readonly filename: string;
  readonly sizeBytes: bigint | undefined;
  readonly pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
}

/** Rejects where there is no such file, or it is a directory. */
export async function opened(source: Source): Promise<Opened> {
  if (source instanceof Uint8Array) {
    return { filename: "", sizeBytes: BigInt(source.byteLength), pieces: [source] };
  }
  if (typeof source !== "string" && !(source instanceof URL)) {
    return { filename: "", sizeBytes: undefined, pieces: source };
  }
  const found = await stat(source);
  if (found.isDirectory()) throw new Error(`${source} is a directory`);
  return {
    filename: basename(source instanceof URL ? fileURLToPath(source) : source),
    // Of a pipe the size says nothing.
    sizeBytes: found.isFile() ? BigInt(found.size) : undefined,
    pieces: createReadStream(source, { highWaterMark: 256 * 1024 }),
  };
}

/** The bytes in pieces of one size; an empty source is one empty piece. */
export async function* regrouped(
  pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  size: number,
): AsyncGenerator<Uint8Array> {
  let held: Uint8Array[] = [];
  let bytes = 0;
  let some = false;
  for await (const given of pieces) {
    let piece = given;
    while (bytes + piece.byteLength >= size) {
      const part = piece.subarray(0, size - bytes);
      yield held.length > 0 ? Buffer.concat([...held, part]) : part;
      some = true;
      piece = piece.subarray(part.byteLength);
      held = [];
      bytes = 0;
    }
    if (piece.byteLength > 0) {
      held.push(piece);
      bytes += piece.byteLength;
    }
  }
  if (bytes > 0 || !some) yield Buffer.concat(held);
}
