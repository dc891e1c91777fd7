// Keys and certificates in PEM files: parsed and checked, with errors that say what to do.
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { readRegularFile } from "../kit/files/regular-file.js";
import { type Parsed, parsed, rejected } from "../kit/text/parsed.js";
import { errorCode } from "../kit/text/user-error.js";

/** A file of all CAs of the world has some 250 KB. */
const MAX_FILE_BYTES = 4 * 1024 * 1024;
const MAX_CERTIFICATES = 2_000;

const DASHES = "-----";

/** Certificates as they are in a file. */
export interface Certificates {
  readonly pem: Buffer;
  /** The first one: of a chain, the holder's own. */
  readonly first: X509Certificate;
  readonly all: readonly X509Certificate[];
}

export interface KeyPair {
  readonly cert: Certificates;
  readonly keyPem: Buffer;
}

/** The problem of one of the two files; `file` says which. */
export interface KeyPairProblem {
  readonly file: "cert" | "key";
  readonly message: string;
}

/** Concatenated certificates. The reason names the file. */
export function readCertificates(file: string): Parsed<Certificates> {
  const read = readPem(file, "certificate");
  if (!read.ok) return read;
  const { pem, blocks } = read.value;
  const certificates = blocks.filter(({ label }) => CERTIFICATE.test(label));
  if (certificates.length === 0) {
    return rejected(
      `${file} holds ${blocks[0]?.label.toLowerCase() ?? "nothing"}, where a certificate should be`,
    );
  }
  if (certificates.length > MAX_CERTIFICATES)
    return rejected(`${file} holds more than ${MAX_CERTIFICATES} certificates`);
  const all: X509Certificate[] = [];
  for (const [i, { text }] of certificates.entries()) {
    try {
      all.push(new X509Certificate(text));
    } catch {
      return rejected(`${file}: certificate ${i + 1} of ${certificates.length} cannot be read`);
    }
  }
  const [first] = all;
  return first === undefined ? rejected(`${file} holds no certificate`) : parsed({ pem, first, all });
}

const CERTIFICATE = /^(?:X509 |TRUSTED )?CERTIFICATE$/;

/** A private key. The reason names the file. */
export function readKey(file: string): Parsed<{ pem: Buffer; key: KeyObject }> {
  const read = readPem(file, "private key");
  if (!read.ok) return read;
  const { pem, blocks } = read.value;
  const key = blocks.find(({ label }) => label.endsWith("PRIVATE KEY"));
  if (key === undefined) {
    return rejected(
      `${file} holds ${blocks[0]?.label.toLowerCase() ?? "nothing"}, where a private key should be`,
    );
  }
  if (key.label === "ENCRYPTED PRIVATE KEY" || key.text.includes("Proc-Type: 4,ENCRYPTED")) {
    return rejected(
      `${file}: the private key has a passphrase, which is not supported; openssl pkey -in ${file} removes it`,
    );
  }
  try {
    return parsed({ pem, key: createPrivateKey(key.text) });
  } catch {
    return rejected(`${file}: the private key cannot be read`);
  }
}

/** A certificate and its key; otherwise all problems. */
export function readKeyPair(
  certFile: string,
  keyFile: string,
):
  | { readonly ok: true; readonly value: KeyPair }
  | { readonly ok: false; readonly problems: KeyPairProblem[] } {
  const cert = readCertificates(certFile);
  const key = readKey(keyFile);
  const problems: KeyPairProblem[] = [];
  if (!cert.ok) problems.push({ file: "cert", message: cert.reason });
  if (!key.ok) problems.push({ file: "key", message: key.reason });
  if (!cert.ok || !key.ok) return { ok: false, problems };
  if (!cert.value.first.checkPrivateKey(key.value.key)) {
    const message = `${keyFile} does not match the first certificate in ${certFile}`;
    return { ok: false, problems: [{ file: "key", message }] };
  }
  return { ok: true, value: { cert: cert.value, keyPem: key.value.pem } };
}

/** When the first of them ends, milliseconds since 1970. */
export function earliestExpiry({ all }: Certificates): number {
  return Math.min(...all.map(({ validTo }) => Date.parse(validTo)));
}

interface Block {
  /** e.g. `CERTIFICATE`, `RSA PRIVATE KEY` */
  readonly label: string;
  readonly text: string;
}

function readPem(file: string, what: string): Parsed<{ pem: Buffer; blocks: readonly Block[] }> {
  let pem: Buffer;
  try {
    pem = readRegularFile(file, MAX_FILE_BYTES);
  } catch (error) {
    return rejected(`${file}: ${readProblem(error)}`);
  }
  const blocks = blocksIn(pem.toString("latin1"));
  if (blocks.length > 0) return parsed({ pem, blocks });
  // 0x30: an ASN.1 SEQUENCE, so DER.
  const hint =
    pem[0] === 0x30 ? "; it looks like DER: openssl x509 -inform der (or openssl pkey) makes PEM of it" : "";
  return rejected(`${file} is not a PEM file with a ${what}${hint}`);
}

/** Text between BEGIN and END of one label, without five dashes within (an old key's header has single ones). */
function blocksIn(text: string): readonly Block[] {
  const blocks: Block[] = [];
  // Text between one row of dashes and the next: a label, a body, a label, and the text between blocks.
  const parts = text.split(DASHES);
  for (let i = 1; i + 2 < parts.length; i++) {
    const label = /^BEGIN ([A-Z0-9 ]+)$/.exec(parts[i] ?? "")?.[1];
    if (label === undefined || parts[i + 2] !== `END ${label}`) continue;
    blocks.push({
      label,
      text: [DASHES, ...parts.slice(i, i + 3).flatMap((part) => [part, DASHES])].join(""),
    });
    i += 2;
  }
  return blocks;
}

function readProblem(error: unknown): string {
  switch (errorCode(error)) {
    case "ENOENT":
    case "ENOTDIR":
      return "no such file";
    case "EACCES":
      return "no permission to read it";
    case "EISDIR":
      return "is a directory, not a file";
    default:
      return error instanceof Error ? error.message : String(error);
  }
}
