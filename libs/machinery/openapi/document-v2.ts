/** The OpenAPI v2 document: `/openapi/v2`. */
import type { SchemaSet } from '../schema/ir.ts';
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
import { type Describe, type JsonSchema, Schemas } from './schemas.ts';

export interface OpenApiOptions {
  /** The server's version: `v1.36.0`. */
  readonly version: string;
  readonly describe?: Describe;
  /** Types that are published though no path refers to them. */
  readonly types?: readonly string[];
}

/** The whole document, for all groups that are served. */
export function openApiV2(
  set: SchemaSet,
  typeOf: TypeOf,
  groups: readonly OpenApiGroup[],
  options: OpenApiOptions,
): JsonSchema {
  const writer = new V2Writer(new Schemas(set, 'v2', options.describe));
  const items = [
    ...serverPaths(),
    ...groups.filter(({ name }) => name !== '').map(({ name }) => groupPath(name)),
    ...groups.flatMap(({ name, versions }) => versions.flatMap((version) => versionPaths(set, typeOf, name, version))),
  ];
  const paths = Object.fromEntries(items.sort(byPath).map((item) => [item.path, writer.item(item)]));
  for (const type of options.types ?? []) writer.schemas.refTo(type);
  return {
    swagger: '2.0',
    info: { title: 'Kubernetes', version: options.version },
    paths,
    definitions: writer.schemas.all(),
    parameters: writer.shared(),
    securityDefinitions: {
      BearerToken: { type: 'apiKey', name: 'authorization', in: 'header', description: 'Bearer token' },
    },
    security: [{ BearerToken: [] }],
  };
}

const byPath = (a: PathItem, b: PathItem): number => (a.path < b.path ? -1 : 1);

/** Whether two mean the same parameter. */
export const sameParameter = (a: Parameter, b: Parameter): boolean =>
  a.name === b.name && a.in === b.in && a.shared === b.shared;

/** Parameters that every operation of a path takes, and the order in which they stand: by name, those in the path first. */
export function commonParameters({ operations }: PathItem): Parameter[] {
  const [first, ...rest] = operations;
  return (first?.parameters ?? []).filter(
    (one) => one.in !== 'body' && rest.every(({ parameters }) => parameters.some((other) => sameParameter(one, other))),
  );
}

export function inOrder(parameters: readonly Parameter[]): Parameter[] {
  const key = ({ name, in: place }: Parameter): string => `${name} ${place}`;
  return [...parameters].sort((a, b) => (key(a) < key(b) ? -1 : 1));
}

class V2Writer {
  readonly schemas: Schemas;
  readonly #shared = new Map<string, JsonSchema>();

  constructor(schemas: Schemas) {
    this.schemas = schemas;
  }

  shared(): Record<string, JsonSchema> {
    return Object.fromEntries([...this.#shared].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  item(item: PathItem): JsonSchema {
    const common = commonParameters(item);
    const out: JsonSchema = {};
    for (const operation of item.operations) {
      const own = operation.parameters.filter((one) => !common.some((other) => sameParameter(one, other)));
      out[operation.method] = this.#operation(operation, own);
    }
    if (common.length > 0) out['parameters'] = inOrder(common).map((one) => this.#parameter(one));
    return out;
  }

  #operation(operation: Operation, parameters: readonly Parameter[]): JsonSchema {
    return {
      ...(operation.consumes ? { consumes: operation.consumes } : {}),
      operationId: operation.id,
      ...(parameters.length > 0 ? { parameters: inOrder(parameters).map((one) => this.#parameter(one)) } : {}),
      ...(operation.produces ? { produces: operation.produces } : {}),
      responses: Object.fromEntries(
        operation.responses.map(({ code, content }) => [
          String(code),
          { description: statusText(code), ...(content ? { schema: this.#content(content) } : {}) },
        ]),
      ),
      schemes: ['https'],
      tags: [operation.tag],
      ...(operation.action ? { 'x-kubernetes-action': operation.action } : {}),
      ...(operation.gvk ? { 'x-kubernetes-group-version-kind': operation.gvk } : {}),
    };
  }

  #content(content: Content): JsonSchema {
    return 'text' in content ? { type: 'string' } : this.schemas.refTo(content.type);
  }

  #parameter(parameter: Parameter): JsonSchema {
    const written: JsonSchema = {
      in: parameter.in,
      name: parameter.name,
      ...(parameter.required ? { required: true } : {}),
      ...(parameter.content
        ? { schema: this.#content(parameter.content) }
        : { type: parameter.type, uniqueItems: true }),
    };
    if (!parameter.shared) return written;
    this.#shared.set(parameter.shared, written);
    return { $ref: `#/parameters/${parameter.shared}` };
  }
}
