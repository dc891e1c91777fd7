// For ring_hash and maglev by a field of the request: the step that reads the first message of a call, before it goes
// upstream. Planned for the methods of upstreams that ask for it, so other calls are read by nobody.
import type { Method } from "../../call/call.js";
import type { CallKey } from "../../call/call-key.js";
import type { Step } from "../../call/interceptor.js";
import { fieldIn, fieldPathOf } from "./parts/message-field.js";
import { hashOf } from "./parts/murmur3.js";

/** undefined: requests of the method have no such field, or it is not known what they have. Their calls go anywhere. */
export function fieldHash({ descriptor }: Method, field: string, hashes: CallKey<number>): Step | undefined {
  const path = descriptor && fieldPathOf(descriptor.input, field);
  if (path === undefined) return undefined;
  return {
    name: "balancer",
    messages: {
      request(call, message) {
        if (hashes.get(call) !== undefined) return undefined;
        const value = fieldIn(message, path);
        if (value !== undefined) hashes.set(call, hashOf(value));
        return undefined;
      },
    },
  };
}
