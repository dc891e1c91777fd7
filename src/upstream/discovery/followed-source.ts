// The source that a cluster follows: its last list, the usable part of it, and its current problem and since when.
import { formatAddress } from "../../config/address.js";
import type { Clock } from "../../kit/clock.js";
import { attempt } from "../../kit/faults.js";
import { maskedText } from "../../kit/text/masked-text.js";
import { cut, printableLine } from "../../kit/text/text.js";
import { type EndpointInfo, type EndpointSource, MAX_ENDPOINTS, type Watch } from "./endpoint-source.js";

/** Characters of a problem: it may contain text from outside. */
const MAX_PROBLEM = 500;

export interface SourceProblem {
  readonly text: string;
  /** Unix time, milliseconds: the first of an unbroken series of problems. */
  readonly since: number;
}

export interface FollowedSourceOptions {
  readonly clock: Clock;
  /** A usable list; it may be empty. */
  onEndpoints(all: readonly EndpointInfo[]): void;
  /** After each report of the source, with `problem` updated. */
  onWord(): void;
}

export class FollowedSource {
  /** Why there is no newer list, or what is wrong with a part of the last one; undefined: nothing. */
  problem: SourceProblem | undefined = undefined;
  /** It has not reported anything yet. */
  silent = false;
  /** There has been a list, from this source or an earlier one. */
  known = false;
  readonly #options: FollowedSourceOptions;
  #watch: Watch | undefined;
  /** The last list of this source: an identical list is not passed on again. */
  #last: readonly EndpointInfo[] | undefined;
  /** Reports of an earlier source are ignored. */
  #turn = 0;

  constructor(options: FollowedSourceOptions) {
    this.#options = options;
  }

  /** Follows another source instead of the one before. */
  follow(source: EndpointSource): void {
    this.close();
    this.silent = true;
    this.problem = undefined;
    this.#last = undefined;
    const turn = this.#turn;
    // Sources report from callbacks of libraries, where an exception would have nobody to catch it.
    const current = (where: string, report: () => void): void => {
      if (turn === this.#turn) attempt(where, report);
    };
    const watch = source.watch({
      endpoints: (all, problem) => current("while endpoints were applied", () => this.#take(all, problem)),
      problem: (text) => current("while a problem of a source was reported", () => this.#tell(text)),
    });
    // A report during `watch` may already have replaced this source.
    if (turn === this.#turn) this.#watch = watch;
    else watch.close();
  }

  #take(all: readonly EndpointInfo[], problem: string | undefined): void {
    const refused = refusalOf(all);
    if (refused === undefined && !isSame(all, this.#last)) {
      this.known = true;
      this.#last = all;
      this.#options.onEndpoints(all);
    }
    this.#tell(refused ?? problem);
  }

  #tell(problem: string | undefined): void {
    this.silent = false;
    this.problem =
      problem === undefined
        ? undefined
        : {
            text: cut(printableLine(maskedText(problem)), MAX_PROBLEM, "…"),
            since: this.problem?.since ?? this.#options.clock.wallTime(),
          };
    this.#options.onWord();
  }

  /** An endpoint is unreachable. */
  refresh(): void {
    this.#watch?.refresh?.();
  }

  close(): void {
    this.#turn++;
    this.silent = false;
    this.#watch?.close();
    this.#watch = undefined;
  }
}

/** Why a list is rejected as a whole, so that the last one stays; undefined: it is valid. */
export function refusalOf(all: readonly EndpointInfo[]): string | undefined {
  if (all.length > MAX_ENDPOINTS)
    return `there are ${all.length} endpoints, more than the ${MAX_ENDPOINTS} that an upstream may have`;
  if (all.length > 0 && all.every(({ weight }) => weight === 0))
    return "every endpoint has the weight 0, so that none would get a call";
  return undefined;
}

function isSame(all: readonly EndpointInfo[], last: readonly EndpointInfo[] | undefined): boolean {
  return (
    last !== undefined && last.length === all.length && all.every((one, i) => isSameEndpoint(one, last[i]))
  );
}

function isSameEndpoint(one: EndpointInfo, other: EndpointInfo | undefined): boolean {
  if (other === undefined || formatAddress(one) !== formatAddress(other)) return false;
  const nameOf = (endpoint: EndpointInfo): string | undefined =>
    "host" in endpoint ? endpoint.name : undefined;
  return (
    one.weight === other.weight &&
    one.priority === other.priority &&
    one.zone === other.zone &&
    nameOf(one) === nameOf(other)
  );
}
