import type { Quantity } from '../../../libs/machinery/quantity.ts';
import { mustParseQuantity, parseQuantity, QuantityError } from '../../../libs/machinery/quantity.ts';
import type { NodePod, PodContainer } from '../pod/objects.ts';
import { ConfigError } from './errors.ts';

/** What fields of a pod that are only known on its node are resolved with. */
export interface FieldSource {
  readonly pod: NodePod;
  readonly podIps: readonly string[];
  readonly hostIps: readonly string[];
  /** What a container may have that says no limit. */
  readonly allocatable: Readonly<Record<string, string>>;
}

const SUBSCRIPT = /^metadata\.(labels|annotations)\['(.+)'\]$/;

/** A `fieldRef`, as text. Maps are lines of `key="value"`, sorted. */
export function fieldValue({ pod, podIps, hostIps }: FieldSource, fieldPath: string): string {
  const { metadata, spec } = pod;
  const subscript = SUBSCRIPT.exec(fieldPath);
  if (subscript) {
    const map = metadata?.[subscript[1] as 'labels' | 'annotations'] ?? {};
    const key = subscript[2] as string;
    return Object.hasOwn(map, key) ? (map[key] as string) : '';
  }
  switch (fieldPath) {
    case 'metadata.name':
      return metadata?.name ?? '';
    case 'metadata.namespace':
      return metadata?.namespace ?? '';
    case 'metadata.uid':
      return metadata?.uid ?? '';
    case 'metadata.labels':
      return formatMap(metadata?.labels ?? {});
    case 'metadata.annotations':
      return formatMap(metadata?.annotations ?? {});
    case 'spec.nodeName':
      return spec?.nodeName ?? '';
    case 'spec.serviceAccountName':
      return spec?.serviceAccountName ?? '';
    case 'spec.hostname':
      return spec?.hostname ?? '';
    case 'status.podIP':
      return podIps[0] ?? '';
    case 'status.podIPs':
      return podIps.join(',');
    case 'status.hostIP':
      return hostIps[0] ?? '';
    case 'status.hostIPs':
      return hostIps.join(',');
    default:
      throw new ConfigError(`unsupported fieldPath: ${fieldPath}`);
  }
}

function formatMap(map: Readonly<Record<string, string>>): string {
  return Object.keys(map)
    .sort()
    .map((key) => `${key}=${JSON.stringify(map[key])}`)
    .join('\n');
}

/** A `resourceFieldRef`, as a whole number of `divisor`s, rounded up. */
export function resourceValue(
  source: FieldSource,
  container: PodContainer,
  resource: string,
  divisor: string | undefined,
): string {
  const match = /^(limits|requests)\.(.+)$/.exec(resource);
  if (!match) throw new ConfigError(`unsupported container resource : ${resource}`);
  const [, list, name] = match as unknown as [string, 'limits' | 'requests', string];
  const said = container.resources?.[list]?.[name];
  // A container without a limit may take what the node gives to pods.
  const text = said ?? (list === 'limits' ? source.allocatable[name] : undefined) ?? '0';
  const parsed =
    divisor === undefined || divisor === '' || divisor === '0' ? mustParseQuantity('1') : parseQuantity(divisor);
  if (parsed instanceof QuantityError) throw new ConfigError(`the divisor ${JSON.stringify(divisor)} is no quantity`);
  return String(divideUp(mustParseQuantity(text), parsed));
}

/** `a / b` rounded up, exactly. */
function divideUp(a: Quantity, b: Quantity): bigint {
  const nanos = ({ mantissa, exponent }: Quantity) => mantissa * 10n ** BigInt(exponent + 9);
  const [x, y] = [nanos(a), nanos(b)];
  return y === 0n ? 0n : (x + y - 1n) / y;
}
