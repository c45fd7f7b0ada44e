/** Freezes a JSON value and everything below it; gives the value back. What is frozen already is taken to be so all the way down. */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) if (typeof value[i] === 'object') deepFreeze(value[i]);
  } else for (const key in value) if (typeof value[key] === 'object') deepFreeze(value[key]);
  return value;
}
