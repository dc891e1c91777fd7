// The codec's error for malformed bytes of a service.

/** Bytes that do not fit the message type, or a value that ProtoJSON cannot express (a year 10000, …). */
export class DecodeError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = "DecodeError";
  }
}
