import type { StatusSubresource } from '../../../libs/kind/kind.ts';
import { dropStatus, keepAllButStatus, keepStatus } from '../../../libs/kind/status.ts';
import type { Strategy } from '../../../libs/kind/strategy.ts';
import { path } from '../../../libs/machinery/field-errors.ts';
import { sameValue } from '../../../libs/machinery/same-value.ts';
import { dropDisabledFields } from '../../core/pod/prepare.ts';
import { templateWarnings } from '../../core/pod/warnings.ts';
import type { DaemonSet } from '../../types/apps/v1.generated.ts';
import { defaultDaemonSet, TEMPLATE_GENERATION } from './defaults.ts';
import { validateDaemonSet, validateDaemonSetStatus, validateDaemonSetUpdate } from './validation.ts';

export const strategy: Strategy<DaemonSet> = {
  generation: 'count',
  resetFields: ['status'],
  defaults: defaultDaemonSet,
  validate: validateDaemonSet,
  warnings: (draft, old) => templateWarnings(draft, old, draft.spec.template, path('spec', 'template')),
  validateUpdate: validateDaemonSetUpdate,
  prepareForCreate(_ctx, draft) {
    dropStatus(draft);
    dropDisabledFields(draft.spec.template?.spec);
    noteTemplateGeneration(draft, 1);
  },
  prepareForUpdate(_ctx, draft, old) {
    keepStatus(draft, old);
    dropDisabledFields(draft.spec.template?.spec, old.spec.template?.spec);
    const before = Number(old.metadata?.annotations?.[TEMPLATE_GENERATION] ?? 0);
    noteTemplateGeneration(draft, sameValue(draft.spec.template, old.spec.template) ? before : before + 1);
  },
};

export const statusStrategy: StatusSubresource<DaemonSet>['strategy'] = {
  resetFields: ['spec'],
  validateUpdate: validateDaemonSetStatus,
  defaults: defaultDaemonSet,
  prepareForUpdate: (_ctx, draft, old) => keepAllButStatus(draft, old, ['labels', 'annotations']),
};

function noteTemplateGeneration(set: DaemonSet, count: number): void {
  set.metadata ??= {};
  set.metadata.annotations = { ...set.metadata.annotations, [TEMPLATE_GENERATION]: String(count) };
}
