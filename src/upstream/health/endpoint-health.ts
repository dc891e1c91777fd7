// Whether an endpoint gets calls, apart from its connections: why not, and until when.

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
  /** undefined: nothing is known against it. */
  health: EndpointHealth | undefined;
}

export class EndpointHealth {
  ejection: Ejection | undefined = undefined;

  /** It gets no calls, unless too few others do. Read for each pick. */
  get out(): boolean {
    return this.ejection !== undefined;
  }

  /** Why it is out, for people; undefined: it is not. */
  get why(): string | undefined {
    const { ejection } = this;
    return ejection && `ejected: ${ejection.why}`;
  }
}
