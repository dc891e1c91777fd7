// bench.v1.EchoService: the least that a service can do.
import { Record as EchoRecord, type EchoServiceServer } from "#generated/bench/v1/echo.js";
import { invalidArgument } from "../common/errors.js";
import { serverStreaming, unary } from "../common/handlers.js";

const MAX_COUNT = 10_000_000;
const MAX_PAGE_SIZE = 100_000;

/** 330 bytes or so as protobuf. */
export const RECORD: EchoRecord = EchoRecord.fromPartial({
  name: "records/1",
  title: "Notes on the Analytical Engine",
  tags: ["mathematics", "engines", "history"],
  year: 1843,
  views: 9_007_199_254_740_993n,
  score: 4.875,
  active: true,
  labels: { language: "en", shelf: "science" },
  owner: { displayName: "Ada Lovelace", email: "ada@example.com" },
  updateTime: new Date("2024-02-29T12:30:45.250Z"),
  summary:
    "A translation of Menabrea's sketch, with notes three times as long as the sketch itself, the last of which says step by step how the engine would compute Bernoulli numbers.",
});

export const echo: EchoServiceServer = {
  echo: (call, callback) => callback(null, call.request),

  getRecord: (call, callback) => callback(null, { ...RECORD, name: call.request.name }),

  updateRecord: unary(({ record }) => {
    if (record === undefined) {
      throw invalidArgument([{ field: "record", description: "must be set", reason: "REQUIRED" }]);
    }
    return record;
  }),

  listRecords: unary(({ pageSize }) => {
    checkCount("page_size", pageSize, MAX_PAGE_SIZE);
    return { records: new Array<EchoRecord>(pageSize).fill(RECORD) };
  }),

  streamRecords: serverStreaming(async function* ({ count }) {
    checkCount("count", count, MAX_COUNT);
    for (let i = 0; i < count; i++) yield RECORD;
  }),
};

function checkCount(field: string, count: number, max: number): void {
  if (count >= 0 && count <= max) return;
  throw invalidArgument([{ field, description: `must be 0 to ${max}`, reason: "OUT_OF_RANGE" }]);
}
