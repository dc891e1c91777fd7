// The grpc-timeout field (gRPC over HTTP/2): 1–8 digits and one of H M S m u n, nothing else.

const MILLISECONDS: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1000,
  m: 1,
  u: 1e-3,
  n: 1e-6,
};

/** Milliseconds, with fractions; undefined when the value is not a timeout. */
export function parseTimeout(value: string): number | undefined {
  const digits = value.length - 1;
  if (digits < 1 || digits > 8) return undefined;
  const unit = MILLISECONDS[value.charAt(digits)];
  if (unit === undefined) return undefined;
  let amount = 0;
  for (let i = 0; i < digits; i++) {
    const digit = value.charCodeAt(i) - 0x30;
    if (digit < 0 || digit > 9) return undefined;
    amount = amount * 10 + digit;
  }
  return amount * unit;
}

const MAX_AMOUNT = 99_999_999;

/** Writes a time left, never longer than it is: in ms from a second up, in µs below. Nothing left is `1n`. */
export function formatTimeout(ms: number): string {
  if (ms >= 1000) {
    if (ms <= MAX_AMOUNT) return `${Math.floor(ms)}m`;
    return `${Math.min(MAX_AMOUNT, Math.floor(ms / 1000))}S`;
  }
  return ms * 1000 >= 1 ? `${Math.floor(ms * 1000)}u` : "1n";
}
