import type { DeepReadonly } from '../../../libs/kind/object.ts';
import type { Strategy } from '../../../libs/kind/strategy.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import { domainPrefixedPath, namespaceName } from '../../../libs/machinery/names.ts';
import { validateImmutable } from '../../meta/immutable.ts';
import { validateTypedReference } from '../../meta/typed-reference.ts';
import type { IngressClass, IngressClassParametersReference } from '../../types/networking/v1.generated.ts';

const CONTROLLER_BYTES_MAX = 250;
const SCOPES = ['Cluster', 'Namespace'];

export const strategy: Strategy<IngressClass> = {
  generation: 'count',
  defaults({ spec }) {
    if (spec?.parameters) spec.parameters.scope ??= 'Cluster';
  },
  validate: validateIngressClass,
  validateUpdate: (draft, old) => [
    ...validateIngressClass(draft),
    ...validateImmutable(draft.spec?.controller, old.spec?.controller, 'spec.controller'),
  ],
};

function validateIngressClass({ spec }: DeepReadonly<IngressClass>): field.ErrorList {
  const at = field.path('spec', 'controller');
  const errors: field.ErrorList = [];
  const controller = spec?.controller ?? '';
  if (controller.length > CONTROLLER_BYTES_MAX) errors.push(field.tooLong(at, CONTROLLER_BYTES_MAX));
  if (controller === '') errors.push(field.required(at));
  else for (const problem of domainPrefixedPath(controller)) errors.push(field.invalid(at, controller, problem));
  if (spec?.parameters) errors.push(...validateParameters(spec.parameters));
  return errors;
}

function validateParameters(parameters: DeepReadonly<IngressClassParametersReference>): field.ErrorList {
  const at = field.path('spec', 'parameters');
  const errors = validateTypedReference(parameters, at);
  const { scope, namespace } = parameters;
  if (scope === undefined || scope === null) return [...errors, field.required(at.child('scope'))];
  if (!SCOPES.includes(scope)) errors.push(field.notSupported(at.child('scope'), scope, SCOPES));
  if (scope === 'Namespace') {
    if (!namespace) errors.push(field.required(at.child('namespace'), "`parameters.scope` is set to 'Namespace'"));
    else {
      for (const problem of namespaceName(namespace))
        errors.push(field.invalid(at.child('namespace'), namespace, problem));
    }
  }
  if (scope === 'Cluster' && namespace !== undefined) {
    errors.push(field.forbidden(at.child('namespace'), "`parameters.scope` is set to 'Cluster'"));
  }
  return errors;
}
