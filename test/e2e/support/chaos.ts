// Chaos: a hub before four instances, under a steady load, while instances are killed, frozen, slowed, cut off within a
// frame and restarted, and the hub is reloaded. Each fault has a row in the report: which calls failed, and whether they
// had begun at the instance that failed.
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { status } from "@grpc/grpc-js";
import type { Random } from "../../fuzz/random.js";
import { FaultyProxy } from "../../support/faulty-proxy.js";
import { freeAddress } from "../../support/free-address.js";
import { behaviorClient, callClientStream, callUnary, metadataOf } from "./grpc.js";
import { fileOf, type Hub, startHub } from "./hub.js";
import type { Scope } from "./program.js";
import { type Service, startService } from "./service.js";

const INSTANCES = 4;
/** Callers of each kind; each has one call at a time. */
const CALLERS = 6;
/** Each call takes so long at the service. */
const WORK = { seconds: 0n, nanos: 15_000_000 };
/** Of calls that may be sent again: longer than all that they may meet. */
const DEADLINE_MS = 30_000;
/** Of the others: those that wait for an instance that is frozen end then. */
const OTHER_DEADLINE_MS = 8_000;
/** Calls of each kind between two faults, so that each is over when the next begins. */
const CALM = 40;

export interface ChaosRow {
  readonly fault: string;
  /** Of calls that may be sent again, and how many of them failed. */
  readonly idempotent: number;
  readonly idempotentFailed: number;
  /** How many of the same were cut off within their response: what has begun to reach its client is not sent again (gRFC A6). */
  readonly idempotentCut: number;
  /** Of calls that must not, and how many of them failed. */
  readonly others: number;
  readonly othersFailed: number;
  /** How many of those that failed had begun at an instance that had no fault. */
  readonly failedElsewhere: number;
}

interface Instance {
  readonly proxy: FaultyProxy;
  readonly address: string;
  readonly name: string;
  service: Service;
}

interface OtherCall {
  readonly id: string;
  failed: string | undefined;
  ended: boolean;
}

export interface Chaos {
  /** Runs a fault under load, from calm to calm. */
  strike(fault: FaultName, random: Random): Promise<ChaosRow>;
  /** How often a call that must not be sent twice was begun twice. */
  readonly doubled: number;
  /** What failed, of idempotent calls: the texts. */
  readonly problems: readonly string[];
}

type Strike = (instance: Instance, chaos: Running) => Promise<void>;

/** What can go wrong. Each comes back when the fault is over. */
const FAULTS = {
  "killed (SIGKILL), restarted": async (instance, chaos) => {
    instance.service.program.kill("SIGKILL");
    await instance.service.program.exited;
    await chaos.goOn(CALM);
    instance.service = await chaos.start(instance.address, instance.name);
  },
  "stopped (SIGTERM), restarted with another service beside": async (instance, chaos) => {
    instance.service.program.kill("SIGTERM");
    await instance.service.program.exited;
    await chaos.goOn(CALM);
    instance.service = await chaos.start(instance.address, instance.name, "behavior-and-kinds");
  },
  "process frozen (SIGSTOP) for a while": async (instance, chaos) => {
    instance.service.program.kill("SIGSTOP");
    await chaos.goOn(CALM);
    instance.service.program.kill("SIGCONT");
  },
  "network frozen for a while": async ({ proxy }, chaos) => {
    proxy.freeze();
    await chaos.goOn(CALM);
    proxy.heal();
  },
  "network frozen, then lost": async ({ proxy }, chaos) => {
    proxy.freeze();
    await chaos.goOn(CALM);
    proxy.reset();
    proxy.heal();
  },
  "slowed by 300 ms": async ({ proxy }, chaos) => {
    proxy.slow(300);
    await chaos.goOn(CALM);
    proxy.heal();
  },
  "connections cut within a frame": async ({ proxy }, chaos) => {
    proxy.cut();
    await chaos.goOn(CALM);
    proxy.heal();
  },
  "connections refused": async ({ proxy }, chaos) => {
    await proxy.refuse();
    await chaos.goOn(CALM);
    await proxy.accept();
  },
  "taken out of the config by a reload, and put in again": async (instance, chaos) => {
    await chaos.reload((one) => one !== instance);
    await chaos.goOn(CALM);
    await chaos.reload(() => true);
  },
} as const satisfies Readonly<Record<string, Strike>>;

