// fast-check arbitraries for path templates and the paths they may meet; few names, so that they meet often.
import fc from "fast-check";

const literal = fc.constantFrom("a", "b", "c", "a%3Ax");
const plain = fc.oneof({ weight: 3, arbitrary: literal }, { weight: 2, arbitrary: fc.constant("*") });
const verb = fc.constantFrom("", "", ":x", ":y");

/** Template text, all of it valid. */
export const template: fc.Arbitrary<string> = fc
  .record({
    head: fc.array(plain, { maxLength: 3 }),
    variable: fc.option(fc.array(plain, { minLength: 1, maxLength: 2 })),
    bare: fc.boolean(),
    rest: fc.array(plain, { maxLength: 1 }),
    deep: fc.constantFrom("", "", "**", "{d=**}", "{d=a/**}", "{d=**/b}"),
    tail: fc.array(plain, { maxLength: 2 }),
    verb,
  })
  .filter((t) => t.head.length + (t.variable?.length ?? 0) + t.rest.length + t.deep.length > 0)
  .map((t) => {
    const parts: string[] = [...t.head];
    if (t.variable !== null) parts.push(t.bare ? "{v.w}" : `{v.w=${t.variable.join("/")}}`);
    parts.push(...t.rest);
    if (t.deep !== "") parts.push(t.deep, ...t.tail);
    return `/${parts.join("/")}${t.verb}`;
  });

/** A request path built of the same few names. */
export const path: fc.Arbitrary<string> = fc
  .tuple(
    fc.array(fc.constantFrom("a", "b", "c", "d", "", "%61", "a:x", ":x", "a%3Ax", "b:y:x", "a:"), {
      minLength: 1,
      maxLength: 5,
    }),
    verb,
  )
  .map(([segments, v]) => `/${segments.join("/")}${v}`);
