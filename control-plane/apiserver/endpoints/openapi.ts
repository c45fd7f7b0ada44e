import { stringify } from '../../../libs/machinery/codec/json.ts';
import type { TypeOf } from '../../../libs/machinery/codec/protobuf/protobuf.ts';
import { methodNotAllowed } from '../../../libs/machinery/errors.ts';
import { type OpenApiOptions, openApiV2 } from '../../../libs/machinery/openapi/document-v2.ts';
import { type OpenApiV3Part, openApiV3, openApiV3Index } from '../../../libs/machinery/openapi/document-v3.ts';
import type { OpenApiGroup } from '../../../libs/machinery/openapi/operations.ts';
import { openApiV2Protobuf } from '../../../libs/machinery/openapi/protobuf-v2.ts';
import type { Describe } from '../../../libs/machinery/openapi/schemas.ts';
import type { SchemaSet, StructType, TypeName } from '../../../libs/machinery/schema/ir.ts';
import { withTypes } from '../../../libs/machinery/schema/set.ts';
import type { Aggregator } from '../aggregation/aggregator.ts';
import { type Document, mergeV2, type RemoteOpenApi } from '../aggregation/remote-openapi.ts';
import type { ApiRequest, ApiResponse } from '../api.ts';
import { header } from '../headers.ts';
import type { KindSet } from '../registry/kind-set.ts';
import { respond, textResponse, wholeBody } from '../responses.ts';
import type { Endpoint } from '../server.ts';
import { describeGroups } from './discovery.ts';

export interface OpenApiEndpointOptions {
  readonly kinds: KindSet;
  readonly schema: SchemaSet;
  readonly typeOf: TypeOf;
  readonly version: string;
  readonly describe?: Describe;
  sha256(text: string): Uint8Array;
  /** Whose groups are others'. */
  readonly aggregator?: Pick<Aggregator, 'openApi' | 'openApiPart'>;
}

// What clients ask for has an @ (spec.v2@v1.0), which is no media type: they could not read the answer under that name.
const V2_PROTOBUF = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf';

const NOBODY: readonly RemoteOpenApi[] = [];