export type FaultName = keyof typeof FAULTS;
export const FAULT_NAMES = Object.keys(FAULTS) as readonly FaultName[];

/** Starts instances, hub and load; all of it ends with the scope. */
export async function startChaos(scope: Scope): Promise<Chaos> {
  const instances = await Promise.all(
    Array.from({ length: INSTANCES }, async (_, i): Promise<Instance> => {
      const address = await freeAddress();
      const name = `i${i}`;
      const [service, proxy] = await Promise.all([
        startService(scope, "behavior", { address, instance: name }),
        FaultyProxy.start(scope, address),
      ]);
      return { proxy, address, name, service };
    }),
  );
  const file = await fileOf(scope, "linchpin.yaml", configOf(instances));
  const hub = await startHub(scope, ["--config", file]);
  const running = new Running(scope, hub, file, instances);
  scope.after(() => running.stop());
  return running;
}

function configOf(instances: readonly Instance[]): string {
  return `
upstreams:
  behavior:
    endpoints: [${instances.map(({ proxy }) => proxy.address).join(", ")}]
    outliers: { consecutive: 5 }
    retries: { attempts: 3, on: [UNAVAILABLE], budget: none, hedge: { delay: 200ms } }
methods:
  test.v1.BehaviorService/Unary: { idempotent: true }
interceptors: { deadline: { default: 60s } }
`;
}

class Running implements Chaos {
  readonly problems: string[] = [];
  readonly #scope: Scope;
  readonly #hub: Hub;
  readonly #file: string;
  readonly #instances: readonly Instance[];
  /** Services of all times: those that were killed have printed, too. */
  readonly #services: { readonly name: string; readonly service: Service }[] = [];
  readonly #others = new Set<OtherCall>();
  readonly #callers: Promise<void>[] = [];
  #running = true;
  #idempotent = 0;
  #idempotentFailed = 0;
  #idempotentCut = 0;
  #count = 0;
  #progress: () => void = () => {};

