// Process metrics with the names of every Prometheus client library, for existing dashboards and alerts
// (https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics). Only for Prometheus: OTLP has
// OpenTelemetry's names.
import { readdirSync, readFileSync } from "node:fs";
import type { Family } from "./family.js";

/** Milliseconds since the epoch. */
const STARTED_AT = Date.now() - process.uptime() * 1000;

export function standardProcessFamilies(): readonly Family[] {
  const { user, system } = process.cpuUsage();
  const families: Family[] = [
    counter("process.cpu", "s", "CPU time of the process, user and system.", (user + system) / 1e6),
    gauge("process.resident_memory", "By", "Resident memory of the process.", process.memoryUsage.rss()),
    gauge("process.start_time", "s", "When the process started, Unix time.", STARTED_AT / 1000),
  ];
  const open = openDescriptors();
  if (open !== undefined) families.push(gauge("process.open_fds", "{fd}", "Open file descriptors.", open));
  const most = maxDescriptors();
  if (most !== undefined)
    families.push(gauge("process.max_fds", "{fd}", "Limit of open file descriptors.", most));
  return families;
}

function counter(name: string, unit: string, help: string, value: number): Family {
  return { type: "counter", name, unit, help, points: [{ labels: {}, value }] };
}

function gauge(name: string, unit: string, help: string, value: number): Family {
  return { type: "gauge", name, unit, help, points: [{ labels: {}, value }] };
}

/** On Linux; undefined elsewhere, and if no file descriptor is left to read it. */
function openDescriptors(): number | undefined {
  try {
    // One of them is the folder that is being read.
    return readdirSync("/proc/self/fd").length - 1;
  } catch {
    return undefined;
  }
}

function maxDescriptors(): number | undefined {
  try {
    const limit = /^Max open files +(\d+)/m.exec(readFileSync("/proc/self/limits", "latin1"))?.[1];
    return limit === undefined ? undefined : Number(limit);
  } catch {
    return undefined;
  }
}
