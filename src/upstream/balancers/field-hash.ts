// For ring_hash and maglev by a field of the request: the step that reads the first message of a call before it is
// sent. Planned only for methods of upstreams with such a key, so no other call is parsed.
import type { Method } from "../../call/call.js";
import type { CallKey } from "../../call/call-key.js";
import type { Step } from "../../call/interceptor.js";
import { fieldIn, fieldPathOf } from "./parts/message-field.js";
import { hashOf } from "./parts/murmur3.js";

/** undefined: the method's requests have no such field, or their type is unknown. Their calls go to any endpoint. */
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
