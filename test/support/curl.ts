#!/usr/bin/env node
// A small part of curl, for machines without it: the options that the documentation uses, and no others.
import { request } from "node:http";

const args = process.argv.slice(2);
const headers: Record<string, string> = {};
let method: string | undefined;
let body: string | undefined;
let url: string | undefined;
let withHead = false;

const value = (option: string): string => {
  const next = args.shift();
  if (next === undefined) throw new Error(`curl: ${option} needs a value`);
  return next;
};
for (let arg = args.shift(); arg !== undefined; arg = args.shift()) {
  if (arg === "-H") {
    const [, name = "", text = ""] = /^([^:]+): *(.*)$/.exec(value(arg)) ?? [];
    headers[name.toLowerCase()] = text;
  } else if (arg === "-X") method = value(arg);
  else if (arg === "--json") {
    body = value(arg);
    headers["content-type"] ??= "application/json";
    headers.accept ??= "application/json";
  } else if (arg === "--data") {
    body = value(arg);
    headers["content-type"] ??= "application/x-www-form-urlencoded";
  } else if (/^-[sSNi]+$/.test(arg)) withHead ||= arg.includes("i");
  else if (arg.startsWith("-") || url !== undefined)
    throw new Error(`curl: ${arg} is not known to this small one`);
  else url = arg.includes("://") ? arg : `http://${arg}`;
}
if (url === undefined) throw new Error("curl: no URL");

const sent = request(
  url,
  { method: method ?? (body === undefined ? "GET" : "POST"), headers: { accept: "*/*", ...headers } },
  (answer) => {
    if (withHead) {
      process.stdout.write(`HTTP/1.1 ${answer.statusCode} ${answer.statusMessage}\r\n`);
      for (let i = 0; i + 1 < answer.rawHeaders.length; i += 2)
        process.stdout.write(`${answer.rawHeaders[i]}: ${answer.rawHeaders[i + 1]}\r\n`);
      process.stdout.write("\r\n");
    }
    answer.pipe(process.stdout);
  },
);
sent.on("error", (error) => {
  console.error(`curl: ${error.message}`);
  process.exitCode = 7;
});
sent.end(body);
