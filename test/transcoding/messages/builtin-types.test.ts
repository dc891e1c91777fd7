// The error details that the hub knows by itself are those that are published.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import {
  createFileRegistry,
  createRegistry,
  type DescField,
  type DescMessage,
  fromBinary,
} from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { withBuiltinTypes } from "#src/transcoding/messages/builtin-types.js";
import { ROOT } from "../../e2e/support/program.js";

const image = fromBinary(FileDescriptorSetSchema, readFileSync(join(ROOT, "generated/image.binpb")));
const published = createFileRegistry(image).getFile("google/rpc/error_details.proto") ?? assert.fail();
const builtin = withBuiltinTypes(createRegistry());

function shapeOf(field: DescField): object {
  const { name, jsonName, number, fieldKind, scalar, presence } = field;
  const map = field.fieldKind === "map" ? [field.mapKey, field.mapKind] : undefined;
  const list = field.fieldKind === "list" ? field.listKind : undefined;
  return { name, jsonName, number, fieldKind, scalar, presence, map, list, message: field.message?.typeName };
}

function* messagesIn(messages: readonly DescMessage[]): Generator<DescMessage> {
  for (const message of messages) {
    yield message;
    yield* messagesIn(message.nestedMessages);
  }
}

for (const message of messagesIn(published.messages))
  test(message.typeName, () => {
    const own = builtin.getMessage(message.typeName) ?? assert.fail("it is not known");
    assert.deepEqual(own.fields.map(shapeOf), message.fields.map(shapeOf));
  });
