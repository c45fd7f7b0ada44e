import {
  DEVICE_EXPRESSION_COST_MAX,
  DEVICE_TYPE,
  deviceEnvironment,
} from '../../../../api/resource/device-expressions.ts';
import type { Program } from '../../../../libs/cel/cel.ts';
import {
  compile,
  type Environment,
  EvaluationError,
  kubernetesEnvironment,
  type Value,
} from '../../../../libs/cel/cel.ts';
import { STRING } from '../../../../libs/cel/types.ts';
import { MapValue, ObjectValue } from '../../../../libs/cel/values.ts';
import type { ResourceSlice } from '../../cache/cluster-objects.ts';

export type Device = NonNullable<NonNullable<ResourceSlice['spec']>['devices']>[number];
type Attribute = NonNullable<Device['attributes']>[string];

const NOTHING = new MapValue();
/** Expressions kept compiled; classes and claims are few. */
const PROGRAMS_MAX = 256;

/** A domain that no device has is an empty one, so that asking for what is in it fails by the name of that. */
class Domains extends MapValue {
  override get(key: Value): Value | undefined {
    return super.get(key) ?? NOTHING;
  }
}

/** Runs the expressions that select devices. */
export class DeviceSelectors {
  /** Made when the first device is looked at: most clusters have none. */
  #environment: Environment | undefined;
  #quantity: Program | undefined;
  readonly #programs = new Map<string, Program>();

  /** @throws EvaluationError and CompileError with messages for people */
  matches(expression: string, driver: string, device: Device): boolean {
    let program = this.#programs.get(expression);
    if (!program) {
      if (this.#programs.size >= PROGRAMS_MAX) this.#programs.clear();
      this.#environment ??= deviceEnvironment();
      program = compile(this.#environment, expression).program;
      this.#programs.set(expression, program);
    }
    return program.run({ device: this.#value(driver, device) }, DEVICE_EXPRESSION_COST_MAX).value === true;
  }

  #value(driver: string, device: Device): Value {
    const raw = {
      driver,
      attributes: device,
      capacity: device,
      allowMultipleAllocations: device.allowMultipleAllocations ?? false,
    };
    return new ObjectValue(DEVICE_TYPE, raw, (value, name) => {
      if (name === 'attributes') return byDomain(driver, Object.entries(device.attributes ?? {}), attributeValue);
      if (name !== 'capacity') return value as Value;
      return byDomain(driver, Object.entries(device.capacity ?? {}), (capacity) =>
        this.#quantityOf(String(capacity.value)),
      );
    });
  }

  #quantityOf(text: string): Value {
    this.#quantity ??= compile(kubernetesEnvironment().with({ text: STRING }), 'quantity(text)').program;
    return this.#quantity.run({ text }).value;
  }
}

/** Names without a domain are the driver's own. */
export function qualified(driver: string, name: string): { domain: string; id: string } {
  const slash = name.indexOf('/');
  return slash < 0 ? { domain: driver, id: name } : { domain: name.slice(0, slash), id: name.slice(slash + 1) };
}

function byDomain<T>(driver: string, entries: readonly (readonly [string, T])[], value: (of: T) => Value): MapValue {
  const domains = new Map<string, [Value, Value][]>();
  for (const [name, one] of entries) {
    const { domain, id } = qualified(driver, name);
    const list = domains.get(domain) ?? [];
    list.push([id, value(one)]);
    domains.set(domain, list);
  }
  return new Domains([...domains].map(([domain, list]) => [domain, new MapValue(list)] as const));
}

function attributeValue({ int, bool, string, version }: Attribute): Value {
  if (int !== undefined) return BigInt(int);
  return bool ?? string ?? version ?? null;
}

export { EvaluationError };
