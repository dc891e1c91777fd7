// What the codec throws on bytes: they come from a service, which should not send such.

/** Bytes that do not fit the message type, or a value that ProtoJSON cannot say (a year 10000, …). */
export class DecodeError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = "DecodeError";
  }
}
