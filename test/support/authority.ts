// A certificate authority for tests: keys and certificates made on the spot, wrong ones too. Bare DER (X.690, RFC 5280),
// because no tool lets one make the certificates that a hostile CA could.
import {
  createHash,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
} from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Names {
  readonly dns?: readonly string[];
  readonly ip?: readonly string[];
  readonly uri?: readonly string[];
  readonly email?: readonly string[];
}

export interface CertificateOptions {
  /** Common names of the subject; default none. */
  readonly cn?: string | readonly string[];
  readonly names?: Names;
  /** Days from now; default from a day ago to 90 days ahead. */
  readonly fromDays?: number;
  readonly toDays?: number;
}

/** PEM, both. */
export interface Issued {
  readonly cert: string;
  readonly key: string;
}

function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(parts);
  const length: number[] = [];
  if (body.length < 0x80) length.push(body.length);
  else {
    for (let n = body.length; n > 0; n >>>= 8) length.unshift(n & 0xff);
    length.unshift(0x80 | length.length);
  }
  return Buffer.concat([Buffer.from([tag, ...length]), body]);
}

const sequence = (...parts: readonly Uint8Array[]): Buffer => der(0x30, ...parts);
const text = (tag: number, value: string): Buffer => der(tag, Buffer.from(value, "utf8"));

function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  const bytes = [first * 40 + second];
  for (const part of rest) {
    const digits = [part & 0x7f];
    for (let n = part >>> 7; n > 0; n >>>= 7) digits.unshift((n & 0x7f) | 0x80);
    bytes.push(...digits);
  }
  return der(0x06, Buffer.from(bytes));
}

/** GeneralizedTime; years before 2050 should be UTCTime, which no reader minds. */
function time(days: number): Buffer {
  const at = new Date(Date.now() + days * 24 * 60 * 60 * 1000);
  const digits = at.toISOString().replace(/[-:T]/g, "").slice(0, 14);
  return text(0x17, `${digits.slice(2)}Z`);
}

function subject(cn: CertificateOptions["cn"]): Buffer {
  const names = cn === undefined ? [] : typeof cn === "string" ? [cn] : cn;
  return sequence(...names.map((name) => der(0x31, sequence(oid("2.5.4.3"), text(0x0c, name)))));
}

/** RFC 5280 §4.2.1.6. The bytes are taken as they are, however they look. */
function alternativeNames({ dns = [], ip = [], uri = [], email = [] }: Names): Buffer {
  return sequence(
    ...email.map((name) => text(0x81, name)),
    ...uri.map((name) => text(0x86, name)),
    ...dns.map((name) => text(0x82, name)),
    ...ip.map((address) => der(0x87, Buffer.from(address.split(".").map(Number)))),
  );
}

function extension(id: string, critical: boolean, value: Buffer): Buffer {
  const flag = critical ? [der(0x01, Buffer.from([0xff]))] : [];
  return sequence(oid(id), ...flag, der(0x04, value));
}

const ECDSA_SHA256 = sequence(oid("1.2.840.10045.4.3.2"));

/** A key's identifier (RFC 5280 §4.2.1.2): tells two CAs of one name apart. */
function idOf(key: KeyObject): Buffer {
  return createHash("sha1")
    .update(key.export({ type: "spki", format: "der" }))
    .digest();
}

function pem(label: string, bytes: Buffer): string {
  const lines = bytes.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}

function newKey() {
  return generateKeyPairSync("ec", { namedCurve: "P-256" });
}

function certificate(
  options: CertificateOptions,
  publicKey: KeyObject,
  issuer: { readonly name: Buffer; readonly key: KeyObject },
  isCa: boolean,
): string {
  const { names } = options;
  const keyId = idOf(publicKey);
  const extensions = [
    extension("2.5.29.14", false, der(0x04, keyId)),
    extension("2.5.29.35", false, sequence(der(0x80, idOf(createPublicKey(issuer.key))))),
    extension("2.5.29.19", true, isCa ? sequence(der(0x01, Buffer.from([0xff]))) : sequence()),
    ...(names === undefined ? [] : [extension("2.5.29.17", false, alternativeNames(names))]),
  ];
  const serial = randomBytes(12);
  serial[0] = 0x40;
  const body = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, serial),
    ECDSA_SHA256,
    issuer.name,
    sequence(time(options.fromDays ?? -1), time(options.toDays ?? 90)),
    subject(options.cn),
    publicKey.export({ type: "spki", format: "der" }),
    der(0xa3, sequence(...extensions)),
  );
  const signature = sign("sha256", body, issuer.key);
  return pem("CERTIFICATE", sequence(body, ECDSA_SHA256, der(0x03, Buffer.from([0]), signature)));
}

/** Breaks the signature of a certificate: its last byte. */
export function forged({ cert, key }: Issued): Issued {
  const bytes = Buffer.from(cert.replace(/-----[^-]+-----|\n/g, ""), "base64");
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
  return { cert: pem("CERTIFICATE", bytes), key };
}

export class Authority {
  /** PEM. */
  readonly cert: string;
  private readonly name: Buffer;
  private readonly key: KeyObject;

  constructor(cn: string) {
    const { publicKey, privateKey } = newKey();
    this.name = subject(cn);
    this.key = privateKey;
    this.cert = certificate({ cn, toDays: 365 }, publicKey, { name: this.name, key: privateKey }, true);
  }

  issue(options: CertificateOptions): Issued {
    const { publicKey, privateKey } = newKey();
    return {
      cert: certificate(options, publicKey, { name: this.name, key: this.key }, false),
      key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    };
  }

  /** For localhost and 127.0.0.1. */
  server(options: CertificateOptions = {}): Issued {
    return this.issue({ cn: "localhost", names: { dns: ["localhost"], ip: ["127.0.0.1"] }, ...options });
  }
}

/** One that nobody signed. */
export function selfSigned(options: CertificateOptions): Issued {
  const { publicKey, privateKey } = newKey();
  const issuer = { name: subject(options.cn), key: privateKey };
  return {
    cert: certificate(options, publicKey, issuer, false),
    key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  };
}

/** A folder that goes with the scope. */
export function folder(scope: { after(ending: () => void): void }): string {
  const path = mkdtempSync(join(tmpdir(), "linchpin-tls-"));
  scope.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** Writes files; returns their paths by name. */
export function write<T extends Readonly<Record<string, string>>>(
  dir: string,
  files: T,
): { [K in keyof T]: string } {
  const paths = Object.entries(files).map(([name, content]) => {
    const path = join(dir, name);
    writeFileSync(path, content);
    return [name, path] as const;
  });
  return Object.fromEntries(paths) as { [K in keyof T]: string };
}
