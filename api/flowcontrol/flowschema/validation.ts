import type { DeepReadonly } from '../../../libs/kind/object.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import { dns1123Subdomain, namespaceName } from '../../../libs/machinery/names.ts';
import { json } from '../../../libs/machinery/quote.ts';
import { sameValue } from '../../../libs/machinery/same-value.ts';
import { internalJson } from '../../meta/internal-form.ts';
import type {
  FlowSchema,
  FlowSchemaSpec,
  NonResourcePolicyRule,
  ResourcePolicyRule,
  Subject,
} from '../../types/flowcontrol/v1.generated.ts';
import { mandatoryFlowSchemas } from '../mandatory.ts';

const PRECEDENCE_MAX = 10_000;
const DISTINGUISHERS = ['ByNamespace', 'ByUser'];
const SUBJECT_KINDS = ['Group', 'ServiceAccount', 'User'];
const VERBS = ['*', 'create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'proxy', 'update', 'watch'];

export function validateFlowSchema(schema: DeepReadonly<FlowSchema>): field.ErrorList {
  const name = schema.metadata?.name ?? '';
  const spec = schema.spec ?? {};
  const errors = validateSpec(spec as DeepReadonly<FlowSchemaSpec>, name);
  const mandatory = mandatoryFlowSchemas.find((one) => one.metadata.name === name);
  if (mandatory && !sameValue(mandatory.spec, spec)) {
    const shown = field.verbatim(internalJson('flowcontrol.v1.FlowSchemaSpec', spec));
    errors.push(field.invalid('spec', shown, `spec of '${name}' must equal the fixed value`));
  }
  return errors;
}

function validateSpec(spec: DeepReadonly<FlowSchemaSpec>, name: string): field.ErrorList {
  const at = field.path('spec');
  const errors: field.ErrorList = [];
  const precedence = spec.matchingPrecedence ?? 0;
  if (precedence <= 0)
    errors.push(field.invalid(at.child('matchingPrecedence'), precedence, 'must be a positive value'));
  if (precedence > PRECEDENCE_MAX) {
    errors.push(
      field.invalid(at.child('matchingPrecedence'), precedence, `must not be greater than ${PRECEDENCE_MAX}`),
    );
  }
  if (precedence === 1 && name !== 'exempt') {
    const why = "only the schema named 'exempt' may have matchingPrecedence 1";
    errors.push(field.invalid(at.child('matchingPrecedence'), precedence, why));
  }
  const method = spec.distinguisherMethod;
  if (method && !DISTINGUISHERS.includes(method.type ?? '')) {
    const shown = field.verbatim(json({ Type: method.type ?? '' }));
    errors.push(field.notSupported(at.child('distinguisherMethod', 'type'), shown, DISTINGUISHERS));
  }
  const level = spec.priorityLevelConfiguration?.name ?? '';
  const levelName = at.child('priorityLevelConfiguration', 'name');
  if (level === '') errors.push(field.required(levelName, 'must reference a priority level'));
  else for (const problem of dns1123Subdomain(level)) errors.push(field.invalid(levelName, level, problem));
  (spec.rules ?? []).forEach((rule, i) => {
    const here = at.child('rules').index(i);
    const { resourceRules = [], nonResourceRules = [] } = rule;
    const subjects = rule.subjects ?? [];
    if ((subjects ?? []).length === 0) {
      errors.push(field.required(here.child('subjects'), 'subjects must contain at least one value'));
    }
    (subjects ?? []).forEach((subject, j) => errors.push(...validateSubject(subject, here.child('subjects').index(j))));
    if (resourceRules.length === 0 && nonResourceRules.length === 0) {
      errors.push(field.required(here, 'at least one of resourceRules and nonResourceRules has to be non-empty'));
    }
    resourceRules.forEach((one, j) => {
      errors.push(...validateResourceRule(one, here.child('resourceRules').index(j)));
    });
    nonResourceRules.forEach((one, j) => {
      errors.push(...validateNonResourceRule(one, here.child('nonResourceRules').index(j)));
    });
  });
  return errors;
}

/** A subject has just the part that its kind names. */
function validateSubject(subject: DeepReadonly<Subject>, at: field.Path): field.ErrorList {
  const kind = subject.kind ?? '';
  if (!SUBJECT_KINDS.includes(kind)) return [field.notSupported(at.child('kind'), kind, SUBJECT_KINDS)];
  const errors: field.ErrorList = [];
  const parts = [
    ['ServiceAccount', 'serviceAccount'],
    ['User', 'user'],
    ['Group', 'group'],
  ] as const;
  for (const [wanted, part] of parts) {
    const there = at.child(part);
    const value = subject[part];
    if (kind === wanted) {
      if (!value) errors.push(field.required(there, `${part} is required when subject kind is '${kind}'`));
      else if (part === 'serviceAccount') errors.push(...validateServiceAccount(subject.serviceAccount, there));
      else if (!value.name) errors.push(field.required(there.child('name')));
    } else if (value) {
      errors.push(field.forbidden(there, `${part} is forbidden when subject kind is not '${wanted}'`));
    }
  }
  return errors;
}

function validateServiceAccount(account: DeepReadonly<Subject['serviceAccount']>, at: field.Path): field.ErrorList {
  const { name = '', namespace = '' } = account ?? {};
  const errors: field.ErrorList = [];
  if (name === '') errors.push(field.required(at.child('name')));
  else if (name !== '*') {
    for (const problem of dns1123Subdomain(name)) errors.push(field.invalid(at.child('name'), name, problem));
  }
  if (namespace === '')
    errors.push(field.required(at.child('namespace'), 'must specify namespace for service account'));
  else {
    for (const problem of namespaceName(namespace))
      errors.push(field.invalid(at.child('namespace'), namespace, problem));
  }
  return errors;
}

/** A star stands for all and stands alone; without any the list is missing. */
function validateList(
  values: readonly string[] | null | undefined,
  at: field.Path,
  what: string,
  missing: string,
): field.ErrorList {
  if (!values || values.length === 0) return [field.required(at, missing)];
  if (values.length > 1 && values.includes('*')) {
    return [field.invalid(at, values, `if '*' is present, must not specify other ${what}`)];
  }
  return [];
}

function validateVerbs(
  verbs: readonly string[] | undefined,
  valid: readonly string[],
  at: field.Path,
): field.ErrorList {
  const errors = validateList(verbs, at, 'verbs', 'verbs must contain at least one value');
  if (errors.length > 0) return errors;
  const odd = (verbs ?? []).some((verb) => !valid.includes(verb));
  return odd ? [field.notSupported(at, verbs, valid)] : [];
}

function validateResourceRule(rule: DeepReadonly<ResourcePolicyRule>, at: field.Path): field.ErrorList {
  const errors = [
    ...validateVerbs(rule.verbs, VERBS, at.child('verbs')),
    ...validateList(
      rule.apiGroups,
      at.child('apiGroups'),
      'api groups',
      'resource rules must supply at least one api group',
    ),
    ...validateList(
      rule.resources,
      at.child('resources'),
      'resources',
      'resource rules must supply at least one resource',
    ),
  ];
  const namespaces = rule.namespaces ?? [];
  if (namespaces.length === 0 && !rule.clusterScope) {
    const why = 'resource rules that are not cluster scoped must supply at least one namespace';
    errors.push(field.required(at.child('namespaces'), why));
  } else if (namespaces.includes('*')) {
    if (namespaces.length > 1) {
      errors.push(
        field.invalid(at.child('namespaces'), namespaces, "if '*' is present, must not specify other namespaces"),
      );
    }
  } else {
    namespaces.forEach((namespace, i) => {
      for (const problem of namespaceName(namespace)) {
        errors.push(field.invalid(at.child('namespaces').index(i), namespace, problem));
      }
    });
  }
  return errors;
}

const PATH_VERBS = ['*', 'delete', 'get', 'head', 'options', 'patch', 'post', 'put'];

function validateNonResourceRule(rule: DeepReadonly<NonResourcePolicyRule>, at: field.Path): field.ErrorList {
  const urls = rule.nonResourceURLs ?? [];
  const there = at.child('nonResourceURLs');
  const errors = [
    ...validateVerbs(rule.verbs, PATH_VERBS, at.child('verbs')),
    ...validateList(urls, there, 'non-resource URLs', 'nonResourceURLs must contain at least one value'),
  ];
  if (urls.includes('*')) return errors;
  urls.forEach((url, i) => errors.push(...validateUrl(url, there.index(i))));
  return errors;
}

function validateUrl(url: string, at: field.Path): field.ErrorList {
  if (url === '') return [field.invalid(at, url, 'nonResourceURL must not be empty')];
  if (url === '/') return [];
  if (!url.startsWith('/')) return [field.invalid(at, url, 'must start with slash')];
  if (url.includes(' ')) return [field.invalid(at, url, 'must not contain white-space')];
  if (url.includes('//')) return [field.invalid(at, url, 'must not contain double slash')];
  const wildcard = url.indexOf('*');
  if (wildcard >= 0 && (wildcard !== url.length - 1 || !url.endsWith('/*'))) {
    return [field.invalid(at, url, 'wildcard can only do suffix matching')];
  }
  return [];
}
