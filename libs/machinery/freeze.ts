/** Freezes a JSON value and everything below it; gives the value back. What is frozen already is taken to be so all the way down. */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  if (Array.isArray(value)) {
    for (const item of value) if (typeof item === 'object') deepFreeze(item);
  } else for (const key in value) if (typeof value[key] === 'object') deepFreeze(value[key]);
  return value;
}
