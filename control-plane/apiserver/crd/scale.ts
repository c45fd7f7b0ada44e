import type { Scale } from '../../../api/types/autoscaling/v1.generated.ts';
import type { ObjectSubresource } from '../../../libs/kind/kind.ts';
import type { ApiObject } from '../../../libs/kind/object.ts';
import { internal, invalid } from '../../../libs/machinery/errors.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import type { GroupKind } from '../../../libs/machinery/gvk.ts';
import type { DefinitionVersion } from './custom-kind.ts';
import { fieldsOf, setAt, valueAt } from './paths.ts';

type ScalePaths = NonNullable<NonNullable<DefinitionVersion['subresources']>['scale']>;

/** `scale` of a custom resource, by the paths that its definition names. */
export function scaleOf(paths: ScalePaths, groupKind: GroupKind): ObjectSubresource<ApiObject, Scale> {
  const [spec, status] = [fieldsOf(paths.specReplicasPath), fieldsOf(paths.statusReplicasPath)];
  const selector = paths.labelSelectorPath ? fieldsOf(paths.labelSelectorPath) : undefined;
  return {
    form: 'object',
    gvk: { group: 'autoscaling', version: 'v1', kind: 'Scale' },
    type: 'autoscaling.v1.Scale',
    view(object) {
      const replicas = valueAt(object, spec);
      if (replicas === undefined)
        throw internal(`the spec replicas field ${JSON.stringify(paths.specReplicasPath)} does not exist`);
      const text = selector && valueAt(object, selector);
      return {
        spec: replicas ? { replicas: Number(replicas) } : {},
        status: {
          replicas: Number(valueAt(object, status) ?? 0),
          ...(typeof text === 'string' && text ? { selector: text } : {}),
        },
      };
    },
    // What is wrong with the numbers is told of the resource itself, and by its own path.
    validate: () => [],
    write(draft, view) {
      const replicas = view.spec?.replicas ?? 0;
      if (replicas < 0) {
        const wrong = field.invalid(paths.specReplicasPath, replicas, 'should be a non-negative integer');
        throw invalid(groupKind, draft.metadata?.name ?? '', [wrong]);
      }
      setAt(draft, spec, replicas);
    },
    ownedPaths: [spec],
  };
}
