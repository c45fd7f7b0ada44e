import type { ComponentStatus } from '../../../api/types/core/v1.generated.ts';
import type { Column } from '../../../libs/kind/column.ts';
import { defineKind, type Kind } from '../../../libs/kind/kind.ts';
import type { ApiObject, DeepReadonly } from '../../../libs/kind/object.ts';
import { nameColumn } from '../../../libs/kind/standard-columns.ts';
import { notFound } from '../../../libs/machinery/errors.ts';

/** Whether a component is well: throws an Error that says why not. */
export interface ComponentCheck {
  readonly name: string;
  check(): Promise<void> | void;
}

const conditionOf = ({ conditions }: DeepReadonly<ComponentStatus>) =>
  conditions?.find(({ type }) => type === 'Healthy');

const columns: readonly Column<ComponentStatus>[] = [
  nameColumn as Column<ComponentStatus>,
  {
    name: 'Status',
    type: 'string',
    description: 'Whether the component is well',
    value: (component) => {
      const condition = conditionOf(component);
      if (!condition) return 'Unknown';
      return condition.status === 'True' ? 'Healthy' : 'Unhealthy';
    },
  },
  {
    name: 'Message',
    type: 'string',
    description: 'What it answered',
    value: (component) => conditionOf(component)?.message ?? '',
  },
  {
    name: 'Error',
    type: 'string',
    description: 'Why it could not be asked',
    value: (component) => conditionOf(component)?.error ?? '',
  },
];

/** The oldest way to ask how the components are: answered by asking them, never stored. */
export function componentStatusKind(checks: readonly ComponentCheck[]): Kind {
  const look = async ({ name, check }: ComponentCheck): Promise<ApiObject> => {
    let problem: string | undefined;
    try {
      await check();
    } catch (error) {
      problem = error instanceof Error ? error.message : String(error);
    }
    const condition = { type: 'Healthy', status: problem === undefined ? 'True' : 'False', message: problem ?? 'ok' };
    return { kind: 'ComponentStatus', apiVersion: 'v1', metadata: { name }, conditions: [condition] } as ApiObject;
  };
  return defineKind<ComponentStatus>({
    group: '',
    kind: 'ComponentStatus',
    resource: 'componentstatuses',
    namespaced: false,
    shortNames: ['cs'],
    columns,
    versions: [
      {
        version: 'v1',
        type: 'core.v1.ComponentStatus',
        deprecationWarning: 'v1 ComponentStatus is deprecated in v1.19+',
      },
    ],
    virtual: {
      async get(_ctx, _registry, _namespace, name) {
        const found = checks.find((one) => one.name === name);
        if (!found) throw notFound({ group: '', resource: 'componentstatus' }, name);
        return look(found);
      },
      list: () => Promise.all(checks.map(look)),
    },
  }) as unknown as Kind;
}
