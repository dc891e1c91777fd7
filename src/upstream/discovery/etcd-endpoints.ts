// Endpoints in etcd, in the layout of etcd's own gRPC naming: `etcd://HOST:PORT[,HOST:PORT]/PREFIX`, where each key
// PREFIX/ANYTHING has {"Op":0,"Addr":"10.0.0.1:50051","Metadata":{"weight":2}}, mostly with a lease
// (go.etcd.io/etcd/client/v3/naming/endpoints).
import {
  formatAddress,
  type ListenAddress,
  parseEndpoint,
  parseEndpointAddress,
} from "../../config/address.js";
import type { Timer } from "../../kit/clock.js";
import { reportFault } from "../../kit/faults.js";
import { lateLoad } from "../../kit/files/late-load.js";
import { type Parsed, parsed, rejected } from "../../kit/text/parsed.js";
import { parsedOrThrow } from "../../kit/text/user-error.js";
import {
  type EndpointInfo,
  type EndpointSource,
  type EndpointWatcher,
  MAX_ENDPOINTS,
  type SourceContext,
  type Watch,
} from "./endpoint-source.js";
import { distinct, parseTraits } from "./entries.js";
import type { EtcdChange, EtcdKey, EtcdSession } from "./etcd-client.js";

const MIN_BACKOFF_MS = 500;
const MAX_BACKOFF_MS = 30_000;

export interface EtcdTarget {
  readonly hosts: readonly ListenAddress[];
  /** Prefix of the keys, with the slash at its end. */
  readonly prefix: string;
  readonly user: string | undefined;
  readonly password: string | undefined;
}

/** Throws a UserError. */
export function etcdEndpoints(target: string, context: SourceContext): EndpointSource {
  const at = parsedOrThrow(parseTarget(target), "etcd:", target);
  return { watch: (watcher) => new EtcdEndpoints(at, watcher, context) };
}

const FORM = "must be as in etcd://127.0.0.1:2379/services/library";

function parseTarget(target: string): Parsed<EtcdTarget> {
  const match = /^\/\/(?:([^/@:]*)(?::([^/@]*))?@)?([^/@]+)\/(.+?)\/?$/.exec(target);
  const [, user, password, hosts = "", prefix = ""] = match ?? [];
  if (match === null) return rejected(FORM);
  const all: ListenAddress[] = [];
  for (const text of hosts.split(",")) {
    const host = parseEndpoint(text);
    if (!host.ok) return rejected(`${FORM}; a host ${host.reason}`);
    all.push(host.value);
  }
  try {
    return parsed({
      hosts: all,
      prefix: `${decodeURIComponent(prefix)}/`,
      user: user && decodeURIComponent(user),
      password: password && decodeURIComponent(password),
    });
  } catch {
    return rejected("must have %25 in place of each % that stands for itself");
  }
}

class EtcdEndpoints implements Watch {
  readonly #target: EtcdTarget;
  readonly #watcher: EndpointWatcher;
  readonly #context: SourceContext;
  /** By key: an endpoint, or what is wrong with the value. */
  readonly #found = new Map<string, Parsed<EndpointInfo>>();
  #session: EtcdSession | undefined;
  #timer: Timer | undefined;
  #failures = 0;
  /** Index of the current host: the next one after each failure. */
  #host = 0;
  #closed = false;

  constructor(target: EtcdTarget, watcher: EndpointWatcher, context: SourceContext) {
    this.#target = target;
    this.#watcher = watcher;
    this.#context = context;
    this.#begin();
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#session?.close();
  }

