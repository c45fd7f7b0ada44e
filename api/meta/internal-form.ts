/**
 * How messages show whole structs: with the names that fields have inside the API server, every field there, absent ones
 * as null or empty. `field.verbatim(internalJson(…))` is the value of such an error.
 */
import { json } from '../../libs/machinery/quote.ts';
import type { Field, TypeName, TypeRef } from '../../libs/machinery/schema/ir.ts';
import { builtinSchema } from '../schema/builtin.ts';

/** Names that are written in capitals at the start of a field; elsewhere the JSON name shows them already. */
const CAPITALS =
  /^(api|aws|ca|cel|cidr|cidrs|cpu|csi|dns|fc|fs|gce|gid|gmsa|http|https|id|ip|ips|ipc|iscsi|json|mac|nfs|os|pd|pid|qos|rbd|sctp|se|ssd|tcp|tls|tty|udp|uid|uri|url)(?=[A-Z]|$)/;
const ODD_NAMES: Readonly<Record<string, string>> = Object.freeze({
  cephfs: 'CephFS',
  storageos: 'StorageOS',
  ips: 'IPs',
  cidrs: 'CIDRs',
});

/** Orders of fields that differ inside the API server from the published ones. */
export type FieldOrders = Readonly<Record<TypeName, readonly string[]>>;

export function internalJson(type: TypeName, value: unknown): string {
  return json(internalForm(type, value));
}

/** The struct as an object with internal names, in internal order. */
export function internalForm(type: TypeName, value: unknown, orders: FieldOrders = {}): Record<string, unknown> {
  const schema = builtinSchema();
  const source = (value ?? {}) as Readonly<Record<string, unknown>>;
  const order = orders[type];
  const fields = [...schema.get(type).fields];
  if (order) fields.sort((a, b) => rank(order, a.name) - rank(order, b.name));
  const out: Record<string, unknown> = {};
  for (const field of fields) {
    if (field.name === 'kind' && type.endsWith('.ObjectMeta')) continue;
    if (field.name === 'metadata' && field.type.k === 'ref') {
      // Embedded: its fields stand among the others, under their published names.
      Object.assign(out, source[field.name] ?? {});
      continue;
    }
    out[internalName(field.name)] = shown(field, field.type, source[field.name], orders);
  }
  return out;
}

const rank = (order: readonly string[], name: string) => {
  const at = order.indexOf(name);
  return at === -1 ? order.length : at;
};

function internalName(name: string): string {
  if (Object.hasOwn(ODD_NAMES, name)) return ODD_NAMES[name] as string;
  const capitals = CAPITALS.exec(name)?.[0];
  return capitals ? capitals.toUpperCase() + name.slice(capitals.length) : name.charAt(0).toUpperCase() + name.slice(1);
}

function shown(field: Field, type: TypeRef, value: unknown, orders: FieldOrders): unknown {
  if (value === undefined || value === null) return empty(field, type, orders);
  switch (type.k) {
    case 'ref':
      // What belongs to all groups (label selectors) has one form, the published one.
      return type.name.startsWith('meta.v1.') ? value : internalForm(type.name, value, orders);
    case 'list':
      return (value as unknown[]).map((item) => shown(field, type.of, item, orders));
    case 'map':
      return Object.fromEntries(
        Object.entries(value as Record<string, unknown>)
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([key, item]) => [key, shown(field, type.of, item, orders)]),
      );
    default:
      return value;
  }
}

function empty(field: Field, type: TypeRef, orders: FieldOrders): unknown {
  if (field.keepsZero) return null;
  switch (type.k) {
    case 'string':
    case 'bytes':
      return type.k === 'string' ? '' : null;
    case 'bool':
      return false;
    case 'int32':
    case 'int64':
    case 'double':
    case 'intOrString':
      return 0;
    case 'quantity':
      return '0';
    case 'ref':
      return Object.hasOwn(field, 'zero') && field.zero !== null ? internalForm(type.name, {}, orders) : null;
    default:
      return null;
  }
}
