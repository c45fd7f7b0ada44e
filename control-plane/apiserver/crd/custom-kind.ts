import type { CustomResourceDefinition } from '../../../api/types/apiextensions/v1.generated.ts';
import type { Kind, ServedVersion, Subresource } from '../../../libs/kind/kind.ts';
import { type ApiObject, apiVersionOf, type DeepReadonly } from '../../../libs/kind/object.ts';
import type { Verb } from '../../../libs/kind/request.ts';
import { normalize } from '../../../libs/machinery/codec/json.ts';
import type { GroupKind } from '../../../libs/machinery/gvk.ts';
import { compareVersions } from '../../../libs/machinery/gvk.ts';
import type { SchemaSet, TypeName } from '../../../libs/machinery/schema/ir.ts';
import { withTypes } from '../../../libs/machinery/schema/set.ts';
import type { Schema } from '../../../libs/structural-schema/schema.ts';
import { listTypeOf, structTypeOf } from '../../../libs/structural-schema/struct-type.ts';
import type { CelObserver } from '../cel-observer.ts';
import { columnsOf } from './columns.ts';
import { type Converter, webhookConversion } from './conversion.ts';
import { rulesOfVersion, type VersionRules } from './rules.ts';
import { scaleOf } from './scale.ts';
import { convertedFieldsOf, convertedLabelsOf, selectableFieldsOf } from './selectable-fields.ts';
import { strategiesOf } from './strategy.ts';

export type Definition = DeepReadonly<CustomResourceDefinition>;
export type DefinitionVersion = Definition['spec']['versions'][number];

/**
 * What a definition comes to. All versions share one cache and one store; what a version may decide for itself (rules,
 * columns, subresources) is in a kind of its own.
 */
export interface CustomResource {
  /** Knows all versions; for the watch cache. */
  readonly kind: Kind;
  /** One for each served version, which has just that one; for paths. */
  readonly served: readonly Kind[];
  /** The built-in types and those of all versions. */
  readonly schema: SchemaSet;
}

/** The schema of a version, as the definition states it. */
export function schemaOf(version: DefinitionVersion): Schema {
  return (version.schema?.openAPIV3Schema ?? { type: 'object' }) as Schema;
}

/** The names under which a resource is served: those that were accepted. */
export function namesOf(definition: Definition) {
  const { spec, status } = definition;
  return status?.acceptedNames?.plural ? status.acceptedNames : spec.names;
}

/** What custom resources allow, in the order in which discovery tells it. */
const VERBS: readonly Verb[] = Object.freeze([
  'delete',
  'deletecollection',
  'get',
  'list',
  'patch',
  'create',
  'update',
  'watch',
]);

const typeNameOf = (definition: Definition, version: DefinitionVersion): TypeName =>
  `${definition.spec.group}.${version.name}.${namesOf(definition).kind}`;

