// Turns samples into the tables that are printed: medians, spread, and the ratio to Envoy in the same run.

/** One measurement of one peer under one load. */
export interface Sample {
  readonly load: string;
  readonly peer: string;
  /** CPU time of the proxy per call that succeeded, microseconds. */
  readonly cpuMicros: number;
  readonly callsPerSecond: number;
}

const COLUMNS = ["CPU µs/call", "min–max", "× Envoy", "calls/s"] as const;

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
}

/** One table per load, peers in the order of their first samples. The load's Envoy is the peer whose name begins so. */
export function tables(samples: readonly Sample[]): string {
  const parts: string[] = [];
  for (const load of new Set(samples.map((s) => s.load))) {
    const ofLoad = samples.filter((s) => s.load === load);
    const peers = [...new Set(ofLoad.map((s) => s.peer))];
    const cpuOf = (peer: string): number[] => ofLoad.filter((s) => s.peer === peer).map((s) => s.cpuMicros);
    const envoy = peers.find((peer) => peer.startsWith("envoy"));
    const base = envoy === undefined ? Number.NaN : median(cpuOf(envoy));
    const rows = peers.map((peer) => {
      const cpu = cpuOf(peer);
      const rate = median(ofLoad.filter((s) => s.peer === peer).map((s) => s.callsPerSecond));
      const ratio = median(cpu) / base;
      return [
        peer,
        micros(median(cpu)),
        `${micros(Math.min(...cpu))}–${micros(Math.max(...cpu))}`,
        Number.isNaN(ratio) ? "" : ratio.toFixed(2),
        String(Math.round(rate)),
      ];
    });
    parts.push(`${load}\n${grid([["", ...COLUMNS], ...rows])}`);
  }
  return parts.join("\n\n");
}

function micros(value: number): string {
  return value.toFixed(1);
}

/** The first column to the left, numbers to the right. */
function grid(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows)
    row.forEach((cell, i) => {
      widths[i] = Math.max(widths[i] ?? 0, cell.length);
    });
  return rows
    .map((row) =>
      row
        .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
        .join("  ")
        .trimEnd(),
    )
    .map((line) => `  ${line}`)
    .join("\n");
}
