// A strict reader of the Prometheus text format 0.0.4: whatever promtool would complain of is an error here.
import assert from "node:assert/strict";

export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface ReadFamily {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly samples: readonly Sample[];
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/;
const SUFFIXES: Readonly<Record<string, readonly string[]>> = {
  counter: [""],
  gauge: [""],
  histogram: ["_bucket", "_sum", "_count"],
};

export function readPrometheus(text: string): ReadonlyMap<string, ReadFamily> {
  assert.ok(text === "" || text.endsWith("\n"), "the last line ends");
  const families = new Map<string, ReadFamily & { samples: Sample[] }>();
  const seen = new Set<string>();
  let current: (ReadFamily & { samples: Sample[] }) | undefined;
  let help: { name: string; text: string } | undefined;
  for (const line of text.split("\n").slice(0, -1)) {
    const [, helped, about] = /^# HELP (\S+) (.*)$/.exec(line) ?? [];
    const [, typed, type] = /^# TYPE (\S+) (counter|gauge|histogram)$/.exec(line) ?? [];
    if (helped !== undefined) {
      help = { name: helped, text: about ?? "" };
    } else if (typed !== undefined && type !== undefined) {
      assert.match(typed, NAME);
      assert.equal(help?.name, typed, `HELP before TYPE of ${typed}`);
      assert.ok(!families.has(typed), `${typed} comes twice`);
      if (type === "counter") assert.match(typed, /_total$/);
      current = { name: typed, type, help: help?.text ?? "", samples: [] };
      families.set(typed, current);
    } else {
      const [, name = "", labelText = "", number = ""] = SAMPLE.exec(line) ?? [];
      assert.ok(name !== "", `no sample: ${line}`);
      const family = current;
      assert.ok(family !== undefined, `a sample without a TYPE: ${line}`);
      const suffixes = SUFFIXES[family.type] ?? [];
      assert.ok(
        suffixes.some((suffix) => family.name + suffix === name),
        `${name} in ${family.name}`,
      );
      assert.match(number, /^(?:[+-]?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|Inf)|NaN)$/, line);
      const value = number.endsWith("Inf") ? Number(number.replace("Inf", "Infinity")) : Number(number);
      const labels = readLabels(labelText, line);
      const key = `${name} ${JSON.stringify(Object.entries(labels).sort())}`;
      assert.ok(!seen.has(key), `twice: ${line}`);
      seen.add(key);
      family.samples.push({ name, labels, value });
    }
  }
  for (const family of families.values()) if (family.type === "histogram") checkHistogram(family);
  return families;
}

function readLabels(text: string, line: string): Record<string, string> {
  const labels: Record<string, string> = {};
  for (let rest = text; rest !== ""; ) {
    const [whole = "", name = "", value = ""] = LABEL.exec(rest) ?? [];
    assert.ok(whole !== "", `labels of ${line}`);
    assert.ok(!(name in labels), `${name} twice in ${line}`);
    labels[name] = value.replace(/\\(.)/g, (_, c: string) => (c === "n" ? "\n" : c));
    rest = rest.slice(whole.length);
  }
  return labels;
}

/** Buckets are cumulative, end in +Inf, and agree with the count. */
function checkHistogram({ name, samples }: ReadFamily): void {
  const series = new Map<string, { bounds: number[]; counts: number[]; count: number; sum: boolean }>();
  for (const { name: sample, labels, value } of samples) {
    const { le, ...rest } = labels;
    const key = JSON.stringify(Object.entries(rest).sort());
    const own = series.get(key) ?? { bounds: [], counts: [], count: -1, sum: false };
    series.set(key, own);
    if (sample.endsWith("_bucket")) {
      own.bounds.push(le === "+Inf" ? Number.POSITIVE_INFINITY : Number(le));
      own.counts.push(value);
    } else {
      assert.equal(le, undefined);
      if (sample.endsWith("_count")) own.count = value;
      else own.sum = true;
    }
  }
  for (const [key, { bounds, counts, count, sum }] of series) {
    assert.deepEqual(
      bounds,
      [...new Set(bounds)].sort((a, b) => a - b),
      `${name} ${key}`,
    );
    assert.equal(bounds.at(-1), Number.POSITIVE_INFINITY);
    assert.deepEqual(
      counts,
      counts.toSorted((a, b) => a - b),
    );
    assert.equal(counts.at(-1), count);
    assert.ok(sum);
  }
}

/** The sum of the samples of that name whose labels have these values. */
export function sampleValue(
  families: ReadonlyMap<string, ReadFamily>,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number {
  const family = families.get(name.replace(/_(?:bucket|sum|count)$/, "")) ?? families.get(name);
  const fitting = (family?.samples ?? []).filter(
    (sample) =>
      sample.name === name && Object.entries(labels).every(([key, value]) => sample.labels[key] === value),
  );
  return fitting.reduce((sum, { value }) => sum + value, 0);
}
