// XML bodies of requests and responses.
import { isUtf8 } from "node:buffer";
import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { refusal } from "../../call/status/reasons.js";
import type { Status } from "../../call/status/status.js";
import { badRequest } from "../../call/status/status-details.js";
import type { Codecs, InvalidValue } from "../codec/codecs.js";
import { type Json, parseJson } from "../messages/json.js";
import { notNow } from "../messages/not-now.js";
import { loadXmlParser, readXml } from "./document.js";
import { XML_DECLARATION } from "./names.js";
import { printStatusXml, printXml, XmlCharError } from "./print.js";
import { xmlToJson } from "./to-json.js";

/** Large bodies are parsed in a thread, and XML is many times slower than JSON: 0.1 s for a megabyte. */
export const MAX_XML_BYTES = 1024 * 1024;

/** The JSON of a body; `desc`: its message or field. */
export function readXmlBody(
  desc: DescMessage | DescField,
  body: Uint8Array,
  codecs: Codecs,
  unknownFields: "reject" | "ignore",
): { readonly json: Json } | InvalidValue | Status {
  if (body.length > MAX_XML_BYTES) {
    const info = { limit: String(MAX_XML_BYTES) };
    const message = `a body in XML may have at most ${MAX_XML_BYTES} bytes: send it as application/json`;
    return refusal("MESSAGE_TOO_LARGE", message, { info });
  }
  try {
    loadXmlParser();
  } catch (cause) {
    return notNow("the hub cannot load its XML parser now: try again, or send JSON", cause);
  }
  if (!isUtf8(body)) return notXml("line 1, column 1: the text is not UTF-8");
  const root = readXml(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString("utf8"));
  if ("problem" in root) return notXml(`line ${root.line}, column ${root.column}: ${root.problem}`);
  return xmlToJson(codecs.plans, desc, root, unknownFields);
}

function notXml(problem: string): Status {
  const description = `the body is not valid XML: ${problem}`;
  return refusal("INVALID_REQUEST", description, { details: [badRequest([{ field: "", description }])] });
}

/** A response; `json` is the codec's output. Without a declaration within a stream. */
export function printXmlBody(
  desc: DescMessage | DescField,
  json: Buffer,
  codecs: Codecs,
  form: { readonly pretty: boolean; readonly declared: boolean },
): Buffer | Status {
  try {
    const xml = printXml(codecs.plans, desc, jsonOf(json.toString()), form.pretty);
    return Buffer.from(`${form.declared ? XML_DECLARATION : ""}${xml}${form.pretty ? "\n" : ""}`);
  } catch (e) {
    if (!(e instanceof XmlCharError)) throw e;
    const message = `the response cannot be represented in XML: ${e.message}; ask for application/json`;
    return refusal("NOT_ACCEPTABLE", message, { info: { supported: "application/json" } });
  }
}

/**
 * A google.rpc.Status, from its JSON, as element `name`; undefined: it has a character that XML cannot express. Never
 * throws: on any other error the status can still be sent in JSON.
 */
export function statusXml(statusJson: string, name: string, codecs: Codecs): string | undefined {
  try {
    return printStatusXml(codecs.plans, name, jsonOf(statusJson));
  } catch {
    return undefined;
  }
}

/** JSON of our own. */
function jsonOf(text: string): Json {
  const parsed = parseJson(text);
  if ("value" in parsed) return parsed.value;
  throw new Error(`the codec printed what is not JSON: ${parsed.problem}`);
}
