// Load reports that a service sends in the trailers of a call: xds.data.orca.v3.OrcaLoadReport (gRFC A51), and the
// resulting weight (gRFC A58).
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";

/** Trailer with a serialized OrcaLoadReport. */
export const LOAD_REPORT = "endpoint-load-metrics-bin";

/** Bytes of the trailer: there may be many named metrics, but not without bound. */
const MAX_CHARS = 64 * 1024;

/** The values that weights are computed from. */
export interface LoadReport {
  /** 1.0 is full use; larger values are possible. */
  readonly utilization: number;
  /** Calls per second. */
  readonly qps: number;
  /** Failed calls per second. */
  readonly eps: number;
}

/** More than any machine serves, or uses of itself. */
const MAX_RATE = 1e9;
const MAX_UTILIZATION = 1e3;

/** A string says why the report is unusable. */
export function readLoadReport(value: string): LoadReport | string {
  if (value.length > MAX_CHARS) return `it has more than ${MAX_CHARS} characters`;
  let cpu = 0;
  let application = 0;
  let rps = 0;
  let qps = 0;
  let eps = 0;
  try {
    const reader = new BinaryReader(Buffer.from(value, "base64"));
    while (reader.pos < reader.len) {
      const [field, type] = reader.tag();
      if (field === 1 && type === WireType.Bit64) cpu = reader.double();
      else if (field === 3 && type === WireType.Varint) rps = Number(reader.uint64());
      else if (field === 6 && type === WireType.Bit64) qps = reader.double();
      else if (field === 7 && type === WireType.Bit64) eps = reader.double();
      else if (field === 9 && type === WireType.Bit64) application = reader.double();
      else reader.skip(type, field);
    }
  } catch {
    return "it is no OrcaLoadReport";
  }
  const numbers = [
    ["cpu_utilization", cpu, MAX_UTILIZATION],
    ["application_utilization", application, MAX_UTILIZATION],
    ["rps", rps, MAX_RATE],
    ["rps_fractional", qps, MAX_RATE],
    ["eps", eps, MAX_RATE],
  ] as const;
  for (const [name, number, max] of numbers)
    if (!(number >= 0 && number <= max)) return `${name} is ${number}: it must be from 0 to ${max}`;
  return { utilization: application > 0 ? application : cpu, qps: qps > 0 ? qps : rps, eps };
}

/** Calls per second at full load; 0: the report does not say. */
export function weightOf({ utilization, qps, eps }: LoadReport, errorPenalty: number): number {
  if (!(qps > 0 && utilization > 0)) return 0;
  return qps / (utilization + (eps / qps) * errorPenalty);
}
