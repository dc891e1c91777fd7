// One address of a cluster: its connections, which grow with the calls and are re-established with backoff after loss.

import type { Timer } from "../../kit/clock.js";
import type { BalancedEndpoint } from "../balancers/balancer.js";
import { EndpointLoad } from "../balancers/endpoint-load.js";
import type { EndpointTraits } from "../discovery/endpoint-source.js";
import type { EndpointHealth, HealthEndpoint } from "../health/endpoint-health.js";
import type { EndpointOwner } from "./endpoint-owner.js";
import { IdleSweep } from "./idle-sweep.js";
import { Link, type LinkOwner, type LinkTarget } from "./link.js";
import { Reconnect } from "./reconnect.js";

export type EndpointState = "idle" | "connecting" | "ready" | "backoff";

export interface EndpointAddress extends EndpointTraits, LinkTarget {}

/** TCP, TLS and the peer's SETTINGS together. */
const CONNECT_TIMEOUT_MS = 10_000;
/** A connection that is lost sooner, and carried nothing, counts as failed: it does not reset the backoff. */
const STABLE_MS = 1000;
/** Expected streams of a connection that is being established, before any SETTINGS are known (RFC 9113 §6.5.2). */
const USUAL_MAX_STREAMS = 100;

export class Endpoint implements LinkOwner, BalancedEndpoint, HealthEndpoint {
  readonly address: string;
  readonly load = new EndpointLoad();
  health: EndpointHealth | undefined = undefined;
  private target: EndpointAddress;
  private readonly owner: EndpointOwner;
  /** Connections that take new calls, or will when one of theirs ends. */
  private readonly links: Link[] = [];
  /** Connections that take no new calls, until their calls have ended. */
  private readonly leaving = new Set<Link>();
  private readonly connecting = new Map<Link, Timer>();
  private readonly reconnect: Reconnect;
  private readonly sweep: IdleSweep;
  /** The limit in the service's last SETTINGS, made finite. */
  private maxStreams = USUAL_MAX_STREAMS;
  private closed = false;
  /** It was lost or could not be reached, and has not been reached since. */
  private unreachable = false;
  private lastProblem = "not connected yet";

  constructor(target: EndpointAddress, owner: EndpointOwner) {
    this.target = target;
    this.owner = owner;
    this.address = target.address;
    const { links } = this;
    this.sweep = new IdleSweep(owner.clock, {
      links,
      get idleMs() {
        return owner.limits.idleMs;
      },
      onIdle: (link) => {
        this.takeOut(link);
        this.leaving.add(link);
        link.connection.drain();
      },
    });
    this.reconnect = new Reconnect(owner, () => {
      this.connect();
      if (owner.pending > 0) owner.onCapacity();
    });
  }

  get traits(): EndpointTraits {
    return this.target;
  }

  /** Takes over what its source now says about it; the address is the same. */
  update(target: EndpointAddress): void {
    this.target = target;
  }

  get state(): EndpointState {
    // A call that is notified of a GOAWAY looks here before the connection has been removed.
    for (const link of this.links) if (link.sound) return "ready";
    if (this.connecting.size > 0) return "connecting";
    return this.reconnect.backsOff ? "backoff" : "idle";
  }

  /** Why it is unreachable, for messages. */
  get problem(): string {
    return this.lastProblem;
  }

  /** Milliseconds until the next connection attempt; undefined: none is scheduled. */
  get retryInMs(): number | undefined {
    return this.reconnect.dueInMs;
  }

  get firstLink(): Link | undefined {
    return this.links[0];
  }

  get healthy(): boolean {
    return !this.unreachable && this.health?.out !== true;
  }

  get filling(): boolean {
    if (this.closed || this.available() !== undefined || this.exhausted) return false;
    return this.links.length > 0 || this.connecting.size > 0;
  }

  get calls(): number {
    let calls = 0;
    for (const link of this.links) calls += link.calls;
    for (const link of this.leaving) calls += link.calls;
    return calls;
  }

  /** Connections by state, and the calls on all of them. */
  get counts(): {
    readonly open: number;
    readonly connecting: number;
    readonly draining: number;
    readonly calls: number;
  } {
    return {
      open: this.links.length,
      connecting: this.connecting.size,
      draining: this.leaving.size,
      calls: this.calls,
    };
  }