  constructor(scope: Scope, hub: Hub, file: string, instances: readonly Instance[]) {
    this.#scope = scope;
    this.#hub = hub;
    this.#file = file;
    this.#instances = instances;
    for (const { name, service } of instances) this.#services.push({ name, service });
    const client = behaviorClient(scope, hub.address);
    const payload = Buffer.from("x");
    for (let i = 0; i < CALLERS; i++) {
      this.#callers.push(
        this.#loop(async () => {
          const { code, details, headers } = await callUnary(
            client,
            { behavior: { delay: WORK }, payload },
            { options: { deadline: Date.now() + DEADLINE_MS } },
          );
          this.#idempotent++;
          if (code === status.OK) return;
          if (headers !== undefined && code === status.UNAVAILABLE) {
            this.#idempotentCut++;
            return;
          }
          this.#idempotentFailed++;
          this.problems.push(`${code} ${details}`);
        }),
        this.#loop(async () => {
          const call: OtherCall = { id: `c${this.#count++}`, failed: undefined, ended: false };
          this.#others.add(call);
          const { code, details } = await callClientStream(client, [{ behavior: { delay: WORK }, payload }], {
            metadata: metadataOf([["x-call-id", call.id]]),
            options: { deadline: Date.now() + OTHER_DEADLINE_MS },
          });
          call.ended = true;
          if (code !== status.OK) call.failed = `${code} ${details}`;
        }),
      );
    }
  }

  async #loop(call: () => Promise<void>): Promise<void> {
    while (this.#running) {
      await call();
      this.#progress();
    }
  }

  async start(address: string, instance: string, kind: "behavior" | "behavior-and-kinds" = "behavior") {
    const service = await startService(this.#scope, kind, { address, instance });
    this.#services.push({ name: instance, service });
    return service;
  }

  async reload(keep: (instance: Instance) => boolean): Promise<void> {
    await writeFile(this.#file, configOf(this.#instances.filter(keep)));
    const response = await fetch(`${this.#hub.adminUrl}/reload`, { method: "POST" });
    assert.equal(response.status, 200, await response.text());
  }

  /** Waits until so many more calls of each kind have ended. */
  async goOn(count: number): Promise<void> {
    const idempotent = this.#idempotent + count;
    const others = this.#ended() + count;
    while (this.#idempotent < idempotent || this.#ended() < others)
      await new Promise<void>((resolve) => {
        this.#progress = resolve;
      });
  }

  #ended(): number {
    let ended = 0;
    for (const call of this.#others) if (call.ended) ended++;
    return ended;
  }

  async strike(fault: FaultName, random: Random): Promise<ChaosRow> {
    const instance = random.pick(this.#instances);
    await this.goOn(CALM);
    const { name } = instance;
    const before = new Set([...this.#others].filter(({ ended }) => ended));
    const idempotent = this.#idempotent;
    const idempotentFailed = this.#idempotentFailed;
    const idempotentCut = this.#idempotentCut;
    await FAULTS[fault](instance, this);
    // What was under way at the fault has ended, well or not, when all callers have had a call since.
    await this.goOn(CALM);
    const seen = [...this.#others].filter((call) => call.ended && !before.has(call));
    const failed = seen.filter(({ failed }) => failed !== undefined);
    for (const call of failed) this.problems.push(`${fault}: ${call.id} ${call.failed}`);
    return {
      fault: `${fault} (${name})`,
      idempotent: this.#idempotent - idempotent,
      idempotentFailed: this.#idempotentFailed - idempotentFailed,
      idempotentCut: this.#idempotentCut - idempotentCut,
      others: seen.length,
      othersFailed: failed.length,
      failedElsewhere: failed.filter(({ id }) => this.#begunAt(id).some((one) => one !== name)).length,
    };
  }

  #begunAt(id: string): string[] {
    return this.#services.flatMap(({ name, service }) =>
      service.program.stdout.matching(new RegExp(`^began clientStream ${id}$`)).map(() => name),
    );
  }

  get doubled(): number {
    const begun = new Map<string, number>();
    for (const { service } of this.#services)
      for (const [, id = ""] of service.program.stdout.matching(/^began clientStream (\S+)$/))
        begun.set(id, (begun.get(id) ?? 0) + 1);
    return [...begun.values()].filter((count) => count > 1).length;
  }

  async stop(): Promise<void> {
    this.#running = false;
    for (const { proxy, service } of this.#instances) {
      proxy.heal();
      service.program.kill("SIGCONT");
    }
    await Promise.all(this.#callers);
  }
}

/** The report as lines. */
export function chaosTable(rows: readonly ChaosRow[]): string[] {
  const head = ["fault", "idempotent", "failed", "cut", "others", "failed", "elsewhere"];
  const cells = rows.map((row) => [
    row.fault,
    row.idempotent,
    row.idempotentFailed,
    row.idempotentCut,
    row.others,
    row.othersFailed,
    row.failedElsewhere,
  ]);
  const all = [head, ...cells].map((line) => line.map(String));
  const widths = head.map((_, i) => Math.max(...all.map((line) => line[i]?.length ?? 0)));
  return all.map((line) =>
    line.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join("  "),
  );
}

/** What must hold of each fault: nothing idempotent fails, and of others only what was under way at the instance. */
export function assertHeld(rows: readonly ChaosRow[], chaos: Chaos): void {
  const report = `\n${chaosTable(rows).join("\n")}\n${chaos.problems.slice(0, 20).join("\n")}`;
  for (const row of rows) {
    assert.equal(row.idempotentFailed, 0, `${row.fault}: idempotent calls failed${report}`);
    assert.ok(row.idempotentCut <= CALLERS, `${row.fault}: more were cut off than were under way${report}`);
    assert.equal(row.failedElsewhere, 0, `${row.fault}: calls at healthy instances failed${report}`);
    assert.ok(row.othersFailed <= CALLERS, `${row.fault}: more failed than were under way${report}`);
  }
  assert.equal(chaos.doubled, 0, `calls that must not be sent twice were${report}`);
}
