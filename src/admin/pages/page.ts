// The interface of a page of the admin listener. pages.ts lists the pages.
import type { HubView } from "../../view/hub-view.js";

/** The hub as the admin listener sees it: its read model and its operations. */
export interface AdminHub extends HubView {
  /** In Prometheus' format: the text in pieces, each made on demand. */
  metrics(): { readonly contentType: string; readonly pieces: Iterable<string> };
  /**
   * Reads the config again; rejects with a sentence if that fails, resolves with notes. `by`: the trigger, for the log.
   */
  reload(by?: string): Promise<readonly string[]>;
}

/** One page: its path, who may see it, and its response. Stateless: everything it shows comes from the hub it is given. */
export interface Page {
  readonly path: string;
  /** For the index, a few words. */
  readonly about: string;
  /** Whether callers without a token may see it. Only probes: they have none. */
  readonly remote: boolean;
  /** Pages that change something accept only POST; default GET and HEAD. */
  readonly method?: "POST";
  /**
   * Makes the response. An exception becomes 500, a UserError 409 with its message. It must not block: large texts are
   * returned as pieces.
   */
  respond(hub: AdminHub, asked: PageRequest): PageResponse | Promise<PageResponse>;
}

/** The parts of a request that a page may depend on. Access was checked before. */
export interface PageRequest {
  /** The caller may read names and addresses. */
  readonly trusted: boolean;
  /** All pages, including this one. */
  readonly pages: readonly Page[];
}

/** A response: `body` as JSON, unless `text` or `raw` replaces it. */
export interface PageResponse {
  readonly status: number;
  readonly body: unknown;
  /** The same for people, if Accept asks for text; in pieces if it may be large; left out: always JSON. */
  readonly text?: () => string | Iterable<string>;
  /** Replaces both, whatever Accept says. */
  readonly raw?: { readonly contentType: string; readonly pieces: Iterable<string> };
  readonly headers?: Readonly<Record<string, string>>;
}
