import type { Type } from '../../../../libs/cel/types.ts';
import type { DeepReadonly } from '../../../../libs/kind/object.ts';
import type {
  ExpressionWarning,
  RuleWithOperations,
  ValidatingAdmissionPolicy,
} from '../../../types/admissionregistration/v1.generated.ts';
import { compileVariables, typeProblem } from '../../expressions.ts';

/** So many types of each rule are looked at. */
const TYPES_OF_RULE_MAX = 10;

export interface GroupVersionResource {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
}

export interface KnownType {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly type: Type;
}

const isPattern = (text: string): boolean => text.includes('*');

/** The resources that a rule names one by one; none where its groups or versions are patterns. Subresources are left out. */
export function resourcesOf(rule: DeepReadonly<RuleWithOperations>): GroupVersionResource[] {
  const { apiGroups = [], apiVersions = [], resources = [] } = rule;
  if (apiGroups.some(isPattern) || apiVersions.some(isPattern)) return [];
  const plain = resources.filter((resource) => !/[*/]/.test(resource)).toSorted();
  return apiGroups
    .toSorted()
    .flatMap((group) =>
      apiVersions.toSorted().flatMap((version) => plain.map((resource) => ({ group, version, resource }))),
    );
}

/** Those of all rules that are looked at; `kindOf` tells what is served. In order of group, version and kind. */
export async function kindsToCheck(
  policy: DeepReadonly<ValidatingAdmissionPolicy>,
  kindOf: (resource: GroupVersionResource) => Promise<string | undefined>,
): Promise<Omit<KnownType, 'type'>[]> {
  const found = new Map<string, Omit<KnownType, 'type'>>();
  for (const rule of policy.spec?.matchConstraints?.resourceRules ?? []) {
    let count = 0;
    for (const resource of resourcesOf(rule)) {
      const kind = await kindOf(resource);
      if (kind === undefined) continue;
      const { group, version } = resource;
      found.set([group, version, kind].join('\n'), { group, version, kind });
      if (++count === TYPES_OF_RULE_MAX) break;
    }
  }
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one);
}

/**
 * What is wrong with a policy's expressions when objects are of the types that its rules name (API concept "Type
 * checking"). They are warnings: expressions that are wrong of one type may never meet it.
 */
export function expressionWarnings(
  policy: DeepReadonly<ValidatingAdmissionPolicy>,
  types: readonly KnownType[],
  params: Type | undefined,
): ExpressionWarning[] {
  const { validations = [], variables = [] } = policy.spec ?? {};
  const scopes = types.map(({ group, version, kind, type }) => {
    const scope = {
      params: params !== undefined,
      authorizer: true,
      known: { object: type, ...(params && { params }) },
    };
    const known = compileVariables(variables, scope).types;
    return { of: `${group}/${version}, Kind=${kind}`, scope: { ...scope, variables: known } };
  });
  const check = (fieldRef: string, source: string): ExpressionWarning[] => {
    const problems = scopes.flatMap(({ of, scope }) => {
      const problem = typeProblem(source, scope);
      return problem === undefined ? [] : [`${of}: ${problem}\n`];
    });
    return problems.length === 0 ? [] : [{ fieldRef, warning: problems.join('\n') }];
  };
  return validations.flatMap(({ expression = '', messageExpression = '' }, i) => [
    ...check(`spec.validations[${i}].expression`, expression),
    ...(messageExpression === '' ? [] : check(`spec.validations[${i}].messageExpression`, messageExpression)),
  ]);
}
