// google.protobuf.Timestamp and Duration between their text, as bytes, and their two numbers.
// https://protobuf.dev/programming-guides/json/; RFC 3339 §5.6, its year four digits and its letters capital.
import type { BytesOut } from "./bytes-out.js";

/** The result of a parser. */
export interface Time {
  seconds: number;
  nanos: number;
}

/** 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z. */
const MIN_TIMESTAMP_SECONDS = -62_135_596_800;
const MAX_TIMESTAMP_SECONDS = 253_402_300_799;
/** google/protobuf/duration.proto: about 10,000 years. */
export const MAX_DURATION_SECONDS = 315_576_000_000;
const NANOS_PER_SECOND = 1_000_000_000;
const SECONDS_PER_DAY = 86_400;
const DAYS_PER_ERA = 146_097;
/** From 0000-03-01, where the day count begins, to 1970-01-01. */
const DAYS_TO_EPOCH = 719_468;
const DAYS_IN_MONTH = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
/** Longest text of either: 2024-05-01T10:00:00.123456789+00:00. */
export const MAX_TIME_CHARS = 35;

/**
 * text[start..end) as `2024-05-01T10:00:00.5Z`, or with an offset; false: malformed, or outside the years 1 to 9999.
 */
export function readTimestamp(text: Uint8Array, start: number, end: number, into: Time): boolean {
  if (end - start < 20 || end - start > MAX_TIME_CHARS) return false;
  const year = digits(text, start, 4);
  const month = digits(text, start + 5, 2);
  const day = digits(text, start + 8, 2);
  const hour = digits(text, start + 11, 2);
  const minute = digits(text, start + 14, 2);
  const second = digits(text, start + 17, 2);
  if (
    year < 0 ||
    text[start + 4] !== 0x2d ||
    month < 1 ||
    month > 12 ||
    text[start + 7] !== 0x2d ||
    day < 1 ||
    text[start + 10] !== 0x54 ||
    hour < 0 ||
    hour > 23 ||
    text[start + 13] !== 0x3a ||
    minute < 0 ||
    minute > 59 ||
    text[start + 16] !== 0x3a ||
    second < 0 ||
    second > 59
  ) {
    return false;
  }
  const leap = month === 2 && year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 1 : 0;
  if (day > (DAYS_IN_MONTH[month - 1] ?? 0) + leap) return false;
  let at = readFraction(text, start + 19, end, into);
  if (at < 0) return false;
  let seconds = daysOf(year, month, day) * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second;
  const zone = text[at];
  if (zone === 0x5a) at++;
  else if (zone === 0x2b || zone === 0x2d) {
    const offsetHours = digits(text, at + 1, 2);
    const offsetMinutes = digits(text, at + 4, 2);
    if (offsetHours < 0 || offsetHours > 23 || text[at + 3] !== 0x3a) return false;
    if (offsetMinutes < 0 || offsetMinutes > 59) return false;
    const offset = offsetHours * 3600 + offsetMinutes * 60;
    seconds -= zone === 0x2b ? offset : -offset;
    at += 6;
  } else return false;
  into.seconds = seconds;
  return at === end && seconds >= MIN_TIMESTAMP_SECONDS && seconds <= MAX_TIMESTAMP_SECONDS;
}

/** text[start..end) as `-1.5s`; false: malformed, or too long. */
export function readDuration(text: Uint8Array, start: number, end: number, into: Time): boolean {
  const negative = text[start] === 0x2d;
  let at = negative ? start + 1 : start;
  const first = at;
  let seconds = 0;
  for (; at < end && at - first < 13; at++) {
    const digit = (text[at] ?? 0) - 0x30;
    if (digit < 0 || digit > 9) break;
    seconds = seconds * 10 + digit;
  }
  if (at === first || seconds > MAX_DURATION_SECONDS) return false;
  at = readFraction(text, at, end, into);
  if (at < 0 || at !== end - 1 || text[at] !== 0x73) return false;
  // Not -0.
  into.seconds = negative && seconds !== 0 ? -seconds : seconds;
  if (negative && into.nanos !== 0) into.nanos = -into.nanos;
  return true;
}

/** `.5`, or nothing, into nanos: returns its end; -1: a dot without 1 to 9 digits. */
function readFraction(text: Uint8Array, start: number, end: number, into: Time): number {
  into.nanos = 0;
  if (text[start] !== 0x2e) return start;
  let at = start + 1;
  let nanos = 0;
  for (; at < end; at++) {
    const digit = (text[at] ?? 0) - 0x30;
    if (digit < 0 || digit > 9) break;
    nanos = nanos * 10 + digit;
  }
  const count = at - start - 1;
  if (count < 1 || count > 9) return -1;
  for (let i = count; i < 9; i++) nanos *= 10;
  into.nanos = nanos;
  return at;
}

