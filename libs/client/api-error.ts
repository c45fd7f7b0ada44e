import { ApiError, failure, type Status } from '../machinery/errors.ts';

/** The error that an answer with a code beyond 2xx is, whether or not its body is a Status. */
export function apiErrorOf(code: number, value: unknown): ApiError {
  if (isStatus(value)) return new ApiError({ ...value, code: value.code || code });
  const text = typeof value === 'string' && value.trim() !== '' ? value.trim() : `the server answered ${code}`;
  return new ApiError(failure(code, REASONS[code], text));
}

export function isStatus(value: unknown): value is Status {
  return typeof value === 'object' && value !== null && (value as Partial<Status>).kind === 'Status';
}

const REASONS: Readonly<Record<number, string>> = Object.freeze({
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  405: 'MethodNotAllowed',
  406: 'NotAcceptable',
  409: 'Conflict',
  410: 'Gone',
  413: 'RequestEntityTooLarge',
  415: 'UnsupportedMediaType',
  422: 'Invalid',
  429: 'TooManyRequests',
  500: 'InternalError',
  503: 'ServiceUnavailable',
  504: 'Timeout',
});
