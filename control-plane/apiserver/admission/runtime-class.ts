/** RuntimeClass: a pod gets the overhead, the node selector and the tolerations of the class that it names. */
import { runtimeClasses } from '../../../api/resources.ts';
import type { Pod, PodSpec } from '../../../api/types/core/v1.generated.ts';
import type { RuntimeClass } from '../../../api/types/node/v1.generated.ts';
import type { AdmissionPlugin, AdmissionRequest } from '../../../libs/kind/admission.ts';
import type { DeepReadonly } from '../../../libs/kind/object.ts';
import type { Registry } from '../../../libs/kind/registry.ts';
import { copyValue } from '../../../libs/machinery/copy.ts';
import { sameQuantity } from '../../../libs/machinery/quantity.ts';
import { sameValue } from '../../../libs/machinery/same-value.ts';
import { refused } from './refusal.ts';

type Asked = Pick<AdmissionRequest, 'kind' | 'name'> & { readonly object: DeepReadonly<AdmissionRequest['object']> };

export const runtimeClass: AdmissionPlugin = {
  name: 'RuntimeClass',
  handles: ({ operation, kind, subresource }) =>
    operation === 'CREATE' && subresource === '' && kind.resource === 'pods' && kind.group === '',
  // Most pods name no class: nothing has to be waited for.
  admit(_ctx, request, registry) {
    const { spec } = request.object as Pod;
    return spec?.runtimeClassName ? fill(request, spec, registry) : undefined;
  },
  validate(_ctx, request, registry) {
    const { spec } = request.object as DeepReadonly<Pod>;
    return spec?.overhead ? checkOverhead(request, spec, spec.overhead, registry) : undefined;
  },
};

async function fill(request: Asked, spec: PodSpec, registry: Registry): Promise<void> {
  const found = await classOf(request, spec, registry);
  setOverhead(request, spec, found);
  setScheduling(request, spec, found);
}

async function checkOverhead(
  request: Asked,
  spec: DeepReadonly<PodSpec>,
  overhead: Readonly<Record<string, string>>,
  registry: Registry,
): Promise<void> {
  const found = spec.runtimeClassName ? await classOf(request, spec, registry) : undefined;
  const fixed = found?.overhead?.podFixed;
  if (!fixed) {
    throw refused(request, 'pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead');
  }
  if (!sameList(overhead, fixed)) {
    throw refused(request, "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead");
  }
}

async function classOf(request: Asked, spec: DeepReadonly<PodSpec>, registry: Registry) {
  const name = spec.runtimeClassName as string;
  const found = await registry.get(runtimeClasses, '', name);
  if (!found) throw refused(request, `pod rejected: RuntimeClass "${name}" not found`);
  return found;
}

function sameList(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  const names = Object.keys(a);
  if (names.length !== Object.keys(b).length) return false;
  return names.every((name) => Object.hasOwn(b, name) && sameQuantity(a[name] as string, b[name] as string));
}

function setOverhead(request: Asked, spec: PodSpec, { overhead }: DeepReadonly<RuntimeClass>): void {
  const fixed = overhead?.podFixed;
  if (!fixed) return;
  if (spec.overhead && Object.keys(spec.overhead).length > 0 && !sameList(spec.overhead, fixed)) {
    throw refused(request, "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead");
  }
  spec.overhead = { ...fixed };
}

function setScheduling(request: Asked, spec: PodSpec, { scheduling }: DeepReadonly<RuntimeClass>): void {
  if (!scheduling) return;
  const { nodeSelector = {}, tolerations = [] } = scheduling;
  for (const [key, value] of Object.entries(nodeSelector)) {
    const own = spec.nodeSelector?.[key];
    if (own !== undefined && own !== value) {
      throw refused(
        request,
        `conflict: runtimeClass.scheduling.nodeSelector[${key}] = ${value}; pod.spec.nodeSelector[${key}] = ${own}`,
      );
    }
  }
  if (Object.keys(nodeSelector).length > 0) spec.nodeSelector = { ...spec.nodeSelector, ...nodeSelector };
  const added = tolerations.filter((one) => !(spec.tolerations ?? []).some((own) => sameValue(own, one)));
  if (added.length > 0) spec.tolerations = [...(spec.tolerations ?? []), ...added.map((one) => copyValue(one))];
}
