// Whether an endpoint gets calls, apart from its connections: why not, and until when.
import type { Verdict } from "./health-check.js";
import type { WatchedLink } from "./health-stream.js";

/** Taken out for failing calls, until a time. */
export interface Ejection {
  /** For people. */
  readonly why: string;
  /** Of the clock, milliseconds. */
  readonly untilMs: number;
}

/** An endpoint, as what watches over its health sees it. */
export interface HealthEndpoint {
  readonly address: string;
  /** What its connections come to; `ready`: it can be reached. */
  readonly state: string;
  /** The connection that its health is asked through. */
  readonly firstLink: WatchedLink | undefined;
  /** undefined: nothing is known against it. */
  health: EndpointHealth | undefined;
}

export class EndpointHealth {
  ejection: Ejection | undefined = undefined;
  /** What its own health service says. */
  verdict: Verdict = "serving";

  /** It gets no calls, unless too few others do. Read for each pick. */
  get out(): boolean {
    return this.ejection !== undefined || this.verdict !== "serving";
  }

  /** Its health is not known yet, and nothing else is against it: calls may wait for it. */
  get checking(): boolean {
    return this.ejection === undefined && this.verdict === "checking";
  }

  /** Why it is out; undefined: it is not, or not known to be. */
  get reason(): { readonly state: "unhealthy" | "ejected"; readonly why: string } | undefined {
    const { ejection, verdict } = this;
    if (typeof verdict === "object") return { state: "unhealthy", why: verdict.why };
    return ejection && { state: "ejected", why: ejection.why };
  }

  /** The same in one line. */
  get why(): string | undefined {
    const { reason } = this;
    return reason && `${reason.state}: ${reason.why}`;
  }
}
