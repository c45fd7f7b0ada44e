import type { ApiRequest } from './api.ts';

/** A header's value; of a repeated one the values, joined. */
export function header(request: ApiRequest, name: string): string | undefined {
  const value = request.headers[name];
  return typeof value === 'string' || value === undefined ? value : value.join(', ');
}

/** The field manager that a User-Agent stands for: what comes before its first slash. */
export function managerOf(userAgent: string | undefined): string {
  if (userAgent === undefined) return 'unknown';
  const slash = userAgent.indexOf('/');
  return userAgent.slice(0, Math.min(slash < 0 ? userAgent.length : slash, 128)) || 'unknown';
}
