// The client of a connection as the hub sees it: its address, whether it forwards for others, and what services learn
// of it (x-forwarded-for, -proto, -host, forwarded). An untrusted client's values of these are dropped; a trusted
// proxy's are used.
import { isIP, type Socket } from "node:net";
import type { Peer, PeerCertificate } from "../../call/call.js";
import type { Gateway } from "../../call/gateway.js";
import type { MetadataNames } from "../../call/http-policy.js";
import { isForwarding, isHubs } from "../../call/upstream-names.js";
import { type Field, field } from "../../kit/headers.js";
import { ipOf, isLoopbackIp, plainIp } from "../../kit/net/ip.js";
import { peerCertificate } from "../../tls/peer-certificate.js";
import { peerAddress } from "./peer.js";

const FOR = "x-forwarded-for";
const PROTO = "x-forwarded-proto";
const HOST = "x-forwarded-host";
/** RFC 7239. Begun here, or passed on from trusted proxies with this hop added. */
const FORWARDED = "forwarded";

type Scheme = "http" | "https";

export class Client {
  /** e.g. `127.0.0.1:51234` */
  readonly address: string;
  /** Without the port. */
  readonly ip: string;
  private readonly gateway: Gateway;
  private readonly trusted: boolean;
  private readonly scheme: Scheme;
  private readonly certificate: PeerCertificate | undefined;
  private readonly peers = new Map<string, Peer>();
  private readonly relayed = new Map<string, Peer>();
  /** undefined for a socket of the file system: its client has no address. */
  private readonly ownFor: Field | undefined;
  private readonly ownProto: Field;
  private ownHost = field(HOST, "");
  private ownForwarded: Field;

  // The last header block: connections tend to send the same one again and again, as the same array.
  private lastFields: readonly Field[] | undefined = undefined;
  private lastAuthority = "";
  private lastOwn: readonly Field[] = [];
  private lastMetadata: readonly Field[] | undefined = undefined;
  private lastNames: MetadataNames | undefined = undefined;
  /** A protocol's result for its last header block. Connections tend to use one protocol. */
  lastHead: unknown = undefined;

  constructor(gateway: Gateway, socket: Socket) {
    this.gateway = gateway;
    this.address = peerAddress(socket);
    this.ip = ipOf(this.address);
    this.trusted = gateway.edge.trusts(this.ip);
    this.scheme = "encrypted" in socket && socket.encrypted === true ? "https" : "http";
    this.certificate = peerCertificate(socket);
    this.ownFor = isIP(this.ip) === 0 ? undefined : field(FOR, this.ip);
    this.ownProto = field(PROTO, this.scheme);
    this.ownForwarded = field(FORWARDED, this.hop(""));
  }

  /**
   * The client of a request with these fields: one object for the whole connection, unless a proxy names its clients.
   */
  peer(protocol: string, fields: readonly Field[]): Peer {
    const speaksForOthers = fields.some((f) => isForwarding(f.name));
    if (speaksForOthers && this.trusted)
      return this.makePeer(protocol, this.clientIp(fields), this.clientScheme(fields), true);
    const made = speaksForOthers ? this.relayed : this.peers;
    let peer = made.get(protocol);
    if (peer === undefined) {
      // A forwarded client is not on this machine, even if its proxy is.
      peer = this.makePeer(protocol, this.ip, this.scheme, !speaksForOthers);
      made.set(protocol, peer);
    }
    return peer;
  }

  private makePeer(protocol: string, ip: string, scheme: Scheme, speaksForItself: boolean): Peer {
    const { address, certificate, trusted } = this;
    const local = speaksForItself && (ip === "unix" || isLoopbackIp(ip));
    return { address, protocol, certificate, ip, trusted, local, scheme };
  }

  /** A gRPC request's fields for the service: without those that are the hub's to send, and with the hub's. */
  metadata(fields: readonly Field[], authority: string, names: MetadataNames): readonly Field[] {
    const own = this.forwarding(fields, authority);
    if (this.lastMetadata === undefined || this.lastNames !== names) {
      this.lastNames = names;
      const metadata: Field[] = [];
      for (const f of fields) if (!isHubs(f.name, names)) metadata.push(f);
      for (const f of own) metadata.push(f);
      this.lastMetadata = metadata;
    }
    return this.lastMetadata;
  }

