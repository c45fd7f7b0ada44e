/** Quantities: `quantity("1.5Gi")`. */
import {
  addQuantity,
  compareQuantity,
  isMultipleOf,
  parseQuantity,
  type Quantity,
  quantityOf,
  scaledQuantity,
  signOfQuantity,
  subtractQuantity,
  toNumber,
} from '../../machinery/quantity.ts';
import { declare, type Library } from '../declare.ts';
import { EvaluationError, Opaque } from '../values.ts';

const NAME = 'kubernetes.Quantity';

class QuantityValue extends Opaque {
  readonly type = NAME;
  readonly quantity: Quantity;
  constructor(quantity: Quantity) {
    super();
    this.quantity = quantity;
  }

  equals(other: Opaque): boolean {
    return other instanceof QuantityValue && compareQuantity(this.quantity, other.quantity) === 0;
  }
}

function quantityOfText(text: string): QuantityValue {
  const quantity = parseQuantity(text);
  if (quantity instanceof Error) throw new EvaluationError(quantity.message);
  return new QuantityValue(quantity);
}

const isInteger = ({ quantity }: QuantityValue): boolean => {
  if (!isMultipleOf(quantity, 0)) return false;
  const value = scaledQuantity(quantity, 0);
  return value >= -(2n ** 63n) && value < 2n ** 63n;
};

function asInteger(value: QuantityValue): bigint {
  if (!isInteger(value)) throw new EvaluationError('cannot convert value to integer');
  return scaledQuantity(value.quantity, 0);
}

const compare = (fn: string, holds: (order: number) => boolean): Library =>
  declare(fn, [
    `${NAME}.(${NAME}) bool`,
    `quantity_${fn}`,
    (a: QuantityValue, b: QuantityValue) => holds(compareQuantity(a.quantity, b.quantity)),
  ]);

const combine = (fn: string, run: (a: Quantity, b: Quantity) => Quantity): Library =>
  declare(
    fn,
    [
      `${NAME}.(${NAME}) ${NAME}`,
      `quantity_${fn}`,
      (a: QuantityValue, b: QuantityValue) => new QuantityValue(run(a.quantity, b.quantity)),
    ],
    [
      `${NAME}.(int) ${NAME}`,
      `quantity_${fn}_int`,
      (a: QuantityValue, b: bigint) => new QuantityValue(run(a.quantity, quantityOf(b))),
    ],
  );

export const quantityLibrary: Library = [
  ...declare('quantity', [`(string) ${NAME}`, 'string_to_quantity', quantityOfText]),
  ...declare('isQuantity', [
    '(string) bool',
    'is_quantity_string',
    (text: string) => !(parseQuantity(text) instanceof Error),
  ]),
  // Overloads as upstream has them: sign is of nothing but itself.
  ...declare('sign', [
    `(${NAME}) int`,
    'quantity_sign',
    ({ quantity }: QuantityValue) => BigInt(signOfQuantity(quantity)),
  ]),
  ...compare('isGreaterThan', (order) => order > 0),
  ...compare('isLessThan', (order) => order < 0),
  ...declare('compareTo', [
    `${NAME}.(${NAME}) int`,
    'quantity_compare_to',
    (a: QuantityValue, b: QuantityValue) => BigInt(compareQuantity(a.quantity, b.quantity)),
  ]),
  ...declare('asApproximateFloat', [
    `${NAME}.() double`,
    'quantity_get_float',
    ({ quantity }: QuantityValue) => toNumber(quantity),
  ]),
  ...declare('asInteger', [`${NAME}.() int`, 'quantity_get_int', asInteger]),
  ...declare('isInteger', [`${NAME}.() bool`, 'quantity_is_integer', isInteger]),
  ...combine('add', addQuantity),
  ...combine('sub', subtractQuantity),
];
