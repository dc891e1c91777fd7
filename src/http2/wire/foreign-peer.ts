// Names the protocol of a server that does not speak HTTP/2, for an error better than "a frame of 4740180 bytes".

/** As much as is shown of a line of text. */
const LINE_CHARS = 80;
/** How a TLS record with an alert begins: its type, and the major version (RFC 8446 §5.1, §6). */
const ALERT_RECORD = 0x15;
const TLS_MAJOR = 3;

/** By a server's first bytes; undefined: unknown. */
export function foreignPeer(start: Buffer): string | undefined {
  if (start[0] === ALERT_RECORD && start[1] === TLS_MAJOR)
    return "the server expects TLS: it answered with a TLS alert";
  const text = start.toString("latin1", 0, LINE_CHARS);
  const [line] = /^[ -~]{4,}/.exec(text) ?? [];
  if (line === undefined) return undefined;
  return /^HTTP\/[01]/.test(line)
    ? `the server answered HTTP/1.1, not HTTP/2: ${line.trimEnd()}`
    : `the server does not speak HTTP/2; it sent: ${line.trimEnd()}`;
}
