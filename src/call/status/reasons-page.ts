// The catalogue of errors as a page: docs/errors.md is generated from it, and a test compares them.
import { ERROR_DOMAIN, REASONS, type ReasonRow } from "./reasons.js";
import { Code, httpStatusOf } from "./status.js";

const HEAD = `# What the hub refuses, and why

Each refusal of the hub's own carries a \`google.rpc.ErrorInfo\` with a \`reason\` of this page and the domain
\`${ERROR_DOMAIN}\`: what a program should look at. The message is for people, and may change. Errors of services pass
through untouched, with their own details.

* gRPC clients find the details in \`grpc-status-details-bin\`; what stands beside them (\`retry-after\`,
  \`www-authenticate\`, \`ratelimit\`) is in the trailers.
* HTTP clients get \`{"code", "message", "details"}\` as JSON, with those as header fields.
* \`RetryInfo\` and \`Retry-After\` say when it makes sense to try again, where the hub knows it.
* Nearest routes, addresses of endpoints and what an upstream said are added to messages for callers on the hub's own
  machine and for those who have proved who they are; \`errors: { hints: always | never }\` changes that. A request that
  came through a proxy (\`x-forwarded-for\`) is not of the hub's own machine.

This page is made from \`src/call/status/reasons.ts\` by \`node tools/write-errors.mjs\`.

| reason | gRPC | HTTP | when | what helps |
|---|---|---|---|---|
`;

/** Markdown. @param own reasons of features, in addition to the catalogue */
export function errorsPage(own: Readonly<Record<string, ReasonRow>> = {}): string {
  const rows = Object.entries<ReasonRow>({ ...REASONS, ...own }).map(
    ([reason, { code, http, when, remedy }]) =>
      `| \`${reason}\` | ${code} | ${http ?? httpStatusOf(Code[code])} | ${cell(when)} | ${cell(remedy)} |`,
  );
  return `${HEAD}${rows.join("\n")}\n`;
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}
