// Turns samples into the tables that are printed: medians, spread, and the ratio to Envoy in the same run.

/** One measurement of one peer under one load. */
export interface Sample {
  readonly load: string;
  readonly peer: string;
  readonly unit: "call" | "MB";
  /** CPU time of the proxy per call that succeeded, or per MB; microseconds. */
  readonly cpuMicros: number;
  /** Or MB per second. */
  readonly callsPerSecond: number;
  /** The most resident memory that the proxy had. */
  readonly peakMiB: number;
}

/** Peers to which ratios are printed, by how their names begin. */
const BASES = [
  { column: "× Envoy", begins: "envoy" },
  { column: "× gateway", begins: "grpc-gateway" },
  { column: "× other", begins: "other version" },
] as const;

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
}

/** One table per load, peers in the order of their first samples. */
export function tables(samples: readonly Sample[]): string {
  const parts: string[] = [];
  for (const load of new Set(samples.map((s) => s.load))) {
    const ofLoad = samples.filter((s) => s.load === load);
    const peers = [...new Set(ofLoad.map((s) => s.peer))];
    const cpuOf = (peer: string): number[] => ofLoad.filter((s) => s.peer === peer).map((s) => s.cpuMicros);
    const bases = BASES.flatMap(({ column, begins }) => {
      const peer = peers.find((name) => name.startsWith(begins));
      return peer === undefined ? [] : [{ column, cpu: cpuOf(peer) }];
    });
    const unit = ofLoad[0]?.unit ?? "call";
    const perCpuSecond = unit === "MB" ? ["MB/CPU-s"] : [];
    const columns = [`CPU µs/${unit}`, "min–max", ...bases.map(({ column }) => column), ...perCpuSecond];
    const rows = peers.map((peer) => {
      const cpu = cpuOf(peer);
      const own = ofLoad.filter((s) => s.peer === peer);
      return [
        peer,
        micros(median(cpu)),
        `${micros(Math.min(...cpu))}–${micros(Math.max(...cpu))}`,
        ...bases.map((base) => ratio(cpu, base.cpu).toFixed(3)),
        ...perCpuSecond.map(() => micros(1e6 / median(cpu))),
        String(Math.round(median(own.map((s) => s.callsPerSecond)))),
        String(Math.round(Math.max(...own.map((s) => s.peakMiB)))),
      ];
    });
    parts.push(
      `${load}\n${grid([["", ...columns, `${unit}s/s`.replace("MBs", "MB"), "peak MiB"], ...rows])}`,
    );
  }
  return parts.join("\n\n");
}

/** Median of the ratios of each round: what changes from round to round meets both, and cancels out. */
function ratio(cpu: readonly number[], base: readonly number[]): number {
  return median(
    cpu.flatMap((value, round) => {
      const other = base[round];
      return other === undefined ? [] : [value / other];
    }),
  );
}

function micros(value: number): string {
  return value.toFixed(1);
}

/** The first column to the left, numbers to the right. */
export function grid(rows: readonly (readonly string[])[]): string {
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
