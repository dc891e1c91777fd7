// What browsers would run if they were let: pages, drawings and documents that a service sends in an HttpBody. Anybody may
// have written them, and they would act in the name of the site.
import { type Field, field } from "../core/headers.js";

const ACTIVE =
  /^(?:text\/(?:html|xml|xsl)|application\/xml|[a-z0-9!#$&^_.-]+\/[a-z0-9!#$&^_.-]+\+xml)\s*(?:;|$)/i;
const DOWNLOAD: readonly Field[] = [
  field("content-disposition", "attachment"),
  field("content-security-policy", "sandbox; default-src 'none'"),
];
const NONE: readonly Field[] = [];

/** Fields that keep a body of this type from running: it is a download, and without rights where it is shown after all. */
export function harmlessFields(contentType: string): readonly Field[] {
  return ACTIVE.test(contentType) ? DOWNLOAD : NONE;
}
