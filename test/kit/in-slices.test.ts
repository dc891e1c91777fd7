// Long work on the event loop: a turn has one slice of it, however many such works there are.
import assert from "node:assert/strict";
import { test } from "node:test";
import { inSlices, ownTurn } from "#src/kit/in-slices.js";

/** The steps of all works, with the turn of the event loop in which each was done. */
async function stepsOf(
  works: number,
  steps: number,
  stepMs: number,
): Promise<readonly (readonly number[])[]> {
  let turn = 0;
  let going = true;
  const count = (): void => {
    turn++;
    if (going) setImmediate(count);
  };
  setImmediate(count);
  const all = Array.from({ length: works }, () => {
    const turns: number[] = [];
    function* work(): Generator<void, number[]> {
      for (let i = 0; i < steps; i++) {
        for (const from = performance.now(); performance.now() - from < stepMs; );
        turns.push(turn);
        yield;
      }
      return turns;
    }
    return inSlices(work());
  });
  const done = await Promise.all(all);
  going = false;
  return done;
}

test("ten short works at once have turns of their own", async () => {
  const works = (await stepsOf(10, 3, 0)).map((own) => [...new Set(own)]);
  const all = works.flat();
  assert.equal(new Set(all).size, all.length, `a turn has steps of one work: ${all.join(" ")}`);
});

test("long tasks take turns, and none has two slices in one", async () => {
  const works = await stepsOf(3, 4, 6);
  const all = works.flat();
  assert.equal(new Set(all).size, all.length, `a step each turn: ${all.join(" ")}`);
  // Each has had a slice before any has its second.
  assert.ok(Math.max(...works.map((own) => own[0] ?? 0)) < Math.min(...works.map((own) => own[1] ?? 0)));
});

test("a turn of one's own is this one where it is free, else the next after those who wait", async () => {
  const order: string[] = [];
  const asked = ["first", "second", "third"].map((name) => ownTurn().then(() => order.push(name)));
  setImmediate(() => order.push("behind the first"));
  await Promise.all(asked);
  assert.deepEqual(order, ["first", "behind the first", "second", "third"]);
});
