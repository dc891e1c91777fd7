// The memory that a process holds.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** Resident bytes, now. */
export function residentBytes(pid: number): number {
  return (
    status(pid, "VmRSS") ??
    Number(execFileSync("ps", ["-o", "rss=", "-p", String(pid)], { encoding: "utf8" })) * 1024
  );
}

/** The most that it held so far; where the system does not tell, what it holds now. */
export function peakResidentBytes(pid: number): number {
  return status(pid, "VmHWM") ?? residentBytes(pid);
}

function status(pid: number, key: string): number | undefined {
  if (process.platform !== "linux") return undefined;
  const kib = new RegExp(`^${key}:\\s*(\\d+) kB$`, "m").exec(
    readFileSync(`/proc/${pid}/status`, "utf8"),
  )?.[1];
  return kib === undefined ? undefined : Number(kib) * 1024;
}
