/** What RoleBindings and ClusterRoleBindings have in common: a reference to a role, and subjects. */
import type { Column } from '../../libs/kind/column.ts';
import type { DeepReadonly } from '../../libs/kind/object.ts';
import { ageColumn, nameColumn } from '../../libs/kind/standard-columns.ts';
import * as field from '../../libs/machinery/field-errors.ts';
import { dns1123Subdomain, pathSegmentName } from '../../libs/machinery/names.ts';
import { json } from '../../libs/machinery/quote.ts';
import { sameValue } from '../../libs/machinery/same-value.ts';
import { documented } from '../meta/columns.ts';
import type { ClusterRoleBinding, RoleBinding, RoleRef, Subject } from '../types/rbac/v1.generated.ts';
import { RBAC_GROUP } from './policy-rules.ts';

type Binding = RoleBinding | ClusterRoleBinding;

/** Users and groups are RBAC's own notion, service accounts are objects of the core group. */
export function defaultBinding(binding: Binding): void {
  if (binding.roleRef) binding.roleRef.apiGroup ||= RBAC_GROUP;
  for (const subject of binding.subjects ?? []) {
    if (!subject.apiGroup && (subject.kind === 'User' || subject.kind === 'Group')) subject.apiGroup = RBAC_GROUP;
  }
}

/** `roleKinds`: which kinds of role may be bound, in the order in which messages tell them. */
export function validateBinding(
  binding: DeepReadonly<Binding>,
  roleKinds: readonly string[],
  namespaced: boolean,
): field.ErrorList {
  const { roleRef } = binding;
  const at = field.path('roleRef');
  const errors: field.ErrorList = [];
  const { apiGroup = '', kind = '', name = '' } = roleRef ?? {};
  if (apiGroup !== RBAC_GROUP) errors.push(field.notSupported(at.child('apiGroup'), apiGroup, [RBAC_GROUP]));
  if (!roleKinds.includes(kind)) errors.push(field.notSupported(at.child('kind'), kind, roleKinds));
  if (name === '') errors.push(field.required(at.child('name')));
  else for (const problem of pathSegmentName(name)) errors.push(field.invalid(at.child('name'), name, problem));
  (binding.subjects ?? []).forEach((subject, i) => {
    errors.push(...validateSubject(subject, namespaced, field.path('subjects').index(i)));
  });
  return errors;
}

/** What a binding binds to is fixed: whoever could edit it could otherwise hand out another role. */
export function validateRoleRefUpdate(binding: DeepReadonly<Binding>, old: DeepReadonly<Binding>): field.ErrorList {
  if (sameValue(binding.roleRef, old.roleRef)) return [];
  return [field.invalid('roleRef', field.verbatim(roleRefText(binding.roleRef)), 'cannot change roleRef')];
}

const roleRefText = ({ apiGroup, kind, name }: DeepReadonly<RoleRef>) =>
  json({ APIGroup: apiGroup, Kind: kind, Name: name });

function validateSubject(subject: DeepReadonly<Subject>, namespaced: boolean, at: field.Path): field.ErrorList {
  const errors: field.ErrorList = [];
  const { kind = '', name = '', apiGroup = '', namespace = '' } = subject;
  if (name === '') errors.push(field.required(at.child('name')));
  switch (kind) {
    case 'ServiceAccount':
      if (name !== '') {
        for (const problem of dns1123Subdomain(name)) errors.push(field.invalid(at.child('name'), name, problem));
      }
      if (apiGroup !== '') errors.push(field.notSupported(at.child('apiGroup'), apiGroup, ['']));
      if (!namespaced && namespace === '') errors.push(field.required(at.child('namespace')));
      break;
    case 'User':
    case 'Group':
      if (apiGroup !== RBAC_GROUP) errors.push(field.notSupported(at.child('apiGroup'), apiGroup, [RBAC_GROUP]));
      break;
    default:
      errors.push(field.notSupported(at.child('kind'), kind, ['ServiceAccount', 'User', 'Group']));
  }
  return errors;
}

/** `ClusterRole/admin`, for tables. */
export const roleText = ({ roleRef }: DeepReadonly<Binding>) => `${roleRef?.kind ?? ''}/${roleRef?.name ?? ''}`;

/** Names of the subjects of one kind, for wide tables; service accounts with their namespace. */
export function subjectNames({ subjects }: DeepReadonly<Binding>, kind: string): string {
  return (subjects ?? [])
    .filter((subject) => subject.kind === kind)
    .map(({ name, namespace = '' }) => (kind === 'ServiceAccount' ? `${namespace}/${name}` : name))
    .join(', ');
}

const subjectColumn = (name: string, kind: string, description: string): Column<Binding> => ({
  name,
  type: 'string',
  priority: 1,
  description,
  value: (binding) => subjectNames(binding, kind),
});

/** The tables of both kinds; `type` is the one whose documentation tells of the role. */
export const bindingColumns = (
  type: 'rbac.v1.RoleBinding' | 'rbac.v1.ClusterRoleBinding',
): readonly Column<Binding>[] => [
  nameColumn as Column<Binding>,
  { name: 'Role', type: 'string', description: documented(type, 'roleRef'), value: roleText },
  ageColumn as Column<Binding>,
  subjectColumn('Users', 'User', 'Users among the subjects'),
  subjectColumn('Groups', 'Group', 'Groups among the subjects'),
  subjectColumn('ServiceAccounts', 'ServiceAccount', 'Service accounts among the subjects'),
];
