// Whether an endpoint gets calls, apart from its connections: why not, and until when.
import type { Verdict } from "./health-check.js";
import type { WatchedLink } from "./health-stream.js";

/** Ejected because of failing calls, until a time. */
export interface Ejection {
  /** For people. */
  readonly why: string;
  /** Time of the clock, milliseconds. */
  readonly untilMs: number;
}

/** An endpoint, as health checks and outlier detection see it. */
export interface HealthEndpoint {
  readonly address: string;
  /** The state of its connections; `ready`: it is reachable. */
  readonly state: string;
  /** The connection for its health checks. */
  readonly firstLink: WatchedLink | undefined;
  /** undefined: no known problem. */
  health: EndpointHealth | undefined;
}

export class EndpointHealth {
  ejection: Ejection | undefined = undefined;
  /** The result of its health check. */
  verdict: Verdict = "serving";

  /** It gets no calls, unless too few others do. Read for each pick. */
  get out(): boolean {
    return this.ejection !== undefined || this.verdict !== "serving";
  }

  /** Its health is not known yet, and there is no other problem: calls may wait for it. */
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
