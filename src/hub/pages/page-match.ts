// A request for a page, as downstream/ sees it: a unary call whose message is the number of the request, and whose
// answer is the page. The page is made by the call's handler (PageHandler), so that a page that cannot be made is a
// call that failed, for the log and for metrics too.
import type { Method } from "../../call/call.js";
import type { RestMatch } from "../../call/rest.js";
import type {
  BodyTaker,
  MessageTaker,
  RequestReader,
  ResponseWriter,
  Transcoding,
} from "../../call/transcoding.js";
import { type Field, field } from "../../kit/headers.js";
import type { Content, Page } from "./page.js";

/** Requests whose calls are on their way, by number. */
export class OpenPages {
  readonly #open = new Map<number, PageMatch>();
  #last = 0;

  add(match: PageMatch): number {
    this.#last = (this.#last + 1) >>> 0;
    this.#open.set(this.#last, match);
    return this.#last;
  }

  get(number: number): PageMatch | undefined {
    return this.#open.get(number);
  }

  remove(number: number): void {
    this.#open.delete(number);
  }
}

export class PageMatch implements RestMatch, Transcoding {
  readonly kind = "match";
  readonly success = 200;
  readonly page: Page;
  readonly query: string;
  /** Once it is made. */
  content: Content | undefined = undefined;
  readonly #open: OpenPages;

  constructor(page: Page, query: string, open: OpenPages) {
    this.page = page;
    this.query = query;
    this.#open = open;
  }

  get method(): Method {
    return this.page.method;
  }

  get route(): string {
    return this.page.path;
  }

  open(): Transcoding {
    return this;
  }

  /** A body that comes with GET means nothing (RFC 9110 §9.3.1), and is not kept. */
  reader(out: MessageTaker): RequestReader {
    const number = this.#open.add(this);
    return {
      form: "collected",
      behind: false,
      push: (_chunk, _start, _end, last) => {
        if (!last) return;
        const message = Buffer.alloc(4);
        message.writeUInt32BE(number);
        out.message(message);
        out.end();
      },
      stop: () => this.#open.remove(number),
    };
  }

  writer(out: BodyTaker): ResponseWriter {
    const show = (): void => {
      if (this.content === undefined) return;
      const { contentType, body, etag, fields } = this.content;
      const all: readonly Field[] = etag === undefined ? fields : [...fields, field("etag", etag)];
      out.head(contentType, all, body.length);
      out.write(body, true);
    };
    return {
      behind: false,
      keepAlive: undefined,
      message: () => {},
      end: show,
      fail: (status) => out.failed(status, false),
      stop: () => {},
    };
  }
}
