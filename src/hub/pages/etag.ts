// Entity tags of the hub's own pages.
import { createHash } from "node:crypto";

export function etagOf(body: Buffer): string {
  return `"${createHash("sha256").update(body).digest("base64url").slice(0, 27)}"`;
}
