// For the image's HEALTHCHECK: exit 0 while the process of the hub lives, by its admin listener (HTTP on 127.0.0.1:9901,
// or LINCHPIN_HEALTH_URL).
import { get } from "node:http";

const url = process.env.LINCHPIN_HEALTH_URL ?? "http://127.0.0.1:9901/livez";
get(url, { timeout: 4000 }, ({ statusCode }) => process.exit(statusCode === 200 ? 0 : 1))
  .on("timeout", () => process.exit(1))
  .on("error", () => process.exit(1));
