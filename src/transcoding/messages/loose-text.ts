// Texts of paths and queries that Envoy and grpc-gateway accept and ProtoJSON does not: converted to ProtoJSON's form
// before they are parsed. Sources: absl::SimpleAtob, Go's strconv.ParseBool and time.ParseDuration.
import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { isWrapper } from "./fields.js";

const TRUE = /^(?:1|t|true|y|yes)$/i;
const FALSE = /^(?:0|f|false|n|no)$/i;

/** Nanoseconds. */
const UNITS: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  µs: 1_000n,
  μs: 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
};
const NANOS = 1_000_000_000n;
/** A part of time.ParseDuration's grammar; one with more digits than any duration is not accepted. */
const GO_PART = /(\d{1,19})(?:\.(\d{0,19}))?(ns|us|µs|μs|ms|s|m|h)/y;

/** The text of a field's value in ProtoJSON's form; unchanged if there is no looser form for it. */
export function looseText(leaf: DescField, text: string): string {
  const { message } = leaf;
  if (message?.typeName === "google.protobuf.Duration") return duration(text);
  if (scalarOf(leaf, message) !== ScalarType.BOOL) return text;
  if (TRUE.test(text)) return "true";
  return FALSE.test(text) ? "false" : text;
}

/** The name of an enum's value in the schema's spelling; the text unchanged if it matches in no case. */
export function enumName(leaf: DescField, text: string): string {
  const values = leaf.enum?.values ?? [];
  if (values.some(({ name }) => name === text)) return text;
  const folded = text.toLowerCase();
  return values.find(({ name }) => name.toLowerCase() === folded)?.name ?? text;
}

function scalarOf(leaf: DescField, message: DescMessage | undefined): ScalarType | undefined {
  return message !== undefined && isWrapper(message) ? message.fields[0]?.scalar : leaf.scalar;
}

/** `1m30s` is `90s`. */
function duration(text: string): string {
  const first = /^[-+]/.test(text) ? 1 : 0;
  let nanos = 0n;
  for (let at = first; at < text.length || at === first; at = GO_PART.lastIndex) {
    GO_PART.lastIndex = at;
    const part = GO_PART.exec(text);
    if (part === null) return text;
    const [, whole = "", fraction = "", unit = ""] = part;
    const size = UNITS[unit] ?? 0n;
    // Digits below a nanosecond are cut off, as Go does.
    nanos += BigInt(whole) * size + (BigInt(`0${fraction}`) * size) / 10n ** BigInt(fraction.length);
  }
  const sign = text.startsWith("-") && nanos > 0n ? "-" : "";
  const rest = nanos % NANOS;
  const decimals = rest === 0n ? "" : `.${String(rest).padStart(9, "0")}`;
  return `${sign}${nanos / NANOS}${decimals}s`;
}
