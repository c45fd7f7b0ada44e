import type { ComponentStatus } from '../../../api/types/core/v1.generated.ts';
import { defineKind, type Kind } from '../../../libs/kind/kind.ts';
import type { ApiObject } from '../../../libs/kind/object.ts';
import { notFound } from '../../../libs/machinery/errors.ts';

/** Whether a component is well: throws an Error that says why not. */
export interface ComponentCheck {
  readonly name: string;
  check(): Promise<void> | void;
}

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