  /** Connections in any state. */
  get total(): number {
    return this.links.length + this.leaving.size + this.connecting.size;
  }

  /** Calls that the connections being established will take. */
  get expected(): number {
    return this.connecting.size * this.maxStreams;
  }

  /** The connection with the fewest calls, of those that can take one now. */
  available(): Link | undefined {
    const { links } = this;
    let best: Link | undefined;
    for (let i = 0; i < links.length; i++) {
      const link = links[i];
      if (link === undefined || !link.usable) continue;
      if (best === undefined || link.connection.active < best.connection.active) best = link;
    }
    return best;
  }

  /** A stuck connection is better than none, once no other can be made, here or elsewhere. */
  lastResort(): Link | undefined {
    if (!this.isFull) return undefined;
    return this.links.find((link) => link.connection.canOpen && !link.suspect && !link.reserved);
  }

  private get isFull(): boolean {
    const beyond = this.reserve === undefined ? 0 : 1;
    return this.links.length + this.connecting.size - beyond >= this.owner.limits.maxPerEndpoint;
  }

  /** Its connections have no room, and no other can be made. */
  get exhausted(): boolean {
    if (this.links.length === 0 || this.maxStreams === 0) return false;
    return (this.isFull || !this.owner.hasRoom) && this.available() === undefined;
  }

  /** The reserve connection beyond the limit, established or being established. */
  get reserve(): Link | undefined {
    for (const link of this.links) if (link.reserved) return link;
    for (const link of this.connecting.keys()) if (link.reserved) return link;
    return undefined;
  }

  /** The clients of the calls on its connections: one entry for each call. */
  clients(): string[] {
    return this.links.flatMap((link) => link.clients());
  }

  /** Makes a connection beyond the limit. False if none can be made now. */
  openReserve(): boolean {
    if (this.closed || this.reconnect.scheduled || this.state !== "ready" || this.connecting.size > 0)
      return false;
    this.dial(true);
    this.owner.onReserved();
    return true;
  }

  /** Whether calls may wait for it: it takes calls, is connecting, or can connect. */
  get hopeful(): boolean {
    if (this.closed) return false;
    return this.connecting.size > 0 || this.state === "ready" || this.links.some(({ suspect }) => suspect);
  }

  /** Keeps at least one connection that takes calls. Not during backoff. */
  connect(): void {
    if (this.connecting.size > 0 || this.state === "ready") return;
    this.open();
  }

  /** Opens a connection for waiting calls, if the limits allow one more. */
  grow(): void {
    if (this.links.length === 0) {
      this.connect();
      return;
    }
    // A service that allows no streams does not get ever more connections.
    if (this.maxStreams === 0 || this.isFull || !this.owner.hasRoom) return;
    this.open();
  }

  private open(): void {
    if (this.closed || (this.links.length > 0 && this.isFull)) return;
    if (this.reconnect.mayConnect()) this.dial(false);
  }

  private dial(reserved: boolean): void {
    const { clock } = this.owner;
    const link = new Link(this.target, this.owner, this);
    link.reserved = reserved;
    const giveUp = (): void => link.giveUp(CONNECT_TIMEOUT_MS);
    this.connecting.set(link, clock.setTimeout(giveUp, CONNECT_TIMEOUT_MS));
    this.owner.onChange(this, false);
  }

  // ---------------------------------------------------------------- LinkOwner

  onReady(link: Link): void {
    this.settle(link);
    link.readyAt = this.owner.clock.now();
    this.noteMaxStreams(link);
    this.unreachable = false;
    this.load.connected = true;
    if (this.links.length > 0) this.reconnect.proven();
    this.links.push(link);
    if (this.links.length > 1 && !this.closed) this.sweep.start();
    this.owner.onChange(this, false);
    this.owner.onCapacity();
  }

  onClosed(link: Link, reason: string): void {
    if (this.settle(link)) {
      this.lastProblem = reason;
      this.unreachable ||= this.links.length === 0;
      if (!this.closed) {
        this.owner.onConnectFailed(link.failure);
        this.reconnect.failed();
      }
    } else if (!this.leaving.delete(link)) {
      this.lastProblem = reason;
      this.lose(link);
      this.unreachable ||= this.links.length === 0;
      this.owner.onChange(this, this.hasLasted(link));
      return;
    }
    this.owner.onChange(this, false);
  }

