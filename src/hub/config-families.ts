// Metrics of what runs, and by which config: alerts on a reload that was refused need the last one's outcome.
import { version } from "../kit/version.js";
import type { Family } from "../telemetry/metrics/family.js";

export interface ReloadState {
  readonly succeeded: boolean;
  /** Unix time, milliseconds. */
  readonly at: number;
}

const BUILD = { version: version(), "process.runtime.version": process.versions.node };

/** @param last the last reload, or the start */
export function configFamilies(last: ReloadState): readonly Family[] {
  return [
    {
      type: "gauge",
      name: "linchpin.build.info",
      unit: "1",
      help: "1, with the versions of the hub and of Node.",
      points: [{ labels: BUILD, value: 1 }],
    },
    {
      type: "gauge",
      name: "linchpin.config.last_reload.successful",
      unit: "1",
      help: "Whether the last reload of the config was taken over; the start counts as one.",
      points: [{ labels: {}, value: last.succeeded ? 1 : 0 }],
    },
    {
      type: "gauge",
      name: "linchpin.config.last_reload.time",
      unit: "s",
      help: "When the last reload was tried, Unix time.",
      points: [{ labels: {}, value: last.at / 1000 }],
    },
  ];
}
