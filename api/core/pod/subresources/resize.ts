import type { StatusSubresource } from '../../../../libs/kind/kind.ts';
import type { DeepReadonly } from '../../../../libs/kind/object.ts';
import * as field from '../../../../libs/machinery/field-errors.ts';
import { sameValue } from '../../../../libs/machinery/same-value.ts';
import type { Pod, PodSpec, ResourceRequirements } from '../../../types/core/v1.generated.ts';
import { defaultPod } from '../defaults.ts';
import { isSidecar, qosClassOf } from '../resources.ts';
import { validatePodAndAnnotations } from '../validation/pod.ts';
import { restoreAllBut } from './restore.ts';

type Seen = DeepReadonly<Pod>;
type Spec = Seen['spec'];
type Container = Spec['containers'][number];

const MUTABLE = 'cpu and memory resources';
const RESIZABLE = ['cpu', 'memory'];

/** CPU and memory of a running pod's containers, changed in place. Whatever else is sent is ignored. */
export const resize: StatusSubresource<Pod> = {
  form: 'status',
  strategy: {
    resetFields: ['status'],
    defaults: defaultPod,
    prepareForUpdate(_ctx, draft, old) {
      const wanted = structuredClone(draft.spec);
      restoreAllBut(draft, old);
      takeResources(draft.spec.containers, wanted.containers);
      takeResources(draft.spec.initContainers, wanted.initContainers);
      if (wanted.resources) draft.spec.resources = wanted.resources;
    },
    validateUpdate: validateResize,
  },
};

function takeResources(containers: PodSpec['containers'] | undefined, wanted: PodSpec['initContainers']): void {
  for (const container of containers ?? []) {
    const from = wanted?.find(({ name }) => name === container.name);
    if (!from) continue;
    if (from.resources) container.resources = from.resources;
    if (from.resizePolicy) container.resizePolicy = from.resizePolicy;
  }
}

export function validateResize(pod: Seen, old: Seen): field.ErrorList {
  const errors = validatePodAndAnnotations(pod);
  if (errors.length > 0) return errors;
  const at = field.path('spec');
  if (pod.spec.os?.name === 'windows') return [field.forbidden('[]', 'windows pods cannot be resized')];
  if (old.metadata?.annotations?.['kubernetes.io/config.mirror'] !== undefined) {
    return [field.forbidden('[]', 'static pods cannot be resized')];
  }
  const wasQos = old.status?.qosClass ?? qosClassOf(old.spec);
  if (qosClassOf(pod.spec) !== wasQos) {
    errors.push(field.invalid(at, wasQos, 'Pod QOS Class may not change as a result of resizing'));
  }
  errors.push(...removals(pod.spec.resources, old.spec.resources, at.child('resources')));
  for (const list of ['initContainers', 'containers'] as const) {
    (pod.spec[list] ?? []).forEach((container, i) => {
      if (list === 'initContainers' && !isSidecar(container)) return;
      const was = old.spec[list]?.[i]?.resources;
      errors.push(...removals(container.resources, was, at.child(list).index(i).child('resources')));
    });
  }
  return [...errors, ...otherChanges(pod.spec, old.spec, at)];
}

type Resources = DeepReadonly<ResourceRequirements> | undefined;

function removals(now: Resources, was: Resources, at: field.Path): field.ErrorList {
  return (['requests', 'limits'] as const).flatMap((kind) => {
    const gone = RESIZABLE.some((name) => was?.[kind]?.[name] !== undefined && now?.[kind]?.[name] === undefined);
    return gone ? [field.forbidden(at.child(kind), `resource ${kind} cannot be removed`)] : [];
  });
}

/** What was changed beyond CPU and memory, or of an init container that ends before the others begin. */
function otherChanges(spec: Spec, was: Spec, at: field.Path): field.ErrorList {
  const differ = (now: Container, before: Container | undefined) =>
    !sameValue(withoutResizable(now), before && withoutResizable(before));
  const errors: field.ErrorList = [];
  spec.containers.forEach((container, i) => {
    if (differ(container, was.containers[i])) errors.push(field.forbidden(at, `only ${MUTABLE} are mutable`));
  });
  (spec.initContainers ?? []).forEach((container, i) => {
    const before = was.initContainers?.[i];
    if (!isSidecar(container)) {
      const detail = 'resources for non-sidecar init containers are immutable';
      if (!sameValue(container, before)) errors.push(field.forbidden(at, detail));
    } else if (differ(container, before)) {
      errors.push(field.forbidden(at, `only ${MUTABLE} for sidecar containers are mutable`));
    }
  });
  if (errors.length > 0 || sameValue(stripped(spec.resources), stripped(was.resources))) return errors;
  return [field.forbidden(at, `only ${MUTABLE} are mutable`)];
}

/** A container without what a resize may change. */
const withoutResizable = (container: Container): unknown => ({
  ...container,
  resizePolicy: undefined,
  resources: stripped(container.resources),
});

function stripped(resources: Resources): unknown {
  const strip = (list: Readonly<Record<string, string>> | undefined) =>
    Object.fromEntries(Object.entries(list ?? {}).filter(([name]) => !RESIZABLE.includes(name)));
  return { claims: resources?.claims, limits: strip(resources?.limits), requests: strip(resources?.requests) };
}
