// What the benchmark's service answers with: a record of some 330 bytes, of the kinds of fields answers have, a list of
// 100 KiB of it, and what asks for them.
import {
  GetRecordRequest,
  ListRecordsRequest,
  ListRecordsResponse,
  Record,
  StreamRecordsRequest,
} from "#generated/bench/v1/echo.js";

export const RECORD_NAME = "records/1";

/** The request that is answered with the record, serialized. */
export const GET_RECORD: Uint8Array = GetRecordRequest.encode({ name: RECORD_NAME }).finish();

const record = Record.fromPartial({
  name: RECORD_NAME,
  title: "Sketch of the Analytical Engine",
  tags: ["mathematics", "computing", "history"],
  year: 1843,
  views: 9_007_199_254_740_993n,
  score: 4.75,
  active: true,
  labels: { shelf: "north-3", language: "en" },
  owner: { displayName: "Ada Lovelace", email: "ada@example.com" },
  updateTime: new Date(1_700_000_000_123),
  summary:
    "Notes by the translator upon the memoir: what the engine can do, and what it has no pretensions to originate.",
});

/** The record, serialized. */
export const RECORD: Uint8Array = Record.encode(record).finish();

/** Records in a list of 100 KiB. */
export const LIST_RECORDS = 310;
export const LIST_REQUEST: Uint8Array = ListRecordsRequest.encode({ pageSize: LIST_RECORDS }).finish();
/** The list, serialized. */
export const LIST: Uint8Array = ListRecordsResponse.encode({
  records: new Array<Record>(LIST_RECORDS).fill(record),
}).finish();

/** How the request for a stream begins, serialized: its only field, with the number of records. */
export const STREAM_TAG = StreamRecordsRequest.encode({ count: 1 }).finish()[0];
