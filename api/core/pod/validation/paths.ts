/** Checks of file names and modes within a volume. */
import * as field from '../../../../libs/machinery/field-errors.ts';

const MODE_MAX = 0o777;

/** Relative, and never upwards. */
export function descendingPath(path: string, at: field.Path): field.ErrorList {
  const errors: field.ErrorList = [];
  if (path.startsWith('/')) errors.push(field.invalid(at, path, 'must be a relative path'));
  if (path.includes('..')) errors.push(...noBacksteps(path, at));
  return errors;
}

/** Nor a name that volumes keep for themselves. */
export function ownPath(path: string, at: field.Path): field.ErrorList {
  const errors = descendingPath(path, at);
  if (path.startsWith('..') && !path.startsWith('../'))
    errors.push(field.invalid(at, path, "must not start with '..'"));
  return errors;
}

export function noBacksteps(path: string, at: field.Path): field.ErrorList {
  return path.split('/').includes('..') ? [field.invalid(at, path, "must not contain '..'")] : [];
}

export function fileMode(mode: number | undefined, at: field.Path): field.ErrorList {
  if (mode === undefined || (mode >= 0 && mode <= MODE_MAX)) return [];
  return [field.invalid(at, mode, 'must be a number between 0 and 0777 (octal), both inclusive')];
}
