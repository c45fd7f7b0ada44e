// Going back by annotation: what `extensions/v1beta1`'s rollback left behind, and some clients still write.

import type { DeepReadonly, Live } from '../../../../libs/kind/object.ts';
import { valueIn } from '../../../../libs/machinery/meta.ts';
import type { Deployment } from '../../../types/apps/v1.generated.ts';
import type { PodTemplateSpec } from '../../../types/core/v1.generated.ts';
import { compareRevisions, OWN_ANNOTATIONS, ROLLBACK_TO, revisionOf, type Set } from './rollout.ts';

export interface Rollback {
  readonly type: 'rollback';
  readonly reason: string;
  readonly deployment: Deployment;
  readonly event: readonly [type: 'Normal' | 'Warning', reason: string, message: string];
}

/** The revision that the annotation asks for, 0 for the one before; undefined where it asks for nothing. */
export function rollbackRevision({ metadata }: Live<Deployment>): bigint | undefined {
  const text = valueIn(metadata.annotations as Record<string, string> | undefined, ROLLBACK_TO);
  return text !== undefined && /^-?\d+$/.test(text) ? BigInt(text) : undefined;
}

/** The Deployment with the template of an earlier revision, if there is such a one; in any case without the wish. */
export function rollback(
  deployment: Live<Deployment>,
  sets: readonly Set[],
  isSame: (set: Set) => boolean,
  wanted: bigint,
): Rollback {
  const last = [...sets].sort(compareRevisions).at(-2);
  const revision = wanted === 0n && last ? revisionOf(last.annotations) : wanted;
  const { [ROLLBACK_TO]: _, ...annotations } = (deployment.metadata.annotations ?? {}) as Record<string, string>;
  const written = (template: DeepReadonly<PodTemplateSpec> | undefined, kept: Readonly<Record<string, string>>) =>
    ({
      ...deployment,
      metadata: { ...deployment.metadata, annotations: kept },
      spec: { ...deployment.spec, ...(template ? { template } : {}) },
    }) as unknown as Deployment;
  const refuse = (reason: string, message: string): Rollback => ({
    type: 'rollback',
    deployment: written(undefined, annotations),
    event: ['Warning', reason, message],
    reason: 'no rollback',
  });
  const notFound = 'DeploymentRollbackRevisionNotFound';
  if (revision === 0n) return refuse(notFound, 'Unable to find last revision.');
  const target = sets.find((set) => revisionOf(set.annotations) === revision);
  if (!target?.live) return refuse(notFound, 'Unable to find the revision to rollback to.');
  const { name } = deployment.metadata;
  if (isSame(target)) {
    const why = `The rollback revision contains the same template as current deployment "${name}"`;
    return refuse('DeploymentRollbackTemplateUnchanged', why);
  }
  const template = structuredClone(target.live.spec?.template) as PodTemplateSpec;
  delete template.metadata?.labels?.['pod-template-hash'];
  const own = Object.entries(annotations).filter(([key]) => OWN_ANNOTATIONS.has(key));
  const then = Object.entries(target.annotations).filter(([key]) => !OWN_ANNOTATIONS.has(key));
  return {
    type: 'rollback',
    deployment: written(template, Object.fromEntries([...own, ...then])),
    event: ['Normal', 'DeploymentRollback', `Rolled back deployment "${name}" to revision ${revision}`],
    reason: 'rollback',
  };
}
