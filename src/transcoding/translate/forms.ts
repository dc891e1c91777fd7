// HTML forms as bodies: fields are named as in a query, a file goes into a bytes field or a google.api.HttpBody.
import { isUtf8 } from "node:buffer";
import { ScalarType } from "@bufbuild/protobuf";
import { type MultipartError, make, type PartInfo } from "multipasta";
import { cut } from "../../kit/text/text.js";
import type { Codecs } from "../codec/codecs.js";
import { isHttpBody } from "../messages/fields.js";
import type { Json, JsonObject } from "../messages/json.js";
import { resolveField } from "../routes/set-field.js";
import {
  addValue,
  eachParameter,
  findParameter,
  type QueryProblem,
  type QueryRules,
  setParameter,
} from "./query.js";

type FormResult = { readonly json: JsonObject } | QueryProblem;

/** More parts than any form has fields; each costs an object or two. The size of the body was limited before. */
const MAX_PARTS = 1000;

/** Parses `application/x-www-form-urlencoded`. */
export function readForm(body: Uint8Array, rules: QueryRules, codecs: Codecs): FormResult {
  const json: JsonObject = {};
  // Like a header, a body may have bytes beyond ASCII: they are read as UTF-8, like those of a query.
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString("latin1");
  const problem = eachParameter(text, (name, value) => setField(name, value, rules, codecs, json));
  return problem ?? { json };
}

/** Parses `multipart/form-data` (RFC 7578). */
export function readMultipart(
  body: Uint8Array,
  contentType: string,
  rules: QueryRules,
  codecs: Codecs,
): FormResult {
  const json: JsonObject = {};
  let problem: QueryProblem | undefined;
  let done = false;
  const take = (parameter: string, found: string | undefined) => {
    if (found !== undefined) problem ??= { parameter, problem: found };
  };
  try {
    const parser = make({
      headers: { "content-type": contentType },
      maxParts: MAX_PARTS,
      maxFieldSize: body.length,
      onField: (info, value) => {
        if (problem !== undefined) return;
        const name = nameOf(info);
        const found = isUtf8(value) ? setField(name, textOf(value), rules, codecs, json) : "not UTF-8";
        take(name, partProblem(info) ?? found);
      },
      onFile: (info) => {
        const chunks: Uint8Array[] = [];
        return (chunk) => {
          if (chunk !== null) chunks.push(chunk);
          else if (problem === undefined)
            take(nameOf(info), partProblem(info) ?? setFile(info, Buffer.concat(chunks), rules, json));
        };
      },
      onError: (error) => take("", sentence(error)),
      onDone: () => {
        done = true;
      },
    });
    parser.write(withReadableHeaders(body, contentType));
    if (!done) take("", sentence({ _tag: "EndNotReached" }));
  } catch {
    // For example a file name with malformed percent-encoding.
    take("", "the headers of a part are malformed");
  }
  return problem ?? { json };
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
}

function setField(
  name: string,
  text: string,
  rules: QueryRules,
  codecs: Codecs,
  json: JsonObject,
): string | undefined {
  const parameter = findParameter(name, rules);
  if (parameter === undefined || typeof parameter === "string") return parameter;
  return setParameter(parameter, text, [], codecs, json);
}

function setFile(info: PartInfo, data: Buffer, rules: QueryRules, json: JsonObject): string | undefined {
  const target = resolveField(rules.input, nameOf(info));
  if (typeof target === "string") return rules.unknown === "ignore" ? undefined : target;
  const { leaf } = target;
  const base64: Json = data.toString("base64");
  if (leaf.fieldKind !== "map" && leaf.scalar === ScalarType.BYTES) {
    return addValue({ target, mapKey: undefined }, base64, json);
  }
  if (leaf.fieldKind !== "map" && leaf.message !== undefined && isHttpBody(leaf.message)) {
    return addValue({ target, mapKey: undefined }, { contentType: info.contentType, data: base64 }, json);
  }
  return `a file can only be put into a bytes field or a google.api.HttpBody, and '${leaf.name}' is neither`;
}

const BLANK_LINE = "\r\n\r\n";

/**
 * Browsers send names as UTF-8 (RFC 7578 §5.1), and the parser accepts a name only with Latin-1 characters. So it gets
 * each byte of a part's headers as the Latin-1 character of that value; `nameOf` converts it back. A body whose headers
 * are ASCII, as nearly always, is not copied.
 */
function withReadableHeaders(body: Uint8Array, contentType: string): Uint8Array {
  const found = /;\s*boundary=(?:"([^"]*)"|([^\s;]+))/i.exec(contentType);
  const boundary = found?.[1] ?? found?.[2];
  if (boundary === undefined) return body;
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const delimiter = Buffer.from(`\r\n--${boundary}`, "latin1");
  const pieces: Buffer[] = [];
  let done = 0;
  // The first delimiter may be at the very beginning.
  let at = bytes.indexOf(delimiter.subarray(2));
  // Further parts are too many, whatever their names.
  for (let parts = 0; at >= 0 && parts <= MAX_PARTS; parts++) {
    const end = bytes.indexOf(BLANK_LINE, at, "latin1");
    if (end < 0) break;
    const start = bytes.indexOf("\r\n", at + 2, "latin1");
    const headers = bytes.subarray(start, end);
    if (headers.some((byte) => byte >= 0x80)) {
      pieces.push(bytes.subarray(done, start), Buffer.from(headers.toString("latin1"), "utf8"));
      done = end;
    }
    at = bytes.indexOf(delimiter, end);
  }
  return done === 0 ? body : Buffer.concat([...pieces, bytes.subarray(done)]);
}

/** Browsers escape only these three in a name (HTML, "multipart/form-data encoding algorithm"). */
function nameOf({ name }: PartInfo): string {
  return Buffer.from(name, "latin1")
    .toString("utf8")
    .replace(/%(?:22|0D|0A)/gi, decodeURIComponent);
}

/** A compressed part would be stored compressed. */
function partProblem({ name, headers }: PartInfo): string | undefined {
  if (name === "") return sentence({ _tag: "InvalidDisposition" });
  const encoding = String(headers["content-transfer-encoding"] ?? "binary").trim();
  if (/^(?:7bit|8bit|binary)$/i.test(encoding)) return undefined;
  return `Content-Transfer-Encoding '${cut(encoding, 40)}' is not supported: send the bytes unencoded (RFC 7578 §4.7)`;
}

function sentence(error: MultipartError): string {
  switch (error._tag) {
    case "InvalidBoundary":
      return "the Content-Type has no boundary parameter";
    case "BadHeaders":
      return "the headers of a part are malformed";
    case "InvalidDisposition":
      return "a part has no name in its Content-Disposition";
    case "ReachedLimit":
      return `the form has more than ${MAX_PARTS} parts`;
    case "EndNotReached":
      return "the form does not end with its boundary";
  }
}
