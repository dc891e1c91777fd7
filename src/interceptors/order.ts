// The order of all built-in interceptors, outermost first. A new one is added here.
import { accessLogKind } from "./access-log/kind.js";
import { addressLimitKind } from "./address-limit/kind.js";
import { authenticationKind, authorizationKind, identityHeadersKind } from "./auth/kind.js";
import { deadlineKind } from "./deadline/kind.js";
import type { InterceptorKind } from "./kit/kind.js";
import { metricsKind } from "./metrics/kind.js";
import { quotaKind } from "./quota/kind.js";
import { tracingKind } from "./tracing/kind.js";

export const ORDER = [
  metricsKind,
  tracingKind,
  accessLogKind,
  deadlineKind,
  addressLimitKind,
  identityHeadersKind,
  authenticationKind,
  authorizationKind,
  quotaKind,
] as const satisfies readonly InterceptorKind[];
