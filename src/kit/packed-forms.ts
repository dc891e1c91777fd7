// Compressed forms of bodies that are sent again and again, such as the OpenAPI document: each is compressed once, and
// kept as long as the body itself.

/** One coding of a body; undefined where zlib failed. */
type Form = Promise<Buffer | undefined>;

const FORMS = new WeakMap<Buffer, Map<string, Form>>();

/** The body will be sent again: keep its compressed forms with it. */
export function keepPackedForms(body: Buffer): void {
  if (!FORMS.has(body)) FORMS.set(body, new Map());
}

/** The kept form of the body in this coding, which `pack` makes at the first request; undefined: none is kept. */
export function packedForm(body: Buffer, coding: string, pack: () => Form): Form | undefined {
  const forms = FORMS.get(body);
  if (forms === undefined) return undefined;
  let form = forms.get(coding);
  if (form === undefined) {
    form = pack();
    forms.set(coding, form);
  }
  return form;
}
