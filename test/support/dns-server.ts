// A DNS server over UDP that says what a test wants, mistakes included (RFC 1035).
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";

const TYPES: ReadonlyMap<number, string> = new Map([
  [1, "A"],
  [28, "AAAA"],
  [33, "SRV"],
]);
const IN = 1;

/** `10.0.0.1`, `::1`, or `PRIORITY WEIGHT PORT TARGET`. */
interface Records {
  readonly ttl: number;
  readonly data: readonly string[];
}

/** Records, a response code (3: NXDOMAIN, 2: SERVFAIL, 5: REFUSED), no answer at all, or one that is none. */
export type DnsAnswer = Records | number | "silence" | "garbage";

const NXDOMAIN = 3;

export class DnsServer {
  /** By name and type, as in `library.test A`; a name that has none is NXDOMAIN, one that has others has no data. */
  readonly zone = new Map<string, DnsAnswer>();
  /** What was asked, in order. */
  readonly asked: string[] = [];
  readonly #socket: Socket = createSocket("udp4");

  async start(): Promise<this> {
    this.#socket.on("message", (query, { port, address }) => {
      const answer = this.#answer(query);
      if (answer !== undefined) this.#socket.send(answer, port, address);
    });
    this.#socket.bind(0, "127.0.0.1");
    await once(this.#socket, "listening");
    return this;
  }

  /** HOST:PORT */
  get address(): string {
    return `127.0.0.1:${this.#socket.address().port}`;
  }

  stop(): void {
    this.#socket.close();
  }

  #answer(query: Buffer): Buffer | undefined {
    const labels: string[] = [];
    let at = 12;
    for (let length = query.readUInt8(at); length > 0; length = query.readUInt8(at)) {
      labels.push(query.toString("latin1", at + 1, at + 1 + length));
      at += 1 + length;
    }
    const question = query.subarray(12, at + 5);
    const name = labels.join(".").toLowerCase();
    const type = TYPES.get(query.readUInt16BE(at + 1)) ?? "?";
    this.asked.push(`${name} ${type}`);
    const known = [...this.zone.keys()].some((key) => key.startsWith(`${name} `));
    const answer = this.zone.get(`${name} ${type}`) ?? (known ? { ttl: 0, data: [] } : NXDOMAIN);
    if (answer === "silence") return undefined;
    if (answer === "garbage") return Buffer.concat([query.subarray(0, 2), Buffer.alloc(30, 0xff)]);
    const records =
      typeof answer === "number" ? [] : answer.data.map((data) => record(type, answer.ttl, data));
    const head = Buffer.alloc(12);
    query.copy(head, 0, 0, 2);
    // A response, authoritative; recursion was asked for, and is there.
    head.writeUInt16BE(0x8580 | (typeof answer === "number" ? answer : 0), 2);
    head.writeUInt16BE(1, 4);
    head.writeUInt16BE(records.length, 6);
    return Buffer.concat([head, question, ...records]);
  }
}

function record(type: string, ttl: number, data: string): Buffer {
  const rdata = rdataOf(type, data);
  const head = Buffer.alloc(12);
  head.writeUInt16BE(0xc00c, 0); // the question's name
  head.writeUInt16BE([...TYPES].find(([, name]) => name === type)?.[0] ?? 0, 2);
  head.writeUInt16BE(IN, 4);
  head.writeUInt32BE(ttl, 6);
  head.writeUInt16BE(rdata.length, 10);
  return Buffer.concat([head, rdata]);
}

function rdataOf(type: string, data: string): Buffer {
  if (type === "A") return Buffer.from(data.split(".").map(Number));
  if (type === "AAAA") {
    const [before = "", after = ""] = data.split("::");
    const groups = (text: string): number[] =>
      text === "" ? [] : text.split(":").map((g) => Number.parseInt(g, 16));
    const [left, right] = [groups(before), groups(after)];
    const all = [...left, ...Array<number>(8 - left.length - right.length).fill(0), ...right];
    return Buffer.from(all.flatMap((group) => [group >> 8, group & 255]));
  }
  const [priority = "", weight = "", port = "", target = ""] = data.split(" ");
  const numbers = Buffer.alloc(6);
  for (const [i, number] of [priority, weight, port].entries()) numbers.writeUInt16BE(Number(number), 2 * i);
  const labels = target.split(".").filter((label) => label !== "");
  return Buffer.concat([
    numbers,
    ...labels.map((label) => Buffer.from(`${String.fromCharCode(label.length)}${label}`, "latin1")),
    Buffer.alloc(1),
  ]);
}
