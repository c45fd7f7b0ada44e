import type { RequestAttributes, UserInfo } from '../../../libs/kind/request.ts';
import { yamlToJson } from '../../../libs/machinery/codec/yaml.ts';

/** How much is told of a request, rising. */
export const LEVELS = ['None', 'Metadata', 'Request', 'RequestResponse'] as const;
export type AuditLevel = (typeof LEVELS)[number];

export const STAGES = ['RequestReceived', 'ResponseStarted', 'ResponseComplete', 'Panic'] as const;
export type AuditStage = (typeof STAGES)[number];

/** `audit.k8s.io/v1` Policy (API concept "Auditing"): the first rule that fits says how much is told. */
export interface AuditPolicy {
  readonly rules: readonly AuditRule[];
  readonly omitStages: readonly AuditStage[];
  readonly omitManagedFields: boolean;
}

export interface AuditRule {
  readonly level: AuditLevel;
  readonly users?: readonly string[];
  readonly userGroups?: readonly string[];
  readonly verbs?: readonly string[];
  readonly resources?: readonly {
    readonly group?: string;
    readonly resources?: readonly string[];
    readonly resourceNames?: readonly string[];
  }[];
  readonly namespaces?: readonly string[];
  readonly nonResourceURLs?: readonly string[];
  readonly omitStages?: readonly AuditStage[];
  readonly omitManagedFields?: boolean;
}

export interface AuditDecision {
  readonly level: AuditLevel;
  readonly omitStages: ReadonlySet<AuditStage>;
  readonly omitManagedFields: boolean;
}

/** Reads a policy from YAML or JSON. Throws an Error that says what is wrong with it. */
export function parseAuditPolicy(text: string): AuditPolicy {
  const policy = JSON.parse(yamlToJson(text).json) as Partial<AuditPolicy> & { apiVersion?: string; kind?: string };
  if (policy?.apiVersion !== 'audit.k8s.io/v1' || policy.kind !== 'Policy') {
    throw new Error('an audit policy is a Policy of audit.k8s.io/v1');
  }
  const { rules, omitStages = [], omitManagedFields = false } = policy;
  if (!Array.isArray(rules) || rules.length === 0) throw new Error('an audit policy has rules');
  rules.forEach((rule, i) => checkRule(rule, `rules[${i}]`));
  checkStages(omitStages, 'omitStages');
  return { rules, omitStages, omitManagedFields };
}

function checkRule(rule: AuditRule, at: string): void {
  if (!LEVELS.includes(rule?.level)) throw new Error(`${at}.level must be one of ${LEVELS.join(', ')}`);
  checkStages(rule.omitStages ?? [], `${at}.omitStages`);
  if (rule.nonResourceURLs?.length && (rule.resources?.length || rule.namespaces?.length)) {
    throw new Error(`${at} is for paths or for resources, not for both`);
  }
  for (const url of rule.nonResourceURLs ?? []) {
    if (url !== '*' && !url.startsWith('/'))
      throw new Error(`${at}.nonResourceURLs: ${url} does not begin with a slash`);
    if (url.slice(0, -1).includes('*')) throw new Error(`${at}.nonResourceURLs: ${url} has a star before its end`);
  }
}

function checkStages(stages: readonly string[], at: string): void {
  const wrong = stages.find((stage) => !(STAGES as readonly string[]).includes(stage));
  if (wrong !== undefined) throw new Error(`${at}: ${wrong} is no stage`);
}

/** What the policy says of a request; what no rule fits is not told of. */
export function decide(policy: AuditPolicy, user: UserInfo, attributes: RequestAttributes): AuditDecision {
  const rule = policy.rules.find((one) => fits(one, user, attributes));
  return {
    level: rule?.level ?? 'None',
    omitStages: new Set([...policy.omitStages, ...(rule?.omitStages ?? [])]),
    omitManagedFields: rule?.omitManagedFields ?? policy.omitManagedFields,
  };
}

const listed = (list: readonly string[] | undefined, one: string) => !list?.length || list.includes(one);

function fits(rule: AuditRule, user: UserInfo, attributes: RequestAttributes): boolean {
  if (!listed(rule.users, user.name) || !listed(rule.verbs, attributes.verb)) return false;
  if (rule.userGroups?.length && !rule.userGroups.some((group) => user.groups.includes(group))) return false;
  if (rule.nonResourceURLs?.length) {
    return !attributes.isResourceRequest && rule.nonResourceURLs.some((url) => fitsPath(url, attributes.path));
  }
  if (!rule.namespaces?.length && !rule.resources?.length) return true;
  if (!attributes.isResourceRequest || !listed(rule.namespaces, attributes.namespace)) return false;
  return !rule.resources?.length || rule.resources.some((one) => fitsResource(one, attributes));
}

function fitsPath(url: string, path: string): boolean {
  return url.endsWith('*') ? path.startsWith(url.slice(0, -1)) : path === url;
}

function fitsResource(
  { group = '', resources, resourceNames }: NonNullable<AuditRule['resources']>[number],
  { group: of, resource, subresource, name }: RequestAttributes,
): boolean {
  if (group !== of) return false;
  if (!resources?.length) return true;
  if (resourceNames?.length && !resourceNames.includes(name)) return false;
  const full = subresource ? `${resource}/${subresource}` : resource;
  return resources.some(
    (one) =>
      one === '*' || one === full || (subresource !== '' && (one === `*/${subresource}` || one === `${resource}/*`)),
  );
}
