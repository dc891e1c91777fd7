// Every stream that reaches the hub's code goes through here before anything else is done with it: an 'error' event that
// nobody listens to ends the process, and node hands out sockets without its own listeners on `connect` and `upgrade`.

/** A socket, a TLS socket, one side of a pair, an answer of node:http. */
export interface Guardable {
  on(event: "error", listener: (this: Guardable, error: Error) => void): unknown;
  listeners(event: "error"): readonly unknown[];
  destroy(): unknown;
}

/** The same stream; an error of it destroys it, and nothing else. It keeps the listener for as long as it lives. */
export function guarded<T extends Guardable>(stream: T): T {
  if (!stream.listeners("error").includes(destroyIt)) stream.on("error", destroyIt);
  return stream;
}

/** Most streams destroy themselves before they tell; a TLS socket may tell of an error and stay open. */
function destroyIt(this: Guardable): void {
  this.destroy();
}