  onCapacity(link: Link): void {
    if (this.connecting.has(link)) return;
    const { connection } = link;
    if (this.leaving.has(link)) {
      this.endIfDone(link);
    } else if (connection.leaving) {
      if (this.links.includes(link)) {
        this.leaving.add(link);
        this.lastProblem = "its connection is going away";
        this.lose(link);
        this.owner.onChange(this, this.hasLasted(link));
        this.endIfDone(link);
      }
    } else if (connection.stuck) {
      this.connect();
      this.owner.onChange(this, false);
    }
    if (this.owner.pending > 0) {
      this.noteMaxStreams(link);
      this.owner.onCapacity();
    }
  }

  /** A connection whose reset budget is spent gets no more calls, and closes when its running calls have ended. */
  onSpending(link: Link, spent: boolean): void {
    const at = this.links.indexOf(link);
    if (at < 0) {
      if (this.leaving.has(link)) this.endIfDone(link);
      return;
    }
    const { maxPerEndpoint } = this.owner.limits;
    // With as many leaving already, it stays in use and holds resets back.
    if (spent && this.leaving.size < maxPerEndpoint) {
      this.takeOut(link);
      this.leaving.add(link);
      this.owner.onRetired();
      this.connect();
      this.owner.onChange(this, false);
      this.endIfDone(link);
    } else if (this.links.length === 1 && this.connecting.size === 0 && this.owner.hasRoom) {
      this.open();
    }
  }

  onSilence(link: Link, lost: boolean): void {
    const at = this.links.indexOf(link);
    if (at < 0) return;
    this.lastProblem = "calls to it time out, and it sends nothing";
    if (lost) {
      // A new connection shows whether the service is alive: a frozen process sends no SETTINGS.
      this.leaving.add(link);
      this.lose(link);
      this.unreachable ||= this.links.length === 0;
    }
    this.owner.onChange(this, lost);
    if (lost) this.endIfDone(link);
  }

  onWord(link: Link): void {
    this.owner.onChange(this, false);
    this.onCapacity(link);
  }

  onResetSent(): void {
    this.owner.onResetSent();
  }

  onResetHeld(client: string): void {
    this.owner.onResetHeld(client);
  }

  onHeldEnded(client: string): void {
    this.owner.onHeldEnded(client);
  }

  // ---------------------------------------------------------------- connecting and leaving

  /** True if it was being established. */
  private settle(link: Link): boolean {
    this.connecting.get(link)?.cancel();
    return this.connecting.delete(link);
  }

  private noteMaxStreams({ connection }: Link): void {
    const { maxStreams } = connection;
    this.maxStreams = Number.isFinite(maxStreams) ? maxStreams : USUAL_MAX_STREAMS;
  }

  /** It was a stable connection: it lasted for a while, or carried a response. */
  private hasLasted({ connection, readyAt }: Link): boolean {
    return connection.ready && (connection.answers > 0 || this.owner.clock.now() - readyAt >= STABLE_MS);
  }

  /** It takes no more calls. If it was the reserve, it no longer is, and serves all clients. */
  private takeOut(link: Link): boolean {
    const at = this.links.indexOf(link);
    if (at < 0) return false;
    this.links.splice(at, 1);
    const { reserve } = this;
    if (reserve !== undefined) reserve.reserved = false;
    return true;
  }

  /** Only abandoned calls are left on it: they end with the connection. */
  private endIfDone(link: Link): void {
    if (link.calls === 0 && !link.connection.closed) link.connection.destroy();
  }

  /** A connection takes no more calls. If it was the last, another one is made: at once, unless they keep failing. */
  private lose(link: Link): void {
    if (!this.takeOut(link)) return;
    if (this.links.length > 0 || this.connecting.size > 0 || this.reconnect.scheduled || this.closed) return;
    if (this.reconnect.lost(this.hasLasted(link))) this.connect();
  }

  /** Takes no new calls; connections close when their calls have ended. */
  drain(reason: string): void {
    this.closed = true;
    this.reconnect.cancel();
    this.sweep.cancel();
    for (const link of [...this.connecting.keys()]) link.connection.destroy();
    this.lastProblem = reason;
    for (const link of this.links.splice(0)) {
      this.leaving.add(link);
      link.connection.drain();
    }
  }

  close(reason: string): void {
    this.drain(reason);
    for (const link of [...this.leaving]) link.connection.destroy();
  }
}
