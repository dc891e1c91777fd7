// Which Content-Types carry JSON.

/** What the answer to an unsupported type lists. */
export const SUPPORTED_TYPES: readonly string[] = ["application/json"];

/** HTML forms: pages of other sites can send them without being asked. */
export const FORM_TYPES = ["application/x-www-form-urlencoded", "multipart/form-data"] as const;

/** Which kind of form a Content-Type names; undefined where it is none. */
export function formTypeOf(contentType: string | undefined): (typeof FORM_TYPES)[number] | undefined {
  const type = (contentType ?? "").split(";", 1)[0]?.trim().toLowerCase();
  return FORM_TYPES.find((known) => known === type);
}

/**
 * `application/json` and `application/*+json`, in UTF-8 (RFC 8259 §8.1 knows no other). A missing type is none of
 * them: a page of another site can send a body without one, and no preflight would ask first.
 */
export function isJsonType(contentType: string | undefined): boolean {
  if (contentType === "application/json") return true;
  if (contentType === undefined) return false;
  const [type = "", ...parameters] = contentType.toLowerCase().split(";");
  if (!/^application\/(?:[a-z0-9!#$&^_.-]+\+)?json$/.test(type.trim())) return false;
  return parameters.every((parameter) => {
    const [name = "", value = ""] = parameter.split("=");
    return name.trim() !== "charset" || /^"?utf-?8"?$/.test(value.trim());
  });
}
