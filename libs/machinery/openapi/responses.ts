/** What an answer's code is called (RFC 9110); OpenAPI wants a description for every answer. */
export function statusText(code: number): string {
  return { 200: 'OK', 201: 'Created', 202: 'Accepted', 401: 'Unauthorized' }[code] ?? String(code);
}