  #begin(): void {
    this.#connect().catch((error: unknown) => {
      this.#failed(`the hub failed to ask etcd (fault ${reportFault("while etcd was asked", error)})`);
    });
  }

  async #connect(): Promise<void> {
    // Loads gRPC's library, which most hubs do not need.
    const { EtcdFailure, openEtcd } = await lateLoad(() => import("./etcd-client.js"));
    if (this.#closed) return;
    const { hosts } = this.#target;
    const host = hosts[this.#host % hosts.length];
    if (host === undefined) return;
    try {
      this.#session?.close();
      const session = openEtcd({ host, target: this.#target, context: this.#context });
      this.#session = session;
      await session.authenticate();
      await this.#list(session);
    } catch (error) {
      if (!(error instanceof EtcdFailure)) throw error;
      this.#failed(`${formatAddress(host)}: ${error.message}`);
    }
  }

  /** All keys as of one revision, then the changes after it. */
  async #list(session: EtcdSession): Promise<void> {
    const { keys, revision, more } = await session.range(this.#target.prefix, MAX_ENDPOINTS);
    if (this.#session !== session || this.#closed) return;
    this.#failures = 0;
    if (more) {
      this.#failed(this.#tooMany);
      return;
    }
    this.#found.clear();
    for (const key of keys) this.#put(key);
    this.#tell();
    const current = (): boolean => this.#session === session && !this.#closed;
    session.watch(this.#target.prefix, revision + 1n, {
      onChanges: (changes) => {
        if (current()) this.#apply(changes);
      },
      onCompacted: () => {
        if (!current()) return;
        // The history has been compacted meanwhile: read all keys again, but not in a loop.
        this.#session?.close();
        this.#session = undefined;
        this.#again(MIN_BACKOFF_MS);
      },
      onFailure: (problem) => {
        if (!current()) return;
        const host = this.#target.hosts[this.#host % this.#target.hosts.length];
        this.#failed(`${host === undefined ? "" : `${formatAddress(host)}: `}${problem}`);
      },
    });
  }

  #apply(changes: readonly EtcdChange[]): void {
    for (const { key, value } of changes) {
      if (value === undefined) this.#found.delete(key);
      else this.#put({ key, value });
    }
    if (this.#found.size > MAX_ENDPOINTS) this.#failed(this.#tooMany);
    else this.#tell();
  }

  get #tooMany(): string {
    return `there are more than ${MAX_ENDPOINTS} keys under ${this.#target.prefix}, and an upstream has no more endpoints`;
  }

  #put({ key, value }: EtcdKey): void {
    this.#found.set(key, parseValue(value));
  }

  #tell(): void {
    const all: EndpointInfo[] = [];
    let problem: string | undefined;
    let wrong = 0;
    for (const [key, value] of this.#found) {
      if (value.ok) all.push(value.value);
      else if (wrong++ === 0) problem = `the key ${key} ${value.reason}`;
    }
    if (wrong > 1) problem = `${problem}; and ${wrong - 1} others are wrong`;
    if (all.length === 0) {
      this.#watcher.problem(problem ?? nothingUnder(this.#target.prefix));
      return;
    }
    const { endpoints, twice } = distinct(all);
    this.#watcher.endpoints(endpoints, problem ?? twice);
  }

  #failed(problem: string): void {
    if (this.#closed) return;
    this.#session?.close();
    this.#session = undefined;
    this.#watcher.problem(problem);
    const backoffMs = Math.min(MIN_BACKOFF_MS * 2 ** this.#failures, MAX_BACKOFF_MS);
    this.#failures++;
    this.#host++;
    this.#again(backoffMs);
  }

  #again(ms: number): void {
    const { clock, random } = this.#context;
    this.#timer?.cancel();
    this.#timer = clock.setTimeout(() => this.#begin(), ms * (0.8 + 0.4 * random()));
  }
}

function nothingUnder(prefix: string): string {
  const hint = prefix.startsWith("/")
    ? ""
    : ` (keys that begin with / have two in the target: etcd://HOST:PORT//${prefix.slice(0, -1)})`;
  return `there is no key under ${prefix}${hint}`;
}

/** Parses the value of a key. */
function parseValue(bytes: Uint8Array): Parsed<EndpointInfo> {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes).toString("utf8"));
  } catch {
    return rejected('has no JSON as {"Op":0,"Addr":"10.0.0.1:50051"}');
  }
  if (typeof value !== "object" || value === null || !("Addr" in value) || typeof value.Addr !== "string")
    return rejected('has no Addr, as in {"Op":0,"Addr":"10.0.0.1:50051"}');
  if ("Op" in value && value.Op !== 0) return rejected("has an Op that is not 0 (add)");
  const address = parseEndpointAddress(value.Addr);
  if (!address.ok) return rejected(`has an Addr that ${address.reason}`);
  const metadata = "Metadata" in value ? value.Metadata : undefined;
  // Metadata is the application's own: known keys are used, all others are ignored.
  if (typeof metadata !== "object" || metadata === null) return parsed(address.value);
  const traits = parseTraits({ ...metadata });
  if (traits.ok) return parsed({ ...address.value, ...traits.value });
  const where = "path" in traits ? traits.path.join(".") : "";
  return rejected(`has Metadata whose ${where} ${traits.reason}`);
}
