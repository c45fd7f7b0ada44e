/**
 * The v2 document as protobuf, `application/com.github.proto-openapi.spec.v2.v1.0+protobuf`: what client-go asks for
 * before it takes JSON. The message types are gnostic's `openapi.v2`; of them those that a server's document has.
 *
 * Maps are lists of named values there, extensions (`x-…`) are YAML text, and a value of proto3 that is zero is not
 * written.
 */
import { ProtobufWriter } from '../codec/protobuf/writer.ts';
import type { JsonSchema } from './schemas.ts';

/** Writes the content of a message, last field first. */
type Write = (writer: ProtobufWriter, value: never) => void;

type Kind =
  | { k: 'string' | 'bool' | 'double' | 'integer' | 'any' }
  | { k: 'message'; of: () => Write }
  /** The message repeats for every item of a list. */
  | { k: 'list'; of: Kind }
  /** A message that holds named values, one for each member of an object. */
  | { k: 'named'; number: number; of: Kind };

interface FieldOf {
  key: string;
  number: number;
  kind: Kind;
}

const string: Kind = { k: 'string' };
const bool: Kind = { k: 'bool' };
const double: Kind = { k: 'double' };
const integer: Kind = { k: 'integer' };
const any: Kind = { k: 'any' };
const list = (of: Kind): Kind => ({ k: 'list', of });
const strings = list(string);
const message = (of: () => Write): Kind => ({ k: 'message', of });
const named = (of: Kind, number = 1): Kind => ({ k: 'named', number, of });

function head(writer: ProtobufWriter, number: number, before: number): void {
  writer.varint(writer.length - before);
  writer.varint(number * 8 + 2);
}

function writeField(writer: ProtobufWriter, number: number, kind: Kind, value: unknown): void {
  const before = writer.length;
  switch (kind.k) {
    case 'string':
      if (value === '') return;
      writer.text(value as string);
      break;
    case 'bool':
      if (value !== true) return;
      writer.byte(1);
      writer.varint(number * 8);
      return;
    case 'integer':
      if (value === 0) return;
      writer.integer(value as number);
      writer.varint(number * 8);
      return;
    case 'double':
      if (value === 0) return;
      writer.double(value as number);
      writer.varint(number * 8 + 1);
      return;
    case 'any':
      writeField(writer, 2, string, `${JSON.stringify(value)}\n`);
      break;
    case 'message':
      kind.of()(writer, value as never);
      break;
    case 'list':
      for (const item of (value as unknown[]).toReversed()) writeField(writer, number, kind.of, item);
      return;
    case 'named':
      writeNamed(writer, kind.number, kind.of, Object.entries(value as object));
      break;
  }
  head(writer, number, before);
}

function writeNamed(writer: ProtobufWriter, number: number, kind: Kind, entries: readonly [string, unknown][]): void {
  for (const [name, value] of entries.toReversed()) {
    const before = writer.length;
    writeField(writer, 2, kind, value);
    writeField(writer, 1, string, name);
    head(writer, number, before);
  }
}

/** A message of plain fields, by JSON key; `extensions` is the number under which `x-…` keys go. */
function record(fields: Record<string, readonly [number, Kind]>, extensions?: number): Write {
  const ordered: FieldOf[] = Object.entries(fields)
    .map(([key, [number, kind]]) => ({ key, number, kind }))
    .sort((a, b) => b.number - a.number);
  return (writer: ProtobufWriter, value: JsonSchema) => {
    // In every message extensions have the highest number.
    if (extensions !== undefined) {
      writeNamed(
        writer,
        extensions,
        any,
        Object.entries(value).filter(([key]) => key.startsWith('x-')),
      );
    }
    for (const { key, number, kind } of ordered) {
      if (value[key] !== undefined) writeField(writer, number, kind, value[key]);
    }
  };
}

/** A message with one field chosen by the value. */
function choice(choose: (value: JsonSchema) => readonly [number, Kind]): Write {
  return (writer: ProtobufWriter, value: JsonSchema) => {
    const [number, kind] = choose(value);
    writeField(writer, number, kind, value);
  };
}

/** A message whose one field repeats, written from a list or from a single value. */
const repeated = (of: Kind): Write =>
  ((writer: ProtobufWriter, value: unknown) =>
    writeField(writer, 1, list(of), Array.isArray(value) ? value : [value])) as Write;

