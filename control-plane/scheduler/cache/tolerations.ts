import type { Taint as ApiTaint, Toleration as ApiToleration } from '../../../api/types/core/v1.generated.ts';
import type { DeepReadonly } from '../../../libs/kind/object.ts';

export type Taint = DeepReadonly<ApiTaint>;
export type Toleration = DeepReadonly<ApiToleration>;

const INTEGER = /^-?[0-9]+$/;

/** An empty effect or key of a toleration stands for any; operators compare the value. */
export function tolerates(toleration: Toleration, taint: Taint): boolean {
  const { effect, key, operator, value = '' } = toleration;
  if (effect && effect !== taint.effect) return false;
  if (key && key !== taint.key) return false;
  switch (operator || 'Equal') {
    case 'Exists':
      return true;
    case 'Equal':
      // Without a key only Exists means something.
      return Boolean(key) && value === (taint.value ?? '');
    case 'Gt':
    case 'Lt': {
      const actual = taint.value ?? '';
      if (!INTEGER.test(actual) || !INTEGER.test(value)) return false;
      return operator === 'Gt' ? BigInt(actual) > BigInt(value) : BigInt(actual) < BigInt(value);
    }
    default:
      return false;
  }
}

/** The first taint that keeps pods away and that none of the tolerations covers. */
export function untolerated(taints: readonly Taint[], tolerations: readonly Toleration[]): Taint | undefined {
  return taints.find(
    (taint) =>
      (taint.effect === 'NoSchedule' || taint.effect === 'NoExecute') &&
      !tolerations.some((toleration) => tolerates(toleration, taint)),
  );
}
