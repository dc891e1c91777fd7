// What a page of the admin listener is. pages.ts lists them.
import type { HubView } from "../../view/hub-view.js";

/** What the admin listener works on: what is to be read of the hub, and what can be done to it. */
export interface AdminHub extends HubView {
  /** As Prometheus scrapes them: their text, of which each piece is made when it is asked for. */
  metrics(): { readonly contentType: string; readonly pieces: Iterable<string> };
  /** Reads the config anew; rejects with a sentence where that fails, resolves with notes. `by`: who asks, for the log. */
  reload(by?: string): Promise<readonly string[]>;
}

export interface Page {
  readonly path: string;
  /** For the index, a few words. */
  readonly about: string;
  /** Whether it is shown to everybody. Probes are: they have no token. */
  readonly remote: boolean;
  /** What changes something takes POST alone; default GET and HEAD. */
  readonly method?: "POST";
  /** What it throws is answered with 500, a UserError with 409 and its text. */
  respond(hub: AdminHub, asked: PageRequest): PageResponse | Promise<PageResponse>;
}

export interface PageRequest {
  /** The caller may read names and addresses. */
  readonly trusted: boolean;
  /** All pages, this one too. */
  readonly pages: readonly Page[];
}

export interface PageResponse {
  readonly status: number;
  readonly body: unknown;
  /** The same for a person, where it is asked for, in pieces where it may be much; left out: JSON in any case. */
  readonly text?: () => string | Iterable<string>;
  /** In place of both, whatever is asked for. */
  readonly raw?: { readonly contentType: string; readonly pieces: Iterable<string> };
  readonly headers?: Readonly<Record<string, string>>;
}
