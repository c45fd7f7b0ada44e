export type IntOrString = number | string;

/** A count, or a share of another one: `3`, `'25%'`. */
export function intOrPercent(value: IntOrString, of: number, round: 'up' | 'down'): number {
  if (typeof value === 'number') return value;
  const share = (Number(value.slice(0, -1)) * of) / 100;
  return round === 'up' ? Math.ceil(share) : Math.floor(share);
}
