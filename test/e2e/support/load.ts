// Calls that go on and on while something happens to the hub or its services, and whether one of them was lost.
import assert from "node:assert/strict";
import { status } from "@grpc/grpc-js";
import type { BehaviorServiceClient } from "#generated/test/v1/behavior.js";
import { callBidiStream, callServerStream, callUnary } from "./grpc.js";

/** Callers that call again and again, each in a way of its own, until they are stopped; and how their calls ended. */
export class Load {
  /** Instances of the service that have answered. */
  readonly servedBy = new Set<string>();
  /** How often each ending came, by caller: `unary: ok`. */
  readonly endings = new Map<string, number>();
  private readonly names = new Set<string>();
  private running = true;
  private lost = false;
  private readonly callers: Promise<void>[] = [];
  private progress: () => void = () => {};

  /** `call` resolves with how it ended; what is not `ok` is a lost call. */
  add(name: string, count: number, call: () => Promise<string>): this {
    this.names.add(name);
    for (let i = 0; i < count; i++) this.callers.push(this.loop(name, call));
    return this;
  }

  private async loop(name: string, call: () => Promise<string>): Promise<void> {
    while (this.running) {
      const ended = await call();
      if (ended !== "ok") this.lost = true;
      const ending = `${name}: ${ended}`;
      this.endings.set(ending, (this.endings.get(ending) ?? 0) + 1);
      this.progress();
    }
  }

  /** Waits until each kind of caller has ended another `count` calls well, or one has lost a call. */
  async goOn(count: number): Promise<void> {
    const before = new Map(this.endings);
    const well = (name: string): number =>
      (this.endings.get(`${name}: ok`) ?? 0) - (before.get(`${name}: ok`) ?? 0);
    await this.until(() => [...this.names].every((name) => well(name) >= count));
  }

  /** Waits until that instance has answered. */
  async reaches(instance: string): Promise<void> {
    await this.until(() => this.servedBy.has(instance));
  }

  private async until(condition: () => boolean): Promise<void> {
    while (!this.lost && !condition()) {
      await new Promise<void>((resolve) => {
        this.progress = resolve;
      });
    }
  }

  async stop(): Promise<ReadonlyMap<string, number>> {
    this.running = false;
    await Promise.all(this.callers);
    return this.endings;
  }
}

export function assertNoneLost(endings: ReadonlyMap<string, number>, callers: number): void {
  const lost = [...endings.keys()].filter((ending) => !ending.endsWith(": ok"));
  assert.deepEqual(lost, [], `of ${JSON.stringify([...endings])}`);
  assert.equal(endings.size, callers, JSON.stringify([...endings]));
}

const outcome = ({ code, details }: { code: number; details: string }): string =>
  code === status.OK ? "ok" : `${code} ${details}`;

/** Calls of each kind, the streams a few tens of milliseconds long. */
export function grpcLoad(load: Load, client: BehaviorServiceClient): Load {
  const interval = { seconds: 0n, nanos: 10_000_000 };
  const payload = Buffer.from("x");
  return load
    .add("unary", 2, async () => {
      const ended = await callUnary(client, { payload });
      load.servedBy.add(ended.messages[0]?.seen?.instance ?? "?");
      return outcome(ended);
    })
    .add("server stream", 2, async () => {
      const ended = await callServerStream(client, { behavior: { responseCount: 5, interval }, payload });
      return ended.code === status.OK && ended.messages.length !== 5
        ? `${ended.messages.length} messages`
        : outcome(ended);
    })
    .add("bidi stream", 1, async () => {
      const ended = await callBidiStream(client, [{ payload }, { payload }, { payload }]);
      return ended.code === status.OK && ended.messages.length !== 3
        ? `${ended.messages.length} messages`
        : outcome(ended);
    });
}
