// A request for a page, as downstream/ sees it: a unary call without messages worth the name, whose answer is the page.
import type { Method } from "../../core/call.js";
import { field } from "../../core/headers.js";
import { refusal } from "../../core/reasons.js";
import type { RestMatch } from "../../core/rest.js";
import { Status } from "../../core/status.js";
import type {
  BodyTaker,
  MessageTaker,
  RequestReader,
  ResponseWriter,
  Transcoding,
} from "../../core/transcoding.js";
import type { Page } from "./page.js";

const NO_MESSAGE = new Uint8Array(0);

export class PageMatch implements RestMatch, Transcoding {
  readonly kind = "match";
  readonly success = 200;
  readonly #page: Page;
  readonly #query: string;

  constructor(page: Page, query: string) {
    this.#page = page;
    this.#query = query;
  }

  get method(): Method {
    return this.#page.method;
  }

  get route(): string {
    return this.#page.path;
  }

  open(): Transcoding {
    return this;
  }

  /** A body that comes with GET means nothing (RFC 9110 §9.3.1), and is not kept. */
  reader(out: MessageTaker): RequestReader {
    return {
      behind: false,
      push: (_chunk, _start, _end, last) => {
        if (!last) return;
        out.message(NO_MESSAGE);
        out.end();
      },
      stop: () => {},
    };
  }

  writer(out: BodyTaker): ResponseWriter {
    let stopped = false;
    const show = async (): Promise<void> => {
      const content = await this.#page.render(new URLSearchParams(this.#query)).catch(fault);
      if (stopped) return;
      if (content instanceof Status) {
        out.failed(content, false);
        return;
      }
      const { contentType, body, etag, fields } = content;
      const all = etag === undefined ? fields : [...fields, field("etag", etag)];
      out.head(contentType, all, body.length);
      out.write(body, true);
    };
    return {
      behind: false,
      keepAlive: undefined,
      message: () => {},
      end: () => void show(),
      fail: (status) => out.failed(status, false),
      stop: () => {
        stopped = true;
      },
    };
  }
}

function fault(cause: unknown): Status {
  return refusal("HUB_FAULT", "the page could not be made", { cause });
}
