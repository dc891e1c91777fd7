// Which messages are translated on the event loop, and which in a thread: by the cost of the worst message of that
// form, so that none blocks others for more than some 30 ms of a slow core.
import type { Budget } from "../codec/codecs.js";
import { isProtoType, isXmlType } from "./content-type.js";
import type { ResponseForm } from "./response.js";

const KIB = 1024;
const MIB = 1024 * KIB;

/**
 * Bodies of at least this size are translated in a thread, JSON or a form. Usual ones take 10 to 60 ns a byte; the
 * worst (numbers that only the exact parser reads, many parts of a form, field masks) 250 to 400. Passing one to a
 * thread costs some 100 µs.
 */
export const LARGE_BYTES = 64 * KIB;
/**
 * Responses of at least this size are printed in a thread: 10 to 80 ns a byte. A more expensive one runs out of steps.
 */
export const LARGE_RESPONSE_BYTES = 128 * KIB;
/** Parsing XML takes up to 900 ns a byte. */
export const LARGE_XML_BYTES = 16 * KIB;
/** A body in protobuf's binary format becomes JSON first, which may be many times longer: `HERE` bounds that too. */
export const LARGE_BINARY_BYTES = 16 * KIB;

/** Steps of the printer take 3 to 5 ns, so all of them some 10 ms. */
const HERE_STEPS = 2_000_000;
/** Up to 60 ns a byte, if each byte of the message prints several. */
const HERE: Budget = { textBytes: 256 * KIB, steps: HERE_STEPS };
/** The text is parsed again, and printed again; indented it may be ten times longer. */
const HERE_PRETTY: Budget = { textBytes: 64 * KIB, steps: HERE_STEPS };
/** The same, at up to 400 ns a byte of JSON. */
const HERE_XML: Budget = { textBytes: 32 * KIB, steps: HERE_STEPS };

/**
 * In a thread. Printed defaults of a type with many fields turn two bytes into thousands: without a limit the text
 * would fill the memory. The longest message of the config's largest limit, in base64, still fits. At most some 5 s of
 * work.
 */
export const IN_THREAD: Budget = { textBytes: 512 * MIB, steps: 1_000_000_000 };

/** Limit for printing a response in this format on the event loop. */
export function eventLoopBudget(form: ResponseForm): Budget {
  if (form.xml !== undefined) return HERE_XML;
  return form.pretty ? HERE_PRETTY : HERE;
}

/** Whether a body of this type is translated in a thread. */
export function isLargeBody(bytes: number, contentType: string | undefined): boolean {
  if (bytes >= LARGE_BYTES) return true;
  if (bytes >= LARGE_XML_BYTES && isXmlType(contentType)) return true;
  return bytes >= LARGE_BINARY_BYTES && isProtoType(contentType);
}
