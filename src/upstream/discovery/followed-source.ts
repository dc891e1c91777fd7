// The source that a cluster follows: what it said last, what of that can be used, and what is wrong with it since when.
import { formatAddress } from "../../config/address.js";
import type { Clock } from "../../kit/clock.js";
import { maskedText } from "../../kit/text/masked-text.js";
import { cut, printableLine } from "../../kit/text/text.js";
import { type EndpointInfo, type EndpointSource, MAX_ENDPOINTS, type Watch } from "./endpoint-source.js";

/** Characters of a problem: texts of others may be in it. */
const MAX_PROBLEM = 500;

export interface SourceProblem {
  readonly text: string;
  /** Unix time, milliseconds: the first of an unbroken row of problems. */
  readonly since: number;
}

export interface FollowedSourceOptions {
  readonly clock: Clock;
  /** A list that can be used; it may be empty. */
  onEndpoints(all: readonly EndpointInfo[]): void;
  /** After each word of the source, with `problem` as it is then. */
  onWord(): void;
}

export class FollowedSource {
  /** Why there is no newer list, or what is wrong with a part of the last one; undefined: nothing. */
  problem: SourceProblem | undefined = undefined;
  /** It has not said a word yet. */
  silent = false;
  /** There was a list once, of this one or of one before. */
  known = false;
  readonly #options: FollowedSourceOptions;
  #watch: Watch | undefined;
  /** What this source told last: balancers are not troubled with the same again. */
  #last: readonly EndpointInfo[] | undefined;
  /** What an earlier source still has to say counts no more. */
  #turn = 0;

  constructor(options: FollowedSourceOptions) {
    this.#options = options;
  }

  /** Takes another source in place of the one before. */
  follow(source: EndpointSource): void {
    this.close();
    this.silent = true;
    this.problem = undefined;
    this.#last = undefined;
    const turn = this.#turn;
    const watch = source.watch({
      endpoints: (all, problem) => {
        if (turn === this.#turn) this.#take(all, problem);
      },
      problem: (text) => {
        if (turn === this.#turn) this.#tell(text);
      },
    });
    // A word of it may have been the end of this one.
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

  /** An endpoint cannot be reached. */
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

/** Why a list cannot be used as a whole, so that the last one stays; undefined: it can. */
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