const schemaKind = message(() => schema);

const schema: Write = record(
  {
    $ref: [1, string],
    format: [2, string],
    title: [3, string],
    description: [4, string],
    default: [5, any],
    multipleOf: [6, double],
    maximum: [7, double],
    exclusiveMaximum: [8, bool],
    minimum: [9, double],
    exclusiveMinimum: [10, bool],
    maxLength: [11, integer],
    minLength: [12, integer],
    pattern: [13, string],
    maxItems: [14, integer],
    minItems: [15, integer],
    uniqueItems: [16, bool],
    maxProperties: [17, integer],
    minProperties: [18, integer],
    required: [19, strings],
    enum: [20, list(any)],
    additionalProperties: [
      21,
      message(() =>
        choice((value) => ((value as unknown) === true || (value as unknown) === false ? [2, bool] : [1, schemaKind])),
      ),
    ],
    type: [22, message(() => repeated(string))],
    items: [23, message(() => repeated(schemaKind))],
    allOf: [24, list(schemaKind)],
    properties: [25, named(schemaKind)],
    example: [30, any],
  },
  31,
);

const bodyParameter = record(
  { description: [1, string], name: [2, string], in: [3, string], required: [4, bool], schema: [5, schemaKind] },
  6,
);
const queryParameter = record(
  {
    required: [1, bool],
    in: [2, string],
    description: [3, string],
    name: [4, string],
    type: [6, string],
    uniqueItems: [20, bool],
  },
  23,
);
const pathParameter = record(
  {
    required: [1, bool],
    in: [2, string],
    description: [3, string],
    name: [4, string],
    type: [5, string],
    uniqueItems: [19, bool],
  },
  22,
);
const otherParameter = choice((value) =>
  value['in'] === 'path' ? [4, message(() => pathParameter)] : [3, message(() => queryParameter)],
);
const parameter = choice((value) =>
  value['in'] === 'body' ? [1, message(() => bodyParameter)] : [2, message(() => otherParameter)],
);
const reference = record({ $ref: [1, string], description: [2, string] });
const parametersItem = choice((value) =>
  '$ref' in value ? [2, message(() => reference)] : [1, message(() => parameter)],
);

const response = record({ description: [1, string], schema: [2, message(() => choice(() => [1, schemaKind]))] }, 5);
const responseValue = choice(() => [1, message(() => response)]);
const securityRequirement: Write = (writer, value: Record<string, string[]>) =>
  writeNamed(
    writer,
    1,
    message(() => repeatedOrNothing),
    Object.entries(value),
  );
const repeatedOrNothing: Write = (writer, value: string[]) => writeField(writer, 1, strings, value);

const operation = record(
  {
    tags: [1, strings],
    description: [3, string],
    operationId: [5, string],
    produces: [6, strings],
    consumes: [7, strings],
    parameters: [8, list(message(() => parametersItem))],
    responses: [9, named(message(() => responseValue))],
    schemes: [10, strings],
    deprecated: [11, bool],
  },
  13,
);

const operationKind = message(() => operation);
const pathItem = record(
  {
    get: [2, operationKind],
    put: [3, operationKind],
    post: [4, operationKind],
    delete: [5, operationKind],
    options: [6, operationKind],
    head: [7, operationKind],
    patch: [8, operationKind],
    parameters: [9, list(message(() => parametersItem))],
  },
  10,
);

const apiKeySecurity = record({ type: [1, string], name: [2, string], in: [3, string], description: [4, string] }, 5);

const document = record({
  swagger: [1, string],
  info: [2, message(() => record({ title: [1, string], version: [2, string] }))],
  // Paths keep their extensions first.
  paths: [
    8,
    named(
      message(() => pathItem),
      2,
    ),
  ],
  definitions: [9, named(schemaKind)],
  parameters: [10, named(message(() => parameter))],
  security: [12, list(message(() => securityRequirement))],
  securityDefinitions: [13, named(message(() => choice(() => [2, message(() => apiKeySecurity)])))],
});

/** The document that `openApiV2` made, in protobuf. */
export function openApiV2Protobuf(made: JsonSchema): Uint8Array<ArrayBuffer> {
  const writer = new ProtobufWriter(1 << 20);
  document(writer, made as never);
  return writer.finish();
}
