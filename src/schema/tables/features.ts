// The features of a field or an enum by its edition, and how options change them (protobuf.dev/editions/features).
import type { SupportedEdition } from "@bufbuild/protobuf";
import {
  Edition,
  type FeatureSet,
  FeatureSet_EnumType,
  FeatureSet_FieldPresence,
  FeatureSet_MessageEncoding,
  FeatureSet_RepeatedFieldEncoding,
  FeatureSet_Utf8Validation,
  type FileDescriptorProto,
} from "@bufbuild/protobuf/wkt";

/** Those that change how messages are read or written. */
export interface Features {
  readonly fieldPresence: FeatureSet_FieldPresence;
  readonly enumType: FeatureSet_EnumType;
  readonly repeatedFieldEncoding: FeatureSet_RepeatedFieldEncoding;
  readonly utf8Validation: FeatureSet_Utf8Validation;
  readonly messageEncoding: FeatureSet_MessageEncoding;
}

const PROTO2: Features = {
  fieldPresence: FeatureSet_FieldPresence.EXPLICIT,
  enumType: FeatureSet_EnumType.CLOSED,
  repeatedFieldEncoding: FeatureSet_RepeatedFieldEncoding.EXPANDED,
  utf8Validation: FeatureSet_Utf8Validation.NONE,
  messageEncoding: FeatureSet_MessageEncoding.LENGTH_PREFIXED,
};
const PROTO3: Features = {
  fieldPresence: FeatureSet_FieldPresence.IMPLICIT,
  enumType: FeatureSet_EnumType.OPEN,
  repeatedFieldEncoding: FeatureSet_RepeatedFieldEncoding.PACKED,
  utf8Validation: FeatureSet_Utf8Validation.VERIFY,
  messageEncoding: FeatureSet_MessageEncoding.LENGTH_PREFIXED,
};
/** The editions since differ in nothing that concerns messages. */
const EDITION_2023: Features = { ...PROTO3, fieldPresence: FeatureSet_FieldPresence.EXPLICIT };

/** The features of a file without its own. */
export function defaultFeatures(edition: SupportedEdition): Features {
  if (edition === Edition.EDITION_PROTO2) return PROTO2;
  return edition === Edition.EDITION_PROTO3 ? PROTO3 : EDITION_2023;
}

/** The features of a declaration within `outer` with these of its own. */
export function withFeatures(outer: Features, own: FeatureSet | undefined): Features {
  if (own === undefined) return outer;
  return {
    fieldPresence: own.fieldPresence || outer.fieldPresence,
    enumType: own.enumType || outer.enumType,
    repeatedFieldEncoding: own.repeatedFieldEncoding || outer.repeatedFieldEncoding,
    utf8Validation: own.utf8Validation || outer.utf8Validation,
    messageEncoding: own.messageEncoding || outer.messageEncoding,
  };
}

/** The edition of a file; undefined: the hub does not know its syntax or edition. */
export function editionOf({ syntax, edition }: FileDescriptorProto): SupportedEdition | undefined {
  if (syntax === "" || syntax === "proto2") return Edition.EDITION_PROTO2;
  if (syntax === "proto3") return Edition.EDITION_PROTO3;
  if (syntax !== "editions") return undefined;
  if (edition === Edition.EDITION_UNSTABLE) return Edition.EDITION_2026;
  return isSupported(edition) ? edition : undefined;
}

function isSupported(edition: Edition): edition is SupportedEdition {
  return edition >= Edition.EDITION_PROTO2 && edition <= Edition.EDITION_2026;
}
