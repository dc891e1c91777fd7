// A service written frame by frame: each connection that a cluster makes to it is a RawPeer in the test's hand.
import type { Duplex } from "node:stream";
import { Flag, FrameType } from "#src/http2/wire/protocol.js";
import { duplexPair } from "#src/kit/net/duplex-pair.js";
import { block, type Fields, type Frame, frame, RawPeer, settings } from "../../support/frames.js";

export class ScriptedService {
  readonly address = "scripted";
  readonly peers: RawPeer[] = [];
  /** What each connection says first; undefined: nothing. */
  hello: Buffer | undefined = settings();

  answersPings = true;
  /** Acknowledges SETTINGS, as a service does that runs. Not before `hello`, which comes first. */
  answersSettings = false;

  readonly dial = (): Duplex => {
    const [near, far] = duplexPair();
    const peer = new RawPeer(far, "server");
    this.peers.push(peer);
    if (this.hello !== undefined) peer.send(this.hello);
    far.on("data", () => {
      if (this.answersPings) answerAll(peer, FrameType.PING);
      if (this.answersSettings) answerAll(peer, FrameType.SETTINGS);
    });
    return near;
  };

  /** The connection of that number, from 0; it must have been made. */
  peer(at: number): RawPeer {
    const peer = this.peers[at];
    if (peer === undefined) throw new Error(`there are ${this.peers.length} connections, not ${at + 1}`);
    return peer;
  }
}

const answered = new WeakMap<RawPeer, Map<number, number>>();

/** Acknowledges the frames of a type that have come since, with what is in a PING. */
function answerAll(peer: RawPeer, type: number): void {
  const counts = answered.get(peer) ?? new Map<number, number>();
  answered.set(peer, counts);
  const asked = framesOf(peer, type).filter((f) => (f.flags & Flag.ACK) === 0);
  for (const { payload } of asked.slice(counts.get(type) ?? 0))
    peer.send(frame(type, Flag.ACK, 0, type === FrameType.PING ? payload : Buffer.alloc(0)));
  counts.set(type, asked.length);
}

export const framesOf = (peer: RawPeer, type: number): Frame[] => peer.frames.filter((f) => f.type === type);
export const requestsOf = (peer: RawPeer): number[] => framesOf(peer, FrameType.HEADERS).map((f) => f.id);
export const resetsOf = (peer: RawPeer): number[] => framesOf(peer, FrameType.RST_STREAM).map((f) => f.id);

/** The head of an answer. */
export function answerHead(id: number): Buffer {
  const fields = [
    [":status", "200"],
    ["content-type", "application/grpc"],
  ] as const;
  return frame(FrameType.HEADERS, Flag.END_HEADERS, id, block(fields));
}

/** A whole answer, trailers only. */
export function answer(id: number, status = "0", ...more: Fields): Buffer {
  const fields = [
    [":status", "200"],
    ["content-type", "application/grpc"],
    ["grpc-status", status],
    ...more,
  ] as const;
  return frame(FrameType.HEADERS, Flag.END_HEADERS | Flag.END_STREAM, id, block(fields));
}

/** What ends an answer that has a head. */
export function trailers(id: number, status = "0", ...more: Fields): Buffer {
  return frame(
    FrameType.HEADERS,
    Flag.END_HEADERS | Flag.END_STREAM,
    id,
    block([["grpc-status", status], ...more]),
  );
}
