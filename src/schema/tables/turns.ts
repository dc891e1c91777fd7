// One after the other: who takes a turn has it once all before it have ended theirs. The queue is that of the process: the
// memory and the cores that a large schema takes are the process's, whichever hub of a program reads it.

export interface Turn {
  readonly mine: Promise<void>;
  /** Once or more; before it is its turn, it gives it up. */
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
