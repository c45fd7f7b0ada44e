/** How docs/fidelity.md shows which rules each kind has: a table made from the kinds themselves. */
import { builtinSchema } from '../../api/schema/builtin.ts';
import type { Kind } from '../../libs/kind/kind.ts';
import type { StructType, TypeRef } from '../../libs/machinery/schema/ir.ts';

/**
 * Kinds that are meant to have all published rules, for defaults, create and update: a rule that is missing is a bug. Of
 * all others the schema is checked, and the rules that are there.
 */
export const WHOLE: readonly string[] = Object.freeze([
  'Pod',
  'Service',
  'Deployment',
  'ReplicaSet',
  'StatefulSet',
  'DaemonSet',
  'Job',
  'CronJob',
  'ReplicationController',
  'ConfigMap',
  'Secret',
  'Namespace',
  'Node',
  'Role',
  'RoleBinding',
  'ClusterRole',
  'ClusterRoleBinding',
  'PersistentVolume',
  'PersistentVolumeClaim',
  'CustomResourceDefinition',
]);

const START = '<!-- kinds: written by npm run fidelity -- --write -->';
const END = '<!-- end of kinds -->';
const HEAD =
  '| kind | group | validation | defaults | create | update | status |\n| --- | --- | --- | --- | --- | --- | --- |';

/** `schema`: types, required fields of the schema, metadata; `rules`: some of upstream's rules besides; `whole`: all. */
export function validationOf({ kind, strategy }: Kind): 'whole' | 'rules' | 'schema' {
  if (WHOLE.includes(kind)) return 'whole';
  return strategy.validate || strategy.validateUpdate ? 'rules' : 'schema';
}

function rowOf(kind: Kind): string {
  const { strategy } = kind;
  const { status } = kind.subresources;
  const said = (there: unknown) => (there ? 'yes' : '');
  const ofStatus =
    status === undefined ? 'none' : status.form === 'status' && status.strategy.validateUpdate ? 'yes' : '';
  const defaults = strategy.defaults ? 'own' : hasDefaults(kind) ? 'schema' : '';
  const cells = [kind.kind, kind.group || 'core', validationOf(kind), defaults, said(strategy.validate)];
  return `| ${[...cells, said(strategy.validateUpdate), ofStatus].join(' | ')} |`;
}

/** Whether the schema alone fills something in. */
function hasDefaults({ storageVersion }: Kind): boolean {
  const schema = builtinSchema();
  const seen = new Set<string>();
  const inType = (type: TypeRef): boolean => {
    if (type.k === 'list' || type.k === 'map') return inType(type.of);
    if (type.k === 'struct') return inStruct(type.type);
    if (type.k !== 'ref' || seen.has(type.name)) return false;
    seen.add(type.name);
    return inStruct(schema.get(type.name));
  };
  const inStruct = ({ fields }: StructType): boolean =>
    fields.some((field) => field.default !== undefined || (field.name !== 'metadata' && inType(field.type)));
  return inStruct(schema.get(storageVersion.type));
}

/** The document with the table of these kinds, by group and name. Throws where it has no marks. */
export function withKinds(document: string, kinds: readonly Kind[]): string {
  const start = document.indexOf(START);
  const end = document.indexOf(END);
  if (start === -1 || end < start) throw new Error(`there is no place for the table: "${START}"`);
  const stored = kinds.filter((kind) => !kind.virtual && kind.verbs.includes('get'));
  const order = (kind: Kind) => `${kind.group}/${kind.kind}`;
  const rows = [...stored].sort((a, b) => (order(a) < order(b) ? -1 : 1)).map(rowOf);
  return `${document.slice(0, start)}${START}\n\n${HEAD}\n${rows.join('\n')}\n\n${document.slice(end)}`;
}
