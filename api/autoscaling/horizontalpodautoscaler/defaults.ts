import type { HorizontalPodAutoscaler, HPAScalingRules } from '../../types/autoscaling/v2.generated.ts';

const CPU_UTILIZATION_PERCENT = 80;
const PERIOD_SECONDS = 15;

export function defaultHorizontalPodAutoscaler({ spec }: HorizontalPodAutoscaler): void {
  if (!spec) return;
  spec.minReplicas ??= 1;
  if (!spec.metrics?.length) {
    const target = { type: 'Utilization', averageUtilization: CPU_UTILIZATION_PERCENT };
    spec.metrics = [{ type: 'Resource', resource: { name: 'cpu', target } }];
  }
  if (!spec.behavior) return;
  spec.behavior.scaleUp = defaultRules(spec.behavior.scaleUp, {
    stabilizationWindowSeconds: 0,
    policies: [
      { type: 'Pods', value: 4, periodSeconds: PERIOD_SECONDS },
      { type: 'Percent', value: 100, periodSeconds: PERIOD_SECONDS },
    ],
  });
  spec.behavior.scaleDown = defaultRules(spec.behavior.scaleDown, {
    policies: [{ type: 'Percent', value: 100, periodSeconds: PERIOD_SECONDS }],
  });
}

const defaultRules = (given: HPAScalingRules | undefined, rules: HPAScalingRules): HPAScalingRules => ({
  ...rules,
  ...given,
  selectPolicy: given?.selectPolicy ?? 'Max',
});
