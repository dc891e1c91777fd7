// The packed forms of bodies that are answered again and again, as the OpenAPI document: each is packed once, and kept as
// long as the body itself.

/** One coding of a body; undefined where zlib failed. */
type Form = Promise<Buffer | undefined>;

const FORMS = new WeakMap<Buffer, Map<string, Form>>();

/** The body will be answered again: what it is packed to is kept with it. */
export function keepPackedForms(body: Buffer): void {
  if (!FORMS.has(body)) FORMS.set(body, new Map());
}

/** The kept form of the body in this coding, which `pack` makes when it is first asked for; undefined: none is kept. */
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
