// A queue: each gets its turn when all before it have ended theirs. It is the process's queue: the memory and cores
// that a large schema takes are the process's, whichever hub reads it.

export interface Turn {
  readonly mine: Promise<void>;
  /** May be called repeatedly; before the turn has come, it leaves the queue. */
  end(): void;
}

let last: Promise<void> = Promise.resolve();

export function takeTurn(): Turn {
  let end = (): void => {};
  const mine = last;
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  last = mine.then(() => ended);
  return { mine, end };
}