  /** Forwarding fields of a request for the service. */
  forwarding(fields: readonly Field[], authority: string): readonly Field[] {
    if (fields === this.lastFields && authority === this.lastAuthority) return this.lastOwn;
    this.lastFields = fields;
    this.lastAuthority = authority;
    this.lastMetadata = undefined;
    this.lastOwn = this.trusted ? this.extended(fields, authority) : this.begun(authority);
    return this.lastOwn;
  }

  private begun(authority: string): readonly Field[] {
    const own = this.ownFor === undefined ? [this.ownProto] : [this.ownFor, this.ownProto];
    if (authority !== this.ownHost.value) {
      this.ownHost = field(HOST, authority);
      this.ownForwarded = field(FORWARDED, this.hop(authority));
    }
    if (authority !== "") own.push(this.ownHost);
    own.push(this.ownForwarded);
    return own;
  }

  /** This hop as RFC 7239 §4 writes it. A host has a colon more often than not, which no token may have. */
  private hop(authority: string): string {
    const family = isIP(this.ip);
    const node = family === 0 ? "unknown" : family === 6 ? `"[${this.ip}]"` : this.ip;
    const host = authority === "" ? "" : `;host="${authority.replace(/["\\]/g, "\\$&")}"`;
    return `for=${node};proto=${this.scheme}${host}`;
  }

  /** Of a trusted proxy: its list with the proxy itself added, and its word on scheme and host. */
  private extended(fields: readonly Field[], authority: string): readonly Field[] {
    const before = joined(fields, FOR);
    const own = [field(FOR, before === undefined ? this.ip : `${before}, ${this.ip}`)];
    const proto = joined(fields, PROTO);
    own.push(proto === undefined ? this.ownProto : field(PROTO, proto));
    const host = joined(fields, HOST) ?? authority;
    if (host !== "") own.push(field(HOST, host));
    const forwarded = joined(fields, FORWARDED);
    if (forwarded !== undefined) own.push(field(FORWARDED, `${forwarded}, ${this.hop(authority)}`));
    // Beside the list of a proxy that sends only x-forwarded-for, a list with only this hop would contradict it.
    else if (before === undefined) own.push(field(FORWARDED, this.hop(authority)));
    return own;
  }

  private clientScheme(fields: readonly Field[]): Scheme {
    const first = joined(fields, PROTO)?.split(",", 1)[0]?.trim().toLowerCase();
    return SCHEMES.get(first ?? "") ?? this.scheme;
  }

  /** The last address of the list that is not a trusted proxy's: anybody can have written the ones before it. */
  private clientIp(fields: readonly Field[]): string {
    let client = this.ip;
    const hops = joined(fields, FOR)?.split(",") ?? [];
    for (let i = hops.length - 1; i >= 0; i--) {
      const ip = hopIp(hops[i] ?? "");
      if (ip === undefined) break;
      client = ip;
      if (!this.gateway.edge.trusts(ip)) break;
    }
    return client;
  }
}

/** The client's scheme, as the first proxy reports it; some distinguish WebSockets. */
const SCHEMES: ReadonlyMap<string, Scheme> = new Map([
  ["https", "https"],
  ["wss", "https"],
  ["http", "http"],
  ["ws", "http"],
]);

/** Several fields of a name are one list (RFC 9110 §5.3). */
function joined(fields: readonly Field[], name: string): string | undefined {
  let value: string | undefined;
  for (const f of fields) {
    if (f.name === name) value = value === undefined ? f.value : `${value}, ${f.value}`;
  }
  return value;
}

/** An address in x-forwarded-for, as proxies write it: `10.0.0.1`, `10.0.0.1:80`, `::1`, `[::1]:80`. */
function hopIp(text: string): string | undefined {
  const ip = ipOf(plainIp(text.trim()));
  return isIP(ip) === 0 ? undefined : ip;
}
