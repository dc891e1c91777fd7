// One connection to a member of etcd, by gRPC: logs in, reads a range of keys, and watches it.
import {
  type ChannelCredentials,
  type ClientOptions,
  credentials,
  Metadata,
  type ServiceError,
  status,
} from "@grpc/grpc-js";
import {
  AuthClient,
  type AuthenticateResponse,
  Event_EventType,
  KVClient,
  type RangeResponse,
  WatchClient,
  type WatchResponse,
} from "#generated/etcd/rpc.js";
import { formatAddress, type ListenAddress } from "../../config/address.js";
import { fileProblem } from "../../config/files.js";
import { readSmallFile } from "../../config/small-file.js";
import { readRegularFile } from "../../kit/files/regular-file.js";
import { UserError } from "../../kit/text/user-error.js";
import type { SourceContext } from "./endpoint-source.js";
import type { EtcdTarget } from "./etcd-endpoints.js";

/** Timeout of a response. */
const CALL_TIMEOUT_MS = 10_000;
/** etcd accepts pings every 5 s; a member that vanishes silently is noticed after this and the timeout. */
const KEEPALIVE_MS = 30_000;
const KEEPALIVE_TIMEOUT_MS = 10_000;
/** 10,000 keys with all possible values. */
const MAX_MESSAGE_BYTES = 32 * 1024 ** 2;
const MAX_PEM_BYTES = 1024 ** 2;

export interface EtcdKey {
  readonly key: string;
  readonly value: Uint8Array;
}

/** `value` undefined: it was deleted, or its lease has expired. */
export interface EtcdChange {
  readonly key: string;
  readonly value: Uint8Array | undefined;
}

export interface EtcdWatcher {
  onChanges(changes: readonly EtcdChange[]): void;
  /** The revision to start at has been compacted. */
  onCompacted(): void;
  onFailure(problem: string): void;
}

export interface EtcdSession {
  /** If a user is configured. Rejects with EtcdFailure, like the others. */
  authenticate(): Promise<void>;
  range(
    prefix: string,
    limit: number,
  ): Promise<{ readonly keys: readonly EtcdKey[]; readonly revision: bigint; readonly more: boolean }>;
  watch(prefix: string, from: bigint, watcher: EtcdWatcher): void;
  close(): void;
}

/** An operation of etcd failed; the message is for people. */
export class EtcdFailure extends Error {}

export interface EtcdOptions {
  readonly host: ListenAddress;
  readonly target: EtcdTarget;
  readonly context: SourceContext;
}

/** Connects at the first call. Throws an EtcdFailure if its certificates cannot be used. */
export function openEtcd(options: EtcdOptions): EtcdSession {
  return new Session(options);
}

class Session implements EtcdSession {
  readonly #options: EtcdOptions;
  readonly #auth: AuthClient;
  readonly #kv: KVClient;
  readonly #watch: WatchClient;
  readonly #metadata = new Metadata();
  #closed = false;

  constructor(options: EtcdOptions) {
    this.#options = options;
    const { host, context } = options;
    const address = formatAddress(host);
    const secure = credentialsOf(context);
    const serverName = context.login?.tls?.serverName;
    const channel: ClientOptions = {
      "grpc.keepalive_time_ms": KEEPALIVE_MS,
      "grpc.keepalive_timeout_ms": KEEPALIVE_TIMEOUT_MS,
      "grpc.max_receive_message_length": MAX_MESSAGE_BYTES,
      // A session is one try: a retry is a new session with a connection of its own.
      "grpc.use_local_subchannel_pool": 1,
      "grpc.enable_http_proxy": 0,
      ...(serverName === undefined ? {} : { "grpc.ssl_target_name_override": serverName }),
    };
    this.#kv = new KVClient(address, secure, channel);
    const shared = { ...channel, channelOverride: this.#kv.getChannel() };
    this.#watch = new WatchClient(address, secure, shared);
    this.#auth = new AuthClient(address, secure, shared);
    // A member that is cut off from the others ends the watch instead of staying silent forever.
    this.#metadata.set("hasleader", "true");
  }

  async authenticate(): Promise<void> {
    const { target, context } = this.#options;
    const { user = target.user, passwordFile } = context.login ?? {};
    if (user === undefined || user === "") return;
    const password = passwordFile === undefined ? (target.password ?? "") : passwordIn(passwordFile);
    try {
      const { token } = await this.#call<AuthenticateResponse>((done) =>
        this.#auth.authenticate({ name: user, password }, done),
      );
      this.#metadata.set("token", token);
    } catch (error) {
      // Authentication is disabled there: etcd's own client continues too.
      if (!(error instanceof EtcdFailure) || !error.message.includes("authentication is not enabled"))
        throw error;
    }
  }

