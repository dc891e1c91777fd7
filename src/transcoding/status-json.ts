// A Status → google.rpc.Status in JSON: the body of every error.
import { create, type JsonValue } from "@bufbuild/protobuf";
import { AnySchema } from "@bufbuild/protobuf/wkt";
import type { Status, StatusDetail } from "../core/status.js";
import type { JsonWriter } from "./json-writer.js";

/** `{"code", "message", "details"}`. Never fails: a detail that cannot be read prints its type and its bytes in base64. */
export function renderStatus(status: Status, writer: JsonWriter): string {
  return JSON.stringify({
    code: status.code,
    message: status.message,
    details: status.details.map((detail) => detailJson(detail, writer)),
  });
}

function detailJson(detail: StatusDetail, writer: JsonWriter): JsonValue {
  try {
    const { typeUrl, value } = detail;
    const json = writer.write(AnySchema, create(AnySchema, { typeUrl, value: Uint8Array.from(value) }));
    // "@type" first, as people expect to read it.
    return typeof json === "object" && json !== null && !Array.isArray(json) && typeUrl !== ""
      ? { "@type": typeUrl, ...json }
      : rawJson(detail);
  } catch {
    return rawJson(detail);
  }
}

function rawJson(detail: StatusDetail): JsonValue {
  return { "@type": detail.typeUrl, value: Buffer.from(detail.value).toString("base64") };
}
