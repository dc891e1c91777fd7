// The order of the way: every interceptor of the hub, the first is outermost. Whoever adds one adds it here.
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