  async range(prefix: string, limit: number) {
    const { header, kvs, more } = await this.#call<RangeResponse>((done) =>
      this.#kv.range({ ...rangeOf(prefix), limit: BigInt(limit) }, this.#metadata, done),
    );
    return {
      keys: kvs.map(({ key, value }) => ({ key: textOf(key), value })),
      revision: header?.revision ?? 0n,
      more,
    };
  }

  watch(prefix: string, from: bigint, watcher: EtcdWatcher): void {
    const stream = this.#watch.watch(this.#metadata);
    let over = false;
    const end = (tell: () => void): void => {
      if (over) return;
      over = true;
      stream.cancel();
      if (!this.#closed) tell();
    };
    stream.on("error", (error: ServiceError) => end(() => watcher.onFailure(reasonOf(error))));
    stream.on("end", () => end(() => watcher.onFailure("etcd ended the watch")));
    stream.on("data", ({ canceled, compactRevision, cancelReason, events }: WatchResponse) => {
      if (over) return;
      if (compactRevision > 0n) end(() => watcher.onCompacted());
      else if (canceled) end(() => watcher.onFailure(`etcd ended the watch: ${cancelReason}`));
      else if (events.length > 0)
        watcher.onChanges(
          events.flatMap(({ type, kv }) =>
            kv === undefined
              ? []
              : [{ key: textOf(kv.key), value: type === Event_EventType.DELETE ? undefined : kv.value }],
          ),
        );
    });
    stream.write({ createRequest: { ...rangeOf(prefix), startRevision: from, progressNotify: true } });
  }

  close(): void {
    this.#closed = true;
    this.#watch.close();
    this.#kv.close();
    this.#auth.close();
  }

  #call<T>(
    start: (done: (error: ServiceError | null, response: T) => void) => { cancel(): void },
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      let late = false;
      const timer = this.#options.context.clock.setTimeout(() => {
        late = true;
        call.cancel();
      }, CALL_TIMEOUT_MS);
      const call = start((error, response) => {
        timer.cancel();
        if (error === null) resolve(response);
        else reject(new EtcdFailure(late ? `no answer within ${CALL_TIMEOUT_MS / 1000} s` : reasonOf(error)));
      });
    });
  }
}

function rangeOf(prefix: string): { readonly key: Buffer; readonly rangeEnd: Buffer } {
  const key = Buffer.from(prefix);
  const rangeEnd = Buffer.from(key);
  // The prefix with the slash at its end replaced by the next character.
  rangeEnd[rangeEnd.length - 1] = "/".charCodeAt(0) + 1;
  return { key, rangeEnd };
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("utf8");
}

function credentialsOf({ login }: SourceContext): ChannelCredentials {
  const tls = login?.tls;
  if (tls === undefined) return credentials.createInsecure();
  const read = (file: string | undefined): Buffer | null => {
    try {
      return file === undefined ? null : readRegularFile(file, MAX_PEM_BYTES);
    } catch (error) {
      throw new EtcdFailure(`${file}: ${fileProblem(error)}`);
    }
  };
  const [ca, key, cert] = [read(tls.ca), read(tls.key), read(tls.cert)];
  try {
    return credentials.createSsl(ca, key, cert);
  } catch (error) {
    throw new EtcdFailure(
      `the certificates cannot be used: ${error instanceof Error ? error.message : error}`,
    );
  }
}

function passwordIn(file: string): string {
  try {
    return readSmallFile(file, "etcd's password").trim();
  } catch (error) {
    if (error instanceof UserError) throw new EtcdFailure(error.message);
    throw error;
  }
}

/** Without the parts that differ each time: the log has each reason once. */
function reasonOf({ code, details }: ServiceError): string {
  const system =
    /connect (E[A-Z]+)|(certificate [a-z ]+|self[- ]signed certificate[a-z ]*)|(getaddrinfo E[A-Z]+)/.exec(
      details,
    );
  if (system !== null) return `etcd cannot be reached: ${system[0]}`;
  return `${status[code] ?? code}: ${details}`;
}