/** `/openapi/v2` and `/openapi/v3`: made at the first question, and anew after kinds have come or gone. */
export function openApiEndpoint(options: OpenApiEndpointOptions): Endpoint {
  const { aggregator } = options;
  const remotes = () => aggregator?.openApi ?? NOBODY;
  let documents = new Documents(options, NOBODY);
  options.kinds.onChange(() => {
    documents = new Documents(options, remotes());
  });
  return {
    async handle(_server, ctx, request) {
      if (!request.path.startsWith('/openapi/')) return undefined;
      if (request.method !== 'GET') throw methodNotAllowed();
      if (documents.remotes !== remotes()) documents = new Documents(options, remotes());
      if (request.path === '/openapi/v2') return v2(documents, request);
      if (request.path === '/openapi/v3' || request.path === '/openapi/v3/') return json(documents.v3Index);
      const place = request.path.slice('/openapi/v3/'.length);
      const theirs = await aggregator?.openApiPart(ctx, request, place.replace(/^apis\//, ''));
      if (theirs) return theirs;
      const part = documents.v3.get(place);
      return part
        ? { ...json(part.bytes()), headers: { etag: `"${part.hash()}"` } }
        : textResponse(404, '404 page not found\n');
    },
  };
}

function v2(documents: Documents, request: ApiRequest): ApiResponse {
  const accept = header(request, 'accept') ?? '';
  if (!accept.includes('proto-openapi.spec.v2')) return json(documents.v2);
  const bytes = documents.v2Protobuf;
  return respond(200, { form: 'whole', contentType: V2_PROTOBUF, bytes: () => [bytes], value: () => bytes });
}

function json(bytes: Uint8Array): ApiResponse {
  return respond(200, {
    ...wholeBody({ value: undefined }),
    bytes: () => [bytes],
    value: () => JSON.parse(new TextDecoder().decode(bytes)),
  });
}

interface LazyPart {
  bytes(): Uint8Array;
  hash(): string;
}

/** The documents of one set of kinds, each made once. */
class Documents {
  readonly #options: OpenApiEndpointOptions;
  readonly remotes: readonly RemoteOpenApi[];
  readonly #made = new Map<string, Uint8Array>();
  #parts: ReadonlyMap<string, LazyPart> | undefined;

  constructor(options: OpenApiEndpointOptions, remotes: readonly RemoteOpenApi[]) {
    this.#options = options;
    this.remotes = remotes;
  }

  get v2(): Uint8Array {
    return this.#once('v2', () => new TextEncoder().encode(stringify(this.#merged())));
  }

  get v2Protobuf(): Uint8Array {
    return this.#once('v2 protobuf', () => {
      if (this.remotes.length > 0) {
        try {
          return openApiV2Protobuf(this.#merged());
        } catch {
          // Somebody else's document may have any form; without it the server's own can still be told.
        }
      }
      return openApiV2Protobuf(this.#v2Document());
    });
  }

  get v3Index(): Uint8Array {
    return this.#once('v3', () => {
      const index = openApiV3Index(this.#v3Parts(), (part) => this.v3.get(part.place)?.hash() ?? '');
      const paths = { ...(index['paths'] as Record<string, unknown>) };
      for (const { groupVersion, v3Url } of this.remotes) {
        if (v3Url !== undefined) paths[`apis/${groupVersion}`] = { serverRelativeURL: v3Url };
      }
      return new TextEncoder().encode(stringify({ ...index, paths }));
    });
  }

  get v3(): ReadonlyMap<string, LazyPart> {
    this.#parts ??= new Map(
      this.#v3Parts().map((part) => {
        const bytes = () => this.#once(`v3 ${part.place}`, () => new TextEncoder().encode(stringify(part.document())));
        const hash = () =>
          hex(this.#options.sha256(new TextDecoder().decode(bytes())))
            .toUpperCase()
            .repeat(2);
        return [part.place, { bytes, hash }];
      }),
    );
    return this.#parts;
  }

  #v3Parts(): OpenApiV3Part[] {
    const { schema, typeOf } = this.#types();
    return openApiV3(schema, typeOf, this.#groups(), this.#documentOptions());
  }

  #merged(): Document {
    return mergeV2(this.#v2Document(), this.remotes);
  }

  #v2Document() {
    const { schema, typeOf } = this.#types();
    return openApiV2(schema, typeOf, this.#groups(), this.#documentOptions());
  }

  #documentOptions(): OpenApiOptions {
    const { version, describe } = this.#options;
    return { version, ...(describe ? { describe } : {}) };
  }

  /** The built-in types and those of custom resources. */
  #types(): { schema: SchemaSet; typeOf: TypeOf } {
    const { kinds, schema: builtin, typeOf } = this.#options;
    const custom = new Map<TypeName, StructType>();
    const byKind = new Map<string, TypeName>();
    for (const { schema, served, group, version } of kinds.served) {
      if (schema === builtin) continue;
      for (const name of schema.names) {
        if (builtin.has(name) || !(name === served.type || name.startsWith(`${served.type}:`))) continue;
        const type = schema.get(name);
        custom.set(name, type);
        for (const { kind } of type.gvk ?? []) byKind.set(`${group}/${version}/${kind}`, name);
      }
    }
    return {
      schema: withTypes(builtin, [...custom.values()]),
      typeOf: (group, version, kind) => typeOf(group, version, kind) ?? byKind.get(`${group}/${version}/${kind}`),
    };
  }

  #groups(): OpenApiGroup[] {
    const { kinds, schema, sha256 } = this.#options;
    return (describeGroups(kinds.served, sha256) as OpenApiGroup[]).map(({ name, versions }) => ({
      name,
      versions: versions.map(({ version, resources }) => ({
        version,
        resources: resources.map((resource) => {
          const custom = kinds.find(name, version, resource.name)?.schema !== schema;
          return custom ? { ...resource, custom } : resource;
        }),
      })),
    }));
  }

  #once(name: string, make: () => Uint8Array): Uint8Array {
    let made = this.#made.get(name);
    if (!made) this.#made.set(name, (made = make()));
    return made;
  }
}

const hex = (bytes: Uint8Array) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
