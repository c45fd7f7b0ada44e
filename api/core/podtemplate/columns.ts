/** What tables of workloads show of the pods that they make. */
import type { Column } from '../../../libs/kind/column.ts';
import type { ApiObject, DeepReadonly } from '../../../libs/kind/object.ts';
import type { PodSpec } from '../../types/core/v1.generated.ts';

type SpecOf<T extends ApiObject> = (object: DeepReadonly<T>) => DeepReadonly<PodSpec> | undefined;

/** Names and images of the containers, joined by commas; with `-o wide` unless `priority` says otherwise. */
export function containerColumns<T extends ApiObject>(specOf: SpecOf<T>, priority = 1): Column<T>[] {
  const joined = (object: DeepReadonly<T>, member: 'name' | 'image') =>
    (specOf(object)?.containers ?? []).map((container) => container[member] ?? '').join(',');
  return [
    {
      name: 'Containers',
      type: 'string',
      description: 'What the containers of each pod are called',
      priority,
      value: (object) => joined(object, 'name'),
    },
    {
      name: 'Images',
      type: 'string',
      description: 'What the containers of each pod run',
      priority,
      value: (object) => joined(object, 'image'),
    },
  ];
}
