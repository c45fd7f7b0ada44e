/** The behaviour of an autoscaler in its annotation: the same fields, their names capitalised. */
import type { DeepReadonly } from '../../../../libs/kind/object.ts';
import type { HorizontalPodAutoscalerBehavior, HPAScalingRules } from '../../../types/autoscaling/v2.generated.ts';

type Json = Readonly<Record<string, unknown>>;

export function behaviorTo({ scaleUp, scaleDown }: DeepReadonly<HorizontalPodAutoscalerBehavior>): unknown {
  return { ScaleUp: rulesTo(scaleUp), ScaleDown: rulesTo(scaleDown) };
}

function rulesTo(rules: DeepReadonly<HPAScalingRules> | undefined): unknown {
  if (!rules) return null;
  const { stabilizationWindowSeconds = null, selectPolicy = null, policies, tolerance = null } = rules;
  return {
    StabilizationWindowSeconds: stabilizationWindowSeconds,
    SelectPolicy: selectPolicy,
    Policies:
      policies?.map(({ type, value, periodSeconds }) => ({
        Type: type,
        Value: value,
        PeriodSeconds: periodSeconds,
      })) ?? null,
    Tolerance: tolerance,
  };
}

/** Rules without policies get an empty list, so that they are found wanting rather than filled with defaults. */
export function behaviorFrom(value: unknown): HorizontalPodAutoscalerBehavior | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const behavior = recased(value, (name) => name[0]?.toLowerCase() + name.slice(1)) as HorizontalPodAutoscalerBehavior;
  for (const rules of [behavior.scaleUp, behavior.scaleDown]) if (rules) complete(rules);
  return behavior;
}

function complete(rules: HPAScalingRules): void {
  rules.policies ??= [];
}

function recased(value: unknown, rename: (name: string) => string): unknown {
  if (Array.isArray(value)) return value.map((item) => recased(item, rename));
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value as Json).filter(([, member]) => member !== null);
  return Object.fromEntries(members.map(([name, member]) => [rename(name), recased(member, rename)]));
}
