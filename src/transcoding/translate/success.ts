// The HTTP status of a success response: the config's for its method, otherwise 200, or 204 without content.
import { type BindingPlan, givesStream } from "../routes/binding.js";

/** The success response of a method. */
export interface Success {
  /** HTTP status. */
  readonly success: number;
  /** Path template of its Location, with fields of the response. */
  readonly location: string | undefined;
}

/** @param emptyAs204 one google.protobuf.Empty is 204 */
export function successStatus(plan: BindingPlan, own: Success | undefined, emptyAs204: boolean): number {
  if (own !== undefined) return own.success;
  // Each message of a stream has information, even if only that there is one more.
  if (!emptyAs204 || givesStream(plan)) return 200;
  return plan.descriptor.output.typeName === "google.protobuf.Empty" ? 204 : 200;
}
