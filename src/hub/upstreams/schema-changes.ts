// The differences between two schemas of one upstream, as a log line.
import { methodsOf, type Schema } from "../../schema/types/schema.js";

/** Names in a line; the rest is counted. */
const MAX_NAMES = 5;

/** E.g. `added a.v1.Books/Search; removed service a.v1.Shelves`; if all names are the same: `messages or options`. */
export function schemaChanges(before: Schema, after: Schema): string {
  const parts = [
    listed("added", difference(namesOf(after), namesOf(before))),
    listed("removed", difference(namesOf(before), namesOf(after))),
  ].filter((part) => part !== "");
  return parts.length === 0 ? "messages or options, the methods are the same" : parts.join("; ");
}

/** Services, and the methods of those, by service. */
function namesOf(schema: Schema): ReadonlyMap<string, ReadonlySet<string>> {
  const names = new Map<string, Set<string>>();
  for (const { typeName } of schema.services) names.set(typeName, new Set());
  for (const { service, name } of methodsOf(schema)) names.get(service)?.add(name);
  return names;
}

type Names = ReturnType<typeof namesOf>;

/** Names in `all` that `others` lacks: a whole service is one name. */
function difference(all: Names, others: Names): string[] {
  return [...all].flatMap(([service, methods]) => {
    const known = others.get(service);
    if (known === undefined) return [`service ${service}`];
    return [...methods].filter((name) => !known.has(name)).map((name) => `${service}/${name}`);
  });
}

function listed(what: string, names: readonly string[]): string {
  if (names.length === 0) return "";
  const more = names.length - MAX_NAMES;
  return `${what} ${names.slice(0, MAX_NAMES).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}
