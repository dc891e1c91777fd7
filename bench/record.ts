// The record that the benchmark's service answers GetRecord with: some 330 bytes, of the kinds of fields answers have.
import { GetRecordRequest, Record } from "#generated/bench/v1/echo.js";

export const RECORD_NAME = "records/1";

/** The request that is answered with the record, serialized. */
export const GET_RECORD: Uint8Array = GetRecordRequest.encode({ name: RECORD_NAME }).finish();

/** The record, serialized. */
export const RECORD: Uint8Array = Record.encode({
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
}).finish();
