/** What may change of a job that is there: how much of it runs at once, hardly ever what it runs. */
import type { DeepReadonly } from '../../../libs/kind/object.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import { json } from '../../../libs/machinery/quote.ts';
import { sameValue } from '../../../libs/machinery/same-value.ts';
import { internalPodSpec } from '../../core/pod/validation/internal-spec.ts';
import { IMMUTABLE, validateImmutable } from '../../meta/immutable.ts';
import { internalJson } from '../../meta/internal-form.ts';
import type { Job, JobSpec } from '../../types/batch/v1.generated.ts';
import type { Container, PodTemplateSpec } from '../../types/core/v1.generated.ts';
import { GENERATED, OLD_GENERATED, validateJobWith, validateSelecting } from './validation.ts';

type Seen = DeepReadonly<Job>;
type Spec = DeepReadonly<JobSpec>;
type Template = DeepReadonly<PodTemplateSpec>;
type Affinity = NonNullable<NonNullable<Template['spec']>['affinity']>;

const at = field.path('spec');
const POLICY_TYPES = {
  podFailurePolicy: 'batch.v1.PodFailurePolicy',
  successPolicy: 'batch.v1.SuccessPolicy',
} as const;

export function validateJobUpdate(job: Seen, old: Seen): field.ErrorList {
  const [spec, was] = [job.spec, old.spec];
  const fixed = (name: 'selector' | 'completionMode' | 'backoffLimitPerIndex' | 'managedBy') =>
    validateImmutable(spec[name], was[name], at.child(name));
  const fixedPolicy = (name: keyof typeof POLICY_TYPES) => {
    const shown = spec[name] ? field.verbatim(internalJson(POLICY_TYPES[name], spec[name])) : null;
    return validateImmutable(spec[name], was[name], at.child(name), shown);
  };
  return [
    ...validateJobWith(
      job,
      GENERATED.every((key) => was.template?.metadata?.labels?.[key]) ? GENERATED : OLD_GENERATED,
    ),
    // Upstream looks at the spec once as a job's and once as a change, and says twice what is wrong with it.
    ...validateSelecting(spec),
    ...completionsErrors(spec, was),
    ...fixed('selector'),
    ...templateErrors(spec.template ?? {}, was.template ?? {}, was.suspend === true && isIdle(old)),
    ...fixed('completionMode'),
    ...fixedPolicy('podFailurePolicy'),
    ...fixed('backoffLimitPerIndex'),
    ...fixed('managedBy'),
    ...fixedPolicy('successPolicy'),
  ];
}

/** An indexed job changes its completions together with its parallelism, any other never. */
function completionsErrors(spec: Spec, was: Spec): field.ErrorList {
  const here = at.child('completions');
  if (spec.completionMode !== 'Indexed') return validateImmutable(spec.completions, was.completions, here);
  if (spec.completions === undefined || spec.completions === was.completions) return [];
  if (spec.completions === spec.parallelism) return [];
  return [field.invalid(here, spec.completions, `can only be modified in tandem with ${at.child('parallelism')}`)];
}

const isIdle = ({ status }: Seen): boolean => !status?.startTime && (status?.active ?? 0) === 0;

/** A suspended job's pods have not begun: where they will run, with how much, and their labels may still be decided. */
function templateErrors(template: Template, was: Template, suspended: boolean): field.ErrorList {
  const here = at.child('template');
  const spec = internalPodSpec(template.spec ?? { containers: [] });
  if (!suspended) {
    const shown = () => field.verbatim(json({ ...template.metadata, Spec: spec }));
    return sameValue(template, was) ? [] : [field.invalid(here, shown(), IMMUTABLE)];
  }
  const { nodeSelector, tolerations, schedulingGates, affinity, containers, initContainers } = template.spec ?? {};
  const allowed = {
    ...was.spec,
    nodeSelector,
    tolerations,
    schedulingGates,
    affinity: withNodeAffinity(was.spec?.affinity, affinity),
    containers: withResources(was.spec?.containers, containers),
    initContainers: withResources(was.spec?.initContainers, initContainers),
  };
  return sameValue(template.spec, allowed)
    ? []
    : [field.invalid(here.child('spec'), field.verbatim(json(spec)), IMMUTABLE)];
}

/** The old affinity, towards nodes that of the new one. */
function withNodeAffinity(was: Affinity | undefined, now: Affinity | undefined): Affinity | undefined {
  const { nodeAffinity: _, ...pods } = was ?? {};
  const merged = now?.nodeAffinity ? { ...pods, nodeAffinity: now.nodeAffinity } : pods;
  return now === undefined && Object.keys(merged).length === 0 ? undefined : merged;
}

function withResources(was: DeepReadonly<Container[]> | undefined, now: DeepReadonly<Container[]> | undefined) {
  return was?.map((container, i) => {
    const { resources: _, ...rest } = container;
    const resources = now?.[i]?.resources;
    return resources === undefined ? rest : { ...rest, resources };
  });
}
