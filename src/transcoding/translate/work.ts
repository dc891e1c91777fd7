// How much of a message is translated on the event loop, and how much in a thread: by the work that the worst of such a
// shape takes, so that no message holds up the others for more than some 30 ms of a slow core.
import type { Budget } from "../codec/codecs.js";
import { isProtoType, isXmlType } from "./content-type.js";
import type { ResponseForm } from "./response.js";

const KIB = 1024;
const MIB = 1024 * KIB;

/**
 * From this many bytes on a body goes to a thread, JSON or a form. Usual ones take 10 to 60 ns a byte; the worst
 * (numbers that only the exact parser reads, many parts of a form, field masks) 250 to 400. To hand it over costs some
 * 100 µs.
 */
export const LARGE_BYTES = 64 * KIB;
/** From this many bytes on an answer is printed in a thread: 10 to 80 ns a byte. What takes longer runs out of steps. */
export const LARGE_RESPONSE_BYTES = 128 * KIB;
/** XML takes up to 900 ns a byte to read. */
export const LARGE_XML_BYTES = 16 * KIB;
/** A body in protobuf's binary format becomes JSON first, which may be many times as long: `HERE` bounds that too. */
export const LARGE_BINARY_BYTES = 16 * KIB;

/** Steps of the printer take 3 to 5 ns, so all of them some 10 ms. */
const HERE_STEPS = 2_000_000;
/** Up to 60 ns a byte, where each byte of the message prints several. */
const HERE: Budget = { textBytes: 256 * KIB, steps: HERE_STEPS };
/** The text is read again, and printed anew; its indentation may be ten times as long as itself. */
const HERE_PRETTY: Budget = { textBytes: 64 * KIB, steps: HERE_STEPS };
/** The same, at up to 400 ns a byte of JSON. */
const HERE_XML: Budget = { textBytes: 32 * KIB, steps: HERE_STEPS };

/**
 * In a thread. Defaults that are printed, of a type with many fields, make thousands of bytes of two: such a text would
 * fill the memory. The longest message of the config's largest limit, in base64, still fits. Some 5 s of work at most.
 */
export const IN_THREAD: Budget = { textBytes: 512 * MIB, steps: 1_000_000_000 };

/** What printing an answer in this form may come to on the event loop. */
export function eventLoopBudget(form: ResponseForm): Budget {
  if (form.xml !== undefined) return HERE_XML;
  return form.pretty ? HERE_PRETTY : HERE;
}

/** Whether a body of this type goes to a thread. */
export function isLargeBody(bytes: number, contentType: string | undefined): boolean {
  if (bytes >= LARGE_BYTES) return true;
  if (bytes >= LARGE_XML_BYTES && isXmlType(contentType)) return true;
  return bytes >= LARGE_BINARY_BYTES && isProtoType(contentType);
}
