// Validators of unary responses to GET (RFC 9110 §8.8, §13.1.2): the ETag of a coded body, and If-None-Match.

/** An entity tag of a list (RFC 9110 §8.8.3): quoted, since it may contain commas; or whatever replaces it. */
const LISTED_TAG = /(?:W\/)?"[^"]*"|[^,\s]+/g;
/** Length of the list; a client that requests one resource has a few versions of it at most. */
const MAX_TAGS = 64;

/** The tag of the same body in this coding. */
export function codedTag(etag: string, coding: string): string {
  return etag.endsWith('"') ? `${etag.slice(0, -1)}-${coding}"` : etag;
}

/** Whether If-None-Match has the tag, or `*`: by weak comparison, and for any coding in which it was sent. */
export function matchesTag(ifNoneMatch: string, etag: string): boolean {
  if (ifNoneMatch.trim() === "*") return true;
  const own = opaque(etag);
  let looked = 0;
  for (const [part] of ifNoneMatch.matchAll(LISTED_TAG)) {
    if (++looked > MAX_TAGS) break;
    const tag = opaque(part);
    if (tag === own || tag.replace(/-(?:gzip|br|deflate)"$/, '"') === own) return true;
  }
  return false;
}

function opaque(tag: string): string {
  return tag.startsWith("W/") ? tag.slice(2) : tag;
}
