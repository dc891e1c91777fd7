// test.v1.FileService: takes bytes and counts them, makes bytes and sends them.
import { createHash } from "node:crypto";
import type { FileServiceServer } from "#generated/test/v1/files.js";
import { RpcError } from "#src/samples/common/errors.js";
import { clientStreaming, serverStreaming, unary } from "#src/samples/common/handlers.js";

const DEFAULT_PIECE_BYTES = 65536;
/** Bytes at each place are that place modulo this: no power of two, so that no shift goes unseen. */
const PERIOD = 251;
const PATTERN = Buffer.from(Array.from({ length: PERIOD * 300 }, (_, at) => at % PERIOD));

/** `length` bytes from this place on. */
export function bytesAt(place: number, length: number): Buffer {
  const from = place % PERIOD;
  if (from + length <= PATTERN.length) return PATTERN.subarray(from, from + length);
  return Buffer.from(Array.from({ length }, (_, at) => (place + at) % PERIOD));
}

export function files(): FileServiceServer {
  return {
    uploadFile: clientStreaming(async (requests) => {
      const hash = createHash("sha256");
      let first: { name: string; contentType: string; note: string } | undefined;
      let messageCount = 0n;
      let byteCount = 0n;
      for await (const { name, note, file } of requests) {
        first ??= { name, note, contentType: file?.contentType ?? "" };
        messageCount++;
        byteCount += BigInt(file?.data.length ?? 0);
        if (file !== undefined) hash.update(file.data);
      }
      const { name = "", contentType = "", note = "" } = first ?? {};
      return { name, contentType, note, messageCount, byteCount, sha256: hash.digest("hex") };
    }),

    uploadBody: clientStreaming(async (requests) => {
      let contentType: string | undefined;
      let messageCount = 0n;
      let byteCount = 0n;
      for await (const body of requests) {
        contentType ??= body.contentType;
        messageCount++;
        byteCount += BigInt(body.data.length);
      }
      return { contentType: contentType ?? "", messageCount, byteCount };
    }),

    downloadFile: serverStreaming(async function* ({ bytes, pieceBytes, contentType, fail }) {
      const piece = pieceBytes === 0 ? DEFAULT_PIECE_BYTES : pieceBytes;
      for (let at = 0; at < Number(bytes); at += piece) {
        const data = bytesAt(at, Math.min(piece, Number(bytes) - at));
        yield { contentType: at === 0 ? contentType : "", data, extensions: [] };
      }
      if (fail !== undefined) throw new RpcError(fail.code, fail.message);
    }),

    getFile: unary(({ bytes, contentType }) => ({
      contentType,
      data: bytesAt(0, Number(bytes)),
      extensions: [],
    })),
  };
}
