// What the REST adapter takes from a request's fields. A connection tends to bring the very same block again and again
// (the memories of HPACK and of http1/head-reader.ts give the same array), so the last one's result is kept.
import type { Peer } from "../core/call.js";
import type { Field } from "../core/headers.js";
import type { MetadataNames } from "../core/http-policy.js";
import type { Status } from "../core/status.js";
import type { ExchangeHead } from "./exchange.js";
import { readMetadata } from "./rest-headers.js";

export interface RestHead {
  readonly fields: readonly Field[];
  readonly authority: string;
  readonly names: MetadataNames;
  readonly accept: string | undefined;
  readonly contentType: string | undefined;
  readonly contentLength: number | undefined;
  /** The client says `TE: trailers` (RFC 9110 §10.1.4). */
  readonly takesTrailers: boolean;
  /** Of `X-HTTP-Method-Override`. */
  readonly methodOverride: string | undefined;
  readonly peer: Peer;
  /** What the service is told, forwarding included. */
  readonly metadata: readonly Field[];
  /** What is wrong with a field (INVALID_ARGUMENT). */
  readonly problem: Status | undefined;
}

export function readRestHead({ client, fields, authority }: ExchangeHead, names: MetadataNames): RestHead {
  const last = client.restHead;
  if (last !== undefined && last.fields === fields && last.authority === authority && last.names === names)
    return last;
  let accept: string | undefined;
  let contentType: string | undefined;
  let contentLength: number | undefined;
  let takesTrailers = false;
  let methodOverride: string | undefined;
  for (const { name, value } of fields) {
    if (name === "accept") accept = accept === undefined ? value : `${accept}, ${value}`;
    else if (name === "content-type") contentType ??= value;
    // node:http, the HTTP/2 engine and http1/head-reader.ts have checked that it is a number.
    else if (name === "content-length") contentLength = Number(value);
    else if (name === "x-http-method-override") methodOverride ??= value;
    else if (name === "te") takesTrailers ||= /(?:^|,)[ \t]*trailers[ \t]*(?:$|,|;)/i.test(value);
  }
  const metadata: Field[] = [];
  const problem = readMetadata(fields, names, metadata);
  for (const f of client.forwarding(fields, authority)) metadata.push(f);
  const peer = client.peer("rest", fields);
  const head: RestHead = {
    fields,
    authority,
    names,
    accept,
    contentType,
    contentLength,
    takesTrailers,
    methodOverride,
    peer,
    metadata,
    problem,
  };
  client.restHead = head;
  return head;
}
