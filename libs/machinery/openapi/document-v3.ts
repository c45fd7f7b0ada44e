/**
 * OpenAPI v3: one document for each group version (`/openapi/v3/apis/apps/v1`), and the index that names them
 * (`/openapi/v3`). Documents are made when asked for; their schemas reach no further than their own paths do.
 */
import type { SchemaSet } from '../schema/ir.ts';
import { commonParameters, inOrder, type OpenApiOptions, sameParameter } from './document-v2.ts';
import {
  type Content,
  groupPath,
  type OpenApiGroup,
  type Operation,
  type PathItem,
  serverPaths,
  type TypeOf,
  versionPaths,
} from './operations.ts';
import type { Parameter } from './parameters.ts';
import { statusText } from './responses.ts';
import { type JsonSchema, Schemas } from './schemas.ts';

/** A document by its place below `/openapi/v3/`: `api/v1`, `apis/apps/v1`, `version`. */
export interface OpenApiV3Part {
  readonly place: string;
  document(): JsonSchema;
}

/** All documents of a server; group versions in the order given. */
export function openApiV3(
  set: SchemaSet,
  typeOf: TypeOf,
  groups: readonly OpenApiGroup[],
  options: OpenApiOptions,
): OpenApiV3Part[] {
  const part = (place: string, items: () => PathItem[]): OpenApiV3Part => ({
    place,
    document: () => openApiV3Document(set, items(), options),
  });
  return [
    ...serverParts().map(([place, items]) => part(place, () => items)),
    ...groups.flatMap(({ name, versions }) => [
      ...(name === '' ? [] : [part(`apis/${name}`, () => [groupPath(name)])]),
      ...versions.map((version) =>
        part(name === '' ? `api/${version.version}` : `apis/${name}/${version.version}`, () =>
          versionPaths(set, typeOf, name, version),
        ),
      ),
    ]),
  ];
}

/** Paths that are no group's, each by itself; those of log files together. */
function serverParts(): [string, PathItem[]][] {
  const parts = new Map<string, PathItem[]>();
  for (const item of serverPaths()) {
    const place = item.path.replace(/^\/|\/$|\/\{.*$/g, '').replace(/\/$/, '');
    parts.set(place, [...(parts.get(place) ?? []), item]);
  }
  return [...parts];
}

/** The index. `hashOf` makes a document's hash, by which clients cache it. */
export function openApiV3Index(parts: readonly OpenApiV3Part[], hashOf: (part: OpenApiV3Part) => string): JsonSchema {
  const paths = [...parts]
    .sort((a, b) => (a.place < b.place ? -1 : 1))
    .map((part) => [part.place, { serverRelativeURL: `/openapi/v3/${part.place}?hash=${hashOf(part)}` }]);
  return { paths: Object.fromEntries(paths) };
}

export function openApiV3Document(set: SchemaSet, items: readonly PathItem[], options: OpenApiOptions): JsonSchema {
  const writer = new V3Writer(new Schemas(set, 'v3', options.describe));
  const paths = Object.fromEntries(
    [...items].sort((a, b) => (a.path < b.path ? -1 : 1)).map((item) => [item.path, writer.item(item)]),
  );
  for (const type of options.types ?? []) writer.schemas.refTo(type);
  return {
    openapi: '3.0.0',
    info: { title: 'Kubernetes', version: options.version },
    paths,
    components: {
      schemas: writer.schemas.all(),
      securitySchemes: {
        BearerToken: { type: 'apiKey', name: 'authorization', in: 'header', description: 'Bearer token' },
      },
    },
  };
}

class V3Writer {
  readonly schemas: Schemas;

  constructor(schemas: Schemas) {
    this.schemas = schemas;
  }

  item(item: PathItem): JsonSchema {
    const common = commonParameters(item);
    const out: JsonSchema = {};
    for (const operation of item.operations) {
      const own = operation.parameters.filter((one) => !common.some((other) => sameParameter(one, other)));
      out[operation.method] = this.#operation(operation, own);
    }
    if (common.length > 0) out['parameters'] = inOrder(common).map(parameter);
    return out;
  }

  #operation(operation: Operation, parameters: readonly Parameter[]): JsonSchema {
    const body = parameters.find((one) => one.in === 'body');
    const rest = parameters.filter((one) => one.in !== 'body');
    return {
      tags: [operation.tag],
      operationId: operation.id,
      ...(rest.length > 0 ? { parameters: inOrder(rest).map(parameter) } : {}),
      ...(body?.content
        ? {
            requestBody: {
              content: this.#media(operation.consumes ?? ['*/*'], body.content),
              ...(body.required ? { required: true } : {}),
            },
          }
        : {}),
      responses: Object.fromEntries(
        operation.responses.map(({ code, content }) => [
          String(code),
          {
            description: statusText(code),
            ...(content ? { content: this.#media(operation.produces ?? ['*/*'], content) } : {}),
          },
        ]),
      ),
      ...(operation.action ? { 'x-kubernetes-action': operation.action } : {}),
      ...(operation.gvk ? { 'x-kubernetes-group-version-kind': operation.gvk } : {}),
    };
  }

  #media(types: readonly string[], content: Content): JsonSchema {
    const schema = 'text' in content ? { type: 'string' } : this.schemas.refTo(content.type);
    return Object.fromEntries(types.map((type) => [type, { schema }]));
  }
}

function parameter({ name, in: place, required, type }: Parameter): JsonSchema {
  return { name, in: place, ...(required ? { required: true } : {}), schema: { type, uniqueItems: true } };
}
