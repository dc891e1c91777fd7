// Does a match cost more when there are more routes? `node build/bench/micro/matcher.js`

import { parseTemplate } from "#src/kit/text/path-template.js";
import { Matcher } from "#src/transcoding/routes/matcher.js";
import { splitPath } from "#src/transcoding/routes/path.js";

const ROUNDS = 7;
const MATCHES_PER_ROUND = 500_000;

/** Routes in the style of the AIPs: five of each collection. */
function build(count: number): Matcher<string> {
  const matcher = new Matcher<string>();
  for (let i = 0; i < count; i++) {
    const collection = `/v1/shelves/*/kind${Math.floor(i / 5)}`;
    const rows: readonly (readonly [string, string])[] = [
      ["GET", collection],
      ["POST", collection],
      ["GET", `/v1/{name=shelves/*/kind${Math.floor(i / 5)}/*}`],
      ["DELETE", `/v1/{name=shelves/*/kind${Math.floor(i / 5)}/*}`],
      ["POST", `/v1/{name=shelves/*/kind${Math.floor(i / 5)}/*}:publish`],
    ];
    const [method, text] = rows[i % 5] ?? ["GET", collection];
    const template = parseTemplate(text);
    if (!("error" in template)) matcher.add(method, template, text);
  }
  return matcher;
}

function nanosecondsPerMatch(matcher: Matcher<string>, method: string, path: string): number {
  const rounds: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const start = process.hrtime.bigint();
    let found = 0;
    for (let i = 0; i < MATCHES_PER_ROUND; i++) {
      const split = splitPath(path);
      if (split !== undefined && matcher.find(method, split) !== undefined) found++;
    }
    if (found !== 0 && found !== MATCHES_PER_ROUND) throw new Error("a match that depends on the round");
    rounds.push(Number(process.hrtime.bigint() - start) / MATCHES_PER_ROUND);
  }
  return rounds.sort((a, b) => a - b)[Math.floor(ROUNDS / 2)] ?? 0;
}

const requests: readonly (readonly [method: string, path: string])[] = [
  ["GET", "/v1/shelves/12/kind1/34"],
  ["POST", "/v1/shelves/12/kind1/34:publish"],
  ["GET", "/v1/shelves/1%202/kind1/34"],
  ["GET", "/v1/shelves/12/nothing/34"],
];
const sizes = [10, 100, 10_000];
const matchers = sizes.map(build);
console.log(`ns per match      ${sizes.map((size) => `${size} routes`.padStart(14)).join("")}`);
for (const [method, path] of requests) {
  const times = matchers.map((matcher) => nanosecondsPerMatch(matcher, method, path).toFixed(0).padStart(14));
  console.log(`${method} ${path}\n${" ".repeat(18)}${times.join("")}`);
}
