// Which HTTP status a good answer has: what the config says of its method, else 200, or 204 where there is nothing to say.
import { type BindingPlan, givesStream } from "../routes/binding.js";

/** What a good answer of a method is. */
export interface Success {
  /** HTTP status. */
  readonly success: number;
  /** Path template of its Location, with fields of the answer. */
  readonly location: string | undefined;
}

/** @param emptyAs204 one google.protobuf.Empty is 204 */
export function successStatus(plan: BindingPlan, own: Success | undefined, emptyAs204: boolean): number {
  if (own !== undefined) return own.success;
  // Each message of a stream says something, and be it that there is one more.
  if (!emptyAs204 || givesStream(plan)) return 200;
  return plan.descriptor.output.typeName === "google.protobuf.Empty" ? 204 : 200;
}