/** Compiles a definition. `builtin` holds the types that every resource refers to (`meta.v1.ObjectMeta`). */
export function customResourceOf(
  definition: Definition,
  builtin: SchemaSet,
  converter?: Converter,
  cel?: CelObserver,
): CustomResource {
  const { group, scope, versions } = definition.spec;
  const names = namesOf(definition);
  const schema = withTypes(
    builtin,
    versions.flatMap((version) => {
      const gvk = { group, version: version.name, kind: names.kind };
      const type = structTypeOf(typeNameOf(definition, version), gvk, schemaOf(version));
      return [type, listTypeOf(type, gvk, names.listKind || `${names.kind}List`)];
    }),
  );
  const storage = versions.find((version) => version.storage) as DefinitionVersion;
  const rules = new Map(versions.map((version) => [version, rulesOfVersion(version, cel)]));
  const compiled = new Map(
    versions.map((version) => [
      version,
      versionOf(definition, version, storage, schema, rules.get(version) as VersionRules, converter),
    ]),
  );
  const common = {
    group,
    kind: names.kind,
    listKind: names.listKind || `${names.kind}List`,
    resource: definition.spec.names.plural,
    singular: names.singular || names.kind.toLowerCase(),
    namespaced: scope === 'Namespaced',
    shortNames: names.shortNames ?? [],
    categories: names.categories ?? [],
    storageVersion: compiled.get(storage) as ServedVersion,
    verbs: VERBS,
    unknownField: (label: string) => `field label not supported: ${label}`,
  };
  const terminating = definition.metadata?.deletionTimestamp
    ? { group, resource: definition.spec.names.plural }
    : undefined;
  const kindOf = (version: DefinitionVersion, list: readonly ServedVersion[]): Kind =>
    Object.freeze({
      ...common,
      versions: list,
      columns: columnsOf(version),
      selectableFields: selectableFieldsOf(version),
      subresources: subresourcesOf(version, { group, kind: names.kind }),
      strategy: strategiesOf(rules.get(version) as VersionRules, hasStatus(version), terminating).main,
    });
  const kind = {
    ...kindOf(storage, [...compiled.values()]),
    // Under its first definition everything was stored as that one says.
    ...(Number(definition.metadata?.generation ?? 1) > 1
      ? { onRead: (rules.get(storage) as VersionRules).defaults }
      : {}),
    selectableFields: Object.assign(
      {},
      ...versions.map((version) =>
        converter
          ? convertedFieldsOf(version, compiled.get(version) as ServedVersion, group)
          : selectableFieldsOf(version),
      ),
    ) as Kind['selectableFields'],
  };
  const served = versions.filter((version) => version.served);
  return {
    kind: Object.freeze(kind),
    served: served.map((version) => {
      const own = kindOf(version, [compiled.get(version) as ServedVersion]);
      const written = versions.length > 1 ? { writtenVersions: [...compiled.values()] } : {};
      const { status } = strategiesOf(rules.get(version) as VersionRules, true);
      const subresources: Record<string, Subresource> = {
        ...(hasStatus(version) ? { status: { form: 'status', strategy: status } as const } : {}),
        ...own.subresources,
      };
      return Object.freeze({ ...own, ...written, subresources });
    }),
    schema,
  };
}

const hasStatus = (version: DefinitionVersion): boolean => version.subresources?.status !== undefined;

/** A version with its way to and from the stored one: with strategy None only the apiVersion changes. */
function versionOf(
  definition: Definition,
  version: DefinitionVersion,
  storage: DefinitionVersion,
  schema: SchemaSet,
  rules: VersionRules,
  converter: Converter | undefined,
): ServedVersion {
  const { group } = definition.spec;
  const type = typeNameOf(definition, version);
  const apiVersion = apiVersionOf({ group, version: version.name });
  const storedAs = apiVersionOf({ group, version: storage.name });
  return Object.freeze({
    version: version.name,
    type,
    columns: columnsOf(version),
    ...(version.deprecated ? { deprecationWarning: deprecationOf(definition, version) } : {}),
    ...(converter
      ? {
          fieldLabels: convertedLabelsOf(version),
          ...webhookConversion(converter, { apiVersion, storedAs }, (object) =>
            Object.assign(normalize<ApiObject>(schema, type, object), { apiVersion }),
          ),
        }
      : version === storage
        ? {}
        : {
            toStorage(object: ApiObject) {
              rules.defaults(object);
              return Object.assign(object, { apiVersion: storedAs });
            },
            fromStorage(object: DeepReadonly<ApiObject>) {
              return Object.assign(normalize<ApiObject>(schema, type, object), { apiVersion });
            },
          }),
  });
}

function deprecationOf({ spec }: Definition, version: DefinitionVersion): string {
  if (version.deprecationWarning !== undefined) return version.deprecationWarning;
  const { group, names, versions } = spec;
  const better = versions
    .filter(({ name, served, deprecated }) => served && !deprecated && compareVersions(name, version.name) < 0)
    .map(({ name }) => name)
    .sort(compareVersions)[0];
  const text = `${group}/${version.name} ${names.kind} is deprecated`;
  return better === undefined ? text : `${text}; use ${group}/${better} ${names.kind}`;
}

function subresourcesOf(version: DefinitionVersion, groupKind: GroupKind): Readonly<Record<string, Subresource>> {
  const { scale } = version.subresources ?? {};
  return scale ? { scale: scaleOf(scale, groupKind) } : {};
}
