import { priorityClasses } from '../../../api/resources.ts';
import type { Pod } from '../../../api/types/core/v1.generated.ts';
import type { PriorityClass } from '../../../api/types/scheduling/v1.generated.ts';
import type { AdmissionPlugin, AdmissionRequest } from '../../../libs/kind/admission.ts';
import type { DeepReadonly } from '../../../libs/kind/object.ts';
import type { Registry } from '../../../libs/kind/registry.ts';
import type { Source } from './policy/hooks.ts';
import { refused } from './refusal.ts';

const DEFAULT_POLICY = 'PreemptLowerPriority';

/** Turns a pod's priority class into its number and its preemption policy; only one class may be the default. */
export function priority(classes: Source<PriorityClass>): AdmissionPlugin {
  let version = -1;
  let defaults: readonly DeepReadonly<PriorityClass>[] = [];
  const defaultClasses = () => {
    if (classes.version() !== version) {
      version = classes.version();
      defaults = classes.all().filter((one) => one.globalDefault);
    }
    return defaults;
  };
  return {
    name: 'Priority',
    handles: ({ operation, kind, subresource }) => {
      if (subresource !== '' || (operation !== 'CREATE' && operation !== 'UPDATE')) return false;
      return (kind.resource === 'pods' && kind.group === '') || kind.resource === 'priorityclasses';
    },
    admit(_ctx, request, registry) {
      if (request.kind.resource !== 'pods') return;
      if (request.operation === 'UPDATE') keepPriority(request);
      else return resolvePriority(request, registry, defaultClasses);
    },
    validate(_ctx, request) {
      if (request.kind.resource !== 'priorityclasses') return;
      const { globalDefault, metadata } = request.object as DeepReadonly<PriorityClass>;
      if (!globalDefault) return;
      const present = defaultClasses().find((one) => one.metadata?.name !== metadata?.name);
      if (!present) return;
      const why = `PriorityClass ${present.metadata?.name} is already marked as default. Only one default can exist`;
      throw refused(request, why);
    },
  };
}

/** An update that leaves the numbers out means those that the pod has. */
function keepPriority(request: AdmissionRequest): void {
  const [pod, old] = [request.object as Pod, request.oldObject as DeepReadonly<Pod>];
  if (!pod.spec) return;
  pod.spec.priority ??= old.spec?.priority;
  pod.spec.preemptionPolicy ??= old.spec?.preemptionPolicy;
}

function resolvePriority(
  request: AdmissionRequest,
  registry: Registry,
  defaultClasses: () => readonly DeepReadonly<PriorityClass>[],
): Promise<void> | undefined {
  const { spec } = request.object as Pod;
  if (!spec) return undefined;
  const { priorityClassName: name } = spec;
  if (!name) {
    const found = lowest(defaultClasses());
    if (found) spec.priorityClassName = found.metadata?.name;
    setPriority(request, spec, found);
    return undefined;
  }
  return registry.get(priorityClasses, '', name).then((found) => {
    if (!found) throw refused(request, `no PriorityClass with name ${name} was found`);
    setPriority(request, spec, found);
  });
}

function setPriority(
  request: AdmissionRequest,
  spec: NonNullable<Pod['spec']>,
  found: DeepReadonly<PriorityClass> | undefined,
): void {
  const refuse = (why: string) => refused(request, why);
  const number = found?.value ?? 0;
  const policy = found?.preemptionPolicy ?? DEFAULT_POLICY;
  const from = 'priority admission controller computed';
  if (spec.priority !== undefined && spec.priority !== number) {
    throw refuse(
      `the integer value of priority (${spec.priority}) must not be provided in pod spec; ${from} ${number} from the given PriorityClass name`,
    );
  }
  if (spec.preemptionPolicy !== undefined && spec.preemptionPolicy !== policy) {
    throw refuse(
      `the string value of PreemptionPolicy (${spec.preemptionPolicy}) must not be provided in pod spec; ${from} ${policy} from the given PriorityClass name`,
    );
  }
  spec.priority = number;
  spec.preemptionPolicy = policy;
}

/** Of several defaults, which only a race can make, the lowest counts. */
const lowest = (classes: readonly DeepReadonly<PriorityClass>[]) =>
  classes.length > 1 ? [...classes].sort((a, b) => (a.value ?? 0) - (b.value ?? 0))[0] : classes[0];
