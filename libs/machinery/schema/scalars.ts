/** The scalar types that the generated API types use, by the names that Kubernetes gives them. */

/** A 64-bit integer: a number where it is exact, a bigint beyond ±(2^53 − 1). Arithmetic: `BigInt(x)`. */
export type Int64 = number | bigint;

/** A quantity in text, `100m`, `1Gi`; canonical once decoded. Parsed by `parseQuantity`. */
export type Quantity = string;

/** RFC 3339 in UTC, to the second: `2026-01-02T03:04:05Z`. */
export type Time = string;

/** RFC 3339 in UTC with six decimals: `2026-01-02T03:04:05.000006Z`. */
export type MicroTime = string;

/** A Go duration in text: `1m30s`. */
export type Duration = string;

/** A port or a percentage: a 32-bit number, or a string. */
export type IntOrString = number | string;

/** Any JSON: what RawExtension, FieldsV1 and preserved content hold. Integers beyond ±(2^53 − 1) are bigints. */
export type JsonValue = null | boolean | number | bigint | string | JsonValue[] | { [key: string]: JsonValue };
