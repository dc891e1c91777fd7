// Runs the injections and holds their bounds; injection.ts has the hub and its clients.
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { InjectionRig, type Outcome, SCENARIOS, type Scenario } from "./injection.js";
import type { Place } from "./instrumented.js";
import type { Scope } from "./program.js";

/** Code of one call: its throw is that call's answer. Below it, in http2/ and node's sockets, a connection may end. */
const OF_CALLS =
  /^(?:call\/(?:pipeline|messages|call|status\/status)|downstream\/protocols\/(?:grpc|rest|transcoded)\/(?:grpc|grpc-call|rest|rest-response|transcoded-call|transcoded-request)\.|transcoding|interceptors|routing|hub\/pages)/;
/** Of connections: calls that share one with the fault, to the service too, may end with it. */
const OF_CONNECTIONS = /^(?:http2|upstream)\/|^kit\/clock/;

interface Injection {
  readonly place: Place;
  readonly scenario: Scenario;
}

/** Places throw in the first scenario that comes by them, or in each. */
export type Each = "each place once" | "each place in each scenario";

interface Planned {
  readonly injections: readonly Injection[];
  /** What each scenario's client is told when nothing throws. */
  readonly usual: ReadonlyMap<Scenario, string>;
}

/** Which places each scenario comes by, when nothing throws. */
async function planned(rig: InjectionRig, each: Each): Promise<Planned> {
  const injections: Injection[] = [];
  const usual = new Map<Scenario, string>();
  const known = new Set<number>();
  for (const scenario of SCENARIOS) {
    // What is loaded and made at the first time is not to be taken for the usual.
    await scenario.run(rig);
    await rig.ask(-1);
    const outcome = await scenario.run(rig);
    assert.notEqual(outcome.kind, "silent", `${scenario.name}: ${outcome.text}`);
    usual.set(scenario, codeOf(outcome));
    const { seen, escaped } = await rig.ask(-1);
    assert.deepEqual(escaped, []);
    for (const id of seen) {
      const place = rig.places[id];
      if (place !== undefined && (each !== "each place once" || !known.has(id)))
        injections.push({ place, scenario });
      known.add(id);
    }
  }
  return { injections, usual };
}

/** Status of HTTP, of gRPC, or of a WebSocket's end. */
function codeOf({ kind, text }: Outcome): string {
  return `${kind} ${text.split(" ", 2)[text.startsWith("HTTP/1.1") ? 1 : 0]}`;
}

/** What is wrong with what came of an injection. */
function problemsOf({ place, scenario }: Injection, outcome: Outcome): string[] {
  if (outcome.kind === "silent") return ["the call was not answered"];
  // An answer that has begun is broken off.
  const begun = /^2\d\d /.test(outcome.text);
  if (outcome.kind === "broken" && !begun && scenario.unary === true && OF_CALLS.test(place.file))
    return [`the call was broken off, not answered: ${outcome.text}`];
  return [];
}

/** Nothing is left of the throws: each scenario goes as it did before them. */
async function afterwards(rig: InjectionRig, usual: Planned["usual"]): Promise<string[]> {
  const problems: string[] = [];
  for (const [scenario, before] of usual) {
    let now = "";
    // A connection to the service that was lost a moment ago may cost one call.
    for (let looks = 0; looks < 3 && now !== before; looks++) {
      await rig.settle();
      now = codeOf(await scenario.run(rig));
    }
    if (now !== before) problems.push(`afterwards, ${scenario.name}: ${now}, not ${before}`);
  }
  return problems;
}

/** Injects, and asserts all that must hold. */
export async function injectEverywhere(t: TestContext, scope: Scope, each: Each): Promise<void> {
  const rig = await InjectionRig.start(scope);
  const { injections, usual } = await planned(rig, each);
  const problems: string[] = [];
  /** Lines of the log with a stack, by the fault's id, and the ids that clients were told. */
  const stacks = new Map<string, number>();
  const answers = new Set<string>();
  let fired = 0;
  for (const injection of injections) {
    const { place, scenario } = injection;
    // The neighbour is there before anything throws.
    await rig.settle();
    await rig.ask(place.id);
    const outcome = await scenario.run(rig);
    // Before the neighbour comes by the place, where the scenario has not.
    const told = await rig.ask(-1);
    const lives = await rig.neighbourLives();
    for (const line of told.log) {
      const id = /^fault ([0-9a-f]{8}) of the hub, .*\n {4}at /.exec(line)?.[1];
      if (id !== undefined) stacks.set(id, (stacks.get(id) ?? 0) + 1);
    }
    const id = /\(fault ([0-9a-f]{8})\)/.exec(
      decodeURIComponent(outcome.text.replace(/%(?![0-9A-F]{2})/g, "%25")),
    )?.[1];
    if (id !== undefined) answers.add(id);
    if (!lives) rig.renew();
    if (!told.fired) continue;
    fired++;
    const wrong = [...problemsOf(injection, outcome), ...told.escaped.map((error) => `escaped: ${error}`)];
    if (!lives && !OF_CONNECTIONS.test(place.file)) wrong.push("another call on its connection ended");
    for (const problem of wrong) problems.push(`${place.file} ${place.name}, ${scenario.name}: ${problem}`);
    if (!rig.child.connected) break;
  }
  if (problems.length === 0) problems.push(...(await afterwards(rig, usual)));
  const places = new Set(injections.map(({ place }) => place.id)).size;
  t.diagnostic(
    `${places} of ${rig.places.length} places lie on the way of ${SCENARIOS.length} scenarios: ${fired} of ` +
      `${injections.length} injections threw; ${stacks.size} faults in the log, ${answers.size} of them in answers`,
  );
  assert.deepEqual(problems, []);
  assert.ok(places > 700, `only ${places} places were come by`);
  assert.ok(fired > 0.75 * injections.length, `only ${fired} of ${injections.length} threw`);
  assert.ok(answers.size > 100, `only ${answers.size} answers name their fault`);
  for (const id of answers) {
    // So many are remembered as told (kit/faults.ts): what is forgotten is told anew.
    const told = stacks.get(id) ?? 0;
    assert.ok(told === 1 || (told > 1 && stacks.size > 1000), `fault ${id} has ${told} lines with its stack`);
  }
}