/** This many digits; -1: another character is among them. */
function digits(text: Uint8Array, start: number, count: number): number {
  let value = 0;
  for (let i = start; i < start + count; i++) {
    const digit = (text[i] ?? 0) - 0x30;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}

/** Days since 1970-01-01 in the Gregorian calendar, years from March on so that the leap day is the last. */
function daysOf(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * DAYS_PER_ERA + dayOfEra - DAYS_TO_EPOCH;
}

/** Prints with its quotes, fraction digits by threes; a string describes the error. */
export function writeTimestamp(seconds: number, nanos: number, out: BytesOut): string | undefined {
  if (!(seconds >= MIN_TIMESTAMP_SECONDS && seconds <= MAX_TIMESTAMP_SECONDS)) {
    return "a Timestamp outside of the years 0001 to 9999";
  }
  if (nanos < 0 || nanos >= NANOS_PER_SECOND) return "a Timestamp whose nanos are not from 0 to 999999999";
  // From here on all values are integers of 32 bits, and only days may be negative: `| 0` equals floor.
  const days = Math.floor(seconds / SECONDS_PER_DAY) | 0;
  const ofDay = (seconds - days * SECONDS_PER_DAY) | 0;
  const shifted = days + DAYS_TO_EPOCH;
  const era = (shifted / DAYS_PER_ERA) | 0;
  const dayOfEra = shifted - era * DAYS_PER_ERA;
  const leaps = ((dayOfEra / 1460) | 0) - ((dayOfEra / 36_524) | 0) + ((dayOfEra / 146_096) | 0);
  const yearOfEra = ((dayOfEra - leaps) / 365) | 0;
  const dayOfYear = dayOfEra - (365 * yearOfEra + (yearOfEra >> 2) - ((yearOfEra / 100) | 0));
  const monthFromMarch = ((5 * dayOfYear + 2) / 153) | 0;
  const day = dayOfYear - (((153 * monthFromMarch + 2) / 5) | 0) + 1;
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  const century = (year / 100) | 0;
  const minutes = (ofDay / 60) | 0;
  const hours = (minutes / 60) | 0;

  out.ensure(MAX_TIME_CHARS + 2);
  const { buf } = out;
  let { pos } = out;
  buf[pos++] = 0x22;
  pos = two(buf, pos, century);
  pos = two(buf, pos, year - century * 100);
  buf[pos++] = 0x2d;
  pos = two(buf, pos, month);
  buf[pos++] = 0x2d;
  pos = two(buf, pos, day);
  buf[pos++] = 0x54;
  pos = two(buf, pos, hours);
  buf[pos++] = 0x3a;
  pos = two(buf, pos, minutes - hours * 60);
  buf[pos++] = 0x3a;
  pos = two(buf, pos, ofDay - minutes * 60);
  pos = fraction(buf, pos, nanos);
  buf[pos++] = 0x5a;
  buf[pos++] = 0x22;
  out.pos = pos;
  return undefined;
}

/** Prints with its quotes; a string describes the error. */
export function writeDuration(seconds: number, nanos: number, out: BytesOut): string | undefined {
  if (!(Math.abs(seconds) <= MAX_DURATION_SECONDS)) return "a Duration of more than 315576000000 seconds";
  if (Math.abs(nanos) >= NANOS_PER_SECOND) return "a Duration whose nanos are more than 999999999";
  if ((seconds > 0 && nanos < 0) || (seconds < 0 && nanos > 0)) {
    return "a Duration whose nanos and seconds have different signs";
  }
  out.ensure(MAX_TIME_CHARS);
  out.buf[out.pos++] = 0x22;
  if (seconds === 0 && nanos < 0) out.buf[out.pos++] = 0x2d;
  out.integer(seconds);
  out.ensure(MAX_TIME_CHARS);
  out.pos = fraction(out.buf, out.pos, Math.abs(nanos));
  out.buf[out.pos++] = 0x73;
  out.buf[out.pos++] = 0x22;
  return undefined;
}

function two(buf: Uint8Array, pos: number, value: number): number {
  const tens = (value / 10) | 0;
  buf[pos] = 0x30 + tens;
  buf[pos + 1] = 0x30 + (value - tens * 10);
  return pos + 2;
}

/** `.500`: none, 3, 6 or 9 digits. */
function fraction(buf: Uint8Array, pos: number, nanos: number): number {
  if (nanos === 0) return pos;
  let count = 9;
  let value = nanos;
  while (value % 1000 === 0) {
    value /= 1000;
    count -= 3;
  }
  buf[pos] = 0x2e;
  for (let at = pos + count; at > pos; at--) {
    const rest = (value / 10) | 0;
    buf[at] = 0x30 + (value - rest * 10);
    value = rest;
  }
  return pos + count + 1;
}
